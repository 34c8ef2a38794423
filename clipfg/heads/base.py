"""The interface of a head: `fit` and `logits`, on features and text weights.

`clipfg.heads.as_sklearn` makes one an estimator of scikit-learn.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Any, ClassVar, Generic, Literal, Self

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import normalize
from typing_extensions import TypeVar

from clipfg.errors import DataError, UsageError
from clipfg.functional.segments import segment_sum
from clipfg.registry import Registry
from clipfg.types import Features, Patches


@dataclass(frozen=True, eq=False)
class FeatureSets:
    """A set of features for each of n items: the patches of an image, or the instances of a bag.

    `rows` are those of all items, end to end; `offsets` say where the rows of each item begin, and
    where the last ends. `grids` say how many rows and columns of patches each image has, which go
    row by row from the top left; None for bags. `views` are the same places of the images as they
    look in further views, 0 where a view does not show a place; None where no view is known.
    """

    rows: Float[Tensor, "r d"]
    offsets: Int[Tensor, " n+1"]
    grids: Int[Tensor, "n 2"] | None = None
    views: Float[Tensor, "v r d"] | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, items: Int[Tensor, " m"] | Any) -> "FeatureSets":
        """Some items, by whatever indexes a tensor's first dimension and keeps it."""
        numbers = torch.arange(len(self), device=self.offsets.device)[items]
        starts, lengths = self.offsets[:-1][numbers], self.offsets.diff()[numbers]
        offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        shift = (starts - offsets[:-1]).repeat_interleave(lengths)
        rows = shift + torch.arange(len(shift), device=shift.device)
        return FeatureSets(
            self.rows[rows],
            offsets,
            None if self.grids is None else self.grids[numbers],
            None if self.views is None else self.views[:, rows],
        )

    def split(self, size: int) -> Iterator["FeatureSets"]:
        """Parts of at most `size` items, in order."""
        return (self[start : start + size] for start in range(0, len(self), size))

    @cached_property
    def owners(self) -> Int[Tensor, " r"]:
        """The item that each row belongs to."""
        return torch.arange(len(self), device=self.offsets.device).repeat_interleave(
            self.offsets.diff()
        )

    @cached_property
    def means(self) -> Float[Tensor, "n d"]:
        """The mean of each item's rows, scaled to unit norm; 0 where it is 0."""
        return normalize(segment_sum(self.rows.float(), self.offsets))

    @classmethod
    def of_patches(cls, features: Features) -> Self:
        """The patches of some features, in float32. Raises `DataError` where there are none."""
        if features.patches is None:
            raise DataError("Expected features with patches, got pooled features alone.")
        return cls.of_maps(features.patches)

    @classmethod
    def of_maps(cls, patches: Patches) -> Self:
        """The patches of n maps, in float32."""
        rows, offsets = torch.from_numpy(patches.values).float(), torch.from_numpy(patches.offsets)
        return cls(rows, offsets, torch.from_numpy(patches.grids))

    @classmethod
    def of_bags(cls, features: Features) -> Self:
        """The bags of some features. Raises `DataError` where there are none."""
        if features.bag_offsets is None:
            raise DataError("Expected features in bags, got features without; name their bags.")
        return cls(torch.from_numpy(features.pooled), torch.from_numpy(features.bag_offsets))


@dataclass(frozen=True, eq=False)
class Images:
    """Images of n items as their encoder takes them: 8-bit, resized and cropped.

    `rows` are the items' places in `pixels`, which all selections of items share.
    """

    pixels: UInt8[Tensor, "m 3 h w"]
    rows: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, items: Int[Tensor, " m"] | Any) -> "Images":
        """Some items, by whatever indexes a tensor's first dimension and keeps it."""
        return Images(self.pixels, self.rows[items])

    def split(self, size: int) -> Iterator["Images"]:
        """Parts of at most `size` items, in order."""
        return (Images(self.pixels, rows) for rows in self.rows.split(size))

    def load(self) -> UInt8[Tensor, "n 3 h w"]:
        """A copy of the items' pixels."""
        return self.pixels[self.rows]


Consumes = Literal["pooled", "patches", "bags", "images"]
Input = TypeVar("Input", default=Tensor)
"""What a head takes items as: a tensor `[n, d]` of features, `FeatureSets`, or `Images`."""


class Head(ABC, Generic[Input]):
    """A classifier from features of n items to logits `[n, c]`.

    `consumes` says which features `fit` and `logits` take:

    - `"pooled"`: a tensor `[n, d]`, a row for each image, which both scale to unit norm; it derives
      from `Head` alone.
    - `"patches"`: `FeatureSets` with grids, the patch features of each image as its encoder gives
      them, not normalised; it derives from `Head[FeatureSets]`.
    - `"bags"`: `FeatureSets` of pooled, unit-norm features, one set for each bag, and the labels of
      the bags; it derives from `Head[FeatureSets]`.
    - `"images"`: `Images`, by whose pixels it trains an encoder of its own; it derives from
      `Head[Images]`, and cannot be saved.

    `__init__` only stores its arguments, each under its own name; `fit` computes attributes whose
    names end in `_`: tensors or plain numbers, strings and lists. `clipfg.heads.saving` needs no
    more to write a head to a file and read it back.
    """

    name: ClassVar[str]
    """Its name in `HEADS`."""
    consumes: ClassVar[Consumes] = "pooled"
    """The kind of features that it takes."""
    needs_texts: ClassVar[bool] = False
    """Whether it cannot learn without class texts."""
    needs_encoder: ClassVar[bool] = False
    """Whether its `fit` takes the encoder too, as `base` (`clipfg.training.heads.Base`)."""

    @abstractmethod
    def fit(
        self,
        features: Input | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> Self:
        """Learn from a labelled support set of n items, from class text weights, or from both."""

    @abstractmethod
    def logits(self, features: Input) -> Float[Tensor, "n c"]:
        """Scores of every class for every item; higher is more likely."""

    def refit(
        self,
        features: Input | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> "Head[Input]":
        """A new head of the same kind, fitted to other data with the settings that this one has."""
        chosen = {
            name: value if isinstance(own := getattr(self, f"{name}_", value), Tensor) else own
            for name, value in self.config.items()
        }
        return type(self)(**chosen).fit(features, labels, text_weights)

    @property
    def config(self) -> dict[str, Any]:
        """The arguments of `__init__`, by name."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    @property
    def fitted(self) -> dict[str, Any]:
        """What `fit` has computed, by name; empty before."""
        return {k: v for k, v in vars(self).items() if k.endswith("_") and not k.startswith("_")}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of what it has learnt, a sentence each."""
        return ()

    @property
    def exhibits(self) -> Int[Tensor, " m"] | None:
        """Positions of the support's images that it is shown by, which a file then names."""
        return None

    def check_fitted(self) -> None:
        """Raises `UsageError` when `fit` has not been called."""
        if not self.fitted:
            raise UsageError(f"This {self.name} head is not fitted; call fit() first.")


HEADS: Registry[type[Head]] = Registry("head", "clipfg.heads")
HEADS.register_all(
    "clipfg.heads",
    ("auto", "auto:Auto", "Best default: the strongest heads, weighed against the texts"),
    ("whitened-mean", "whitened_mean:WhitenedMean", "Strong from 1 shot on, and fast"),
    (
        "kernel-ridge",
        "kernel_ridge:KernelRidge",
        "Strong from 8 shots on, where classes are uneven",
    ),
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
    ("ape", "ape:APE", "Tip-Adapter on the most discriminative channels; no training"),
    ("tip-adapter", "tip_adapter:TipAdapter", "Texts plus similar labelled images; trains nothing"),
    ("knn", "knn:KNN", "Votes of the most similar images; every answer can be traced"),
    (
        "patch-prototypes",
        "patch_prototypes:PatchPrototypes",
        "Explains itself: a few prototypes a class, each shown by patches; slow",
    ),
    ("class-mean", "class_mean:ClassMean", "The simplest baseline: the nearest class average"),
    ("zero-shot", "zero_shot:ZeroShot", "Class names alone; needs no labelled image"),
)
HEADS.register_all(
    "clipfg.heads.bags",
    ("abmil", "abmil:Abmil", "Bags: attention says which instances count; a good first choice"),
    ("dsagl", "dsagl:Dsagl", "Bags: learns best which instances are of the class; slower"),
    ("dsmil", "dsmil:Dsmil", "Bags: the most convincing instance, and those like it"),
    ("transmil", "transmil:Transmil", "Bags: a transformer over instances in order; slow"),
    ("bag-max", "bag_max:BagMax", "Bags: the most convincing instance alone"),
    ("mi-net", "mi_net:MiNet", "Bags: what some instance shows, thing by thing"),
    ("bag-mean", "bag_mean:BagMean", "Bags: the mean of all instances; the baseline"),
)
HEADS.register_all(  # by name alone, as a plug-in's: training lies above this package
    "clipfg.training.heads",
    ("coop", "coop:Coop", "Learns words before the class names; needs the encoder; slow"),
    ("clip-lora", "clip_lora:ClipLora", "Trains the encoder's attention by LoRA; very slow on CPU"),
    ("flyp", "flyp:Flyp", "Trains the whole encoder on images and class texts; very slow on CPU"),
    (
        "prolip-encoder",
        "prolip_encoder:ProlipEncoder",
        "Trains the encoder's image projection, held close to its start; slow",
    ),
)
