"""Data sets from a publisher on the loopback into their folders, whole or not at all."""

import hashlib
import io
import shutil
import tarfile
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from clipfg.data.download.pull import pull
from clipfg.data.loading import load_dataset
from clipfg.data.sets.catalogue import DATASETS, DatasetCard, Download
from clipfg.errors import DataError, MissingError, UsageError
from tests.data.layouts import packed
from tests.data.serving import Publisher, serve
from tests.data.sets.test_caltech101 import lay_out as lay_out_caltech
from tests.data.sets.test_dtd import lay_out as lay_out_dtd
from tests.data.sets.test_flowers102 import lay_out as lay_out_flowers
from tests.data.sets.test_resisc45 import lay_out as lay_out_resisc


def served(card: DatasetCard, publisher: Publisher, **bodies: bytes) -> DatasetCard:
    """The card with the publisher's files in the place of its own."""
    publisher.files = {f"/{name}": body for name, body in bodies.items()}
    downloads = tuple(
        Download(f"{publisher.address}/{name}", f"md5:{hashlib.md5(body).hexdigest()}", len(body))
        for name, body in bodies.items()
    )
    return replace(card, downloads=downloads)


def test_an_archive_with_its_own_folder(tmp_path: Path) -> None:
    body = packed(lay_out_dtd(tmp_path / "made"), "dtd")
    root = tmp_path / "data"
    with serve() as publisher:
        card = served(DATASETS.get("dtd"), publisher, **{"dtd-r1.0.1.tar.gz": body})
        assert pull(card, root) == root / "dtd"
        assert pull(card, root) == root / "dtd"  # it is there: nobody is asked
        assert len(publisher.asked) == 1
    assert len(load_dataset("dtd", data_root=root)) == 3
    assert [p.name for p in root.iterdir()] == ["dtd"]


def test_several_files_and_plain_ones(tmp_path: Path) -> None:
    made = lay_out_flowers(tmp_path / "made")
    bodies = {
        "102flowers.tgz": packed(made, only="jpg"),
        "imagelabels.mat": (made / "imagelabels.mat").read_bytes(),
        "setid.mat": (made / "setid.mat").read_bytes(),
    }
    with serve() as publisher:
        card = served(DATASETS.get("flowers102"), publisher, **bodies)
        assert pull(card, tmp_path / "data") == tmp_path / "data/flowers-102"
    assert len(load_dataset("flowers102", data_root=tmp_path / "data")) == 6


def test_lists_beside_an_archive(tmp_path: Path) -> None:
    made = lay_out_resisc(tmp_path / "made")
    lists = {
        "resisc45-train.txt": b"airplane_001.jpg\n",
        "resisc45-val.txt": b"airplane_003.jpg\n",
        "resisc45-test.txt": b"airplane_002.jpg\n",
    }
    with serve() as publisher:
        body = packed(made, "NWPU-RESISC45")
        card = served(DATASETS.get("resisc45"), publisher, **{"NWPU.tgz": body}, **lists)
        pull(card, tmp_path / "data")
    splits = load_dataset("resisc45", data_root=tmp_path / "data").splits
    assert splits == {"test": 1, "train": 1, "val": 1}


def test_an_archive_in_an_archive(tmp_path: Path) -> None:
    made = lay_out_caltech(tmp_path / "made")
    inner = packed(made, only="101_ObjectCategories")
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer/101_ObjectCategories.tar.gz").write_bytes(inner)
    body = packed(tmp_path / "outer", "caltech-101")
    with serve() as publisher:
        card = served(DATASETS.get("caltech101"), publisher, **{"caltech-101.tgz": body})
        name = "caltech-101/101_ObjectCategories.tar.gz"
        card = replace(card, downloads=(replace(card.downloads[0], inner=(name,)),))
        assert pull(card, tmp_path / "data") == tmp_path / "data/caltech-101"
    assert len(load_dataset("caltech101", data_root=tmp_path / "data")) == 64


def test_nothing_is_left_half_done(tmp_path: Path) -> None:
    """A wrong file, a hostile one, an altered one: the folder appears only when all is well."""
    body = packed(lay_out_dtd(tmp_path / "made"), "dtd")
    root = tmp_path / "data"
    evil = io.BytesIO()
    with tarfile.open(fileobj=evil, mode="w:gz") as archive:
        info = tarfile.TarInfo("../../../evil")
        archive.addfile(info)
    with serve() as publisher:
        card = served(DATASETS.get("dtd"), publisher, **{"dtd.tar.gz": evil.getvalue()})
        with pytest.raises(DataError, match="own folder"):
            pull(card, root)
        other = served(
            DATASETS.get("dtd"), publisher, **{"x.tar.gz": packed(tmp_path / "made/labels")}
        )
        with pytest.raises(DataError, match="hold something else"):
            pull(other, root)
        card = served(DATASETS.get("dtd"), publisher, **{"dtd2.tar.gz": body})
        publisher.files["/dtd2.tar.gz"] = body + b"!"
        with pytest.raises(DataError, match="got another file"):
            pull(card, root)
        assert not (root / "dtd").exists()
        assert not (tmp_path / "evil").exists()
        publisher.files["/dtd2.tar.gz"] = body
        assert pull(card, root) == root / "dtd"
    assert [p.name for p in root.iterdir()] == ["dtd"]


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="built in"):
        pull(DATASETS.get("synthflora"), tmp_path)
    with pytest.raises(MissingError, match="Agree to the terms") as caught:
        pull(DATASETS.get("nabirds"), tmp_path)
    assert caught.value.exit_code == 4
    (tmp_path / "dtd").mkdir()
    (tmp_path / "dtd/mine.txt").write_text("x")
    with pytest.raises(DataError, match="or nothing, got other files"):
        pull(DATASETS.get("dtd"), tmp_path)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 1 << 30))
    with pytest.raises(DataError, match=r"Expected 1,\d\d\d MiB free"):
        pull(DATASETS.get("stanford-dogs"), tmp_path)
