"""Texts on the positions that they fill, against the library on all of them."""

import pytest
import torch

from clipfg.encoders.loading import load_encoder
from clipfg.encoders.open_clip.texts import encode_tokens, put_positions_first
from tests import checkpoints

TEXTS = ["wren", "a photo of a red flower", "the bird with a long bill and white wings"]


def tower_of(folders, kind):
    encoder = load_encoder(str(folders[kind]), precision="fp32", device="cpu")
    return encoder.model, encoder.tokenizer(TEXTS)


@pytest.mark.parametrize("kind", checkpoints.OPEN_CLIP)
def test_text_features_equal_those_of_the_library(folders, kind) -> None:
    model, tokens = tower_of(folders, kind)
    with torch.no_grad():
        for rows in (slice(0, 1), slice(0, 2), slice(0, 3)):
            torch.testing.assert_close(
                encode_tokens(model, tokens[rows]),
                model.encode_text(tokens[rows]),
                atol=1e-5,
                rtol=1e-4,
            )


@pytest.mark.parametrize(
    "config", [{}, {"pool_type": "eos", "eos_id": 399}, {"proj_type": "none"}, {"proj_bias": True}]
)
@pytest.mark.parametrize("custom", [False, True])
def test_every_causal_layout(config, custom) -> None:
    library = checkpoints.open_clip_library()
    settings = checkpoints.open_clip_config()
    text = {"context_length": 16, "vocab_size": 400, "width": 16, "heads": 2, "layers": 2} | config
    if config.get("proj_type") == "none":
        settings["embed_dim"] = 16
    kind = library.CustomTextCLIP if custom else library.CLIP
    torch.manual_seed(0)
    model = kind(settings["embed_dim"], settings["vision_cfg"], text).eval()
    tokens = torch.zeros(3, 16, dtype=torch.long)
    for row, length in enumerate((3, 9, 5)):
        tokens[row, :length] = torch.randint(1, 390, (length,))
        tokens[row, length] = 399
    with torch.no_grad():
        got, expected = encode_tokens(model, tokens), model.encode_text(tokens)
        put_positions_first(model)
        found = [encode_tokens(model, tokens), model.encode_text(tokens)]
    assert not getattr(model, "text", model).transformer.batch_first
    for features in (got, *found):
        torch.testing.assert_close(features, expected, atol=1e-5, rtol=1e-4)


def test_only_filled_positions_are_computed(folders) -> None:
    model, tokens = tower_of(folders, "open-clip-vit")
    lengths = []
    tower = getattr(model, "text", model)
    hook = tower.transformer.register_forward_pre_hook(
        lambda _, args: lengths.append(args[0].shape)
    )
    with torch.no_grad():
        encode_tokens(model, tokens[:1])
        model.encode_text(tokens[:1])
    hook.remove()
    assert lengths[0][1] == int(tokens[0].argmax()) + 1
    assert lengths[0][1] < lengths[1][1] == tokens.shape[1]
