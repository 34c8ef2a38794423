"""`clipfg suggest` end to end: with no labels, some labels, own labels, and replayed."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from clipfg.cli import main
from clipfg.embedding.feature_files import write_features
from clipfg.types import UNLABELLED, ClassList, Features
from tests.hostile import make_hostile_folder

FLORETTE = ["--model", "builtin:florette", "--precision", "fp32"]
CENTRES = np.eye(4) * 3 + 1


def write_npz(path: Path, labels: np.ndarray, truth: np.ndarray, splits=(), seed=0) -> Path:
    x = CENTRES[truth] + np.random.default_rng(seed).normal(size=(len(truth), 4)) * 0.3
    ids = tuple(f"p{i}" for i in range(len(x)))
    classes = ClassList(("a", "b", "c", "d"))
    write_features(Features(ids, x.astype(np.float32), labels, classes, splits=splits), path)
    return path


@pytest.fixture
def truth() -> np.ndarray:
    return np.repeat([0, 1, 2, 3], 15)


def suggest(data: Path, capsys, *more: str) -> list[dict]:
    capsys.readouterr()
    output = ["-o", str(data.parent / "run")]
    assert main.run(["suggest", "-d", f"features:{data}", *output, *more]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_with_no_labels_every_class_is_met_at_once(truth, tmp_path, capsys) -> None:
    data = write_npz(tmp_path / "x.npz", np.full(60, UNLABELLED), truth)
    rows = suggest(data, capsys, "--budget", "4")
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert {truth[int(row["id"][1:])] for row in rows} == {0, 1, 2, 3}
    assert all(row["likely"] is None for row in rows)
    written = (tmp_path / "run" / "suggestions.csv").read_text(encoding="utf-8")
    listed = list(csv.DictReader(written.splitlines()))
    assert [row["id"] for row in listed] == [row["id"] for row in rows]


def test_a_class_that_has_no_label_comes_first(truth, tmp_path, capsys) -> None:
    labels = np.where((truth < 3) & (np.arange(60) % 15 < 4), truth, UNLABELLED)
    data = write_npz(tmp_path / "x.npz", labels, truth)
    (first,) = suggest(data, capsys, "--budget", "1", "--strategy", "maxherding")
    assert truth[int(first["id"][1:])] == 3
    assert first["likely"] in {"a", "b", "c"}
    assert 0 <= first["uncertainty"] <= 1


def test_a_filled_in_list_is_read_back(truth, tmp_path, capsys) -> None:
    data = write_npz(tmp_path / "x.npz", np.full(60, UNLABELLED), truth)
    asked = suggest(data, capsys, "--budget", "6")
    file = tmp_path / "filled.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(("id", "label"))
        for row in asked[:5]:
            writer.writerow((row["id"], "abcd"[truth[int(row["id"][1:])]]))
        writer.writerow((asked[5]["id"], ""))  # not labelled yet
    rows = suggest(data, capsys, "--budget", "60", "--labelled", str(file))
    assert len(rows) == 55
    assert not {row["id"] for row in rows} & {row["id"] for row in asked[:5]}


def test_labels_outside_the_list_are_not_looked_at(truth, tmp_path, capsys) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("".join(f"p{i}\n" for i in range(0, 60, 5)), encoding="utf-8")
    found = []
    for name, labels in (("right", truth), ("wrong", np.where(np.arange(60) % 5, 0, truth))):
        data = write_npz(tmp_path / f"{name}.npz", labels, truth)
        found.append(suggest(data, capsys, "--labelled", str(file), "--budget", "9"))
    assert found[0] == found[1]
    assert len(found[0]) == 9


def test_everything_labelled_says_what_to_do(truth, tmp_path, capsys) -> None:
    data = write_npz(tmp_path / "x.npz", truth, truth)
    command = ["suggest", "-d", f"features:{data}", "-o", str(tmp_path / "run")]
    assert main.run(command) == 1
    assert "--simulate" in capsys.readouterr().err
    assert main.run([*command, "--strategy", "maxherdin"]) == 2
    assert "maxherding" in capsys.readouterr().err
    (tmp_path / "ids.txt").write_text("nobody\n", encoding="utf-8")
    assert main.run([*command, "--labelled", str(tmp_path / "ids.txt")]) == 1
    assert "nobody" in capsys.readouterr().err


def test_images_with_names_and_own_labels(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, count in (("photos", "8"), ("drawn", "3")):
        assert main.run(["datasets", "draw", folder, "-n", count, "--size", "64"]) == 0
    images = sorted(Path("drawn").glob("*.png")) or sorted(Path("drawn").glob("*.jpg"))
    for number, image in enumerate(images[:2]):
        home = Path("own") / f"class {number}"
        home.mkdir(parents=True)
        image.rename(home / image.name)
    command = ["suggest", "-d", "photos", *FLORETTE, "--budget", "3", "-o", "run", "--html"]
    capsys.readouterr()
    assert main.run([*command, "--classes", "photos/classes.csv", "--prompts", "synthflora"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 3
    assert all(row["likely"] and 0 < row["probability"] <= 1 for row in rows)
    assert Path("run/suggestions.html").read_text().count("data:image/jpeg") == 3
    assert main.run([*command, "--own-labels", "own"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["likely"] for row in rows} <= {"class 0", "class 1"}
    assert not {Path(row["path"]).read_bytes() for row in rows} & {
        image.read_bytes() for image in Path("own").rglob("*.*")
    }


def test_hostile_files_are_never_suggested(tmp_path, capsys) -> None:
    expected = make_hostile_folder(tmp_path / "hostile")
    command = ["suggest", "-d", str(tmp_path / "hostile"), *FLORETTE, "-n", "99"]
    assert main.run([*command, "-o", str(tmp_path / "run")]) == 3
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    good = {name for name, usable in expected.items() if usable}
    assert {row["id"] for row in rows} <= good
    assert len(rows) == len(good) - 3  # one image three times, one colour twice


def test_a_replay_judges_each_strategy_against_random(truth, tmp_path, capsys) -> None:
    truth = np.concatenate([truth, truth])
    data = write_npz(tmp_path / "x.npz", truth, truth, ("train",) * 60 + ("test",) * 60)
    asked = ["--simulate", "--budget", "4", "--strategy", "maxherding,margin", "--seeds", "2"]
    rows = suggest(data, capsys, *asked)
    assert [row["strategy"] for row in rows[::4]] == ["random", "maxherding", "margin"]
    assert [row["labels"] for row in rows[:4]] == [4, 8, 16, 32]
    assert all(row["against_random"] == 0 for row in rows[:4])
    by_name = {(row["strategy"], row["labels"]): row["accuracy"] for row in rows}
    assert by_name["maxherding", 4] > by_name["random", 4] + 10
    for row in rows:
        difference = row["accuracy"] - by_name["random", row["labels"]]
        assert row["against_random"] == pytest.approx(difference, abs=0.02)
        assert row["low"] <= row["accuracy"] <= row["high"]
        assert row["accuracy"] <= row["ceiling"] <= 100
    met = {(row["strategy"], row["labels"]): row["ceiling"] for row in rows}
    assert met["random", 4] < met["maxherding", 4]
    assert met["maxherding", 32] == 100
    assert (tmp_path / "run" / "curve.png").read_bytes().startswith(b"\x89PNG")
    command = ["suggest", "-d", f"features:{data}", "-o", str(tmp_path / "run"), "--simulate"]
    assert main.run([*command, "--budget", "999"]) == 1
    assert "smaller --budget" in capsys.readouterr().err
