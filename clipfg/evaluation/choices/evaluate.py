"""From answers to a report: rank-1 by subset, or the three scores of pairs."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from clipfg.errors import DataError
from clipfg.evaluation.choices.answers import Answer, Scores, by_length, ties, wins
from clipfg.evaluation.choices.report import ALL, ChoiceReport, ChoiceRow
from clipfg.evaluation.statistics.clustered import clustered_mean

Pair = tuple[Answer, Answer]
Item = TypeVar("Item")


def evaluate(
    answers: Sequence[Answer],
    seed: int = 0,
    context: Mapping[str, str] | None = None,
    remarks: Sequence[str] = (),
) -> ChoiceReport:
    """The report on answers, which are all of pairs or none is.

    A pair of which one answer is missing is left out. Intervals are of a bootstrap over images, or
    over pairs. Raises `DataError` where nothing is left to score.
    """
    if any(answer.choice.pair for answer in answers):
        pairs = _pairs(answers)
        n = 2 * len(pairs)
        parts = _by_subset(pairs, lambda pair: pair[0].choice.subset)
        table = [row for name, part in parts.items() for row in _pair_rows(name, part, seed)]
    else:
        n = len(answers)
        singles = _by_subset(answers, lambda answer: answer.choice.subset)
        table = [_rank_1(name, part, seed) for name, part in singles.items()]
    if not table:
        raise DataError("Expected items whose image can be used, got none.")
    return ChoiceReport(n, tuple(table), dict(context or {}), tuple(remarks))


def _by_subset(items: Sequence[Item], subset: Callable[[Item], str]) -> dict[str, list[Item]]:
    """The items of each subset, and all of them where there are several."""
    parts: dict[str, list[Item]] = {}
    for item in items:
        parts.setdefault(subset(item), []).append(item)
    return parts | ({ALL: list(items)} if len(parts) > 1 else {})


def _rank_1(subset: str, answers: Sequence[Answer], seed: int) -> ChoiceRow:
    images = [answer.choice.image for answer in answers]
    texts = [answer.choice.texts for answer in answers]
    hits = np.array([wins(answer.scores) for answer in answers], np.float64)
    blind = np.array([wins(answer.blind) for answer in answers], np.float64)
    by_lengths = [
        np.mean([by_length(t, longest=longest) for t in texts]) for longest in (True, False)
    ]
    return ChoiceRow(
        subset=subset,
        measure="rank-1",
        n=len(answers),
        images=len(set(images)),
        accuracy=clustered_mean(hits, images, seed),
        chance=float(np.mean([1 / len(each) for each in texts])),
        ties=sum(ties(answer.scores) for answer in answers),
        blind=float(blind.mean()),
        gain=clustered_mean(hits - blind, images, seed, least=-1.0),
        by_length=float(max(by_lengths)),
    )


def _pairs(answers: Sequence[Answer]) -> list[Pair]:
    found: dict[str, list[Answer]] = {}
    for answer in answers:
        found.setdefault(answer.choice.pair, []).append(answer)
    return [(pair[0], pair[1]) for pair in found.values() if len(pair) == 2]


def _pair_rows(subset: str, pairs: Sequence[Pair], seed: int) -> list[ChoiceRow]:
    """Text, image and group score (Thrush et al. 2022, equations 1 to 3)."""
    names = [one.choice.pair for one, _ in pairs]
    images = {answer.choice.image for pair in pairs for answer in pair}
    text = [(one.scores, other.scores) for one, other in pairs]
    image = [tuple(_across(one, other)) for one, other in pairs]
    group = [(*a, *b) for a, b in zip(text, image, strict=True)]
    rows = []
    for measure, contests, chance in (
        ("text", text, 1 / 4),
        ("image", image, 1 / 4),
        ("group", group, 1 / 6),
    ):
        hits = np.array([all(map(wins, each)) for each in contests], np.float64)
        rows.append(
            ChoiceRow(
                subset=subset,
                measure=measure,
                n=len(pairs),
                images=len(images),
                accuracy=clustered_mean(hits, names, seed),
                chance=chance,
                ties=sum(any(map(ties, each)) for each in contests),
            )
        )
    return rows


def _across(one: Answer, other: Answer) -> list[Scores]:
    """For the true text of each, its score with its own image and with the other's."""
    return [
        np.array([one.scores[0], other.scores[1]]),
        np.array([other.scores[0], one.scores[1]]),
    ]
