"""A training run on disk."""

import pytest
import torch

from clipfg.errors import DataError, UsageError
from clipfg.training.state import held, load_state, save_state, state_size


def test_what_is_written_is_read(tmp_path) -> None:
    state = {"done": 3, "weights": {"w": torch.randn(2, 3)}, "history": {"checks": [(0, 0.5)]}}
    assert load_state(tmp_path / "deep" / "state.pt") is None
    save_state(tmp_path / "deep" / "state.pt", state)
    found = load_state(tmp_path / "deep" / "state.pt")
    assert found is not None
    assert found["weights"]["w"].equal(state["weights"]["w"])
    assert found["history"] == state["history"]
    assert state_size(state) == 24
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["state.pt"]


def test_a_damaged_state_is_said(tmp_path) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"w": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"is no state of a training run .* delete it"):
        load_state(path)


def test_a_failed_write_leaves_the_state_before(tmp_path, monkeypatch) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"done": 1})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(DataError, match="No space left"):
        save_state(path, {"done": 2})
    assert load_state(path) == {"done": 1}


def test_one_run_at_a_time_and_nothing_stays_of_one_that_ended_well(tmp_path) -> None:
    path = tmp_path / "states" / "state.pt"
    with held(path):
        save_state(path, {"done": 1})
        with pytest.raises(UsageError, match="running already"), held(path):
            pass
        assert path.exists()
    assert not path.exists()
    save_state(path, {"done": 1})
    with pytest.raises(ZeroDivisionError), held(path):
        raise ZeroDivisionError
    assert path.exists()
