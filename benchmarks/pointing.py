"""Do patch features know where things are? Maps of parts whose places are known."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from clipfg.data import synthflora
from clipfg.data.loading import load_dataset
from clipfg.encoders import Encoder, load_encoder
from clipfg.encoders.towers import TokenTower
from clipfg.evaluation.statistics.clustered import clustered_mean
from clipfg.functional.regions import coverage, patch_grid


@dataclass(frozen=True)
class Part:
    """A thing in an image that a text names: its boxes `[r, 4]` in fractions of the sides."""

    image: int
    text: str
    kind: str
    boxes: Tensor


@dataclass
class Score:
    """Values with the image that each belongs to, and what chance gives."""

    values: list[float] = field(default_factory=list)
    chance: list[float] = field(default_factory=list)
    images: list[int] = field(default_factory=list)

    def add(self, image: int, value: float, chance: float) -> None:
        """One more part."""
        self.values.append(value)
        self.chance.append(chance)
        self.images.append(image)

    def __str__(self) -> str:
        """Mean in %, its 95% interval by drawing images, and the mean of chance."""
        images = [f"{image:09}" for image in self.images]
        mean = clustered_mean(np.array(self.values), images)
        return (
            f"{100 * mean.value:5.1f} ({100 * mean.low:4.1f} to {100 * mean.high:5.1f},"
            f" chance {100 * np.mean(self.chance):4.1f})"
        )


class Pointed(NamedTuple):
    """Whether a map's highest cell is in the boxes, how much of the map, and of the grid, is."""

    hit: float
    mass: float
    chance: float


def point(map_: Tensor, boxes: Tensor) -> Pointed:
    """The pointing game on a map `[h, w]` with boxes `[r, 4]` in fractions of its sides.

    A cell is in a box when its centre is; no cell is in one that lies between the centres, where
    chance is 0. Mass is the map's when its lowest value is 0 and all sum to 1.
    """
    area = inside(boxes, (map_.shape[0], map_.shape[1]))
    above = (map_ - map_.min()).flatten()
    mass = above[area].sum() / above.sum().clamp_min(1e-12)
    return Pointed(float(area[int(map_.argmax())]), float(mass), float(area.mean()))


def inside(boxes: Tensor, grid: tuple[int, int]) -> NDArray[np.bool_]:
    """Which cells of a grid have their centre in any of some boxes `[p]`."""
    rows, columns = grid
    y, x = torch.meshgrid(
        (torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns, indexing="ij"
    )
    x, y = x.flatten(), y.flatten()
    x0, y0, x1, y1 = boxes.T[..., None]
    found: NDArray[np.bool_] = ((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)).any(dim=0).numpy()
    return found


def measure(
    patches: Tensor, grid: tuple[int, int], texts: dict[str, Tensor], parts: Sequence[Part]
) -> dict[str, Score]:
    """The pointing game, mass inside the box, and naming of regions, of maps `[n, p, d]`.

    - pointing and mass: of the similarity to the text (`point`);
    - naming: the mean of the patches under a box is most similar to its own text of all texts;
    - kind: the same, where any text of the right kind of part counts.
    """
    scores = {name: Score() for name in ("pointing", "mass", "naming", "kind")}
    unit = functional.normalize(patches, dim=-1)
    vocabulary = list(texts)
    matrix = torch.stack([texts[text] for text in vocabulary])
    kind_of = {part.text: part.kind for part in parts}
    shares = {k: np.mean([kind_of[t] == k for t in vocabulary]) for k in set(kind_of.values())}
    for part in parts:
        found = point((unit[part.image] @ texts[part.text]).unflatten(0, grid), part.boxes)
        if not found.chance:
            continue
        scores["pointing"].add(part.image, found.hit, found.chance)
        scores["mass"].add(part.image, found.mass, found.chance)
        region = functional.normalize(coverage(part.boxes, grid) @ patches[part.image], dim=-1)
        for best in (region @ matrix.T).argmax(dim=1).tolist():
            named = vocabulary[best]
            scores["naming"].add(part.image, float(named == part.text), 1 / len(vocabulary))
            right = kind_of[named] == part.kind
            scores["kind"].add(part.image, float(right), float(shares[part.kind]))
    return scores


Ways = Callable[[TokenTower, Tensor, Tensor], Iterator[tuple[str, Tensor]]]
"""From a tower and its tokens before and after the last block to patches, by name."""


def flower_parts(count: int) -> tuple[list[Image.Image], list[Part]]:
    """Drawn flowers of free combinations of attributes, and their parts."""
    images, parts = [], []
    for row in range(count):
        flower = synthflora.flower_at(0, "free", row)
        images.append(synthflora.draw(flower, synthflora.IMAGE_SIZE))
        boxes: dict[str, list[object]] = {}
        for region in synthflora.regions(flower):
            boxes.setdefault(str(region["phrase"]), []).append(region["box"])
        parts += [
            Part(row, text, text.split()[-1], torch.tensor(each) / synthflora.IMAGE_SIZE)
            for text, each in boxes.items()
        ]
    return images, parts


def ways_of_open_clip(
    tower: TokenTower, before: Tensor, after: Tensor
) -> Iterator[tuple[str, Tensor]]:
    """The tokens that come out of the last block, and what is left of it for one token alone."""
    block, x = tower.blocks[-1], before[:, tower.prefix :]
    alone = x.flatten(0, 1)[:, None]
    value = block.attention(block.ln_1(alone)).view_as(x)

    def forward(tokens: Tensor) -> Tensor:
        return block.mlp(block.ln_2(tokens))

    yield "tokens after the last block", tower.pool_each(after[:, tower.prefix :])
    yield "tokens before it", tower.pool_each(x)
    yield "x + value, then + MLP", tower.pool_each(x + value + forward(x + value))
    yield "x + value", tower.pool_each(x + value)
    yield "value, then + MLP", tower.pool_each(value + forward(value))
    yield "value", tower.pool_each(value)


def compare_ways(
    tower: TokenTower, inputs: Tensor, texts: dict[str, Tensor], parts: Sequence[Part], ways: Ways
) -> None:
    """A table of every way to read patches from a tower."""
    found: dict[str, list[Tensor]] = {}
    for some in inputs.split(50):
        tokens = [each.detach() for each in tower.trace(some).tokens[-2:]]
        with torch.inference_mode():
            for name, patches in ways(tower, *tokens):
                found.setdefault(name, []).append(patches)
    shipped = torch.cat([tower.dense(some)[1] for some in inputs.split(50)])
    for name, batches in found.items():
        patches = torch.cat(batches)
        mark = " (shipped)" if torch.allclose(patches, shipped, atol=1e-4) else ""
        grid = patch_grid(patches.shape[1], *inputs.shape[-2:])
        print(f"{name}{mark}")
        for measured, score in measure(patches, grid, texts, parts).items():
            print(f"    {measured:9} {score}")


def flowers(count: int) -> None:
    """Florette's patches on synthflora."""
    encoder = load_encoder("builtin:florette", precision="fp32", device="cpu")
    images, parts = flower_parts(count)
    print(f"builtin:florette, {count} flowers, {len({p.text for p in parts})} phrases of parts")
    inputs = inputs_of(encoder, images)
    texts = unit_texts(encoder, sorted({part.text for part in parts}))
    assert isinstance(encoder.tower, TokenTower)
    compare_ways(encoder.tower, inputs, texts, parts, ways_of_open_clip)


def inputs_of(encoder: Encoder, images: Sequence[Image.Image]) -> Tensor:
    """Normalised pixels of images."""
    pixels = torch.stack([encoder.preprocessing(image) for image in images])
    return encoder.preprocessing.normalise(pixels)


def unit_texts(encoder: Encoder, texts: Sequence[str]) -> dict[str, Tensor]:
    """Unit-norm features by text."""
    features = functional.normalize(encoder.encode_texts(texts), dim=-1)
    return dict(zip(texts, features, strict=True))


@dataclass
class Birds:
    """Pictures of birds through an encoder, one pass each, and what is known of them."""

    pooled: list[Tensor] = field(default_factory=list)
    crops: list[Tensor] = field(default_factory=list)
    """Of the bird's box, cut out and encoded: a second pass."""
    patches: list[Tensor] = field(default_factory=list)
    birds: list[Part] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def add(self, encoder: Encoder, image: Image.Image, bird: Part, parts: list[Part]) -> None:
        """One more picture; the boxes are in its pixels."""
        preprocessing = encoder.preprocessing
        features = encoder.encode_images(preprocessing(image)[None], patches=True)
        self.pooled.append(features.pooled[0])
        assert features.patches is not None
        self.patches.append(features.patches[0])
        crop = image.crop(bird.boxes[0].tolist())
        self.crops.append(encoder.encode_images(preprocessing(crop)[None]).pooled[0])
        sides = torch.tensor(preprocessing.size[::-1] * 2)
        for known, each in ((self.birds, [bird]), (self.parts, parts)):
            for part in each:
                boxes = preprocessing.map_boxes(part.boxes, *image.size) / sides
                if (boxes[0, 2:] > boxes[0, :2]).all():  # not lost in the crop
                    known.append(replace(part, boxes=boxes))


def birds(shared: Path) -> None:
    """The cells of a convolutional encoder on CUB: species in boxes, and points of parts."""
    encoder = load_encoder(f"hf:{shared / 'models' / 'lit-birds'}", precision="fp32", device="cpu")
    root = shared / "data" / "CUB_200_2011"
    manifest, points, seen = load_dataset(str(root)), part_points(root), Birds()
    for row, (uri, label) in enumerate(zip(manifest.uris, manifest.labels.tolist(), strict=True)):
        box = torch.tensor([manifest.table["box"][row].as_py()])
        bird = Part(row, f"a photo of a {manifest.classes.names[label]}.", "bird", box)
        parts = [
            Part(row, f"the {name} of a bird", name, torch.tensor([[x - 1, y - 1, x + 1, y + 1]]))
            for name, x, y in points[Path(uri).name]
        ]
        seen.add(encoder, Image.open(uri).convert("RGB"), bird, parts)
    species = unit_texts(encoder, sorted({bird.text for bird in seen.birds}))
    maps = torch.stack(seen.patches)
    grid = patch_grid(maps.shape[1], *encoder.preprocessing.size)
    print(f"lit-birds, {len(maps)} pictures, {len(species)} species, {grid[0]} x {grid[1]} cells")
    scores = measure(maps, grid, species, seen.birds)
    for measured in ("pointing", "mass"):
        print(f"    the bird's box by its species: {measured:8} {scores[measured]}")
    print(f"    species by the region: {scores['naming']}")
    matrix = torch.stack(list(species.values()))
    for how, each in (("pooled feature", seen.pooled), ("crop of the box", seen.crops)):
        named = (torch.stack(each) @ matrix.T).argmax(dim=1).tolist()
        score = Score()
        for place, bird in zip(named, seen.birds, strict=True):
            score.add(bird.image, float(list(species)[place] == bird.text), 1 / len(species))
        print(f"    species by the {how}: {score}")
    texts = unit_texts(encoder, sorted({part.text for part in seen.parts}))
    point_at_parts(maps, grid, seen.parts, texts)


def point_at_parts(
    maps: Tensor, grid: tuple[int, int], parts: Sequence[Part], texts: dict[str, Tensor]
) -> None:
    """Whether the best cell for a part's name is that of its point, or touches it."""
    unit = functional.normalize(maps, dim=-1)
    exact, near = Score(), Score()
    for part in parts:
        x, y = ((part.boxes[0, :2] + part.boxes[0, 2:]) / 2).tolist()
        row, column = int(y * grid[0]), int(x * grid[1])
        best = int((unit[part.image] @ texts[part.text]).argmax())
        apart = max(abs(best // grid[1] - row), abs(best % grid[1] - column))
        cells = len(unit[part.image])
        beside = (min(row + 2, grid[0]) - max(row - 1, 0)) * (
            min(column + 2, grid[1]) - max(column - 1, 0)
        )
        exact.add(part.image, float(apart == 0), 1 / cells)
        near.add(part.image, float(apart <= 1), beside / cells)
    print(f"    15 parts by name, {len(parts)} points: in the best cell {exact}")
    print(f"    15 parts by name: in the best cell or one that touches it {near}")


def part_points(root: Path) -> dict[str, list[tuple[str, float, float]]]:
    """Visible parts by an image's file name: name, x and y in pixels."""
    lines = (root / "parts" / "parts.txt").read_text().splitlines()
    names = dict(line.split(" ", 1) for line in lines)
    lines = (root / "images.txt").read_text().splitlines()
    files = {key: Path(file).name for key, file in (line.split() for line in lines)}
    found: dict[str, list[tuple[str, float, float]]] = {file: [] for file in files.values()}
    for line in (root / "parts" / "part_locs.txt").read_text().splitlines():
        key, part, x, y, visible = line.split()
        if visible == "1" and key in files:
            found[files[key]].append((names[part], float(x), float(y)))
    return found
