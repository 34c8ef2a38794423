"""`clipfg predict`: class names or a saved head, photos or a data set."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from clipfg.data import synthflora
from clipfg.data.loading import load_dataset
from clipfg.embedding.feature_files import write_features
from clipfg.encoders import load_encoder
from clipfg.errors import DataError, UsageError
from clipfg.heads import HEADS
from clipfg.heads.saving import save_head
from clipfg.options import EmbedOptions, PredictOptions
from clipfg.types import ClassList, Features
from clipfg.workflows.embed import run_embed
from clipfg.workflows.predict import PredictRun, run_predict
from clipfg.workflows.session import Session
from tests.workflows.jobs import job

NAMES = ClassList(
    ("rose", "lily", "briar"), {"rose": "thorny", "lily": "smooth", "briar": "thorny"}
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    synthflora.export(tmp_path / "photos", n=3, size=96)
    return tmp_path / "photos"


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(NAMES.names))
    return path


@pytest.fixture
def head(tmp_path: Path) -> Path:
    """A head for two classes, on features of the built-in model in bf16."""
    encoder = load_encoder("builtin:florette", precision="bf16")
    made = job(
        run_embed, EmbedOptions, dataset="synthflora", limit=6, precision="bf16",
        model="builtin:florette",
    )  # fmt: skip
    features = torch.from_numpy(made.features.pooled)
    fitted = HEADS.get("class-mean")().fit(features, torch.tensor([0, 1, 2] * 2))
    path = tmp_path / "head.safetensors"
    save_head(path, fitted, NAMES, encoder.fingerprint, encoder.name, "bf16")
    return path


def predict(photos: Path | None, output: Path, **options) -> PredictRun:
    paths = [] if photos is None else [photos]
    return job(
        lambda session: run_predict(session, paths), PredictOptions, output=output, **options
    )


def config(run: PredictRun) -> dict:
    return json.loads((run.folder / "config.json").read_text())


def test_a_heads_own_encoder_and_precision_are_used(photos, head, tmp_path) -> None:
    run = predict(photos, tmp_path / "run", head=head)
    assert (config(run)["model"], config(run)["precision"]) == ("builtin:florette", "bf16")
    assert {row["prediction"] for row in run.rows()} <= set(NAMES.names)


def test_features_in_another_precision_are_refused(photos, head, tmp_path) -> None:
    with pytest.raises(DataError, match="encoder that the head was made with"):
        predict(photos, tmp_path / "run", head=head, precision="fp32")


@pytest.mark.parametrize("place", ["dataset", "photos"])
def test_features_from_a_file_are_classified_as_their_images_are(
    place, photos, head, tmp_path, monkeypatch
) -> None:
    made = job(
        run_embed, EmbedOptions, dataset=str(photos), precision="bf16", model="builtin:florette"
    )
    file = tmp_path / "photos.parquet"
    write_features(made.features, file)
    expected = predict(photos, tmp_path / "images", head=head).rows()
    monkeypatch.setattr(Session, "open_encoder", None)  # a learnt head needs none
    name = f"features:{file}"
    given = (None, {"dataset": name}) if place == "dataset" else (Path(name), {})
    rows = predict(given[0], tmp_path / "run", head=head, **given[1]).rows()
    assert [{**row, "uri": ""} for row in rows] == [{**row, "uri": ""} for row in expected]
    with pytest.raises(UsageError, match="alone"):
        job(lambda s: run_predict(s, [Path(name), photos]), PredictOptions, head=head)


def test_features_of_another_width_or_encoder_are_refused(head, tmp_path) -> None:
    for width, fingerprint in ((9, ""), (64, "another")):
        x = np.random.default_rng(0).normal(size=(4, width)).astype(np.float32)
        features = Features(tuple("abcd"), x, np.full(4, -1), fingerprint=fingerprint)
        write_features(features, tmp_path / "x.parquet")
        with pytest.raises(DataError, match=r"encoder that (the head|it) was made with"):
            predict(None, tmp_path / "run", head=head, dataset=f"features:{tmp_path / 'x.parquet'}")


def test_a_data_set_by_name_loses_its_labels(names, tmp_path) -> None:
    run = predict(
        None, tmp_path / "run", dataset="synthflora", split="val", limit=4, classes=names,
        model="builtin:florette",
    )  # fmt: skip
    rows = pq.read_table(run.predictions).to_pylist()
    assert len(rows) == 4
    assert {row["id"] for row in rows} <= set(load_dataset("synthflora").select("val").ids)
    assert all(row["label"] is None for row in rows)


def test_within_leaves_the_other_classes_out(photos, head, tmp_path) -> None:
    run = predict(photos, tmp_path / "run", head=head, within="thorny")
    assert all(set(row["names"]) == {"rose", "briar"} for row in run.rows())


def test_limit_is_the_most_images(photos, names, tmp_path) -> None:
    run = predict(photos, tmp_path / "run", classes=names, model="builtin:florette", limit=2)
    assert (run.done, len(run.rows()), run.exit_code) == (2, 2, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Give --classes FILE"),
        ({"classes": "names.txt", "head": "head.safetensors"}, "cannot be combined"),
        ({"classes": "names.txt", "dataset": "synthflora"}, "--dataset synthflora and photos"),
    ],
)
def test_contradictions_are_one_sentence(photos, tmp_path, options, message) -> None:
    with pytest.raises(UsageError, match=message):
        predict(photos, tmp_path / "run", **options)


def test_nothing_to_classify_is_one_sentence(names, tmp_path) -> None:
    with pytest.raises(UsageError, match="Name photos or folders of them"):
        predict(None, tmp_path / "run", classes=names)


def test_a_single_class_is_told_of(photos, tmp_path, caplog) -> None:
    (tmp_path / "one.txt").write_text("rose\n")
    options = {"classes": tmp_path / "one.txt", "model": "builtin:florette"}
    run = predict(photos, tmp_path / "run", **options)
    assert {row["probability"] for row in run.rows()} == {1.0}
    assert "'rose' is the only class: every image gets it" in caplog.text
