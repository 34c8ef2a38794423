"""Every method on every family of towers."""

import pytest
import torch

from clipfg.encoders import load_encoder
from clipfg.errors import UsageError
from clipfg.explaining import METHODS
from tests import checkpoints

KINDS = ["open-clip-siglip", "clip", "siglip", "siglip2-naflex", "dual-encoder"]


@pytest.fixture(scope="module", params=KINDS)
def encoder(request, tmp_path_factory):
    folder = checkpoints.EVERY[request.param](tmp_path_factory.mktemp("tower") / request.param)
    return load_encoder(str(folder), precision="fp32", device="cpu")


@pytest.mark.parametrize("name", METHODS)
def test_a_map_for_each_image_and_text(encoder, name) -> None:
    generator = torch.Generator().manual_seed(0)
    size = (2, 3, *encoder.preprocessing.size)
    pixels = torch.randint(0, 256, size, dtype=torch.uint8, generator=generator)
    texts = torch.nn.functional.normalize(torch.randn(3, encoder.dim, generator=generator), dim=1)
    if encoder.name.endswith("naflex") and name != "dense":
        with pytest.raises(UsageError, match="images of any shape"):
            METHODS.get(name)(encoder, pixels, texts)
        return
    maps = METHODS.get(name)(encoder, pixels, texts)
    assert maps.shape[:2] == (2, 3)
    assert maps.shape[2] == maps.shape[3]
    assert maps.dtype == torch.float32
    assert torch.isfinite(maps).all()
    assert not maps.requires_grad
    assert torch.equal(maps[:, 0], maps[:, 1]) == (name == "rollout")
    # Images of a batch know nothing of each other.
    alone = METHODS.get(name)(encoder, pixels[1:], texts[1:2])
    torch.testing.assert_close(alone[0, 0], maps[1, 1], atol=1e-6, rtol=1e-3)


def test_a_tower_without_attention_says_so(shared) -> None:
    encoder = load_encoder(f"hf:{shared}/models/lit-birds", precision="fp32", device="cpu")
    pixels = torch.zeros((1, 3, *encoder.preprocessing.size), dtype=torch.uint8)
    for name in set(METHODS) - {"dense"}:
        with pytest.raises(UsageError, match=r"no attention to look into.*--method dense"):
            METHODS.get(name)(encoder, pixels, torch.eye(1, encoder.dim))
