from pathlib import Path

import numpy as np
import pytest
import torch

from clipfg.functional.similarity import unit_norm
from clipfg.icl import LVLM, Neighbours
from tests import lvlms


@pytest.fixture
def neighbours() -> Neighbours:
    """Sixty keys of seven classes as a random query sees them, the most similar first."""
    generator = torch.Generator().manual_seed(3)
    keys = unit_norm(torch.randn(60, 8, generator=generator))
    query = unit_norm(torch.randn(1, 8, generator=generator))[0]
    order = (keys @ query).argsort(descending=True)
    labels = torch.from_numpy(np.random.default_rng(4).integers(0, 7, 60))
    texts = unit_norm(torch.randn(7, 8, generator=generator))
    return Neighbours(
        similarities=(keys @ query)[order],
        keys=keys[order],
        labels=labels[order],
        text_similarities=(texts @ query)[labels[order]],
    )


@pytest.fixture(scope="session", params=list(lvlms.EVERY))
def lvlm(request, tmp_path_factory) -> LVLM:
    """A tiny model of each family, from its files."""
    folder = tmp_path_factory.mktemp("lvlm") / request.param
    folder.mkdir()
    return LVLM(request.param, lvlms.EVERY[request.param](folder))


@pytest.fixture(scope="session")
def qwen(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lvlm") / "qwen"
    folder.mkdir()
    return lvlms.qwen2_vl(folder)
