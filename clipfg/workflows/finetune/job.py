"""What the steps of one fine-tuning run share."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clipfg.embedding.framing import Framing
from clipfg.embedding.texts import embed_texts
from clipfg.encoders.base import TextPath
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.errors import UsageError
from clipfg.options import FinetuneOptions
from clipfg.training.recipes import RECIPES, Recipe, load_recipe
from clipfg.training.student import Student
from clipfg.training.task import parse_terms
from clipfg.training.terms import TERMS
from clipfg.workflows.finetune.parts import Parts, framing_for, open_parts
from clipfg.workflows.session import Session


@dataclass(frozen=True)
class Job:
    """A recipe, the encoder that it begins from, and the parts of the data.

    `needs` are what the losses need of a batch (`Term.needs`). `framing` is how the boxes of items
    are cut out, None where pictures are seen whole.
    """

    session: Session[FinetuneOptions]
    recipe: Recipe
    encoder: CheckpointEncoder
    parts: Parts
    needs: frozenset[str]
    framing: Framing | None

    @classmethod
    def of(cls, session: Session[FinetuneOptions]) -> "Job":
        """Raises `UsageError` for an unknown recipe, an encoder that cannot be trained, and as
        `framing_for` does.
        """
        recipe = recipe_of(session.options)
        needs = frozenset().union(*(TERMS.get(name).needs for name in parse_terms(recipe.losses)))
        parts = open_parts(session)
        regions = bool(needs & {"regions", "phrases", "targets"})
        framing = framing_for(session.options, parts, recipe.name, regions=regions)
        encoder = session.open_encoder(*parts.each)
        if not isinstance(encoder, CheckpointEncoder):
            raise UsageError(
                f"{encoder.name} cannot be fine-tuned: its weights are in no checkpoint."
            )
        return cls(session, recipe, encoder, parts, needs, framing)

    @property
    def seed(self) -> int:
        """What every draw of the run follows from."""
        return self.session.options.seed

    @property
    def bf16(self) -> bool:
        """Whether the towers compute in bf16 while they are trained."""
        return self.encoder.precision == "bf16"

    def student(self) -> Student:
        """The encoder, ready to be trained."""

        def frozen_texts(texts: Sequence[str], path: TextPath) -> Tensor:
            return torch.from_numpy(embed_texts(texts, self.encoder, self.session.kept, path=path))

        return Student(
            self.encoder,
            self.recipe.trains,
            recompute=self.recipe.recompute,
            frozen_texts=frozen_texts,
            seed=self.seed,
        )


def recipe_of(options: FinetuneOptions) -> Recipe:
    """The recipe of `--distill` or `--recipe`, with its changes. Raises `UsageError`s."""
    name = options.recipe or ("distill" if options.distill else None)
    if name is None:
        raise UsageError(
            f"Expected --distill or --recipe NAME; there are {', '.join(RECIPES)}"
            " (`clipfg recipes list`)."
        )
    if options.distill and name != "distill":
        raise UsageError(f"--distill and --recipe {name} cannot be combined: give one.")
    return load_recipe(name, options.set)
