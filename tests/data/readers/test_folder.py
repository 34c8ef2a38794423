"""Folders: trees of classes, splits, taxonomies, heaps, and what lies about in them."""

import os
from pathlib import Path

import pytest

from clipfg.data.readers.folder import read
from clipfg.data.readers.pictures import read_images
from clipfg.errors import DataError, UsageError
from clipfg.types import ClassList


def plant(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def test_a_folder_per_class(tmp_path: Path) -> None:
    root = plant(tmp_path / "data", "b_2/10.JPG", "b_2/9.png", "a/1.jpeg", "b_2/notes.txt")
    (root / "a/x").mkdir()
    manifest = read(root)
    assert manifest.name == "data"
    assert manifest.ids == ["a/1.jpeg", "b_2/9.png", "b_2/10.JPG"]
    assert manifest.uris == [str(root / name) for name in manifest.ids]
    assert manifest.classes == ClassList(("a", "b 2"))
    assert manifest.labels.tolist() == [0, 1, 1]
    assert manifest.splits == {}


def test_splits_above_the_classes(tmp_path: Path) -> None:
    root = plant(tmp_path, "Train/a/1.jpg", "Train/b/1.jpg", "validation/b/1.jpg", "test/a/1.jpg")
    manifest = read(root)
    assert manifest.splits == {"test": 1, "train": 2, "val": 1}
    assert manifest.classes == ClassList(("a", "b"))
    assert dict(zip(manifest.ids, manifest.labels.tolist(), strict=True)) == {
        "Train/a/1.jpg": 0,
        "Train/b/1.jpg": 1,
        "validation/b/1.jpg": 1,
        "test/a/1.jpg": 0,
    }


def test_splits_alone_are_no_classes(tmp_path: Path) -> None:
    manifest = read(plant(tmp_path, "train/1.jpg", "test/1.jpg"))
    assert manifest.splits == {"test": 1, "train": 1}
    assert manifest.classes is None
    # A class that happens to be called "test" beside others is a class.
    other = read(plant(tmp_path / "x", "test/1.jpg", "spark plug/1.jpg"))
    assert other.classes == ClassList(("spark plug", "test"))


def test_folders_above_a_class_are_its_parents(tmp_path: Path) -> None:
    root = plant(tmp_path, "Corvidae/Blue_Jay/1.jpg", "Corvidae/crow/1.jpg", "Laridae/gull/1.jpg")
    classes = read(root).classes
    assert classes is not None
    assert classes.names == ("Blue Jay", "crow", "gull")
    assert [classes.lineage(name) for name in classes.names] == [
        *[("Corvidae",)] * 2,
        ("Laridae",),
    ]


def test_classes_that_end_alike_are_told_apart(tmp_path: Path) -> None:
    classes = read(plant(tmp_path, "left/bolt/1.jpg", "right/bolt/1.jpg")).classes
    assert classes is not None
    assert classes.names == ("left/bolt", "right/bolt")


def test_heaps_have_no_labels(tmp_path: Path) -> None:
    for names in (("1.jpg", "2.jpg"), ("1.jpg", "2023/2.jpg"), ("jpg/1.jpg", "jpg/2.jpg")):
        root = plant(tmp_path / str(len(names[1])) / names[1][0], *names)
        manifest = read(root)
        assert manifest.classes is None, names
        assert manifest.labels.tolist() == [-1, -1]


def test_given_classes_are_matched(tmp_path: Path) -> None:
    root = plant(tmp_path, "002.Blue_Jay/1.jpg", "001.Gull/1.jpg")
    birds = ClassList(("blue jay", "gull", "owl"))
    assert read(root, classes=birds).labels.tolist() == [1, 0]
    with pytest.raises(DataError, match=r"got 'Gull' in '001\.Gull/1\.jpg'"):
        read(root, classes=ClassList(("blue jay", "owl")))
    single = plant(tmp_path / "one", "gull/1.jpg")
    assert read(single, classes=birds).labels.tolist() == [1]


def test_given_classes_may_be_called_like_folders(tmp_path: Path) -> None:
    root = plant(tmp_path, "crops/1.jpg", "forest/1.jpg", "unlabeled/1.jpg")
    found = read(root)
    assert found.classes == ClassList(("forest",))
    assert [one.what for one in found.reading.left_out] == ["crops/"]  # type: ignore[union-attr]
    land = ClassList(("forest", "crops", "unlabeled"))
    assert read(root, classes=land).labels.tolist() == [1, 0, 2]


def test_what_lies_about_is_left_out(tmp_path: Path) -> None:
    root = plant(
        tmp_path,
        *("a/1.jpg", "b/1.jpg", "a/.hidden.jpg", ".git/x.jpg", "__MACOSX/a/._1.jpg"),
        *("a/Thumbs.db", "a/@eaDir/1.jpg", "readme.txt", "a/1.jpg.txt"),
    )
    assert read(root).ids == ["a/1.jpg", "b/1.jpg"]


def test_links(tmp_path: Path) -> None:
    root = plant(tmp_path / "root", "a/1.jpg", "b/1.jpg")
    elsewhere = plant(tmp_path / "elsewhere", "1.jpg")
    (root / "c").symlink_to(elsewhere)
    (root / "a/loop").symlink_to(root)
    (root / "b/2.jpg").symlink_to(tmp_path / "nowhere")
    manifest = read(root)
    assert manifest.ids == ["a/1.jpg", "b/1.jpg", "b/2.jpg", "c/1.jpg"]
    assert manifest.classes == ClassList(("a", "b", "c"))


def test_an_empty_folder_called_like_a_image_is_reported(tmp_path: Path) -> None:
    root = plant(tmp_path, "1.jpg")
    (root / "2.jpg").mkdir()
    assert read(root).ids == ["1.jpg", "2.jpg"]


def test_names_that_are_not_unicode(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    try:
        plant(tmp_path, name)
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    manifest = read(tmp_path)
    assert manifest.ids == ["caf\\xe9.jpg"]
    assert manifest.uris[0].startswith("file:///")


def test_nothing_to_read(tmp_path: Path) -> None:
    plant(tmp_path, "notes.txt")
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match=r"found none \(1 other files"):
        read(tmp_path)
    with pytest.raises(UsageError, match=r"nothing at .*photo.*Did you mean 'photos'"):
        read_images([tmp_path / "photo"])


def test_images_named_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "a/1.jpg", "a/2.jpg", "b/1.jpg", "photo.dat")
    monkeypatch.chdir(tmp_path)
    whole = read_images([Path("a")])
    assert whole.ids == ["1.jpg", "2.jpg"]
    assert whole.name == "a"
    mixed = read_images(["b", "a/2.jpg", "a", "photo.dat", tmp_path / "b/1.jpg"])
    assert mixed.ids == ["b/1.jpg", "a/2.jpg", "a/1.jpg", "photo.dat"]
    assert mixed.uris == [str(tmp_path / name) for name in mixed.ids]
    assert mixed.classes is None
    assert read(tmp_path / "a/1.jpg").ids == ["1.jpg"]
    monkeypatch.chdir(tmp_path / "a")
    above = read(Path(".."))
    assert (above.name, above.uris[0]) == (tmp_path.name, str(tmp_path / "a/1.jpg"))
    assert read_images([".."]).name == tmp_path.name


@pytest.mark.shared
def test_real_tree(shared: Path) -> None:
    manifest = read(shared / "data/cub100/images")
    assert len(manifest) == 4499
    assert manifest.classes is not None
    assert len(manifest.classes) == 100


def test_charts_of_runs_are_no_images(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "fewshot-1"
    run.mkdir(parents=True)
    for name in ("config.json", "results.json", "curve.png"):
        (run / name).touch()
    (tmp_path / "photo.jpg").touch()
    assert read_images([tmp_path]).ids == ["photo.jpg"]
