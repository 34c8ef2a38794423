"""Every part of every kind of encoder: which weights get gradients."""

from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from clipfg.encoders import load_encoder
from clipfg.errors import UsageError
from clipfg.training.lora import LowRank
from clipfg.training.parts import choose_parts, projection, stacks, trains_images, trains_texts
from tests import checkpoints

IMAGE = ("visual", "vision", "dense_feature_head")  # what names of image weights begin with
WITHOUT_PROJECTION = {"open-clip-siglip", "siglip", "siglip2-naflex", "fgclip-2"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("parts")
    return {kind: make(home / kind) for kind, make in checkpoints.EVERY.items()}


@pytest.fixture(params=checkpoints.EVERY)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(kind: str, folders: dict[str, Path]) -> nn.Module:
    return load_encoder(str(folders[kind]), precision="fp32", device="cpu").model


def is_scalar(name: str) -> bool:
    return name.startswith("logit_")


def test_towers(model) -> None:
    chosen: dict[str, Callable[[str], bool]] = {
        "all": lambda name: not is_scalar(name),
        "images": lambda name: name.startswith(IMAGE),
        "texts": lambda name: not name.startswith(IMAGE) and not is_scalar(name),
        "scale": is_scalar,
        "images + scale": lambda name: name.startswith(IMAGE) or is_scalar(name),
    }
    for parts, wanted in chosen.items():
        choose_parts(model, parts)
        for name, weight in model.named_parameters():
            assert weight.requires_grad == wanted(name), (parts, name)
        assert trains_images(model) == (parts not in ("texts", "scale"))
        assert trains_texts(model) == (parts in ("all", "texts"))


def test_heads_follow_the_blocks(model) -> None:
    rows = stacks(model)
    choose_parts(model, "heads")
    heads = {name for name, weight in model.named_parameters() if weight.requires_grad}
    for name in heads:
        assert not name.startswith(tuple(f"{row}." for row in rows.values()))
        assert "embed" not in name
        assert "pre_lay" not in name
        assert not is_scalar(name)
    assert any(name.startswith(IMAGE) for name in heads)
    assert any(not name.startswith(IMAGE) for name in heads)

    choose_parts(model, "last:1")
    more = {name for name, weight in model.named_parameters() if weight.requires_grad}
    last = len(list(model.get_submodule(rows["images"]).children())) - 1
    block = {n for n, _ in model.named_parameters() if n.startswith(f"{rows['images']}.{last}.")}
    assert more == heads | block
    assert block
    with pytest.raises(UsageError, match=f"at most {last + 1} blocks"):
        choose_parts(model, f"last:{last + 2}")


def test_low_rank_updates_alone_get_gradients(model) -> None:
    choose_parts(model, "lora:2")
    updates = {
        f"{path}.{name}"
        for path, module in model.named_modules()
        if isinstance(module, LowRank)
        for name, _ in module.named_parameters()
    }
    assert {name for name, w in model.named_parameters() if w.requires_grad} == updates
    assert trains_images(model)
    assert trains_texts(model)


def test_the_projection_alone(kind, model) -> None:
    if kind in WITHOUT_PROJECTION:
        for parts in ("projection", "adapter:2"):
            with pytest.raises(UsageError, match="ends in a projection"):
                choose_parts(model, parts)
        return
    name = projection(model)
    choose_parts(model, "projection")
    assert [n for n, w in model.named_parameters() if w.requires_grad] == [name]
    choose_parts(model, "adapter:2")
    path = name.replace("weight", "parametrizations.weight").replace(
        "visual.proj", "visual.parametrizations.proj"
    )
    found = [n for n, w in model.named_parameters() if w.requires_grad]
    assert found == [f"{path}.0.down", f"{path}.0.up"]
    assert not trains_texts(model)


@pytest.mark.parametrize("parts", ["", "every", "last", "last:0", "lora:x", "all + towers"])
def test_other_words_are_refused(folders, parts) -> None:
    model = load_encoder(str(folders["open-clip-vit"]), precision="fp32", device="cpu").model
    with pytest.raises(UsageError, match=r"Expected (parts to train|a number)"):
        choose_parts(model, parts)
