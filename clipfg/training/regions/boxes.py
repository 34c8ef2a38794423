"""The manifest's own regions, or its boxes."""

from clipfg.training.regions.base import Means, Proposer


def boxes(_: Means) -> Proposer:
    """Each picture's own."""
    return lambda picture: [*picture.given]
