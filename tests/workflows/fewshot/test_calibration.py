"""From `clipfg fewshot` with what it may be asked to `clipfg predict` with the head it saved."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from clipfg.data import synthflora
from clipfg.errors import UsageError
from clipfg.evaluation.curves.learning_curve import LearningCurve
from clipfg.evaluation.reliability.reliability import Reliability
from clipfg.evaluation.serialization import from_json, to_json
from clipfg.settings import Settings
from clipfg.workflows.fewshot.run import fewshot, run_fewshot
from clipfg.workflows.predict import predict
from clipfg.workflows.zeroshot.run import zeroshot
from tests.workflows.worlds import GROUPS, write_world

ASKED = {"target_error": 0.2, "prediction_set": 0.9, "unknown": True, "roll_up": 0.8}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    return write_world(tmp_path_factory.mktemp("world") / "features.safetensors")


def run(data, tmp_path, **options):
    given = {"shots": "8", "heads": "gda", "seeds": 1, "output": tmp_path / "run"} | options
    return fewshot(data, **given)


@pytest.mark.parametrize("calibration", ["folds", "split", "val"])
def test_everything_asked_is_measured(data, tmp_path, calibration) -> None:
    done = run(data, tmp_path, calibration=calibration, **ASKED)
    found = done.curve.reliability
    table = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pandas()
    assert found.n == len(table)
    answered = table["answer"].isin(set(table["label"]))
    assert found.rolled_up.at_class == pytest.approx(answered.mean())
    covered = np.array(
        [label in names for label, names in zip(table["label"], table["set"], strict=True)]
    )
    assert found.sets.coverage.value == pytest.approx(covered.mean())
    assert found.sets.mean_size == pytest.approx(table["set"].map(len).mean())
    assert found.ood.called_unknown.value == pytest.approx(table["unknown"].mean())
    assert found.ood.auroc > 0.5
    assert covered.mean() > 0.85
    if calibration == "split":  # 16 images show nothing, and silence is said
        assert found.answering.wrong is None
        assert "nowhere show" in found.guarantees[0]
    else:
        assert found.answering.wrong.value <= 0.2
    assert found.calibrated.ece < found.raw.ece
    assert [row.title for row in found.by_level] == ["parent"]
    told = {"folds": "measured", "split": "quarter", "val": "split val"}[calibration]
    assert told in found.guarantees[-1]


def test_results_come_back_and_are_shown(data, tmp_path) -> None:
    done = run_fewshot(
        Settings.resolve(
            dataset=data, shots="8", heads="gda", seeds=1, output=tmp_path / "run", **ASKED
        ),
        html=True,
    )
    content = json.loads((tmp_path / "run" / "results.json").read_text())
    assert from_json(LearningCurve, content) == done.curve
    page = (tmp_path / "run" / "report.html").read_text()
    for text in (
        "Reliability",
        "Risk and coverage",
        "Prediction sets by class",
        "<svg",
    ):
        assert text in page
    assert done.curve.reliability == from_json(Reliability, content["reliability"])


def test_a_run_that_asks_nothing_is_as_it_was(data, tmp_path) -> None:
    done = run(data, tmp_path)
    assert done.curve.reliability is None
    columns = pq.read_schema(tmp_path / "run" / "predictions.parquet").names
    assert columns[-1] == "probabilities"
    content = json.loads((tmp_path / "run" / "results.json").read_text())
    del content["reliability"]  # as earlier versions wrote it
    assert from_json(LearningCurve, content) == done.curve


def test_one_shot_is_a_sentence_and_no_lost_run(data, tmp_path, caplog) -> None:
    done = run(data, tmp_path, shots="1", target_error=0.1)
    assert done.curve.reliability is None
    assert "takes two images of a class" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calibration": "test"}, "nothing is learnt from or tested on"),
        ({"calibration": "train"}, "nothing is learnt from or tested on"),
        ({"calibration": "vall"}, "Did you mean 'val'"),
        ({"target_error": 2.0}, "--target-error between 0 and 1"),
        ({"within": "nowhere"}, "The widest groups: group 0, group 1"),
        ({"within": "k0"}, "two classes or more"),
    ],
)
def test_what_cannot_be_asked_is_refused(data, tmp_path, options, message) -> None:
    with pytest.raises(UsageError, match=message):
        run(data, tmp_path, **options)
    assert not (tmp_path / "run").exists()


def test_within_a_group_only_its_classes_are_told_apart(data, tmp_path) -> None:
    done = run(data, tmp_path, within="group 1", prediction_set=0.9)
    table = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pandas()
    names = {f"k{i}" for i in range(8) if i % GROUPS == 1}
    assert done.curve.classes == len(names)
    assert set(table["label"]) == set(table["prediction"]) == names


def test_a_saved_head_answers_as_it_was_asked(tmp_path) -> None:
    head = tmp_path / "head.safetensors"
    options = {"cache_dir": tmp_path / "cache", "precision": "fp32"}
    genus = synthflora.classes().lineage(synthflora.classes().names[0])[0]
    fewshot(
        "synthflora", shots="4", heads="class-mean", seeds=1, save=head, within=genus,
        unknown=True, output=tmp_path / "run", limit=40, **options,
    )  # fmt: skip
    images = synthflora.export(tmp_path / "images", 3, size=64)
    rows = predict(tmp_path / "images", head=head, output=tmp_path / "asked", **ASKED, **options)
    assert len(rows) == len(images)
    for row in rows:
        assert {"answer", "answer_probability", "set", "unknown", "familiarity"} < set(row)
        assert isinstance(row["set"], list)
        assert 0 < row["familiarity"] <= 1
    plain = predict(tmp_path / "images", head=head, output=tmp_path / "plain", **options)
    assert set(plain[0]) == set(rows[0]) - {
        "answer", "answer_probability", "set", "unknown", "familiarity"
    }  # fmt: skip
    assert [r["prediction"] for r in plain] == [r["prediction"] for r in rows]
    with pytest.raises(UsageError, match="fit a head for those alone"):
        predict(tmp_path / "images", head=head, within=genus, target_error=0.1, **options)


def test_class_names_alone_promise_nothing_before_any_work(tmp_path) -> None:
    images = synthflora.export(tmp_path / "images", 1, size=64)
    names = tmp_path / "names.txt"
    names.write_text("rose\niris\n")
    with pytest.raises(UsageError, match="of class names alone"):
        predict(images[0], classes=names, target_error=0.1, model="nowhere:nothing")


def test_zero_shot_rolls_up_and_stays_within(tmp_path) -> None:
    classes = synthflora.classes()
    genus = classes.lineage(classes.names[0])[0]
    done = zeroshot(
        "synthflora", within=genus, roll_up=0.9, limit=30, output=tmp_path / "run",
        cache_dir=tmp_path / "cache",
    )  # fmt: skip
    table = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    assert {classes.lineage(row["prediction"])[0] for row in table} == {genus}
    rolled = done.report.rolled_up
    assert rolled.at_class + rolled.at_group == pytest.approx(
        np.mean([row["answer"] is not None for row in table])
    )
    assert rolled.n == 30
    right = [row["answer"] in (row["label"], *classes.lineage(row["label"])) for row in table]
    given = [row["answer"] is not None for row in table]
    assert rolled.right.value == pytest.approx(sum(right) / sum(given))
    assert from_json(type(done.report), json.loads(json.dumps(to_json(done.report)))) == done.report
