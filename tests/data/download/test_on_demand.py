"""`load_dataset(..., download=True)` against a publisher on the loopback."""

import hashlib
import logging
import multiprocessing
import threading
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.queues import Queue
from pathlib import Path

import pytest

from clipfg.data.download import transfer
from clipfg.data.loading import load_dataset
from clipfg.data.sets import dtd
from clipfg.data.sets.catalogue import Download
from clipfg.errors import DataError, MissingError
from tests.data.layouts import packed
from tests.data.serving import Publisher, serve
from tests.data.sets.test_dtd import lay_out


@pytest.fixture
def body(tmp_path: Path) -> bytes:
    return packed(lay_out(tmp_path / "made"), "dtd")


@pytest.fixture
def publisher(body: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """Serves DTD in miniature, as the card now says."""
    with serve(**{"dtd.tgz": body}) as running:
        monkeypatch.setattr(dtd, "CARD", card_of(running.address, body))
        yield running


def card_of(address: str, body: bytes) -> dtd.DatasetCard:
    digest = f"md5:{hashlib.md5(body).hexdigest()}"
    return replace(dtd.CARD, downloads=(Download(f"{address}/dtd.tgz", digest, len(body)),))


def test_it_is_fetched_when_it_is_not_there(
    publisher: Publisher, body: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "clipfg")
    seen: list[tuple[int, int]] = []
    data = tmp_path / "data"
    manifest = load_dataset(
        "dtd", data_root=data, download=True, progress=lambda *at: seen.append(at)
    )
    assert len(manifest) == 3
    assert seen[-1] == (len(body), len(body))
    line = f"Downloading Describable Textures (0 MB, licence: {dtd.CARD.licence}) to {data}/"
    assert [m for m in caplog.messages if "Downloading" in m] == [line]
    assert [path.name for path in data.iterdir()] == ["dtd"]
    again = load_dataset("dtd", data_root=data, download=True)
    assert again.digest == manifest.digest
    assert publisher.asked == [None]


def test_the_first_root_is_the_data_folder(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    load_dataset("dtd", download=True)
    assert (tmp_path / "data/dtd/images").is_dir()


@pytest.mark.parametrize("options", [{}, {"download": True, "offline": True}])
def test_what_may_not_be_fetched(
    publisher: Publisher, options: dict[str, bool], tmp_path: Path
) -> None:
    with pytest.raises(MissingError, match=r"not there\. Run `clipfg datasets pull dtd`") as caught:
        load_dataset("dtd", data_root=tmp_path, **options)
    assert caught.value.exit_code == 4
    assert publisher.asked == []


def test_what_cannot_be_fetched(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"it is not there\. Agree to the terms"):
        load_dataset("nabirds", data_root=tmp_path, download=True)


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtd, "CARD", card_of("http://127.0.0.1:9", b""))
    with pytest.raises(
        MissingError, match=r"cannot be reached \(.*\); check the connection and run the same"
    ) as caught:
        load_dataset("dtd", data_root=tmp_path / "data", download=True)
    assert caught.value.exit_code == 4
    assert str(caught.value).count(". ") == 0  # one sentence
    assert list((tmp_path / "data").iterdir()) == []


def test_an_interruption_is_resumed(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "CHUNK", 100)

    def interrupt(here: int, _: int) -> None:
        if here == 300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_dataset("dtd", data_root=tmp_path, download=True, progress=interrupt)
    assert not (tmp_path / "dtd").exists()
    assert len(load_dataset("dtd", data_root=tmp_path, download=True)) == 3
    assert publisher.asked == [None, "bytes=300-"]


def test_a_wrong_checksum(publisher: Publisher, body: bytes, tmp_path: Path) -> None:
    publisher.files["/dtd.tgz"] = body[::-1]
    with pytest.raises(DataError, match="got another file"):
        load_dataset("dtd", data_root=tmp_path, download=True)
    assert not (tmp_path / "dtd").exists()
    publisher.files["/dtd.tgz"] = body
    assert len(load_dataset("dtd", data_root=tmp_path, download=True)) == 3


def test_a_folder_that_cannot_be_written(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DataError, match=r"Could not write .*; choose another --data-root\."):
        load_dataset("dtd", data_root=tmp_path / "data", download=True)


class Told(logging.Handler):
    """Puts what is logged into a queue."""

    def __init__(self, queue: "Queue[tuple[str, str]]") -> None:
        super().__init__()
        self.queue = queue

    def emit(self, record: logging.LogRecord) -> None:
        self.queue.put(("log", record.getMessage()))


def load_there(address: str, body: bytes, root: Path, queue: "Queue[tuple[str, str]]") -> None:
    """What each of two processes does."""
    logging.getLogger("clipfg").addHandler(Told(queue))
    logging.getLogger("clipfg").setLevel(logging.INFO)
    dtd.CARD = card_of(address, body)
    queue.put(("digest", load_dataset("dtd", data_root=root, download=True).digest))


def test_two_processes(publisher: Publisher, body: bytes, tmp_path: Path) -> None:
    """One fetches, the other waits and reads."""
    publisher.gate = threading.Event()
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    arguments = (publisher.address, body, tmp_path / "data", queue)
    processes = [context.Process(target=load_there, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    begun = sorted(queue.get(timeout=120)[1].partition(" ")[0] for _ in range(2))
    assert begun == ["Another", "Downloading"]
    publisher.gate.set()
    kinds = [queue.get(timeout=120) for _ in range(3)]
    for process in processes:
        process.join()
    digests = [value for kind, value in kinds if kind == "digest"]
    assert [value for kind, value in kinds if kind == "log"] == ["Unpacking dtd.tgz"]
    expected = load_dataset("dtd", data_root=tmp_path / "data").digest
    assert digests == [expected, expected]
    assert publisher.asked == [None]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["dtd"]
