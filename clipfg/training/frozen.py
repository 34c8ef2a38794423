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
"""Of the machine's memory, the most that may be taken by what is to be remembered at once."""


class FrozenBlocks:
    """The blocks of a tower before the first that is trained, but never its last, computed once.

    They compute as before, until all inputs of a batch are remembered: then they hand on what they
    made of them, tokens or maps, whatever reaches them. The tower's stem still runs. `axis` is that
    of the inputs, 1 in towers that put positions first. The blocks of texts (`padded`) hand on as
    many positions as reach them, which depend on the batch: the last are padding, which nothing
    looks at.
    """

    def __init__(self, blocks: Sequence[nn.Module], *, axis: int = 0, padded: bool = False) -> None:
        self.blocks, self.axis, self.padded = tuple(blocks), axis, padded
        self._known: dict[Hashable, Tensor] = {}
        self._handed: list[Tensor] = []
        self._made: Any = None
        for block in self.blocks:
            block.forward = partial(self._forward, block.forward, block is self.blocks[-1])

    @classmethod
    def of(cls, blocks: Sequence[nn.Module], **how: Any) -> Self:
        """Those of all blocks of a tower, of which some may have weights with gradients."""
        trained = [any(w.requires_grad for w in block.parameters()) for block in blocks]
        first = (*trained, True).index(True)
        return cls(blocks[: min(first, max(0, len(blocks) - 1))], **how)

    def __len__(self) -> int:
        return len(self.blocks)

    def _forward(self, compute: Any, last: bool, tokens: Tensor, *rest: Any, **options: Any) -> Any:
        if self._handed:
            return self._recalled(tokens) if last else tokens
        made = compute(tokens, *rest, **options)
        if last:
            self._made = made
        return made

    @contextmanager
    def recalled(self, keys_of: Callable[[], Sequence[Hashable]]) -> Iterator[None]:
        """While a tower runs on the inputs of these keys: hand on what was made of them."""
        keys = keys_of() if self._known else ()
        if all(key in self._known for key in keys):
            self._handed = [self._known[key] for key in keys]
        try:
            yield
        finally:
            self._handed = []

    def _recalled(self, tokens: Tensor) -> Tensor:
        """What is handed on in place of what the blocks would make of the tokens."""
        rows = self._handed
        if self.padded:
            count = tokens.shape[1 - self.axis]
            rows = [pad(row[:count], (0, 0, 0, max(0, count - len(row)))) for row in rows]
        return torch.stack(rows, self.axis).to(tokens.device)

    def remember(self, keys: Sequence[Hashable], run: Callable[[], object], total: int) -> bool:
        """Keep what is made of some of `total` inputs; `run` lets the tower run on them.

        False, and these are not kept, where all would take too much memory.
        """
        if all(key in self._known for key in keys):
            return True
        run()
        made, self._made = self._made, None
        if not isinstance(made, Tensor) or made.shape[self.axis] != len(keys):
            return False  # blocks of another kind
        rows = made.cpu().unbind(self.axis)
        needed = total * rows[0].nbytes
        if needed > SHARE * machine_memory():
            logger.info(
                f"Frozen blocks are computed in each step: what they make of {total:,} inputs takes"
                f" {in_words(needed)}"
            )
            return False
        self._known |= zip(keys, rows, strict=True)
        return True


def frozen_blocks(model: nn.Module) -> dict[str, FrozenBlocks]:
    """Of both towers, `images` and `texts`; none of towers that have no rows of blocks."""
    try:
        names = stacks(model)
    except UsageError:
        return {"images": FrozenBlocks(()), "texts": FrozenBlocks(())}
    found = {}
    for tower, name in names.items():
        row, above = model.get_submodule(name), model.get_submodule(name.rpartition(".")[0])
        axis = 0 if getattr(above, "batch_first", True) else 1
        found[tower] = FrozenBlocks.of(list(row.children()), axis=axis, padded=tower == "texts")
    return found
