"""Downloads against a publisher on the loopback: resumed, truncated, altered, gone."""

import hashlib
import random
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipfg.data.download import transfer as downloading
from clipfg.data.download.transfer import fetch
from clipfg.data.sets.catalogue import Download
from clipfg.errors import DataError, MissingError
from tests.data.serving import Publisher, serve

BODY = random.Random(0).randbytes(300_000)
MD5 = f"md5:{hashlib.md5(BODY).hexdigest()}"
SHA256 = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with serve(data=BODY) as running:
        yield running


def file_of(publisher: Publisher, digest: str = MD5, name: str = "data") -> Download:
    return Download(f"{publisher.address}/{name}", digest)


@pytest.mark.parametrize("digest", [MD5, SHA256])
def test_a_file_comes_once(publisher: Publisher, digest: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch(file_of(publisher, digest), tmp_path / "new", progress=lambda *at: seen.append(at))
    assert path == tmp_path / "new/data"
    assert path.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert fetch(file_of(publisher, digest), tmp_path / "new") == path
    assert publisher.asked == [None]
    assert [p.name for p in path.parent.iterdir()] == ["data"]


def test_a_part_is_gone_on_with(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "data.part").write_bytes(BODY[:100_000])
    assert fetch(file_of(publisher), tmp_path).read_bytes() == BODY
    assert publisher.asked == ["bytes=100000-"]


def test_a_whole_part_is_only_checked(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "data.part").write_bytes(BODY)
    assert fetch(file_of(publisher), tmp_path).read_bytes() == BODY
    assert publisher.asked == [f"bytes={len(BODY)}-"]


def test_a_server_without_ranges_begins_again(publisher: Publisher, tmp_path: Path) -> None:
    publisher.ranges = False
    (tmp_path / "data.part").write_bytes(b"y" * 100_000)
    assert fetch(file_of(publisher), tmp_path).read_bytes() == BODY


def test_a_part_of_another_file_is_thrown_away(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "data.part").write_bytes(b"y" * 100_000)
    assert fetch(file_of(publisher), tmp_path).read_bytes() == BODY
    assert publisher.asked == ["bytes=100000-", None]


def test_broken_connections_go_on_where_they_broke(publisher: Publisher, tmp_path: Path) -> None:
    publisher.breaks_after = 70_000
    assert fetch(file_of(publisher), tmp_path, pause=0).read_bytes() == BODY
    assert publisher.asked[1:3] == ["bytes=70000-", "bytes=140000-"]


def test_what_came_is_kept_when_nothing_more_comes(publisher: Publisher, tmp_path: Path) -> None:
    publisher.breaks_after = 0
    (tmp_path / "data.part").write_bytes(BODY[:50_000])
    with pytest.raises(MissingError, match=r"broke off; .* \(50,000 bytes .* are kept\)") as caught:
        fetch(file_of(publisher), tmp_path, pause=0)
    assert caught.value.exit_code == 4
    assert len(publisher.asked) == downloading.ATTEMPTS
    publisher.breaks_after = None
    assert fetch(file_of(publisher), tmp_path).read_bytes() == BODY


def test_a_wrong_digest_leaves_nothing(publisher: Publisher, tmp_path: Path) -> None:
    wrong = f"md5:{'0' * 32}"
    with pytest.raises(DataError, match=r"got another file .* it was deleted"):
        fetch(file_of(publisher, wrong), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "name", "words"),
    [
        (200, "gone", "answered 404 Not Found; get it by hand"),
        (403, "data", "answered 403 Forbidden; get it by hand"),
        (503, "data", "answered 503"),
    ],
)
def test_servers_that_refuse(
    publisher: Publisher, status: int, name: str, words: str, tmp_path: Path
) -> None:
    publisher.status = status
    with pytest.raises(MissingError, match=words):
        fetch(file_of(publisher, name=name), tmp_path, pause=0)
    assert len(publisher.asked) == (downloading.ATTEMPTS if status == 503 else 1)


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="cannot be reached"):
        fetch(Download("http://127.0.0.1:9/data", MD5), tmp_path, pause=0)
    with pytest.raises(DataError, match="an http or https URL"):
        fetch(Download("file:///etc/hostname", MD5), tmp_path)


def test_a_full_disk(publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 1000))
    with pytest.raises(DataError, match="MiB free"):
        fetch(file_of(publisher), tmp_path)
