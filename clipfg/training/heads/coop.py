"""CoOp: learned words before the class names, through the frozen text tower."""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from clipfg.functional.similarity import cosine_logits, unit_norm
from clipfg.heads.base import Head
from clipfg.heads.support import Support
from clipfg.training.heads.base import Base, capped, needed
from clipfg.training.nets.prompted_names import PromptedNames

EPOCHS = ((1, 50), (4, 100))
"""The paper's epochs up to some images a class; 200 beyond."""


@dataclass(eq=False)
class Coop(Head):
    """`logits = scale * cos(x, t_c)`, with `t_c` the feature of learned words and a class's name.

    The words are vectors, the same for all classes, that begin as "a photo of a" over again and
    are trained by cross-entropy. Images stay as they were embedded, so that what is learnt is a
    class weight each, which can be saved. Prompts and descriptions of classes are not used.

    Parameters
    ----------
    length
        The most vectors.
    learning_rate, batch_size
        Of SGD with momentum 0.9; the rate falls to 0 along a cosine.
    most_steps
        The most steps, whatever the paper's epochs are; None for 200 on a CPU, else any.
    seed
        Random seed of the order of images.

    Attributes
    ----------
    weights_, scale_
        Unit-norm class weights `[c, d]`, and the encoder's factor on cosines.

    Source: Zhou et al. 2022, arXiv 2109.01134, with a shared context before the name.
    """

    name: ClassVar[str] = "coop"
    needs_texts: ClassVar[bool] = True
    needs_encoder: ClassVar[bool] = True

    length: int = 16
    learning_rate: float = 2e-3
    batch_size: int = 32
    most_steps: int | None = None
    seed: int = 0

    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
        groups: Int[Tensor, " n"] | None = None,
        base: Base | None = None,
    ) -> Self:
        """Learn words for the names of `base`'s classes.

        Raises `UsageError` without a base, `DataError` for names that are too long, and as
        `Support.of` does.
        """
        base = needed(base, self.name)
        if text_weights is None:
            text_weights = base.class_weights(base.encode_texts)
        support = Support.of(self.name, features, labels, text_weights, True, groups)
        prompted = PromptedNames(base.encoder, base.names, self.length)
        self.scale_ = base.encoder.logit_scale
        self._learn(prompted, support)
        with torch.no_grad():
            self.weights_ = normalize(prompted(), dim=1).to(support.features.device)
        return self

    def _learn(self, prompted: PromptedNames, support: Support) -> None:
        optimiser = torch.optim.SGD([prompted.vectors], lr=self.learning_rate, momentum=0.9)
        size = min(self.batch_size, len(support))
        each = len(support) // size
        shots = len(support) / support.classes
        epochs = next((epochs for most, epochs in EPOCHS if shots <= most), 200)
        steps = capped(self.name, epochs * each, self.most_steps, prompted.encoder)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
        generator = torch.Generator().manual_seed(self.seed)
        for step in range(steps):
            if step % each == 0:
                order = torch.randperm(len(support), generator=generator)
            rows = order[step % each * size :][:size].to(support.labels.device)
            weights = normalize(prompted(), dim=1)
            logits = self.scale_ * support.features[rows].to(weights) @ weights.T
            optimiser.zero_grad()
            cross_entropy(logits, support.labels[rows].to(logits.device)).backward()
            optimiser.step()
            schedule.step()

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Scaled cosines; raises as any head on features does."""
        self.check_fitted()
        return cosine_logits(unit_norm(features), self.weights_, self.scale_)
