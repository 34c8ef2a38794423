"""`clipfg suggest`: with no labels, with some, with a person's own, and simulated."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipfg.cli import main
from clipfg.data import synthflora
from clipfg.embedding.feature_files import read_features, write_features
from clipfg.errors import ClipfgError, DataError, UsageError
from clipfg.options import SuggestOptions
from clipfg.types import UNLABELLED, ClassList, Features
from clipfg.workflows.suggest.run import run_suggest
from clipfg.workflows.suggest.simulate import run_simulation
from tests.hostile import make_hostile_folder
from tests.workflows.jobs import job

FLORETTE = {"model": "builtin:florette", "precision": "fp32"}
CENTRES = np.eye(4) * 3 + 1
NONE = np.full(60, UNLABELLED)


def write_npz(
    path: Path, labels: np.ndarray, truth: np.ndarray, splits=(), seed=0, names="abcd"
) -> Path:
    """Features around the centre of each image's true class; `labels` are what the file says."""
    x = CENTRES[truth] + np.random.default_rng(seed).normal(size=(len(truth), 4)) * 0.3
    ids = tuple(f"p{i}" for i in range(len(x)))
    classes = ClassList(tuple(names)) if names else None
    write_features(Features(ids, x.astype(np.float32), labels, classes, splits=splits), path)
    return path


@pytest.fixture
def truth() -> np.ndarray:
    return np.repeat([0, 1, 2, 3], 15)


def suggest(data: Path, work=run_suggest, **options) -> list[dict]:
    given = {"dataset": f"features:{data}", "output": data.parent / "run"} | options
    return job(work, SuggestOptions, **given).rows()


def numbers(rows: list[dict]) -> list[int]:
    return [int(row["id"][1:]) for row in rows]


def test_with_no_labels_every_class_is_met_at_once(truth, tmp_path, capsys) -> None:
    data = write_npz(tmp_path / "x.npz", NONE, truth)
    command = ["suggest", "-d", f"features:{data}", "-o", str(tmp_path / "run"), "--budget", "4"]
    assert main.run(command) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert {truth[i] for i in numbers(rows)} == {0, 1, 2, 3}
    assert all(row["likely"] is None for row in rows)
    written = (tmp_path / "run" / "suggestions.csv").read_text(encoding="utf-8")
    listed = list(csv.DictReader(written.splitlines()))
    assert [row["id"] for row in listed] == [row["id"] for row in rows]
    assert suggest(data, budget=4) == rows
    assert main.run([*command, "--format", "table"]) == 0
    assert "likely" not in capsys.readouterr().out  # a column without a value


def test_a_class_that_has_no_label_comes_first(truth, tmp_path) -> None:
    labels = np.where((truth < 3) & (np.arange(60) % 15 < 4), truth, UNLABELLED)
    data = write_npz(tmp_path / "x.npz", labels, truth)
    (first,) = suggest(data, budget=1, strategy="maxherding")
    assert truth[int(first["id"][1:])] == 3
    assert first["likely"] in {"a", "b", "c"}
    assert 0 <= first["uncertainty"] <= 1


def test_a_filled_in_list_is_read_back(truth, tmp_path) -> None:
    data = write_npz(tmp_path / "x.npz", NONE, truth)
    asked = suggest(data, budget=6)
    file = tmp_path / "filled.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(("id", "label"))
        for row in asked[:5]:
            writer.writerow((row["id"], "abcd"[truth[int(row["id"][1:])]]))
        writer.writerow((asked[5]["id"], ""))  # not labelled yet
    rows = suggest(data, budget=60, labelled=file)
    assert len(rows) == 55
    assert not {row["id"] for row in rows} & {row["id"] for row in asked[:5]}


def test_labels_outside_the_list_are_not_looked_at(truth, tmp_path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("".join(f"p{i}\n" for i in range(0, 60, 5)), encoding="utf-8")
    found = []
    for name, labels in (("right", truth), ("wrong", np.where(np.arange(60) % 5, 0, truth))):
        data = write_npz(tmp_path / f"{name}.npz", labels, truth)
        found.append(suggest(data, labelled=file, budget=9))
    assert found[0] == found[1]
    assert len(found[0]) == 9


@pytest.mark.parametrize("of_data", ["abcd", "dcba", None])
def test_the_label_in_the_list_wins_over_the_data_s(truth, tmp_path, of_data) -> None:
    """The data calls the images by other classes than the list, or by none."""
    labels = truth if of_data else NONE
    data = write_npz(tmp_path / "x.npz", labels, truth, names=of_data)
    file, names = tmp_path / "labels.csv", "badc"
    listed = "".join(f"p{i},{names[truth[i]]}\n" for i in range(0, 60, 3))
    file.write_text(f"id,label\n{listed}", encoding="utf-8")
    rows = suggest(data, labelled=file, budget=40)
    assert [row["likely"] for row in rows] == [names[truth[i]] for i in numbers(rows)]


def test_a_list_without_labels_takes_the_data_s(truth, tmp_path) -> None:
    data = write_npz(tmp_path / "x.npz", truth, truth)
    (tmp_path / "ids.txt").write_text("".join(f"p{i}\n" for i in range(0, 60, 3)))
    rows = suggest(data, labelled=tmp_path / "ids.txt", budget=40)
    assert [row["likely"] for row in rows] == ["abcd"[truth[i]] for i in numbers(rows)]


def test_own_labels_are_matched_by_name_and_the_data_s_do_not_count(truth, tmp_path) -> None:
    labels = np.where(np.arange(60) % 3 == 0, (truth + 1) % 4, UNLABELLED)  # wrong, every third
    data = write_npz(tmp_path / "x.npz", labels, truth)
    own = write_npz(tmp_path / "own.npz", 3 - truth, truth, seed=1, names="dcba")
    (tmp_path / "names.txt").write_text("a\nb\nc\nd\n", encoding="utf-8")
    for classes in (None, tmp_path / "names.txt"):
        rows = suggest(data, own_labels=f"features:{own}", budget=60, classes=classes)
        assert sorted(numbers(rows)) == [i for i in range(60) if i % 3]
        assert [row["likely"] for row in rows] == ["abcd"[truth[i]] for i in numbers(rows)]


def test_content_that_is_labelled_elsewhere_is_not_suggested(truth, tmp_path) -> None:
    data = write_npz(tmp_path / "x.npz", NONE, truth)
    own = write_npz(tmp_path / "own.npz", truth[:20], truth[:20])  # the same rows as the first 20
    rows = suggest(data, own_labels=f"features:{own}", budget=60)
    assert sorted(numbers(rows)) == list(range(len(truth)))[20:]


def test_the_split_and_the_limit_bound_the_choice(truth, tmp_path) -> None:
    splits = ("train",) * 30 + ("test",) * 30
    data = write_npz(tmp_path / "x.npz", NONE, truth, splits)
    assert len(suggest(data, budget=60)) == 60
    chosen = numbers(suggest(data, budget=60, split="train", limit=20))
    assert len(set(chosen)) == 20
    assert max(chosen) < 30


def test_the_seed_decides(truth, tmp_path) -> None:
    data = write_npz(tmp_path / "x.npz", NONE, truth)
    one, two, again = (suggest(data, strategy="random", budget=9, seed=seed) for seed in (0, 1, 0))
    assert numbers(one) == numbers(again) != numbers(two)


@pytest.mark.parametrize("strategy", ["badge", "entropy", "margin"])
def test_uncertainty_without_probabilities_is_chance_and_said(
    truth, tmp_path, caplog, strategy
) -> None:
    data = write_npz(tmp_path / "x.npz", NONE, truth)
    assert numbers(suggest(data, strategy=strategy)) == numbers(suggest(data, strategy="random"))
    assert f"--strategy {strategy} needs class probabilities" in caplog.text


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({}, DataError, "--simulate"),
        ({"strategy": "maxherdin"}, UsageError, "Did you mean 'maxherding'"),
        ({"labelled": "ids.txt"}, DataError, "'nobody' \\(1 unknown in all\\)"),
        ({"labelled": "labels.csv"}, DataError, "got 'z' in 'p3'"),
        ({"labelled": "ids.txt", "own_labels": "x"}, UsageError, "--own-labels and --labelled"),
        ({"split": "tests"}, UsageError, "Expected a split"),
    ],
)
def test_what_is_wrong_is_said(truth, tmp_path, monkeypatch, options, kind, message) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ids.txt").write_text("p1\nnobody\n", encoding="utf-8")
    Path("labels.csv").write_text("id,label\np2,a\np3,z\n", encoding="utf-8")
    data = write_npz(tmp_path / "x.npz", truth, truth)
    with pytest.raises(ClipfgError, match=message) as caught:
        suggest(data, **options)
    assert isinstance(caught.value, kind)


def test_images_with_names_and_own_labels(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    photos = synthflora.export("photos", 8, size=64)
    for number, image in enumerate(synthflora.export("drawn", 2, size=64)):
        home = Path("own") / f"class {number}"
        home.mkdir(parents=True)
        image.rename(home / image.name)
    Path("names.txt").write_text("\n".join(synthflora.classes().names), encoding="utf-8")
    given = {"dataset": "photos", "budget": 3, "output": "run", "html": True, **FLORETTE}
    run = job(run_suggest, SuggestOptions, classes="names.txt", prompts="synthflora", **given)
    assert (run.done, len(run.rows())) == (len(photos), 3)
    assert all(row["likely"] and 0 < row["probability"] <= 1 for row in run.rows())
    assert Path("run/suggestions.html").read_text().count("data:image/jpeg") == 3
    rows = job(run_suggest, SuggestOptions, own_labels="own", **given).rows()
    assert {row["likely"] for row in rows} <= {"class 0", "class 1"}
    assert not {Path(row["path"]).read_bytes() for row in rows} & {
        image.read_bytes() for image in Path("own").rglob("*.*")
    }


def test_hostile_files_are_never_suggested(tmp_path) -> None:
    expected = make_hostile_folder(tmp_path / "hostile")
    given = {"dataset": tmp_path / "hostile", "budget": 99, "output": tmp_path / "run"}
    run = job(run_suggest, SuggestOptions, **given, **FLORETTE)
    assert (run.exit_code, run.skipped) == (3, sum(not usable for usable in expected.values()))
    good = {name for name, usable in expected.items() if usable}
    assert {row["id"] for row in run.rows()} <= good
    assert len(run.rows()) == len(good) - 3  # one image three times, one colour twice


SIMULATE = {"work": run_simulation, "simulate": True, "budget": 4}


def write_split(path: Path, truth: np.ndarray) -> Path:
    both = np.concatenate([truth, truth])
    return write_npz(path, both, both, ("train",) * len(truth) + ("test",) * len(truth))


def test_a_simulation_compares_each_strategy_with_random(truth, tmp_path, capsys) -> None:
    data = write_split(tmp_path / "x.npz", truth)
    rows = suggest(data, strategy="maxherding,margin", seeds=2, **SIMULATE)
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


def test_a_simulation_goes_by_its_seeds(truth, tmp_path) -> None:
    data = write_split(tmp_path / "x.npz", truth)
    (first, *_), (other, *_), (both, *_) = (
        suggest(data, strategy="random", seed=seed, seeds=seeds, **SIMULATE)
        for seed, seeds in ((0, 1), (1, 1), (0, 2))
    )
    assert first["accuracy"] != other["accuracy"]
    assert both["accuracy"] == pytest.approx((first["accuracy"] + other["accuracy"]) / 2, abs=0.01)


def test_a_simulation_counts_no_image_twice(truth, tmp_path) -> None:
    """Five test images are in the train split too, and five images of that are copies."""
    data = write_split(tmp_path / "x.npz", truth)
    features = read_features(data)
    pooled = features.pooled.copy()
    pooled[60:65], pooled[10:15] = pooled[:5], pooled[5:10]
    write_features(replace(features, pooled=pooled), data)
    given = {"dataset": f"features:{data}", "simulate": True, "strategy": "random", "budget": 4}
    run = job(run_simulation, SuggestOptions, **given, seeds=1, output=tmp_path / "run")
    assert run.done == 55 + 55
    assert run.result.hits["random"][0].shape == (1, 55)
    remarks = json.loads((tmp_path / "run" / "results.json").read_text())["remarks"]
    assert [remark.split(" ", 1)[0] for remark in remarks] == ["5", "5"]


@pytest.mark.parametrize("option", ["own_labels", "labelled"])
def test_a_simulation_starts_with_no_labels(truth, tmp_path, option) -> None:
    data = write_split(tmp_path / "x.npz", truth)
    with pytest.raises(UsageError, match="starts with no labels"):
        suggest(data, **SIMULATE, **{option: "x"})


def test_a_simulation_names_its_folder(truth, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = write_split(tmp_path / "x.npz", truth)
    suggest(data, strategy="random", seeds=1, output=None, **SIMULATE)
    (folder,) = Path("runs").iterdir()
    assert folder.name.startswith("suggest-simulate-x.npz-")
    assert json.loads((folder / "config.json").read_text())["command"] == "suggest --simulate"
