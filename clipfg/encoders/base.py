"""The interface of an image-text encoder."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from clipfg.encoders.preprocessing import Preprocessing
from clipfg.encoders.towers import Trace, VisionTower
from clipfg.errors import UsageError
from clipfg.functional.regions import patch_grid, region_means
from clipfg.functional.similarity import Scoring

Precision = Literal["fp32", "bf16", "fp16", "int8"]

TextPath = Literal["short", "long", "box"]
"""A way through the text tower: for names and sentences, for descriptions, for what a box shows."""

Pixels = UInt8[Tensor, "b 3 h w"] | Sequence[UInt8[Tensor, "3 _h _w"]]
"""Images of one shape, or of any shapes for a NaFlex encoder."""

DTYPES = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "int8": torch.float32,
}
"""What a tower takes, and computes in but for the products of `"int8"`."""


@dataclass(frozen=True)
class ImageFeatures:
    """The output of an image tower: float32, not normalised.

    `patches` are in the space of `pooled`, row by row from the top left, each of them pooled alone
    (`towers.VisionTower.dense`); None unless asked for. For images of different shapes they are a
    list.
    """

    pooled: Float[Tensor, "b d"]
    patches: Float[Tensor, "b p d"] | list[Float[Tensor, "_p d"]] | None = None


class Encoder(ABC):
    """An image tower and a text tower with a shared embedding space.

    Creating one reads configuration files only; the weights are loaded when `model` is first
    used, so a run whose embeddings are all cached never pays for them. Subclasses are final.
    """

    name: str
    """The full name that `load_encoder` takes ("open_clip:ViT-B-16/dfn2b")."""
    precision: Precision
    """The number format that the towers compute in; features come out as float32."""
    device: torch.device
    preprocessing: Preprocessing
    dim: int
    """The dimension of the embedding space."""
    context_length: int
    """The longest text in tokens, of the short path."""
    scoring: Scoring = "softmax"
    """`"softmax"` over classes (CLIP) or `"sigmoid"` for each class independently (SigLIP)."""
    dense_version: str = "each patch pooled alone, boxes on whole patches"
    """How patches and regions are made from the tower. Caches know these, though not the pooled
    features, by this name too: change it whenever they change."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hash of weights, preprocessing, text rules and precision; it loads no weights.

        Equal fingerprints mean interchangeable features: caches and stores are keyed by it.
        """

    @property
    @abstractmethod
    def model(self) -> nn.Module:
        """The towers as their own library built them, in evaluation mode; loaded on first use."""

    @property
    @abstractmethod
    def logit_scale(self) -> float:
        """The factor on cosine similarities, as trained (CLIP: about 100). Loads no tower."""

    @property
    def logit_bias(self) -> float:
        """The offset added to scaled similarities; 0 except for sigmoid models. Loads no tower."""
        return 0.0

    @property
    def tower(self) -> VisionTower:
        """The inside of the image tower; loaded on first use. Raises `UsageError` without one."""
        raise UsageError(f"{self.name} does not show what is inside its image tower.")

    def trace(self, pixels: UInt8[Tensor, "b 3 h w"]) -> Trace:
        """Attention and tokens of every block, with gradients. Raises `UsageError` without them."""
        if self.preprocessing.any_shape:
            raise UsageError(
                f"{self.name} takes images of any shape, and its attention cannot be looked at."
            )
        return self.tower.trace(self.inputs(pixels))

    def inputs(self, pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Pixels as the image tower takes them: on its device, normalised, in its format."""
        return self.preprocessing.normalise(pixels.to(self.device)).to(DTYPES[self.precision])

    @property
    def input_shape(self) -> str:
        """What the image tower takes, in words."""
        return self.preprocessing.shape

    @property
    def any_shape(self) -> bool:
        """Whether it takes each image in its own shape (NaFlex)."""
        return self.preprocessing.any_shape

    @property
    def context_lengths(self) -> Mapping[TextPath, int]:
        """The text paths that the encoder has, each with its longest text in tokens."""
        return {"short": self.context_length}

    @property
    def text_paths(self) -> tuple[TextPath, ...]:
        """The text paths that the encoder has; `"short"` is one of them."""
        return tuple(self.context_lengths)

    @abstractmethod
    def encode_images(self, pixels: Pixels, *, patches: bool = False) -> ImageFeatures:
        """Features of images that `preprocessing` has resized, with those of patches on request.

        Raises `UsageError`, which says why, for a tower whose patches have none.
        """

    @abstractmethod
    def encode_texts(self, texts: Sequence[str], path: TextPath = "short") -> Float[Tensor, "t d"]:
        """Features of texts in one batch, float32, not normalised; long texts are truncated.

        Raises `UsageError` for a path that the encoder lacks.
        """

    @abstractmethod
    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text, special ones included, before any truncation."""

    def at(self, precision: Precision) -> Self:
        """The same encoder in another number format; it loads its own weights when used."""
        if precision == self.precision:
            return self
        twin = copy.copy(self)
        twin.precision = precision
        for computed in ("model", "fingerprint", "tower", "_quantised"):
            twin.__dict__.pop(computed, None)
        return twin

    def encode_regions(
        self,
        pixels: Pixels,
        boxes: Sequence[Float[Tensor, "r 4"]],
        *,
        features: ImageFeatures | None = None,
    ) -> list[Float[Tensor, "r d"]]:
        """Features of boxes in images, float32, not normalised: by default means of patches.

        Boxes are `x0, y0, x1, y1` in pixels of `pixels` (see `Preprocessing.map_boxes`), any number
        for each image. Each patch counts by the area of it that lies in the box; the feature of an
        empty box is 0. `features` are those of the same images with patches, where they are at
        hand: the tower does not run again then.

        Raises `UsageError` for a tower without patch features.
        """
        patches = (features or self.encode_images(pixels, patches=True)).patches
        if patches is None:
            raise no_patches(self.name, "its image tower gives none")
        found = []
        for map_, image, part in zip(patches, pixels, boxes, strict=True):
            if not len(part):
                found.append(map_.new_empty((0, map_.shape[1])))
                continue
            height, width = image.shape[-2:]
            rows, columns = patch_grid(len(map_), height, width)
            # The patches may leave a margin over, which lies under none of them.
            sides = map_.new_tensor([width // columns * columns, height // rows * rows] * 2)
            found.append(self.pool_regions(map_, (rows, columns), part.to(map_) / sides))
        return found

    def pool_regions(
        self, patches: Float[Tensor, "p d"], grid: tuple[int, int], boxes: Float[Tensor, "r 4"]
    ) -> Float[Tensor, "r d"]:
        """Features of boxes, in fractions of the map's sides; 0 for an empty one."""
        return region_means(patches, grid, boxes)


def no_patches(name: str, reason: str) -> UsageError:
    """The error for an encoder whose image tower gives no patch features."""
    return UsageError(
        f"{name} has no patch features: {reason}; choose a CLIP or SigLIP vision transformer (ViT)."
    )
