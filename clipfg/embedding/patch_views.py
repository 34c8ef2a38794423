"""Patches of further views of images, each brought to the place that its image's own map has it.

What is learnt from two views of an image needs the same place in both.
"""

from typing import NamedTuple, Unpack

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.framing import MIRRORED
from clipfg.embedding.pipeline import PATCHES, WHOLE, EmbeddingOptions, collect
from clipfg.embedding.views import ViewItems, Views
from clipfg.encoders import Encoder
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.errors import DataError
from clipfg.heads.base import FeatureSets
from clipfg.types import Failure, Manifest

ZOOM = 0.75
"""The share of the sides that a closer view shows."""


class AlignedView(NamedTuple):
    """A view, and where it lies in what the encoder sees of the image: mirrored, or its middle."""

    name: str
    mirrored: bool = False
    share: float = 1.0

    def placed(self, map_: Float[Tensor, "h w d"], grid: tuple[int, int]) -> Tensor:
        """The map of this view at the cells `[rows, columns, d]` of the image's own; 0 outside."""
        if self.mirrored:
            map_ = map_.flip(1)
        down, across = ((2 * torch.arange(cells) + 1) / cells - 1 for cells in grid)
        places = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=-1) / self.share
        found = grid_sample(
            map_.float().permute(2, 0, 1)[None],
            places[None],
            padding_mode="border",
            align_corners=False,
        )[0].permute(1, 2, 0)
        return found * (places.abs() <= 1).all(dim=-1, keepdim=True)


def aligned_views(preprocessing: Preprocessing) -> tuple[AlignedView, ...]:
    """The mirror image and, where the encoder crops a square, a closer look at its middle."""
    mirror = AlignedView(MIRRORED, mirrored=True)
    crops = not preprocessing.any_shape and preprocessing.resize == "crop"
    if not crops or preprocessing.size[0] != preprocessing.size[1]:
        return (mirror,)  # where the middle of a long image lies depends on its shape
    return (mirror, AlignedView(f"corner:0.5:0.5:{ZOOM}", share=ZOOM))


def collect_patch_views(
    manifest: Manifest,
    own: FeatureSets,
    encoder: Encoder,
    cache: EmbeddingCache | None,
    **options: Unpack[EmbeddingOptions],
) -> Float[Tensor, "v r d"]:
    """The patches of further views of a manifest's images, at the places of their `own`.

    In half precision, 0 where a view does not show a place. Options are those of `embed`. Raises
    `DataError` for an image that is lost.
    """
    views = aligned_views(encoder.preprocessing)
    names = tuple(view.name for view in views)
    lost: list[Failure] = []
    items = ViewItems(manifest, Views(names, names, names, ""), lost.append)
    options["framing"] = options.get("framing") or WHOLE
    options |= {"dense": PATCHES, "on_failure": items.fail}
    found = collect(items.items(), encoder, cache, **options).patches
    if lost or found is None:
        raise DataError(
            f"Expected the {len(manifest):,} images that are embedded to be there still,"
            f" {len(lost):,} cannot be read, such as {lost[0].uri} ({lost[0].reason}); run it"
            " again."
        )
    assert own.grids is not None
    placed = torch.empty(len(views), *own.rows.shape, dtype=torch.float16)
    for item, (rows, columns) in enumerate(own.grids.tolist()):
        start, stop = own.offsets[item : item + 2].tolist()
        for at, view in enumerate(views):
            map_ = torch.from_numpy(found[item * len(views) + at])
            placed[at, start:stop] = view.placed(map_, (rows, columns)).flatten(0, 1).half()
    return placed
