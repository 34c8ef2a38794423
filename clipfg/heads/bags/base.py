"""The interface of heads on bags: learn from labels of bags, answer for bags and for instances."""

from abc import ABC
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import DataError, UsageError
from clipfg.heads.bags.nets import BagNet
from clipfg.heads.bags.training import choose_steps, finish, logits_of, training
from clipfg.heads.base import Consumes, FeatureSets, Head

STEPS = (60, 30, 120)
"""What is chosen from; the first where there are too few bags to choose by."""


@dataclass(eq=False)
class BagHead(Head[FeatureSets], ABC):
    """A small net on the features of a bag's instances, which learns from labels of bags alone.

    Rows are scaled to mean 0 and standard deviation 1 of the training instances.

    Parameters
    ----------
    negative
        The class whose bags hold nothing but what all bags may hold; None where each class has
        instances of its own.
    width
        Of the hidden features.
    penalty
        AdamW's weight decay.
    steps
        Of training, with 16 bags each; None chooses among 30, 60 and 120 by cross-entropy on
        three folds of the training bags.
    seed
        Of the folds, the weights at the start and the order of bags.

    Attributes
    ----------
    steps_, classes_
        As chosen, and how many there are.

    The weights of the net are attributes too, each under its name in the net and an underscore;
    `mean_` and `deviation_` `[d]` are what rows are scaled by.
    """

    consumes: ClassVar[Consumes] = "bags"
    net: ClassVar[type[BagNet]]
    attention: ClassVar[bool] = False
    """Whether scores are attention, so that those of different bags cannot be compared."""

    negative: int | None = None
    width: int = 128
    penalty: float = 0.01
    steps: int | None = None
    seed: int = 0

    def fit(
        self,
        features: FeatureSets | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,  # noqa: ARG002
    ) -> Self:
        """Learn from bags and their labels; texts are ignored.

        Raises `UsageError` for no bags, `DataError` for empty bags, unequal lengths and classes
        without a bag.
        """
        if features is None or labels is None:
            raise UsageError(f"Expected labelled bags for the {self.name} head, got none.")
        labels = labels.long().cpu()
        self.classes_ = _checked(features, labels, self.negative)
        kind, classes, negative = self.net, self.classes_, self.negative

        def make(d: int) -> BagNet:
            return kind(d, self.width, classes, negative)

        self.steps_ = self.steps or choose_steps(
            make, features, labels, self.penalty, STEPS, self.seed
        )
        (net,) = training(make, features, labels, self.penalty, [self.steps_], self.seed)
        finish(net, features, labels, self.seed)
        for name, value in net.state_dict().items():
            setattr(self, f"{name}_", value)
        return self

    def logits(self, features: FeatureSets) -> Float[Tensor, "n c"]:
        """Scores of every class for every bag."""
        return logits_of(self._fitted_net(features), features)

    def read(self, features: FeatureSets) -> Iterator[tuple[Float[Tensor, "b c"], Tensor]]:
        """Bag by bag, or several at a time: their logits, and the scores `[r, k]` of their rows.

        There is a column of scores for each class but the negative one. Scores order instances:
        log-odds for dsagl, what an instance says alone for bag-mean, bag-max, mi-net and dsmil;
        attention before the softmax for abmil and transmil. None is a calibrated probability.
        """
        net = self._fitted_net(features)
        with torch.no_grad():
            for one in net.readings(features):
                yield net.of_classes(one.logits), one.instances

    @property
    def evidence(self) -> list[int]:
        """The class that each column of scores is about."""
        return [k for k in range(self.classes_) if k != self.negative]

    def _fitted_net(self, features: FeatureSets) -> BagNet:
        self.check_fitted()
        d, given = len(self.fitted["mean_"]), features.rows.shape[1]
        if d != given:
            raise DataError(f"Expected features {d} wide, as the head has learnt, got {given}.")
        with torch.device("meta"):  # no weights are drawn
            net = self.net(d, self.width, self.classes_, self.negative)
        state = {name: self.fitted[f"{name}_"] for name in net.state_dict()}
        net.load_state_dict(state, assign=True)
        return net.eval()


def _checked(features: FeatureSets, labels: Int[Tensor, " n"], negative: int | None) -> int:
    """How many classes there are. Raises `DataError` for what nothing can be learnt from."""
    if len(features) != len(labels) or not len(labels):
        raise DataError(
            f"Expected as many labels as bags and at least one, got {len(features)} bags and"
            f" {len(labels)} labels."
        )
    if (features.offsets.diff() < 1).any():
        empty = int((features.offsets.diff() < 1).nonzero()[0])
        raise DataError(f"Expected an instance in every bag, got none in bag {empty}.")
    counts = torch.bincount(labels)
    if (counts == 0).any():
        empty = int((counts == 0).nonzero()[0])
        raise DataError(f"Expected at least one bag of each class, got none of class {empty}.")
    if negative is not None and not 0 <= negative < len(counts):
        raise DataError(f"Expected a negative class from 0 to {len(counts) - 1}, got {negative}.")
    return len(counts)
