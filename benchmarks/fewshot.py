"""Every few-shot head on features of real pictures, beside scikit-learn's own classifiers.

    python -m benchmarks.fewshot --features ../shared/data/clip-features

Each npz holds supports `keys_K` with labels `keys_K_l` and a test set `test_f`, `test_l`. Cells are
top-1 accuracy in percent and, in brackets, seconds of processor time to fit, choices included.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

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
Predict = Callable[[Tensor], Tensor]


def clipfg_head(name: str, x: Tensor, labels: Tensor) -> Predict:
    head = HEADS.get(name)().fit(x, labels)
    return lambda queries: head.logits(queries).argmax(dim=1)


def sklearn_head(name: str, x: Tensor, labels: Tensor) -> Predict:
    shots = int(torch.bincount(labels).min())
    model = (
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        if name == "LDA"
        else LogisticRegression(C=100.0, max_iter=200)
    )
    if name == "logistic" and shots > 1:
        folds = StratifiedKFold(min(3, shots), shuffle=True, random_state=0)
        model = GridSearchCV(model, {"C": [1.0, 10.0, 100.0, 1000.0]}, cv=folds)
    model.fit(x.numpy(), labels.numpy())
    return lambda queries: torch.tensor(model.predict(queries.numpy()))


def cell(predict: Callable[[], Predict], queries: Tensor, truth: Tensor) -> str:
    start = time.process_time()
    try:
        fitted = predict()
    except (UsageError, ValueError):  # needs texts; scikit-learn's LDA needs two pictures
        return f"{'-':>13}"
    seconds = time.process_time() - start
    share = 100 * (fitted(queries) == truth).double().mean().item()
    return f"{share:6.2f} ({seconds:4.1f})"


def table(path: Path, heads: list[str]) -> None:
    data = np.load(path, allow_pickle=False)

    def rows(name: str) -> Tensor:
        return normalize(torch.tensor(data[name].astype(np.float32)), dim=1)

    queries, truth = rows("test_f"), torch.tensor(data["test_l"])
    print(f"\n{path.stem}: {len(truth)} test pictures\n")
    print(f"{'head':28}" + "".join(f"{shots:>10}-shot" for shots in SHOTS))
    for name in heads:
        theirs = name.removeprefix("scikit-learn ")
        fit = clipfg_head if theirs == name else sklearn_head
        cells = []
        for shots in SHOTS:
            x, labels = rows(f"keys_{shots}"), torch.tensor(data[f"keys_{shots}_l"])
            cells.append(
                cell(lambda x=x, labels=labels: fit(theirs, x, labels), queries, truth)  # noqa: B023
            )
        print(f"{name:28}  " + "  ".join(cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, required=True, help="a folder of npz files")
    parser.add_argument("--heads", help="names with commas between; all without")
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    names = [*HEADS, "scikit-learn LDA", "scikit-learn logistic"]
    names = given.heads.split(",") if given.heads else names
    for path in sorted(given.features.glob("*.npz")):
        table(path, names)


if __name__ == "__main__":
    main()
