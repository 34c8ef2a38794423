"""How hard synthflora is and what florette knows: `python -m benchmarks.synthflora`.

For every `--model DIR` (default: the shipped one) a table: zero-shot and few-shot accuracy among
200 species, for seen and unseen ones; each attribute by itself; pointing at parts with patch
tokens; and controls that see less: the text alone, colour alone, the petals' true colour alone.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from benchmarks.pointing import Pointed, point
from clipfg.data import synthflora
from clipfg.data.synthflora.captions import long_caption
from clipfg.training.florette.train import load

FLORETTE = Path(__file__).parents[1] / "clipfg" / "encoders" / "florette"
SHOTS = (1, 2, 4, 8, 16)
NEGATIVES = 10


@dataclass
class Drawn:
    """Images at 96 pixels, and the manifest's columns of the same rows."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    unseen: NDArray[np.bool_]
    flowers: list[synthflora.Flower]


def drawn(split: str, count: int) -> Drawn:
    each = synthflora.flower.SPLITS.get(split)
    flowers = [synthflora.flower_at(0, split, index) for index in range(count)]
    images = np.stack([np.asarray(synthflora.draw(f, synthflora.IMAGE_SIZE)) for f in flowers])
    labels = np.arange(count) // each if each else np.full(count, -1)
    table = synthflora.species()
    unseen = np.array([label >= 0 and not table[label].seen for label in labels])
    return Drawn(images, labels, unseen, flowers)


class Model:
    """Unit-norm features of one florette."""

    def __init__(self, folder: Path) -> None:
        self.net, self.tokenizer = load(folder)
        self.side = self.net.visual.image_size[0]

    @torch.inference_mode()
    def images(self, images: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """Pooled features `[n, d]` and projected patch tokens `[n, p, d]`."""
        pooled, dense = [], []
        for start in range(0, len(images), 250):
            small = np.stack([
                np.asarray(Image.fromarray(p).resize((self.side,) * 2, Image.Resampling.BICUBIC))
                for p in images[start : start + 250]
            ])  # fmt: skip
            pixels = torch.from_numpy(small).permute(0, 3, 1, 2).float() / 127.5 - 1
            features, tokens = self.net.visual(pixels)
            pooled.append(functional.normalize(features, dim=-1))
            dense.append(functional.normalize(tokens @ self.net.visual.proj, dim=-1))
        return torch.cat(pooled), torch.cat(dense)

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Features `[t, d]`."""
        starts = range(0, len(texts), 500)
        parts = [self.net.text(self.tokenizer(list(texts[s : s + 500]))) for s in starts]
        return functional.normalize(torch.cat(parts), dim=-1)


def accuracy(scores: Tensor, data: Drawn) -> str:
    right = scores.argmax(dim=1).numpy() == data.labels
    seen, unseen = 100 * right[~data.unseen].mean(), 100 * right[data.unseen].mean()
    return f"seen {seen:5.1f}  unseen {unseen:5.1f}"


def class_means(features: Tensor, shots: int) -> Tensor:
    """Unit-norm means `[c, d]` of the first `shots` images of each class."""
    per_class = features.reshape(len(synthflora.species()), -1, features.shape[-1])[:, :shots]
    return functional.normalize(per_class.mean(dim=1), dim=-1)


def class_weights(model: Model) -> Tensor:
    texts = [synthflora.classes().texts[s.name] for s in synthflora.species()]
    flat = model.texts([t for each in texts for t in each])
    return functional.normalize(flat.reshape(len(texts), -1, flat.shape[-1]).mean(dim=1), dim=-1)


def attribute_rows(model: Model, pooled: Tensor, free: Drawn) -> list[str]:
    """Accuracy on each attribute when a caption gives all the others away."""
    rows = []
    for name, values in synthflora.taxonomy.ATTRIBUTES.items():
        texts = [long_caption(replace(f.traits, **{name: v})) for f in free.flowers for v in values]
        features = model.texts(texts).reshape(len(free.flowers), len(values), -1)
        guess = torch.einsum("nd,nvd->nv", pooled, features).argmax(dim=1).tolist()
        right = [
            values[g] == getattr(f.traits, name) for g, f in zip(guess, free.flowers, strict=True)
        ]
        rows.append(f"  {name:8} {100 * np.mean(right):5.1f}  (chance {100 / len(values):4.1f})")
    return rows


def hard_negative_rows(model: Model, pooled: Tensor, free: Drawn) -> list[str]:
    """The true caption against one with an attribute swapped; by image, and by text alone.

    Pairs, not the true caption among ten wrong ones: it is the one in the middle of its own
    swaps, and a reader of texts alone would find it there without an image.
    """
    rng = np.random.default_rng(0)
    true = model.texts([long_caption(f.traits, i) for i, f in enumerate(free.flowers)])
    swapped = model.texts([
        text
        for i, f in enumerate(free.flowers)
        for text in synthflora.captions.hard_negatives(f.traits, rng, NEGATIVES, style=i)
    ])  # fmt: skip
    apart = true[:, None] - swapped.reshape(len(true), NEGATIVES, -1)
    by_image = torch.einsum("nd,nkd->nk", pooled, apart) > 0
    half = len(true) // 2
    seen, held_out = apart[:half].flatten(0, 1).numpy(), apart[half:].flatten(0, 1).numpy()
    sign = np.where(np.arange(len(seen)) % 2, 1, -1)
    blind = LogisticRegression(max_iter=2000, fit_intercept=False).fit(seen * sign[:, None], sign)
    image = 100 * by_image.float().mean()
    text = 100 * (blind.decision_function(held_out) > 0).mean()
    return [
        f"true caption or one swap, by image    {image:5.1f}  (chance 50)",
        f"true caption or one swap, text alone    {text:5.1f}",
    ]


def pointing_rows(model: Model, dense: Tensor, free: Drawn) -> list[str]:
    """How often the patch most similar to a part's phrase has its centre inside such a part."""
    grid = round(dense.shape[1] ** 0.5)
    found: dict[str, list[Pointed]] = defaultdict(list)
    for flower, tokens in zip(free.flowers, dense, strict=True):
        boxes: dict[str, list[list[float]]] = defaultdict(list)
        for region in synthflora.regions(flower):
            boxes[str(region["phrase"])].append(region["box"])
        maps = (tokens @ model.texts(list(boxes)).T).T.unflatten(1, (grid, grid))
        for (text, own), map_ in zip(boxes.items(), maps, strict=True):
            shares = torch.tensor(own) / synthflora.IMAGE_SIZE
            found[text.rsplit(" ", 1)[-1]].append(point(map_, shares))
    rows = []
    for part, seen in found.items():
        hit, _, chance = 100 * np.mean(seen, axis=0)
        rows.append(f"  {part:8} {hit:5.1f}  (chance {chance:4.1f})")
    return rows


def histograms(images: NDArray[np.uint8]) -> Tensor:
    """Root of each image's colour histogram, 8 by 8 by 8 cells: all colour and no form."""
    cells = (images // 32).astype(np.int64) @ [64, 8, 1]
    counts = np.stack([np.bincount(c.ravel(), minlength=512) for c in cells])
    return functional.normalize(torch.from_numpy(np.sqrt(counts)).float(), dim=-1)


def control_rows(train: Drawn, test: Drawn) -> list[str]:
    means = class_means(histograms(train.images), 16)
    by_colour = accuracy(histograms(test.images) @ means.T, test)
    species = synthflora.species()
    colours = Counter(s.traits.colour for s in species)
    oracle = np.mean([1 / colours[s.traits.colour] for s in species])
    return [
        f"colour histogram, class-mean of 16      {by_colour}",
        f"the petals' true colour and no more     {100 * oracle:.1f} at best",
    ]


def rows(folder: Path, train: Drawn, test: Drawn, free: Drawn) -> list[str]:
    model = Model(folder)
    support, _ = model.images(train.images)
    pooled, _ = model.images(test.images)
    free_pooled, free_dense = model.images(free.images)
    weights = class_weights(model)
    names = model.texts([f"a photo of {s.name}" for s in synthflora.species()])
    table = [
        f"zero-shot, the classes' texts           {accuracy(pooled @ weights.T, test)}",
        f"zero-shot, names alone                  {accuracy(pooled @ names.T, test)}",
    ]
    for shots in SHOTS:
        means = class_means(support, shots)
        table.append(
            f"class-mean, {shots:2} shots                    {accuracy(pooled @ means.T, test)}"
        )
    table += [*control_rows(train, test), *hard_negative_rows(model, free_pooled, free)]
    table += ["one attribute, all others given:", *attribute_rows(model, free_pooled, free)]
    return [*table, "pointing at parts by patch:", *pointing_rows(model, free_dense, free)]


def main() -> None:
    parser = argparse.ArgumentParser(description="How hard synthflora is.")
    parser.add_argument(
        "--model", type=Path, action="append", help="a folder of florette's training"
    )
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    train, test = drawn("train", 3200), drawn("test", 2000)
    free = drawn("free", 1000)
    for folder in args.model or [FLORETTE]:
        print(f"{folder.name}: accuracy in %, joint label space of 200 species (chance 0.5)")
        print("\n".join(rows(folder, train, test, free)), flush=True)


if __name__ == "__main__":
    main()
