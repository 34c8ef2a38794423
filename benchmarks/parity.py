"""The same predictions as a plain transformers loop, on real images at float32; and in fewer bits.

    python -m benchmarks.parity [--shared ../shared]
    python -m benchmarks.parity --precisions cub100 synthflora

Reads cub100's 1,500 test images and the lit-birds encoder, classifies them by
`a photo of a {label}.` once with AutoProcessor + AutoModel, image by image as its README has
it, and once with `clipfg zeroshot` on an empty cache, and prints both accuracies and how many
predictions differ.

With `--precisions`, the accuracy of `clipfg zeroshot` in bf16 and in int8 beside that in float32,
on cub100 with lit-birds and on synthflora with the built-in model, each difference with its paired
95 % interval.
"""

import argparse
import csv
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image

from clipfg.cli import main as clipfg
from clipfg.evaluation.statistics.paired import compare

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


def with_clipfg(
    data: Path | str, model: str, precision: str, prompts: str | None = None
) -> tuple[dict[str, tuple[str, bool]], float]:
    """Predicted class of each test image and whether it is right; accuracy, by `zeroshot`."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["zeroshot", "--dataset", str(data), "--model", model, "-q"]
        command += ["--prompts", prompts] if prompts else []
        command += ["--precision", precision, "--cache-dir", f"{folder}/cache"]
        code = clipfg.run([*command, "-o", f"{folder}/run", "--format", "csv"])
        if code:
            sys.exit(code)
        rows = pq.read_table(f"{folder}/run/predictions.parquet").to_pylist()
        results = json.loads(Path(f"{folder}/run/results.json").read_text(encoding="utf-8"))
    found = {row["id"]: (row["prediction"], row["prediction"] == row["label"]) for row in rows}
    return found, results["metrics"]["top1"]["value"]


def compare_precisions(shared: Path, names: list[str]) -> None:
    """A line for each data set and format."""
    birds = (shared / "data" / "cub100", f"hf:{shared / 'models' / 'lit-birds'}", "photo")
    known = {"cub100": birds, "synthflora": ("synthflora", "builtin:florette", None)}
    for data, model, prompts in map(known.__getitem__, names):
        exact, accuracy = with_clipfg(data, model, "fp32", prompts)
        print(f"{Path(data).name}, {len(exact):,} images: {accuracy:.2%} in fp32", flush=True)
        for precision in ("bf16", "int8"):
            found, _ = with_clipfg(data, model, precision, prompts)
            right = [np.array([rows[id][1] for id in exact]) for rows in (exact, found)]
            change = compare(*right).difference
            others = sum(found[id][0] != exact[id][0] for id in exact)
            print(
                f"  {precision}: {right[1].mean():.2%}, {100 * change.value:+.2f} points"
                f" [{100 * change.low:+.2f}, {100 * change.high:+.2f}],"
                f" {others} predictions differ",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--precisions", nargs="+", choices=["cub100", "synthflora"])
    chosen = parser.parse_args()
    if chosen.precisions:
        compare_precisions(chosen.shared, chosen.precisions)
    else:
        compare_loops(chosen.shared)


def compare_loops(shared: Path) -> None:
    """Both accuracies, and every prediction that differs."""
    data, model = shared / "data" / "cub100", shared / "models" / "lit-birds"
    ours, reported = with_clipfg(data, f"hf:{model}", "fp32", "photo")
    plain, truth = plain_loop(data, model)
    accuracy = sum(plain[path] == truth[path] for path in truth) / len(truth)
    differing = [path for path in truth if plain[path] != ours[path][0]]
    print(f"top-1 of {len(truth)} images: plain loop {accuracy:.2%}, clipfg {reported:.2%}")
    print(f"predictions that differ: {len(differing)}")
    for path in differing:
        print(f"  {path}: plain {plain[path]}, clipfg {ours[path][0]}, true {truth[path]}")


if __name__ == "__main__":
    main()
