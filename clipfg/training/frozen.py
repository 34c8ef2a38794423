"""What the frozen blocks of a tower make of inputs that come again, computed once."""

import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from clipfg.errors import UsageError
from clipfg.memory import in_words, machine_memory
from clipfg.training.parts import stacks

logger = logging.getLogger("clipfg")

SHARE = 0.125
"""Of the machine's memory, the most that the tokens of one tower may take."""


class FrozenBlocks:
    """The blocks of a tower before the first that is trained, but never its last.

    They compute as before, until all inputs of a batch are remembered: then they hand on the tokens
    `[b n w]` that they made of them, whatever reaches them. The tower's stem still runs. Where it
    gives a text more or fewer positions than before, as for other texts in the batch, these are
    padding, which nothing looks at.
    """

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        self.blocks = tuple(blocks)
        self._known: dict[Hashable, Tensor] = {}
        self._handed: list[Tensor] = []
        self._made: Any = None
        for block in self.blocks:
            block.forward = partial(self._forward, block.forward, block is self.blocks[-1])

    @classmethod
    def of(cls, blocks: Sequence[nn.Module]) -> Self:
        """Those of all blocks of a tower, of which some may have weights with gradients."""
        trained = [any(w.requires_grad for w in block.parameters()) for block in blocks]
        first = (*trained, True).index(True)
        return cls(blocks[: min(first, max(0, len(blocks) - 1))])

    def __len__(self) -> int:
        return len(self.blocks)

    def _forward(self, compute: Any, last: bool, tokens: Tensor, *rest: Any, **options: Any) -> Any:
        if self._handed:
            return self._as_wide(tokens) if last else tokens
        made = compute(tokens, *rest, **options)
        if last:
            self._made = made
        return made

    @contextmanager
    def recalled(self, keys: Sequence[Hashable]) -> Iterator[None]:
        """While a tower runs on the inputs of these keys: hand on what was made of them."""
        if all(key in self._known for key in keys):
            self._handed = [self._known[key] for key in keys]
        try:
            yield
        finally:
            self._handed = []

    def _as_wide(self, tokens: Tensor) -> Tensor:
        """What is handed on, at as many positions as the tokens that came have."""
        count = tokens.shape[1]
        rows = (
            pad(row[:count], (0, 0) * (row.ndim - 1) + (0, count - len(row[:count])))
            for row in self._handed
        )
        return torch.stack(list(rows)).to(tokens.device)

    def remember(self, keys: Sequence[Hashable], run: Callable[[], object], total: int) -> bool:
        """Keep what is made of some of `total` inputs; `run` lets the tower run on them.

        False, and nothing is kept, where all would take too much memory.
        """
        if all(key in self._known for key in keys):
            return True
        run()
        made, self._made = self._made, None
        if not isinstance(made, Tensor) or len(made) != len(keys):
            return False  # blocks of another kind
        needed = total * made[0].nbytes
        if needed > SHARE * machine_memory():
            logger.info(
                f"Frozen blocks are computed in each step: what they make of {total:,} inputs takes"
                f" {in_words(needed)}"
            )
            return False
        self._known |= zip(keys, made.cpu(), strict=True)
        return True


def frozen_blocks(model: nn.Module) -> dict[str, FrozenBlocks]:
    """Of both towers, `images` and `texts`; none of towers that have no rows of blocks."""
    try:
        rows = {tower: model.get_submodule(name) for tower, name in stacks(model).items()}
    except UsageError:
        rows = {"images": nn.ModuleList(), "texts": nn.ModuleList()}
    return {tower: FrozenBlocks.of(list(row.children())) for tower, row in rows.items()}
