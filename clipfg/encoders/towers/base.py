"""Image towers as the parts that patch features and explanations need."""

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clipfg.encoders.towers.attention import Attention, AttentionRecorder
from clipfg.errors import UsageError

Run = Callable[[Tensor], Tensor]
"""Normalised pixels, or patches of them, to pooled features `[b, d]`, as the tower's own library
computes them."""


@dataclass(frozen=True)
class Trace:
    """What happened in a tower, with gradients from `pooled` back to every part.

    There are l blocks and n tokens: those before the patches, and the patches row by row.
    """

    pooled: Float[Tensor, "b d"]
    """In the joint space, not normalised."""
    tokens: tuple[Float[Tensor, "b n w"], ...]
    """Before each block, and after the last: l + 1 of them."""
    attentions: tuple[Attention, ...]
    """Of each block."""
    pooling: Attention | None
    """Of the head that pools by attention (SigLIP), with one query; None for other towers."""


class VisionTower:
    """An image tower. By itself it is one of which no more is known than how to run it."""

    silent: str = ""
    """Why its patches say nothing in the joint space; empty where they do."""

    def __init__(self, run: Run, silent: str = "") -> None:
        self.run = run
        self.silent = silent

    def pooled(self, inputs: Float[Tensor, "b ..."]) -> Float[Tensor, "b d"]:
        """Pooled features, equal to those of `run` up to rounding."""
        return self.run(inputs)

    def dense(
        self,
        inputs: Float[Tensor, "b ..."],  # noqa: ARG002
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b p d"]]:
        """Pooled features, bit for bit those of `pooled`, and patches' from the same pass.

        Each patch is pooled alone, as if it were all that there is to attend to or to average.
        Raises `UsageError` for a silent tower.
        """
        raise UsageError(f"This tower has no patch features: {self.silent}.")

    def trace(self, inputs: Float[Tensor, "b ..."]) -> Trace:  # noqa: ARG002
        """Run the tower with its attention written out. Raises `UsageError` for one without it."""
        raise UsageError("Expected a vision transformer (ViT), got a tower without attention.")


class TokenTower(VisionTower):
    """A vision transformer: blocks from tokens to tokens, and a way to pool them."""

    blocks: tuple[nn.Module, ...]
    prefix: int
    """How many tokens come before the patches: the class token, registers."""
    gathers: bool
    """Whether the pooled feature is a class token's, which gathers the patches within the blocks;
    else they are pooled after all blocks."""

    @abstractmethod
    def pool(self, tokens: Float[Tensor, "b n w"]) -> Float[Tensor, "b d"]:
        """Pooled features of tokens, given as they come out of a block."""

    @abstractmethod
    def pool_each(self, tokens: Float[Tensor, "b p w"]) -> Float[Tensor, "b p d"]:
        """Each patch pooled as if it were the only token."""

    def gather(self, tokens: Float[Tensor, "m 1 w"]) -> Float[Tensor, "m 1 w"]:
        """What the last block's attention adds to sequences of one patch: the patch's own value.

        The patch itself, which the block adds it to, and the MLP after it are left out (MaskCLIP,
        arXiv 2112.01071; ClearCLIP, arXiv 2407.12442; docs/dense.md compares). Needed of towers
        whose class token gathers.
        """
        raise NotImplementedError

    def gathered(
        self, inputs: Float[Tensor, "b ..."]
    ) -> tuple[Float[Tensor, "b n w"], Float[Tensor, "b d"]]:
        """The tokens before the last block, and pooled features.

        Towers that know how to do it compute the last block for the class token alone, as nothing
        looks at what becomes of the patches there: of twelve blocks, 7 % of the products.
        """
        with _watched(self.blocks[-1:]) as seen:
            pooled = self.run(inputs)
        return seen[0], pooled

    def pooled(self, inputs: Float[Tensor, "b ..."]) -> Float[Tensor, "b d"]:
        """Pooled features, equal to those of `run` up to rounding."""
        return self.gathered(inputs)[1] if self.gathers else self.run(inputs)

    def dense(
        self, inputs: Float[Tensor, "b ..."]
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b p d"]]:
        """Pooled features, and those of patches from the tokens around the last block."""
        if not self.gathers:
            with _watched(self.blocks[-1:]) as seen:
                pooled = self.run(inputs)
            return pooled, self.pool_each(seen[1][:, self.prefix :])
        before, pooled = self.gathered(inputs)
        tokens = before[:, self.prefix :]
        alone = self.gather(tokens.flatten(0, 1)[:, None])
        return pooled, self.pool_each(alone.view_as(tokens))

    def trace(self, inputs: Float[Tensor, "b ..."]) -> Trace:
        """Run the tower with its attention written out."""
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            _watched(self.blocks) as tokens,
            AttentionRecorder() as recorder,
        ):
            pooled = self.run(inputs.clone().requires_grad_())
        count = len(self.blocks)
        attentions = tuple(recorder.attentions[:count])
        if len(attentions) < count:
            raise UsageError("Expected attention in every block of the tower, got a block without.")
        pooling = recorder.attentions[count] if len(recorder.attentions) > count else None
        return Trace(pooled, tuple(tokens), attentions, pooling)


@contextmanager
def _watched(blocks: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """The tokens before each of some consecutive blocks, and after the last, as they are run.

    Other threads may run the same tower at the same time; theirs are not seen.
    """
    seen: list[Tensor] = []
    thread = threading.get_ident()

    def before(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if threading.get_ident() == thread:
            seen.append(inputs[0])

    def after(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        if threading.get_ident() == thread:
            seen.append(output)

    hooks = [block.register_forward_pre_hook(before) for block in blocks]
    hooks.append(blocks[-1].register_forward_hook(after))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
