"""Files that appear whole or not at all."""

from pathlib import Path

import pytest

from clipfg.atomic import finished, publish
from clipfg.errors import DataError, StoreError


def test_a_complete_file_gets_its_name(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with finished(path) as partial:
        partial.write_text("first")
        assert not path.exists()
    with finished(path) as partial:
        partial.write_text("second")
        assert path.read_text() == "first"
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail() -> None:
        with finished(path) as partial:
            partial.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(DataError, match=r"Could not write .*below: (File exists|Not a directory)"),
        finished(tmp_path / "file" / "below"),
    ):
        pass
    with pytest.raises(StoreError, match="No space left"), finished(tmp_path / "a", StoreError):
        raise OSError(28, "No space left on device")


def test_publishing(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_text("new")
    (tmp_path / "a").write_text("old")
    publish(tmp_path / "a.part", tmp_path / "a")
    assert (tmp_path / "a").read_text() == "new"
    assert not (tmp_path / "a.part").exists()
