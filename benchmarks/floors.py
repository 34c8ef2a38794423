"""What each stage of embedding costs, beside the least that this machine could do it in.

    OMP_NUM_THREADS=1 python benchmarks/floors.py

Stages run in turns in one process, on one core. Processor milliseconds (medians) are those of all
its threads and wait for nobody; wall-clock ones do on a busy machine. The floor of a tower is its
matrix products alone, at its own shapes and in its own format; that of the command is the tower
and decoding, that of decoding Pillow's at full size, that of a search one pass over the keys.
Towers have random weights, which speed does not depend on; pictures are one of CUB-200-2011's at
several sizes.
"""

import argparse
import io
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.embed import IMAGES, drawings, machine
from benchmarks.embed_contenders import make_model, products_of
from clipfg.data.images.decoding import decode
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.pipeline import collect
from clipfg.encoders import Encoder, load_encoder
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.store import KeyStore
from clipfg.types import Manifest, content_hash

FORMATS = {
    "JPEG 500 x 375": ("JPEG", (500, 375)),
    "JPEG 1200 x 900": ("JPEG", (1200, 900)),
    "PNG 500 x 375": ("PNG", (500, 375)),
    "WebP 500 x 375": ("WEBP", (500, 375)),
}
KEYS, WIDTH, WRITTEN, EMBEDDED = 100_000, 512, 512, 64


@dataclass
class Stage:
    """Some work on `items` pictures, and the stages whose sum it is compared with."""

    work: Callable[[], object]
    items: int = 1
    floor: tuple[str, ...] = ()
    processor: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Once, timed."""
        wall, processor = time.perf_counter(), time.process_time()
        self.work()
        self.processor.append((time.process_time() - processor) * 1e3 / self.items)
        self.wall.append((time.perf_counter() - wall) * 1e3 / self.items)

    @property
    def cost(self) -> float:
        """Processor milliseconds of a picture."""
        return statistics.median(self.processor)


def towers(folder: Path, images: list[Path]) -> dict[str, Stage]:
    """The image towers of ViT-B-32 and ViT-B-16 in both formats, and the whole command."""
    stages = {}
    for patch, batch in ((32, 32), (16, 8)):
        name = f"ViT-B-{patch}"
        (model := folder / name).mkdir()
        make_model(model, name)
        for precision in ("bf16", "fp32"):
            encoder = load_encoder(f"open_clip:local-dir:{model}", precision=precision)
            pixels = torch.randint(0, 256, (batch, 3, 224, 224), dtype=torch.uint8)
            floor = f"products of {name}, {precision}"
            stages[floor] = Stage(products_of(patch, batch, precision), batch)
            tower = f"tower of {name}, {precision}"
            stages[tower] = Stage(lambda e=encoder, p=pixels: e.encode_images(p), batch, (floor,))
            if patch == 32:
                floors = (tower, "decode JPEG 500 x 375")
                run = embedding(images, encoder)
                stages[f"whole command, {name}, {precision}"] = Stage(run, len(images), floors)
    return stages


def embedding(images: list[Path], encoder: Encoder) -> Callable[[], None]:
    """The pipeline on an empty cache."""
    manifest = Manifest.build("images", {"uri": list(map(str, images))})

    def run() -> None:
        with TemporaryDirectory() as kept, EmbeddingCache(kept) as cache:
            collect(manifest, encoder, cache, workers=1)

    return run


def decoding(photo: Path) -> dict[str, Stage]:
    """Each format by Pillow alone at full size, and as clipfg reads it, resizing included."""
    preprocessing, stages = Preprocessing((224, 224)), {}
    for name, (format_, size) in FORMATS.items():
        with Image.open(photo) as image:
            image.convert("RGB").resize(size).save(sink := io.BytesIO(), format_, quality=90)
        data = sink.getvalue()

        def bare(data: bytes = data) -> None:
            Image.open(io.BytesIO(data)).load()

        def whole(data: bytes = data) -> None:
            preprocessing(decode(data, preprocessing.target))

        stages[f"Pillow, {name}"] = Stage(lambda f=bare: [f() for _ in range(20)], 20)
        stages[f"decode {name}"] = Stage(
            lambda f=whole: [f() for _ in range(20)], 20, (f"Pillow, {name}",)
        )
    return stages


def storing(folder: Path) -> dict[str, Stage]:
    """Writing features to the cache, and one query of a store."""
    rng = np.random.default_rng(0)
    keys = rng.standard_normal((KEYS, WIDTH), dtype=np.float32)
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    ids = [f"{number:06}" for number in range(KEYS)]
    KeyStore.of(Manifest.build("keys", {"uri": ids}).table.select(["id", "uri"]), keys).save(
        folder / "store"
    )
    store, query = KeyStore.load(folder / "store"), keys[:1].copy()
    cache, turns = EmbeddingCache(folder / "cache"), count()

    def write() -> None:
        turn = next(turns)
        rows = {content_hash(f"{turn} {i}".encode()): keys[i] for i in range(WRITTEN)}
        cache.put("images", "floors", "floors", rows)

    return {
        "cache write": Stage(write, WRITTEN),
        "one pass over 100,000 keys": Stage(lambda: keys @ query[0]),
        "search of 100,000 keys": Stage(
            lambda: store.search(query, 10), floor=("one pass over 100,000 keys",)
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, default=IMAGES, help="a folder of JPEGs")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{machine()}, one core, medians of {chosen.rounds} rounds in turns\n")
    with TemporaryDirectory() as name, torch.inference_mode():
        folder = Path(name)
        images = (sorted(chosen.images.rglob("*.jp*g")) or drawings(folder))[:EMBEDDED]
        stages = decoding(images[0]) | storing(folder) | towers(folder, images)
        for _ in range(chosen.rounds + 1):  # the first warms up
            for stage in stages.values():
                stage.run()
    print(f"{'':32}  processor ms  wall ms  pictures a core second  of its floor")
    for name, stage in stages.items():
        del stage.processor[0], stage.wall[0]
        floor = sum(stages[part].cost for part in stage.floor)
        ratio = f"{stage.cost / floor:.2f} x" if floor else ""
        wall = statistics.median(stage.wall)
        print(f"{name:32}  {stage.cost:12.3f}  {wall:7.2f}  {1e3 / stage.cost:22.1f}  {ratio:>12}")


if __name__ == "__main__":
    main()
