"""The SQLite file of the embedding cache: how it is opened, created and recognised."""

import sqlite3
import time
from pathlib import Path

from clipfg.errors import StoreError

APPLICATION = 0x636C6667  # "clfg"; SQLite keeps it in the file's header
VERSION = 1
PATIENCE = 30.0
"""Seconds to wait for another run's lock."""

# Vectors are blobs of two to four kilobytes: on larger pages several share one, and a table with
# row ids appends them while only its small index is kept in the order of the hashes.
VECTORS = """
CREATE TABLE IF NOT EXISTS {} (
    encoder INTEGER NOT NULL, content BLOB NOT NULL, vector BLOB NOT NULL, checksum INTEGER,
    UNIQUE (encoder, content)
)
"""
CHECKSUM = "ALTER TABLE {} ADD COLUMN checksum INTEGER"
"""For tables of before: rows without a checksum keep NULL there."""
CTIME = "ALTER TABLE memo ADD COLUMN ctime_ns INTEGER"
"""For caches of before, whose files are hashed once more: they have NULL there."""
COLUMN = "SELECT 1 FROM pragma_table_info(?) WHERE name = ?"
SCHEMA = f"""
CREATE TABLE memo (
    uri TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, content BLOB NOT NULL,
    ctime_ns INTEGER
) WITHOUT ROWID;
CREATE TABLE encoders (
    id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    dim INTEGER NOT NULL
);
{VECTORS.format("images")};
{VECTORS.format("texts")};
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code: `SQLITE_FULL`, `SQLITE_READONLY`, ...; 0 when it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def open_database(file: Path) -> tuple[sqlite3.Connection, bool]:
    """A connection to the cache file, created if missing, and whether it can be written.

    Raises `StoreError` for a file that is damaged, another program's or of a newer clipfg, and
    `sqlite3.Error` or `OSError` when it cannot be reached at all.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return _prepare(file), True
    except sqlite3.DatabaseError as error:
        code = primary_code(error)
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise damaged(file) from None
        if code not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN) or not file.exists():
            raise
    # A journal beside the file cannot be opened in a read-only folder, unless we guarantee that
    # nobody writes.
    connection = _connect(f"{file.absolute().as_uri()}?immutable=1")
    _recognise(connection, file)
    return connection, False


def damaged(file: Path) -> StoreError:
    """The error for a file that SQLite cannot make sense of."""
    return StoreError(
        f"Expected clipfg's embedding cache in {file}, got a damaged file or no database at all;"
        " run `clipfg cache clear` to start a new one, or give another --cache-dir."
    )


def _connect(target: str) -> sqlite3.Connection:
    return sqlite3.connect(
        target, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False
    )


def _prepare(file: Path) -> sqlite3.Connection:
    """Open for writing and create missing tables; several runs may do so at the same time."""
    deadline = time.monotonic() + PATIENCE
    while True:
        connection = _connect(file.absolute().as_uri())
        try:
            _create(connection, file)
            return connection
        except BaseException as error:
            connection.close()
            busy = isinstance(error, sqlite3.Error) and primary_code(error) == sqlite3.SQLITE_BUSY
            # Switching to the write-ahead log takes a lock that SQLite does not wait for.
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _create(connection: sqlite3.Connection, file: Path) -> None:
    known = _recognise(connection, file)
    if not known:
        connection.execute("PRAGMA page_size=16384")
    # On a file system that cannot share memory SQLite keeps its older journal, which is as safe
    # and slower. (Network file systems with broken locks are no place for a cache: see the docs.)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    has_ctime = COLUMN, ("memo", "ctime_ns")
    if known and connection.execute(*has_ctime).fetchone():
        return
    with connection:  # commits, or rolls back after an exception
        connection.execute("BEGIN IMMEDIATE")
        if not _recognise(connection, file):
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={APPLICATION}")
            connection.execute(f"PRAGMA user_version={VERSION}")
        elif not connection.execute(*has_ctime).fetchone():  # another run may have been faster
            connection.execute(CTIME)


def _recognise(connection: sqlite3.Connection, file: Path) -> bool:
    """Whether the file is this cache (True) or still empty (False); raises for any other."""
    if not connection.in_transaction:
        # One view of the file: another run may be creating its tables at this moment.
        connection.execute("BEGIN")
        try:
            return _recognise(connection, file)
        finally:
            connection.execute("ROLLBACK")
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application == APPLICATION and version == VERSION:
        return True
    if application == APPLICATION:
        raise StoreError(
            f"Expected an embedding cache of version {VERSION} in {file}, got version {version}"
            " of another clipfg; update clipfg or give another --cache-dir."
        )
    if application or version or connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise StoreError(
            f"Expected clipfg's embedding cache in {file}, got another program's database;"
            " move it away or give another --cache-dir."
        )
    return False
