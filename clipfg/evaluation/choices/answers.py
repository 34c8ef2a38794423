"""What an encoder said to one choice: a score for each of its texts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipfg.types import Choice

TIED = 1e-6
"""Cosines that differ by less count as equal: rounding in float32 alone makes such a difference."""

Scores = NDArray[np.float32]


def wins(scores: Scores) -> bool:
    """Whether the first score is above all others; a tie is no win."""
    return bool(scores[0] > scores[1:].max() + TIED)


def ties(scores: Scores) -> bool:
    """Whether the first score shares the highest place."""
    return bool(abs(scores[0] - scores[1:].max()) <= TIED)


@dataclass(frozen=True)
class Answer:
    """The scores of one choice's texts, the true one first."""

    choice: Choice
    scores: Scores
    """Cosines `[t]` with the image, or with the box in it."""
    blind: Scores
    """Cosines `[t]` with the mean of all images: what the texts alone would answer."""

    @property
    def chosen(self) -> int:
        """The text with the highest score; where the true one ties, a false one."""
        return 0 if wins(self.scores) else 1 + int(self.scores[1:].argmax())

    def probability(self, logit_scale: float) -> float:
        """The softmax probability of the chosen text among the choice's texts."""
        logits = logit_scale * self.scores.astype(np.float64)
        shares = np.exp(logits - logits.max())
        return float(shares[self.chosen] / shares.sum())


def by_length(texts: tuple[str, ...], *, longest: bool) -> float:
    """How often, from 0 to 1, length alone chooses the first text; ties are broken at random."""
    lengths = [len(text) if longest else -len(text) for text in texts]
    best = max(lengths)
    return float(lengths[0] == best) / lengths.count(best)
