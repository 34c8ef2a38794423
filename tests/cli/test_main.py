"""The command line's contract: exit codes, streams, and no traceback whatever happens."""

import subprocess
import sys
from pathlib import Path

import pytest

from clipfg.cli import main
from clipfg.errors import MissingError


def test_help_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0
    assert "zeroshot" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("clipfg 0.")


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["zeroshot", "--nope"], ["zeroshot", "--batch-size", "many"], ["zeroshot"]],
)
def test_wrong_usage_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Error" in captured.err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom clipfg.cli import main\nmain.run(['--help'])\n"
        "heavy = {'torch', 'numpy', 'pyarrow', 'pydantic', 'open_clip', 'transformers'}\n"
        "found = heavy & set(sys.modules)\nassert not found, found"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    # typer brings pydantic of its own accord in some versions; nothing of ours may.
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (MissingError("The weights are not here; run clipfg models pull."), 4),
        (OSError(28, "No space left on device", "predictions.parquet"), 1),
        (RuntimeError("a bug"), 1),
        (BrokenPipeError(), 0),
    ],
)
def test_every_error_leaves_as_a_sentence_and_a_code(
    error: BaseException,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("clipfg.cli.command.resolve", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where a bug's trace is kept
    assert main.run(["doctor"]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_bug_leaves_its_trace_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("clipfg.cli.command.resolve", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main.run(["doctor"]) == 1
    (trace,) = tmp_path.glob("clipfg-*.txt")
    assert trace.name in capsys.readouterr().err
    assert "RuntimeError: a bug" in trace.read_text()


@pytest.mark.parametrize("more", [(), ("--no-resume",)])
def test_an_interrupt_says_how_to_go_on(more, monkeypatch, capsys) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clipfg.workflows.embed.run_embed", interrupted)
    assert main.run(["embed", "synthflora", "-o", "x.parquet", *more]) == 130
    said = capsys.readouterr().err
    assert "Finished work is kept" in said
    assert ("again without --no-resume to resume" in said) == bool(more)
