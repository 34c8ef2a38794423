"""What encoders have in common whose weights lie in a checkpoint's files."""

from abc import abstractmethod
from functools import cached_property
from pathlib import Path

import torch

from clipfg.encoders.base import Encoder
from clipfg.encoders.weights import read_scalars


class CheckpointEncoder(Encoder):
    """Scale and bias of the logits, read from the files alone where they are safetensors."""

    @property
    @abstractmethod
    def weight_files(self) -> tuple[Path, ...]:
        """The files that hold the weights."""

    @cached_property
    def _scalars(self) -> dict[str, float]:
        names = ("logit_scale", "logit_bias")
        found: dict[str, float] = {}
        for path in self.weight_files:
            if path.suffix == ".safetensors":
                found |= read_scalars(path, names)
        if "logit_scale" not in found:
            parts = ((name, getattr(self.model, name, None)) for name in names)
            found = {name: part.float().item() for name, part in parts if part is not None}
        return found

    @property
    def logit_scale(self) -> float:
        """The factor on cosines; loads no tower unless the weights are a pickle."""
        return torch.tensor(self._scalars["logit_scale"]).exp().item()

    @property
    def logit_bias(self) -> float:
        """What is added to scaled cosines; 0 for a softmax model."""
        return self._scalars.get("logit_bias", 0.0)
