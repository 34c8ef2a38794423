"""Heads that train an encoder on the support images, and answer by class texts."""

import logging
import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from itertools import count
from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.functional.similarity import unit_norm
from clipfg.heads.base import Consumes, Head, Images
from clipfg.heads.support import Support
from clipfg.training.batches import Batches, Examples, Sampling
from clipfg.training.heads.base import Base, capped, needed
from clipfg.training.loop import Loop
from clipfg.training.pixels import Pixels
from clipfg.training.rates import SAFE, choose_rate
from clipfg.training.recipes import Recipe
from clipfg.training.student import Student
from clipfg.training.task import Task

logger = logging.getLogger("clipfg")

BLOCK = 64
"""Images embedded at once."""


@dataclass(eq=False)
class EncoderHead(Head[Images]):
    """Trains an encoder by a recipe; `logits = scale * cos(image, class weight)` of what it became.

    All of the support is trained on and the last weights count, since nothing is held out to
    choose others by. Where the recipe leaves the learning rate open, it is the one by which short
    trials on all folds of the support but one give the first fold the least cross-entropy.

    Parameters
    ----------
    most_steps
        The most steps of training, whatever the recipe says; None for 200 on a CPU, else any.
    seed
        Random seed of batches, windows, new weights and folds.

    Attributes
    ----------
    weights_, scale_
        Class weights `[c, d]` of the trained text tower, and the factor on cosines.
    learning_rate_, steps_
        What was used.
    """

    consumes: ClassVar[Consumes] = "images"
    needs_texts: ClassVar[bool] = True
    needs_encoder: ClassVar[bool] = True

    most_steps: int | None = None
    seed: int = 0

    @abstractmethod
    def recipe(self, shots: int) -> Recipe:
        """How to train on so many images a class."""

    def fit(
        self,
        features: Images | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,  # noqa: ARG002 - of the base, which knows
        groups: Int[Tensor, " n"] | None = None,
        base: Base | None = None,
    ) -> Self:
        """Train on images as `base`'s encoder takes them; class weights come from its texts.

        Raises `UsageError` without a base, and as `Support.of` does.
        """
        base = needed(base, self.name)
        made = None if features is None else _embedded(base.encoder, features)
        texts = base.class_weights(base.encode_texts)
        support = Support.of(self.name, made, labels, texts, True, groups)
        assert features is not None
        recipe = self.recipe(round(len(support) / support.classes))
        size = min(recipe.batch_size, len(support))
        steps = recipe.steps_for(len(support) // size)
        steps = capped(self.name, steps, self.most_steps, base.encoder)
        recipe = replace(recipe, steps=steps, checks=1)
        if not recipe.lr:
            recipe = replace(recipe, lr=self._choose_rate(base, features, support, recipe))
        self._tuned = Tuned.of(_trained(base, features, support, recipe, self.seed), base)
        self.weights_, self.scale_ = self._tuned.weights, self._tuned.encoder.logit_scale
        self.learning_rate_, self.steps_ = recipe.lr, recipe.steps
        return self

    def _choose_rate(self, base: Base, images: Images, support: Support, recipe: Recipe) -> float:
        if not (folds := support.held(self.seed)):
            return SAFE  # with one image a class none can be held out
        held = folds[0]
        rest = torch.ones(len(support), dtype=torch.bool)
        rest[held.cpu()] = False
        part, labels = support.without(held), support.labels[held].cpu()

        def likelihood(encoder: CheckpointEncoder) -> float:
            logits = Tuned.of(encoder, base).logits(images[held.cpu()])
            return math.exp(-cross_entropy(logits, labels).item())

        before = likelihood(base.encoder)

        def trial(rate: float, steps: int) -> tuple[float, float]:
            short = replace(recipe, lr=rate, steps=steps)
            return before, likelihood(_trained(base, images[rest], part, short, self.seed))

        return choose_rate(trial, recipe.steps, "likelihood of the labels of a fold of the support")

    def logits(self, features: Images) -> Float[Tensor, "n c"]:
        """Scaled cosines of images as the encoder takes them. Raises `UsageError` before `fit`."""
        self.check_fitted()
        return self._tuned.logits(features)


@dataclass(frozen=True)
class Tuned:
    """A trained encoder and its class weights."""

    encoder: CheckpointEncoder
    weights: Float[Tensor, "c d"]
    bf16: bool

    @classmethod
    def of(cls, encoder: CheckpointEncoder, base: Base) -> Self:
        """With the class weights of its own text tower, computed as precisely as the base."""
        bf16 = base.encoder.precision == "bf16"
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=bf16):
            weights = base.class_weights(encoder.encode_texts)
        return cls(encoder, weights.float().cpu(), bf16)

    def logits(self, images: Images) -> Float[Tensor, "n c"]:
        """Scaled cosines."""
        with torch.autocast(self.encoder.device.type, torch.bfloat16, enabled=self.bf16):
            made = _embedded(self.encoder, images)
        return self.encoder.logit_scale * made @ self.weights.T


def _embedded(encoder: CheckpointEncoder, images: Images) -> Float[Tensor, "n d"]:
    """Unit-norm features, on the CPU."""
    parts = [encoder.encode_images(part.load()).pooled.float() for part in images.split(BLOCK)]
    return unit_norm(torch.cat(parts)).cpu()


def _trained(
    base: Base, images: Images, support: Support, recipe: Recipe, seed: int
) -> CheckpointEncoder:
    """The encoder after all steps of a recipe; as it was where the loss did not stay finite."""
    none = torch.zeros(0, 4)
    pixels = Pixels(images.load(), images.rows, (none,) * len(images), (b"",) * len(images))
    with torch.random.fork_rng(devices=[]):
        student = Student(
            base.encoder,
            recipe.trains,
            recompute=recipe.recompute,
            frozen_texts=lambda texts, _: base.encode_texts(texts),
            seed=seed,
        )
        frozen = {} if student.trains_images else {"images": support.features}
        examples = Examples(pixels, support.labels, class_texts=base.texts, constants=frozen)
        task = Task.of(recipe, student, examples, base.encode_texts, seed)
        batches = Batches(examples, Sampling.of(recipe, seed, task.needs))
        later = count()  # each check is better than the one before: the last weights are kept
        history = Loop(
            task,
            batches,
            recipe,
            lambda: float(next(later)),
            bf16=base.encoder.precision == "bf16",
        ).run()
    if history.stopped:
        logger.warning(f"{recipe.name}: {history.stopped}")
    return student.merged()
