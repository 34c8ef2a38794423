"""Servers that drip, and that never end."""

import http.server
import shutil
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipfg.data.download import transfer
from clipfg.data.download.transfer import fetch
from clipfg.data.sets.catalogue import Download
from clipfg.errors import DataError, MissingError

DIGEST = f"md5:{'0' * 32}"
usage = namedtuple("usage", "total used free")


class Endless(http.server.BaseHTTPRequestHandler):
    """Sends zeros without a length: a few at a time at `/drip`, as fast as it can at `/flood`."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        drips = self.path == "/drip"
        try:
            while True:
                self.wfile.write(bytes(10 if drips else 1 << 16))
                time.sleep(0.01 if drips else 0)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_dripping_server_is_left(address, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(transfer, "GRACE", 0.3)
    with pytest.raises(MissingError, match=r"less than 10 kB a second.*bytes have arrived"):
        fetch(Download(f"{address}/drip", DIGEST, 1000), tmp_path, pause=0)


def test_a_file_without_end_stops_at_what_it_can_be(address, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(transfer, "EXCESS", 1 << 20)
    with pytest.raises(DataError, match=r"at most 1,048,676 bytes of flood"):
        fetch(Download(f"{address}/flood", DIGEST, 100), tmp_path)


def test_the_disk_keeps_free_space(address, tmp_path: Path, monkeypatch) -> None:
    free = iter(range(300 << 20, 0, -(1 << 20)))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, next(free)))
    with pytest.raises(DataError, match="MiB free"):
        fetch(Download(f"{address}/flood", DIGEST), tmp_path)
    assert (tmp_path / "flood.part").stat().st_size < 100 << 20
