import json
from pathlib import Path

import pytest

from clipfg.errors import UsageError
from clipfg.types import Failure
from clipfg.workflows.run_folder import RunFolder, default_folder

FAILURE = Failure("a.jpg", "photos/a.jpg", "decode", "It is empty.")


def test_a_finished_run_has_whole_files_and_no_parts(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", {"model": "m"}) as folder:
        folder.fail(FAILURE)
        folder.results = {"top1": 1.0}
        assert not (tmp_path / "run" / "results.json").exists()
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == ["config.json", "failures.jsonl", "log.txt", "results.json"]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["model"] == "m"
    row = json.loads((tmp_path / "run" / "failures.jsonl").read_text())
    assert row == {
        "id": "a.jpg", "path": "photos/a.jpg", "stage": "decode", "reason": "It is empty."
    }  # fmt: skip


def test_a_run_that_dies_leaves_the_earlier_results_as_they_were(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}) as folder:
        folder.results = {"run": 1}

    def die() -> None:
        with RunFolder(tmp_path, {}) as folder:
            folder.results = {"run": 2}
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    assert json.loads((tmp_path / "results.json").read_text()) == {"run": 1}
    with RunFolder(tmp_path, {}) as folder:
        folder.results = {"run": 3}
    assert json.loads((tmp_path / "results.json").read_text()) == {"run": 3}


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UsageError, match="holds other things"):
        RunFolder(tmp_path, {})


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(UsageError, match="got the file"):
        RunFolder(tmp_path / "x", {})


def test_default_names_never_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = default_folder("zeroshot", "../my photos/", "open_clip:ViT-B-16/dfn2b")
    first.mkdir(parents=True)
    second = default_folder("zeroshot", "../my photos/", "open_clip:ViT-B-16/dfn2b")
    assert first != second
    assert first.name.startswith("zeroshot-my-photos-dfn2b-")
