"""Checkpoints of FG-CLIP: recognised, complete, refused by one sentence where they are not."""

import json
import logging
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from clipfg.encoders import load_encoder
from clipfg.encoders.fgclip.encoder import MODELS
from clipfg.encoders.fgclip.loading import empty_model
from clipfg.errors import DataError, MissingError, UsageError

KINDS = ["fgclip-1", "fgclip-2"]


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def copy(folders, kind, tmp_path):
    return shutil.copytree(folders[kind], tmp_path / "model")


def edit_weights(folder, change) -> None:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def features(encoder) -> torch.Tensor:
    pixels = torch.full((1, 3, *encoder.preprocessing.size), 99, dtype=torch.uint8)
    texts = [encoder.encode_texts(["a red bird"], path=path) for path in encoder.text_paths]
    return torch.cat([encoder.encode_images(pixels).pooled, *texts])


@pytest.mark.parametrize("prefix", ["", "fgclip:"])
def test_a_folder_is_recognised(folders, kind, prefix) -> None:
    encoder = load_encoder(f"{prefix}{folders[kind]}", precision="fp32", device="cpu")
    assert encoder.name == f"fgclip:{folders[kind]}"
    assert encoder.text_paths == ("short", "long", "box")


def test_by_its_parameters_where_the_configuration_says_nothing(copy, kind) -> None:
    before = load_encoder(str(copy), precision="fp32", device="cpu")
    config = json.loads((copy / "config.json").read_text())
    del config["architectures"], config["auto_map"]
    config["model_type"] = "clip" if kind == "fgclip-1" else "siglip2"
    (copy / "config.json").write_text(json.dumps(config))
    after = load_encoder(str(copy), precision="fp32", device="cpu")
    assert torch.equal(features(after), features(before))
    with pytest.raises(UsageError, match="fgclip:"):
        _ = load_encoder(f"hf:{copy}", precision="fp32", device="cpu").model


def test_transformers_family_points_here(folders, kind) -> None:
    with pytest.raises(UsageError, match=r"hf:.* is an FG-CLIP; name it fgclip:"):
        load_encoder(f"hf:{folders[kind]}")


@pytest.mark.parametrize("other", ["clip", "siglip2-naflex"])
def test_other_models_are_refused(folders, other) -> None:
    with pytest.raises(UsageError, match=r"Expected an FG-CLIP .* hf: reads"):
        load_encoder(f"fgclip:{folders[other]}")


def test_no_code_is_run(copy) -> None:
    trap = copy.parent / "executed"
    config = json.loads((copy / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.C", "AutoModel": "evil.M", "note": "fgclip"}
    config["attn_implementation"] = config["_attn_implementation"] = "evil/kernel"
    for tower in ("text_config", "vision_config"):
        config[tower]["attn_implementation"] = config[tower]["_attn_implementation"] = "evil/kernel"
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "evil.py").write_text(f"open({str(trap)!r}, 'w')\n")
    features(load_encoder(str(copy), precision="fp32", device="cpu"))
    assert not trap.exists()


def test_shards(copy, folders, kind) -> None:
    state = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    names, index = sorted(state), {}
    for number in range(3):
        own = names[number::3]
        save_file({name: state[name] for name in own}, copy / f"model-{number}.safetensors")
        index |= dict.fromkeys(own, f"model-{number}.safetensors")
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    whole = load_encoder(str(folders[kind]), precision="fp32", device="cpu")
    parts = load_encoder(str(copy), precision="fp32", device="cpu")
    assert torch.equal(features(parts), features(whole))
    assert parts.logit_scale == whole.logit_scale
    (copy / "model-1.safetensors").unlink()
    with pytest.raises(MissingError, match="not in the folder"):
        load_encoder(str(copy))


@pytest.mark.parametrize("name", ["position_embedding_ori.weight", "encoder.layers.1.mlp.fc1.bias"])
def test_missing_weights(copy, name) -> None:
    edit_weights(copy, lambda state: state.pop(f"text_model.{_full(name)}"))
    with pytest.raises(DataError, match=r"lacks 1 of the model's weights \(first: text_model"):
        _ = load_encoder(str(copy), precision="fp32", device="cpu").model


def _full(name: str) -> str:
    return f"embeddings.{name}" if name.startswith("position") else name


def test_weights_that_are_not_used_are_named(copy, kind, caplog) -> None:
    def change(state) -> None:
        state["caption_head.weight"] = torch.zeros(2)
        state["text_model.embeddings.position_ids"] = torch.arange(77)[None]
        state["logit_scale_finegraind"] = torch.tensor(1.0)
        state.pop("logit_scale_hardneg", None)

    edit_weights(copy, change)
    with caplog.at_level(logging.DEBUG, "clipfg"):
        model = load_encoder(str(copy), precision="fp32", device="cpu").model
    (warning,) = [each.message for each in caplog.records if each.levelname == "WARNING"]
    assert "1 weights" in warning
    assert "caption_head.weight" in warning
    (detail,) = [each.message for each in caplog.records if each.levelname == "DEBUG"]
    assert "logit_scale_finegraind" in detail
    assert ("dense_feature_head.probe" in detail) == (kind == "fgclip-2")
    if kind == "fgclip-1":  # training goes on from the model's own scale
        assert model.logit_scale_hardneg == model.logit_scale
        assert model.logit_scale_finegraind == 1


def test_truncated_weights(copy) -> None:
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="damaged, incomplete"):
        _ = load_encoder(str(copy), precision="fp32", device="cpu").model


def test_weights_of_another_size(copy) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["text_config"]["hidden_size"] = 48
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="of another model"):
        _ = load_encoder(str(copy), precision="fp32", device="cpu").model


@pytest.mark.parametrize("vision", [[1], {"hidden_size": "wide", "image_size": "large"}, "big"])
def test_a_configuration_that_is_not_one(copy, vision) -> None:
    config = json.loads((copy / "config.json").read_text()) | {"vision_config": vision}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="usable vision_config"):
        load_encoder(str(copy), precision="fp32", device="cpu")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_missing_files(copy, name) -> None:
    (copy / name).unlink()
    with pytest.raises(MissingError, match="Expected"):
        load_encoder(f"fgclip:{copy}")


def test_no_such_folder() -> None:
    with pytest.raises(MissingError, match="not there"):
        load_encoder("fgclip:./nowhere")


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision(folders, kind, precision) -> None:
    assert not torch.distributed.is_initialized()
    full, half = (
        load_encoder(str(folders[kind]), precision=each, device="cpu")  # type: ignore[arg-type]
        for each in ("fp32", precision)
    )
    assert torch.cosine_similarity(features(full), features(half)).min() > 0.99
    pixels = torch.randint(0, 256, (2, 3, *full.preprocessing.size), dtype=torch.uint8)
    boxes = [torch.tensor([[3.0, 4, 30, 32]])] * 2
    for ours, theirs in zip(
        half.encode_regions(pixels, boxes), full.encode_regions(pixels, boxes), strict=True
    ):
        assert torch.cosine_similarity(ours, theirs).min() > 0.99
    assert not torch.distributed.is_initialized()


PUBLISHED = {"fg-clip-base": 1, "fg-clip-large": 1, "fg-clip2-base": 2, "fg-clip2-so400m": 2}


@pytest.mark.shared
@pytest.mark.parametrize("name", PUBLISHED)
def test_names_and_shapes_are_the_published_ones(shared, name) -> None:
    found = json.loads((shared / f"data/formats/inventory_{name}.json").read_text())
    config = {
        "text_config": found["config"]["text"],
        "vision_config": found["config"]["vision"],
        "projection_dim": found["config"].get("projection_dim", 512),
    }
    kind = MODELS[PUBLISHED[name]]  # type: ignore[index]
    model = empty_model(kind, config, kind.LENGTHS)
    shapes = {key: list(value.shape) for key, value in model.named_parameters()}
    assert shapes == found["parameters"]
    assert all(parameter.is_meta for parameter in model.parameters())
