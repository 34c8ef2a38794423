"""A SQLite file that a run can do without: what goes wrong with it costs a warning, not the run."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from clipfg.embedding.database import damaged, open_database, primary_code

KEYS = 500
"""Keys looked up in one statement."""

LESS_PATIENCE_MS = 1000
"""Milliseconds to wait for a lock once one was held for too long."""


class SqliteFile:
    """Queries and transactions on the cache's file, from any thread.

    When the file cannot be read or written (read-only folder, full disk), `warn` is called once
    with a sentence, and from then on nothing is found or kept. The same goes for a lock held too
    long, but only until it is released.

    Raises `StoreError` for a file that is damaged, another program's, or of a newer clipfg.
    """

    def __init__(self, path: Path, warn: Callable[[str], None] | None = None) -> None:
        self.path = path
        self.writable = False
        self._warn = warn or logging.getLogger("clipfg").warning
        self._warned_of_lock = False
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        try:
            self._connection, self.writable = open_database(path)
        except (sqlite3.Error, OSError) as error:
            self._warn(
                f"The embedding cache {path} cannot be opened ({error}); embeddings are not cached."
            )
        else:
            if not self.writable:
                self._warn(f"The embedding cache {path} is read-only: it is used but not updated.")

    def close(self) -> None:
        """Close the file; nothing is found or kept afterwards."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection, self.writable = None, False

    def shrink(self) -> None:
        """Give the space of deleted rows back to the disk, unless another run is reading."""
        with self._lock, suppress(sqlite3.OperationalError):
            if self._connection is not None:
                self._connection.execute("VACUUM")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def select(self, query: str, keys: Sequence[Any] | None = None) -> Iterator[tuple[Any, ...]]:
        """Rows of a query; its `{}` becomes the placeholders of the keys, `KEYS` at a time."""
        for start in [0] if keys is None else range(0, len(keys), KEYS):
            chunk = () if keys is None else keys[start : start + KEYS]
            with self._lock:
                if self._connection is None:
                    return
                try:
                    marks = ",".join("?" * len(chunk))
                    rows = self._connection.execute(query.format(marks), tuple(chunk)).fetchall()
                except sqlite3.Error as error:
                    self._give_up(error, "read")
                    return
            yield from rows

    def write(self, work: Callable[[sqlite3.Connection], object]) -> bool:
        """Do `work` in one transaction; False when the cache cannot be written, or not now."""
        with self._lock:
            if self._connection is None or not self.writable:
                return False
            try:
                with self._connection:  # commits, or rolls back after an exception
                    self._connection.execute("BEGIN IMMEDIATE")
                    work(self._connection)
                return True
            except sqlite3.Error as error:
                self._give_up(error, "written")
                return False

    def _give_up(self, error: sqlite3.Error, what: str) -> None:
        if primary_code(error) == sqlite3.SQLITE_BUSY and self._connection is not None:
            self._skip(self._connection)
            return
        self.writable = False
        if what == "read" and self._connection is not None:
            self._connection.close()
            self._connection = None
        corrupt = primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        reason = str(damaged(self.path)) if corrupt else f"{self.path} cannot be {what} ({error})."
        self._warn(f"The run continues without caching embeddings. {reason}")

    def _skip(self, connection: sqlite3.Connection) -> None:
        """Go on without one query. Later ones wait less: the lock may never be released."""
        connection.execute(f"PRAGMA busy_timeout = {LESS_PATIENCE_MS}")
        if not self._warned_of_lock:
            self._warned_of_lock = True
            self._warn(
                f"The embedding cache {self.path} is locked by another run; embeddings are not"
                " cached while it is."
            )
