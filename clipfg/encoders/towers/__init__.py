"""What is inside an image tower: where its patches are pooled, and what its attention does."""

from clipfg.encoders.towers.attention import Attention
from clipfg.encoders.towers.base import TokenTower, Trace, VisionTower

__all__ = ["Attention", "TokenTower", "Trace", "VisionTower"]
