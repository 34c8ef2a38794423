"""What heads that learn with an encoder begin from."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.errors import UsageError
from clipfg.functional.similarity import unit_norm
from clipfg.prompting.ensembling import Ensemble
from clipfg.prompting.rendering import Sentences

logger = logging.getLogger("clipfg")

ON_CPU = 200
"""The most steps on a CPU, where no other number is given: of a large encoder that is an hour."""


@dataclass(frozen=True)
class Base:
    """The encoder before training, and what is said of each of c classes.

    `names` are those of the classes, `sentences` theirs too, of which `ensemble` makes class
    weights.
    """

    encoder: CheckpointEncoder
    names: tuple[str, ...]
    sentences: Sentences
    ensemble: Ensemble

    @cached_property
    def texts(self) -> list[tuple[str, ...]]:
        """The sentences of each class."""
        found: list[list[str]] = [[] for _ in self.names]
        for owner, text in zip(self.sentences.owners.tolist(), self.sentences.texts, strict=True):
            found[owner].append(text)
        return [tuple(own) for own in found]

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "t d"]:
        """Unit-norm features of texts as the encoder makes them before training."""
        return unit_norm(self.encoder.encode_texts(list(texts)))

    def class_weights(
        self, encode: Callable[[Sequence[str]], Float[Tensor, "t d"]]
    ) -> Float[Tensor, "c d"]:
        """Class weights of features that `encode` makes of the sentences."""
        with torch.no_grad():
            made = unit_norm(encode(self.sentences.texts))
        return self.ensemble.weights(made, self.sentences, None, self.encoder.logit_scale)


def needed(base: Base | None, head: str) -> Base:
    """The base. Raises `UsageError` where there is none."""
    if base is None:
        raise UsageError(
            f"Expected an encoder and the classes' texts for the {head} head, got none; use it in"
            " `clipfg fewshot` on images, or give fit(..., base=Base(...))."
        )
    return base


def capped(head: str, steps: int, most: int | None, encoder: CheckpointEncoder) -> int:
    """So many steps, or fewer where `most` says, or the processor, in which case the log does."""
    if most is None:
        most = ON_CPU if encoder.device.type == "cpu" else steps
    if steps > most:
        logger.info(f"{head}: {most:,} steps instead of {steps:,}")
    return min(steps, most)
