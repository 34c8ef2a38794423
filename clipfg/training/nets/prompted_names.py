"""Learned vectors in place of the words before class names, through a frozen text tower."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.errors import DataError

PHRASE = ("a", "photo", "of", "a")
"""What the vectors begin as, over again."""


class PromptedNames(nn.Module):
    """Features of `[v_1] .. [v_m] name.` for c names, with gradients of the vectors alone.

    The vectors stand where the tower's own tokens of words would: they replace what its token
    embedding gives, so that any tower with one can be used. They are at most `length`, fewer where
    the longest name leaves less room. Raises `DataError` where it leaves none.
    """

    def __init__(self, encoder: CheckpointEncoder, names: Sequence[str], length: int) -> None:
        super().__init__()
        self.encoder = encoder.trainable()
        self._embedding = max(
            (m for m in self.encoder.model.modules() if isinstance(m, nn.Embedding)),
            key=lambda module: module.num_embeddings,
        )
        phrase = self._phrase(names, length)
        self.texts = [f"{phrase} {name}." for name in names]
        self._first = self._tokens_before_words()
        count = self._count(phrase)
        with torch.no_grad():
            ids = self._ids([phrase])[0, self._first : self._first + count]
            self.vectors = nn.Parameter(self._embedding(ids).float().clone())

    def forward(self) -> Float[Tensor, "c d"]:
        """Features, float32, not normalised."""
        first, after = self._first, self._first + len(self.vectors)

        def replaced(_: nn.Module, __: object, out: Tensor) -> Tensor:
            vectors = self.vectors.to(out).expand(len(out), -1, -1)
            return torch.cat([out[:, :first], vectors, out[:, after:]], dim=1)

        with _hooked(self._embedding.register_forward_hook(replaced)):
            return self.encoder.text_tower(self.texts).float()

    def _phrase(self, names: Sequence[str], length: int) -> str:
        longest = max(self.encoder.count_tokens([f"{name}." for name in names]))
        room = min(length, self.encoder.context_length - longest)
        words = list(islice(cycle(PHRASE), max(room, 0)))
        while words and self._count(" ".join(words)) > room:
            words.pop()
        if not words:
            raise DataError(
                f"Expected class names that leave room for learned words among the"
                f" {self.encoder.context_length} tokens that {self.encoder.name} reads, got one of"
                f" {longest}; shorten the names."
            )
        return " ".join(words)

    def _count(self, text: str) -> int:
        """Tokens of a text, without special ones."""
        one, two = self.encoder.count_tokens(["a", "a a"])
        return self.encoder.count_tokens([text])[0] - (2 * one - two)

    def _tokens_before_words(self) -> int:
        """How many special tokens a text begins with: what texts of other words share."""
        one, other = self._ids(["a", "photo"])
        return int((one == other).cumprod(0).sum())

    def _ids(self, texts: Sequence[str]) -> Int[Tensor, "t l"]:
        """What the embedding is given."""
        seen: list[Tensor] = []
        hook = self._embedding.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        with _hooked(hook), torch.no_grad():
            self.encoder.text_tower(list(texts))
        return seen[0]


@contextmanager
def _hooked(hook: torch.utils.hooks.RemovableHandle) -> Iterator[None]:
    try:
        yield
    finally:
        hook.remove()
