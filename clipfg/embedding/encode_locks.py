"""Locks on images that are being encoded, so that runs side by side share the work.

Each image is one byte of a file that is never written, locked by its content: hundreds are held at
a time, too many for a file each, and a whole-file lock (as filelock's) would make one run wait for
the other. The system releases the locks of a process that ends. Without `fcntl` (Windows) two runs
may encode the same image, which costs only time, since the cache keeps the first result.
"""

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]


class EncodeLocks:
    """Locks between processes for one encoder; threads of one process share them.

    Where locks do not work (no such folder, a file system without them) every lock is granted.
    """

    def __init__(self, file: Path | None, fingerprint: str) -> None:
        self._salt = fingerprint.encode()
        self._file: int | None = None
        if fcntl is not None and file is not None:
            with suppress(OSError):
                self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    @contextmanager
    def take(self, contents: Iterable[bytes]) -> Iterator[set[bytes]]:
        """Those of `contents` that no other process holds, held by this one within the block."""
        taken: set[bytes] = set()
        try:
            for content in contents:
                if self._lock(content, wait=False):
                    taken.add(content)
            yield taken
        finally:
            for content in taken:
                self._unlock(content)

    def wait(self, content: bytes) -> None:
        """Return when no other process holds `content`."""
        self._lock(content, wait=True)
        self._unlock(content)

    def close(self) -> None:
        """Close the file, which releases every lock of this process."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _offset(self, content: bytes) -> int:
        digest = hashlib.blake2b(content, digest_size=7, key=self._salt[:64]).digest()
        return int.from_bytes(digest)

    def _lock(self, content: bytes, wait: bool) -> bool:
        if self._file is None:
            return True
        flags = fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB)
        try:
            fcntl.lockf(self._file, flags, 1, self._offset(content))
        except OSError as error:
            # Any other error than "held" means that locks do not work here.
            return error.errno not in (errno.EACCES, errno.EAGAIN)
        return True

    def _unlock(self, content: bytes) -> None:
        if self._file is not None:
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, self._offset(content))
