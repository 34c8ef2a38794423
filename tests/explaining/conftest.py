"""Tiny random towers, and everything that happens in them computed straight from their weights."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from clipfg.encoders import Encoder, load_encoder
from tests import checkpoints
from tests.encoders.towers import straight
from tests.encoders.towers.test_open_clip import weights_of_block
from tests.encoders.towers.test_transformers import HEAD, NAMES

HEADS = 2
SIDE, PATCH, GRID = 32, 8, 4


@dataclass
class Straight:
    """A CLIP ViT in float64: the class token or the mean of patches, then a projection."""

    weights: straight.Weights
    pixels: Tensor
    average: bool
    prefix: ClassVar[int] = 1
    eps: ClassVar[float] = 1e-5
    act: ClassVar[Callable[[Tensor], Tensor]] = staticmethod(straight.gelu)

    def __post_init__(self) -> None:
        x = self.embed()
        self.blocks = [self.weights_of(number) for number in range(2)]
        self.tokens, self.attention = [x], []
        for number, block in enumerate(self.blocks):
            self.attention.append(straight.probabilities(x, block, HEADS, self.eps))
            x = self.after(number, self.attention[-1] @ self.heads(number, "v"))
            self.tokens.append(x)
        self.last = x

    def patches(self, weight: str) -> Tensor:
        cut = self.pixels.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH).permute(0, 2, 3, 1, 4, 5)
        return cut.flatten(3).flatten(1, 2) @ self.weights[weight].flatten(1).T

    def embed(self) -> Tensor:
        w, patches = self.weights, self.patches("conv1.weight")
        first = w["class_embedding"].expand(len(self.pixels), 1, -1)
        x = torch.cat([first, patches], 1) + w["positional_embedding"]
        return straight.norm(x, w, "ln_pre")

    def weights_of(self, number: int) -> straight.Weights:
        return weights_of_block(self.weights, number)

    def heads(self, number: int, part: str) -> Tensor:
        """Queries, keys or values of a block, heads apart."""
        w = self.blocks[number]
        normed = straight.norm(self.tokens[number], w, "ln1", self.eps)
        return straight.heads_apart(straight.linear(normed, w, part), HEADS)

    def after(self, number: int, output: Tensor) -> Tensor:
        """What comes out of a block with another output of its attention."""
        w = self.blocks[number]
        mixed = straight.linear(output.transpose(1, 2).flatten(2), w, "out")
        return straight.feed_forward(self.tokens[number] + mixed, w, self.act, self.eps)

    def score(self, tokens: Tensor, text: Tensor) -> Tensor:
        """The cosine of pooled tokens with a text."""
        normed = straight.norm(tokens, self.weights, "ln_post")
        return cosine(
            (normed[:, 1:].mean(1) if self.average else normed[:, 0]) @ self.weights["proj"], text
        )

    def gathering(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Queries, keys, values and output of the attention that gathers the patches last."""
        q, k, v = (self.heads(1, part) for part in "qkv")
        return q, k, v, self.attention[1] @ v

    def gathered(self, output: Tensor, text: Tensor) -> Tensor:
        """The score with another output of that attention."""
        return self.score(self.after(1, output), text)

    def asked(self, number: int) -> Tensor:
        """The probabilities of a block by which LeGrad asks `[b, h, i, n]`."""
        return self.attention[number]

    def answered(self, number: int, probabilities: Tensor, text: Tensor) -> Tensor:
        """The score of the tokens after the block with others."""
        return self.score(self.after(number, probabilities @ self.heads(number, "v")), text)

    def pooled_row(self) -> Tensor:
        """By how much each of the last tokens is pooled `[b, n]`."""
        row = torch.zeros(self.last.shape[:2], dtype=torch.float64)
        if self.average:
            row[:, 1:] = 1 / (row.shape[1] - 1)
        else:
            row[:, 0] = 1
        return row


class AttentionPooled(Straight):
    """A SigLIP ViT in float64: a head whose one query gathers all patches."""

    prefix, eps, act = 0, 1e-6, staticmethod(straight.gelu_tanh)

    def embed(self) -> Tensor:
        w = self.weights
        self.head = straight.canonical(straight.part(w, "head."), HEAD, "attention.in_proj_")
        x = self.patches("embeddings.patch_embedding.weight") + w["embeddings.patch_embedding.bias"]
        return x + w["embeddings.position_embedding.weight"]

    def weights_of(self, number: int) -> straight.Weights:
        return straight.canonical(straight.part(self.weights, f"encoder.layers.{number}."), NAMES)

    def pool(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Queries, keys, values and probabilities of the head."""
        normed = straight.norm(tokens, self.weights, "post_layernorm", self.eps)
        q, k, v = (
            straight.heads_apart(straight.linear(x, self.head, part), HEADS)
            for x, part in ((self.weights["head.probe"], "q"), (normed, "k"), (normed, "v"))
        )
        return q, k, v, torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)

    def gathering(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        q, k, v, probabilities = self.pool(self.last)
        return q, k, v, probabilities @ v

    def gathered(self, output: Tensor, text: Tensor) -> Tensor:
        mixed = straight.linear(output.transpose(1, 2).flatten(2), self.head, "out")
        return cosine(straight.feed_forward(mixed, self.head, self.act, self.eps)[:, 0], text)

    def asked(self, number: int) -> Tensor:
        return self.pool(self.tokens[number + 1])[3]

    def answered(self, number: int, probabilities: Tensor, text: Tensor) -> Tensor:
        return self.gathered(probabilities @ self.pool(self.tokens[number + 1])[2], text)

    def pooled_row(self) -> Tensor:
        return self.pool(self.last)[3][:, :, 0].mean(1)


def cosine(pooled: Tensor, text: Tensor) -> Tensor:
    return (pooled @ text) / pooled.norm(dim=1)


@pytest.fixture(scope="session", params=["class token", "average", "attention"])
def tower(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """A ViT in float32 that pools in each of three ways, with random weights far from their start:
    open_clip's, and SigLIP's of transformers.
    """
    home = Path(tmp_path_factory.mktemp("towers"))
    if request.param == "attention":
        folder = checkpoints.siglip(home / "siglip")
    else:
        config = checkpoints.open_clip_config()
        config["vision_cfg"] |= {"pool_type": "avg" if request.param == "average" else "tok"}
        checkpoints.bpe_file(home / "bpe.txt.gz")
        folder = checkpoints.save_open_clip(home, config, seed=4)
    encoder = load_encoder(str(folder), precision="fp32", device="cpu")
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in vision(encoder).parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return encoder


def vision(encoder: Encoder) -> nn.Module:
    model: Any = encoder.model
    found: nn.Module = model.visual if hasattr(model, "visual") else model.vision_model
    return found


@pytest.fixture(scope="session")
def pixels() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (2, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="session")
def texts(tower: Encoder) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return nn.functional.normalize(torch.randn(3, tower.dim, generator=generator), dim=1)


@pytest.fixture(scope="session")
def plain(tower: Encoder, pixels: Tensor) -> Straight:
    weights = {k: v.double() for k, v in vision(tower).state_dict().items()}
    inputs = tower.preprocessing.normalise(pixels).double()
    if "head.probe" in weights:
        return AttentionPooled(weights, inputs, average=False)
    return Straight(weights, inputs, not tower.tower.gathers)
