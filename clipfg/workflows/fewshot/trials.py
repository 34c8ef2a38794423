"""Training heads on support sets, and predicting images that they were not trained on.

No label of a test set enters this file: predictions come out, and are scored elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from clipfg.heads import Head
from clipfg.heads.items import Items
from clipfg.heads.support import Support
from clipfg.types import Progress
from clipfg.workflows.fewshot.heads import ZERO_SHOT, HeadSet, HeadSpec
from clipfg.workflows.protocol.support_sets import ALL, Shots, SupportDraws


@dataclass(frozen=True)
class Trial:
    """One head at one number of shots: predictions `[s, n]`, a row for each draw.

    `shots` is empty for zero-shot. `seconds` is the mean time of training once, `per_class` the
    mean number of images of a class that it was trained on.
    """

    spec: HeadSpec
    shots: str
    predictions: NDArray[np.int64]
    seconds: float
    per_class: float


_Run = tuple[NDArray[np.int64], float, int]
"""Predictions, seconds of training, images trained on."""


def by_shots(
    heads: HeadSet,
    support: Support,
    draws: SupportDraws,
    shots: Sequence[Shots],
    seeds: Sequence[int],
    pool: Items,
    progress: Progress | None = None,
) -> tuple[list[Trial], Head]:
    """Every head at every number of shots, and the first one at the most, of the first draw."""
    runs: dict[tuple[HeadSpec, str], list[_Run]] = {}
    kept: Head | None = None
    steps = [(each, draw) for each in shots for draw in range(draws.that_differ(each))]
    for step, (each, draw) in enumerate(steps):
        part = support.rows(torch.from_numpy(draws.rows(draw, each)))
        for name, own in heads.by_head.items():
            label = "" if name == ZERO_SHOT else str(each)
            if not label and step:
                continue
            head, seconds = heads.fit(name, part, seeds[draw])
            for spec in own:
                row = spec.predict(head, pool).cpu().numpy()
                runs.setdefault((spec, label), []).append((row, seconds, len(part)))
            if name == heads.first.head and draw == 0 and (each == max(shots) or not label):
                kept = head
        if progress is not None:
            progress(step + 1, len(steps))
    assert kept is not None
    return _trials(heads, runs, support.classes), kept


@dataclass(frozen=True)
class FoldTrials:
    """Trials on held-out folds: which images they predict, and the first head's logits.

    `rows` are positions `[m]` in the support, in order; `logits` `[m, c]` are of the first
    partition into folds. An image that is alone in its class is never held out, nor are parts of a
    picture without which some class would have none.
    """

    trials: list[Trial]
    rows: NDArray[np.intp]
    logits: Float[Tensor, "m c"]


def by_folds(
    heads: HeadSet, support: Support, seeds: Sequence[int], progress: Progress | None = None
) -> FoldTrials:
    """Predict every image by heads that were trained on the other folds alone.

    Each seed is another partition into folds. There must be images that are held out in all.
    """
    rows = support.held_out(seeds)
    place = torch.full_like(support.labels, -1)
    place[rows] = torch.arange(len(rows), device=place.device)
    runs: dict[tuple[HeadSpec, str], list[_Run]] = {}
    logits = support.features.new_zeros(len(rows), support.classes)
    for draw, seed in enumerate(seeds):
        parts: dict[HeadSpec, list[_Run]] = {}
        splits = support.splits(seed)
        for train, held in splits:
            x, judged = support.items[held], place[held] >= 0
            for name, own in heads.by_head.items():
                head, seconds = heads.fit(name, train, seed)
                for spec in own:
                    row = spec.predict(head, x)[judged].cpu().numpy()
                    parts.setdefault(spec, []).append((row, seconds, len(train)))
                if name == heads.first.head and draw == 0:
                    own_logits = head.logits(x.given_to(type(head)))
                    logits[place[held[judged]]] = own_logits[judged].to(logits)
        places = place[torch.cat([held for _, held in splits])]
        order = places[places >= 0].cpu().numpy()
        for spec, own_parts in parts.items():
            label = "" if spec.head == ZERO_SHOT else ALL
            if label or draw == 0:
                runs.setdefault((spec, label), []).append(_joined(own_parts, order))
        if progress is not None:
            progress(draw + 1, len(seeds))
    return FoldTrials(_trials(heads, runs, support.classes), rows.cpu().numpy(), logits)


def _joined(parts: list[_Run], order: NDArray[np.int64]) -> _Run:
    """The folds of one partition as one run; `order` is where their items belong."""
    rows, seconds, sizes = zip(*parts, strict=True)
    predictions = np.empty(len(order), dtype=np.int64)
    predictions[order] = np.concatenate(rows)
    return predictions, float(np.mean(seconds)), round(float(np.mean(sizes)))


def _trials(
    heads: HeadSet, runs: dict[tuple[HeadSpec, str], list[_Run]], classes: int
) -> list[Trial]:
    """In the order of the heads; shots come in order already."""
    order = {spec: place for place, spec in enumerate(heads.specs)}
    trials = []
    for (spec, label), own in sorted(runs.items(), key=lambda item: order[item[0][0]]):
        rows, seconds, sizes = zip(*own, strict=True)
        per_class = float(np.mean(sizes)) / classes if label else 0.0
        trials.append(Trial(spec, label, np.stack(rows), float(np.mean(seconds)), per_class))
    return trials
