"""Every few-shot head on features of real pictures, beside scikit-learn's own classifiers.

    python -m benchmarks.fewshot --features ../shared/data/clip-features

Each npz holds supports `keys_K` with labels `keys_K_l` and a test set `test_f`, `test_l`. Cells are
top-1 accuracy in percent and, in brackets, seconds of processor time to fit, choices included; the
last column is their sum.

    python -m benchmarks.fewshot --growth [--classes 100,1000,10000] [--memory 4]

Drawn features of 16 pictures a class, 512 wide, whose spread falls off as that of CLIP's: seconds
of processor time to fit and the most memory in use, a process for each. What would need more than
`--memory` GiB is skipped, with what it would need. `gda` and scikit-learn's LDA come once more at
the same fixed shrinkage, where both are one model. The table is Markdown.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import numpy as np
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.errors import UsageError
from clipfg.heads import HEADS

SHOTS = (1, 2, 4, 8, 16)
THEIRS = ("scikit-learn LDA", "scikit-learn logistic")
SHRINKAGE = 0.5
AT_SHRINKAGE = f" at shrinkage {SHRINKAGE}"
WIDTH, PER_CLASS = 512, 16
Predict = Callable[[Tensor], Tensor]


def clipfg_head(name: str, x: Tensor, labels: Tensor) -> Predict:
    fixed = {"shrinkage": SHRINKAGE} if name.endswith(AT_SHRINKAGE) else {}
    head = HEADS.get(name.removesuffix(AT_SHRINKAGE))(**fixed).fit(x, labels)
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
    except (UsageError, ValueError):  # needs texts; scikit-learn's LDA needs two pictures
        return f"{'-':>13}", 0.0
    seconds = time.process_time() - start
    share = 100 * (fitted(queries) == truth).double().mean().item()
    return f"{share:6.2f} ({seconds:4.1f})", seconds


def table(path: Path, heads: list[str]) -> None:
    data = np.load(path, allow_pickle=False)

    def rows(name: str) -> Tensor:
        return normalize(torch.tensor(data[name].astype(np.float32)), dim=1)

    queries, truth = rows("test_f"), torch.tensor(data["test_l"])
    print(f"\n{path.stem}: {len(truth)} test pictures\n")
    print(f"{'head':28}" + "".join(f"{shots:>10}-shot" for shots in SHOTS) + f"{'seconds':>10}")
    for name in heads:
        theirs = name.removeprefix("scikit-learn ")
        fit = clipfg_head if theirs == name else sklearn_head
        cells = []
        for shots in SHOTS:
            x, labels = rows(f"keys_{shots}"), torch.tensor(data[f"keys_{shots}_l"])
            cells.append(
                cell(lambda x=x, labels=labels: fit(theirs, x, labels), queries, truth)  # noqa: B023
            )
        total = sum(seconds for _, seconds in cells)
        shown = "  ".join(text for text, _ in cells)
        print(f"{name:28}  {shown}  {total:8.1f}", flush=True)


def drawn(classes: int) -> tuple[Tensor, Tensor]:
    """16 pictures a class: class means and spread within classes with spectra of power laws."""
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
        "knn": 2 * n / 5 * n,
        "tip-adapter": 3 * judged * n,
        "tip-adapter-f": 3 * judged * n,
        "ape": 3 * judged * n,
        "ape-t": 3 * judged * n,
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
    theirs = name.removeprefix("scikit-learn ")
    start = time.process_time()
    (clipfg_head if theirs == name else sklearn_head)(theirs, x, labels)
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
    parser.add_argument("--features", type=Path, help="a folder of npz files")
    parser.add_argument("--growth", action="store_true", help="seconds and memory by classes")
    parser.add_argument("--classes", default="100,1000,10000", help="of --growth")
    parser.add_argument("--memory", type=float, default=4.0, help="GiB that a fit may take")
    parser.add_argument("--heads", help="names with commas between; all without")
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    names = [*HEADS, *THEIRS]
    names = given.heads.split(",") if given.heads else names
    if given.growth:
        names = [name for name in names if name not in HEADS or not HEADS.get(name).needs_texts]
        if not given.heads:
            names += [f"{name}{AT_SHRINKAGE}" for name in ("gda", THEIRS[0])]
        growth(names, [int(size) for size in given.classes.split(",")], given.memory)
        return
    if given.features is None:
        parser.error("Expected --features FOLDER or --growth.")
    for path in sorted(given.features.glob("*.npz")):
        table(path, names)


if __name__ == "__main__":
    main()
