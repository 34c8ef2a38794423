"""In-context evaluation on drawn flowers and a tiny language model with random weights."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from clipfg.data.loading import load_dataset
from clipfg.embedding.feature_files import write_features
from clipfg.embedding.pipeline import collect
from clipfg.encoders import load_encoder
from clipfg.errors import DataError, ItemError, StoreError, UsageError
from clipfg.evaluation.serialization import to_json
from clipfg.heads.whitened_mean import WhitenedMean
from clipfg.icl import LVLM
from clipfg.options import IclOptions
from clipfg.store import KeyStore
from clipfg.workflows.icl.run import IclRun, run_icl
from tests import lvlms
from tests.stores import drawn, photos_of, store_of
from tests.workflows.jobs import job

N = 12


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A store of 8 classes, photos of the first 4 of them, and a language model."""
    home = tmp_path_factory.mktemp("icl")
    store_of(drawn("train", 8, 5), home / "store")
    photos_of(drawn("test", 4, 3), home / "photos")
    (home / "tiny").mkdir()
    lvlms.qwen2_vl(home / "tiny")
    return home


@pytest.fixture
def icl(home, tmp_path):
    def run(**changes) -> IclRun:
        given = {"dataset": home / "photos", "store": home / "store", "precision": "fp32"}
        given |= {"output": tmp_path / "run", "device": "cpu"}
        return job(run_icl, IclOptions, **(given | changes))

    return run


def rows_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("shots", "metric"), [(1, "cosine"), (3, "cosine"), (3, "whitened")])
def test_the_vote_is_that_of_the_nearest_by_brute_force(home, icl, shots, metric) -> None:
    run = icl(shots=str(shots), metric=metric)
    manifest, store = load_dataset(str(home / "photos")), KeyStore.load(home / "store")
    encoder = load_encoder("builtin:florette", precision="fp32", device="cpu")
    queries = collect(manifest, encoder, None)
    assert manifest.classes is not None
    assert store.classes is not None
    named = [store.classes.names[label] for label in store.labels]
    keys, asked = np.asarray(store.keys), queries.pooled
    if metric == "whitened":
        _, labels = np.unique(store.labels, return_inverse=True)
        head = WhitenedMean().fit(torch.tensor(keys), torch.tensor(labels))
        keys, asked = head.turn(torch.tensor(keys)).numpy(), head.turn(torch.tensor(asked)).numpy()
    hits = 0
    for row, query, label in zip(rows_of(run.folder), asked, queries.labels, strict=True):
        order = np.argsort(-(keys @ query), kind="stable")
        best = [i for i in order if named[i] in manifest.classes][:shots]
        assert row["demonstrations"] == [store.ids[i] for i in best]
        names = [named[i] for i in best]
        assert row["shown"] == names
        counts = dict.fromkeys(names, 0.0)
        for i, name in zip(best, names, strict=True):
            counts[name] += np.exp(keys[i] @ query / 0.08)
        winner = max(counts, key=lambda name: counts[name])
        assert row["vote"] == winner
        hits += winner == manifest.classes.names[label]
    reports = run.comparison.reports
    assert list(reports) == ["zero-shot", f"vote of {shots} shown"]
    assert reports[f"vote of {shots} shown"].metrics["top1"].value == pytest.approx(hits / N)
    assert hits > N / 3
    assert (run.done, run.excluded, run.exit_code) == (N, 0, 0)


def test_a_language_model_is_compared_with_what_needs_none(home, icl) -> None:
    run = icl(lvlm=str(home / "tiny"), shots="2")
    assert list(run.comparison.reports) == ["tiny", "vote of 2 shown", "zero-shot"]
    rows = rows_of(run.folder)
    for name, key in (("tiny", "answer"), ("vote of 2 shown", "vote"), ("zero-shot", "zero_shot")):
        right = [row[key] == row["label"] for row in rows]
        assert run.comparison.reports[name].metrics["top1"].value == pytest.approx(sum(right) / N)
    written = pq.read_table(run.folder / "predictions-tiny.parquet").to_pylist()
    assert [row["prediction"] for row in written] == [row["answer"] for row in rows]
    paired = run.comparison.against_first["vote of 2 shown"]
    first, second = ([row[key] == row["label"] for row in rows] for key in ("answer", "vote"))
    assert paired.only_second == sum(b and not a for a, b in zip(first, second, strict=True))
    assert {row["chance"] for row in run.rows()} == {0.25}  # photos of four classes
    results = json.loads((run.folder / "results.json").read_text())
    assert results["excluded"] == 0
    assert results["reports"]["tiny"]["n"] == N


def test_a_choice_says_what_chance_is(home, icl) -> None:
    run = icl(lvlm=str(home / "tiny"), choices=2)
    chances = {row["name"]: row["chance"] for row in run.rows()}
    assert chances == {
        "tiny, one of 2": 0.5,
        "vote of 4 shown, one of 2": 0.5,
        "zero-shot, one of 2": 0.5,
        "vote of 4 shown": 0.25,
        "zero-shot": 0.25,
    }
    assert "chance is 50%" in run.remarks[0]
    for row in rows_of(run.folder):
        assert len(set(row["among"])) == 2
        assert row["label"] in row["among"]
        assert row["answer"] in row["among"]
    assert set(run.comparison.against_first) == set(list(chances)[1:3])


@pytest.mark.parametrize("which", ["zero-shot:2", "retrieved:2"])
def test_answers_are_among_the_candidates(home, icl, which, monkeypatch) -> None:
    asked = []
    score = LVLM.score

    def listen(self, turns, images, answers):
        asked.append(set(answers))
        return score(self, turns, images, answers)

    monkeypatch.setattr(LVLM, "score", listen)
    run = icl(lvlm=str(home / "tiny"), candidates=which)
    rows = rows_of(run.folder)
    assert all(len(names) == 2 for names in asked)
    assert all(row["answer"] in names for row, names in zip(rows, asked, strict=True))
    for row, names in zip(rows, asked, strict=True):
        assert set(row["among"]) == names
        assert (row["zero_shot"] if which.startswith("zero") else row["shown"][0]) in names
    there = [row["label"] in row["among"] for row in rows]
    assert run.rows()[0]["chance"] == pytest.approx(sum(there) / N / 2)
    assert f"for {sum(there) / N:.1%} of the images" in run.remarks[0]
    assert run.rows()[1]["chance"] == 0.25


def test_what_was_answered_survives_an_interruption(home, icl, monkeypatch, tmp_path) -> None:
    asked = 0
    score = LVLM.score

    def interrupted(self, *given):
        nonlocal asked
        if asked == 5:
            raise KeyboardInterrupt
        asked += 1
        return score(self, *given)

    given = {"lvlm": str(home / "tiny"), "shots": "1"}
    monkeypatch.setattr(LVLM, "score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        icl(**given)
    part = (tmp_path / "run" / "answers.jsonl.part").read_text().splitlines()
    assert len(part) == 5
    asked = -100
    again = icl(**given, output=tmp_path / "again")
    assert asked == -100 + N - 5
    assert [json.dumps(row, ensure_ascii=False) for row in rows_of(again.folder)][:5] == part
    asked = 5  # not one more question
    third = icl(**given, output=tmp_path / "third")
    assert to_json(third.comparison) == to_json(again.comparison)
    with pytest.raises(KeyboardInterrupt):
        icl(**given, resume=False, output=tmp_path / "fourth")


def test_images_of_the_store_take_no_part(home, icl, tmp_path, caplog) -> None:
    """Under another name in another folder, by their content."""
    train = drawn("train", 4, 2)
    photos_of(train, tmp_path / "mixed")
    photos_of(drawn("test", 4, 1), tmp_path / "mixed" / "new")
    for path in sorted((tmp_path / "mixed" / "new").rglob("*.png")):
        path.rename(tmp_path / "mixed" / path.parent.name / f"new-{path.name}")
    run = icl(dataset=str(tmp_path / "mixed"))
    assert (run.done, run.excluded) == (4, 8)
    assert "8 of 12 images are in the store and are excluded" in caplog.text
    photos_of(train, tmp_path / "same")
    with pytest.raises(DataError, match="another split"):
        icl(dataset=str(tmp_path / "same"))


def test_where_contents_cannot_be_read_ids_count(home, icl, tmp_path) -> None:
    """Features have no content; here those of four images of the store and of four others."""
    encoder = load_encoder("builtin:florette", precision="fp32", device="cpu")
    parts = [collect(drawn(split, 4, 1), encoder, None) for split in ("train", "test")]
    both = replace(
        parts[0],
        ids=(*parts[0].ids, *parts[1].ids),
        pooled=np.concatenate([part.pooled for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        splits=(),
    )
    write_features(both, tmp_path / "both.npz")
    run = icl(dataset=f"features:{tmp_path / 'both.npz'}")
    assert (run.done, run.excluded) == (4, 4)
    with pytest.raises(UsageError, match="--lvlm needs images"):
        icl(dataset=f"features:{tmp_path / 'both.npz'}", lvlm=str(home / "tiny"))


def test_images_that_the_store_has_lost_are_recognised_by_id(home, icl, tmp_path) -> None:
    """All ids are those of the store, no content is; three images of the store are gone."""
    paths = photos_of(drawn("train", 4, 2), tmp_path / "shown")
    store_of(load_dataset(str(tmp_path / "shown")), tmp_path / "store")
    others = photos_of(drawn("test", 4, 2), tmp_path / "others")
    for path, other in zip(paths, others, strict=True):
        place = tmp_path / "photos" / path.relative_to(tmp_path / "shown")
        place.parent.mkdir(parents=True, exist_ok=True)
        other.rename(place)
    given = {"store": tmp_path / "store", "dataset": tmp_path / "photos"}
    assert icl(**given).excluded == 0
    for path in paths[:3]:
        path.unlink()
    run = icl(**given)
    assert (run.done, run.excluded) == (5, 3)


def test_a_store_of_another_encoder_is_refused(home, icl, tmp_path) -> None:
    store = KeyStore.load(home / "store")
    KeyStore.of(
        store.items,
        np.asarray(store.keys),
        classes=store.classes,
        model="builtin:florette",
        precision="fp32",
        fingerprint="of another one",
    ).save(tmp_path / "other")
    with pytest.raises(StoreError, match="encoder"):
        icl(store=tmp_path / "other")


def test_the_default_store_is_that_of_the_working_folder(home, icl, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"none at \.clipfg/store; name one by --store DIR"):
        icl(store=None)
    store_of(drawn("train", 4, 2), Path(".clipfg") / "store")
    assert icl(store=None).done == N


def test_demonstrations_that_are_gone_cost_their_items(home, icl, tmp_path) -> None:
    train = drawn("train", 4, 3)
    paths = photos_of(train, tmp_path / "shown" / "train")
    store = store_of(load_dataset(str(tmp_path / "shown")), tmp_path / "moved")
    assert len(store) == len(paths)
    for path in paths[:6]:
        path.unlink()
    given = {"lvlm": str(home / "tiny"), "store": tmp_path / "moved", "shots": "1"}
    run = icl(**given)
    failures = [json.loads(x) for x in (run.folder / "failures.jsonl").read_text().splitlines()]
    assert run.exit_code == 3
    assert 0 < len(failures) == N - run.done
    assert all("can be read" in row["reason"] for row in failures)
    assert all(report.n == run.done for report in run.comparison.reports.values())
    with pytest.raises(ItemError):
        icl(**given, strict=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"store": None}, "--store DIR"),
        ({"shots": "many"}, "shots must be a whole number"),
        ({"shots": 65}, "shots must be at most 64"),
        ({"ensemble": "weighted"}, "needs all images at once"),
        ({"strategy": "nearst"}, "Did you mean 'nearest'"),
        ({"candidates": "zero-shot"}, "zero-shot:M"),
        ({"candidates": "all:3"}, "zero-shot:M"),
        ({"candidates": "retrieved:0"}, "zero-shot:M"),
        ({"candidates": "retrieved:3", "choices": 2}, "cannot be combined"),
        ({"choices": 9}, "--choices must be from 2 to 4"),
    ],
)
def test_bad_options_cost_no_embedding(icl, changes, words) -> None:
    with pytest.raises(UsageError, match=words):
        icl(**changes)


def test_a_store_of_other_classes_is_no_use(home, icl, tmp_path) -> None:
    store_of(drawn("train", 1, 2), tmp_path / "few")
    photos_of(drawn("test", 4, 1), tmp_path / "photos")
    first = sorted((tmp_path / "photos").iterdir())
    names = {drawn("train", 1, 1).classes.names[drawn("train", 1, 1).labels[0]]}
    for folder in first:
        if folder.name in names:
            folder.rename(tmp_path / "photos" / "another name")
    with pytest.raises(DataError, match="same classes"):
        icl(store=tmp_path / "few", dataset=str(tmp_path / "photos"))
