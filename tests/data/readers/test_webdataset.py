"""Shards, friendly and hostile, written by the tests and by the reference library's rules."""

import io
import json
import logging
import tarfile
from pathlib import Path

import pytest

from clipfg.data.images.decoding import decode
from clipfg.data.readers.webdataset import expand, is_pattern, read
from clipfg.data.sources import read as read_bytes
from clipfg.errors import DataError, UsageError
from clipfg.types import ClassList
from tests.hostile import encode, scene

JPEG = encode(scene(), "JPEG")


def shard(path: Path, members: dict[str, bytes | tarfile.TarInfo]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_samples_are_put_together_by_stem(tmp_path: Path) -> None:
    path = shard(
        tmp_path / "birds.tar",
        {
            "x/0001.cls": b"1\n",
            "x/0001.jpg": JPEG,
            "x/0001.txt": b" a jay \n",
            "x/0002.mask.png": b"mask",
            "x/0002.JPG": JPEG + b"2",
            "x/0002.json": json.dumps({"label": 0, "caption": "an owl", "split": "valid"}).encode(),
            "x/0003.txt": b"words without an image",
            "x/0004.png": b"3",
        },
    )
    manifest = read(path)
    assert manifest.name == "birds"
    assert manifest.ids == [f"birds.tar/x/{n}" for n in ("0001.jpg", "0002.JPG", "0004.png")]
    assert [read_bytes(uri) for uri in manifest.uris] == [JPEG, JPEG + b"2", b"3"]
    assert decode(read_bytes(manifest.uris[0])).size == scene().size
    assert manifest.labels.tolist() == [1, 0, -1]
    assert manifest.classes == ClassList(("0", "1"))
    assert manifest.column("captions") == [["a jay"], ["an owl"], None]
    assert manifest.table["split"].to_pylist() == [None, "val", None]


def test_pictures_beside_the_main_one_are_counted(tmp_path: Path, caplog) -> None:
    members = {"1.mask.png": b"m", "1.jpg": JPEG, "1.png": b"again", "2.depth.png": b"alone"}
    manifest = read(shard(tmp_path / "a.tar", members))
    assert manifest.ids == ["a.tar/1.jpg", "a.tar/2.depth.png"]
    assert "2 pictures beside the one called as their key are left out" in caplog.text
    assert "first: a.tar/1.png" in caplog.text


@pytest.mark.parametrize(
    ("names", "key"),
    [
        (("2021.05.00_cam.jpg", "2021.05.01_cam.jpg"), "2021"),
        (("x/a.left.png", "x/a.right.png", "x/b.png"), "a"),
    ],
)
def test_pictures_of_one_key_of_which_none_is_the_main_one_are_refused(
    tmp_path: Path, names: tuple[str, ...], key: str
) -> None:
    path = shard(tmp_path / "a.tar", dict.fromkeys(names, JPEG))
    with pytest.raises(DataError, match=f"got 2 of key '{key}'.*{names[0]} and .*{names[1]}"):
        read(path)


def test_names_beside_the_shards(tmp_path: Path) -> None:
    for split, label in (("train", b"0"), ("test", b"1")):
        shard(tmp_path / split / "0.tar", {"a.jpg": JPEG, "a.cls": label})
    (tmp_path / "classnames.txt").write_text("owl, barn\njay\n")
    manifest = read(tmp_path)
    assert manifest.classes == ClassList(("owl, barn", "jay"))
    assert manifest.ids == ["test/0.tar/a.jpg", "train/0.tar/a.jpg"]
    assert manifest.table["split"].to_pylist() == ["test", "train"]
    assert manifest.labels.tolist() == [1, 0]
    assert read(tmp_path / "test" / "0.tar").classes == ClassList(("owl, barn", "jay"))
    with pytest.raises(DataError, match=r"got 1 in 'test/0\.tar/a\.jpg'"):
        read(tmp_path, classes=ClassList(("owl",)))


def test_labels_by_name(tmp_path: Path) -> None:
    path = shard(tmp_path / "s.tar", {"a.jpg": JPEG, "a.cls": b"jay", "b.jpg": JPEG, "b.cls": b"0"})
    assert read(path).classes == ClassList(("0", "jay"))
    assert read(path).labels.tolist() == [1, 0]
    path = shard(tmp_path / "t.tar", {"a.jpg": JPEG, "a.json": b'{"class": "jay"}'})
    assert read(path, classes=ClassList(("owl", "jay"))).labels.tolist() == [1]


def test_patterns(tmp_path: Path) -> None:
    for number in range(3):
        shard(tmp_path / f"s-{number:03d}.tar", {"a.jpg": JPEG + bytes([number])})
    manifest = read(str(tmp_path / "s-{000..002}.tar"))
    assert manifest.ids == ["s-000.tar/a.jpg", "s-001.tar/a.jpg", "s-002.tar/a.jpg"]
    assert [read_bytes(uri)[-1] for uri in manifest.uris] == [0, 1, 2]
    assert manifest.name == "s"
    with pytest.raises(UsageError, match=r"2 of . are missing, the first .*s-003"):
        read(str(tmp_path / "s-{000..004}.tar"))


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a-{08..11}.tar", ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]),
        ("{a,b}-{0..1}.tar", ["a-0.tar", "a-1.tar", "b-0.tar", "b-1.tar"]),
        ("x.tar", ["x.tar"]),
    ],
)
def test_braces(pattern: str, names: list[str]) -> None:
    assert expand(pattern) == names
    assert is_pattern(pattern) == (len(names) > 1)


def test_braces_out_of_bounds() -> None:
    for bad in ("{5..1}.tar", "{0..99999999}.tar"):
        with pytest.raises(UsageError, match="range"):
            expand(bad)


def test_hostile_members_stay_where_they_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = shard(
        tmp_path / "in/evil.tar",
        {
            "good.jpg": JPEG,
            "../../escape.jpg": JPEG,
            "/abs.jpg": JPEG,
            "a/../../up.jpg": JPEG,
            "..\\win.jpg": JPEG,
            "soft.jpg": special("soft.jpg", tarfile.SYMTYPE, "/etc/passwd"),
            "hard.jpg": special("hard.jpg", tarfile.LNKTYPE, "good.jpg"),
            "pipe.jpg": special("pipe.jpg", tarfile.FIFOTYPE),
            "null.jpg": special("null.jpg", tarfile.CHRTYPE),
            "folder.jpg": special("folder.jpg", tarfile.DIRTYPE),
        },
    )
    before = sorted(tmp_path.rglob("*"))
    with caplog.at_level(logging.WARNING):
        manifest = read(path)
    assert manifest.ids == ["evil.tar/good.jpg"]
    assert "8 members" in caplog.text
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_packed_archives_are_refused(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "s.tar"
    with tarfile.open(path, mode) as archive:
        archive.addfile(tarfile.TarInfo("a.jpg"))
    with pytest.raises(DataError, match="got one packed with"):
        read(path)


def test_damage(tmp_path: Path) -> None:
    path = shard(tmp_path / "s.tar", {"a.jpg": JPEG, "b.jpg": JPEG * 20})
    data = path.read_bytes()
    cut = tmp_path / "cut.tar"
    cut.write_bytes(data[:2600])
    with pytest.raises(DataError, match="whole tar"):
        read(cut)
    cut.write_bytes(b"this is no tar" * 100)
    with pytest.raises(DataError, match="whole tar"):
        read(cut)
    shard(cut, {"a.txt": b"words"})
    with pytest.raises(DataError, match="found none in 1 tar"):
        read(cut)
    shard(cut, {"a.jpg": JPEG, "a.json": b"{"})
    with pytest.raises(DataError, match=r"JSON beside 'cut\.tar/a\.jpg'"):
        read(cut)
    with pytest.raises(UsageError, match="1 of 1 are missing"):
        read(tmp_path / "none.tar")


def test_long_names(tmp_path: Path) -> None:
    name = "deep/" * 40 + "ünïcode #1.jpg"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = tmp_path / f"{form}.tar"
        with tarfile.open(path, "w", format=form) as archive:
            info = tarfile.TarInfo(name)
            info.size = len(JPEG)
            archive.addfile(info, io.BytesIO(JPEG))
        manifest = read(path)
        assert manifest.ids == [f"{form}.tar/{name}"]
        assert read_bytes(manifest.uris[0]) == JPEG
