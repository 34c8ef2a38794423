"""A batch and the losses that a recipe adds up."""

import re
from collections.abc import Mapping
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clipfg.errors import UsageError
from clipfg.training.batches import Batch, Examples
from clipfg.training.recipes.base import Recipe
from clipfg.training.student import Embeddings, Student
from clipfg.training.terms.base import TERMS, Context, FrozenTexts, Term


class Task(nn.Module):
    """A student and the terms that it is trained by, each with its weight."""

    def __init__(self, student: Student, terms: Mapping[str, tuple[float, Term]]) -> None:
        super().__init__()
        self.student = student
        self.weights = {name: weight for name, (weight, _) in terms.items()}
        self.terms = nn.ModuleDict({name: term for name, (_, term) in terms.items()})
        for _, term in terms.values():
            term.attach(student)
        self.terms.to(student.encoder.device)
        self.needs = frozenset().union(*(term.needs for _, term in terms.values()))

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        student: Student,
        examples: Examples,
        frozen_texts: FrozenTexts,
        seed: int,
    ) -> Self:
        """The terms of a recipe's loss, their own weights drawn by the seed.

        `frozen_texts` makes unit-norm features of texts as the base does. Raises `UsageError` for a
        misspelt loss, and what terms raise for examples that lack what they need.
        """
        context = Context(recipe, examples, student.encoder.dim, frozen_texts)
        weights = parse_terms(recipe.losses)
        torch.manual_seed(seed)
        terms = {name: (weight, TERMS.get(name)(context)) for name, weight in weights.items()}
        return cls(student, terms)

    def embed(self, batch: Batch) -> Embeddings:
        """The embeddings that the terms need; of any part of a batch by itself."""
        made: Embeddings = self.student(batch, self.needs)
        return made

    def losses(self, made: Embeddings, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The loss of each term, and under `loss` their weighted sum."""
        each = {name: term(made, batch, self.student) for name, term in self.terms.items()}
        total = torch.stack([self.weights[name] * value for name, value in each.items()]).sum()
        return {"loss": total, **each}

    def trained(self) -> dict[str, nn.Parameter]:
        """The weights with gradients, by name."""
        return {name: w for name, w in self.named_parameters() if w.requires_grad}


def parse_terms(text: str) -> dict[str, float]:
    """The weight of each term of a sum such as `contrastive + 0.5 regions`.

    Raises `UsageError` for another form and for a term that stands twice.
    """
    found: dict[str, float] = {}
    for part in text.split("+"):
        match = re.fullmatch(r"\s*(?:(\d+(?:\.\d+)?)\s*\*?\s+)?([a-z][a-z0-9-]*)\s*", part)
        if match is None or match[2] in found:
            raise UsageError(
                f"Expected losses such as 'contrastive + 0.5 regions', each once, got {text!r}."
            )
        found[match[2]] = float(match[1] or 1)
    return found
