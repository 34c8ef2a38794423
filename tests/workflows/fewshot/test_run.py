"""The whole command, on features in files and on drawn flowers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from clipfg.cli import main
from clipfg.data import synthflora
from clipfg.embedding.feature_files import write_features
from clipfg.errors import ClipfgError, DataError, UsageError
from clipfg.heads import load_head
from clipfg.options import FewshotOptions
from clipfg.types import ClassList, Features
from clipfg.workflows.fewshot.run import run_fewshot
from tests.workflows.jobs import job

CLASSES, WIDTH, EACH = 5, 12, 8
FAST = {"heads": "class-mean,knn", "shots": "1,4", "seeds": 2}
FLORETTE = ["--model", "builtin:florette", "--precision", "fp32"]


def make(splits: tuple[str | None, ...], each: int = EACH, seed: int = 0) -> Features:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(CLASSES, WIDTH))
    labels = np.tile(np.repeat(np.arange(CLASSES), each), len(splits))
    rows = centres[labels] + 0.8 * rng.normal(size=(len(labels), WIDTH))
    named = [split for split in splits for _ in range(CLASSES * each)]
    return Features(
        ids=tuple(f"{split}/{i}" for i, split in enumerate(named)),
        pooled=rows.astype(np.float32),
        labels=labels,
        classes=ClassList(tuple("abcde")),
        splits=tuple(named) if any(named) else (),
    )


def write(features: Features, path: Path) -> str:
    write_features(features, path)
    return f"features:{path}"


@pytest.fixture
def data(tmp_path) -> str:
    return write(make(("train", "test")), tmp_path / "data.parquet")


def run(output: Path, **options):
    return job(run_fewshot, FewshotOptions, output=output, **FAST | options)


def test_a_curve_a_chart_a_page_and_a_head(data, tmp_path, capsys) -> None:
    command = ["fewshot", "--dataset", data, "--head", "class-mean,knn,class-mean+transclip"]
    more = ["--shots", "1,4,all", "--seeds", "2", "--html", "-o", str(tmp_path / "run")]
    head = tmp_path / "head.safetensors"
    assert main.run([*command, *more, "--save", str(head), "--format", "json"]) == 0
    curve = json.loads(capsys.readouterr().out)
    stored = json.loads((tmp_path / "run" / "results.json").read_text())
    assert stored.pop("reading")
    assert stored == curve
    assert [(c["head"], c["shots"], len(c["by_seed"])) for c in curve["cells"]][:3] == [
        ("class-mean", "1", 2), ("class-mean", "4", 2), ("class-mean", "all", 1),
    ]  # fmt: skip
    assert (tmp_path / "run" / "curve.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.count("class-mean+transclip (transductive)") == 4  # three rows and the legend
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    top1 = curve["cells"][2]["top1"]["value"]
    assert np.mean([row["correct"] for row in rows]) == pytest.approx(top1)
    saved = load_head(head)
    assert (saved.head.name, saved.classes.names) == ("class-mean", tuple("abcde"))
    assert main.run(["report", str(tmp_path / "run"), "--format", "csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 10
    assert main.run(["report", str(tmp_path / "run"), "--html", "--format", "table"]) == 0
    assert "transductive" in capsys.readouterr().out


def test_labels_of_the_test_set_change_no_prediction(data, tmp_path) -> None:
    columns = []
    for name, turn in (("right", 0), ("wrong", 1)):
        features = make(("train", "test"))
        labels = features.labels.copy()
        labels[CLASSES * EACH :] = (labels[CLASSES * EACH :] + turn) % CLASSES
        tampered = Features(
            features.ids, features.pooled, labels, features.classes, splits=features.splits
        )
        dataset = write(tampered, tmp_path / f"{name}.parquet")
        head = tmp_path / f"{name}.safetensors"
        done = run(tmp_path / name, dataset=dataset, heads="auto,gda", save=head)
        rows = pq.read_table(tmp_path / name / "predictions.parquet")
        columns.append((rows.select(["id", "prediction", "names"]), head.read_bytes()))
        assert (done.curve.cells[1].top1.value > 0.6) == (name == "right")
    assert columns[0][0].equals(columns[1][0])
    assert columns[0][1] == columns[1][1]


def test_test_images_that_are_in_the_support_are_refused(tmp_path, caplog) -> None:
    features = make(("train", "test"))
    pooled = features.pooled.copy()
    pooled[CLASSES * EACH : CLASSES * EACH + 3] = pooled[:3]  # copies under other names
    copied = Features(
        features.ids, pooled, features.labels, features.classes, splits=features.splits
    )
    done = run(tmp_path / "run", dataset=write(copied, tmp_path / "x.npz"), shots="all")
    assert done.curve.n == CLASSES * EACH - 3
    assert "3 test images are also in the support set" in done.curve.remarks[0]


def test_classes_that_give_less_or_nothing_are_named(tmp_path) -> None:
    features = make(("train", "test"))
    keep = ~((features.labels == 4) & (np.array(features.splits) == "train"))
    keep[[0, 1, 2, 3, 4, 5]] = False  # two of class a are left
    done = run(tmp_path / "run", dataset=write(features.rows(keep), tmp_path / "x.npz"))
    first, second = done.curve.remarks
    assert "1 of 5 classes have no training image" in first
    assert "with their 8 test images: e" in first
    assert second == "At 4 shots 1 of 4 classes have fewer images: a (2)"
    assert (done.curve.n, done.curve.classes) == (CLASSES * EACH - 8 - 6 + 6, 4)


def test_data_without_a_split_is_halved_with_a_warning(tmp_path, caplog) -> None:
    dataset = write(make((None,)), tmp_path / "x.npz")
    with caplog.at_level("WARNING", logger="clipfg"):
        done = run(tmp_path / "run", dataset=dataset, shots="all")
    assert "half of each class, drawn with seed 0, is held out" in caplog.text
    assert done.curve.n == CLASSES * EACH // 2


def test_a_support_file_is_learnt_from_and_not_tested_on(data, tmp_path) -> None:
    file = tmp_path / "ids.csv"
    chosen = [f"train/{label * EACH}" for label in range(CLASSES)]
    file.write_text(
        "id,label\n" + "".join(f"{i},{n}\n" for i, n in zip(chosen, "abcde", strict=True))
    )
    done = run(tmp_path / "run", dataset=data, support=file, shots=None)
    assert (done.curve.grid.columns, done.curve.n) == (("all",), CLASSES * EACH)
    file.write_text("id\n" + "".join(f"{i}\n" for i in [*chosen, "test/40"]))
    assert run(tmp_path / "more", dataset=data, support=file).curve.n == CLASSES * EACH - 1
    for text, message in (
        ("train/0,b", "to be 'a', as in the data, got 'b'"),
        ("trian/0,a", "Did you mean 'train/0'"),
    ):
        file.write_text(f"id,label\n{text}\n")
        with pytest.raises(DataError, match=message):
            run(tmp_path / "wrong", dataset=data, support=file)


def test_own_labels_are_estimated_by_folds_or_tested_on_a_data_set(data, tmp_path) -> None:
    own = make((None,), each=3, seed=1)
    copies = Features(
        (*own.ids, "copy"),
        np.concatenate([own.pooled, own.pooled[:1]]),
        np.append(own.labels, 0),
        own.classes,
    )
    name, head = write(copies, tmp_path / "own.npz"), tmp_path / "head.safetensors"
    done = run(tmp_path / "folds", own_labels=name, save=head, shots=None)
    assert "Estimated without a test set" in done.curve.estimated
    assert "copies of others" in done.curve.remarks[0]
    assert done.curve.n == CLASSES * 3
    assert load_head(head).classes.names == tuple("abcde")
    rows = pq.read_table(tmp_path / "folds" / "predictions.parquet").to_pylist()
    shown = done.curve.cells[0].by_seed[0]
    assert np.mean([row["correct"] for row in rows]) == pytest.approx(shown)
    tested = run(tmp_path / "tested", own_labels=name, dataset=data, shots=None)
    assert (tested.curve.n, tested.curve.estimated) == (CLASSES * EACH, "")


def test_the_seeds_draw_the_supports(data, tmp_path) -> None:
    both, second = (
        run(tmp_path / f"{seed}", dataset=data, shots="1", seed=seed, seeds=seeds).curve.cells
        for seed, seeds in ((0, 2), (1, 1))
    )
    for one, other in zip(both, second, strict=True):
        assert one.by_seed[1] == other.by_seed[0]
        assert one.by_seed[0] != one.by_seed[1]


@pytest.mark.parametrize("missing", range(CLASSES))
def test_a_class_without_an_image_to_learn_from_moves_no_other(tmp_path, missing) -> None:
    features = make(("train", "test"))
    keep = ~((features.labels == missing) & (np.array(features.splits) == "train"))
    dataset = write(features.rows(keep), tmp_path / "x.npz")
    done = run(tmp_path / "run", dataset=dataset, shots="9")
    left = ", ".join(f"{name} (8)" for i, name in enumerate("abcde") if i != missing)
    assert done.curve.remarks[1] == f"At 9 shots 4 of 4 classes have fewer images: {left}"
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    truth = dict(zip(features.ids, ("abcde"[i] for i in features.labels), strict=True))
    assert all(row["label"] == truth[row["id"]] != "abcde"[missing] for row in rows)
    assert np.mean([row["prediction"] == row["label"] for row in rows]) > 0.6
    assert done.done == 2 * EACH * (CLASSES - 1)


def test_own_labels_are_learnt_under_the_data_s_class_list(data, tmp_path) -> None:
    """The same ids as the data's test images, and its classes the other way round."""
    own = make((None,), each=3, seed=1)
    ids = tuple(f"test/{CLASSES * EACH + i}" for i in range(len(own)))
    own = replace(own, ids=ids, labels=4 - own.labels, classes=ClassList(tuple("edcba")))
    name = write(own, tmp_path / "own.npz")
    done = run(tmp_path / "run", own_labels=name, dataset=data, shots=None)
    assert (done.curve.n, done.curve.remarks) == (CLASSES * EACH, ())
    assert done.curve.cells[0].top1.value > 0.6
    assert done.curve.context["learnt from"] == "own labels"


def test_features_of_two_encoders_are_refused(data, tmp_path) -> None:
    own = make((None,), each=3)
    for other in (
        replace(own, pooled=own.pooled[:, 1:]),
        replace(own, fingerprint="f" * 32),
    ):
        name = write(other, tmp_path / "own.npz")
        dataset = write(replace(make(("train", "test")), fingerprint="e" * 32), tmp_path / "x.npz")
        with pytest.raises(DataError, match="Expected features of one encoder"):
            run(tmp_path / "run", own_labels=name, dataset=dataset)


def test_class_texts_are_those_of_the_classes_that_are_learnt(tmp_path) -> None:
    """Three species of drawn flowers, the first and the last of the list not among them."""
    labels = (3, 7, 1)
    ids = [f"train/{16 * label + i:04}" for label in labels for i in range(2)]
    (tmp_path / "ids.txt").write_text("\n".join(ids))
    given = {"model": "builtin:florette", "precision": "fp32", "heads": "gda"}
    done = run(
        tmp_path / "run", dataset="synthflora", support=tmp_path / "ids.txt", shots=None, **given
    )
    names = [synthflora.classes().names[label] for label in labels]
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    assert {row["label"] for row in rows} == set(names)
    assert [cell.head for cell in done.curve.cells] == ["zero-shot", "gda"]
    assert all(cell.top1.value > 0.8 for cell in done.curve.cells)
    assert done.curve.context["model"] == "builtin:florette"


def test_images_that_cannot_be_read_are_not_learnt_from(tmp_path) -> None:
    for number, image in enumerate(synthflora.export(tmp_path / "drawn", 8, size=64)):
        home = tmp_path / "own" / "ab"[number % 2]
        home.mkdir(parents=True, exist_ok=True)
        image.rename(home / f"{number}.png")
    (tmp_path / "own" / "a" / "0.png").write_bytes(b"")
    given = {"model": "builtin:florette", "precision": "fp32", "heads": "class-mean"}
    done = run(tmp_path / "run", own_labels=tmp_path / "own", shots=None, **given)
    assert (done.exit_code, done.skipped, done.done, done.curve.n) == (3, 1, 7, 7)
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    assert [(row["id"], row["label"]) for row in rows] == [
        (f"{label}/{number}.png", label)
        for label, numbers in (("a", (2, 4, 6)), ("b", (1, 3, 5, 7)))
        for number in numbers
    ]


def test_a_saved_head_knows_who_made_its_features(tmp_path) -> None:
    features = replace(make(("train", "test")), fingerprint="f" * 32)
    head = tmp_path / "head.safetensors"
    done = run(tmp_path / "run", dataset=write(features, tmp_path / "x.npz"), save=head)
    assert (load_head(head).fingerprint, done.head) == ("f" * 32, head)
    assert json.loads((done.folder / "config.json").read_text())["fingerprint"] == "f" * 32
    assert done.rows() == done.curve.rows()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": "gdaa"}, "Did you mean 'gda'"),
        ({"heads": "transclip"}, "list another head first"),
        ({"heads": "knn,knn"}, "Head 'knn' is listed twice"),
        ({"heads": "zero-shot"}, "needs class texts and so cannot come first"),
        ({"shots": "0"}, "try 1,2,4,8,16"),
        ({"save": "missing/head.safetensors"}, "in an existing folder"),
        ({"split": "train"}, "would test on training images"),
        ({"split": "tests"}, "Did you mean 'test'"),
        (
            {"support": "ids.txt", "own_labels": "x"},
            "--own-labels and --support cannot",
        ),
        ({"dataset": None}, "No data is given"),
    ],
)
def test_what_is_wrong_costs_nothing(data, tmp_path, options, message) -> None:
    with pytest.raises(ClipfgError, match=message) as caught:
        run(tmp_path / "run", **{"dataset": data} | options)
    assert isinstance(caught.value, UsageError)
    assert not (tmp_path / "run" / "results.json").exists()


def test_drawn_flowers_are_learnt_beside_zero_shot_and_predicted(tmp_path, capsys) -> None:
    """Texts, images and a saved head, end to end, with nothing but the built-in parts."""
    head, cache = str(tmp_path / "head.safetensors"), ["--cache-dir", str(tmp_path / "cache")]
    command = ["fewshot", "--dataset", "synthflora", *FLORETTE, *cache, "--limit", "40"]
    learn = ["--shots", "1", "--seeds", "1", "--head", "auto", "--save", head]
    place = ["-o", str(tmp_path / "run"), "--format", "jsonl"]
    assert main.run([*command, *learn, *place]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["head"], row["shots"]) for row in rows] == [("zero-shot", None), ("auto", "1")]
    assert rows[1]["top1"] >= rows[0]["top1"] - 0.05
    saved = load_head(head)
    assert (saved.model, saved.precision) == ("builtin:florette", "fp32")


def test_a_head_that_takes_bags_is_refused_before_anything_is_embedded(data, tmp_path) -> None:
    with pytest.raises(UsageError, match="'bag-mean' takes bags"):
        run(tmp_path / "run", dataset=data, heads="bag-mean")
    assert not (tmp_path / "run").exists()
