"""How data were understood is said first, shown in full, and kept with the results."""

import json
import logging
from pathlib import Path

import pytest

from clipfg.data import synthflora
from clipfg.data.loading import load_dataset
from clipfg.errors import UsageError
from clipfg.options import DatasetShowOptions, EmbedOptions, PredictOptions, ZeroshotOptions
from clipfg.types import ClassList, LeftOut, Manifest, Reading
from clipfg.workflows.catalogue.datasets import dataset_facts
from clipfg.workflows.dataset import labelled_split
from clipfg.workflows.embed import run_embed
from clipfg.workflows.predict import run_predict
from clipfg.workflows.understood import plain, sentence
from clipfg.workflows.zeroshot.run import run_zeroshot
from tests.workflows.jobs import job

ROSE, TULIP = "rose", "tulip"


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """A wrapper, two splits, a stranger and a picture beside them; test/ has no classes."""
    pictures = iter(synthflora.export(tmp_path / "drawn", n=8))
    root = tmp_path / "flowers"
    for name in (
        *(f"set/train/{kind}/{number}.png" for kind in (ROSE, TULIP) for number in (1, 2)),
        *("set/test/1.png", "set/unsorted/1.png", "set/cover.png"),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        next(pictures).rename(root / name)
    return root


def test_sentences() -> None:
    left = (LeftOut("cover.jpg", 1, "beside"), LeftOut("1.jpg", 12, "a person"))
    reading = Reading("a folder per class", left_out=left)
    columns = {"uri": ["/1", "/2", "/3"], "label": [0, 1, None], "split": ["test", "train", None]}
    manifest = Manifest.build("m", columns, ClassList((ROSE, TULIP)), reading=reading)
    assert sentence(manifest) == (
        "3 pictures, 2 classes (rose, tulip), 1 without a label, splits test 1, train 1;"
        " left out: cover.jpg, 1.jpg and 11 more (a person)"
    )
    assert sentence(Manifest.build("m", {"uri": ["/1"]})) == "1 picture, no labels"
    boxes = {"id": ["a", "b"], "uri": ["/1", "/1"], "box": [[0, 0, 1, 1]] * 2}
    assert sentence(Manifest.build("m", boxes)) == "2 boxes in 1 picture, no labels"
    told = plain(Manifest.build("m", boxes))
    assert (told["pictures"], told["boxes"]) == (1, 2)


def test_a_run_says_and_keeps_it(
    flowers: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "clipfg")
    given = {"dataset": str(flowers), "model": "builtin:florette", "output": tmp_path / "run"}
    run = job(run_zeroshot, ZeroshotOptions, **given)
    assert caplog.messages[0] == (
        "Data: flowers, 5 pictures, 2 classes (rose, tulip), 1 without a label, splits test 1,"
        " train 4; left out: set/cover.png, set/unsorted/"
    )
    assert run.done == 5  # the test split has no label, and so is not what is evaluated
    kept = json.loads((tmp_path / "run/results.json").read_text())["reading"]["flowers"]
    assert kept["form"] == "a folder per class"
    assert {"part": "set/", "meaning": "holds the data"} in kept["roles"]
    assert [one["what"] for one in kept["left_out"]] == ["set/cover.png", "set/unsorted/"]


def test_doubts_are_warnings(
    flowers: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (flowers / "set/train/tulip").rename(flowers / "set/train/2")
    (flowers / "set/train/rose").rename(flowers / "set/train/1")
    given = {"dataset": str(flowers), "model": "builtin:florette"}
    job(run_embed, EmbedOptions, **given, output=tmp_path / "features.parquet")
    with pytest.raises(UsageError, match="--label-names"):
        job(run_zeroshot, ZeroshotOptions, **given, output=tmp_path / "run")
    warnings = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert any("called by numbers (1, 2)" in text and "--classes" in text for text in warnings)


def test_predict_says_what_it_leaves_out(
    flowers: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "clipfg")
    (flowers / "notes.txt").write_text("x")
    (tmp_path / "names.txt").write_text("rose\ntulip\n")
    given = {"classes": tmp_path / "names.txt", "model": "builtin:florette"}
    given |= {"output": tmp_path / "run"}
    job(lambda session: run_predict(session, [flowers]), PredictOptions, **given)
    assert "Data: flowers, 7 pictures, no labels; left out: notes.txt" in caplog.messages


def test_show(flowers: Path) -> None:
    rows = dataset_facts(DatasetShowOptions(dataset=str(flowers)))
    facts = {row["fact"]: row["value"] for row in rows}
    assert facts["understood as"].startswith("5 pictures, 2 classes")
    assert facts["read as"] == "a folder per class"
    assert facts["rose/, tulip/"] == "class"
    assert facts["left out: set/unsorted/"] == "beside test/, train/"
    level = DatasetShowOptions(dataset=str(flowers), label_level=2)
    assert "test, train, unsorted" in [row["value"] for row in dataset_facts(level)]


def test_the_split_that_is_evaluated(flowers: Path) -> None:
    manifest = load_dataset(str(flowers))
    assert labelled_split(str(flowers), manifest) is None
    labelled = Manifest.build("m", {"uri": ["/1"], "split": ["test"], "label": [0]}, ClassList("a"))
    assert labelled_split("m", labelled) == "test"
    assert labelled_split("grocery", labelled) == "test"
    assert labelled_split("grocery", Manifest.build("grocery", {"uri": ["/1"]})) is None
    heap = Manifest.build("m", {"uri": ["/1"], "split": ["test"]})
    assert labelled_split("m", heap) == "test"
