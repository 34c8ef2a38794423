"""What boxes are taken for: whole images, crops, or the dense map of the whole image.

    python -m benchmarks.boxes [--shared ../shared] [--model MODEL]

Two sets of real pictures with boxes, CUB-200-2011's 300 and scenes of four of them: accuracy of
zero-shot classification among the ten species, each against the first by a paired interval;
seconds with nothing cached, and how many images the encoder was run on.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from PIL import Image

from clipfg.data.loading import load_dataset
from clipfg.embedding.framing import Framing
from clipfg.embedding.pipeline import collect
from clipfg.embedding.texts import embed_texts
from clipfg.encoders import Encoder, load_encoder
from clipfg.errors import UsageError
from clipfg.evaluation.statistics.paired import compare
from clipfg.types import BOX, Manifest

WAYS: dict[str, Framing | None] = {
    "whole": None,
    "tight": Framing("tight"),
    "square, no margin": Framing("square", 0.0),
    "square + 10 %": Framing("square", 0.1),
    "square + 20 %": Framing("square", 0.2),
    "region": Framing("region"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    shared = Path(__file__).parents[2] / "shared"
    parser.add_argument("--shared", type=Path, default=shared)
    parser.add_argument("--model", default=None)
    chosen = parser.parse_args()
    encoder = load_encoder(
        chosen.model or str(chosen.shared / "models" / "lit-birds"), precision="fp32"
    )
    birds = load_dataset(str(chosen.shared / "data" / "CUB_200_2011"))
    with TemporaryDirectory() as folder:
        for data in (birds, scenes(birds, Path(folder))):
            show(data, encoder)


def show(data: Manifest, encoder: Encoder) -> None:
    """Print the table of one data set."""
    assert data.classes is not None
    present = sorted(set(data.labels.tolist()))
    texts = [f"a photo of a {data.classes.names[label]}." for label in present]
    weights = embed_texts(texts, encoder, None)
    labels = np.searchsorted(present, data.labels)
    images = len(set(data.uris))
    print(f"{data.name}: {len(data)} boxes in {images} images, {len(present)} classes")
    first: np.ndarray | None = None
    for name, framing in WAYS.items():
        started = time.perf_counter()
        try:
            features = collect(data, encoder, None, framing=framing)
        except UsageError as error:
            print(f"  {name:18} {error}")
            continue
        seconds = time.perf_counter() - started
        assert len(features) == len(data)
        right = (features.pooled @ weights.T).argmax(axis=1) == labels
        passes = images if name in ("whole", "region") else len(data)
        line = f"  {name:18} {right.mean():6.1%}"
        first = right if first is None else first
        gain = compare(first, right).difference
        line += f" {gain.value:+6.1%} [{gain.low:+.1%}, {gain.high:+.1%}]"
        print(f"{line}  {seconds:6.1f} s, {passes} images encoded")


def scenes(birds: Manifest, folder: Path) -> Manifest:
    """Scenes of four pictures of different species each, side by side at full size."""
    order = np.random.default_rng(0).permutation(len(birds))
    boxes, uris, labels = birds.column("box"), birds.uris, birds.labels
    assert boxes is not None
    columns: dict[str, list] = {"id": [], "uri": [], "label": [], "box": []}
    for number, group in enumerate(order[: len(order) // 4 * 4].reshape(-1, 4)):
        path = folder / f"{number}.png"
        scene = Image.new("RGB", (1000, 1000))
        for place, row in enumerate(group.tolist()):
            x, y = 500 * (place % 2), 500 * (place // 2)
            scene.paste(Image.open(uris[row]).convert("RGB"), (x, y))
            columns["id"].append(f"{number}.{place}")
            columns["uri"].append(str(path))
            columns["label"].append(int(labels[row]))
            columns["box"].append([a + b for a, b in zip(boxes[row], (x, y, x, y), strict=True)])
        scene.save(path)
    return Manifest.build(
        "scenes of four", columns | {"box": pa.array(columns["box"], BOX)}, birds.classes
    )


if __name__ == "__main__":
    main()
