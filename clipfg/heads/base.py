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
for name, target, summary in (
    ("auto", "auto:Auto", "Best default: blends the strongest heads, weighed against the texts"),
    ("whitened-mean", "whitened_mean:WhitenedMean", "Strong from 1 shot on, and fast"),
    ("gda", "gda:GDA", "Strong from 4 shots on; one closed-form fit, no training"),
    ("linear-probe", "linear_probe:LinearProbe", "The classic baseline; ignores the texts"),
    (
        "cross-modal-linear-probe",
        "cross_modal_linear_probe:CrossModalLinearProbe",
        "A linear probe that counts each class's text as one more image",
    ),
    ("lp++", "lppp:LPPlusPlus", "A linear probe blended with the texts, class by class"),
    ("prolip", "prolip:ProLIP", "Fine-tunes a projection of the features; slow"),
    ("tip-adapter-f", "tip_adapter_f:TipAdapterF", "Tip-Adapter with trained keys; slow"),
    ("ape-t", "ape_t:APET", "APE with trained keys, texts and strengths; slow"),
    ("ape", "ape:APE", "Tip-Adapter on the most telling channels; trains nothing"),
    ("tip-adapter", "tip_adapter:TipAdapter", "Texts plus similar labelled images; trains nothing"),
    ("knn", "knn:KNN", "Votes of the most similar images; every answer can be traced"),
    ("class-mean", "class_mean:ClassMean", "The simplest baseline: the nearest class average"),
    ("zero-shot", "zero_shot:ZeroShot", "Class names alone; needs no labelled image"),
):
    HEADS.register(name, f"clipfg.heads.{target}", summary)
