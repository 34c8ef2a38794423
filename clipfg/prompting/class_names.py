"""What is likely wrong with a list of class names, before anything is classified by them."""

from collections.abc import Callable, Iterator, Sequence

from jaxtyping import Float
from torch import Tensor

from clipfg.prompting.linting import CONTEXT, PromptIssue, estimate_tokens
from clipfg.prompting.prompt_set import loose, readable

ALIKE = 0.95
"""The cosine of two names' texts from which an encoder hardly tells them apart. Species' names lie
at 0.2 to 0.9; from here up, synthflora's differ in one word that its images hardly show."""


def lint_class_names(
    names: Sequence[str],
    features: Float[Tensor, "c d"] | None = None,
    count: Callable[[Sequence[str]], list[int]] | None = None,
    context: int = CONTEXT,
) -> list[PromptIssue]:
    """Names that are the same, that an encoder hardly tells apart, or that are cut off.

    `features` are unit-norm text features of the names; `count` counts tokens as the encoder does
    and `context` is its limit; without it tokens are estimated.
    """
    found = list(_same(names))
    if features is not None and len(names) > 1:
        found += _alike(names, features)
    found += _long(names, count, context)
    return found


def _same(names: Sequence[str]) -> Iterator[PromptIssue]:
    seen: dict[str, str] = {}
    for name in names:
        key = loose(name)
        if key in seen:
            yield PromptIssue("error", name, f"is the same name as {seen[key]!r}")
        seen.setdefault(key, name)


def _alike(names: Sequence[str], features: Tensor) -> Iterator[PromptIssue]:
    cosines = features @ features.T
    cosines.fill_diagonal_(-1)
    nearest, others = cosines.max(dim=1)
    for i in nearest.argsort(descending=True, stable=True).tolist():
        other = int(others[i])
        mutual = int(others[other]) == i and other < i  # said of the first already
        if nearest[i] >= ALIKE and not mutual:
            what = f"reads almost like {names[other]!r} (cosine {float(nearest[i]):.3f})"
            yield PromptIssue("warning", names[i], what)


def _long(
    names: Sequence[str], count: Callable[[Sequence[str]], list[int]] | None, context: int
) -> Iterator[PromptIssue]:
    texts = [readable(name) for name in names]
    lengths = count(texts) if count is not None else [estimate_tokens(text) for text in texts]
    about = "" if count is not None else "about "
    for name, length in zip(names, lengths, strict=True):
        if length > context:
            what = f"is {about}{length} tokens long; what is beyond {context} is cut off"
            yield PromptIssue("warning", name, what)
