"""Files that appear whole or not at all."""

import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipfg import atomic
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


LEFT = st.from_regex(r"\.[a-z.]{1,6}\.[0-9a-f]{8}\.part", fullmatch=True)
OTHERS = st.one_of(
    st.from_regex(r"[a-z]{1,5}\.[0-9a-f]{8}\.part", fullmatch=True),
    st.from_regex(r"\.[a-z]{1,5}(\.[0-9a-f]{7}|\.[g-z]{8})?\.part", fullmatch=True),
    st.from_regex(r"\.[a-z]{1,5}\.[0-9a-f]{8}\.(part\.txt|new|partial)", fullmatch=True),
)


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is swept without locks")
@settings(max_examples=25)
@given(dead=st.sets(LEFT, max_size=4), living=st.sets(LEFT, max_size=3), others=st.sets(OTHERS))
def test_what_dead_runs_left_goes_and_nothing_else(dead, living, others) -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as held:
        folder = Path(name)
        for one in (dead | others) - living:
            (folder / one).touch()
        for one in living:
            held.enter_context(atomic._held(folder / one))
        atomic._sweep(folder)
        assert {path.name for path in folder.iterdir()} == living | others


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is swept without locks")
def test_a_killed_run_leaves_a_file_that_the_next_one_removes(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from clipfg.atomic import finished\n"
        "with finished(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half'); print(flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "file")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with finished(tmp_path / "other"):
            pass
        assert [path.read_text() for path in tmp_path.glob(".*.part")] == ["half"]
        writer.send_signal(signal.SIGKILL)
    with finished(tmp_path / "other"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_writers_side_by_side_take_nothing_from_one_another(tmp_path: Path) -> None:
    def write(number: int) -> None:
        with finished(tmp_path / str(number)) as partial, partial.open("ab") as file:
            file.write(b"whole")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(300)))
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"whole"}
    assert len(list(tmp_path.iterdir())) == 300


def test_without_locks_files_are_still_whole(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(atomic, "fcntl", None)
    (tmp_path / ".old.0123abcd.part").touch()
    with finished(tmp_path / "file") as partial:
        partial.write_text("whole")
    assert (tmp_path / "file").read_text() == "whole"
    assert {path.name for path in tmp_path.iterdir()} == {"file", ".old.0123abcd.part"}
