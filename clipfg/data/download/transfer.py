"""One file from its publisher: resumed where it broke off, and kept only if its digest is right."""

import hashlib
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from clipfg import __version__
from clipfg.atomic import publish
from clipfg.data.download.space import check_space
from clipfg.data.sets.catalogue import Download
from clipfg.errors import DataError, MissingError
from clipfg.types import Progress

CHUNK = 1 << 20
TIMEOUT = 60.0
"""Seconds without a byte after which a connection counts as broken."""

ATTEMPTS = 5
"""Connections in a row without a byte after which we give up."""

GRACE = 600.0
RATE = 10_000
"""The time that a download may take: seconds, and one more for every so many bytes that came."""

EXCESS = 64 << 20
"""Bytes beyond its published size, of which few are exact, that a file may have."""


class _UnreachableError(Exception):
    """No connection to the server."""


class _Pace:
    """Whether a download keeps to the time that it may take; counted from its beginning."""

    def __init__(self) -> None:
        self._begun, self._bytes = time.monotonic(), 0

    def count(self, more: int) -> None:
        self._bytes += more

    @property
    def too_slow(self) -> bool:
        return time.monotonic() - self._begun > GRACE + self._bytes / RATE


def fetch(
    download: Download, folder: Path, *, progress: Progress | None = None, pause: float = 1.0
) -> Path:
    """The file in `folder`; what is missing of it is downloaded.

    What has arrived is kept under a name ending in `.part`, and the next call resumes it by an HTTP
    range; from a server without ranges it starts over. `progress` is called with the bytes that
    have arrived and the bytes in all (0 where the server does not say). `pause` is the seconds
    before a second attempt, doubled for each further one.

    Raises `MissingError` when the server cannot be reached, refuses, breaks off too often or sends
    too slowly, and `DataError` for a wrong digest, for a file without end and where the disk would
    become full.
    """
    if not download.url.startswith(("https://", "http://")):
        raise DataError(f"Expected an http or https URL, got {download.url!r}.")
    target = folder / download.file
    partial = target.with_name(f"{target.name}.part")
    if not target.is_file():
        resumed = _size(partial) > 0
        _complete(download, partial, progress, pause)
        if resumed and not digest_is_right(partial, download.digest):
            partial.unlink()  # the server now has another file than the one begun with
            _complete(download, partial, progress, pause)
        publish(partial, target)
    if not digest_is_right(target, download.digest):
        target.unlink()
        raise DataError(
            f"Expected {download.file} with the {download.digest.replace(':', ' ')}, got another"
            f" file from {download.url}; it was deleted. Try again, or get it by hand."
        )
    return target


def digest_is_right(path: Path, digest: str) -> bool:
    """Whether a file has this digest, `md5:...` or `sha256:...`."""
    kind, _, expected = digest.partition(":")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False))
    return found.hexdigest() == expected


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _complete(download: Download, partial: Path, progress: Progress | None, pause: float) -> None:
    """Connect until the whole file is here, as long as the connections bring something."""
    idle, connected, pace = 0, False, _Pace()
    reason: str | None = None
    while idle < ATTEMPTS and not pace.too_slow:
        before = _size(partial)
        try:
            reason = _continue(download, partial, progress, pace)
            connected = True
        except _UnreachableError as error:
            reason = f"the server cannot be reached ({error})"
            if not connected:  # there is no network: waiting does not help
                break
        if reason is None:
            return
        idle = 0 if _size(partial) > before else idle + 1
        time.sleep(pause * 2 ** max(0, idle - 1))
    kept = f" ({here:,} bytes have arrived and are kept)" if (here := _size(partial)) else ""
    raise MissingError(
        f"Expected {download.file} from {download.url}, but {reason}; check the connection and run"
        f" the same command again{kept}."
    )


def _continue(
    download: Download, partial: Path, progress: Progress | None, pace: _Pace
) -> str | None:
    """One connection. None when the file is whole, else what went wrong; both may bring bytes."""
    here = _size(partial)
    request = urllib.request.Request(download.url)
    request.add_header("User-Agent", f"clipfg/{__version__}")
    if here:
        request.add_header("Range", f"bytes={here}-")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            here, total = _position(response, here)
            partial.parent.mkdir(parents=True, exist_ok=True)
            check_space(partial.parent, (total or download.size) - here, download.file)
            with partial.open("r+b" if here else "wb") as file:
                file.seek(here)
                file.truncate()
                for chunk in _chunks(response, pace):
                    check_space(partial.parent, len(chunk), download.file)
                    file.write(chunk)
                    here += len(chunk)
                    _check_end(download, here, total)
                    if progress:
                        progress(here, total)
            return None if not total or here >= total else "the connection broke off"
    except urllib.error.HTTPError as error:
        if error.code == 416 and here:  # nothing is left to send: the digest will tell
            return None
        if error.code in {408, 425, 429} or error.code >= 500:
            return f"the server answered {error.code} {error.reason}"
        raise MissingError(
            f"Expected {download.file} from {download.url}, but the server answered {error.code}"
            f" {error.reason}; get it by hand."
        ) from None
    except urllib.error.URLError as error:
        raise _UnreachableError(getattr(error.reason, "strerror", None) or error.reason) from None
    except (TimeoutError, ConnectionError, ssl.SSLError, HTTPException) as error:
        return f"the connection broke off ({str(error) or type(error).__name__})"


def _position(response: HTTPResponse, asked: int) -> tuple[int, int]:
    """Where in the file the answer begins, and the length of the whole (0: not said)."""
    length = int(response.headers.get("Content-Length") or 0)
    if response.status != 206:
        return 0, length
    # "bytes 1000-1999/2000"
    span, _, whole = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    start = span.partition("-")[0]
    if not start.isdecimal() or int(start) != asked:
        raise HTTPException(f"it sent {span or 'no range'} where {asked}- was asked for")
    return asked, int(whole) if whole.isdecimal() else asked + length


def _chunks(response: HTTPResponse, pace: _Pace) -> Iterator[bytes]:
    """What arrives, as it arrives. Raises `TimeoutError` where that is too slow."""
    while chunk := response.read1(CHUNK):
        pace.count(len(chunk))
        yield chunk
        if pace.too_slow:
            raise TimeoutError(f"it sends less than {RATE // 1000} kB a second")


def _check_end(download: Download, here: int, total: int) -> None:
    """Raises `DataError` for more bytes than the server said, or than the file can have."""
    most = total or (download.size + EXCESS if download.size else 0)
    if most and here > most:
        raise DataError(
            f"Expected at most {most:,} bytes of {download.file}, got more from {download.url}; get"
            " it by hand."
        )
