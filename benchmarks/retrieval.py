"""Retrieval by class names, beside a plain loop; then composed and negated queries.

    python -m benchmarks.retrieval --dataset PHOTOS --model MODEL

Photos lie in a folder per class, or a manifest labels them. The loop is what people write:
transformers, NumPy, one text at a time, every picture embedded; its model has to be one that
`transformers.AutoModel` loads. `--plain 0` leaves it out, any other number embeds so many pictures
and scales the time. With `--cache-dir` the first run may find embeddings there already.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks import composing
from clipfg.data.loading import load_dataset
from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders import load_encoder
from clipfg.settings import Settings
from clipfg.types import Manifest
from clipfg.workflows.failures import Failures
from clipfg.workflows.index import store_in_memory
from clipfg.workflows.retrieve import RetrieveRun, run_retrieve
from clipfg.workflows.searching import Wish

Ranking = list[NDArray[np.bool_]]


@torch.inference_mode()
def plain_loop(model: Path, manifest: Manifest, count: int) -> tuple[Ranking, float, float]:
    """Rankings by every class name, seconds for the pictures, seconds for the queries."""
    from transformers import AutoModel, AutoProcessor

    start = time.perf_counter()
    net = AutoModel.from_pretrained(model).eval()
    processor = AutoProcessor.from_pretrained(model)
    uris, labels = manifest.uris[:count], manifest.labels[:count]
    rows = []
    for first in range(0, len(uris), 32):
        pictures = [Image.open(uri).convert("RGB") for uri in uris[first : first + 32]]
        inputs = processor(images=pictures, return_tensors="pt")
        rows.append(net.get_image_features(**inputs).pooler_output.numpy())
    features = np.concatenate(rows)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    between = time.perf_counter()
    ranked: Ranking = []
    for label, name in enumerate(manifest.classes.names if manifest.classes else ()):
        inputs = processor(text=[name], return_tensors="pt", padding=True)
        text = net.get_text_features(**inputs).pooler_output.numpy()[0]
        order = np.argsort(-(features @ (text / np.linalg.norm(text))))
        ranked.append(labels[order] == label)
    return ranked, between - start, time.perf_counter() - between


def by_clipfg(settings: Settings, names: Sequence[str], raw: bool) -> tuple[RetrieveRun, float]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(names))
        file.flush()
        start = time.perf_counter()
        run = run_retrieve([], settings, Wish(raw=raw), queries=Path(file.name))
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


def names_table(given: argparse.Namespace, settings: Settings) -> None:
    manifest = load_dataset(given.dataset)
    names = manifest.classes.names if manifest.classes else ()
    whole = settings.model_copy(update={"top_k": len(manifest)})
    _, seconds = by_clipfg(whole, names, raw=True)
    again, warm = by_clipfg(whole, names, raw=True)
    print(f"{given.dataset}: {len(names)} class names over {len(manifest):,} pictures\n")
    print(f"{'clipfg, names as they are':28} {figures(rankings(again))}   {seconds:7.1f} s")
    print(f"{'  the second time':28} {figures(rankings(again))}   {warm:7.1f} s")
    prompted, _ = by_clipfg(whole, names, raw=False)
    print(f"{'  with its prompts':28} {figures(rankings(prompted))}", flush=True)
    count = len(manifest) if given.plain is None else given.plain
    if count:
        ranked, pictures, queries = plain_loop(Path(given.model), manifest, count)
        total = pictures * len(manifest) / count + queries
        note = "" if count == len(manifest) else f" (figures of {count:,} pictures)"
        print(f"{'transformers and NumPy':28} {figures(ranked)}   {total:7.1f} s{note}")
        print(f"the loop takes {total / seconds:.1f} times as long, again {total / warm:.1f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--model", required=True, help="the folder of a transformers model")
    parser.add_argument("--cache-dir", type=Path, help="an empty one where not given")
    parser.add_argument("--plain", type=int, help="pictures that the plain loop embeds; all")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as empty:
        settings = Settings.resolve(
            dataset=given.dataset,
            model=f"hf:{given.model}",
            precision="fp32",
            cache_dir=given.cache_dir or Path(empty),
        )
        names_table(given, settings)
        store, _ = store_in_memory(settings, Failures())
        with EmbeddingCache(settings.cache_dir) as cache:
            composing.flowers(cache)
            encoder = load_encoder(f"hf:{given.model}", precision="fp32")
            names = store.classes.names if store.classes else ()
            keys = torch.from_numpy(np.array(store.keys))
            composing.birds(keys, store.labels, names, encoder, cache)


if __name__ == "__main__":
    main()
