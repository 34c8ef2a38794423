"""Embeddings kept between runs, keyed by the content of the item and the encoder's fingerprint.

An image is known by its file's size and time of change first, which costs a look at the folder,
and by a hash of its bytes where those are new: a moved, copied or renamed image is not embedded
twice. All lives in one SQLite file which many runs may share, and which a run killed at any moment
leaves whole. Keep it on a local disk: SQLite's locks do not hold on most network file systems.
"""

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from clipfg.data.sources import Signature, scheme_of
from clipfg.embedding.sqlite_file import SqliteFile

T = TypeVar("T")
Vectors = dict[bytes, NDArray[np.float32]]
Kind = Literal["images", "texts"]
KINDS: tuple[Kind, Kind] = ("images", "texts")

FILE = "embeddings.sqlite"
SETTLED_NS = 2_000_000_000
"""A file changed less than this before it was looked at may change again within one tick of the
file system's clock (2 s on FAT) and keep its size and time: such a one is hashed each time."""


class EmbeddingCache:
    """The embedding cache in a folder, made when it is first written.

    A cache that cannot be read or written (read-only folder, full disk, a lock held for half a
    minute) never costs a run: it warns once and goes on without.

    Parameters
    ----------
    folder
        The cache folder; the file in it is `embeddings.sqlite`.
    warn
        Called with one sentence when the cache has to be given up.

    Raises `StoreError` for a file that is damaged, another program's, or of a newer clipfg.
    """

    def __init__(self, folder: Path | str, warn: Callable[[str], None] | None = None) -> None:
        self._file = SqliteFile(Path(folder) / FILE, warn)
        self._encoders: dict[str, int] = {}

    @property
    def path(self) -> Path:
        """The cache's file."""
        return self._file.path

    @property
    def writable(self) -> bool:
        """Whether what is put in stays."""
        return self._file.writable

    # -- files ---------------------------------------------------------------------------------

    def contents(self, signatures: Mapping[str, Signature]) -> dict[str, bytes]:
        """Hashes of the files that were seen before with the same size and time of change."""
        by_key = {_place(uri): uri for uri in signatures}
        found = {}
        for key, size, mtime_ns, content in self._file.select(
            "SELECT uri, size, mtime_ns, content FROM memo WHERE uri IN ({})", list(by_key)
        ):
            uri = by_key[key]
            if signatures[uri] == (size, mtime_ns):
                found[uri] = content
        return found

    def digest(self, path: Path) -> str:
        """The hash of a file's bytes in hexadecimal, remembered by size and time of change.

        Raises `OSError` when the file cannot be read.
        """
        seen_ns = time.time_ns()
        state = path.stat()
        signature = (state.st_size, state.st_mtime_ns)
        content = self.contents({str(path): signature}).get(str(path))
        if content is None:
            with path.open("rb") as file:
                hasher = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
            content = hasher.digest()
            if is_settled(signature, seen_ns):
                self.remember([(str(path), signature, content)])
        return content.hex()

    def remember(self, files: Iterable[tuple[str, Signature, bytes]]) -> None:
        """Keep the hashes of files by where they are and their size and time of change.

        Only for files that were settled (`is_settled`) when their signature was taken.
        """
        self._file.write(lambda connection: _insert_files(connection, files))

    # -- embeddings ----------------------------------------------------------------------------

    def get(self, kind: Kind, fingerprint: str, contents: Sequence[bytes]) -> Vectors:
        """Those of the embeddings asked for that are kept, as read-only float32 `[d]`."""
        encoder = self._encoder(fingerprint)
        if encoder is None:
            return {}
        rows = self._file.select(
            f"SELECT content, vector FROM {kind} WHERE encoder = {encoder} AND content IN ({{}})",
            contents,
        )
        return {content: np.frombuffer(vector, dtype="<f4") for content, vector in rows}

    def put(
        self,
        kind: Kind,
        fingerprint: str,
        name: str,
        vectors: Mapping[bytes, NDArray[np.float32]],
        files: Iterable[tuple[str, Signature, bytes]] = (),
    ) -> None:
        """Keep embeddings, and the hashes of files, in one transaction; what is there stays."""
        if not vectors:
            self.remember(files)
            return
        dim = len(next(iter(vectors.values())))

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR IGNORE INTO encoders (fingerprint, name, dim) VALUES (?, ?, ?)",
                (fingerprint, name, dim),
            )
            encoder = connection.execute(
                "SELECT id FROM encoders WHERE fingerprint = ?", (fingerprint,)
            ).fetchone()[0]
            connection.executemany(
                f"INSERT OR IGNORE INTO {kind} (encoder, content, vector) VALUES (?, ?, ?)",
                ((encoder, key, row.astype("<f4").tobytes()) for key, row in vectors.items()),
            )
            _insert_files(connection, files)

        self._file.write(insert)

    def _encoder(self, fingerprint: str) -> int | None:
        if fingerprint not in self._encoders:
            for (number,) in self._file.select(
                "SELECT id FROM encoders WHERE fingerprint IN ({})", [fingerprint]
            ):
                self._encoders[fingerprint] = number
        return self._encoders.get(fingerprint)

    # -- small facts ---------------------------------------------------------------------------

    def fact(self, key: str) -> str | None:
        """A remembered finding, such as how well a precision agrees; None where there is none."""
        found = self._file.select("SELECT value FROM facts WHERE key IN ({})", [key])
        return next((value for (value,) in found), None)

    def put_fact(self, key: str, value: str) -> None:
        """Remember a finding under `key`, in place of an older one."""
        self._file.write(
            lambda c: c.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))
        )

    # -- upkeep --------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Bytes that the cache takes on disk."""
        return sum(part.stat().st_size for part in _parts(self.path) if part.exists())

    def info(self) -> list[dict[str, str | int]]:
        """What is kept, a row per encoder, the largest first; `bytes` are those of the vectors."""
        held: dict[int, dict[str, tuple[int, int]]] = {}
        for kind in KINDS:
            query = f"SELECT encoder, count(*), sum(length(vector)) FROM {kind} GROUP BY encoder"
            for encoder, count, size in self._file.select(query):
                held.setdefault(encoder, {})[kind] = (count, size)
        rows: list[dict[str, str | int]] = []
        query = "SELECT id, name, fingerprint, dim FROM encoders"
        for number, name, fingerprint, dim in self._file.select(query):
            if number in held:
                (images, image_bytes), (texts, text_bytes) = (
                    held[number].get(kind, (0, 0)) for kind in KINDS
                )
                rows.append(
                    {
                        "encoder": name,
                        "fingerprint": fingerprint,
                        "dim": dim,
                        "images": images,
                        "texts": texts,
                        "bytes": image_bytes + text_bytes,
                    }
                )
        return sorted(rows, key=lambda row: -int(row["bytes"]))

    def clear(self, fingerprint: str | None = None) -> int:
        """Forget everything, or the embeddings of encoders whose fingerprint starts so.

        Returns how many embeddings went. The space is given back unless another run is reading.
        """
        gone = 0
        numbers = [
            number
            for number, known in self._file.select("SELECT id, fingerprint FROM encoders")
            if fingerprint is None or known.startswith(fingerprint)
        ]

        def delete(connection: sqlite3.Connection) -> None:
            nonlocal gone
            for number in numbers:
                for kind in KINDS:
                    statement = f"DELETE FROM {kind} WHERE encoder = ?"
                    gone += connection.execute(statement, (number,)).rowcount
            if fingerprint is None:
                # The rows of `encoders` stay: other runs may hold their numbers.
                connection.execute("DELETE FROM memo")
                connection.execute("DELETE FROM facts")

        if self._file.write(delete):
            self._file.give_space_back()
        return gone

    def close(self) -> None:
        """Let go of the file; the cache answers nothing afterwards."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_settled(signature: Signature, seen_ns: int) -> bool:
    """Whether a file seen at `seen_ns` cannot change again and keep its size and time of change."""
    return seen_ns - signature[1] > SETTLED_NS


def remove_cache(folder: Path | str) -> int:
    """Delete the cache's file, damaged or not; returns the bytes freed. No run may be using it."""
    freed = 0
    for part in _parts(Path(folder) / FILE):
        if part.exists():
            freed += part.stat().st_size
            part.unlink()
    return freed


def _parts(file: Path) -> list[Path]:
    return [file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))]


def _insert_files(
    connection: sqlite3.Connection, files: Iterable[tuple[str, Signature, bytes]]
) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO memo (uri, size, mtime_ns, content) VALUES (?, ?, ?, ?)",
        ((_place(uri), *signature, content) for uri, signature, content in files),
    )


def _place(uri: str) -> str:
    """A path made absolute; a `scheme:...` as it is."""
    return uri if scheme_of(uri) else os.path.abspath(uri)  # noqa: PTH100 (resolves no links)
