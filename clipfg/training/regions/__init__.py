"""Region proposals: where to look in a picture, from its own boxes, rules or detectors."""

from clipfg.training.regions.base import PROPOSALS, Picture, propose

__all__ = ["PROPOSALS", "Picture", "propose"]
