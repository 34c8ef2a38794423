"""Several views of an image in a job: which, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipfg.errors import UsageError
from clipfg.heads.saving import SavedHead
from clipfg.options import Options, ViewOptions

if TYPE_CHECKING:
    from clipfg.embedding.views import Views
    from clipfg.encoders import Encoder

EXTRA = "views"
"""Under what name a saved head carries the views that it has learnt from."""


def views_of(options: Options, encoder: Encoder, like: object = None) -> Views | None:
    """The views of `--views`, else those that the head `like` has learnt from; None for the center.

    Raises `UsageError` as `Views.of` does, and for `--view-pooling surest` without a view of the
    whole image, or without another.
    """
    names = options.views if isinstance(options, ViewOptions) else None
    if names is None and isinstance(like, SavedHead):
        names = like.extras.get(EXTRA, {}).get("names")
    views = None
    if names is not None:
        from clipfg.embedding.views import Views

        views = Views.of(names, encoder.preprocessing)
    if goes_by_surest(options) and (views is None or len(views) < 2 or not _has_whole(views)):
        raise UsageError(
            "--view-pooling surest chooses between the whole image and other views; give --views"
            " center+attention-crop or the like."
        )
    return views


def goes_by_surest(options: Options) -> bool:
    """Whether the surest view of each image counts."""
    return getattr(options, "view_pooling", "mean") == "surest"


def _has_whole(views: Views) -> bool:
    from clipfg.embedding.views import WHOLE

    return any(kind in WHOLE for kind in views.kinds)


def views_said(views: Views) -> str:
    """What the views are and cost."""
    return f"Views: {'+'.join(views.names)}, {views.passes} forward passes an image instead of 1"
