"""The contract of a head: scikit-learn's, on features and text weights."""

from abc import ABC, abstractmethod
from inspect import signature
from typing import Any, ClassVar, Self

from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.registry import Registry


class Head(ABC):
    """A classifier from unit-norm features `[n, d]` to logits `[n, c]`.

    `__init__` only keeps its arguments, each under its own name; `fit` computes attributes whose
    names end in `_`, tensors or plain numbers, strings and lists. That is all that
    `clipfg.heads.saving` needs to write a head to a file and read it back.
    """

    name: ClassVar[str]
    """As it is registered in `HEADS`."""
    needs_texts: ClassVar[bool] = False
    """Whether it can learn nothing without class texts."""

    @abstractmethod
    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> Self:
        """Learn from a labelled support set, from class text weights, or from both."""

    @abstractmethod
    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Scores of every class for every feature; the larger the likelier."""

    def refit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> "Head":
        """A new head of the same kind, fitted elsewhere with the settings that this one chose."""
        chosen = {
            name: value if isinstance(own := getattr(self, f"{name}_", value), Tensor) else own
            for name, value in self.config.items()
        }
        return type(self)(**chosen).fit(features, labels, text_weights)

    @property
    def config(self) -> dict[str, Any]:
        """The arguments that `__init__` was given, by name."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    @property
    def fitted(self) -> dict[str, Any]:
        """What `fit` has computed, by name; empty before."""
        return {k: v for k, v in vars(self).items() if k.endswith("_") and not k.startswith("_")}

    def check_fitted(self) -> None:
        """Raises `UsageError` when `fit` has not been called."""
        if not self.fitted:
            raise UsageError(f"This {self.name} head has learnt nothing yet; call fit() first.")


HEADS: Registry[type[Head]] = Registry("head", "clipfg.heads")
HEADS.register("zero-shot", "clipfg.heads.zero_shot:ZeroShot")
HEADS.register("auto", "clipfg.heads.auto:Auto")
HEADS.register("class-mean", "clipfg.heads.class_mean:ClassMean")
HEADS.register("knn", "clipfg.heads.knn:KNN")
HEADS.register("whitened-mean", "clipfg.heads.whitened_mean:WhitenedMean")
HEADS.register("gda", "clipfg.heads.gda:GDA")
HEADS.register("tip-adapter", "clipfg.heads.tip_adapter:TipAdapter")
HEADS.register("tip-adapter-f", "clipfg.heads.tip_adapter_f:TipAdapterF")
HEADS.register("ape", "clipfg.heads.ape:APE")
HEADS.register("ape-t", "clipfg.heads.ape_t:APET")
HEADS.register("lp++", "clipfg.heads.lppp:LPPlusPlus")
HEADS.register("prolip", "clipfg.heads.prolip:ProLIP")
HEADS.register("linear-probe", "clipfg.heads.linear_probe:LinearProbe")
HEADS.register(
    "cross-modal-linear-probe",
    "clipfg.heads.cross_modal_linear_probe:CrossModalLinearProbe",
)
