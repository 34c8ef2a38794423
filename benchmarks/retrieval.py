"""Retrieval by class names, beside a plain loop; then composed and negated queries.

    python -m benchmarks.retrieval --dataset PHOTOS --model MODEL

Photos lie in a folder per class, or a manifest labels them. The loop is what people write:
transformers, NumPy, one text at a time, every image embedded; its model has to be one that
`transformers.AutoModel` loads. Both begin with nothing embedded and read the same images, every
n-th with `--every n`. `--cache-dir` is for the second part alone, where only queries differ.
"""

import argparse
import csv
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks import composing
from clipfg.data.loading import load_dataset
from clipfg.options import RetrieveOptions, resolve
from clipfg.types import Manifest
from clipfg.workflows.retrieve.run import RetrieveRun, open_searched, run_retrieve
from clipfg.workflows.session import Session

Ranking = list[NDArray[np.bool_]]


@torch.inference_mode()
def plain_loop(model: Path, manifest: Manifest) -> tuple[Ranking, float]:
    """Rankings by every class name, and the seconds that they took."""
    from transformers import AutoModel, AutoProcessor

    start = time.perf_counter()
    net = AutoModel.from_pretrained(model).eval()
    processor = AutoProcessor.from_pretrained(model)
    uris, labels = manifest.uris, manifest.labels
    rows = []
    for first in range(0, len(uris), 32):
        images = [Image.open(uri).convert("RGB") for uri in uris[first : first + 32]]
        inputs = processor(images=images, return_tensors="pt")
        rows.append(net.get_image_features(**inputs).pooler_output.numpy())
    features = np.concatenate(rows)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    ranked: Ranking = []
    for label, name in enumerate(manifest.classes.names if manifest.classes else ()):
        inputs = processor(text=[name], return_tensors="pt", padding=True)
        text = net.get_text_features(**inputs).pooler_output.numpy()[0]
        order = np.argsort(-(features @ (text / np.linalg.norm(text))))
        ranked.append(labels[order] == label)
    return ranked, time.perf_counter() - start


def by_clipfg(
    options: RetrieveOptions, names: Sequence[str], raw: bool
) -> tuple[RetrieveRun, float]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(names))
        file.flush()
        start = time.perf_counter()
        with Session(replace(options, queries=Path(file.name), raw=raw)) as session:
            run = run_retrieve(session)
        return run, time.perf_counter() - start


def rankings(run: RetrieveRun) -> Ranking:
    return [
        np.array([row["label"] == found.query.name for row in found.rows]) for found in run.found
    ]


def figures(ranked: Ranking) -> str:
    found = [np.flatnonzero(right) for right in ranked if right.any()]
    mean = np.mean([np.mean(np.arange(1, len(at) + 1) / (at + 1)) for at in found])
    shares = "".join(
        f"   P@{k} {100 * np.mean([right[:k].mean() for right in ranked]):6.2f}" for k in (1, 10)
    )
    return f"mAP {100 * mean:6.2f}{shares}"


def thinned(dataset: str, every: int, folder: Path) -> Path:
    """A table of every n-th image with its label."""
    manifest = load_dataset(dataset)
    assert manifest.classes is not None
    path = folder / "images.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        for uri, label in list(zip(manifest.uris, manifest.labels, strict=True))[::every]:
            writer.writerow([uri, manifest.classes.names[label]])
    return path


def names_table(given: argparse.Namespace, folder: Path) -> None:
    images = thinned(given.dataset, given.every, folder)
    manifest = load_dataset(str(images))
    assert manifest.classes is not None
    names = manifest.classes.names
    options = resolve(
        RetrieveOptions,
        {
            "dataset": images,
            "model": f"hf:{given.model}",
            "precision": "fp32",
            "cache_dir": folder / "cache",
        },
    )
    options = replace(options, top_k=len(manifest))
    # The loop goes first: what clipfg asks of malloc holds for the whole process.
    ranked, total = plain_loop(Path(given.model), manifest)
    first, seconds = by_clipfg(options, names, raw=True)
    again, warm = by_clipfg(options, names, raw=True)
    prompted, _ = by_clipfg(options, names, raw=False)
    print(f"{given.dataset}: {len(names)} class names over {len(manifest):,} images\n")
    print(f"{'clipfg, names as they are':28} {figures(rankings(first))}   {seconds:7.1f} s")
    print(f"{'  the second time':28} {figures(rankings(again))}   {warm:7.1f} s")
    print(f"{'  with its prompts':28} {figures(rankings(prompted))}", flush=True)
    print(f"{'transformers and NumPy':28} {figures(ranked)}   {total:7.1f} s")
    print(f"the loop takes {total / seconds:.1f} times as long, again {total / warm:.1f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--model", required=True, help="the folder of a transformers model")
    parser.add_argument("--every", type=int, default=1, help="take every n-th image for names")
    parser.add_argument("--cache-dir", type=Path, help="for composed queries; an empty one without")
    parser.add_argument("--only", choices=("names", "composed"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as empty:
        if given.only != "composed":
            names_table(given, Path(empty))
        if given.only != "names":
            composed_tables(given, given.cache_dir or Path(empty) / "cache")


def composed_tables(given: argparse.Namespace, cache_dir: Path) -> None:
    options = {"dataset": given.dataset, "model": f"hf:{given.model}", "precision": "fp32"}
    with Session(resolve(RetrieveOptions, {**options, "cache_dir": cache_dir})) as session:
        store = open_searched(session)
        assert session.encoder is not None
        names = store.classes.names if store.classes else ()
        keys = torch.from_numpy(np.array(store.keys))
        composing.birds(keys, store.labels, names, session.encoder, session.cache)
        composing.flowers(session.cache)


if __name__ == "__main__":
    main()
