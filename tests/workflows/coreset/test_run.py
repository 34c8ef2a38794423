"""Coresets as key stores, as a comparison, and made of a stream of images."""

import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from clipfg.cli import main
from clipfg.coresets import make_coreset
from clipfg.coresets.discriminant_online import DiscriminantOnline, Moments
from clipfg.coresets.keco_online import KeCOOnline
from clipfg.embedding.feature_files import write_features
from clipfg.errors import DataError, UsageError
from clipfg.options import CoresetOptions, resolve
from clipfg.store import KeyStore
from clipfg.types import UNLABELLED, ClassList, Features
from clipfg.workflows.coreset.compare import ComparisonRun, run_comparison
from clipfg.workflows.coreset.run import CoresetRun, compares, run_coreset
from clipfg.workflows.coreset.stream import Stream
from tests.workflows.jobs import job

CLASSES, TRAIN, TEST, WIDTH = 5, 60, 40, 12


def make_features(overlap: int = 0) -> Features:
    rng = np.random.default_rng(0)
    labels = np.arange(TRAIN + TEST) % CLASSES
    centres = 1 + rng.normal(size=(CLASSES, WIDTH))
    pooled = centres[labels] + 0.8 * rng.normal(size=(TRAIN + TEST, WIDTH))
    pooled[TRAIN : TRAIN + overlap] = pooled[:overlap]
    labels[3] = UNLABELLED
    return Features(
        ids=tuple(f"photo-{i}" for i in range(TRAIN + TEST)),
        pooled=pooled.astype(np.float32),
        labels=labels,
        classes=ClassList(tuple(f"species {i}" for i in range(CLASSES))),
        fingerprint="0123456789abcdef",
        splits=("train",) * TRAIN + ("test",) * TEST,
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_features(make_features(), tmp_path / "f.parquet")
    return tmp_path


def condense(home: Path, **options) -> CoresetRun:
    return run(run_coreset, home, **options)


def compare(home: Path, **options) -> ComparisonRun:
    return run(run_comparison, home, **options)


def run(work, home: Path, **options):
    given = {"dataset": f"features:{home / 'f.parquet'}", "output": home / "out"} | options
    return job(work, CoresetOptions, **given)


@pytest.mark.parametrize("name", ["herding", "k-means", "keco-offline:most", "discriminant"])
def test_the_store_holds_what_the_strategy_made(home, name) -> None:
    run = condense(home, strategy=name, per_class="3")
    store, features = KeyStore.load(home / "out"), make_features()
    train = np.array([i for i in range(TRAIN) if features.labels[i] >= 0])
    x, y = torch.from_numpy(features.pooled[train]), torch.from_numpy(features.labels[train])
    expected = make_coreset(name).condense(x, y, 3)
    assert store.ids == [f"photo-{train[i]}" for i in expected.exemplars]
    np.testing.assert_array_equal(store.keys, expected.keys)
    np.testing.assert_array_equal(store.labels, expected.labels)
    assert set(store.items["split"].to_pylist()) == {"train"}
    assert store.fingerprint == "0123456789abcdef"
    assert store.classes == features.classes
    assert (run.keys, run.done, run.classes) == (15, 59, 5)


def test_a_store_is_condensed_as_the_data_are(home) -> None:
    condense(home, strategy="herding", per_class="40", output=home / "whole")
    of_store = {"dataset": None, "store": home / "whole", "strategy": "k-center"}
    condense(home, **of_store, per_class="2")
    condense(home, strategy="k-center", per_class="2", output=home / "direct")
    first, second = (KeyStore.load(home / name) for name in ("out", "direct"))
    assert set(first.ids) == set(second.ids)


def test_a_total_is_shared_out(home) -> None:
    assert condense(home, total=13).keys == 10
    with pytest.raises(
        UsageError, match="--total must be at least 5, one key for each class, got 4"
    ):
        condense(home, total=4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "k-centre"}, "Did you mean 'k-center'"),
        ({"per_class": "0"}, "whole numbers from 1"),
        ({"per_class": "five"}, "whole numbers from 1"),
        ({"per_class": "2,2"}, "each listed once"),
        ({"per_class": "2,5"}, "made with one --per-class, got 2,5"),
        ({"per_class": "2", "total": 20}, "--per-class and --total cannot be combined"),
        ({"dataset": None}, "by --dataset DATA or --store DIR"),
        ({"split": "val"}, "Expected a split"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(home, options, message) -> None:
    with pytest.raises(UsageError, match=message):
        condense(home, **options)
    assert not (home / "out").exists()


def test_a_folder_of_other_things_is_left_alone(home) -> None:
    (home / "out").mkdir()
    (home / "out" / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match="holds other things than a key store"):
        condense(home)
    assert (home / "out" / "thesis.txt").read_text() == "precious"


def test_a_stream_holds_keys_and_a_batch_and_ends_as_the_loop_does() -> None:
    features = make_features()
    known = np.flatnonzero(features.labels >= 0)
    ends = []
    for size in (1, 7, 99):
        stream = Stream(make_coreset("keco-online"), per_class=3)  # type: ignore[arg-type]
        for rows in np.split(known, range(size, len(known), size)):
            stream.take(rows, features.pooled[rows], features.labels[rows])
        assert stream.peak <= 15 + size
        ends.append(stream.finish())
    keys: dict[int, list[np.ndarray]] = {label: [] for label in range(CLASSES)}
    seeds: dict[int, list[int]] = {label: [] for label in range(CLASSES)}
    for row in known:
        x, own = features.pooled[row], keys[features.labels[row]]
        if len(own) < 3:
            own.append(x)
            seeds[features.labels[row]].append(row)
            continue
        least = int(np.argmin([key @ x / np.linalg.norm(key) for key in own]))
        own[least] = 0.8 * own[least] + 0.2 * x
    expected = np.concatenate([np.stack(own) for own in keys.values()])
    for positions, got in ends:
        np.testing.assert_allclose(got, expected, atol=1e-5)
        assert positions.tolist() == list(chain.from_iterable(seeds.values()))


def test_a_stream_tells_classes_apart_however_it_is_cut() -> None:
    """Its sums are those of all items at once, and its clusters KeCO's of what is not set aside."""
    features = make_features()
    known = np.flatnonzero(features.labels >= 0)
    moments = Moments(features.pooled.shape[1], per_class=3)
    x, y = (torch.from_numpy(part[known]) for part in (features.pooled, features.labels))
    rest = known[~moments.take(x, y).numpy()]
    plain = Stream(KeCOOnline(target="most"), per_class=3)
    plain.take(rest, features.pooled[rest], features.labels[rest])
    positions, centres = plain.finish()
    labels = torch.from_numpy(features.labels[positions])
    expected = DiscriminantOnline().finish(moments, torch.from_numpy(centres), labels)
    for size in (1, 7, 99):
        stream = Stream(DiscriminantOnline(), per_class=3)
        for rows in np.split(known, range(size, len(known), size)):
            stream.take(rows, features.pooled[rows], features.labels[rows])
        assert stream.peak <= 15 + size + len(known) - len(rest)
        own, got = stream.finish()
        np.testing.assert_array_equal(own, positions)
        np.testing.assert_allclose(got, expected, atol=1e-4)


def test_a_stream_of_drawn_flowers(home, capsys) -> None:
    command = ["coreset", "--dataset", "synthflora", "--limit", "600", "--stream", "--per-class"]
    model = ["--model", "builtin:florette", "--precision", "fp32", "--format", "json"]
    assert main.run([*command, "2", *model, "-o", "out"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    store = KeyStore.load(home / "out")
    assert row["keys"] == len(store) == 2 * row["classes"]
    assert row["rows_held"] < 600
    assert main.run([*command, "2", *model, "--strategy", "herding", "-o", "more"]) == 2
    assert (
        "--stream works with discriminant-online and keco-online: herding has"
        in capsys.readouterr().err
    )


def test_strategies_are_compared_on_images_that_no_key_is_made_of(home, capsys) -> None:
    write_features(make_features(overlap=4), home / "f.parquet")
    command = ["coreset", "--dataset", "features:f.parquet", "--per-class", "1,3", "--html"]
    names = ["--strategy", "random,discriminant", "--seeds", "4", "-o", "run"]
    assert main.run([*command, *names, "--format", "json"]) == 0
    printed = capsys.readouterr()
    content = json.loads(printed.out)
    kept = json.loads((home / "run" / "results.json").read_text())
    assert kept.pop("reading")
    assert content == kept
    assert "also in the support set" in printed.err
    assert content["n"] == TEST - 3  # the fourth copy's original has no label, so no key is of it
    cells = {(cell["strategy"], cell["per_class"]): cell for cell in content["cells"]}
    assert list(dict.fromkeys(name for name, _ in cells)) == [
        "class-mean",
        "random",
        "discriminant",
        "full support",
    ]
    assert len(cells["random", 3]["by_draw"]) == 4
    assert len(cells["class-mean", 3]["by_draw"]) == 1
    assert cells["full support", None]["keys"] == TRAIN - 1
    assert cells["class-mean", 1]["top1"]["value"] == cells["class-mean", 3]["top1"]["value"]
    assert (home / "run" / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert main.run(["report", "run", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == content
    assert main.run(["report", "run", "run", "--format", "csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 2 * len(cells)
    page = (home / "run" / "report.html").read_text()
    assert "<svg" in page
    assert "discriminant" in page


def test_a_comparison_is_the_accuracy_of_the_nearest_key(home) -> None:
    features = make_features()
    run = compare(home, strategy="k-means", per_class="2", seeds=1)
    train = np.array([i for i in range(TRAIN) if features.labels[i] >= 0])
    x, y = torch.from_numpy(features.pooled[train]), torch.from_numpy(features.labels[train])
    got = make_coreset("k-means").condense(x, y, 2)
    nearest = (features.pooled[TRAIN:] @ got.keys.numpy().T).argmax(axis=1)
    share = (got.labels.numpy()[nearest] == features.labels[TRAIN:]).mean()
    (cell,) = [cell for cell in run.curve.cells if cell.strategy == "k-means"]
    assert cell.top1.value == pytest.approx(share)


def test_a_store_is_compared_as_the_data_are(home) -> None:
    store = ["--store", "whole"]
    assert main.run(["index", "build", "features:f.parquet", *store]) == 0
    asked = {"strategy": "k-means,random", "per_class": "2", "output": None}
    first = compare(home, **asked)
    second = compare(home, **asked, dataset=None, store=home / "whole")
    tops = [[cell.top1 for cell in run.curve.cells] for run in (first, second)]
    assert tops[0] == tops[1]
    with pytest.raises(UsageError, match="--dataset and --store cannot be combined"):
        compare(home, **asked, store=home / "whole")


def test_without_data_the_default_store_is_condensed_and_compared(home) -> None:
    assert main.run(["index", "build", "features:f.parquet"]) == 0
    made = condense(home, dataset=None, per_class="2")
    assert (made.done, made.keys) == (59, 10)
    assert compare(home, dataset=None, per_class="2", strategy="k-means", output=None).done > 0
    with pytest.raises(UsageError, match="is the store to condense"):
        condense(home, dataset=None, output=home / ".clipfg" / "store")


def test_data_that_are_named_are_condensed_in_place_of_a_configured_store(home) -> None:
    (home / "clipfg.toml").write_text("store = 'nowhere'\n")
    assert condense(home, per_class="2").done == 59


def test_test_labels_have_no_say_in_any_key(home) -> None:
    """Accuracy of permuted labels is chance, and what was chosen does not change."""
    first = compare(home, strategy="discriminant", per_class="2")
    features = make_features()
    shuffled = features.labels.copy()
    shuffled[TRAIN:] = np.roll(shuffled[TRAIN:], 1)
    tampered = Features(
        features.ids, features.pooled, shuffled, features.classes, "", "", features.splits
    )
    write_features(tampered, home / "f.parquet")
    condense(home, per_class="2", output=home / "store")
    second = compare(home, strategy="discriminant", per_class="2")
    assert second.curve.cells[1].top1.value < 0.2 < first.curve.cells[1].top1.value
    write_features(features, home / "f.parquet")
    condense(home, per_class="2", output=home / "again")
    keys = [KeyStore.load(home / name).keys for name in ("store", "again")]
    np.testing.assert_array_equal(keys[0], keys[1])


def test_nothing_to_test_on_is_refused(home) -> None:
    features = make_features(overlap=TEST)
    write_features(features, home / "f.parquet")
    labels = features.labels.copy()
    labels[3], labels[TRAIN + 3] = 3, UNLABELLED
    whole = Features(
        features.ids, features.pooled, labels, features.classes, "", "", features.splits
    )
    write_features(whole, home / "f.parquet")
    with pytest.raises(DataError, match="not in the support set"):
        compare(home, per_class="2")
    with pytest.raises(UsageError, match="would test on training images"):
        compare(home, per_class="2", split="train")


def test_what_is_compared() -> None:
    assert compares(resolve(CoresetOptions, {"compare": True}))
    assert compares(resolve(CoresetOptions, {"strategy": "random,k-means"}))
    assert compares(resolve(CoresetOptions, {"per_class": [1, 2]}))
    assert not compares(resolve(CoresetOptions, {"strategy": "random", "per_class": 2}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stream": True}, "--stream takes one strategy and one budget"),
        ({"total": 20}, "--total cannot be compared"),
        ({"strategy": "random, random"}, "Strategy 'random' is listed twice"),
        ({"strategy": "k-centre"}, "Did you mean 'k-center'"),
        ({"per_class": "none"}, "whole numbers from 1"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(home, options, message) -> None:
    with pytest.raises(UsageError, match=message):
        compare(home, **options)
    assert not (home / "out").exists()


def test_the_strategies_are_listed(capsys) -> None:
    assert main.run(["coresets", "list", "--format", "json"]) == 0
    rows = {row["strategy"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["keco-offline"]["targets"] == ["least", "most", "random", "prototype"]
    assert rows["random"]["targets"] == []
