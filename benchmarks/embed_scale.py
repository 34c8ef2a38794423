"""A second run over images that are already embedded, and the memory of a long stream."""

import io
import os
import resource
import subprocess
import sys
import time
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import numpy as np

DIM = 512


def cached(folder: Path, count: int) -> None:
    """Time a run over `count` images that the cache holds, in a fresh process, by parts."""
    import torch

    from benchmarks.embed_contenders import make_model
    from clipfg.data.sources import signature
    from clipfg.embedding.cache import EmbeddingCache
    from clipfg.encoders import load_encoder

    model, images = folder / "model", folder / "images"
    model.mkdir()
    images.mkdir()
    make_model(model)
    generator = np.random.default_rng(0)
    with EmbeddingCache(folder / "kept") as cache:
        encoder = load_encoder(f"open_clip:local-dir:{model}")
        vectors, files = {}, []
        for number in range(count):
            path = images / f"{number:06}.jpg"
            path.write_bytes(number.to_bytes(4) * 100)  # never opened: only looked at
            content = blake2b(path.read_bytes(), digest_size=16).digest()
            row = generator.standard_normal(DIM).astype(np.float32)
            vectors[content] = row / np.linalg.norm(row)
            files.append((str(path), signature(str(path)), content))
        cache.put("images", encoder.fingerprint, encoder.name, vectors, files)
        names = [f"a photo of number {number}" for number in range(100)]
        rows = torch.nn.functional.normalize(torch.randn(len(names), DIM)).numpy()
        keys = [blake2b(name.encode(), digest_size=16).digest() for name in names]
        kept = dict(zip(keys, rows, strict=True))
        cache.put("texts", encoder.fingerprint, encoder.name, kept)
    for turn in ("first look at the weights", "and again"):
        start = time.perf_counter()
        subprocess.run([sys.executable, __file__, str(folder)], check=True)
        print(f"{time.perf_counter() - start:7.2f} s in all, {turn}\n")


def second_run(folder: Path) -> None:
    """What the fresh process does."""
    marks = [("", time.perf_counter())]

    def mark(name: str) -> None:
        marks.append((name, time.perf_counter()))

    from clipfg.embedding.cache import EmbeddingCache
    from clipfg.embedding.pipeline import collect
    from clipfg.embedding.texts import embed_texts
    from clipfg.encoders import load_encoder
    from clipfg.types import Manifest

    mark("imports")
    with EmbeddingCache(folder / "kept") as cache:
        mark("cache opened")
        model = folder / "model"
        encoder = load_encoder(f"open_clip:local-dir:{model}", digest=cache.digest)
        encoder.fingerprint  # noqa: B018
        mark("encoder found")
        uris = [entry.path for entry in os.scandir(folder / "images")]
        manifest = Manifest.build("images", {"uri": sorted(uris)})
        mark("manifest made")
        features = collect(manifest, encoder, cache)
        mark("features")
        embed_texts([f"a photo of number {number}" for number in range(100)], encoder, cache)
        mark("texts")
    assert len(features) == len(uris)
    assert "model" not in vars(encoder), "weights were loaded"
    for (_, before), (name, after) in pairwise(marks):
        print(f"{after - before:7.3f} s  {name}")


def stream(folder: Path, count: int) -> None:
    """Peak memory while `count` drawn-on-demand images go through the whole pipeline, twice."""
    import torch

    from clipfg.data.sources import SOURCES
    from clipfg.embedding.cache import EmbeddingCache
    from clipfg.embedding.pipeline import embed
    from clipfg.encoders.base import Encoder, ImageFeatures
    from clipfg.encoders.preprocessing import Preprocessing
    from clipfg.types import Manifest

    class Projection(Encoder):
        """One matrix: what is left is the pipeline's own."""

        name, precision, device = "benchmark:projection", "fp32", torch.device("cpu")
        preprocessing, dim, context_length = Preprocessing((32, 32)), DIM, 77
        fingerprint, logit_scale = "projection", 100.0
        model = torch.nn.Linear(3 * 32 * 32, DIM)

        def encode_images(self, pixels, *, patches=False):  # type: ignore[no-untyped-def]  # noqa: ARG002
            return ImageFeatures(self.model(pixels.flatten(1).float()).detach())

        def encode_texts(self, texts):  # type: ignore[no-untyped-def]
            raise NotImplementedError

        def count_tokens(self, texts):  # type: ignore[no-untyped-def]
            raise NotImplementedError

    SOURCES.register("noise", "benchmarks.embed_scale:NOISE")
    manifest = Manifest.build("noise", {"uri": [f"noise:{number}" for number in range(count)]})
    print(f"{peak():7.0f} MiB  before, libraries and manifest")
    with EmbeddingCache(folder / "kept") as cache:
        for name in ("embedded", "from the cache"):
            start = time.perf_counter()
            rows = sum(len(batch) for batch in embed(manifest, Projection(), cache))
            seconds = time.perf_counter() - start
            print(f"{peak():7.0f} MiB  after {rows:,} rows {name}, {rows / seconds:,.0f} rows/s")
        print(f"{cache.size / 2**20:7.0f} MiB  the cache on disk")


def peak() -> float:
    """The most memory that this process has had resident, in MiB; workers of its own apart."""
    status = Path("/proc/self/status")
    if status.exists():  # `ru_maxrss` begins with what the parent had when it started this one
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _noise(uri: str) -> bytes:
    from PIL import Image

    number = int(uri.partition(":")[2])
    pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "BMP")
    return sink.getvalue()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    second_run(Path(sys.argv[1]))
else:
    from clipfg.data.sources import ByteSource

    NOISE = ByteSource(read=_noise, signature=lambda _: (1, 0))
