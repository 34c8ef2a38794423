"""The folder that a store lives in: one JSON names the files that count, and a rename commits.

    store.json               the state: which files, their sizes and checksums, encoder, classes
    keys-0123456789abcdef.npy, items-....arrow, index-....faiss
    lock                     held by the one who writes

A commit writes files under new names, syncs them, renames the JSON over the old one, and only then
removes what the old one named. So at any moment, `kill -9` and a full disk included, the JSON names
whole files: the old ones or the new ones. A reader that meets a file that has just gone reads the
JSON again; one that has opened its files keeps them, since a mapped file outlives its name.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from clipfg.errors import StoreError
from clipfg.store.state import FILE, StoredFile, StoreState

try:
    import fcntl
except ImportError:  # Windows: two who write at once are not kept apart
    fcntl = None  # type: ignore[assignment]

T = TypeVar("T")

STATE = "store.json"
LOCK = "lock"
WAIT = 10.0
"""Seconds that a second writer waits for the first."""
TRIES = 100
"""How often a reader starts again because a commit took its files away."""


def has_store(path: Path) -> bool:
    """Whether a store has been committed there."""
    return (path / STATE).is_file()


def read_state(path: Path) -> StoreState:
    """The state that counts at this moment. Raises `StoreError` when there is none, or no store."""
    try:
        return StoreState.from_json((path / STATE).read_bytes())
    except FileNotFoundError:
        raise StoreError(
            f"Expected a key store, and there is none at {path}; `clipfg index build DATA --store"
            f" {path}` makes one."
        ) from None
    except OSError as error:
        raise StoreError(f"Could not read {path / STATE}: {error.strerror}.") from None
    except StoreError as error:
        raise StoreError(f"{error} ({path / STATE})") from None


def opened(path: Path, work: Callable[[StoreState], T]) -> T:
    """`work` on the state that counts, done again when a commit takes its files away meanwhile."""
    for _ in range(TRIES):
        state = read_state(path)
        try:
            return work(state)
        except FileNotFoundError as error:
            if read_state(path).revision == state.revision:
                name = Path(error.filename or "").name
                raise StoreError(
                    f"Expected the file {name} in {path}, as {STATE} says, and it is gone; build"
                    " the store again."
                ) from None
    raise StoreError(f"{path} changes faster than it can be read; try again later.")


def checked(path: Path, file: StoredFile) -> Path:
    """Where a file is, once its size is as recorded. Raises `StoreError` where it is not."""
    place = path / file.name
    if place.is_symlink() or not place.is_file():
        raise FileNotFoundError(2, "no such file", str(place))
    size = place.stat().st_size
    if size != file.size:
        raise StoreError(
            f"Expected {file.size:,} bytes in {place}, got {size:,}: it is cut short or damaged;"
            " build the store again."
        )
    return place


def digest(path: Path) -> str:
    """SHA-256 of a file: processors have instructions for it, so twice as fast as BLAKE2 here."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(path: Path) -> Iterator["StoreWriter"]:
    """The right to change the store at `path`, held by one at a time; made if need be.

    Raises `StoreError` when another holds it for longer than `WAIT` seconds, or when `path` is no
    folder or holds other things than a store.
    """
    try:
        if path.is_dir() and not has_store(path) and any(_foreign(path)):
            raise StoreError(
                f"Expected a new folder, an empty one or a key store, got {path}, which holds other"
                " things; try another --store."
            )
        path.mkdir(parents=True, exist_ok=True)
        handle = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise StoreError(f"Could not write to {path}: {error.strerror}.") from None
    try:
        _lock(handle, path)
        writer = StoreWriter(path)
        try:
            yield writer
        finally:
            writer.sweep()
    finally:
        os.close(handle)  # lets go of the lock, as the end of the process does


class StoreWriter:
    """Changes to a store by the one who holds its lock; see `writing`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, kind: str, suffix: str, write: Callable[[Path], object]) -> StoredFile:
        """A new file, whole and on disk. Raises `StoreError` when it cannot be written."""
        name = f"{kind}-{secrets.token_hex(8)}.{suffix}"
        place = self.path / name
        try:
            write(place)
            _sync(place)
            return StoredFile(name=name, size=place.stat().st_size, digest=digest(place))
        except (OSError, RuntimeError) as error:  # FAISS reports a full disk as RuntimeError
            raise self._unwritten(error) from None

    def commit(self, state: StoreState) -> None:
        """Make `state` the one that counts."""
        partial = self.path / f"{STATE}.part"
        try:
            partial.write_text(state.to_json(), encoding="utf-8")
            _sync(partial)
            _sync(self.path)
            partial.replace(self.path / STATE)
        except OSError as error:
            with suppress(OSError):
                partial.unlink()
            raise self._unwritten(error) from None
        with suppress(OSError):  # it counts already
            _sync(self.path)

    def sweep(self) -> None:
        """Remove files that no state names: replaced ones, and those of a writer that died."""
        try:
            named = {file.name for file in read_state(self.path).files()}
        except StoreError:
            if has_store(self.path):
                return  # a state that cannot be read names nothing, and may be mended by hand
            named = set()
        for place in self.path.iterdir():
            if FILE.fullmatch(place.name) and place.name not in named:
                with suppress(OSError):  # Windows: a reader has it open
                    place.unlink()

    def _unwritten(self, error: Exception) -> StoreError:
        reason = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
        return StoreError(
            f"Could not write to {self.path}: {reason}. What the store held before is as it was."
        )


def _foreign(path: Path) -> Iterator[Path]:
    """What a store or its half-finished build does not leave behind."""
    own = {LOCK, STATE, f"{STATE}.part"}
    return (x for x in path.iterdir() if x.name not in own and not FILE.fullmatch(x.name))


def _lock(handle: int, path: Path) -> None:
    if fcntl is None:
        return
    until = time.monotonic() + WAIT
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise StoreError(
                    f"Another run is writing to {path}, and has been for {WAIT:.0f} s; try again"
                    " when it is done."
                ) from None
            time.sleep(0.05)
        except OSError:
            return  # a file system without locks


def _sync(path: Path) -> None:
    """Have the system put a file, or a folder's names, on the disk."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
