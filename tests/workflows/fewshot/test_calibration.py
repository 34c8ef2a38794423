"""From `clipfg fewshot` with what it may be asked to `clipfg predict` with the head it saved."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from clipfg.confidence import Confidence
from clipfg.data import synthflora
from clipfg.embedding.feature_files import read_features, write_features
from clipfg.errors import UsageError
from clipfg.evaluation.curves.learning_curve import LearningCurve
from clipfg.evaluation.reliability.reliability import Reliability
from clipfg.evaluation.serialization import from_json, to_json
from clipfg.heads import load_head
from clipfg.heads.gda import GDA
from clipfg.heads.support import Support
from clipfg.options import FewshotOptions, PredictOptions, ZeroshotOptions
from clipfg.types import UNLABELLED, ClassList
from clipfg.workflows.answers import confidence_of
from clipfg.workflows.fewshot.calibration import CalibratedHead, Calibrator
from clipfg.workflows.fewshot.heads import HeadSet, HeadSpec
from clipfg.workflows.fewshot.images import FewshotImages
from clipfg.workflows.fewshot.run import run_fewshot
from clipfg.workflows.predict import run_predict
from clipfg.workflows.zeroshot.run import run_zeroshot
from tests.heads.conftest import make_problem
from tests.workflows.jobs import job
from tests.workflows.worlds import GROUPS, write_world

ASKED = {"target_error": 0.2, "prediction_set": 0.9, "unknown": True, "roll_up": 0.8}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    return write_world(tmp_path_factory.mktemp("world") / "features.safetensors")


def run(data, tmp_path, **options):
    given = {"shots": "8", "heads": "gda", "seeds": 1, "output": tmp_path / "run"} | options
    return job(run_fewshot, FewshotOptions, dataset=data, **given)


def predict(photos, **options):
    return job(lambda session: run_predict(session, [photos]), PredictOptions, **options).rows()


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
    assert found.answering.wrong.value <= 0.2
    assert found.calibrated.ece < found.raw.ece
    assert [row.title for row in found.by_level] == ["parent"]
    told = {"folds": "measured", "split": "quarter", "val": "split val"}[calibration]
    assert told in found.guarantees[-1]


def test_results_come_back_and_are_shown(data, tmp_path) -> None:
    done = run(data, tmp_path, html=True, **ASKED)
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


@pytest.mark.parametrize("calibration", ["folds", "split"])
def test_one_shot_is_a_sentence_and_no_lost_run(data, tmp_path, caplog, calibration) -> None:
    done = run(data, tmp_path, shots="1", target_error=0.1, calibration=calibration)
    assert done.curve.reliability is None
    assert "takes two images of a class" in caplog.text


def confidence_of_saved(data, tmp_path, **options) -> Confidence:
    head = tmp_path / "head.safetensors"
    run(data, tmp_path, **{"save": head, "heads": "class-mean"} | options)
    found = confidence_of(load_head(head))
    assert found is not None
    return found


def written(folder: Path) -> Path:
    path = folder / "world.safetensors"
    write_world(path)
    return path


def test_a_split_calibrates_by_labelled_images_of_classes_that_are_learnt(tmp_path) -> None:
    features = read_features(written(tmp_path))
    splits = np.array(features.splits)
    labels = features.labels.copy()
    unlabelled = np.flatnonzero((splits == "val") & (labels == 3))[:10]
    labels[unlabelled] = UNLABELLED
    kept = (splits != "train") | (labels != 0)  # nothing to learn k0 from
    path = tmp_path / "changed.safetensors"
    write_features(replace(features, labels=labels).rows(kept), path)
    found = confidence_of_saved(f"features:{path}", tmp_path, calibration="val")
    assert found.source == "split val"
    assert torch.bincount(found.labels).tolist() == [40, 40, 30, 40, 40, 40, 40]
    assert found.hits.float().mean() > 0.5


def test_a_split_calibrates_without_the_images_that_are_learnt_from(tmp_path) -> None:
    written(tmp_path)
    ids = [f"train/{12 * label + i}" for label in range(8) for i in range(2)]
    (tmp_path / "ids.txt").write_text("\n".join([*ids, "val/96", "val/97", "val/98"]))
    given = {"calibration": "val", "support": tmp_path / "ids.txt", "shots": None}
    found = confidence_of_saved(f"features:{tmp_path / 'world.safetensors'}", tmp_path, **given)
    assert torch.bincount(found.labels).tolist() == [37] + [40] * 7


def test_within_a_group_a_split_calibrates_by_its_classes_alone(data, tmp_path) -> None:
    found = confidence_of_saved(data, tmp_path, calibration="val", within="group 1")
    assert torch.bincount(found.labels).tolist() == [40] * 4


def test_what_a_test_has_refuted_is_saved_with_the_head(data, tmp_path) -> None:
    done = run(data, tmp_path, save=tmp_path / "head.safetensors", shots="2", target_error=0.2)
    found = confidence_of(load_head(tmp_path / "head.safetensors"))
    assert found.remarks == done.curve.reliability.unmet


def calibrated(problem, seed: int, **options):
    """A head on half of a support, calibrated, and the support."""
    support = Support.of("test", problem.x, problem.labels, None)
    heads = HeadSet((HeadSpec("gda"),), HeadSpec("gda"))
    images = FewshotImages(None, None, None, ClassList(tuple("abcdef")))
    head = heads.fit_first(support, seed)

    def work(session):
        whole = CalibratedHead(head, support, np.arange(len(support)), "all images")
        return Calibrator(session, heads, images, None).calibrate(whole)

    known = job(work, FewshotOptions, target_error=0.2, seed=seed, **options)
    return known, head, support


@pytest.mark.parametrize("seed", [0, 3])
def test_a_quarter_that_is_held_out_is_not_learnt_from(seed) -> None:
    problem = make_problem(shots=8)
    known, _, support = calibrated(problem, seed, calibration="split")
    out = support.folds(seed, 4) == 0
    assert int(out.sum()) == len(problem.labels) // 4
    head = GDA(seed=seed).fit(support.features[~out], support.labels[~out])
    assert torch.equal(known.head.logits(problem.queries), head.logits(problem.queries))
    assert len(known.support) == int((~out).sum())
    assert known.learnt_from == "three quarters of all images"
    assert np.array_equal(known.rows, np.flatnonzero(~out.numpy()))
    assert torch.equal(known.confidence.labels, support.labels[out])
    hits = head.logits(support.features[out]).argmax(dim=1) == support.labels[out]
    assert torch.equal(known.confidence.hits, hits)


@pytest.mark.parametrize("seed", [0, 3])
def test_folds_of_the_whole_support_calibrate_the_head_itself(seed) -> None:
    known, head, support = calibrated(make_problem(shots=8), seed)
    assert known.head is head
    expected = Confidence.fit(head, support, seed=seed)
    assert torch.equal(known.confidence.certainty, expected.certainty)
    assert known.confidence.factor == expected.factor


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calibration": "test"}, "would use training or test images"),
        ({"calibration": "train"}, "would use training or test images"),
        ({"calibration": "vall"}, "Did you mean 'val'"),
        ({"target_error": 2.0}, "--target-error must be between 0 and 1"),
        ({"within": "nowhere"}, "The broadest groups are group 0, group 1"),
        ({"within": "k0"}, "at least two classes"),
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
    learn = {"shots": "4", "heads": "class-mean", "save": head, "within": genus, "limit": 40}
    run("synthflora", tmp_path, unknown=True, **learn, **options)
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
    with pytest.raises(UsageError, match="Class names alone"):
        predict(images[0], classes=names, target_error=0.1, model="nowhere:nothing")


def test_zero_shot_rolls_up_and_stays_within(tmp_path) -> None:
    classes = synthflora.classes()
    genus = classes.lineage(classes.names[0])[0]
    given = {"within": genus, "roll_up": 0.9, "limit": 30, "cache_dir": tmp_path / "cache"}
    output = tmp_path / "run"
    done = job(run_zeroshot, ZeroshotOptions, dataset="synthflora", output=output, **given)
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
