"""The whole command, on features in files and on drawn flowers."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from clipfg.cli import main
from clipfg.embedding.feature_files import write_features
from clipfg.errors import ClipfgError, DataError, UsageError
from clipfg.heads import load_head
from clipfg.settings import Settings
from clipfg.types import ClassList, Features
from clipfg.workflows.fewshot.run import run_fewshot

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
    return run_fewshot(Settings.resolve(output=output, **FAST | options))


def test_a_curve_a_image_a_page_and_a_head(data, tmp_path, capsys) -> None:
    command = ["fewshot", "--dataset", data, "--head", "class-mean,knn,class-mean+transclip"]
    more = ["--shots", "1,4,all", "--seeds", "2", "--html", "-o", str(tmp_path / "run")]
    head = tmp_path / "head.safetensors"
    assert main.run([*command, *more, "--save", str(head), "--format", "json"]) == 0
    curve = json.loads(capsys.readouterr().out)
    stored = json.loads((tmp_path / "run" / "results.json").read_text())
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
    assert "3 test images are in the support as well" in done.curve.remarks[0]


def test_classes_that_give_less_or_nothing_are_named(tmp_path) -> None:
    features = make(("train", "test"))
    keep = ~((features.labels == 4) & (np.array(features.splits) == "train"))
    keep[[0, 1, 2, 3, 4, 5]] = False  # two of class a are left
    done = run(tmp_path / "run", dataset=write(features.rows(keep), tmp_path / "x.npz"))
    first, second = done.curve.remarks
    assert "1 of 5 classes have no image to learn from" in first
    assert "with their 8 test images: e" in first
    assert second == "At 4 shots 1 of 4 classes give what they have: a (2)"
    assert (done.curve.n, done.curve.classes) == (CLASSES * EACH - 8 - 6 + 6, 4)


def test_data_without_a_split_is_halved_with_a_word(tmp_path, caplog) -> None:
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
    for text, message in (("train/0,b", "to be 'a'"), ("trian/0,a", "Did you mean 'train/0'")):
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": "gdaa"}, "Did you mean 'gda'"),
        ({"heads": "transclip"}, "a head that can be kept to come first"),
        ({"heads": "knn,knn"}, "different heads"),
        ({"heads": "zero-shot"}, "needs no class texts to come first"),
        ({"shots": "0"}, "try 1,2,4,8,16"),
        ({"save": "missing/head.safetensors"}, "in a folder that there is"),
        ({"split": "train"}, "that is not learnt from"),
        ({"split": "tests"}, "Did you mean 'test'"),
        ({"support": "ids.txt", "own_labels": "x"}, "got both"),
        ({"dataset": None}, "Expected --dataset"),
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
    assert main.run(["datasets", "list", "--format", "csv"]) == 0
    saved = load_head(head)
    assert (saved.model, saved.precision) == ("builtin:florette", "fp32")
