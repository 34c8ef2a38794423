"""Hub data sets, built here by `datasets` itself: saved folders, Parquet, and what is not there."""

import builtins
from pathlib import Path
from typing import Any

import pytest

from clipfg.data.loading import load_dataset
from clipfg.data.sources import read
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.types import ClassList
from tests.hostile import encode, scene

try:
    import datasets
except ImportError:
    datasets = None

needs_datasets = pytest.mark.skipif(
    datasets is None,
    reason="the extra `datasets` is not installed (pip install 'clipfg[datasets]')",
)

IMAGES = [encode(scene(), "PNG"), b"broken", encode(scene(), "JPEG")]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if datasets is not None:
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        datasets.disable_progress_bars()


def made(labels: list[int]) -> Any:
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["sea_holly", "owl"])}
    )
    cells = [{"bytes": IMAGES[n % 3], "path": None} for n in range(len(labels))]
    return datasets.Dataset.from_dict({"image": cells, "label": labels}, features=features)


@needs_datasets
@pytest.mark.parametrize("prefix", ["hf:", ""])
def test_a_saved_folder(prefix: str, tmp_path: Path) -> None:
    both = datasets.DatasetDict({"train": made([0, 1, 1]), "validation": made([1, -1])})
    both.save_to_disk(tmp_path / "saved", num_shards={"train": 2, "validation": 1})
    manifest = load_dataset(f"{prefix}{tmp_path}/saved")
    assert manifest.name == "saved"
    assert manifest.classes == ClassList(("sea holly", "owl"))
    assert manifest.labels.tolist() == [0, 1, 1, 1, -1]
    assert manifest.table["split"].to_pylist() == ["train"] * 3 + ["val"] * 2
    assert manifest.ids == [*(f"train/{n}" for n in range(3)), "validation/0", "validation/1"]
    # A broken image is listed like any other: it is one failure when its turn comes.
    assert [read(uri) for uri in manifest.uris] == [*IMAGES, *IMAGES[:2]]
    assert all(uri.startswith("arrow:/") for uri in manifest.uris)
    alone = load_dataset(f"{prefix}{tmp_path}/saved/train")
    assert alone.splits == {}
    assert len(alone) == 3


@needs_datasets
def test_one_split(tmp_path: Path) -> None:
    both = datasets.DatasetDict({"train": made([0, 1, 1]), "test": made([1])})
    both.save_to_disk(tmp_path / "saved")
    assert load_dataset(f"hf:{tmp_path}/saved@test").splits == {"test": 1}
    with pytest.raises(UsageError, match=r"got 'tst'\. Did you mean 'test'"):
        load_dataset(f"hf:{tmp_path}/saved@tst")


@needs_datasets
def test_a_repository_of_parquet_files(tmp_path: Path) -> None:
    (tmp_path / "repo/data").mkdir(parents=True)
    made([0, 1, 0]).to_parquet(tmp_path / "repo/data/train-00000-of-00001.parquet")
    made([1, 1]).to_parquet(tmp_path / "repo/data/test-00000-of-00001.parquet")
    manifest = load_dataset(f"hf:{tmp_path}/repo")
    assert manifest.splits == {"test": 2, "train": 3}
    assert manifest.labels.tolist() == [0, 1, 0, 1, 1]
    assert read(manifest.uris[2]) == IMAGES[2]
    direct = load_dataset(f"{tmp_path}/repo/data/test-00000-of-00001.parquet")
    assert direct.classes == manifest.classes
    assert [read(uri) for uri in direct.uris] == IMAGES[:2]
    named = ClassList(("Owl", "Sea-Holly"))
    assert load_dataset(f"hf:{tmp_path}/repo", classes=named).labels.tolist() == [1, 0, 1, 0, 0]


@needs_datasets
@pytest.mark.parametrize("offline", [True, False])
def test_what_is_not_here_while_offline(offline: bool) -> None:
    with pytest.raises(MissingError, match="on this machine and this run is offline") as caught:
        load_dataset("hf:nobody/nothing-of-this-name", offline=offline)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)


@needs_datasets
def test_data_without_images(tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"text": ["a", "b"]}).save_to_disk(tmp_path / "saved")
    with pytest.raises(DataError, match="a column of images in saved, got text"):
        load_dataset(f"hf:{tmp_path}/saved")


def test_folders_that_only_look_saved(tmp_path: Path) -> None:
    for content in ("{}", "[]", '{"_split": null, "_data_files": [{"filename": "../x.arrow"}]}'):
        (tmp_path / "state.json").write_text(content)
        with pytest.raises(DataError, match="Expected"):
            load_dataset(str(tmp_path))


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "datasets":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingError, match=r"pip install 'clipfg\[datasets\]'") as caught:
        load_dataset("hf:food101")
    assert caught.value.exit_code == 4
