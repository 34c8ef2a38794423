import json
import shutil

import pytest
import torch

from clipfg.encoders import load_encoder
from clipfg.encoders.open_clip.files import WEIGHTS, files_in_folder
from clipfg.errors import DataError, MissingError
from tests import checkpoints

TEXTS = ["a photo of a red bird.", "A Bird!", "flower with round petals " * 8, ""]


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)


def library_loop(folder, images, texts, **changes):
    """What open_clip itself does with a folder."""
    library = checkpoints.open_clip_library()
    name = f"local-dir:{folder}"
    model, _, transform = library.create_model_and_transforms(name, **changes)
    model.eval()
    tokens = library.get_tokenizer(name)(texts)
    with torch.no_grad():
        pixels = torch.stack([transform(image) for image in images])
        return model, model.encode_image(pixels), model.encode_text(tokens)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", checkpoints.OPEN_CLIP)
def test_features_equal_those_of_the_librarys_own_loop(
    folders, odd_images, kind, monkeypatch
) -> None:
    folder = folders[kind]
    monkeypatch.chdir(folder)  # the library looks for a bare bpe_path there
    changes = {}
    if kind == "open-clip-text-tower":
        config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]["text_cfg"]
        local = {"hf_model_name": str(folder), "hf_model_pretrained": False}
        changes = {"text_cfg": config | local}
    model, images, texts = library_loop(folder, odd_images, TEXTS, **changes)

    encoder = load_encoder(f"open_clip:local-dir:{folder}", precision="fp32", device="cpu")
    pixels = torch.stack([encoder.preprocessing(image) for image in odd_images])
    features = encoder.encode_images(pixels, patches=True)
    close(features.pooled, images)
    close(encoder.encode_texts(TEXTS), texts)
    assert encoder.dim == images.shape[1]
    assert encoder.logit_scale == pytest.approx(model.logit_scale.exp().item(), rel=1e-6)
    bias = 0.0 if model.logit_bias is None else model.logit_bias.item()
    assert encoder.logit_bias == bias
    assert encoder.scoring == ("softmax" if bias == 0 else "sigmoid")


def test_patches_of_an_average_pool_average_to_the_pool(folders, odd_images) -> None:
    # The tower pools its tokens before its last norm; with the norm undone both ways must agree.
    encoder = load_encoder(str(folders["open-clip-siglip"]), precision="fp32", device="cpu")
    pixels = encoder.preprocessing(odd_images[0])[None]
    trunk = encoder.model.visual.trunk
    trunk.norm, trunk.fc_norm = torch.nn.Identity(), torch.nn.Identity()
    features = encoder.encode_images(pixels, patches=True)
    close(features.patches.mean(1), features.pooled)


def test_texts_are_cleaned_as_the_tokenizer_says(folders) -> None:
    canonical = load_encoder(str(folders["open-clip-siglip"]), device="cpu", precision="fp32")
    close(canonical.encode_texts(["A red_bird!"]), canonical.encode_texts(["a red bird"]))
    assert canonical.count_tokens(["a red bird", "a"]) == [4, 2]
    first = checkpoints.WORDS.index("red") + 3, checkpoints.WORDS.index("bird") + 3
    assert canonical.tokenizer(["Red bird."]).tolist() == [[*first, *[1] * 14]]
    lower = load_encoder(str(folders["open-clip-vit"]), device="cpu", precision="fp32")
    close(lower.encode_texts(["Red  BIRD"]), lower.encode_texts(["red bird"]))
    assert lower.count_tokens(["bird", "red bird"]) == [3, 4]


def test_a_bare_folder_is_recognised(folders) -> None:
    folder = folders["open-clip-vit"]
    assert load_encoder(str(folder), device="cpu").name == f"open_clip:local-dir:{folder}"


@pytest.fixture
def copy(folders, tmp_path):
    return shutil.copytree(folders["open-clip-vit"], tmp_path / "model")


def edit(folder, change) -> None:
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    change(config["model_cfg"])
    path.write_text(json.dumps(config))


def test_a_vocabulary_never_leads_out_of_the_folder(copy) -> None:
    shutil.copy(copy / "bpe.txt.gz", copy.parent / "bpe.txt.gz")

    def point_outside(model) -> None:
        model["text_cfg"]["tokenizer_kwargs"]["bpe_path"] = "../bpe.txt.gz"

    edit(copy, point_outside)
    with pytest.raises(DataError, match="bare name"):
        load_encoder(str(copy))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda model: model.pop("embed_dim"), "embed_dim"),
        (lambda model: model.update(vision_cfg=[1]), "configuration"),
        (lambda model: model.update(text_cfg="none"), "text_cfg"),
    ],
)
def test_an_invalid_configuration_is_a_clear_error(copy, change, words) -> None:
    edit(copy, change)
    with pytest.raises(DataError, match=words):
        load_encoder(str(copy))


def test_an_unknown_resize_mode_is_a_clear_error(copy) -> None:
    path = copy / "open_clip_config.json"
    config = json.loads(path.read_text()) | {"preprocess_cfg": {"resize_mode": "fold"}}
    path.write_text(json.dumps(config))
    with pytest.raises(DataError, match="fold"):
        load_encoder(str(copy))


def test_weights_of_another_shape_are_a_clear_error(copy) -> None:
    edit(copy, lambda model: model["vision_cfg"].update(width=64))
    with pytest.raises(DataError, match="another model"):
        _ = load_encoder(str(copy)).model


def test_the_preferred_checkpoint_is_used(copy) -> None:
    shutil.copy(copy / WEIGHTS[0], copy / "pytorch_model.bin")
    assert files_in_folder(copy).weights == (copy / WEIGHTS[0],)
    (copy / WEIGHTS[0]).unlink()
    (copy / "pytorch_model.bin").rename(copy / "epoch_9.safetensors")
    assert files_in_folder(copy).weights == (copy / "epoch_9.safetensors",)
    (copy / "epoch_9.safetensors").unlink()
    with pytest.raises(MissingError, match="one checkpoint"):
        files_in_folder(copy)


def test_a_plain_pickle_of_tensors_gives_the_same_features(copy, odd_images) -> None:
    from safetensors.torch import load_file

    safe = load_encoder(str(copy), precision="fp32", device="cpu")
    pixels = safe.preprocessing(odd_images[0])[None]
    expected, scale = safe.encode_images(pixels).pooled, safe.logit_scale
    torch.save(load_file(copy / WEIGHTS[0]), copy / "open_clip_pytorch_model.bin")
    (copy / WEIGHTS[0]).unlink()
    pickled = load_encoder(str(copy), precision="fp32", device="cpu")
    assert torch.equal(pickled.encode_images(pixels).pooled, expected)
    assert pickled.logit_scale == scale


def test_a_text_tower_with_custom_code_is_refused(folders, tmp_path) -> None:
    folder = shutil.copytree(folders["open-clip-text-tower"], tmp_path / "model")
    config = json.loads((folder / "config.json").read_text()) | {"auto_map": {"AutoModel": "x.Y"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="never executes"):
        load_encoder(str(folder))


def test_a_text_tower_that_cannot_be_found(folders, tmp_path) -> None:
    folder = shutil.copytree(folders["open-clip-text-tower"], tmp_path / "model")
    (folder / "config.json").unlink()
    with pytest.raises(MissingError, match="someone/else"):
        load_encoder(f"open_clip:local-dir:{folder}", offline=True)


def test_the_text_towers_configuration_may_have_a_folder_and_is_hashed(folders, tmp_path) -> None:
    folder = shutil.copytree(folders["open-clip-text-tower"], tmp_path / "model")
    before = load_encoder(str(folder), precision="fp32", device="cpu")
    (folder / "else").mkdir()  # the tower is called someone/else
    config = json.loads((folder / "config.json").read_text())
    (folder / "else" / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    after = load_encoder(str(folder), precision="fp32", device="cpu")
    assert after.files.text_tower == folder / "else" / "config.json"
    assert after.fingerprint != before.fingerprint
