"""Bytes by URI: files, odd names, tar members, drawn images, plug-ins."""

import os
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from clipfg.data import sources, synthflora
from clipfg.data.readers.tar_members import member_uri
from clipfg.data.sources import (
    SOURCES,
    ByteSource,
    file_uri,
    read,
    scheme_of,
    signature,
    signature_of,
)
from clipfg.errors import ItemError


def test_a_path_is_read_and_signed(tmp_path: Path) -> None:
    file = tmp_path / "a b#c?d%20.jpg"
    file.write_bytes(b"12345")
    os.utime(file, ns=(7, 1_700_000_000_123_456_789))
    assert read(str(file)) == b"12345"
    assert signature(str(file)) == (5, 1_700_000_000_123_456_789, file.stat().st_ctime_ns)


def test_a_name_that_is_not_unicode(tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9 %.jpg")  # noqa: PTH118
    try:
        Path(os.fsdecode(path)).write_bytes(b"123")
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    uri = file_uri(os.fsdecode(path))
    assert uri.startswith("file:///")
    uri.encode()
    assert read(uri) == b"123"
    assert signature(uri)[0] == 3
    Path(os.fsdecode(path)).unlink()
    with pytest.raises(ItemError, match=r"at .*caf.xe9 .*, but there is none"):
        read(uri)


@pytest.mark.parametrize(
    ("uri", "scheme"),
    [
        ("/a/b:c.jpg", None),
        ("C:\\photos\\a.jpg", None),
        ("a.jpg", None),
        ("tar:/x?offset=0&size=1#a", "tar"),
        ("HTTPS://x/y.jpg", "https"),
    ],
)
def test_schemes(uri: str, scheme: str | None) -> None:
    assert scheme_of(uri) == scheme


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.jpg")  # opening it would wait for ever
    sparse = tmp_path / "endless.jpg"
    with sparse.open("wb") as file:
        file.truncate(sources.LARGEST + 1)
    cases = {
        "none.jpg": "there is none",
        "folder.jpg": "got a folder",
        "link.jpg": "link there is broken",
        "pipe.jpg": "device or pipe",
        "endless.jpg": "at most 1024 MiB",
        "none.jpg/x": "there is none",
        "nul\0.jpg": "embedded null",
    }
    for name, words in cases.items():
        for function in (read, signature):
            with pytest.raises(ItemError, match=words):
                function(f"{tmp_path}/{name}")
    with pytest.raises(ItemError, match="download the image first"):
        read("https://example.org/a.jpg")


def test_permission(tmp_path: Path) -> None:
    file = tmp_path / "secret.jpg"
    file.write_bytes(b"1")
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("the superuser may read everything")
    with pytest.raises(ItemError, match="permission is denied"):
        read(str(file))


def test_a_member_is_read_where_it_lies(tmp_path: Path) -> None:
    shard = tmp_path / "odd #name?.tar"
    with tarfile.open(shard, "w") as archive:
        for name, data in {"a.jpg": b"first", "b#2.jpg": b"second one"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, BytesIO(data))
    with tarfile.open(shard) as archive:
        members = archive.getmembers()
    uris = [member_uri(shard, m.offset_data, m.size, m.name) for m in members]
    assert [read(uri) for uri in uris] == [b"first", b"second one"]
    stat = shard.stat()
    assert {signature(uri) for uri in uris} == {signature_of(stat)}
    shard.write_bytes(shard.read_bytes()[:600])
    with pytest.raises(ItemError, match="ends at 600"):
        read(uris[1])
    shard.unlink()
    for function in (read, signature):
        with pytest.raises(ItemError, match="there is none"):
            function(uris[0])


@pytest.mark.parametrize(
    "uri",
    ["tar:x.tar#a", "tar:/a?offset=-1&size=2#a", "tar:/a?offset=1&size=99999999999999999999#"],
)
def test_a_bent_member_uri(uri: str) -> None:
    with pytest.raises(ItemError, match="Expected tar:PATH"):
        read(uri)


def test_drawn_images_are_signed_by_their_generator() -> None:
    assert signature("synthflora:0/test/17") == (synthflora.GENERATOR_VERSION, 0)
    assert read("synthflora:0/test/17") == synthflora.read("synthflora:0/test/17")


ECHO = ByteSource(read=str.encode, signature=lambda uri: (len(uri), 0))


def test_a_scheme_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SOURCES, "_targets", dict(SOURCES._targets))
    SOURCES.register("echo", f"{__name__}:ECHO")
    assert read("echo:hello") == b"echo:hello"
    assert signature("echo:hello") == (10, 0)
