"""Every few-shot head on features of real images, beside scikit-learn's own classifiers.

    python -m benchmarks.fewshot --features ../shared/data/clip-features

Each npz holds supports `keys_K` with labels `keys_K_l`, a test set `test_f`, `test_l` and, where it
knows them (`../shared/data/clip-two-sided`), texts `text_f`; one without a test set is judged by
`keys_2`. Cells are top-1 accuracy in percent and, in brackets, seconds of processor time to fit,
choices included; the last column is their sum.

    python -m benchmarks.fewshot --features FOLDER [FOLDER ...] --draws 12 [--part val]

The same over supports drawn from the largest, `keys_16`: those of one seed are disjoint, 16 at 1
shot, 2 at 8; further ones are another seed's, and at 16 shots there is one. Cells are mean top-1
and the difference from `auto` with its 95 % interval over images and draws. `--part val` judges by
`val_f`, `val_l` (or `keys_1`), which is for development: no rule is chosen on the test set. A head
may be asked "without floor", such as `tip-adapter-f without floor`: as published, with texts.

    python -m benchmarks.fewshot --growth [--classes 100,1000,10000] [--memory 4]

Drawn features of 16 images a class, 512 wide, whose spread falls off as that of CLIP's: seconds
of processor time to fit and the most memory in use, a process for each. What would need more than
`--memory` GiB is skipped, with what it would need. `gda` and scikit-learn's LDA come once more at
the same fixed shrinkage, where both are one model. The table is Markdown.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.errors import UsageError
from clipfg.evaluation.statistics.repeated import difference_over
from clipfg.heads import HEADS
from clipfg.workflows.protocol.support_sets import draw_supports

SHOTS = (1, 2, 4, 8, 16)
THEIRS = ("scikit-learn LDA", "scikit-learn logistic")
SHRINKAGE = 0.5
AT_SHRINKAGE = f" at shrinkage {SHRINKAGE}"
UNFLOORED = " without floor"
WIDTH, PER_CLASS = 512, 16
Predict = Callable[[Tensor], Tensor]


def clipfg_head(name: str, x: Tensor, labels: Tensor, texts: Tensor | None) -> Predict:
    fixed = {"shrinkage": SHRINKAGE} if name.endswith(AT_SHRINKAGE) else {}
    fixed |= {"floor": 0.0} if name.endswith(UNFLOORED) else {}
    plain = name.removesuffix(AT_SHRINKAGE).removesuffix(UNFLOORED)
    head = HEADS.get(plain)(**fixed).fit(x, labels, texts)
    return lambda queries: head.logits(queries).argmax(dim=1)


def sklearn_head(name: str, x: Tensor, labels: Tensor) -> Predict:
    shots = int(torch.bincount(labels).min())
    shrinkage = SHRINKAGE if name.endswith(AT_SHRINKAGE) else "auto"
    model = (
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
        if name.startswith("LDA")
        else LogisticRegression(C=100.0, max_iter=200)
    )
    if name == "logistic" and shots > 1:
        folds = StratifiedKFold(min(3, shots), shuffle=True, random_state=0)
        model = GridSearchCV(model, {"C": [1.0, 10.0, 100.0, 1000.0]}, cv=folds)
    model.fit(x.numpy(), labels.numpy())
    return lambda queries: torch.tensor(model.predict(queries.numpy()))


def cell(predict: Callable[[], Predict], queries: Tensor, truth: Tensor) -> tuple[str, float]:
    start = time.process_time()
    try:
        fitted = predict()
    except (UsageError, ValueError):  # needs texts; scikit-learn's LDA needs two images
        return f"{'-':>13}", 0.0
    seconds = time.process_time() - start
    share = 100 * (fitted(queries) == truth).double().mean().item()
    return f"{share:6.2f} ({seconds:4.1f})", seconds


class Features:
    """Parts of an npz file: unit-norm rows and labels."""

    def __init__(self, path: Path) -> None:
        self.data = np.load(path, allow_pickle=False)
        self.texts = self._rows("text_f") if "text_f" in self.data else None
        self.most = max(shots for shots in SHOTS if f"keys_{shots}" in self.data)
        """Shots of the largest support."""
        self.shots = [shots for shots in SHOTS if shots <= self.most]

    def keys(self, shots: int) -> tuple[Tensor, Tensor]:
        """Of the support that the file holds at `shots`."""
        return self._part(f"keys_{shots}", f"keys_{shots}_l")

    def judged(self, part: str) -> tuple[Tensor, Tensor]:
        """Of `test` or `val`."""
        if f"{part}_f" in self.data:
            return self._part(f"{part}_f", f"{part}_l")
        return self.keys({"val": 1, "test": 2}[part])

    def _part(self, rows: str, labels: str) -> tuple[Tensor, Tensor]:
        return self._rows(rows), torch.tensor(self.data[labels]).long()

    def _rows(self, name: str) -> Tensor:
        return normalize(torch.tensor(self.data[name].astype(np.float32)), dim=1)


def fit(name: str, x: Tensor, labels: Tensor, texts: Tensor | None = None) -> Predict:
    theirs = name.removeprefix("scikit-learn ")
    if theirs == name:
        return clipfg_head(name, x, labels, texts)
    return sklearn_head(theirs, x, labels)


def table(path: Path, heads: list[str], part: str) -> None:
    features = Features(path)
    queries, truth = features.judged(part)
    print(f"\n{path.stem}: {len(truth)} {part} images\n")
    print(
        f"{'head':28}"
        + "".join(f"{shots:>10}-shot" for shots in features.shots)
        + f"{'seconds':>10}"
    )
    for name in heads:
        supports = [(*features.keys(shots), features.texts) for shots in features.shots]
        cells = [cell(partial(fit, name, *support), queries, truth) for support in supports]
        total = sum(seconds for _, seconds in cells)
        shown = "  ".join(text for text, _ in cells)
        print(f"{name:28}  {shown}  {total:8.1f}", flush=True)


def draws_of(labels: Tensor, shots: int, most: int, draws: int) -> Iterator[NDArray[np.intp]]:
    """Positions of supports, `draws` of them or the one there is; disjoint within a seed."""
    disjoint = most // shots
    places = draw_supports(labels.numpy(), range(-(-draws // disjoint))).places
    for draw in range(draws if disjoint > 1 else 1):
        seed, window = divmod(draw, disjoint)
        yield np.flatnonzero(places[seed] // shots == window)


def table_of_draws(path: Path, heads: list[str], part: str, draws: int) -> None:
    features = Features(path)
    (x, labels), (queries, truth) = features.keys(features.most), features.judged(part)
    print(f"\n{path.stem}: {len(truth)} {part} images, {draws} draws\n")
    print("| head | " + " | ".join(map(str, features.shots)) + " |")
    print("|---|" + "--:|" * len(features.shots))
    hits: dict[tuple[str, int], NDArray[np.bool_]] = {}
    for name in dict.fromkeys(["auto", *heads]):
        cells = []
        for shots in features.shots:
            rows = draws_of(labels, shots, features.most, draws)
            try:
                texts = features.texts
                found = [fit(name, x[own], labels[own], texts)(queries) == truth for own in rows]
            except (UsageError, ValueError):  # as in `cell`
                cells.append("–")
                continue
            hits[name, shots] = torch.stack(found).numpy()
            text = f"{100 * hits[name, shots].mean():.2f}"
            if name != "auto":
                off = difference_over(hits["auto", shots], hits[name, shots]).estimate
                text += f" ({100 * off.value:+.2f} ±{50 * (off.high - off.low):.2f})"
            cells.append(text)
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def drawn(classes: int) -> tuple[Tensor, Tensor]:
    """16 images a class: class means and spread within classes with spectra of power laws."""
    generator = torch.Generator().manual_seed(0)
    falling = torch.arange(1, WIDTH + 1, dtype=torch.float32).rsqrt()
    labels = torch.arange(classes).repeat_interleave(PER_CLASS)
    means = torch.randn(classes, WIDTH, generator=generator) * falling
    x = torch.randn(len(labels), WIDTH, generator=generator) * falling.sqrt() * 0.5
    x += means[labels] + 2 * falling[0]  # the narrow cone
    return normalize(x, dim=1), labels


def needed(name: str, classes: int) -> float:
    """GiB that a fit holds at its peak beside the features, roughly."""
    n, judged = classes * PER_CLASS, min(4096, classes * PER_CLASS)
    cells = {
        "tip-adapter": 3 * judged * n,
        "tip-adapter-f": 3 * judged * n,
        "ape": 3 * judged * n,
        "ape-t": 3 * judged * n,
        "kernel-ridge": 3 * n * n,
        "lp++": 5 * n * classes,
        "linear-probe": 4 * n * classes,
        "scikit-learn logistic": 6 * n * classes,
    }
    return cells.get(name, 3 * n * WIDTH) * 4 / 2**30


def grow(name: str, classes: int, memory: float) -> str:
    """Seconds and GiB of a fit in a process of its own."""
    if (wanted := needed(name, classes)) > memory:
        return f"{wanted:,.0f} GiB needed"
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        seconds, peak = pool.submit(measure, name, classes).result()
    return f"{seconds:,.1f} s {peak:.1f} GiB"


def measure(name: str, classes: int) -> tuple[float, float]:
    x, labels = drawn(classes)
    start = time.process_time()
    fit(name, x, labels)
    seconds = time.process_time() - start
    return seconds, getrusage(RUSAGE_SELF).ru_maxrss / 2**20


def growth(names: list[str], sizes: list[int], memory: float) -> None:
    print("| head | " + " | ".join(f"{size:,} classes" for size in sizes) + " |")
    print("|---|" + "--:|" * len(sizes))
    for name in names:
        print(f"| {name} | ", end="", flush=True)
        for size in sizes:
            print(grow(name, size, memory), end=" | ", flush=True)
        print()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, nargs="+", help="folders of npz files")
    parser.add_argument(
        "--draws", type=int, help="of supports from the largest; without, one is given"
    )
    parser.add_argument("--part", default="test", choices=("test", "val"), help="to judge by")
    parser.add_argument("--growth", action="store_true", help="seconds and memory by classes")
    parser.add_argument("--classes", default="100,1000,10000", help="of --growth")
    parser.add_argument("--memory", type=float, default=4.0, help="GiB that a fit may take")
    parser.add_argument("--heads", help="names with commas between; all without")
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", message="The number of unique classes")  # one or two shots
    names = [name for name in HEADS if not HEADS.get(name).needs_encoder] + [*THEIRS]
    names = given.heads.split(",") if given.heads else names
    if given.growth:
        names = [name for name in names if name not in HEADS or not HEADS.get(name).needs_texts]
        if not given.heads:
            names += [f"{name}{AT_SHRINKAGE}" for name in ("gda", THEIRS[0])]
        growth(names, [int(size) for size in given.classes.split(",")], given.memory)
        return
    if given.features is None:
        parser.error("Expected --features FOLDER or --growth.")
    for path in sorted(path for folder in given.features for path in folder.glob("*.npz")):
        if given.draws:
            table_of_draws(path, names, given.part, given.draws)
        else:
            table(path, names, given.part)


if __name__ == "__main__":
    main()
