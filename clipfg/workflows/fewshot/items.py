"""What heads may be handed of the images of a run: features, and pixels where one takes those."""

import logging
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.embedding.patch_views import collect_patch_views
from clipfg.embedding.pipeline import default_workers
from clipfg.errors import DataError, UsageError
from clipfg.heads.base import FeatureSets, Images
from clipfg.heads.support import Support
from clipfg.options import FewshotOptions
from clipfg.training.pixels import load_pixels
from clipfg.types import Failure
from clipfg.workflows.boxes import framing_of
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.fewshot.images import FewshotImages
from clipfg.workflows.pool import FeaturePool
from clipfg.workflows.protocol.splits import SupportAndTest
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")


def check_takes_images(session: Session[FewshotOptions], head: str, *parts: Dataset) -> None:
    """Raises `UsageError` where items are not images or boxes cut out, once each."""
    for part in parts:
        what, framing = "", framing_of(session.options, part.manifest)
        if part.features is not None:
            what = "features of a file"
        elif framing is not None and framing.crop == "region":
            what = "regions of a dense map"
        elif session.views is not None:
            what = "several views of each"
        if what:
            raise UsageError(
                f"Head {head!r} trains an encoder on images, and {part.name} is used as"
                f" {what}; use a head on features, such as auto or prolip."
            )


def support_of(
    session: Session[FewshotOptions],
    roles: SupportAndTest,
    images: FewshotImages,
    texts: Float[Tensor, "c d"] | None,
) -> Support:
    """All images to learn from, with their patches where the session keeps them."""
    learnt = images.support
    labels = torch.from_numpy(learnt.labels)
    support = Support.of("few-shot", learnt.features, labels, texts, groups=learnt.groups)
    if not session.dense:
        return support
    return replace(support, patches=with_patches(session, roles.support, learnt))


def with_patches(session: Session[FewshotOptions], data: Dataset, pool: FeaturePool) -> FeatureSets:
    """The patches of a support's images, with those of further views where there are images.

    Raises `DataError` for features without patches and for a lost image.
    """
    if pool.patches is None:
        raise DataError("Expected features with patches, got pooled features alone.")
    if data.features is not None or session.encoder is None:
        return pool.patches
    places = {identity: row for row, identity in enumerate(data.manifest.ids)}
    manifest = data.rows(np.array([places[identity] for identity in pool.ids], np.intp)).manifest
    views = collect_patch_views(
        manifest,
        pool.patches,
        session.encoder,
        session.kept,
        framing=framing_of(session.options, manifest),
        batch_size=session.options.batch_size,
        workers=session.options.workers,
        progress=session.progress("Embedding further views"),
    )
    return replace(pool.patches, views=views)


def load_images(session: Session[FewshotOptions], data: Dataset, ids: list[str]) -> Images:
    """The pixels of the items called `ids`, in that order. Raises `DataError` for a lost image."""
    assert session.encoder is not None
    places = {identity: row for row, identity in enumerate(data.manifest.ids)}
    rows = np.array([places[identity] for identity in ids], np.intp)
    lost: list[Failure] = []
    manifest = data.rows(rows).manifest
    pixels = load_pixels(
        manifest,
        session.encoder.preprocessing,
        framing=framing_of(session.options, manifest),
        workers=session.options.workers or default_workers(),
        progress=session.progress("Decoding"),
        on_failure=lost.append,
    )
    if lost:
        raise DataError(
            f"Expected the {len(ids):,} images that are embedded to be there still, {len(lost):,}"
            f" cannot be read, such as {lost[0].uri} ({lost[0].reason}); run it again."
        )
    return Images(pixels.images, torch.arange(len(pixels)))
