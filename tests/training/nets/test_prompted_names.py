"""Learned vectors equal the words whose embeddings they are."""

import pytest
import torch

from clipfg.encoders import load_encoder
from clipfg.errors import DataError
from clipfg.training.nets.prompted_names import PromptedNames
from tests import checkpoints
from tests.training import material

NAMES = ("red bird", "small yellow flower")
KINDS = {
    "open_clip": material.tiny_clip,
    "clip": checkpoints.clip,
    "siglip": checkpoints.siglip,
    "dual_encoder": checkpoints.dual_encoder,
}


@pytest.fixture(scope="module", params=list(KINDS))
def encoder(request, tmp_path_factory):
    folder = KINDS[request.param](tmp_path_factory.mktemp("prompted") / request.param)
    return load_encoder(str(folder), precision="fp32", device="cpu")


def test_at_first_they_say_a_photo_of_a(encoder) -> None:
    prompted = PromptedNames(encoder, NAMES, 4)
    words = prompted.texts[0].removesuffix(f" {NAMES[0]}.")
    assert "a photo of a".startswith(words)
    expected = encoder.encode_texts([f"{words} {name}." for name in NAMES])
    torch.testing.assert_close(prompted().detach(), expected, atol=1e-5, rtol=1e-5)


def test_vectors_of_another_word_say_that_word(encoder) -> None:
    """Against the tower's own way from the other text."""
    prompted = PromptedNames(encoder, NAMES, 1)
    assert prompted.texts[0] == f"a {NAMES[0]}."
    place = prompted._first
    other = prompted._ids(["red bird"])[0, place]
    with torch.no_grad():
        prompted.vectors[0] = prompted._embedding.weight[other]
    expected = encoder.encode_texts([f"red {name}." for name in NAMES])
    torch.testing.assert_close(prompted().detach(), expected, atol=1e-5, rtol=1e-5)


def test_only_the_vectors_get_gradients_and_the_right_ones(encoder) -> None:
    prompted = PromptedNames(encoder, NAMES, 3)
    trained = [name for name, w in prompted.named_parameters() if w.requires_grad]
    assert trained == ["vectors"]
    prompted()[0, 0].backward()
    step = torch.zeros_like(prompted.vectors)
    step[-1, 1] = 1e-2
    with torch.no_grad():
        prompted.vectors += step
        after = prompted()[0, 0]
        prompted.vectors -= 2 * step
        before = prompted()[0, 0]
    slope = (after - before) / 2e-2
    torch.testing.assert_close(prompted.vectors.grad[-1, 1], slope, atol=1e-3, rtol=0.02)


def test_the_encoder_stays_as_it_was(encoder) -> None:
    before = encoder.encode_texts(["a photo of a bird"])
    PromptedNames(encoder, NAMES, 3)()
    assert torch.equal(encoder.encode_texts(["a photo of a bird"]), before)


def test_names_that_leave_no_room_are_refused(encoder) -> None:
    with pytest.raises(DataError, match="leave room"):
        PromptedNames(encoder, ["bird " * 200], 16)
    some = PromptedNames(encoder, ["bird bird bird"], 100)
    assert encoder.count_tokens(some.texts)[0] <= encoder.context_length
