"""Likely problems in a list of class names, found before anything is classified by them."""

from collections.abc import Iterator, Sequence

from jaxtyping import Float
from torch import Tensor

from clipfg.prompting.linting import CONTEXT, PromptIssue, TokenCounter, repeated, truncated
from clipfg.prompting.prompt_set import loose, readable

ALIKE = 0.95
"""The cosine of two names' texts above which an encoder can hardly distinguish them. Species' names
lie at 0.2 to 0.9; above 0.95, synthflora's differ in one word that its images hardly show."""


def lint_class_names(
    names: Sequence[str],
    features: Float[Tensor, "c d"] | None = None,
    count: TokenCounter | None = None,
    context: int = CONTEXT,
) -> list[PromptIssue]:
    """Names that are duplicates, that an encoder can hardly distinguish, or that are truncated.

    `features` are unit-norm text features of the names; `count` counts tokens as the encoder does
    and `context` is its limit; without it tokens are estimated.
    """
    found = [
        PromptIssue("error", name, f"is the same name as {first!r}")
        for name, first in repeated((loose(name), name) for name in names)
    ]
    if features is not None and len(names) > 1:
        found += _alike(names, features)
    found += truncated({name: readable(name) for name in names}, count, context)
    return found


def _alike(names: Sequence[str], features: Tensor) -> Iterator[PromptIssue]:
    cosines = features @ features.T
    cosines.fill_diagonal_(-1)
    nearest, others = cosines.max(dim=1)
    for i in nearest.argsort(descending=True, stable=True).tolist():
        other = int(others[i])
        reported = int(others[other]) == i and other < i  # with the other one
        if nearest[i] >= ALIKE and not reported:
            what = f"reads almost like {names[other]!r} (cosine {float(nearest[i]):.3f})"
            yield PromptIssue("warning", names[i], what)
