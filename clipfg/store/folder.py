"""The folder of a store: one JSON file names the files that count, and a rename commits.

    store.json               the state: files with their sizes and checksums, encoder, classes
    keys-0123456789abcdef.npy, items-....arrow, index-....faiss
    lock                     held by the writer
    verified.json            the files that were found whole, and when they last changed

A commit writes files under new names, syncs them, renames a new JSON file over the old one, and
only then deletes the files that the old one named: even after `kill -9` and on a full disk, the
JSON file names complete files. A reader that finds a file gone reads the JSON file again; one that
has opened its files keeps them, since a mapped file outlives its name.
"""

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from clipfg.atomic import finished
from clipfg.errors import StoreError
from clipfg.store.state import FILE, StoredFile, StoreState

T = TypeVar("T")

STATE = "store.json"
LOCK = "lock"
VERIFIED = "verified.json"
PARTIAL = re.compile(r"\.?(store|verified)\.json(\.[0-9a-f]+)?\.part")
"""What a run that was killed may leave of the JSON files."""
WAIT = 10.0
"""Seconds that a writer waits for another."""
TRIES = 100
"""How often a reader starts again because a commit deleted its files."""


def has_store(path: Path) -> bool:
    """Whether a store has been committed there."""
    return (path / STATE).is_file()


def may_hold_store(path: Path) -> bool:
    """Whether a folder is a store, or holds nothing but what killed runs may have left."""
    if has_store(path) or not path.is_dir():
        return True
    return all(_is_ours(file.name) for file in path.iterdir())


def read_state(path: Path) -> StoreState:
    """The current state of a store. Raises `StoreError` when it is damaged or there is none."""
    try:
        return StoreState.from_json((path / STATE).read_bytes())
    except FileNotFoundError:
        raise StoreError(
            f"Expected a key store at {path}, got none; run `clipfg index build DATA --store"
            f" {path}` to build one."
        ) from None
    except OSError as error:
        raise StoreError(f"Could not read {path / STATE}: {error.strerror}.") from None
    except StoreError as error:
        raise type(error)(f"{error} ({path / STATE})") from None


def opened(path: Path, work: Callable[[StoreState], T]) -> T:
    """`work` on the current state, repeated when a commit deletes its files meanwhile."""
    for _ in range(TRIES):
        state = read_state(path)
        try:
            return work(state)
        except FileNotFoundError as error:
            if read_state(path).revision == state.revision:
                name = Path(error.filename or "").name
                raise StoreError(
                    f"Expected the file {name} in {path}, which {STATE} names, got none; build the"
                    " store again."
                ) from None
    raise StoreError(f"{path} changes faster than it can be read; try again later.")


def checked(path: Path, file: StoredFile) -> Path:
    """The path of a file whose size is as recorded; raises `StoreError` for another size."""
    place = path / file.name
    if place.is_symlink() or not place.is_file():
        raise FileNotFoundError(2, "no such file", str(place))
    size = place.stat().st_size
    if size != file.size:
        raise StoreError(
            f"Expected {file.size:,} bytes in {place}, got {size:,}: it is truncated or damaged;"
            " build the store again."
        )
    return place


def digest(path: Path) -> str:
    """SHA-256 of a file; processors have instructions for it, so it is faster than BLAKE2 here."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(path: Path) -> Iterator["StoreWriter"]:
    """Exclusive write access to the store at `path`; the folder is created if missing.

    Raises `StoreError` when another run holds it for longer than `WAIT` seconds, and when `path`
    is a file or a folder with other content.
    """
    with ExitStack() as stack:
        try:
            if not may_hold_store(path):
                raise StoreError(
                    f"Expected a new folder, an empty one or a key store, got {path}, which has"
                    " other content; try another --store."
                )
            path.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(path / LOCK, timeout=WAIT))
        except Timeout:
            raise StoreError(
                f"Another run has been writing to {path} for {WAIT:.0f} s; try again when it is"
                " done."
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):  # a file system without locks
                raise StoreError(f"Could not write to {path}: {error.strerror}.") from None
        writer = StoreWriter(path)
        stack.callback(writer.sweep)
        yield writer


class StoreWriter:
    """Changes to a store while its lock is held; see `writing`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, kind: str, suffix: str, write: Callable[[Path], object]) -> StoredFile:
        """A new file, complete and on disk. Raises `StoreError` when it cannot be written."""
        name = f"{kind}-{secrets.token_hex(8)}.{suffix}"
        place = self.path / name
        try:
            write(place)
            _sync(place)
            return StoredFile(name=name, size=place.stat().st_size, digest=digest(place))
        except (OSError, RuntimeError) as error:  # FAISS reports a full disk as RuntimeError
            reason = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
            raise StoreError(
                f"Could not write to {self.path}: {reason}. The store is unchanged."
            ) from None

    def commit(self, state: StoreState) -> None:
        """Make `state` the current one. Raises `StoreError` when it cannot be written."""
        try:
            with finished(self.path / STATE, StoreError) as partial:
                partial.write_text(state.to_json(), encoding="utf-8")
                _sync(self.path)
        except StoreError as error:
            raise StoreError(f"{error} The store is unchanged.") from None
        with suppress(OSError):  # it is the current one already
            _sync(self.path)

    def sweep(self) -> None:
        """Delete files that no state names: replaced ones, and those of a writer that died."""
        try:
            named = {file.name for file in read_state(self.path).files()}
        except StoreError:
            if has_store(self.path):
                return  # a state that cannot be read may be repaired by hand
            named = set()
        for place in self.path.iterdir():
            if place.name not in {*named, LOCK, VERIFIED} and _is_ours(place.name):
                with suppress(OSError):  # Windows: a reader has it open
                    place.unlink()


def _is_ours(name: str) -> bool:
    """Whether runs, even those that were killed, write files of this name beside the state."""
    return bool(name in (LOCK, VERIFIED) or FILE.fullmatch(name) or PARTIAL.fullmatch(name))


def _sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
