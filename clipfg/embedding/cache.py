"""Embeddings kept between runs, by the content of the item and the encoder's fingerprint.

A file seen before is recognised by its size and times of change, without reading it; a new one by a
hash of its bytes, so that a moved, copied or renamed image is not embedded again. Many runs may
share the SQLite file; its locks do not work on most network file systems.
"""

import io
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from clipfg.data.sources import Signature, scheme_of, signature_of
from clipfg.embedding.database import CHECKSUM, COLUMN, VECTORS
from clipfg.embedding.sqlite_file import SqliteFile
from clipfg.encoders.weights import file_digest

Kind = Literal["images", "texts", "patches", "regions"]
DENSE = ("patches", "regions")
"""Kinds with a matrix or a map for each item; their tables are created when first needed."""

Vectors = dict[bytes, NDArray[Any]]
FileHash = tuple[str, Signature, bytes]
"""The URI of a file, its signature, and the hash of its bytes."""

FILE = "embeddings.sqlite"
SETTLED_NS = 2_000_000_000
"""A file changed less than this before it was looked at may change again within one tick of the
file system's clock (2 s on FAT) and keep its signature, so it is hashed each time."""


class EmbeddingCache(SqliteFile):
    """The embedding cache in a folder, created when it is first written.

    A cache that cannot be read or written (read-only folder, full disk, a lock held for half a
    minute) never stops a run: `warn` is called once, and the run goes on without it
    (after a lock, until it is released).

    Raises `StoreError` for a file that is damaged, another program's, or of a newer clipfg.
    """

    def __init__(self, folder: Path | str, warn: Callable[[str], None] | None = None) -> None:
        super().__init__(Path(folder) / FILE, warn)
        self._encoders: dict[str, tuple[int, int]] = {}
        self._checked: set[Kind] = set()
        self._warned_of_damage = False
        self._written: set[tuple[Kind, str, bytes]] | None = None

    def afresh(self) -> Self:
        """The cache for a job that embeds everything again.

        It keeps embeddings in place of earlier ones, and finds those alone that it has kept. It
        shares the file of the original, and is closed with it.
        """
        again = copy(self)
        again._written = set()
        return again

    def contents(self, signatures: Mapping[str, Signature]) -> dict[str, bytes]:
        """Content hashes of the files seen before with the same signature."""
        if self._written is not None:
            return {}
        uris = {_absolute(uri): uri for uri in signatures}
        # The last column is not there in a cache of before that cannot be written.
        rows = self.select("SELECT * FROM memo WHERE uri IN ({})", list(uris))
        return {
            uris[key]: content
            for key, size, changed, content, *entry in rows
            if signatures[uris[key]] == (size, changed, *filter(None, entry))
        }

    def digest(self, path: Path) -> str:
        """The hash of a file's bytes in hexadecimal, remembered by its signature.

        Raises `OSError` when the file cannot be read.
        """
        seen_ns = time.time_ns()
        signature = signature_of(path.stat())
        content = self.contents({str(path): signature}).get(str(path))
        if content is None:
            content = bytes.fromhex(file_digest(path))
            if is_settled(signature, seen_ns):
                self.remember([(str(path), signature, content)])
        return content.hex()

    def remember(self, files: Iterable[FileHash]) -> None:
        """Keep the content hashes of files.

        Only for files that were settled (`is_settled`) when their signature was taken.
        """
        self.write(lambda connection: _insert_files(connection, files))

    def get(self, kind: Kind, fingerprint: str, contents: Sequence[bytes]) -> Vectors:
        """The embeddings that are kept, by content: read-only float32 `[d]`.

        Patches and regions come as they were put, as arrays of any shape. Each has a checksum: one
        that changed on disk is deleted, with a warning, and is not there.
        """
        if (written := self._written) is not None:
            contents = [key for key in contents if (kind, fingerprint, key) in written]
        encoder, dim = self._encoder(fingerprint)
        if encoder is None or (kind in DENSE and kind not in self._kinds()):
            return {}
        checksum = "checksum" if self._has_checksums(kind) else "NULL"
        rows = self.select(
            f"SELECT content, vector, {checksum} FROM {kind}"
            f" WHERE encoder = {encoder} AND content IN ({{}})",
            contents,
        )
        found, damaged = {}, []
        for content, blob, known in rows:
            if (vector := _from_row(kind, content, blob, known, dim)) is None:
                damaged.append(content)
            else:
                found[content] = vector
        if damaged:
            self._forget(kind, encoder, damaged)
        return found

    def _forget(self, kind: Kind, encoder: int, contents: list[bytes]) -> None:
        """Delete damaged embeddings, so that new ones can take their place."""
        if not self._warned_of_damage:
            self._warned_of_damage = True
            self._warn(
                f"Expected the embeddings in {self.path} as they were written, got"
                f" {len(contents):,} that changed since; what is damaged is embedded again."
            )
        statement = f"DELETE FROM {kind} WHERE encoder = ? AND content = ?"
        self.write(lambda c: c.executemany(statement, ((encoder, key) for key in contents)))

    def put(
        self,
        kind: Kind,
        fingerprint: str,
        name: str,
        vectors: Mapping[bytes, NDArray[Any]],
        files: Iterable[FileHash] = (),
    ) -> None:
        """Keep embeddings and content hashes in one transaction; what is there already stays.

        In a cache `afresh` it is replaced.
        """
        if not vectors:
            if files:
                self.remember(files)
            return
        dim = next(iter(vectors.values())).shape[-1]
        clash = "IGNORE" if self._written is None else "REPLACE"

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR IGNORE INTO encoders (fingerprint, name, dim) VALUES (?, ?, ?)",
                (fingerprint, name, dim),
            )
            encoder = connection.execute(
                "SELECT id FROM encoders WHERE fingerprint = ?", (fingerprint,)
            ).fetchone()[0]
            connection.execute(VECTORS.format(kind))
            if not connection.execute(COLUMN, (kind, "checksum")).fetchone():
                connection.execute(CHECKSUM.format(kind))
            blobs = ((content, _to_blob(kind, row)) for content, row in vectors.items())
            connection.executemany(
                f"INSERT OR {clash} INTO {kind} (encoder, content, vector, checksum)"
                " VALUES (?, ?, ?, ?)",
                ((encoder, key, blob, _checksum(key, blob)) for key, blob in blobs),
            )
            _insert_files(connection, files)

        if self.write(insert):
            self._checked.add(kind)
            if self._written is not None:
                self._written |= {(kind, fingerprint, content) for content in vectors}

    def _encoder(self, fingerprint: str) -> tuple[int | None, int]:
        """The number of an encoder here, None where it has none yet, and its width."""
        if fingerprint not in self._encoders:
            query = "SELECT fingerprint, id, dim FROM encoders WHERE fingerprint IN ({})"
            self._encoders |= {key: (at, dim) for key, at, dim in self.select(query, [fingerprint])}
        return self._encoders.get(fingerprint, (None, 0))

    def _has_checksums(self, kind: Kind) -> bool:
        """Whether the table has the column, which caches of before get at the first `put`."""
        query = f"SELECT 1 FROM pragma_table_info('{kind}') WHERE name IN ({{}})"
        if kind not in self._checked and any(self.select(query, ["checksum"])):
            self._checked.add(kind)
        return kind in self._checked

    def _kinds(self) -> list[Kind]:
        """The kinds that have a table here."""
        tables = {name for (name,) in self.select("SELECT name FROM sqlite_master")}
        return [kind for kind in get_args(Kind) if kind in tables]

    def fact(self, key: str) -> str | None:
        """A finding kept under `key`, such as how well a precision agrees; None without one."""
        found = self.select("SELECT value FROM facts WHERE key IN ({})", [key])
        return next((value for (value,) in found), None)

    def put_fact(self, key: str, value: str) -> None:
        """Keep a finding under `key`, replacing an older one."""
        self.write(lambda c: c.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value)))

    @property
    def size(self) -> int:
        """Bytes that the cache takes on disk."""
        return sum(part.stat().st_size for part in _parts(self.path))

    def info(self) -> list[dict[str, Any]]:
        """What is kept, a row per encoder, the largest first.

        Each kind has how many are kept and what their vectors take; `bytes` is the sum.
        """
        kinds = self._kinds()
        rows: dict[str, dict[str, Any]] = {}
        for kind in kinds:
            for name, fingerprint, dim, count, size in self.select(
                f"SELECT name, fingerprint, dim, count(*), sum(length(vector)) FROM {kind}"
                " JOIN encoders ON encoder = id GROUP BY id"
            ):
                about = {"encoder": name, "fingerprint": fingerprint, "dim": dim}
                columns = [*kinds, *(f"{kind}_bytes" for kind in kinds), "bytes"]
                row = rows.setdefault(fingerprint, about | dict.fromkeys(columns, 0))
                row |= {kind: count, f"{kind}_bytes": size, "bytes": row["bytes"] + size}
        return sorted(rows.values(), key=lambda row: -row["bytes"])

    def clear(self, fingerprint: str | None = None) -> int:
        """Delete everything, or the embeddings of encoders whose fingerprint starts so.

        Returns how many embeddings were deleted. Their space is given back to the disk unless
        another run is reading.
        """
        deleted = 0
        kinds, start = self._kinds(), fingerprint or ""
        chosen = "SELECT id FROM encoders WHERE substr(fingerprint, 1, ?) = ?"

        def delete(connection: sqlite3.Connection) -> None:
            nonlocal deleted
            for kind in kinds:
                statement = f"DELETE FROM {kind} WHERE encoder IN ({chosen})"
                deleted += connection.execute(statement, (len(start), start)).rowcount
            if fingerprint is None:
                # The rows of `encoders` stay: other runs may hold their numbers.
                connection.execute("DELETE FROM memo")
                connection.execute("DELETE FROM facts")

        if self.write(delete):
            self.shrink()
        return deleted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_settled(signature: Signature, seen_ns: int) -> bool:
    """Whether a file seen at `seen_ns` cannot change again and keep its signature."""
    return seen_ns - max(signature[1:]) > SETTLED_NS


def remove_cache(folder: Path | str) -> int:
    """Delete the cache's file, damaged or not; returns the bytes freed. No run may be using it."""
    freed = 0
    for part in _parts(Path(folder) / FILE):
        freed += part.stat().st_size
        part.unlink()
    return freed


def _parts(file: Path) -> list[Path]:
    """The file and SQLite's own beside it, those that exist."""
    parts = [file.with_name(file.name + end) for end in ("", "-wal", "-shm")]
    return [part for part in parts if part.exists()]


def _to_blob(kind: Kind, array: NDArray[Any]) -> bytes:
    if kind not in DENSE:
        return array.astype("<f4").tobytes()
    sink = io.BytesIO()  # in NumPy's own format, which says its shape and number type
    np.lib.format.write_array(sink, np.ascontiguousarray(array), allow_pickle=False)
    return sink.getvalue()


def _checksum(content: bytes, blob: bytes) -> int:
    return zlib.crc32(blob, zlib.crc32(content))


def _from_row(
    kind: Kind, content: bytes, blob: bytes, known: int | None, dim: int
) -> NDArray[Any] | None:
    """An embedding, or None for a damaged one; without a checksum, for one that cannot be right."""
    try:
        if known is not None and known != _checksum(content, blob):
            return None
        if kind in DENSE:
            return np.lib.format.read_array(io.BytesIO(blob), allow_pickle=False)
        vector = np.frombuffer(blob, dtype="<f4")
    except (ValueError, EOFError, TypeError):
        return None
    if known is None and not (vector.size == dim and np.isfinite(vector).all() and vector.any()):
        return None
    return vector


def _insert_files(connection: sqlite3.Connection, files: Iterable[FileHash]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO memo (uri, content, size, mtime_ns, ctime_ns)"
        " VALUES (?, ?, ?, ?, ?)",
        (
            (_absolute(uri), content, *signature, *[None] * (3 - len(signature)))
            for uri, signature, content in files
        ),
    )


def _absolute(uri: str) -> str:
    """A path made absolute; a `scheme:...` as it is."""
    return uri if scheme_of(uri) else os.path.abspath(uri)  # noqa: PTH100 (resolves no links)
