"""`clipfg lint` end to end: planted faults in drawn images are found, and clean data passes."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from clipfg.cli import main
from clipfg.data import synthflora
from clipfg.data.loading import load_dataset
from clipfg.data.sources import read
from clipfg.embedding.feature_files import write_features
from clipfg.types import ClassList, Features
from tests.hostile import make_hostile_folder

FLORETTE = ["--model", "builtin:florette", "--precision", "fp32"]
EACH = 6


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three species that look different, six drawn images each, half train and half test."""
    home = tmp_path_factory.mktemp("flowers")
    manifest = load_dataset("synthflora")
    labels = manifest.labels
    names = synthflora.classes().names
    rows = []
    for label in (3, 77, 150):
        for number, row in enumerate(np.flatnonzero(labels == label)[:EACH]):
            path = home / f"{label}-{number}.png"
            path.write_bytes(read(manifest.uris[row]))
            rows.append((path.name, names[label], "train" if number < EACH // 2 else "test"))
    write_table(home, rows)
    return home


def write_table(home: Path, rows: list[tuple[str, str, str]]) -> None:
    with (home / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])


def read_table(home: Path) -> list[tuple[str, str, str]]:
    with (home / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return [tuple(row) for row in list(csv.reader(file))[1:]]


def lint(home: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, list[dict]]:
    capsys.readouterr()
    code = main.run(["lint", "-d", str(home), *FLORETTE, "-o", f"{home}-run", *more])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def copy(flowers: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(flowers, tmp_path / "copy"))


def test_clean_data_has_no_errors(flowers, capsys) -> None:
    code, found = lint(flowers, capsys)
    assert code == 0
    assert not [row for row in found if row["level"] == "error"]
    assert not [row for row in found if "copy" in row["kind"] or "leak" in row["kind"]]


def test_what_is_planted_is_found(copy, capsys) -> None:
    rows = read_table(copy)
    other = rows[EACH][1]
    shutil.copy(copy / "3-0.png", copy / "leak.png")
    shutil.copy(copy / "77-0.png", copy / "two-labels.png")
    image = Image.open(copy / "150-0.png")
    width, height = image.size
    image.crop((2, 1, width - 1, height - 2)).save(copy / "near.jpg", quality=90)
    (copy / "broken.png").write_bytes(b"no image")
    write_table(
        copy,
        [
            *rows,
            ("leak.png", rows[0][1], "test"),
            ("two-labels.png", rows[0][1], "train"),
            ("near.jpg", rows[-1][1], "test"),
            ("broken.png", other, "train"),
            ("missing.png", other, "train"),
        ],
    )
    code, found = lint(copy, capsys, "--html")
    assert code == 1
    kinds = {(row["kind"], row["id"], row["other"]) for row in found}
    assert ("unreadable", "broken.png", None) in kinds
    assert ("unreadable", "missing.png", None) in kinds
    assert ("leak", "leak.png", "3-0.png") in kinds
    assert ("contradiction", "two-labels.png", "77-0.png") in kinds
    assert ("near-leak", "near.jpg", "150-0.png") in kinds
    run = Path(f"{copy}-run")
    assert pq.read_table(run / "findings.parquet").to_pylist() == found
    results = json.loads((run / "results.json").read_text())
    assert results["found"]["leak"] == 1
    page = (run / "lint.html").read_text()
    assert page.count("data:image/jpeg") == 6  # three pairs
    assert "leak.png" in page


def test_copies_that_the_encoder_does_not_see_are_found_and_poor_pictures_told(
    copy, capsys
) -> None:
    rows = read_table(copy)
    image = Image.open(copy / "150-0.png").convert("RGB")
    barred = image.copy()
    ImageDraw.Draw(barred).rectangle((0, 0, image.width, image.height // 8), fill="black")
    planted = {
        "grey.png": image.convert("L"),
        "bar.png": barred,
        "dark.png": ImageEnhance.Brightness(Image.open(copy / "3-0.png")).enhance(0.2),
        "plain.png": Image.new("RGB", (64, 64), (90, 120, 200)),
        "strip.png": Image.open(copy / "77-1.png").resize((400, 40)),
    }
    for name, made in planted.items():
        made.save(copy / name)
    write_table(copy, [*rows, *((name, rows[-1][1], "test") for name in planted)])
    _, found = lint(copy, capsys, "--html")
    near = {frozenset((row["id"], row["other"])) for row in found if row["kind"] == "near-leak"}
    assert {frozenset((name, "150-0.png")) for name in ("grey.png", "bar.png")} <= near
    kinds = {(row["kind"], row["id"]) for row in found if row["other"] is None}
    told = {("dark", "dark.png"), ("uniform", "plain.png"), ("strip", "strip.png")}
    assert told <= kinds
    assert "1: images that are dark" in Path(f"{copy}-run/lint.html").read_text()


def test_pictures_are_decoded_once_for_all_runs(copy, capsys, monkeypatch) -> None:
    _, first = lint(copy, capsys)
    monkeypatch.setattr("clipfg.embedding.thumbnails.decode", None)
    _, again = lint(copy, capsys)
    assert again == first


def test_a_wrong_label_is_doubted(copy, capsys) -> None:
    rows = read_table(copy)
    wrong = [
        (path, rows[EACH][1] if path == "3-4.png" else label, split) for path, label, split in rows
    ]
    write_table(copy, wrong)
    code, found = lint(copy, capsys)
    assert code == 0  # a doubt is a warning
    doubts = {row["id"]: row["other"] for row in found if row["kind"] == "label"}
    assert doubts == {"3-4.png": rows[0][1]}


def write_npz(path: Path, x: np.ndarray, labels: np.ndarray, names=("a", "b"), splits=()) -> Path:
    ids = tuple(f"p{i}" for i in range(len(x)))
    classes = ClassList(names) if names else None
    write_features(Features(ids, x.astype(np.float32), labels, classes, splits=splits), path)
    return path


@pytest.mark.parametrize(
    ("labels", "splits", "expected"),
    [
        # the first has no label: the two that differ are told against each other
        (
            [-1, 0, 1, 0],
            (),
            {("copy", "p1", "p0"), ("contradiction", "p2", "p1"), ("copy", "p3", "p0")},
        ),
        # the one in the train split has none
        (
            [0, -1, 1, -1],
            ("test", "train", "test", "train"),
            {
                ("leak", "p0", "p1"),
                ("leak", "p2", "p1"),
                ("contradiction", "p2", "p0"),
                ("copy", "p3", "p1"),
            },
        ),
        (
            [0, 0, 0, 1],
            (),
            {("copy", "p1", "p0"), ("copy", "p2", "p0"), ("contradiction", "p3", "p0")},
        ),
        ([-1, -1, -1, -1], (), {("copy", "p1", "p0"), ("copy", "p2", "p0"), ("copy", "p3", "p0")}),
    ],
)
def test_copies_are_compared_where_they_say_something(
    labels, splits, expected, tmp_path, capsys
) -> None:
    file = write_npz(tmp_path / "x.npz", np.ones((4, 3)), np.array(labels), splits=splits)
    main.run(["lint", "-d", f"features:{file}", "-o", str(tmp_path / "run")])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(r["kind"], r["id"], r["other"]) for r in found if r["other"]} == expected


def test_a_label_counts_though_a_copy_without_one_comes_first(tmp_path, capsys) -> None:
    rng = np.random.default_rng(0)
    x = np.repeat(np.eye(2, 6) * 4, 20, axis=0) + rng.normal(size=(40, 6)) * 0.1
    labels = np.repeat([0, 1], 20)
    labels[5] = 1
    x, labels = np.concatenate([x[5:6], x]), np.concatenate([[-1], labels])
    file = write_npz(tmp_path / "x.npz", x, labels)
    main.run(["lint", "-d", f"features:{file}", "-o", str(tmp_path / "run")])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(r["id"], r["other"]) for r in found if r["kind"] == "label"] == [("p6", "a")]


def test_an_outlier_and_small_classes_in_features_from_a_file(tmp_path, capsys) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([1 + 0.1 * rng.uniform(size=(60, 4)), [[-1, -1, 1, 1]]])
    labels = np.array([0] * 50 + [1] * 10 + [2])
    file = write_npz(tmp_path / "x.npz", x, labels, ("a", "b", "c", "d"))
    capsys.readouterr()
    assert main.run(["lint", "-d", f"features:{file}", "-o", str(tmp_path / "run")]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["id"] for row in found if row["kind"] == "outlier"] == ["p60"]
    sizes = {row["id"]: row["what"] for row in found if row["kind"] == "class-size"}
    assert sizes["d"] == "has no image"
    assert sizes["c"].startswith("has one image")


@pytest.mark.parametrize(
    ("labels", "names"),
    [([-1] * 6, None), ([0] * 6, ("a",)), ([0, 1, 2, 3, 4, 5], tuple("abcdef"))],
    ids=["no labels", "one class", "one image each"],
)
def test_labels_that_nothing_can_be_told_of(labels, names, tmp_path, capsys) -> None:
    x = np.eye(6) + 0.5
    file = write_npz(tmp_path / "x.npz", x, np.array(labels), names)
    assert main.run(["lint", "-d", f"features:{file}", "-o", str(tmp_path / "run")]) == 0
    assert '"label"' not in capsys.readouterr().out


def test_hostile_files_cost_themselves(tmp_path, capsys) -> None:
    expected = make_hostile_folder(tmp_path / "hostile")
    code, found = lint(tmp_path / "hostile", capsys)
    assert code == 1
    unreadable = {row["id"] for row in found if row["kind"] == "unreadable"}
    assert unreadable == {name for name, good in expected.items() if not good}
    copies = {row["id"] for row in found if row["kind"] == "copy"}
    assert len(copies) == 2  # plain.jpg is there three times


def test_nothing_readable(tmp_path, capsys) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "empty.jpg").touch()
    code, (found,) = lint(tmp_path / "photos", capsys)
    assert (code, found["kind"]) == (1, "unreadable")


def test_a_table_for_a_person(copy, capsys) -> None:
    shutil.copy(copy / "3-0.png", copy / "again.png")
    write_table(copy, [*read_table(copy), ("again.png", read_table(copy)[0][1], "train")])
    command = ["lint", "-d", str(copy), *FLORETTE, "-o", f"{copy}-run", "-f", "table"]
    assert main.run(command) == 0
    printed = capsys.readouterr().out
    assert "the same image twice" in printed
    assert "again.png" in printed
