"""What every family of encoders must keep."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from clipfg.encoders import Encoder, load_encoder
from clipfg.encoders.naflex import NaFlexPreprocessing
from clipfg.errors import UsageError
from tests import checkpoints


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("contract")
    return {kind: make(home / kind) for kind, make in checkpoints.EVERY.items()}


@pytest.fixture(params=checkpoints.EVERY)
def folder(request: pytest.FixtureRequest, made: dict[str, Path]) -> Path:
    return made[request.param]


def load(folder: Path, precision: str = "fp32") -> Encoder:
    return load_encoder(str(folder), precision=precision, device="cpu")  # type: ignore[arg-type]


def pixels_for(encoder: Encoder, count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    shape = (count, 3, *encoder.preprocessing.size)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


TEXTS = ["a photo of a red bird", "yellow flower with round petals", "a"]


def test_features_are_float32_of_the_promised_width(folder) -> None:
    encoder = load(folder)
    features = encoder.encode_images(pixels_for(encoder))
    texts = encoder.encode_texts(TEXTS)
    assert features.patches is None
    for matrix in (features.pooled, texts):
        assert matrix.dtype == torch.float32
        assert matrix.shape == (3, encoder.dim)
        assert matrix.isfinite().all()
    assert len(encoder.count_tokens(TEXTS)) == 3
    assert load_encoder(encoder.name, precision="fp32", device="cpu").name == encoder.name


def test_a_row_does_not_depend_on_its_batch(folder) -> None:
    encoder = load(folder)
    pixels = pixels_for(encoder)
    together = encoder.encode_images(pixels).pooled
    alone = torch.cat([encoder.encode_images(row[None]).pooled for row in pixels])
    torch.testing.assert_close(together, alone, atol=2e-5, rtol=1e-4)
    texts = torch.cat([encoder.encode_texts([text]) for text in TEXTS])
    torch.testing.assert_close(encoder.encode_texts(TEXTS), texts, atol=2e-5, rtol=1e-4)


def test_regions_are_means_of_patches(folder) -> None:
    encoder = load(folder)
    pixels = pixels_for(encoder)
    features = encoder.encode_images(pixels, patches=True)
    torch.testing.assert_close(features.pooled, encoder.encode_images(pixels).pooled)
    height, width = pixels.shape[-2:]
    boxes = [torch.empty(0, 4), torch.tensor([[0, 0, width, height]] * 2), torch.zeros(1, 4)]
    if features.patches is None:
        with pytest.raises(UsageError, match="vision transformer"):
            encoder.encode_regions(pixels, boxes)
        return
    none, whole, empty = encoder.encode_regions(pixels, boxes)
    assert none.shape == (0, encoder.dim)
    for row in whole:
        torch.testing.assert_close(row, features.patches[1].mean(0), atol=2e-5, rtol=1e-4)
    assert not empty.any()
    again = encoder.encode_regions(pixels, boxes, features=features)
    torch.testing.assert_close(again[1], whole)


def test_heads_can_train_on_the_features(folder) -> None:
    encoder = load(folder)
    weight = torch.zeros(encoder.dim, requires_grad=True)
    (encoder.encode_images(pixels_for(encoder)).pooled @ weight).sum().backward()
    (encoder.encode_texts(TEXTS) @ weight).sum().backward()
    assert weight.grad is not None
    assert not any(parameter.requires_grad for parameter in encoder.model.parameters())
    assert not encoder.model.training


def test_no_weights_are_read_before_they_are_used(folder, tmp_path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    encoder = load(copy)
    expected = encoder.logit_scale, encoder.fingerprint
    for path in copy.glob("*.safetensors"):
        path.unlink()
    again = encoder.logit_scale, encoder.fingerprint, encoder.dim, encoder.scoring
    assert again[:2] == expected
    assert "model" not in vars(encoder)
    with pytest.raises(Exception, match="safetensors"):
        _ = encoder.model


def test_the_fingerprint_moves_with_the_content_and_not_with_the_folder(folder, tmp_path) -> None:
    original = load(folder)
    copy = shutil.copytree(folder, tmp_path / "elsewhere")
    assert load(copy).fingerprint == original.fingerprint
    assert load(copy, "bf16").fingerprint != original.fingerprint
    assert original.at("bf16").fingerprint == load(copy, "bf16").fingerprint
    weights = next(copy.glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    assert load(copy).fingerprint != original.fingerprint


def test_the_fingerprint_moves_with_every_file_and_with_the_architecture(folder, tmp_path) -> None:
    original, copy = load(folder).fingerprint, shutil.copytree(folder, tmp_path / "elsewhere")
    configs = {"open_clip_config.json", "config.json", "preprocessor_config.json"}
    for path in sorted(copy.iterdir()):
        before = path.read_bytes()
        if path.name not in configs:
            path.write_bytes(before + b"\n")
            assert load(copy).fingerprint != original, path.name
        elif path.name != "preprocessor_config.json":
            settings = json.loads(before)
            for part in (settings, settings.get("model_cfg", {})):
                part["quick_gelu"] = True
            path.write_text(json.dumps(settings))
            assert load(copy).fingerprint != original, path.name
        path.write_bytes(before)
    assert load(copy).fingerprint == original


def test_the_fingerprint_moves_with_the_preprocessing(folder, tmp_path) -> None:
    copy = shutil.copytree(folder, tmp_path / "elsewhere")
    names = ("open_clip_config.json", "processor_config.json", "preprocessor_config.json")
    path = next(copy / name for name in names if (copy / name).exists())
    settings = json.loads(path.read_text())
    for part in (settings, settings.get("preprocess_cfg"), settings.get("image_processor")):
        if part is not None:
            part.update(interpolation="bilinear", resample=0)
    path.write_text(json.dumps(settings))
    assert load(copy).preprocessing != load(folder).preprocessing
    assert load(copy).fingerprint != load(folder).fingerprint


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_pooled_features_have_the_same_bits_with_patches(folder, precision) -> None:
    encoder = load(folder).at(precision)
    pixels = pixels_for(encoder)
    dense = encoder.encode_images(pixels, patches=True)
    assert torch.equal(encoder.encode_images(pixels).pooled, dense.pooled)
    patches = torch.stack(list(dense.patches))  # a list where images may differ in shape
    assert patches.shape[::2] == (len(pixels), encoder.dim)
    assert patches.std(dim=1).max() > 0


def test_bf16_agrees_with_fp32(folder) -> None:
    encoder = load(folder)
    low = encoder.at("bf16")
    assert low.precision == "bf16"
    assert encoder.precision == "fp32"
    assert encoder.at("fp32") is encoder
    pixels = pixels_for(encoder)
    pairs = [
        (encoder.encode_images(pixels).pooled, low.encode_images(pixels).pooled),
        (encoder.encode_texts(TEXTS), low.encode_texts(TEXTS)),
    ]
    assert {parameter.dtype for parameter in low.model.parameters()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}
    for full, half in pairs:
        assert half.dtype == torch.float32
        assert torch.cosine_similarity(full, half).min() > 0.995
        assert not torch.equal(full, half)
    assert low.logit_scale == encoder.logit_scale
    assert low.logit_bias == encoder.logit_bias


def test_a_changed_encoder_is_saved_and_read_back(folder, tmp_path, capfd) -> None:
    encoder = load(folder).trainable()
    before = load(folder).encode_images(pixels_for(encoder)).pooled
    with torch.no_grad():
        for number, weight in enumerate(encoder.model.parameters()):
            weight.add_(0.01 * torch.sin(torch.arange(weight.numel()) + number).view_as(weight))
    features, texts = encoder.encode_images(pixels_for(encoder)).pooled, encoder.encode_texts(TEXTS)
    encoder.save(tmp_path / "tuned")
    assert "shards" not in capfd.readouterr().err  # a bar of transformers' own
    again = load(tmp_path / "tuned")
    assert torch.equal(again.encode_images(pixels_for(encoder)).pooled, features)
    assert torch.equal(again.encode_texts(TEXTS), texts)
    assert again.logit_scale == pytest.approx(encoder.logit_scale)
    assert again.fingerprint != load(folder).fingerprint
    assert type(again) is type(encoder)
    assert torch.equal(load(folder).encode_images(pixels_for(encoder)).pooled, before)


def test_gradients_reach_both_towers(folder) -> None:
    encoder = load(folder).trainable()
    encoder.model.requires_grad_()
    pixels = pixels_for(encoder)
    if isinstance(encoder.preprocessing, NaFlexPreprocessing):
        (_, batch), *_ = encoder.preprocessing.passes(list(pixels), encoder.device)
        inputs = batch
    else:
        inputs = encoder.preprocessing.normalise(pixels)
    images, _ = encoder.image_tower(inputs)
    (images[:3] @ encoder.text_tower(TEXTS).T).sum().backward()
    moved = [name for name, weight in encoder.model.named_parameters() if weight.grad is not None]
    assert any("vis" in name for name in moved)
    assert any("text" in name or "transformer" in name for name in moved)
