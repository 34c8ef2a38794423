"""Heads on arrays against the same heads on tensors."""

import json
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load_file, save_file

from clipfg.errors import DataError
from clipfg.functional.similarity import unit_norm
from clipfg.heads import HEADS, load_head, save_head, saving
from clipfg.heads.array_head import DEFAULTS, OTHERS, SCORES, ArrayHead
from clipfg.heads.saving import SavedHead, load_array_head
from clipfg.types import ClassList
from clipfg.workflows.answers import factor_of

N, D, C = 24, 16, 4
NAMES = ClassList(("a", "b", "c", "d"))


def drawn(rows: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, D, generator=torch.Generator().manual_seed(seed))


def saved(path: Path, name: str, *, texts: bool = True, **settings: Any) -> Path:
    """A head in a file, fitted on noisy images of four classes."""
    centres, labels = unit_norm(drawn(C, 0)), torch.arange(N) % C
    features = unit_norm(centres[labels] + 0.2 * drawn(N, 1))
    head = HEADS.get(name)(**settings).fit(features, labels, centres if texts else None)
    save_head(path, head, NAMES, extras={"confidence": {"factor": 2.0, "own": torch.ones(3)}})
    return path


@pytest.mark.parametrize("texts", [True, False])
@pytest.mark.parametrize("name", SCORES)
def test_logits_are_those_of_the_head(name: str, texts: bool, tmp_path: Path) -> None:
    if HEADS.get(name).needs_texts and not texts:
        pytest.skip("learns from texts")
    path = saved(tmp_path / "head", name, texts=texts)
    arrays, tensors = load_array_head(path), load_head(path)
    assert arrays is not None
    assert arrays.width == tensors.width == D
    x = drawn(50, 2)
    own, known = arrays.head.logits(x.numpy()), tensors.head.logits(x).numpy()
    assert own.dtype == np.float32
    assert_allclose(own, known, rtol=1e-5, atol=1e-4)
    assert_array_equal(own.argmax(axis=1), known.argmax(axis=1))


def test_the_texts_of_a_floor_count(tmp_path: Path) -> None:
    path = saved(tmp_path / "head", "linear-probe", floor=30.0)
    arrays = load_array_head(path)
    assert arrays is not None
    x = drawn(50, 2)
    assert_allclose(
        arrays.head.logits(x.numpy()), load_head(path).head.logits(x).numpy(), rtol=1e-5, atol=1e-4
    )


def test_both_members_of_auto_are_tried(tmp_path: Path) -> None:
    arrays = load_array_head(saved(tmp_path / "head", "auto"))
    assert arrays is not None
    assert list(arrays.head.fitted["members_"]) == ["whitened-mean", "kernel-ridge"]


def test_a_plain_mean_of_texts_stays_one() -> None:
    weights = drawn(C, 0)
    head = HEADS.get("zero-shot")(50.0, -3.0, normalise=False).fit(text_weights=weights)
    own = ArrayHead.zero_shot(weights.numpy(), 50.0, -3.0)
    x = drawn(9, 3)
    assert_allclose(own.logits(x.numpy()), head.logits(x).numpy(), rtol=1e-5, atol=1e-4)


def test_the_factor_calibrates() -> None:
    own = ArrayHead.zero_shot(drawn(C, 0).numpy(), 50.0, 0.0)
    twice = ArrayHead(own.name, own.fitted, factor=2.0)
    x = drawn(9, 3).numpy()
    assert_allclose(twice.logits(x), 2 * own.logits(x), rtol=1e-6)


def test_other_heads_need_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "head", "knn")
    monkeypatch.setattr(saving, "_tensors", None)  # the header says enough
    assert load_array_head(path) is None


def rewritten(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
    """A head's file after a change of its tensors and its header."""
    arrays = load_file(path)
    with path.open("rb") as file:
        outer = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    header = json.loads(outer["__metadata__"]["clipfg"])
    change(arrays, header)
    save_file(arrays, path, {"clipfg": json.dumps(header)})
    return path


def test_all_settings_are_known() -> None:
    for name in SCORES:
        assert set(signature(HEADS.get(name)).parameters) <= DEFAULTS.keys() | OTHERS


@pytest.mark.parametrize("name", ["zero-shot", "class-mean", "whitened-mean", "kernel-ridge"])
def test_settings_that_a_file_lacks_are_the_defaults(name: str, tmp_path: Path) -> None:
    path = rewritten(saved(tmp_path / "head", name), lambda _, header: header["config"].clear())
    arrays, x = load_array_head(path), drawn(9, 2)
    assert arrays is not None
    known = load_head(path).head.logits(x).numpy()
    assert_allclose(arrays.head.logits(x.numpy()), known, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("key", "value"), [("head", ["gda"]), ("config", {"new": 1}), ("config", [])]
)
def test_what_is_not_known_is_left_to_torch(key: str, value: Any, tmp_path: Path) -> None:
    def change(_: dict[str, Any], header: dict[str, Any]) -> None:
        header[key] = value

    assert load_array_head(rewritten(saved(tmp_path / "head", "gda"), change)) is None


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("auto", "beta_", 10**400),
        ("auto", "spreads_", [0.0, 1.0]),
        ("auto", "m0_weights_", np.ones((1, D), np.float32)),
        ("linear-probe", "floor_", None),
        ("knn", "alpha_", 10**400),
    ],
)
def test_hostile_heads_are_refused(name: str, key: str, value: Any, tmp_path: Path) -> None:
    def change(arrays: dict[str, Any], header: dict[str, Any]) -> None:
        fields = arrays if isinstance(value, np.ndarray) else header["fitted"]
        assert fields.pop(key) is not None
        fields |= {} if value is None else {key: value}

    path = rewritten(saved(tmp_path / "head", name), change)
    with pytest.raises(DataError, match="fit it again"):
        load_array_head(path) or load_head(path)


@pytest.mark.parametrize(
    ("key", "value"), [("fingerprint", 1), ("model", []), ("extras", {"a": 1})]
)
def test_records_are_what_they_should_be(key: str, value: Any, tmp_path: Path) -> None:
    def change(_: dict[str, Any], header: dict[str, Any]) -> None:
        header[key] = value

    path = rewritten(saved(tmp_path / "head", "gda"), change)
    for load in (load_array_head, load_head):
        with pytest.raises(DataError, match="not one or is damaged"):
            load(path)


@pytest.mark.parametrize("factor", [float("nan"), -1.0, 0.0, 10**400, "x"])
def test_a_damaged_calibration_is_refused(factor: Any) -> None:
    head = ArrayHead.zero_shot(drawn(C, 0).numpy(), 50.0, 0.0)
    with pytest.raises(DataError, match="factor"):
        factor_of(SavedHead(head, extras={"confidence": {"factor": factor}}))


@pytest.mark.parametrize("damage", ["nan", "width", "missing"])
def test_damage_shows_when_it_is_loaded(damage: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "head", "gda")
    arrays = load_file(path)
    if damage == "nan":
        arrays["weights_"][0, 0] = np.nan
    elif damage == "width":
        arrays["weights_"] = arrays["weights_"][:3]
    else:
        del arrays["weights_"]
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    save_file(arrays, path, header["__metadata__"])
    with pytest.raises(DataError, match="fit it again"):
        load_array_head(path)


def test_features_of_another_width_are_refused(tmp_path: Path) -> None:
    arrays = load_array_head(saved(tmp_path / "head", "auto"))
    assert arrays is not None
    with pytest.raises(DataError, match="wide"):
        arrays.check_encoder("", D + 1)
    with pytest.raises(DataError, match="width"):
        arrays.head.logits(np.ones((2, D + 1), np.float32))
