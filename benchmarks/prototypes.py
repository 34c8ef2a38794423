r"""Do patch prototypes explain? `python -m benchmarks.prototypes [--cub FOLDER --model NAME]`

    clipfg finetune --recipe patch-prototypes --dataset synthflora --unseen 0 --set steps=200 \
        -o tuned
    python -m benchmarks.prototypes --tuned tuned/model

Drawn flowers (the built-in model; every fourth species), whose parts have boxes, or with `--cub`
real birds, whose parts have points. A head of patch prototypes is fitted on draws of the training
split and measured on the test split: its accuracy beside that of a linear head on the same patches,
how many prototypes a class uses, how pure they are, and where they point, beside the linear head's
map (CAM), that of the class's text (dense), and chance.
"""

import argparse
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import platformdirs
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.pointing import Score, inside, part_points
from clipfg.data import synthflora
from clipfg.data.images.decoding import decode, full_size
from clipfg.data.loading import load_dataset
from clipfg.data.sources import read
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.patch_views import collect_patch_views
from clipfg.embedding.pipeline import collect
from clipfg.encoders import Encoder, load_encoder
from clipfg.evaluation.statistics.repeated import accuracy_over, difference_over
from clipfg.functional.similarity import unit_norm
from clipfg.heads import FeatureSets
from clipfg.heads.linear_probe import LinearProbe
from clipfg.heads.patch_prototypes import PatchPrototypes
from clipfg.types import Estimate, Manifest
from clipfg.workflows.protocol.support_sets import Shots, draw_supports
from clipfg.workflows.prototypes.figures import Parts, Purity


@dataclass
class Images:
    """Patches with labels, and for each image its parts in fractions of the sides: name, box."""

    patches: FeatureSets
    labels: Tensor
    parts: list[list[tuple[str, Tensor]]]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches, the same in all images."""
        assert self.patches.grids is not None
        rows, columns = self.patches.grids[0].tolist()
        return rows, columns

    def cells(self, image: int, names: set[str] | None = None) -> Tensor:
        """Which cells of the grid have their centre in a part."""
        boxes = [box for name, box in self.parts[image] if names is None or name in names]
        if not boxes:
            return torch.zeros(self.grid[0] * self.grid[1], dtype=torch.bool)
        return torch.from_numpy(inside(torch.stack(boxes), self.grid))


def embedded(
    manifest: Manifest, encoder: Encoder, cache: EmbeddingCache, *, views: bool
) -> tuple[FeatureSets, Tensor]:
    features = collect(manifest, encoder, cache, dense=["patches"])
    assert len(features) == len(manifest)
    sets = FeatureSets.of_patches(features)
    if views:
        sets = replace(sets, views=collect_patch_views(manifest, sets, encoder, cache))
    return sets, torch.from_numpy(features.labels)


def flower_parts(manifest: Manifest, encoder: Encoder) -> list[list[tuple[str, Tensor]]]:
    found = []
    side = torch.tensor([*encoder.preprocessing.size[::-1]] * 2)
    for regions in synthflora.with_regions(manifest).table["regions"].to_pylist():
        boxes = torch.tensor([one["box"] for one in regions])
        size = (synthflora.IMAGE_SIZE, synthflora.IMAGE_SIZE)
        seen = encoder.preprocessing.map_boxes(boxes, *size) / side
        names = [one["phrase"].split()[-1] for one in regions]
        found.append(list(zip(names, seen, strict=True)))
    return found


def bird_parts(
    manifest: Manifest, encoder: Encoder, root: Path, grid: tuple[int, int]
) -> list[list[tuple[str, Tensor]]]:
    """Points as boxes of one cell around them, and the whole bird's box as `bird`."""
    points, found = part_points(root), []
    side = torch.tensor([*encoder.preprocessing.size[::-1]] * 2)
    half = torch.tensor([-0.5 / grid[1], -0.5 / grid[0], 0.5 / grid[1], 0.5 / grid[0]])
    for uri, box in zip(manifest.uris, manifest.table["box"].to_pylist(), strict=True):
        size = full_size(decode(read(uri)))
        own = points[Path(uri).name]
        at = torch.tensor([[x, y, x, y] for _, x, y in own])
        seen = encoder.preprocessing.map_boxes(at, *size) / side
        parts = [(name, place + half) for (name, _, _), place in zip(own, seen, strict=True)]
        whole = encoder.preprocessing.map_boxes(torch.tensor([box]), *size)[0] / side
        found.append([*parts, ("bird", whole)])
    return found


def maps_of(head: PatchPrototypes, texts: Tensor, patches: Tensor, label: int) -> dict[str, Tensor]:
    """Maps of the true class over one image's patches."""
    one = FeatureSets(patches, torch.tensor([0, len(patches)]))
    scores, weights = head.scores(one), head.weights_[label]
    present = head.presences(one)[0] > 0
    found = {"prototypes, summed": (scores * weights * present).sum(dim=1)}
    for number in ((weights > 0) & present).nonzero().flatten().tolist():
        found[f"prototype {number}"] = scores[:, number]
    found["CAM"] = patches @ head.linear_[label]
    found["dense"] = normalize(patches, dim=1) @ texts[label]
    return found


def point(
    head: PatchPrototypes, texts: Tensor, test: Images, kinds: dict[str, set[str] | None]
) -> dict[tuple[str, str], Score]:
    """How often the highest patch of each map lies in parts of a kind."""
    scores: dict[tuple[str, str], Score] = defaultdict(Score)
    for image in range(len(test.labels)):
        rows = test.patches[image : image + 1].rows
        maps = maps_of(head, texts, rows, int(test.labels[image]))
        for kind, names in kinds.items():
            cells = test.cells(image, names)
            if not cells.any():
                continue
            chance = float(cells.double().mean())
            for name, map_ in maps.items():
                how = "prototypes, each" if name.startswith("prototype ") else name
                scores[kind, how].add(image, float(cells[int(map_.argmax())]), chance)
    return scores


def report(
    blank: PatchPrototypes,
    train: Images,
    test: Images,
    texts: Tensor,
    shots: Shots,
    seeds: int,
    kinds: dict,
) -> NDArray[np.bool_]:
    draws = draw_supports(train.labels.numpy(), tuple(range(seeds)))
    hits, linear, scores = [], [], defaultdict(Score)
    parts = [_parts(test, image) for image in range(len(test.labels))]
    for seed in range(seeds):
        rows = torch.from_numpy(draws.rows(min(seed, draws.that_differ(shots) - 1), shots))
        started = perf_counter()
        head = replace(blank, seed=seed).fit(train.patches[rows], train.labels[rows])
        seconds = perf_counter() - started
        purity = Purity.of(head, test.patches, parts, seed)
        logits, plain = head.logits(test.patches), head.linear_logits(test.patches)
        # An image that shows no prototype has zeros alone, which have no direction.
        own, new = (
            unit_norm(head.presences(x) + 1e-6) for x in (train.patches[rows], test.patches)
        )
        answers = LinearProbe(seed=seed).fit(own, train.labels[rows]).logits(new).argmax(dim=1)
        hits.append((logits.argmax(dim=1) == test.labels).numpy())
        linear.append((plain.argmax(dim=1) == test.labels).numpy())
        presence = head.presences(test.patches)
        speaking = ((presence * head.weights_[logits.argmax(dim=1)]) > 0).sum(dim=1)
        print(
            f"seed {seed}: {hits[-1].mean():.1%}, linear {linear[-1].mean():.1%}, linear on"
            f" presences {(answers == test.labels).double().mean():.1%};"
            f" {head.remarks[0]} {int(speaking.median())} speak for an answer (median)."
            + (f" Purity {purity.mean:.1%}, random places {purity.chance:.1%}." if purity else "")
            + f" {seconds:.0f} s",
            flush=True,
        )
        for key, score in point(head, texts, test, kinds).items():
            for value, chance, image in zip(score.values, score.chance, score.images, strict=True):
                scores[key].add(image, value, chance)
    own, other = np.stack(hits), np.stack(linear)
    for name, value in (("prototypes", accuracy_over(own)), ("linear", accuracy_over(other))):
        print(
            f"{name:22} {100 * value.value:5.1f} ({100 * value.low:.1f} to {100 * value.high:.1f})"
        )
    print(f"{'difference':22} {points(difference_over(other, own).estimate)}")
    for (kind, how), score in scores.items():
        print(f"points into {kind:10} {how:20} {score}")
    return own


def _parts(test: Images, image: int) -> Parts:
    """Known parts as the purity takes them, the smallest first."""
    named = [(name, box) for name, box in test.parts[image] if name != "bird"]
    named.sort(key=lambda one: float((one[1][2:] - one[1][:2]).prod()))
    return [(name, torch.from_numpy(inside(box[None], test.grid))) for name, box in named]


def learnt_and_tested(
    given: argparse.Namespace, encoder: Encoder
) -> tuple[list[str], list[tuple[Manifest, FeatureSets, Tensor]]]:
    """Names of the classes, and of the images to learn from and to test on patches and classes."""
    cache = EmbeddingCache(Path(given.cache_dir))
    manifest = load_dataset(str(given.cub)) if given.cub else synthflora.load()
    present = np.unique(manifest.labels)
    kept = present if given.cub else present[:: given.every]
    splits = []
    for split in ("train", "test"):
        part = manifest.select(split)
        part = replace(part, table=part.table.filter(np.isin(part.labels, kept)))
        sets, labels = embedded(part, encoder, cache, views=split == "train")
        splits.append((part, sets, torch.from_numpy(np.searchsorted(kept, labels.numpy()))))
    return [manifest.classes.names[label] for label in kept], splits


def measure(model: str, given: argparse.Namespace) -> NDArray[np.bool_]:
    """Print the figures of heads on a model's patches; returns which answers are right."""
    encoder = load_encoder(model, precision="fp32", device="cpu")
    names, found = learnt_and_tested(given, encoder)
    splits = [Images(sets, labels, []) for _, sets, labels in found]
    part = found[1][0]
    splits[1].parts = (
        bird_parts(part, encoder, given.cub, splits[1].grid)
        if given.cub
        else flower_parts(part, encoder)
    )
    kind = "photo of a {}, a type of bird." if given.cub else "photo of a {}."
    texts = normalize(encoder.encode_texts([f"a {kind.format(name)}" for name in names]), dim=1)
    print(
        f"{model}, {len(names)} classes, {len(splits[0].labels)} to learn from at"
        f" {given.shots} shots, {len(splits[1].labels)} test images, {splits[1].grid} patches;"
        f" threshold {given.threshold:g}; in %, 95% intervals"
    )
    birds: dict[str, set[str] | None] = {"bird": {"bird"}}
    for_birds = sorted({name for own in splits[1].parts for name, _ in own} - {"bird"})
    kinds = (
        birds | {"its parts": set(for_birds)}
        if given.cub
        else {"petals": {"petals"}, "parts": None}
    )
    blank = PatchPrototypes(threshold=given.threshold)
    return report(blank, *splits, texts, Shots(given.shots), given.seeds, kinds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cub", type=Path)
    parser.add_argument("--model", default="builtin:florette")
    parser.add_argument("--tuned", help="the model after `clipfg finetune`, to stand beside it")
    parser.add_argument("--shots", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--every", type=int, default=4, help="use every N-th species of flowers")
    parser.add_argument("--threshold", type=float, default=PatchPrototypes.threshold)
    parser.add_argument("--cache-dir", type=Path, default=platformdirs.user_cache_dir("clipfg"))
    given = parser.parse_args()
    base = measure(given.model, given)
    if given.tuned:
        gain = difference_over(base, measure(given.tuned, given)).estimate
        print(f"{'tuned, not base':22} {points(gain)}")


def points(gap: Estimate) -> str:
    return f"{100 * gap.value:+5.1f} ({100 * gap.low:+.1f} to {100 * gap.high:+.1f})"


if __name__ == "__main__":
    main()
