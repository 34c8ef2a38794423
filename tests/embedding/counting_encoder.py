"""A real, tiny vision transformer that logs what it encodes, for tests in several processes."""

import hashlib
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import final

import torch
from torch import Tensor, nn

from clipfg.encoders.base import DTYPES, Encoder, ImageFeatures, Precision
from clipfg.encoders.preprocessing import Preprocessing

SIDE = 32


@final
class CountingEncoder(Encoder):
    """Seeded weights, matrix products and attention as in the real ones, 64 wide.

    Every image and text that reaches a tower adds a line to `log`, in one write.
    """

    def __init__(
        self,
        log: Path | None = None,
        precision: Precision = "fp32",
        delay: float = 0.0,
        spoil: Sequence[int] = (),
        noise: float = 0.0,
        interrupt: int | None = None,
        tokens: bool = True,
    ) -> None:
        self.name = "test:counting"
        self.precision = precision
        self.device = torch.device("cpu")
        self.preprocessing = Preprocessing((SIDE, SIDE))
        self.dim = 64
        self.context_length = 77
        self.log = log
        self.delay = delay
        self.spoil = set(spoil)  # red levels of one-coloured images that come out as NaN
        self.noise = noise  # what the fast formats get wrong, on purpose
        self.interrupt = interrupt  # the batch in which Ctrl-C is pressed
        self.tokens = tokens  # whether it has patch features
        self.batches = 0
        self.loads = 0

    @property
    def fingerprint(self) -> str:
        return f"counting-{self.precision}"

    @property
    def logit_scale(self) -> float:
        return 100.0

    def at(self, precision: Precision) -> "CountingEncoder":
        return CountingEncoder(self.log, precision, self.delay, tuple(self.spoil), self.noise)

    @cached_property
    def model(self) -> nn.Module:
        self.loads += 1
        with torch.random.fork_rng():
            torch.manual_seed(0)
            layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
            model = nn.ModuleDict(
                {
                    "patches": nn.Conv2d(3, 64, 8, 8),
                    "blocks": nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
                }
            )
        return model.eval().to(DTYPES[self.precision])

    def encode_images(self, pixels: Tensor, *, patches: bool = False) -> ImageFeatures:
        self.batches += 1
        if self.batches == self.interrupt:
            raise KeyboardInterrupt
        self._write(p.numpy().tobytes() for p in pixels if p.any())
        time.sleep(self.delay)
        model = self.model
        scaled = self.preprocessing.normalise(pixels).to(DTYPES[self.precision])
        tokens = model["patches"](scaled).flatten(2).transpose(1, 2)
        tokens = model["blocks"](tokens)
        pooled = tokens.mean(1).float()
        if self.precision != "fp32" and self.noise:
            pooled = pooled + self.noise * pooled.norm() * torch.eye(64)[: len(pooled)]
        plain = pixels.float().flatten(2).std(2).amax(1) < 1
        red = torch.tensor([int(p[0, 0, 0]) in self.spoil for p in pixels])
        pooled[plain & red] = float("nan")
        return ImageFeatures(pooled, tokens.float() if patches and self.tokens else None)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        self._write(text.encode() for text in texts)
        self.loads += 1
        rows = []
        for text in texts:
            seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest())
            rows.append(torch.randn(self.dim, generator=torch.Generator().manual_seed(seed)))
        return torch.stack(rows) * 3

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        self.loads += 1
        return [len(text.split()) for text in texts]

    def _write(self, items: object) -> None:
        if self.log is not None:
            lines = "".join(hashlib.blake2b(i, digest_size=8).hexdigest() + "\n" for i in items)
            with self.log.open("a") as file:
                file.write(lines)
