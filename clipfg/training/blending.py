"""Weights between a base and what training made of it (WiSE-FT).

Source: Wortsman et al. 2022, arXiv 2109.01903: between the two, accuracy on what the base knew
falls slowly, while that on the new data rises fast.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Measured = TypeVar("Measured")

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Blend(Generic[Measured]):
    """What was measured at one share of the tuned weights, from 0 to 1."""

    share: float
    measured: Measured


class Blender:
    """A model whose weights can be put anywhere between `base` and those that it has now."""

    def __init__(self, model: nn.Module, base: Mapping[str, Tensor]) -> None:
        own = model.state_dict()
        self._places = {name: own[name] for name in base if not own[name].equal(base[name])}
        self._base = {name: base[name].clone() for name in self._places}
        self._tuned = {name: value.clone() for name, value in self._places.items()}

    @property
    def differs(self) -> bool:
        """Whether the model is not the base."""
        return bool(self._places)

    def put(self, share: float) -> None:
        """Set the model's weights to `base + share * (tuned - base)`; the ends are exact."""
        for name, place in self._places.items():
            if share in (0.0, 1.0):
                place.copy_(self._tuned[name] if share else self._base[name])
            elif place.is_floating_point():
                torch.lerp(self._base[name], self._tuned[name], share, out=place)

    def curve(self, measure: Callable[[], Measured]) -> list[Blend[Measured]]:
        """What `measure` gives at each of `SHARES`; of the base alone where nothing differs."""
        found = []
        with torch.no_grad():
            for share in SHARES if self.differs else SHARES[:1]:
                self.put(share)
                found.append(Blend(share, measure()))
        return found
