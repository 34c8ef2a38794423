"""How often guarantees that hold are called broken, and how often a real gap is noticed.

    python -m benchmarks.verdicts --features ../shared/data/clip-features/fgvc.npz

A head learns from the support of an npz (as in `benchmarks.confidence`); the other images are split
at random, some to calibrate it and 3,000 to test it, so that every guarantee holds. A gap is made
by sets of a lower level than is judged, and by more flags than are. "By the test set alone" calls
a guarantee broken where it lies outside of the test set's 95 % interval.
"""

import argparse
from pathlib import Path

import torch

from benchmarks.confidence import by_split, read
from clipfg.confidence import AnswerColumns, AnswerOptions
from clipfg.evaluation.reliability import measures
from clipfg.evaluation.statistics.intervals import proportion
from clipfg.evaluation.statistics.tolerance import least_coverage, most_errors
from clipfg.functional.conformal import lac_scores
from clipfg.functional.novelty import FALSE_ALARMS
from clipfg.types import ClassList

TESTED = 3_000
LEVEL = 0.9
GAP = 0.08


def verdicts(split, target: float) -> dict[str, tuple[bool, bool]]:  # type: ignore[no-untyped-def]
    """Whether each guarantee is called broken: by the test set alone, and by clipfg."""
    test = split.test.rows(torch.arange(TESTED))
    labels, known = test.labels, split.confidence
    logits = split.head.logits(test.x)
    shares = known.calibrated(logits).softmax(dim=1)
    scores, n = lac_scores(shares), len(known)
    found = {}
    for name, level in (("sets", LEVEL), ("sets, a gap of 8 points", LEVEL - GAP)):
        inside = scores <= known.quantile(level)
        covered = int(inside.gather(1, labels[:, None]).sum())
        alone = proportion(covered, TESTED).high < LEVEL
        found[name] = alone, covered / TESTED < least_coverage(LEVEL, [n], [TESTED])
    counts = torch.bincount(known.labels, minlength=shares.shape[1])
    inside = scores <= known.quantiles(LEVEL)
    names = tuple(map(str, range(shares.shape[1])))
    each = measures.prediction_sets(inside, labels, names, LEVEL, True, counts)
    found["sets of each class"] = each.coverage.high < LEVEL, each.guaranteed < each.least
    detector = known.ood
    familiar = detector.familiarity(known.calibrated(logits), test.x)
    most = 1 - least_coverage(1 - FALSE_ALARMS, [len(detector.known)], [TESTED])
    for name, share in (("unknowns", FALSE_ALARMS), ("unknowns, a gap of 8 points", 0.13)):
        flagged = int((familiar <= share).sum())
        alone = proportion(flagged, TESTED).low > FALSE_ALARMS
        found[name] = alone, flagged / TESTED > most + 1e-9
    answers = AnswerColumns(AnswerOptions(target_error=target), ClassList(names), known)
    answered = answers.answered(shares)
    hits = logits.argmax(dim=1) == labels
    count, wrong = int(answered.sum()), int((answered & ~hits).sum())
    if count:
        alone = proportion(wrong, count).low > target
        found[f"error of {target:.0%}"] = alone, wrong / count > most_errors(target, count)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--head", default="gda")
    parser.add_argument("--target", type=float, default=0.3)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--calibrating", default="100,300,1000,3000", help="images")
    given = parser.parse_args()
    parts = read(given.features)
    print(f"{'calibration images':20}{'guarantee':30}{'test set alone':>16}{'clipfg':>10}")
    for n in map(int, given.calibrating.split(",")):
        rows = [verdicts(x, given.target) for x in by_split(given.head, parts, given.splits, n)]
        for name in rows[0] | rows[-1]:
            own = [row[name] for row in rows if name in row]
            alone, both = (sum(x) / len(rows) for x in zip(*own, strict=True))
            print(f"{n:<20,}{name:30}{alone:16.1%}{both:10.1%}", flush=True)


if __name__ == "__main__":
    main()
