"""Texts that an encoder cuts: a remark in every report, whatever the family."""

import json
from pathlib import Path

import pytest

from clipfg.cli import main
from clipfg.data import synthflora
from tests import checkpoints

LONG = "yellow flower with round petals and a small leaf , " * 40
CASES = {"open-clip-vit": 16, "clip": 16, "fgclip-1": 248, "fgclip-2": 196}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos, class names with and without long texts, checkpoints."""
    home = tmp_path_factory.mktemp("cut")
    synthflora.export(home / "photos", n=6, size=32)
    names = [f"flower {n}" for n in range(3)]
    rows = [f'{name},,"{LONG}{name}"' for name in names]
    (home / "long.csv").write_text("\n".join(["name,parent,text", *rows]) + "\n")
    (home / "short.txt").write_text("a\nb\nc\n")
    for kind in CASES:
        checkpoints.EVERY[kind](home / kind)
    return home


def predict(home: Path, kind: str, out: Path, classes: str, *more: str) -> int:
    options = ["--model", str(home / kind), "--classes", str(home / classes), "-o", str(out)]
    return main.run(["predict", str(home / "photos"), *options, "--precision", "fp32", *more])


@pytest.mark.parametrize("kind", CASES)
def test_predict_counts_cut_texts(home, kind, tmp_path, capsys) -> None:
    assert predict(home, kind, tmp_path / "run", "long.csv", "--prompts", "texts") == 0
    (remark,) = json.loads((tmp_path / "run" / "results.json").read_text())["remarks"]
    assert remark.startswith(f"3 of 3 texts (prompts texts) were cut at the {CASES[kind]} tokens")
    assert remark in capsys.readouterr().err
    assert predict(home, kind, tmp_path / "again", "short.txt", "--prompts", "name") == 0
    assert "remarks" not in json.loads((tmp_path / "again" / "results.json").read_text())


def test_paths_are_told_and_can_be_set(home, tmp_path, capsys) -> None:
    texts = ["--prompts", "general", "-v"]
    assert predict(home, "fgclip-1", tmp_path / "auto", "long.csv", *texts) == 0
    assert "Text paths: 36 short, 3 long" in capsys.readouterr().err
    asked = ["--text-path", "box"]
    assert predict(home, "fgclip-1", tmp_path / "box", "long.csv", *texts, *asked) == 0
    assert "Text paths: 39 box" in capsys.readouterr().err
    (remark,) = json.loads((tmp_path / "box" / "results.json").read_text())["remarks"]
    assert "cut at the 77 tokens" in remark
    assert predict(home, "clip", tmp_path / "no", "long.csv", "--text-path", "long") == 2
    assert "has no such path, only short" in capsys.readouterr().err


def test_lint_sees_the_texts_of_the_class_list(home, capsys) -> None:
    for kind in ("clip", "open-clip-vit"):
        assert main.run(["prompts", "lint", "texts", "--model", str(home / kind)]) == 0
        capsys.readouterr()
    classes = ["--classes", str(home / "long.csv")]
    assert main.run(["prompts", "lint", "texts", "--model", str(home / "fgclip-1"), *classes]) == 0
    found = [json.loads(line)["what"] for line in capsys.readouterr().out.splitlines()]
    assert len(found) == 3
    assert all("beyond 248 is cut off" in what for what in found)
