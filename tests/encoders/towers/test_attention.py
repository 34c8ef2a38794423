"""Traces: attention written out, with gradients, beside what the libraries compute."""

import threading
from pathlib import Path

import pytest
import torch

from clipfg.encoders import Encoder, load_encoder
from clipfg.encoders.towers import TokenTower
from clipfg.errors import UsageError
from tests import checkpoints

EAGER = ["clip", "metaclip-2", "chinese-clip", "altclip", "siglip", "dual-encoder"]


NAFLEX = ("siglip2-naflex", "fgclip-2")


@pytest.fixture(params=[kind for kind in checkpoints.EVERY if kind not in NAFLEX])
def encoder(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Encoder:
    return load_encoder(str(folders[request.param]), precision="fp32", device="cpu")


def pixels_for(encoder: Encoder, count: int = 2) -> torch.Tensor:
    random = torch.Generator().manual_seed(3)
    size = (count, 3, *encoder.preprocessing.size)
    return torch.randint(0, 256, size, dtype=torch.uint8, generator=random)


def test_a_trace_holds_together(encoder: Encoder) -> None:
    pixels = pixels_for(encoder)
    trace, tower = encoder.trace(pixels), encoder.tower
    assert isinstance(tower, TokenTower)
    features = encoder.encode_images(pixels, patches=True)
    torch.testing.assert_close(trace.pooled, features.pooled, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(tower.pool(trace.tokens[-1]), trace.pooled, atol=2e-5, rtol=1e-4)
    assert len(trace.tokens) == len(trace.attentions) + 1 == len(tower.blocks) + 1
    assert trace.tokens[0].shape[1] == tower.prefix + features.patches.shape[1]
    assert (trace.pooling is None) == (not encoder.name.split("/")[-1].startswith("siglip"))
    for attention in trace.attentions:
        sums = attention.probabilities.sum(-1)
        torch.testing.assert_close(sums, torch.ones_like(sums))
        score = attention.queries @ attention.keys.transpose(-2, -1)
        expected = (score / attention.keys.shape[-1] ** 0.5).softmax(-1)
        torch.testing.assert_close(attention.probabilities, expected)


def test_gradients_of_probabilities_follow_from_those_of_the_output(encoder: Encoder) -> None:
    trace = encoder.trace(pixels_for(encoder))
    target = (trace.pooled * torch.linspace(-1, 1, encoder.dim)).sum()
    for attention in trace.attentions:
        by_output, by_probabilities = torch.autograd.grad(
            target, [attention.output, attention.probabilities], retain_graph=True
        )
        expected = by_output @ attention.values.transpose(-2, -1)
        torch.testing.assert_close(by_probabilities, expected, atol=1e-6, rtol=1e-4)
        assert by_output.abs().max() > 0 or "siglip" in encoder.name  # layers that start as zero
    assert all(parameter.grad is None for parameter in encoder.model.parameters())


@pytest.mark.parametrize("kind", EAGER)
def test_probabilities_equal_transformers_own(folders: dict[str, Path], kind: str) -> None:
    from transformers import AutoModel

    encoder = load_encoder(str(folders[kind]), precision="fp32", device="cpu")
    pixels = pixels_for(encoder)
    model = AutoModel.from_pretrained(folders[kind], attn_implementation="eager").eval()
    inputs = encoder.preprocessing.normalise(pixels)
    expected = model.vision_model(inputs, output_attentions=True).attentions
    for own, theirs in zip(encoder.trace(pixels).attentions, expected, strict=True):
        torch.testing.assert_close(own.probabilities, theirs, atol=1e-5, rtol=1e-4)


def test_probabilities_equal_torchs_own(folders: dict[str, Path]) -> None:
    encoder = load_encoder(str(folders["open-clip-vit"]), precision="fp32", device="cpu")
    trace = encoder.trace(pixels_for(encoder))
    for block, tokens, own in zip(
        encoder.tower.blocks, trace.tokens[:-1], trace.attentions, strict=True
    ):
        normed = block.ln_1(tokens)
        _, theirs = block.attn(normed, normed, normed, average_attn_weights=False)
        torch.testing.assert_close(own.probabilities, theirs, atol=1e-6, rtol=1e-5)


def test_weights_loaded_in_inference_mode_still_carry_gradients(folders: dict[str, Path]) -> None:
    encoder = load_encoder(str(folders["clip"]), precision="fp32", device="cpu")
    pixels = pixels_for(encoder)
    with torch.inference_mode():
        encoder.encode_images(pixels)
        trace = encoder.trace(pixels)
    assert torch.autograd.grad(trace.pooled.sum(), trace.tokens[0])[0].abs().max() > 0


def test_threads_see_their_own_tokens(folders: dict[str, Path]) -> None:
    encoder = load_encoder(str(folders["open-clip-vit"]), precision="fp32", device="cpu")
    images = pixels_for(encoder, 8)
    expected = [encoder.encode_images(images[[n]], patches=True).patches for n in range(8)]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(30):
            patches = encoder.encode_images(images[[number]], patches=True).patches
            if not torch.equal(patches, expected[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    blocks = encoder.tower.blocks
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in blocks)


def test_a_tower_without_attention_says_so(folders: dict[str, Path]) -> None:
    from clipfg.encoders.towers import VisionTower

    tower = VisionTower(lambda pixels: pixels, "its image tower is of an unknown kind (X)")
    with pytest.raises(UsageError, match="without attention"):
        tower.trace(torch.zeros(1, 3, 8, 8))
    with pytest.raises(UsageError, match="unknown kind"):
        tower.dense(torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("kind", NAFLEX)
def test_images_of_any_shape_have_no_trace(folders: dict[str, Path], kind: str) -> None:
    encoder = load_encoder(str(folders[kind]), precision="fp32", device="cpu")
    with pytest.raises(UsageError, match="cannot be looked at"):
        encoder.trace(torch.zeros((1, 3, 32, 32), dtype=torch.uint8))
