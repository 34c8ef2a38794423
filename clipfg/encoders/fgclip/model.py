"""What the two versions of FG-CLIP have in common: text tables, regions, scoring."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clipfg.encoders.base import TextPath
from clipfg.errors import DataError
from clipfg.functional.positions import join_positions
from clipfg.functional.regions import align_regions

ARCHITECTURE = (
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("hidden_act", "layer_norm_eps", "vocab_size", "max_position_embeddings"),
    *("image_size", "patch_size", "num_patches"),
)
"""The entries of a published configuration that are read; it may name code, which these do not."""

NO_TOKENS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
"""Published configurations name wrong ones, of which transformers warns; none is used."""

Settings = Mapping[str, Any]


class FgClip(nn.Module, ABC):
    """An FG-CLIP on plain tensors, below preprocessing and tokenizers; features are not normalised.

    Made from a published configuration; its parameters have the published names and shapes.
    """

    LENGTHS: ClassVar[Mapping[TextPath, int]]
    """The longest text of each path in tokens, as published."""

    text_model: Any
    vision_model: Any
    logit_scale: nn.Parameter

    def _add_tables(self, lengths: Mapping[TextPath, int]) -> None:
        """The two tables of positions of long texts, beside the one of short texts."""
        embeddings = self.text_model.embeddings
        width = embeddings.token_embedding.embedding_dim
        embeddings.position_embedding_res = nn.Embedding(lengths["long"], width)
        embeddings.position_embedding_ori = nn.Embedding(lengths["long"], width)

    def positions(self, path: TextPath) -> Float[Tensor, "n d"]:
        """The table of positions of a text path."""
        tables = self.text_model.embeddings
        if path != "long":
            return tables.position_embedding.weight
        return join_positions(
            tables.position_embedding_ori.weight, tables.position_embedding_res.weight
        )

    @abstractmethod
    def text_features(
        self, ids: Int[Tensor, "t n"], path: TextPath = "short"
    ) -> Float[Tensor, "t d"]:
        """Features of token ids, padded to the length of the path.

        Raises `DataError` for ids that are too many or padded otherwise.
        """

    def _embed(self, ids: Int[Tensor, "t n"], path: TextPath) -> Float[Tensor, "t n w"]:
        """Tokens with their positions."""
        table = self.positions(path)
        if ids.shape[1] > len(table):
            raise DataError(
                f"Expected at most {len(table)} tokens on the {path} text path, got {ids.shape[1]}."
            )
        embedded: Tensor = self.text_model.embeddings.token_embedding(ids)
        return embedded + table[: ids.shape[1]]

    def region_features(
        self,
        maps: Sequence[Float[Tensor, "_h _w d"]],
        boxes: Sequence[Float[Tensor, "_r 4"]],
        sizes: Sequence[tuple[int, int]] | None = None,
    ) -> list[Float[Tensor, "_r d"]]:
        """Features of boxes on dense maps by RoIAlign; any number of boxes for each image, also 0.

        Boxes are `x0, y0, x1, y1` in cells of the map or, with `sizes`, in pixels of images of that
        width and height. Raises `DataError` for a box without an area.
        """
        found = []
        for place, (map_, own) in enumerate(zip(maps, boxes, strict=True)):
            rows, columns = map_.shape[:2]
            if sizes is not None:
                width, height = sizes[place]
                own = own / own.new_tensor([width, height] * 2)
                own = own * own.new_tensor([columns, rows] * 2)
            found.append(align_regions(map_.flatten(0, 1), (rows, columns), own))
        return found

    def logits(
        self, images: Float[Tensor, "n d"], texts: Float[Tensor, "t d"]
    ) -> Float[Tensor, "n t"]:
        """Scaled cosines of features of images or regions with those of texts."""
        images, texts = (nn.functional.normalize(rows, dim=-1) for rows in (images, texts))
        return self.logit_scale.exp() * (images @ texts.T)


def chosen(settings: Settings) -> dict[str, Any]:
    """The entries of a tower's configuration that describe its architecture."""
    return {name: settings[name] for name in ARCHITECTURE if settings.get(name) is not None}


def blocked(mask: Tensor, kind: torch.dtype) -> Tensor:
    """What is added to attention where `mask` is False: the lowest number, never infinity."""
    return torch.zeros(mask.shape, dtype=kind, device=mask.device).masked_fill(
        ~mask, torch.finfo(kind).min
    )
