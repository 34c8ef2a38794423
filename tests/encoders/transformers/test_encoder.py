import json
import shutil

import pytest
import torch
from PIL import Image

from clipfg.encoders import load_encoder
from clipfg.errors import DataError, MissingError, UsageError
from tests import checkpoints

TEXTS = ["a photo of a red bird", "yellow flower with round petals .", "bird " * 40]


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def images(odd_images) -> dict[int, list[Image.Image]]:
    """Of a size that needs no resize, so that both sides start from the same pixels."""
    return {side: [image.resize((side, side)) for image in odd_images] for side in (32, 36)}


def library_loop(folder, images, texts):
    """transformers' own processor, tokenizer and model, by the rules of its documentation."""
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    sigmoid = "siglip" in model.config.model_type
    length = 12 if model.config.model_type == "vision-text-dual-encoder" else 16
    tokens = tokenizer(
        texts,
        padding="max_length" if sigmoid else True,
        truncation=True,
        max_length=length,
        return_tensors="pt",
    )
    pixels = AutoImageProcessor.from_pretrained(folder)(images, return_tensors="pt")
    if model.config.model_type == "siglip2":
        pixels["spatial_shapes"] = torch.as_tensor(pixels["spatial_shapes"])
    with torch.no_grad():
        vision = model.get_image_features(**pixels)
        text = model.get_text_features(**tokens)
    return model, vision.pooler_output, text.pooler_output


@pytest.mark.parametrize("kind", checkpoints.TRANSFORMERS)
def test_features_equal_those_of_the_librarys_own_loop(folders, images, kind) -> None:
    images = images[36 if kind == "clip" else 32]
    model, pooled, text = library_loop(folders[kind], images, TEXTS)
    encoder = load_encoder(f"hf:{folders[kind]}", precision="fp32", device="cpu")
    pixels = torch.stack([encoder.preprocessing(image) for image in images])
    close(encoder.encode_images(pixels).pooled, pooled)
    close(encoder.encode_texts(TEXTS), text)
    assert encoder.dim == pooled.shape[1]
    assert encoder.logit_scale == pytest.approx(model.logit_scale.exp().item(), rel=1e-6)
    if "siglip" in kind:
        assert encoder.scoring == "sigmoid"
        assert encoder.logit_bias == pytest.approx(model.logit_bias.item())
    else:
        assert (encoder.scoring, encoder.logit_bias) == ("softmax", 0.0)


def test_naflex_keeps_the_shape_of_an_image(folders, odd_images) -> None:
    """Of a size that the library's own processor leaves as it is: at most 17 patches."""
    images = [odd_images[0].resize(size) for size in [(64, 16), (24, 40), (32, 32), (8, 136)]]
    _, pooled, _ = library_loop(folders["siglip2-naflex"], images, TEXTS)
    encoder = load_encoder(str(folders["siglip2-naflex"]), precision="fp32", device="cpu")
    pixels = [encoder.preprocessing(image) for image in images]
    assert [own.shape[1:] for own in pixels] == [(16, 64), (40, 24), (32, 32), (136, 8)]
    close(encoder.encode_images(pixels).pooled, pooled)


@pytest.mark.parametrize("kind", ["siglip", "siglip2-naflex"])
def test_siglip_texts_are_lower_cased_even_if_the_tokenizer_does_not(folders, kind) -> None:
    encoder = load_encoder(str(folders[kind]), precision="fp32", device="cpu")
    close(encoder.encode_texts(["A Red BIRD"]), encoder.encode_texts(["a red bird"]))
    other = encoder.encode_texts(["a blue bird"])
    assert (other - encoder.encode_texts(["a red bird"])).abs().max() > 1e-3


def test_clip_texts_keep_their_case_if_the_tokenizer_does(folders) -> None:
    encoder = load_encoder(str(folders["clip"]), precision="fp32", device="cpu")
    upper, lower = encoder.encode_texts(["A Bird"]), encoder.encode_texts(["a bird"])
    assert (upper - lower).abs().max() > 1e-3


def test_siglips_first_tokenizer_drops_punctuation(folders, tmp_path) -> None:
    folder = shutil.copytree(folders["siglip"], tmp_path / "model")
    encoder = load_encoder(str(folder), precision="fp32", device="cpu")
    assert encoder.count_tokens(["a bird, red!"]) == [6]
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    encoder = load_encoder(str(folder), precision="fp32", device="cpu")
    assert encoder._clean(["A bird, red!"]) == ["a bird, red!"]
    settings["tokenizer_class"] = "SiglipTokenizer"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    encoder = load_encoder(str(folder), precision="fp32", device="cpu")
    assert encoder._clean(["A  bird, red!"]) == ["a bird red"]


def test_long_texts_are_truncated_and_counted(folders) -> None:
    encoder = load_encoder(str(folders["dual-encoder"]), precision="fp32", device="cpu")
    assert encoder.context_length == 12  # the tokenizer's limit is below the tower's 16 positions
    assert encoder.count_tokens(["bird " * 40, "bird"]) == [42, 3]
    assert encoder.encode_texts(["bird " * 40]).shape == (1, 512)


@pytest.fixture
def copy(folders, tmp_path):
    return shutil.copytree(folders["clip"], tmp_path / "model")


def edit(folder, **changes) -> None:
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))


def test_code_of_a_checkpoint_is_never_executed(copy) -> None:
    trap = copy.parent / "executed"
    (copy / "evil.py").write_text(f"open({str(trap)!r}, 'w')\n")
    edit(copy, auto_map={"AutoConfig": "evil.Config", "AutoModel": "evil.Model"})
    with pytest.raises(DataError, match="never executes"):
        load_encoder(str(copy))
    assert not trap.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"attn_implementation": "evil/kernel"},
        {"_attn_implementation": "evil/kernel@main:run"},
        {"_attn_implementation_internal": "evil/kernel"},
        {"attn_implementation": {"vision_config": "evil/kernel"}},
        {"attn_implementation": ["evil/kernel"]},
        {"experts_implementation": "evil/experts"},
        {"vision_config": {"more": [{"attn_implementation": "flash_attention_2"}]}},
        {"vision_config": {"timm_model_name": "hf-hub:evil/model"}},
    ],
)
def test_code_is_never_fetched_by_its_name(copy, changes) -> None:
    edit(copy, **changes)
    with pytest.raises(
        DataError, match=r"config\.json (asks for the code|has 'hf-hub:evil/model')"
    ):
        load_encoder(str(copy))


def test_known_ways_of_attention_may_be_named(copy) -> None:
    edit(copy, attn_implementation="eager", _attn_implementation=None)
    load_encoder(str(copy), device="cpu").encode_texts(["a"])


def test_code_of_a_tokenizer_is_never_executed(copy) -> None:
    path = copy / "tokenizer_config.json"
    settings = json.loads(path.read_text()) | {"auto_map": {"AutoTokenizer": [None, "evil.T"]}}
    path.write_text(json.dumps(settings))
    with pytest.raises(DataError, match="never executed"):
        load_encoder(str(copy), device="cpu").encode_texts(["a"])


def test_a_sentencepiece_tokenizer_names_the_missing_packages(copy, monkeypatch) -> None:
    import transformers

    def unavailable(*_: object, **__: object) -> None:
        raise ImportError("requires the SentencePiece library")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", unavailable)
    with pytest.raises(MissingError, match="pip install sentencepiece protobuf"):
        load_encoder(str(copy), device="cpu").count_tokens(["a"])


def test_another_kind_of_model_is_refused(copy) -> None:
    edit(copy, model_type="bert")
    with pytest.raises(UsageError, match=r"dual encoder \(clip.*'bert'"):
        load_encoder(str(copy))


def test_weights_missing_from_a_file_are_an_error(copy) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(copy / "model.safetensors")
    del state["visual_projection.weight"]
    save_file(state, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"lacks 1 of.*visual_projection"):
        _ = load_encoder(str(copy), device="cpu").model


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_missing_file_is_a_clear_error(copy, name) -> None:
    (copy / name).unlink()
    with pytest.raises(MissingError, match="Expected"):
        load_encoder(f"hf:{copy}")


def test_missing_preprocessing_is_a_clear_error(copy) -> None:
    for path in copy.glob("*processor*"):
        path.unlink()
    with pytest.raises(MissingError, match="image processor"):
        load_encoder(str(copy))


def test_weights_in_shards(copy, folders, images) -> None:
    from transformers import AutoModel

    whole = load_encoder(str(folders["clip"]), precision="fp32", device="cpu")
    (copy / "model.safetensors").unlink()
    AutoModel.from_pretrained(folders["clip"]).save_pretrained(copy, max_shard_size="30KB")
    shards = load_encoder(str(copy), precision="fp32", device="cpu")
    assert len(shards.files.weights) > 2
    assert shards.logit_scale == whole.logit_scale
    pixels = whole.preprocessing(images[32][0])[None]
    close(shards.encode_images(pixels).pooled, whole.encode_images(pixels).pooled)
    shards.files.weights[-1].unlink()
    with pytest.raises(MissingError, match="not in the folder"):
        load_encoder(str(copy))


@pytest.mark.shared
def test_lit_birds_reproduces_a_plain_loop(shared) -> None:
    from transformers import AutoModel, AutoProcessor

    folder = shared / "models" / "lit-birds"
    paths = sorted((shared / "data" / "cub100" / "images").glob("*/*.jpg"))
    images = [Image.open(path).convert("RGB") for path in paths[:: len(paths) // 64][:64]]
    assert len(images) == 64
    names = ["red-winged blackbird", "blue jay", "mallard", "Brandt's cormorant"]
    texts = [f"a photo of a {name}." for name in names]
    model, processor = (
        AutoModel.from_pretrained(folder).eval(),
        AutoProcessor.from_pretrained(folder),
    )
    batch = processor(text=texts, images=images, return_tensors="pt", padding=True)
    with torch.no_grad():
        pooled = model.get_image_features(pixel_values=batch["pixel_values"]).pooler_output
        words = {name: batch[name] for name in ("input_ids", "attention_mask")}
        expected = model.get_text_features(**words).pooler_output

    encoder = load_encoder(f"hf:{folder}", precision="fp32", device="cpu")
    pixels = torch.stack([encoder.preprocessing(image) for image in images])
    ours = encoder.encode_images(pixels, patches=True)
    assert ours.patches.shape == (64, 49, 256)  # the map of a convolutional tower
    torch.testing.assert_close(ours.patches.mean(1), ours.pooled, atol=1e-4, rtol=1e-3)
    assert torch.cosine_similarity(ours.pooled, pooled).min() > 0.9999
    assert torch.equal(encoder.encode_texts(texts), expected)
    assert encoder.logit_scale == pytest.approx(model.logit_scale.exp().item())


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_pictures_of_another_size_than_the_towers_are_told(folders, tmp_path, kind) -> None:
    folder = shutil.copytree(folders[kind], tmp_path / "m")
    file = folder / "preprocessor_config.json"
    size = {"height": 48, "width": 48}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"size": size, "crop_size": size}))
    encoder = load_encoder(f"hf:{folder}", precision="fp32", device="cpu")
    pixels = encoder.preprocessing(Image.new("RGB", (48, 48)))[None]
    with pytest.raises(DataError, match="got 48 x 48 pixels by its preprocessing"):
        encoder.encode_images(pixels)
