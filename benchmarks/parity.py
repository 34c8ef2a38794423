"""The same predictions as a plain transformers loop, on real images at float32.

    python -m benchmarks.parity [--shared ../shared]

Reads cub100's 1,500 test images and the lit-birds encoder, classifies them by
`a photo of a {label}.` once with AutoProcessor + AutoModel, image by image as its README has
it, and once with `clipfg zeroshot` on an empty cache, and prints both accuracies and how many
predictions differ.
"""

import argparse
import csv
import json
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import torch
from PIL import Image

from clipfg.cli import main as clipfg

BATCH = 32


def plain_loop(data: Path, model_folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Predicted and true class of each test image, by transformers alone."""
    from transformers import AutoModel, AutoProcessor

    model = AutoModel.from_pretrained(model_folder, local_files_only=True).eval()
    processor = AutoProcessor.from_pretrained(model_folder, local_files_only=True)
    with (data / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = sorted({row["label"] for row in rows})
    tested = [row for row in rows if row["split"] == "test"]
    texts = processor(
        text=[f"a photo of a {name}." for name in names], return_tensors="pt", padding=True
    )
    predicted = {}
    with torch.no_grad():
        weights = model.get_text_features(**texts).pooler_output
        weights = weights / weights.norm(dim=1, keepdim=True)
        for start in range(0, len(tested), BATCH):
            chunk = tested[start : start + BATCH]
            images = [Image.open(data / row["path"]).convert("RGB") for row in chunk]
            pixels = processor(images=images, return_tensors="pt")["pixel_values"]
            features = model.get_image_features(pixel_values=pixels).pooler_output
            best = (features @ weights.T).argmax(dim=1).tolist()
            predicted |= {row["path"]: names[i] for row, i in zip(chunk, best, strict=True)}
    return predicted, {row["path"]: row["label"] for row in tested}


def with_clipfg(data: Path, model_folder: Path) -> tuple[dict[str, str], float]:
    """Predicted class of each test image, and the reported accuracy, by `clipfg zeroshot`."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["zeroshot", "--dataset", str(data), "--model", f"hf:{model_folder}", "-q"]
        command += ["--precision", "fp32", "--prompts", "photo", "--cache-dir", f"{folder}/cache"]
        code = clipfg.run([*command, "-o", f"{folder}/run", "--format", "csv"])
        if code:
            sys.exit(code)
        rows = pq.read_table(f"{folder}/run/predictions.parquet").to_pylist()
        results = json.loads(Path(f"{folder}/run/results.json").read_text(encoding="utf-8"))
    return {row["id"]: row["prediction"] for row in rows}, results["metrics"]["top1"]["value"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    shared = parser.parse_args().shared
    data, model = shared / "data" / "cub100", shared / "models" / "lit-birds"
    ours, reported = with_clipfg(data, model)
    plain, truth = plain_loop(data, model)
    accuracy = sum(plain[path] == truth[path] for path in truth) / len(truth)
    differing = [path for path in truth if plain[path] != ours[path]]
    print(f"top-1 of {len(truth)} images: plain loop {accuracy:.2%}, clipfg {reported:.2%}")
    print(f"predictions that differ: {len(differing)}")
    for path in differing:
        print(f"  {path}: plain {plain[path]}, clipfg {ours[path]}, true {truth[path]}")


if __name__ == "__main__":
    main()
