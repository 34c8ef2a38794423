"""What `clipfg lint` finds of faults planted in real data, and what simpler checks find of them.

    python -m benchmarks.lint labels --features ../shared/data/clip-features/caltech101.npz
    python -m benchmarks.lint labels --dataset DATA --model MODEL
    python -m benchmarks.lint copies --dataset DATA --model MODEL
    python -m benchmarks.lint outliers --dataset DATA --others OTHER --model MODEL

`labels`: 5 % of the labels are replaced, by any other class or by one of the three whose means are
nearest. `copies`: edited copies of 100 images. `outliers`: 1 % images of another data set.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor

import clipfg
from benchmarks.lint_copies import EDITS
from clipfg.data.images.decoding import decode
from clipfg.data.loading import load_dataset
from clipfg.data.sources import read
from clipfg.embedding.feature_files import read_features
from clipfg.embedding.near_copies import PAIRS, SAME
from clipfg.functional.neighbours import nearest_neighbours
from clipfg.functional.similarity import unit_norm
from clipfg.heads.held_out import CrossFit
from clipfg.heads.support import Support
from clipfg.heads.whitened_mean import WhitenedMean
from clipfg.quality.confident_learning import confident_learning
from clipfg.quality.image_similarity import likeness, sketch
from clipfg.quality.outliers import outliers
from clipfg.types import Features
from clipfg.workflows.lint.checks import NEIGHBOURS
from clipfg.workflows.lint.labels import LIKELY

SHARE = 0.05


def features_of(given: argparse.Namespace, data: str | None = None) -> Features:
    if given.features and data is None:
        return read_features(given.features)
    options = {"model": given.model, "precision": "fp32", "cache_dir": given.cache_dir}
    return clipfg.embed(data or given.dataset, **{k: v for k, v in options.items() if v})


def labels(given: argparse.Namespace) -> None:
    data = features_of(given)
    x = torch.from_numpy(data.pooled)
    present, truth = torch.unique(torch.from_numpy(data.labels), return_inverse=True)
    print(f"{len(x):,} images, {len(present)} classes; precision / recall, in per cent\n")
    columns = ("check", "flagged", "precision", "recall", "average precision")
    print(f"{'wrong label':12} {columns[0]:34}" + "".join(f"{c:>18}" for c in columns[1:]))
    for kind in ("any class", "alike class"):
        wrong = plant(x, truth, kind)
        bad = wrong != truth
        for name, (flags, scores) in checks(x, wrong).items():
            hits = int((flags & bad).sum())
            precision, recall = hits / max(int(flags.sum()), 1), hits / int(bad.sum())
            area = average_precision_score(bad, scores)
            print(
                f"{kind:12} {name:34}{int(flags.sum()):18,}{precision:18.1%}{recall:18.1%}"
                f"{area:18.3f}"
            )


def plant(x: Tensor, truth: Tensor, kind: str) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    classes = int(truth.max()) + 1
    rows = torch.randperm(len(x), generator=generator)[: int(SHARE * len(x))]
    wrong = truth.clone()
    if kind == "any class":
        step = torch.randint(1, classes, (len(rows),), generator=generator)
        wrong[rows] = (truth[rows] + step) % classes
        return wrong
    means = unit_norm(torch.zeros(classes, x.shape[1]).index_add_(0, truth, x))
    alike = (means @ means.T).fill_diagonal_(-1).topk(3).indices
    wrong[rows] = alike[truth[rows], torch.randint(3, (len(rows),), generator=generator)]
    return wrong


def checks(x: Tensor, given: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Each check's flags and scores: what `clipfg lint` does, its parts, and neighbours' votes."""
    support = Support.of("lint", x, given, None)
    fitted = CrossFit.of(WhitenedMean().fit(x, given), support, 0)
    odds = (fitted.factor * fitted.logits).softmax(dim=1)
    doubts = confident_learning([odds], given, support.classes)
    doubt = 1 - doubts.confidence
    lowest = torch.zeros(len(x), dtype=torch.bool)
    lowest[doubt.argsort(descending=True)[: int(SHARE * len(x))]] = True
    confident = odds >= odds.new_tensor(
        [float(odds[given == k, k].mean()) for k in range(odds.shape[1])]
    )
    likeliest = odds.masked_fill(~confident, -1).argmax(dim=1)
    off = confident.any(dim=1) & (likeliest != given)
    margin = odds.gather(1, likeliest[:, None]).flatten() - doubts.confidence
    by_class = _worst_of_each_class(doubts.suggested != given, doubt, given, off)
    found = {
        "clipfg lint": (doubts.suspects & (odds.amax(dim=1) >= LIKELY), doubt),
        "the same, however unsure": (doubts.suspects, doubt),
        "confident learning, by class": (by_class, doubt),
        "confident learning, off-diagonals": (off, margin + off.float() * 2),
        "lowest 5 % of self-confidence": (lowest, doubt),
        "prediction is not the label": (doubts.suggested != given, doubt),
    }
    _, neighbours = nearest_neighbours(x, 20)
    for k in (5, 20):
        against = (given[neighbours[:, :k]] != given[:, None]).float().mean(dim=1)
        found[f"most of {k} neighbours disagree"] = (against > 0.5, against)
    return found


def _worst_of_each_class(doubted: Tensor, doubt: Tensor, given: Tensor, off: Tensor) -> Tensor:
    """As many of each class as lie off the diagonal, those of the least self-confidence."""
    flags = torch.zeros(len(given), dtype=torch.bool)
    for label in given.unique():
        rows = ((given == label) & doubted).nonzero().flatten()
        count = int((off & (given == label)).sum())
        flags[rows[doubt[rows].argsort(descending=True)[:count]]] = True
    return flags


def copies(given: argparse.Namespace) -> None:
    data = features_of(given)
    manifest = load_dataset(given.dataset)
    uris = dict(zip(manifest.ids, manifest.uris, strict=True))
    x = torch.from_numpy(data.pooled)
    chosen = np.random.default_rng(0).choice(len(x), 100, replace=False)
    images = {int(i): decode(read(uris[data.ids[i]])) for i in chosen}
    sketches = {i: sketch(image) for i, image in images.items()}
    cosines, _ = nearest_neighbours(x, NEIGHBOURS)
    values = torch.unique(cosines.flatten()).flip(0)
    gate = float(values[min(PAIRS + len(x) // 10, len(values) - 1)])
    print(f"{len(x):,} images; the pairs looked at have a cosine of {gate:.3f} or more\n")
    print(f"{'edit':22}{'cosine, 5 % to median':>24}{'likeness, least':>18}{'found':>8}")
    for name, edit in EDITS.items():
        with tempfile.TemporaryDirectory() as folder:
            edited = {i: edit(image) for i, image in images.items()}
            for i, image in edited.items():
                image.save(Path(folder) / f"{i}.png")
            made = features_of(given, folder)
        near = {int(Path(id).stem): row for id, row in zip(made.ids, made.pooled, strict=True)}
        cosine = np.array([float(data.pooled[i] @ near[i]) for i in images])
        alike = np.array([likeness(sketches[i], sketch(edited[i])) for i in images])
        found = ((cosine >= gate) & (alike >= SAME)).mean()
        low, middle = np.quantile(cosine, [0.05, 0.5])
        print(f"{name:22}{low:15.3f} – {middle:.3f}{alike.min():18.3f}{found:8.0%}", flush=True)


def outside(given: argparse.Namespace) -> None:
    data, others = features_of(given), features_of(given, given.others)
    x, y = torch.from_numpy(data.pooled), torch.from_numpy(others.pooled)
    y = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))[: len(x) // 100]]
    cosines, _ = nearest_neighbours(torch.cat([x, y]), NEIGHBOURS)
    found = outliers(cosines)
    bad = torch.arange(len(x) + len(y)) >= len(x)
    hits = int((found.far & bad).sum())
    print(
        f"{len(y)} others among {len(x):,}: flagged {int(found.far.sum())}, of them {hits} others;"
        f" ROC area {roc_auc_score(bad, found.distances):.3f}, average precision"
        f" {average_precision_score(bad, found.distances):.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("labels", "copies", "outliers"))
    parser.add_argument("--features", type=Path)
    parser.add_argument("--dataset")
    parser.add_argument("--others")
    parser.add_argument("--model")
    parser.add_argument("--cache-dir")
    given = parser.parse_args()
    {"labels": labels, "copies": copies, "outliers": outside}[given.what](given)


if __name__ == "__main__":
    main()
