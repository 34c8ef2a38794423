import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from clipfg.errors import UsageError
from clipfg.types import Failure
from clipfg.workflows.run_folder import Failures, RunFolder, default_folder

FAILURE = Failure("a.jpg", "photos/a.jpg", "decode", "It is empty.")


def test_a_finished_run_has_whole_files_and_no_parts(tmp_path: Path) -> None:
    failures = Failures()
    with RunFolder(tmp_path / "run", {"model": "m"}, failures) as folder:
        failures.add(FAILURE)
        folder.results = {"top1": 1.0}
        assert not (tmp_path / "run" / "results.json").exists()
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == [".lock", "config.json", "failures.jsonl", "log.txt", "results.json"]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["model"] == "m"
    row = json.loads((tmp_path / "run" / "failures.jsonl").read_text())
    assert row == {
        "id": "a.jpg", "path": "photos/a.jpg", "stage": "decode", "reason": "It is empty."
    }  # fmt: skip


def test_a_run_that_dies_leaves_the_earlier_results_as_they_were(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}, Failures()) as folder:
        folder.results = {"run": 1}

    def die() -> None:
        with RunFolder(tmp_path, {}, Failures()) as folder:
            folder.results = {"run": 2}
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    assert json.loads((tmp_path / "results.json").read_text()) == {"run": 1}
    with RunFolder(tmp_path, {}, Failures()) as folder:
        folder.results = {"run": 3}
    assert json.loads((tmp_path / "results.json").read_text()) == {"run": 3}


def test_results_appear_last(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    (tmp_path / "zzz.txt" / "in the way").mkdir(parents=True)

    def finish() -> None:
        with RunFolder(tmp_path, {}, Failures()) as folder:
            folder.write_text("zzz.txt", "cannot be renamed")

    with pytest.raises(IsADirectoryError):
        finish()
    assert (tmp_path / "failures.jsonl").exists()
    assert not (tmp_path / "results.json").exists()


def test_only_the_first_failures_are_shouted(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures()
    with caplog.at_level("INFO", logger="clipfg"):
        for _ in range(12):
            failures.add(FAILURE)
    assert [record.file_only for record in caplog.records] == [False] * 11 + [True] * 2
    assert "failures.jsonl names them all" in caplog.messages[10]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_log_on_a_full_disk_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    (tmp_path / "run" / "log.txt").symlink_to("/dev/full")
    failures = Failures()
    with RunFolder(tmp_path / "run", {}, failures):
        failures.add(FAILURE)
    assert "rror" not in capfd.readouterr().err
    assert (tmp_path / "run" / "results.json").exists()


def test_names_forge_no_line_of_the_log(tmp_path: Path) -> None:
    failures = Failures()
    with RunFolder(tmp_path / "run", {}, failures):
        failures.add(Failure("a\n2026-01-31 WARNING \x1b[2Jforged", "a", "read", "It is empty."))
    lines = (tmp_path / "run" / "log.txt").read_text().splitlines()
    assert "Skipped a" in lines[0]
    assert lines[1] == r"    2026-01-31 WARNING \x1b[2Jforged: It is empty."


def test_an_earlier_list_of_failures_does_not_stay(tmp_path: Path) -> None:
    failures, path = Failures([FAILURE]), tmp_path / "failures.jsonl"
    failures.replace(path)
    assert json.loads(path.read_text())["id"] == "a.jpg"
    Failures().replace(path)
    assert not path.exists()
    Failures().replace(path)


def test_what_an_earlier_run_left_is_told(tmp_path: Path, caplog) -> None:
    with RunFolder(tmp_path, {}, Failures()) as folder:
        folder.write_text("report.html", "old")
    assert "also holds" not in caplog.text
    with RunFolder(tmp_path, {}, Failures()):
        pass
    assert "also holds report.html, which this run has not written" in caplog.text


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UsageError, match="holds other things"):
        RunFolder(tmp_path, {}, Failures())


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        RunFolder(tmp_path / "x", {}, Failures())


def test_default_names_never_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = default_folder("zeroshot", "../my photos/", "open_clip:ViT-B-16/dfn2b")
    second = default_folder("zeroshot", "../my photos/", "open_clip:ViT-B-16/dfn2b")
    assert first != second
    assert first.name.startswith("zeroshot-my-photos-dfn2b-")


def test_parts_of_a_killed_run_are_not_published(tmp_path: Path) -> None:
    (tmp_path / "config.json.part").touch()
    (tmp_path / "predictions.parquet.part").write_text("half of a file")
    (tmp_path / ".predictions.parquet.part.19571.partial").touch()
    with RunFolder(tmp_path, {}, Failures()):
        pass
    assert not list(tmp_path.glob("*predictions.parquet*"))


def test_one_run_at_a_time_has_the_folder(tmp_path: Path) -> None:
    with (
        RunFolder(tmp_path / "run", {"run": 1}, Failures()),
        pytest.raises(UsageError, match="being written by another run"),
        RunFolder(tmp_path / "run", {"run": 2}, Failures()),
    ):
        pass
    with RunFolder(tmp_path / "run", {"run": 3}, Failures()):
        pass
    assert json.loads((tmp_path / "run" / "config.json").read_text())["run"] == 3


def test_jobs_in_threads_have_logs_of_their_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger, both = logging.getLogger("clipfg"), Barrier(2)

    def work(name: str) -> None:
        with RunFolder(tmp_path / name, {}, Failures()):
            both.wait()
            logger.info(f"This is {name}.")
            both.wait()

    with caplog.at_level("INFO", logger="clipfg"), ThreadPoolExecutor() as threads:
        list(threads.map(work, ("one", "two")))
    assert "This is one." in (tmp_path / "one" / "log.txt").read_text()
    assert "This is one." not in (tmp_path / "two" / "log.txt").read_text()
