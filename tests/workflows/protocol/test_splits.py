"""What is learnt from and what is tested on, of data with and without splits."""

from pathlib import Path

import numpy as np
import pytest

from clipfg.embedding.feature_files import write_features
from clipfg.errors import ClipfgError, DataError, UsageError
from clipfg.options import FewshotOptions
from clipfg.types import UNLABELLED, ClassList, Features, Manifest
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.protocol.splits import SupportAndTest, by_split, open_support_and_test
from clipfg.workflows.protocol.support_sets import hold_out
from tests.workflows.jobs import job

NAMES = "abcd"
PARENTS = {"a": "x", "b": "x", "c": "y", "d": "y"}


def dataset(splits: dict[str | None, list[int]]) -> Dataset:
    """Items of a few splits by their labels, called `train/0`, `train/1`, ..."""
    rows = [(f"{s}/{i}", s, label) for s, own in splits.items() for i, label in enumerate(own)]
    ids, parts, labels = zip(*rows, strict=True)
    columns = {"uri": ids, "split": parts, "label": [x if x >= 0 else None for x in labels]}
    return Dataset(Manifest.build("data", columns, ClassList(tuple(NAMES), PARENTS)))


def split(data: Dataset, split: str | None = None, **options) -> SupportAndTest:
    return job(lambda session: by_split(session, data, split), FewshotOptions, **options)


def write(path: Path, data: Dataset, names: str = NAMES) -> str:
    """The same items in a features file, their labels as indices into `names`."""
    labels = [names.index(NAMES[x]) if x >= 0 else UNLABELLED for x in data.manifest.labels]
    splits = data.manifest.table["split"].to_pylist()
    features = Features(
        ids=tuple(data.manifest.ids),
        pooled=np.random.default_rng(0).normal(size=(len(data), 4)).astype(np.float32),
        labels=np.array(labels),
        classes=ClassList(tuple(names), PARENTS),
        splits=tuple(splits) if any(splits) else (),
    )
    write_features(features, path)
    return f"features:{path}"


def opened(**options) -> SupportAndTest:
    chosen = {k: options[k] for k in ("support", "own_labels", "within") if k in options}
    return job(lambda s: open_support_and_test(s, **chosen), FewshotOptions, **options)


def ids(data: Dataset | None) -> list[str]:
    assert data is not None
    return data.manifest.ids


DATA = dataset({"train": [0, 1, 2, -1, 3], "val": [0, 1], "test": [3, -1, 2, 1]})
TESTED = ["test/0", "test/2", "test/3"]


def test_the_train_split_is_learnt_from_and_the_test_split_tested_on() -> None:
    roles = split(DATA)
    assert ids(roles.support) == ["train/0", "train/1", "train/2", "train/4"]
    assert ids(roles.test) == TESTED
    assert (roles.source, roles.tested, roles.whole) == ("split train", "split test", DATA)
    assert ids(split(DATA, "val").test) == ["val/0", "val/1"]


def test_without_a_test_split_val_is_tested_on() -> None:
    assert ids(split(dataset({"train": [0, 1], "val": [1, 0]})).test) == ["val/0", "val/1"]


def test_a_data_set_s_own_choice_is_tested_on() -> None:
    assert ids(split(DATA, dataset="imagenet").test) == ["val/0", "val/1"]


def test_the_limit_bounds_the_test_images_alone() -> None:
    roles = split(DATA, limit=2)
    assert (len(roles.support), len(roles.test)) == (4, 2)
    assert set(ids(roles.test)) < set(TESTED)
    halved = split(dataset({None: [0] * 6}), limit=2)
    assert (len(halved.support), len(halved.test)) == (3, 2)


def test_a_split_of_data_without_splits_is_refused() -> None:
    with pytest.raises(UsageError, match="got 'nope'"):
        split(dataset({None: [0] * 6}), "nope")


@pytest.mark.parametrize("seed", [0, 3])
def test_data_without_splits_is_halved_by_the_seed(seed) -> None:
    labels = [0, 0, 0, 1, 1, 2, -1, 1]
    roles = split(dataset({None: labels}), seed=seed)
    known = np.array([i for i, label in enumerate(labels) if label >= 0])
    held = hold_out(np.array(labels)[known], seed)
    assert ids(roles.test) == [f"None/{i}" for i in known[held]]
    assert ids(roles.support) == [f"None/{i}" for i in known[~held]]


@pytest.mark.parametrize(
    ("data", "named", "kind", "message"),
    [
        (dataset({"val": [0], "test": [1]}), None, UsageError, "has no split 'train'"),
        (dataset({"train": [0], "extra": [1]}), None, UsageError, "no test split; name one"),
        (DATA, "train", UsageError, "--split train would test on training images"),
        (DATA, "all", UsageError, "--split all would test on training images"),
        (dataset({"train": [0], "test": [-1]}), None, DataError, "Expected labelled images"),
        (dataset({None: [0, 1, 2]}), None, DataError, "a class with two images"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(data, named, kind, message) -> None:
    with pytest.raises(ClipfgError, match=message) as caught:
        split(data, named)
    assert isinstance(caught.value, kind)


def test_listed_images_are_learnt_from_and_the_other_tested_on(tmp_path) -> None:
    file = tmp_path / "ids.csv"
    file.write_text("id,label\ntest/1,d\ntrain/1,\ntrain/3,\ntest/3,b\n")  # train/3 has no label
    data = write(tmp_path / "x.npz", DATA)
    roles = opened(dataset=data, support=file)
    assert ids(roles.support) == ["test/1", "train/1", "test/3"]
    assert roles.support.manifest.labels.tolist() == [3, 1, 1]
    assert ids(roles.test) == ["test/0", "test/2"]
    assert (roles.source, roles.tested) == ("ids.csv", "split test")
    (one,) = ids(opened(dataset=data, support=file, limit=1).test)
    assert one in ("test/0", "test/2")
    assert ids(opened(dataset=data, support=file, split="val").test) == ["val/0", "val/1"]
    halves = write(tmp_path / "y.npz", dataset({None: [0, 1, 0, 1]}))
    file.write_text("id\nNone/1\n")
    roles = opened(dataset=halves, support=file)
    assert (ids(roles.test), roles.tested) == (["None/0", "None/2", "None/3"], "all others")


def test_own_labels_are_matched_by_name_and_replace_the_train_split(tmp_path) -> None:
    own = write(tmp_path / "own.npz", dataset({"test": [0, 2, -1]}), "dcba")
    data = write(tmp_path / "x.npz", DATA)
    roles = opened(dataset=data, own_labels=own)
    assert ids(roles.support) == ["test/0", "test/1"]
    assert roles.support.manifest.labels.tolist() == [0, 2]
    assert roles.classes.names == tuple(NAMES)
    assert ids(roles.test) == TESTED  # the same ids are other images here
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    named = opened(dataset=data, own_labels=own, classes=tmp_path / "names.txt")
    assert named.support.manifest.labels.tolist() == [0, 2]
    alone = opened(own_labels=own)
    assert (ids(alone.support), alone.test, alone.name) == (["test/0", "test/1"], None, own)


def test_within_a_group_both_are_of_its_classes(tmp_path) -> None:
    roles = opened(dataset=write(tmp_path / "x.npz", DATA), within="x")
    assert roles.classes.names == ("a", "b")
    assert (ids(roles.support), ids(roles.test)) == (["train/0", "train/1"], ["test/3"])
    assert roles.test.manifest.labels.tolist() == [1]
    assert len(roles.whole) == len(DATA)
