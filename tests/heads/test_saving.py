import json

import pytest
import torch
from safetensors.torch import save_file

from clipfg.errors import DataError, UsageError
from clipfg.heads import HEADS, load_head, save_head
from clipfg.heads.zero_shot import ZeroShot
from clipfg.types import ClassList


@pytest.fixture
def head() -> ZeroShot:
    return ZeroShot(scale=42.0, bias=-1.5).fit(text_weights=torch.randn(3, 8))


def test_everything_comes_back(tmp_path, head) -> None:
    classes = ClassList(("a,b", "<c>", "é"), {"a,b": "letters"}, {"é": ("e", "acute")})
    save_head(tmp_path / "head.safetensors", head, classes, fingerprint="abc", model="m")
    saved = load_head(tmp_path / "head.safetensors")
    assert isinstance(saved.head, ZeroShot)
    assert saved.head.config == head.config
    assert torch.equal(saved.head.weights_, head.weights_)
    assert (saved.classes, saved.fingerprint, saved.model) == (classes, "abc", "m")
    assert [p.name for p in tmp_path.iterdir()] == ["head.safetensors"]


def test_extras_come_back_and_are_not_part_of_the_head(tmp_path, head) -> None:
    extras = {"scale": {"n": 3, "why": "é", "x": torch.arange(4), "y": torch.eye(2)}, "empty": {}}
    save_head(tmp_path / "head", head, extras=extras)
    saved = load_head(tmp_path / "head")
    assert set(saved.extras) == {"scale", "empty"}
    own = saved.extras["scale"]
    assert (own["n"], own["why"], list(own)) == (3, "é", ["n", "why", "x", "y"])
    assert torch.equal(own["x"], torch.arange(4))
    assert set(saved.head.fitted) == {"weights_"}


def test_files_without_extras_are_read(tmp_path) -> None:
    save_file({"weights_": torch.eye(2)}, tmp_path / "head", header())
    assert load_head(tmp_path / "head").extras == {}


def test_another_encoders_features_are_refused(tmp_path, head) -> None:
    save_head(tmp_path / "head", head, fingerprint="abc", model="m")
    saved = load_head(tmp_path / "head")
    saved.check_encoder("abc")
    with pytest.raises(DataError, match=r"made with \(m\).*abc, got xyz"):
        saved.check_encoder("xyz")


def test_a_head_is_tried_once(tmp_path, head, monkeypatch) -> None:
    save_head(tmp_path / "head", head)
    tried = []
    real = ZeroShot.logits
    monkeypatch.setattr(ZeroShot, "logits", lambda self, x: tried.append(x) or real(self, x))
    saved = load_head(tmp_path / "head")
    saved.check_encoder("", 8)
    assert saved.width == 8
    assert [tuple(x.shape) for x in tried] == [(4, 8)]  # a row of ones, and the weights
    with pytest.raises(DataError, match="features 5 wide"):
        saved.check_encoder("", 5)


def test_an_unfitted_head_is_not_saved(tmp_path) -> None:
    with pytest.raises(UsageError, match=r"call fit\(\) first"):
        save_head(tmp_path / "head", ZeroShot())


def test_a_path_below_a_file_is_refused(tmp_path, head) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="Could not write"):
        save_head(tmp_path / "file" / "head", head)
    with pytest.raises(DataError, match="Could not read"):
        load_head(tmp_path / "head")


def header(**changes) -> dict[str, str]:
    content = {
        "format": 1, "head": "zero-shot", "config": {"scale": 1.0}, "fitted": {},
        "classes": None, "fingerprint": "", "model": "",
    }  # fmt: skip
    return {"clipfg": json.dumps(content | changes)}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "not one or is damaged"),
        ({"clipfg": "{"}, "not one or is damaged"),
        ({"clipfg": "[]"}, "format 1"),
        (header(format=99), "another version"),
        (header(config={"scale": 1.0, "new": 2}), "got 'new' too: another version of clipfg"),
        (header(fitted={"logits": 1}), "not one or is damaged"),
        (header(fitted={"__class__": 1}), "not one or is damaged"),
    ],
)
def test_other_files_are_refused(tmp_path, metadata, message) -> None:
    save_file({"weights_": torch.eye(2)}, tmp_path / "head", metadata)
    with pytest.raises(DataError, match=message):
        load_head(tmp_path / "head")


def test_an_unregistered_head_is_refused(tmp_path) -> None:
    save_file({"weights_": torch.eye(2)}, tmp_path / "head", header(head="zero-shots"))
    with pytest.raises(UsageError, match="Did you mean 'zero-shot'"):
        load_head(tmp_path / "head")


@pytest.mark.parametrize("content", [b"", b"not a head", b"\x80\x04pickle"])
def test_bytes_that_are_not_safetensors(tmp_path, content) -> None:
    (tmp_path / "head").write_bytes(content)
    with pytest.raises(DataError, match="not one or is damaged"):
        load_head(tmp_path / "head")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_finite_are_refused(tmp_path, head, value) -> None:
    head.weights_[1, 2] = value
    save_head(tmp_path / "head", head)
    with pytest.raises(DataError, match="got NaN or infinity in weights_; fit it again"):
        load_head(tmp_path / "head")


@pytest.mark.parametrize("name", ["gda", "knn", "tip-adapter", "linear-probe", "auto", "lp++"])
def test_shapes_that_do_not_fit_are_refused(tmp_path, name) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.nn.functional.normalize(torch.randn(12, 8, generator=generator), dim=1)
    head = HEADS.get(name)().fit(x, torch.arange(12) % 3, x[:3])
    classes = ClassList(tuple("abc"))
    save_head(tmp_path / "head", head, classes)
    assert load_head(tmp_path / "head").classes == classes
    for own in [key for key, value in head.fitted.items() if isinstance(value, torch.Tensor)]:
        whole = getattr(head, own)
        if whole.ndim == 0:
            continue
        for side in range(whole.ndim):
            cut = whole.narrow(side, 0, whole.shape[side] - 1)
            setattr(head, own, cut.contiguous())
            save_head(tmp_path / "head", head, classes)
            try:
                saved = load_head(tmp_path / "head")
                saved.check_encoder("", 8)
            except DataError:
                continue
            saved.head.logits(x)
        setattr(head, own, whole)
    save_head(tmp_path / "head", head, ClassList(tuple("abcd")))
    with pytest.raises(DataError, match="fit one another and its 4 classes"):
        load_head(tmp_path / "head")
