"""Do explanations point at what they name? `python -m benchmarks.explain --cub FOLDER --model NAME`

Drawn flowers, whose parts have known boxes and phrases ("a black tufted centre"), with the built-in
model: whether region features name the right phrase, and for each method how often the highest
patch of a phrase's map lies in such a part (pointing game), how much of the map lies there, and how
often the map is faithful to the score. With `--cub`, real birds whose parts have known points.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.pointing import Score, part_points, point
from clipfg.data import synthflora
from clipfg.data.images.decoding import decode, full_size
from clipfg.data.sets import cub200
from clipfg.data.sources import read
from clipfg.encoders import Encoder, load_encoder
from clipfg.errors import UsageError
from clipfg.explaining import METHODS
from clipfg.explaining.faithfulness import measure_faithfulness
from clipfg.explaining.placement import Placement


class Photo(NamedTuple):
    """The input of a tower, and boxes `[r, 4]` in fractions of its sides by phrase."""

    pixels: Tensor
    boxes: dict[str, Tensor]


def flowers(encoder: Encoder, count: int) -> Iterator[Photo]:
    manifest, preprocessing = synthflora.load_free(count), encoder.preprocessing
    side = torch.tensor([preprocessing.size[1], preprocessing.size[0]]).repeat(2)
    for uri, regions in zip(manifest.uris, manifest.table["regions"].to_pylist(), strict=True):
        image = decode(read(uri))
        found = defaultdict(list)
        for region in regions:
            found[region["phrase"]].append(region["box"])
        boxes = {
            phrase: preprocessing.map_boxes(torch.tensor(each), *image.size) / side
            for phrase, each in found.items()
        }
        yield Photo(preprocessing(image), boxes)


def part_of(phrase: str) -> str:
    return phrase.rsplit(" ", 1)[-1]


def explain_flowers(count: int, faithful: int) -> None:
    encoder = load_encoder("builtin:florette", precision="fp32", device="cpu")
    naming: dict[str, Score] = defaultdict(Score)
    scores: dict[tuple[str, str, str], Score] = defaultdict(Score)
    verdicts: dict[str, Score] = defaultdict(Score)
    for number, photo in enumerate(flowers(encoder, count)):
        phrases = list(photo.boxes)
        texts = normalize(encoder.encode_texts(phrases), dim=1)
        name_regions(encoder, photo, texts, naming, number)
        found = {name: METHODS.get(name)(encoder, photo.pixels[None], texts)[0] for name in METHODS}
        for method, maps in found.items():
            for (phrase, boxes), map_ in zip(photo.boxes.items(), maps, strict=True):
                seen, part = point(map_, boxes), part_of(phrase)
                if seen.chance:
                    scores["pointing", method, part].add(number, seen.hit, seen.chance)
                    scores["mass", method, part].add(number, seen.mass, seen.chance)
        if number < faithful:
            all_maps = torch.cat(list(found.values()))
            each = iter(verdicts_of(encoder, photo.pixels, all_maps, texts))
            for method in found:
                for _ in texts:
                    verdicts[method].add(number, float(next(each) == "faithful"), 0.025)
    print(f"synthflora, {count} free combinations, builtin:florette; in %, 95% intervals")
    print("\na part's region feature is most like its own of its flower's phrases")
    for part, score in naming.items():
        print(f"  {part:8} {score}")
    for (what, method, part), score in sorted(scores.items(), reverse=True):
        print(f"{what:9} {method:11} {part:8} {score}")
    print(f"\nmaps of phrases that are faithful to their cosine, {min(count, faithful)} flowers")
    for method, score in verdicts.items():
        print(f"  {method:11} {score}")


def name_regions(
    encoder: Encoder, photo: Photo, texts: Tensor, naming: dict[str, Score], number: int
) -> None:
    """Which phrase of its own flower each part's region feature is most like."""
    height, width = photo.pixels.shape[1:]
    boxes = [each[:1] * torch.tensor([width, height] * 2) for each in photo.boxes.values()]
    (features,) = encoder.encode_regions(photo.pixels[None], [torch.cat(boxes)])
    named = (normalize(features, dim=1) @ texts.T).argmax(dim=1).tolist()
    for at, phrase in enumerate(photo.boxes):
        naming[part_of(phrase)].add(number, float(named[at] == at), 1 / len(named))


def verdicts_of(encoder: Encoder, pixels: Tensor, maps: Tensor, texts: Tensor) -> list[str]:
    """Of maps of all texts, method by method."""

    def score(batch: Tensor) -> Tensor:
        return normalize(encoder.encode_images(batch).pooled, dim=1) @ texts.T

    weights = torch.eye(len(texts)).repeat(len(maps) // len(texts), 1)
    found = measure_faithfulness(pixels, maps, score, weights, batch_size=256)
    return [one.verdict for one in found]


def explain_birds(root: Path, model: str, faithful: int) -> None:
    """Classes against the bird's box, and names of parts against the cells of their points."""
    encoder = load_encoder(model, precision="fp32", device="cpu")
    points = part_points(root)
    # Left and right ones are one part.
    parts = sorted({part_of(name) for each in points.values() for name, _, _ in each})
    classes = cub200.read(root).classes
    items = [item for item in cub200.read_items(root) if (root / item.path).is_file()]
    assert classes is not None
    said = encoder.encode_texts([f"the {part} of a bird" for part in parts])
    print(f"\nCUB-200-2011, {len(items)} pictures, {model}; in %, 95% intervals")
    for method in METHODS:
        scores: dict[str, Score] = defaultdict(Score)
        try:
            for number, item in enumerate(items):
                image = decode(read(str(root / item.path)), encoder.preprocessing.target)
                pixels = encoder.preprocessing(image)
                name = [f"a photo of a {classes.names[item.label - 1]}."]
                texts = normalize(torch.cat([encoder.encode_texts(name), said]), dim=1)
                maps = METHODS.get(method)(encoder, pixels[None], texts)[0]
                grid = (maps.shape[1], maps.shape[2])
                x0, y0, x1, y1 = Placement.of(encoder.preprocessing, full_size(image), grid).window
                wide, high = x1 - x0, y1 - y0
                shift, scale = torch.tensor([x0, y0] * 2), torch.tensor([wide, high] * 2)
                seen = point(maps[0], (torch.tensor([item.box]) - shift) / scale)
                scores["class: bird's box"].add(number, seen.hit, seen.chance)
                for part, map_ in zip(parts, maps[1:], strict=True):
                    cells = {
                        int((y - y0) / high * grid[0]) * grid[1] + int((x - x0) / wide * grid[1])
                        for name, x, y in points[Path(item.path).name]
                        if part_of(name) == part and x0 <= x < x1 and y0 <= y < y1
                    }
                    if cells:
                        hit = float(int(map_.argmax()) in cells)
                        scores[f"{part}: its cell"].add(number, hit, len(cells) / map_.numel())
                if number % max(1, len(items) // faithful) == 0:
                    (verdict,) = verdicts_of(encoder, pixels, maps[:1], texts[:1])
                    scores["class: faithful"].add(number, float(verdict == "faithful"), 0.025)
        except UsageError as error:
            print(f"{method}: {error}")
            continue
        for what, score in scores.items():
            print(f"{method:7} {what:18} {score}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Do explanations point at what they name?")
    parser.add_argument("--flowers", type=int, default=300)
    parser.add_argument("--faithful", type=int, default=60, help="images for faithfulness")
    parser.add_argument("--cub", type=Path, help="a folder CUB_200_2011")
    parser.add_argument("--model", help="the encoder of --cub")
    args = parser.parse_args()
    torch.set_num_threads(1)
    explain_flowers(args.flowers, args.faithful)
    if args.cub:
        explain_birds(args.cub, args.model, args.faithful)


if __name__ == "__main__":
    main()
