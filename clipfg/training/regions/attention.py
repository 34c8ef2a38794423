"""Where the encoder itself looks: the windows of its attention that stand out.

Windows of several sizes are laid on the map at every cell. Each is scored by how far its mean lies
above that of the map, in standard errors of as many cells:

    z = (mean of the window - mean of the map) sqrt(cells) / deviation of the map

the scan statistic of a Gaussian (Kulldorff 1997, Communications in Statistics 26(6)). The best are
kept by non-maximum suppression.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize
from torchvision.ops import nms

from clipfg.encoders import Encoder
from clipfg.encoders.naflex import NaFlexPreprocessing
from clipfg.encoders.towers import TokenTower
from clipfg.errors import UsageError
from clipfg.explaining.dense import dense
from clipfg.explaining.placement import Placement
from clipfg.explaining.rollout import rollout
from clipfg.training.regions.base import Means, Picture, Proposer, Region

SHARES = (1 / 2, 1 / 3, 1 / 4)
"""Sides of the windows, as a share of the map's."""
OVERLAP = 0.3
"""Of two windows with a larger intersection over union, the better is kept."""


def attention(means: Means) -> Proposer:
    """Windows that stand out, by attention rollout; by dense similarity where there is none.

    Raises `UsageError` without an encoder, for one that takes images of any shape, and for one
    without attention and patch features.
    """
    encoder = means.encoder
    if encoder is None:
        raise UsageError("Expected an encoder for regions by 'attention'; name one by --model.")
    if isinstance(encoder.preprocessing, NaFlexPreprocessing):
        raise UsageError(
            f"{encoder.name} takes images of any shape, and its attention cannot be looked at;"
            " choose other regions, such as 'grid'."
        )
    return lambda picture: _look(encoder, picture)


def _look(encoder: Encoder, picture: Picture) -> list[Region]:
    map_ = _saliency(encoder, picture)
    rows, columns = map_.shape
    windows = standing_out(map_)
    x0, y0, x1, y1 = Placement.of(encoder.preprocessing, picture.size, (rows, columns)).window
    sides = torch.tensor([x1 - x0, y1 - y0] * 2) / torch.tensor([columns, rows] * 2)
    placed = windows * sides + torch.tensor([x0, y0] * 2)
    return [Region((a, b, c, d)) for a, b, c, d in placed.tolist()]


def _saliency(encoder: Encoder, picture: Picture) -> Float[Tensor, "rows cols"]:
    pixels = encoder.preprocessing(picture.image)[None]
    pooled = encoder.encode_images(pixels).pooled.detach().float().cpu()
    feature = normalize(pooled, dim=1)
    method = rollout if isinstance(encoder.tower, TokenTower) else dense
    return method(encoder, pixels, feature)[0, 0]


def standing_out(map_: Float[Tensor, "rows cols"]) -> Float[Tensor, "w 4"]:
    """The windows of a map that stand out, the best first: `x0, y0, x1, y1` in its cells.

    None where the map is the same everywhere.
    """
    rows, columns = map_.shape
    deviation = map_.std(correction=0)
    if deviation <= 1e-6 * map_.abs().max():
        return torch.zeros(0, 4)
    standard = (map_ - map_.mean()) / deviation
    boxes, scores = [], []
    for share in SHARES:
        high, wide = max(1, round(rows * share)), max(1, round(columns * share))
        means = torch.nn.functional.avg_pool2d(standard[None], (high, wide), stride=1)[0]
        down, across = torch.meshgrid(*map(torch.arange, means.shape), indexing="ij")
        boxes.append(torch.stack([across, down, across + wide, down + high], dim=-1).flatten(0, 1))
        scores.append((means * (high * wide) ** 0.5).flatten())
    every, z = torch.cat(boxes).float(), torch.cat(scores)
    every, z = every[z > 0], z[z > 0]
    return every[nms(every, z, OVERLAP)]
