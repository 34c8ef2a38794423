"""Whether what is guaranteed of answers holds, over random splits of features of real images.

    python -m benchmarks.confidence --features ../shared/data/clip-features

Each npz holds a support `keys_16`, `keys_16_l` (16 being `--shots`) and images `val_f`, `val_l`,
`test_f`, `test_l`.

`split`: one head learns from the support; a random part of the other images calibrates it, the
rest tests it. `folds`: a random support of `--shots` images of each class is drawn from all and
calibrates by its own folds; as many others of each class as the smallest has left test it, drawn as
the support is. "As it comes" says what all the others show, where classes are as common as they are
in the data set and not in the support. `official`: the support's folds calibrate, the test split
tests: what is left of a guarantee where support and test images are not drawn alike.

`shifted`: the official test split again, with what might mend sets at 0.9: quantiles weighted by
density ratios of the unlabelled test images, which a logistic regression finds from probabilities,
from the cosine with the nearest support image, or from features; and folds in which images of a
class stay together that are alike by so much.

Coverage "inside" counts the splits whose coverage lies in the central 95 % of what exact split
conformal prediction gives (a beta-binomial); "broken" those whose error among the answered
exceeds the target, of which one in ten may. Test sets are finite: both judge by what they show. An
oracle's threshold is the most lenient that keeps the target on the test images themselves.
"""

import argparse
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import betabinom
from torch import Tensor

from benchmarks.confidence_contenders import (
    alike,
    aps_scores,
    density_ratios,
    fit_vector,
    weighted_quantiles,
)
from clipfg.confidence import AnswerColumns, AnswerOptions, Confidence
from clipfg.confidence.temperature_extrapolation import FOLDS
from clipfg.evaluation.reliability import measures
from clipfg.evaluation.reliability.reliability import CalibrationResult
from clipfg.functional.conformal import conformal_quantile
from clipfg.functional.novelty import FALSE_ALARMS
from clipfg.functional.selective import risk_coverage
from clipfg.functional.similarity import unit_norm
from clipfg.heads import HEADS, Head
from clipfg.heads.held_out import CrossFit
from clipfg.heads.support import Support
from clipfg.types import ClassList

TARGETS = (0.02, 0.05, 0.1, 0.3)
LEVELS = (0.8, 0.9, 0.95)
RAPS = {"penalty": 0.01, "free": 5}
TIE = 0.001
"""Penalty of vector scaling."""


@dataclass(frozen=True)
class Images:
    """Features and labels."""

    x: Tensor
    labels: Tensor

    def rows(self, which: Tensor) -> "Images":
        """Those at some positions."""
        return Images(self.x[which], self.labels[which])

    def __add__(self, other: "Images") -> "Images":
        return Images(torch.cat([self.x, other.x]), torch.cat([self.labels, other.labels]))


def read(path: Path, shots: int = 16) -> tuple[Images, Images, Images]:
    """Support, validation and test images."""
    data = np.load(path, allow_pickle=False)

    def part(features: str, labels: str) -> Images:
        x = unit_norm(torch.tensor(data[features].astype(np.float32)))
        return Images(x, torch.tensor(data[labels]).long())

    return (
        part(f"keys_{shots}", f"keys_{shots}_l"),
        part("val_f", "val_l"),
        part("test_f", "test_l"),
    )


@dataclass(frozen=True)
class Split:
    """A head and its confidence, and images that neither has seen."""

    head: Head
    confidence: Confidence
    held: Tensor
    """Logits of the calibration images, for comparisons; empty where folds calibrate."""
    test: Images
    rest: Images | None = None
    """All that are left, where `test` has as many of each class."""


def fitted(name: str, images: Images, classes: int) -> tuple[Head, Support]:
    head = HEADS.get(name)().fit(images.x, images.labels)
    return head, Support(images.x, images.labels, classes)


def by_split(name: str, parts: tuple[Images, ...], splits: int, n: int) -> Iterator[Split]:
    support, pool = parts[0], parts[1] + parts[2]
    classes = int(support.labels.max()) + 1
    head, own = fitted(name, support, classes)
    for seed in range(splits):
        order = torch.randperm(len(pool.x), generator=torch.Generator().manual_seed(seed))
        held, test = pool.rows(order[:n]), pool.rows(order[n:])
        calibration = Support(held.x, held.labels, classes)
        confidence = Confidence.fit(head, own, calibration, source="split", unknown=True)
        yield Split(head, confidence, head.logits(held.x), test)


def by_folds(name: str, parts: tuple[Images, ...], splits: int, shots: int) -> Iterator[Split]:
    pool = parts[0] + parts[1] + parts[2]
    classes = int(pool.labels.max()) + 1
    fewest = int(torch.bincount(pool.labels).min())
    for seed in range(splits):
        order = torch.randperm(len(pool.x), generator=torch.Generator().manual_seed(seed))
        own = [order[pool.labels[order] == k] for k in range(classes)]
        given = torch.cat([rows[:shots] for rows in own])
        test = torch.cat([rows[shots:fewest] for rows in own])
        rest = torch.cat([rows[shots:] for rows in own])
        head, support = fitted(name, pool.rows(given), classes)
        confidence = Confidence.fit(head, support, seed=seed, unknown=True)
        yield Split(head, confidence, support.features[:0], pool.rows(test), pool.rows(rest))


def official(name: str, parts: tuple[Images, ...]) -> Iterator[Split]:
    head, support = fitted(name, parts[0], int(parts[0].labels.max()) + 1)
    confidence = Confidence.fit(head, support, unknown=True)
    yield Split(head, confidence, support.features[:0], parts[2])


def shifted(name: str, parts: tuple[Images, ...], level: float = 0.9) -> None:
    """Prints coverage and classes in a set, by what is done about the shift."""
    support, test = parts[0], parts[2]
    head, own = fitted(name, support, int(support.labels.max()) + 1)
    plain = Confidence.fit(head, own)
    shares = plain.calibrated(head.logits(test.x)).softmax(dim=1).double()

    def line(what: str, quantiles: Tensor) -> None:
        inside = 1 - shares <= quantiles[:, None]
        covered = inside.gather(1, test.labels[:, None]).double().mean()
        size = inside.sum(dim=1).double().mean()
        print(f"  {what:34} coverage {100 * covered:5.1f} %, {size:6.2f} classes", flush=True)

    everywhere = torch.ones(len(test.x), dtype=torch.double)
    line("as it is", plain.quantile(level) * everywhere)
    fits = CrossFit.of(head, own, 0, FOLDS)
    held = (fits.factor * fits.logits).softmax(dim=1).double()
    nearest = [(fold.items.features @ fold.train.features.T).amax(dim=1) for fold in fits.folds]
    near = torch.cat(nearest)[fits.order.argsort()]
    theirs = (test.x @ support.x.T).amax(dim=1)
    print(f"  nearest support image: cosine {near.mean():.3f} held out, {theirs.mean():.3f} tests")
    sides = {
        "probabilities": (confident(held), confident(shares), 1.0),
        "nearest image": (near[:, None], theirs[:, None], 1.0),
        "features": (support.x[fits.order.sort().values], test.x, 100.0),
    }
    for what, (before, after, penalty) in sides.items():
        weights, own_weights = density_ratios(before, after, penalty)
        found = weighted_quantiles(1 - plain.own.double(), weights, own_weights, level)
        line(f"weighted by {what}", torch.from_numpy(found))
    for cosine in (0.97, 0.95, 0.93, 0.91):
        groups = alike(support.x, support.labels, cosine)
        together = Confidence.fit(
            head, Support(support.x, support.labels, own.classes, None, groups)
        )
        shares = together.calibrated(head.logits(test.x)).softmax(dim=1).double()
        line(f"together from cosine {cosine}", together.quantile(level) * everywhere)


def confident(shares: Tensor) -> Tensor:
    """What a classifier of certainty sees: the logits of the three largest, and the entropy."""
    entropy = -(shares * shares.clamp_min(1e-12).log()).sum(dim=1, keepdim=True)
    return torch.cat([shares.topk(3, dim=1).values.clamp(1e-6, 1 - 1e-6).logit(), entropy], dim=1)


def figures(split: Split, seed: int) -> dict[str, float]:
    """Everything that one split shows, by name."""
    labels, confidence = split.test.labels, split.confidence
    logits = split.head.logits(split.test.x)
    calibrated = confidence.calibrated(logits)
    shares = calibrated.softmax(dim=1)
    hits = logits.argmax(dim=1) == labels
    found = scaling(split, logits, calibrated)
    classes = ClassList(tuple(map(str, range(logits.shape[1]))))
    for target in TARGETS:
        answered = AnswerColumns(AnswerOptions(target_error=target), classes, confidence).answered(
            shares
        )
        count = int(answered.sum())
        found[f"answered {target}"] = count / len(labels)
        wrong = int((answered & ~hits).sum()) / count if count else math.nan
        found[f"wrong {target}"] = wrong
        found[f"broken {target}"] = float(wrong > target)
        found[f"oracle {target}"] = oracle(shares.amax(dim=1), hits, target)
    for level in LEVELS:
        for each in (False, True):
            inside = AnswerColumns(AnswerOptions(None, level, each), classes, confidence).sets(
                shares
            )
            assert inside is not None
            covered = inside.gather(1, labels[:, None])[:, 0].double()
            tag = f"{'each class' if each else 'all'} {level}"
            found[f"coverage {tag}"] = float(covered.mean())
            found[f"size {tag}"] = float(inside.sum(1).double().mean())
            found[f"lowest {tag}"] = lowest_of_a_class(covered, labels)
        low, high = expected(level, len(confidence), len(labels))
        found[f"inside {level}"] = float(low <= found[f"coverage all {level}"] <= high)
    if split.rest is not None:
        found |= as_it_comes(split, classes)
    if len(split.held):
        found |= other_sets(split, shares, seed)
    detector = confidence.ood
    assert detector is not None
    familiar = detector.familiarity(calibrated, split.test.x)
    found["called unknown"] = float((familiar <= FALSE_ALARMS).double().mean())
    return found | {f"auroc {name}": value for name, value in detector.aurocs.items()}


def oracle(certainty: Tensor, hits: Tensor, target: float) -> float:
    """The largest share that a threshold could answer at the target, if it knew the test labels."""
    curve = risk_coverage(certainty, hits)
    return max(curve.coverage[curve.risk <= target].tolist(), default=0.0)


def as_it_comes(split: Split, classes: ClassList) -> dict[str, float]:
    """Coverage of images whose classes are not as common as the support's."""
    assert split.rest is not None
    shares = split.confidence.calibrated(split.head.logits(split.rest.x)).softmax(dim=1)
    found = {}
    for level in LEVELS:
        inside = AnswerColumns(AnswerOptions(None, level), classes, split.confidence).sets(shares)
        assert inside is not None
        covered = inside.gather(1, split.rest.labels[:, None]).double()
        found[f"coverage as it comes {level}"] = float(covered.mean())
    return found


def scaling(split: Split, logits: Tensor, calibrated: Tensor) -> dict[str, float]:
    """NLL and calibration error before and after."""
    labels = split.test.labels
    scaled: dict[str, CalibrationResult] = {
        "raw": measures.calibration(logits, labels),
        "temperature": measures.calibration(calibrated, labels),
    }
    if len(split.held):
        factors, shifts = fit_vector(split.held, split.confidence.labels, TIE)
        scaled["vector"] = measures.calibration(factors * logits + shifts, labels)
    ece = {f"ECE {name}": own.ece for name, own in scaled.items()}
    return ece | {f"NLL {name}": own.nll for name, own in scaled.items()}


def other_sets(split: Split, shares: Tensor, seed: int) -> dict[str, float]:
    """APS and RAPS with random ties, beside the sets that clipfg makes."""
    generator = torch.Generator().manual_seed(seed)
    labels = split.test.labels
    held = split.confidence.calibrated(split.held).softmax(dim=1)
    found = {}
    for name, options in (("APS", {}), ("RAPS", RAPS)):
        u, v = (torch.rand(len(part), generator=generator) for part in (held, shares))
        own = aps_scores(held, u, **options)  # type: ignore[arg-type]
        own = own.gather(1, split.confidence.labels[:, None])[:, 0]
        inside = aps_scores(shares, v, **options) <= conformal_quantile(own, 0.9)  # type: ignore[arg-type]
        covered = inside.gather(1, labels[:, None])[:, 0].double()
        found[f"coverage {name}"] = float(covered.mean())
        found[f"size {name}"] = float(inside.sum(1).double().mean())
        found[f"lowest {name}"] = lowest_of_a_class(covered, labels)
    return found


def lowest_of_a_class(covered: Tensor, labels: Tensor) -> float:
    counts = torch.bincount(labels)
    enough = counts >= min(20, int(counts.max()))
    return float((torch.bincount(labels, weights=covered) / counts)[enough].min())


def expected(level: float, n: int, m: int) -> tuple[float, float]:
    """The central 95 % of coverage on `m` images after calibration on `n`."""
    rank = math.ceil((n + 1) * level - 1e-9)
    low, high = betabinom.ppf([0.025, 0.975], m, rank, n + 1 - rank)
    return low / m, high / m


def show(title: str, rows: list[dict[str, float]]) -> None:
    print(f"\n{title}, {len(rows)} {'splits' if len(rows) > 1 else 'split'}\n")

    def mean(name: str) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing answered
            return float(np.nanmean([row[name] for row in rows]))

    for kind in ("ECE", "NLL"):
        names = [name for name in rows[0] if name.startswith(kind)]
        print("  " + "   ".join(f"{name} {mean(name):.3f}" for name in names))
    for target in TARGETS:
        broken = sum(row[f"broken {target}"] for row in rows)
        print(
            f"  target error {target:<5} answered {100 * mean(f'answered {target}'):5.1f} %, wrong"
            f" among them {100 * mean(f'wrong {target}'):5.2f} %, broken in {broken:.0f};"
            f" an oracle would answer {100 * mean(f'oracle {target}'):5.1f} %"
        )
    for level in LEVELS:
        inside = sum(row[f"inside {level}"] for row in rows)
        for who in ("all", "each class"):
            tag = f"{who} {level}"
            print(
                f"  sets {tag:16} coverage {100 * mean(f'coverage {tag}'):6.2f} %"
                + (f" (inside in {inside:.0f})" if who == "all" else " " * 15)
                + f", {mean(f'size {tag}'):6.2f} classes, lowest of a class"
                f" {100 * mean(f'lowest {tag}'):5.1f} %"
            )
    if f"coverage as it comes {LEVELS[0]}" in rows[0]:
        print(
            "  sets as it comes     coverage "
            + ", ".join(f"{100 * mean(f'coverage as it comes {x}'):.2f} % at {x}" for x in LEVELS)
        )
    for name in ("APS", "RAPS"):
        if f"size {name}" in rows[0]:
            print(
                f"  {name:4} at 0.9            coverage {100 * mean(f'coverage {name}'):6.2f} %"
                f"{' ' * 15}, {mean(f'size {name}'):6.2f} classes, lowest of a class"
                f" {100 * mean(f'lowest {name}'):5.1f} %"
            )
    scores = [name for name in rows[0] if name.startswith("auroc")]
    print(
        f"  known images called unknown {100 * mean('called unknown'):.1f} %; AUROC of held-out"
        " classes " + ", ".join(f"{name[6:]} {mean(name):.3f}" for name in scores),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, required=True, help="a folder of npz files")
    parser.add_argument("--heads", default="gda,linear-probe", help="names with commas between")
    parser.add_argument("--splits", type=int, default=100)
    parser.add_argument("--calibrating", type=int, default=1000, help="images, where split")
    parser.add_argument("--shots", type=int, default=16, help="of each class in the support")
    parser.add_argument("--kinds", default="split,folds,official", help="with commas between")
    given = parser.parse_args()
    for path in sorted(given.features.glob("*.npz")):
        parts = read(path, given.shots)
        for name in given.heads.split(","):
            runs = {
                "split": by_split(name, parts, given.splits, given.calibrating),
                "folds": by_folds(name, parts, given.splits, given.shots),
                "official": official(name, parts),
            }
            for kind in given.kinds.split(","):
                if kind == "shifted":
                    print(f"\n{path.stem}, {name}, official test split\n")
                    shifted(name, parts)
                    continue
                rows = [figures(split, seed) for seed, split in enumerate(runs[kind])]
                show(f"{path.stem}, {name}, {kind}", rows)


if __name__ == "__main__":
    main()
