"""An encoder in training: from a batch to embeddings with gradients."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from itertools import repeat

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.functional import normalize

from clipfg.encoders.base import TextPath
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.functional.regions import patch_grid
from clipfg.training.batches import Batch
from clipfg.training.frozen import frozen_blocks
from clipfg.training.lora import merge_lora
from clipfg.training.parts import choose_parts, trains_images, trains_texts
from clipfg.training.recomputing import recompute_blocks

Embeddings = dict[str, Tensor]
"""What was made of a batch, each with a row an item: unit-norm `images` and `captions` `[b d]`,
`long` (captions by the path for long texts, where the encoder has one) and `titles` `[b d]`,
`views` beside the first `[b v d]`, `regions` and `phrases` `[b r d]`, `sentences`, `negatives` and
`false_phrases` `[b k d]`; `patches` `[b p d]` as they come, and `mirrored`, those of mirror images;
and the batch's constants. What a batch lacks (a region, a negative) has rows of any values, which
`valid` of the batch and the empty text tell."""


PART = 64
"""Inputs that frozen blocks see at a time."""
DENSE = frozenset({"regions", "patches"})
ONE_EACH = frozenset({"captions", "long", "titles"})
TEXTS = ONE_EACH | {"phrases", "sentences", "negatives", "false_phrases"}


class Student(nn.Module):
    """The towers of an encoder, in float32, some of their weights with gradients.

    They stay in evaluation mode: batch norms keep their statistics and nothing is dropped, so that
    a step computes the same whenever it is run. `parts` are those of `choose_parts`; `recompute`
    keeps no activations within the blocks. Where the text tower is frozen, `frozen_texts` gives the
    unit-norm features of texts by a path, and is asked once for each. The seed draws what low-rank
    updates begin with.
    """

    def __init__(
        self,
        encoder: CheckpointEncoder,
        parts: str,
        *,
        recompute: bool = False,
        frozen_texts: Callable[[Sequence[str], TextPath], Tensor] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.encoder = encoder.trainable()
        self.towers = self.encoder.model
        torch.manual_seed(seed)
        choose_parts(self.towers, parts)
        if recompute:
            recompute_blocks(self.towers)
        self.tokens = _tokens(self.towers, self.encoder.preprocessing.size)
        self.trains_images = trains_images(self.towers)
        self.trains_texts = trains_texts(self.towers)
        self.frozen = frozen_blocks(self.towers)
        self._frozen_texts = None if self.trains_texts else frozen_texts
        self._known: dict[tuple[str, TextPath], Tensor] = {}

    def train(self, mode: bool = True) -> "Student":  # noqa: ARG002
        """The towers stay in evaluation mode."""
        return super().train(False)

    @property
    def scale(self) -> Float[Tensor, ""]:
        """The factor on cosines; its gradient reaches the model's own logarithm of it."""
        return self.towers.logit_scale.exp().squeeze()  # type: ignore[operator]

    @property
    def bias(self) -> Float[Tensor, ""] | None:
        """The offset of scaled cosines, of models scored by a sigmoid."""
        bias = getattr(self.towers, "logit_bias", None)
        return None if bias is None else bias.squeeze()

    def forward(self, batch: Batch, needs: frozenset[str]) -> Embeddings:
        """The embeddings that losses need of a batch, and its constants."""
        device = next(self.towers.parameters()).device
        constants = batch.constants()
        made = {name: constants[name].to(device) for name in constants if name in needs}
        if ("images" in needs and "images" not in made) or needs & DENSE:
            dense = bool(needs & DENSE)
            pooled, patches = self._images(batch.images(), patches=dense)
            made["images"] = normalize(pooled, dim=-1)
            if patches is not None and "regions" in needs:
                made["regions"] = normalize(self._regions(batch, patches), dim=-1)
            if patches is not None and "patches" in needs:
                made["patches"] = patches
        if "mirrored" in needs:
            _, mirrored = self._images(batch.images().flip(-1), patches=True)
            assert mirrored is not None
            made["mirrored"] = mirrored
        if "views" in needs and len(batch.shown) > 1:
            others = [self._images(batch.images(view))[0] for view in range(1, len(batch.shown))]
            made["views"] = normalize(torch.stack(others, dim=1), dim=-1)
        wanted = {name: _texts_of(batch, name) for name in sorted(TEXTS & needs - made.keys())}
        long = {name: wanted.pop(name) for name in ("long",) if name in wanted}
        return made | self._texts(wanted, "short") | self._texts(long, "long")

    @torch.no_grad()
    def remember(
        self,
        pixels: UInt8[Tensor, "n 3 h w"],
        texts: Sequence[str] = (),
        *,
        mirrored: bool = False,
    ) -> None:
        """Compute once what frozen blocks make of images (mirrored too) and texts that come again.

        It is kept for the format, half precision or not, that this is called in.
        """
        ways = 1 + mirrored
        shown = (way for part in pixels.split(PART) for way in (part, part.flip(-1))[:ways])
        for images in shown if self.frozen["images"] and len(pixels) else ():
            keys, see = self._image_keys(images), partial(self._images, images)
            if not self.frozen["images"].remember(keys, see, ways * len(pixels)):
                break
        parts = (texts[start : start + PART] for start in range(0, len(texts), PART))
        for part in parts if self.frozen["texts"] and self._frozen_texts is None else ():
            keys, read = self._text_keys(part, "short"), partial(self.encode_texts, part)
            if not self.frozen["texts"].remember(keys, read, len(texts)):
                break

    def _image_keys(self, pixels: UInt8[Tensor, "b 3 h w"]) -> list[Hashable]:
        """Images by their content."""
        format_ = self._format()
        return [(blake2b(image.cpu().numpy().tobytes()).digest(), format_) for image in pixels]

    def _text_keys(self, texts: Sequence[str], path: TextPath) -> list[Hashable]:
        format_ = self._format()
        return [(text, path, format_) for text in texts]

    def _format(self) -> bool:
        """Whether towers compute in half precision just now."""
        return torch.is_autocast_enabled(self.encoder.device.type)

    def encode_images(self, pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Pooled features, float32, not normalised."""
        return self._images(pixels)[0]

    def encode_texts(self, texts: Sequence[str], path: TextPath = "short") -> Float[Tensor, "t d"]:
        """Features of texts, float32, of any norm."""
        if self._frozen_texts is None:
            with self.frozen["texts"].recalled(partial(self._text_keys, texts, path)):
                return self.encoder.text_tower(texts, path).float()
        new = [text for text in dict.fromkeys(texts) if (text, path) not in self._known]
        if new:
            device = next(self.towers.parameters()).device
            features = self._frozen_texts(new, path).to(device)
            self._known |= {(text, path): row for text, row in zip(new, features, strict=True)}
        return torch.stack([self._known[text, path] for text in texts])

    def _images(self, pixels: Tensor, *, patches: bool = False) -> tuple[Tensor, Tensor | None]:
        with (
            torch.set_grad_enabled(torch.is_grad_enabled() and self.trains_images),
            self.frozen["images"].recalled(partial(self._image_keys, pixels)),
        ):
            found = self.encoder.image_tower(self.encoder.inputs(pixels), patches=patches)
        return found[0].float(), None if found[1] is None else found[1].float()

    def _regions(self, batch: Batch, patches: Tensor) -> Float[Tensor, "b r d"]:
        assert batch.boxes is not None
        height, width = batch.examples.pixels.images.shape[-2:]
        rows, columns = grid = patch_grid(patches.shape[1], height, width)
        # The patches may leave a margin over, which lies under none of them.
        sides = patches.new_tensor([width // columns * columns, height // rows * rows] * 2)
        shares = batch.boxes.to(patches) / sides
        found = (
            self.encoder.pool_regions(*each)
            for each in zip(patches, repeat(grid, len(shares)), shares, strict=True)
        )
        return torch.stack(list(found))

    def _texts(
        self, wanted: Mapping[str, Sequence[Sequence[str]]], path: TextPath
    ) -> dict[str, Float[Tensor, "b ... d"]]:
        """Each distinct text goes through the tower once."""
        path = path if path in self.encoder.text_paths else "short"
        distinct = list(dict.fromkeys(t for rows in wanted.values() for row in rows for t in row))
        if not distinct:
            return {}
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.trains_texts):
            features = normalize(self.encode_texts(distinct, path), dim=-1)
        place = {text: number for number, text in enumerate(distinct)}
        found = {}
        for name, rows in wanted.items():
            picked = torch.tensor([[place[text] for text in row] for row in rows])
            made = features[picked.to(features.device)]
            found[name] = made[:, 0] if name in ONE_EACH else made
        return found

    def merged(self) -> CheckpointEncoder:
        """The encoder with what was learnt, low-rank updates merged; training ends with it."""
        merge_lora(self.towers)
        return self.encoder


def _texts_of(batch: Batch, name: str) -> Sequence[Sequence[str]]:
    """The texts of each item under a name of `Embeddings`."""
    texts = batch.long_captions if name == "long" else getattr(batch, name)
    return [(text,) for text in texts] if name in ONE_EACH else texts


def _tokens(model: nn.Module, size: tuple[int, int]) -> int:
    """Patches that an image of `size` is cut into; 0 for a tower that cuts none."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == module.stride:
            return math.prod(side // step for side, step in zip(size, module.stride, strict=True))
    return 0
