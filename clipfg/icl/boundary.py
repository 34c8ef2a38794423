"""Where a prompt ends and an answer begins, in tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from clipfg.errors import DataError


@dataclass(frozen=True)
class AnswerTokens:
    """Answers as tokens that follow the part of the prompt shared by all of them.

    `dropped` counts the prompt's last tokens that are not shared and are part of `tails` instead.
    Each answer has a tail, the tokens after the shared part, and begins in it at its start.
    """

    dropped: int
    tails: list[list[int]]
    starts: list[int]

    @property
    def lengths(self) -> list[int]:
        """Number of tokens of each answer alone."""
        return [len(t) - start for t, start in zip(self.tails, self.starts, strict=True)]


def split_answers(prompt: Sequence[int], joined: Sequence[Sequence[int]]) -> AnswerTokens:
    """Split each prompt with an answer where it departs from the prompt alone.

    A tokenizer may merge an answer's first letters with the prompt's last ones (`" "` and `"Owl"`
    become one token), so the two cannot be tokenised separately. A merged token counts as the
    answer's: it is the first one that the prompt does not determine.

    `joined` are the tokens of prompt and answer together, for each answer. Raises `DataError` for
    an answer that adds no token.
    """
    common = [_common(prompt, tokens) for tokens in joined]
    shared = min(common)
    for tokens, own in zip(joined, common, strict=True):
        if len(tokens) <= own:
            raise DataError("Expected answers of at least one token, got one without.")
    return AnswerTokens(
        dropped=len(prompt) - shared,
        tails=[list(tokens[shared:]) for tokens in joined],
        starts=[own - shared for own in common],
    )


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """The length of the longest common prefix."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in pairs)
