"""Features in a file are a data set like any other: selected, relabelled, with all they hold."""

from pathlib import Path

import numpy as np
import pytest

from clipfg.embedding.feature_files import read_features, write_features
from clipfg.options import DataOptions, EmbedOptions
from clipfg.types import ClassList, Features, Patches, Regions
from clipfg.workflows.dataset import open_dataset
from clipfg.workflows.embed import run_embed
from tests.workflows.jobs import job

COUNT = 6


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "f.npz"
    features = Features(
        ids=tuple("abcdef"),
        pooled=rng.normal(size=(COUNT, 4)).astype(np.float32),
        labels=np.array([0, 1, 0, 1, 0, 1]),
        classes=ClassList(("rose", "lily")),
        splits=("train",) * 2 + ("test",) * 4,
        patches=Patches(
            rng.normal(size=(COUNT * 2, 4)).astype(np.float16), np.full((COUNT, 2), (1, 2))
        ),
        regions=Regions(
            values=rng.normal(size=(COUNT, 4)).astype(np.float32),
            boxes=np.tile(np.array([0, 0, 5, 5], dtype=np.float32), (COUNT, 1)),
            offsets=np.arange(COUNT + 1),
            phrases=("k",) * COUNT,
        ),
        bag_offsets=np.array([0, 2, 5, 6]),
    )
    write_features(features, path)
    return path


def test_embed_takes_the_split_the_limit_and_the_classes(file: Path, tmp_path: Path) -> None:
    names, output = tmp_path / "names.txt", tmp_path / "g.npz"
    names.write_text("lily\nrose\n")
    given = {"split": "test", "limit": 3, "classes": names, "output": output}
    run = job(run_embed, EmbedOptions, dataset=f"features:{file}", **given)
    assert run.done == 3
    assert run.features.ids == read_features(output).ids
    assert set(run.features.splits) == {"test"}
    assert run.features.classes == ClassList(("lily", "rose"))
    assert {row["id"]: row["label"] for row in run.rows()} == {
        id: "rose" if id in "ace" else "lily" for id in run.features.ids
    }


def test_stored_features_come_with_patches_regions_and_bags(file: Path) -> None:
    whole = read_features(file)
    data = open_dataset(DataOptions(), f"features:{file}").select("test")
    (batch,) = data.stored_batches()
    kept = whole.rows([whole.ids.index(id) for id in batch.ids])
    assert batch.patches is not None
    assert batch.regions is not None
    assert batch.bags is not None
    np.testing.assert_array_equal(batch.patches.values, kept.patches.values)
    np.testing.assert_array_equal(batch.regions.values, kept.regions.values)
    assert batch.bags.tolist() == [0, 0, 0, 1]
