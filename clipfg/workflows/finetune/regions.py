"""The regions that a recipe looks at, with phrases for what they show."""

import logging
from collections.abc import Sequence

from clipfg.data import synthflora
from clipfg.encoders import Encoder
from clipfg.training.regions import propose
from clipfg.types import Manifest

logger = logging.getLogger("clipfg")


def with_regions(
    manifest: Manifest,
    name: str,
    *,
    encoder: Encoder,
    spans: Sequence[Sequence[str]],
    most: int,
    offline: bool,
) -> Manifest:
    """The manifest with regions by the proposals called `name`; `auto` is its own, else attention.

    `spans` are what may be looked for in each picture. Raises as `propose` does.
    """
    if manifest.uris[0].startswith("synthflora:") and name in ("auto", "boxes"):
        manifest = synthflora.with_regions(manifest)
    if name == "auto":
        own = manifest.column("regions") or manifest.column("box")
        name = "boxes" if own and any(own) else "attention"
    found = propose(manifest, name, encoder=encoder, spans=spans, most=most, offline=offline)
    count = sum(len(own or ()) for own in found.column("regions") or ())
    logger.info(f"Regions: {count:,} by {name!r} in {len(found):,} pictures")
    return found
