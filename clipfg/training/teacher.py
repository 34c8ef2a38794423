"""What a frozen encoder sees in the regions of images, as targets of distillation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.framing import Framing
from clipfg.embedding.pipeline import collect
from clipfg.encoders import Encoder
from clipfg.training.losses.distillation import region_scores, region_target
from clipfg.types import Manifest, Progress

Seeing = Literal["crops", "dense"]
"""How the base sees regions: cut out and shown one by one, or read from its dense map."""


def region_features(
    manifest: Manifest,
    encoder: Encoder,
    cache: EmbeddingCache | None,
    seeing: Seeing = "crops",
    progress: Callable[[str], Progress | None] = lambda _: None,
) -> tuple[Float[Tensor, "n r d"], Bool[Tensor, "n r"]]:
    """Unit-norm features of the regions of images, and which of these exist.

    Images that cannot be used have none. Everything goes through the cache. Raises `UsageError`
    for `"dense"` with an encoder without patch features.
    """
    items = _region_items(manifest)
    regions = manifest.column("regions") or [()] * len(manifest)
    counts = [len(own or ()) for own in regions]
    crops = torch.zeros(len(manifest), max(counts, default=0), encoder.dim)
    mask = torch.zeros(crops.shape[:2], dtype=torch.bool)
    if items is not None:
        framing = Framing("square" if seeing == "crops" else "region")
        flat = embedded(items, encoder, cache, progress("Embedding regions"), framing)
        places = [(row, k) for row, count in enumerate(counts) for k in range(count)]
        rows, columns = torch.tensor(places).T
        crops[rows, columns] = flat
        mask[rows, columns] = flat.any(dim=1)
    return crops, mask


def naming(
    regions: Float[Tensor, "n r d"],
    phrases: Sequence[Sequence[str]],
    features: Mapping[str, Float[Tensor, " d"]],
) -> float:
    """How often a region is most similar to its own phrase, of all; from 0 to 1."""
    texts = list(features)
    known = torch.stack([features[text] for text in texts])
    own = [
        (row, place, text) for row, all_ in enumerate(phrases) for place, text in enumerate(all_)
    ]
    own = [(row, place, text) for row, place, text in own if text]
    if not own:
        return 0.0
    rows, places, truths = zip(*own, strict=True)
    likely = (regions[list(rows), list(places)] @ known.T).argmax(dim=1).tolist()
    right = sum(texts[best] == truth for best, truth in zip(likely, truths, strict=True))
    return right / len(own)


def distillation_targets(
    whole: Float[Tensor, "n d"],
    crops: Float[Tensor, "n r d"],
    mask: Bool[Tensor, "n r"],
    phrases: Float[Tensor, "v d"],
) -> dict[str, Tensor]:
    """The constants of the terms `distillation` and `dclip`, with a row an image."""
    return {
        "crops": crops,
        "crop_mask": mask,
        "targets": region_target(whole, crops, mask),
        "phrase_scores": region_scores(crops, mask, phrases),
        "has_regions": mask.any(dim=1),
    }


def embedded(
    manifest: Manifest,
    encoder: Encoder,
    cache: EmbeddingCache | None,
    progress: Progress | None = None,
    framing: Framing | None = None,
) -> Float[Tensor, "n d"]:
    """Features in the order of the manifest, 0 for items that fail."""
    found = collect(manifest, encoder, cache, framing=framing, progress=progress)
    place = {id_: row for row, id_ in enumerate(manifest.ids)}
    rows = np.zeros((len(manifest), encoder.dim), dtype=np.float32)
    rows[[place[id_] for id_ in found.ids]] = found.pooled
    return torch.from_numpy(rows)


def _region_items(manifest: Manifest) -> Manifest | None:
    """An item for each region of the images; None where there is none."""
    columns: dict[str, list] = {"id": [], "uri": [], "box": []}
    regions = manifest.column("regions") or ()
    for id_, uri, own in zip(manifest.ids, manifest.uris, regions, strict=False):
        for number, region in enumerate(own or ()):
            columns["id"].append(f"{id_}#{number}")
            columns["uri"].append(uri)
            columns["box"].append(region["box"])
    return Manifest.build(f"regions of {manifest.name}", columns) if columns["id"] else None
