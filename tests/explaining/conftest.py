"""Tiny random towers, and everything that happens in them computed straight from their weights."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from clipfg.encoders import Encoder, load_encoder
from tests import checkpoints
from tests.encoders.towers import straight
from tests.encoders.towers.test_open_clip import weights_of_block

HEADS = 2
SIDE, PATCH, GRID = 32, 8, 4


@dataclass
class Straight:
    """A CLIP ViT in float64: the class token or the mean of patches, then a projection."""

    weights: straight.Weights
    pixels: Tensor
    average: bool

    def __post_init__(self) -> None:
        w = self.weights
        cut = self.pixels.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH).permute(0, 2, 3, 1, 4, 5)
        patches = cut.flatten(3).flatten(1, 2) @ w["conv1.weight"].flatten(1).T
        first = w["class_embedding"].expand(len(self.pixels), 1, -1)
        x = torch.cat([first, patches], 1) + w["positional_embedding"]
        x = straight.norm(x, w, "ln_pre")
        self.blocks = [weights_of_block(w, number) for number in range(2)]
        self.before, self.attention = [], []
        for block in self.blocks:
            self.before.append(x)
            self.attention.append(straight.probabilities(x, block, HEADS, 1e-5))
            x = self.block(len(self.before) - 1, self.attention[-1])
        self.last = x

    def heads(self, number: int, part: str) -> Tensor:
        """Queries, keys or values of a block, heads apart."""
        w = self.blocks[number]
        normed = straight.norm(self.before[number], w, "ln1")
        return straight.heads_apart(straight.linear(normed, w, part), HEADS)

    def block(self, number: int, attention: Tensor) -> Tensor:
        """What comes out of a block with other attention probabilities."""
        return self.after(number, attention @ self.heads(number, "v"))

    def after(self, number: int, output: Tensor) -> Tensor:
        """What comes out of a block with another output of its attention."""
        w = self.blocks[number]
        mixed = straight.linear(output.transpose(1, 2).flatten(2), w, "out")
        return straight.feed_forward(self.before[number] + mixed, w, straight.gelu, 1e-5)

    def score(self, tokens: Tensor, text: Tensor) -> Tensor:
        """The cosine of pooled tokens with a text."""
        normed = straight.norm(tokens, self.weights, "ln_post")
        pooled = (normed[:, 1:].mean(1) if self.average else normed[:, 0]) @ self.weights["proj"]
        return (pooled @ text) / pooled.norm(dim=1)


@pytest.fixture(scope="session", params=["class token", "average"])
def tower(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """An open_clip ViT in float32, with random weights far from their start."""
    home = Path(tmp_path_factory.mktemp("towers"))
    config = checkpoints.open_clip_config()
    config["vision_cfg"] |= {"pool_type": "avg" if request.param == "average" else "tok"}
    checkpoints.bpe_file(home / "bpe.txt.gz")
    encoder = load_encoder(
        str(checkpoints.save_open_clip(home, config, seed=4)), precision="fp32", device="cpu"
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in encoder.model.visual.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return encoder


@pytest.fixture(scope="session")
def pixels() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (2, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="session")
def texts() -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.nn.functional.normalize(torch.randn(3, 16, generator=generator), dim=1)


@pytest.fixture(scope="session")
def plain(tower: Encoder, pixels: Tensor) -> Straight:
    weights = {k: v.double() for k, v in tower.model.visual.state_dict().items()}
    inputs = tower.preprocessing.normalise(pixels).double()
    return Straight(weights, inputs, not tower.tower.gathers)
