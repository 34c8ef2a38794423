"""Walking: whatever lies there, the walk comes to its end and says what it left."""

import os
from pathlib import Path

import pytest

from clipfg.data.readers.folder import read
from clipfg.data.readers.walk import walk
from clipfg.errors import DataError, UsageError


def plant(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def skipped(root: Path) -> dict[str, str]:
    return {one.what: one.why for one in walk(root).skipped}


def test_pictures_in_order_and_what_else_is_there(tmp_path: Path) -> None:
    plant(tmp_path, "b/10.JPG", "b/9.png", "a/1.jpg", "notes.txt", "b/more.txt", "x.tar", "a/y.tgz")
    found = walk(tmp_path)
    assert found.pictures == [("a", "1.jpg"), ("b", "9.png"), ("b", "10.JPG")]
    assert found.archives == [("a", "y.tgz"), ("x.tar",)]
    assert [(one.what, one.count) for one in found.left_out()] == [("notes.txt", 2)]
    assert [(one.what, one.count) for one in found.left_out("notes.txt")] == [("b/more.txt", 1)]


def test_links_in_circles(tmp_path: Path) -> None:
    root = plant(tmp_path / "root", "a/1.jpg", "b/1.jpg")
    (root / "a/loop").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    (root / "z").symlink_to(root / "a")
    (root / "0").symlink_to(root / "b")
    assert walk(root).pictures == [("a", "1.jpg"), ("b", "1.jpg")]  # by their own paths
    assert set(skipped(root)) == {"a/loop/", "z/", "0/"}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_locked_folders(tmp_path: Path) -> None:
    plant(tmp_path, "a/1.jpg", "b/1.jpg", "locked/inner/1.jpg")
    (tmp_path / "into").symlink_to(tmp_path / "locked/inner")
    (tmp_path / "locked").chmod(0)
    try:
        assert read(tmp_path).ids == ["a/1.jpg", "b/1.jpg"]
        assert skipped(tmp_path) == {"locked/": "Permission denied"}
    finally:
        (tmp_path / "locked").chmod(0o700)


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), OSError(5, "I/O error")]
)
def test_folders_that_cannot_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    plant(tmp_path, "a/1.jpg", "b/1.jpg", "dead/1.jpg")
    whole = os.scandir

    def failing(path: str) -> object:
        if path.endswith(("dead", "all")):
            raise error
        return whole(path)

    monkeypatch.setattr(os, "scandir", failing)
    reading = read(tmp_path).reading
    assert reading is not None
    assert [(one.what, one.why) for one in reading.left_out] == [("dead/", error.strerror)]
    (tmp_path / "all").mkdir()
    with pytest.raises(DataError, match=f"it is left out: {error.strerror}"):
        read(tmp_path / "all")


def test_what_the_system_and_clipfg_put_there(tmp_path: Path) -> None:
    plant(tmp_path, "a/1.jpg", "lost+found/1.jpg", ".Trashes/1.jpg", "__MACOSX/a/._1.jpg")
    plant(tmp_path, "runs/1/config.json", "runs/1/results.json", "runs/1/curve.png")
    plant(tmp_path, "store/store.json", "store/thumbnail.png")
    assert walk(tmp_path).pictures == [("a", "1.jpg")]
    assert skipped(tmp_path) == {
        "__MACOSX/": "the system's own",
        "lost+found/": "the system's own",
        "runs/1/": "a run of clipfg",
        "store/": "a store of clipfg",
    }


def test_nothing_but_an_archive(tmp_path: Path) -> None:
    plant(tmp_path, "birds.zip")
    with pytest.raises(UsageError, match=r"archives such as birds\.zip; unpack it first"):
        read(tmp_path)


def test_a_phone_and_a_camera(tmp_path: Path) -> None:
    """A RAW beside its JPEG is one photo; edits, films of live photos and systems' files none."""
    plant(tmp_path, "IMG_1.HEIC", "IMG_1.MOV", "IMG_1.AAE", "IMG_2.MOV", "Thumbs.db", ".DS_Store")
    plant(
        tmp_path,
        "card/DSC1.JPG",
        "card/DSC1.NEF",
        "card/DSC2.nef",
        "card/dsc3.jpg",
        "card/DSC3.CR3",
    )
    plant(tmp_path, "other/DSC2.JPG")
    found = walk(tmp_path)
    assert ["/".join(parts) for parts in found.pictures] == [
        *("card/DSC1.JPG", "card/DSC2.nef", "card/dsc3.jpg", "IMG_1.HEIC", "other/DSC2.JPG")
    ]
    assert [(one.what, one.count, one.why) for one in found.left_out()] == [
        ("card/DSC1.NEF", 2, "RAW beside the same as JPEG"),
        ("IMG_2.MOV", 1, "no picture"),
    ]
