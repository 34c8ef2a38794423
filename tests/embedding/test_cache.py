import os
import shutil
import sqlite3
import threading
import time
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest

from clipfg.data.sources import signature
from clipfg.embedding.cache import FILE, EmbeddingCache, remove_cache
from clipfg.embedding.database import SCHEMA, VERSION
from clipfg.embedding.sqlite_file import KEYS
from clipfg.encoders.weights import file_digest
from clipfg.errors import StoreError
from tests.embedding.drawn_images import refuse


def keys(count: int, start: int = 0) -> list[bytes]:
    return [blake2b(str(i).encode(), digest_size=16).digest() for i in range(start, start + count)]


def vectors(count: int, dim: int = 8) -> dict[bytes, np.ndarray]:
    rows = np.random.default_rng(count).standard_normal((count, dim)).astype(np.float32)
    return dict(zip(keys(count), rows, strict=True))


def test_vectors_round_trip_bit_for_bit_and_are_kept_apart(cache: EmbeddingCache) -> None:
    kept = vectors(1234)
    cache.put("images", "one", "model", kept)
    found = cache.get("images", "one", keys(2000))
    assert found.keys() == kept.keys()
    assert all(np.array_equal(found[key], kept[key]) for key in kept)
    assert cache.get("images", "two", keys(10)) == {}
    assert cache.get("texts", "one", keys(10)) == {}


def test_an_existing_vector_is_not_overwritten(cache: EmbeddingCache) -> None:
    first, second = vectors(3), {key: row + 1 for key, row in vectors(3).items()}
    cache.put("images", "one", "model", first)
    cache.put("images", "one", "model", second)
    found = cache.get("images", "one", keys(3))
    assert all(np.array_equal(found[key], first[key]) for key in first)


def test_it_outlives_the_process(tmp_path: Path) -> None:
    with EmbeddingCache(tmp_path) as cache:
        cache.put("texts", "one", "model", vectors(3))
        cache.put_fact("precision/x", "good")
        cache.put_fact("precision/x", "better")
    with EmbeddingCache(tmp_path, warn=refuse) as cache:
        assert len(cache.get("texts", "one", keys(3))) == 3
        assert cache.fact("precision/x") == "better"
        assert cache.fact("precision/y") is None


def test_files_are_known_by_size_and_time(cache: EmbeddingCache, tmp_path: Path) -> None:
    here = str(tmp_path / "a.jpg")
    cache.remember([(here, (5, 10), b"x" * 16), ("tar:a.tar!b", (6, 11), b"y" * 16)])
    assert cache.contents({here: (5, 10), "tar:a.tar!b": (6, 11)}) == {
        here: b"x" * 16,
        "tar:a.tar!b": b"y" * 16,
    }
    assert cache.contents({here: (5, 11)}) == {}
    assert cache.contents({here: (4, 10)}) == {}


def test_a_relative_path_is_the_same_file(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.remember([(str(tmp_path / "a.jpg"), (5, 10), b"x" * 16)])
    monkeypatch.chdir(tmp_path)
    assert cache.contents({"a.jpg": (5, 10)}) == {"a.jpg": b"x" * 16}
    monkeypatch.chdir("/")
    assert cache.contents({"a.jpg": (5, 10)}) == {}


def test_a_digest_is_the_hash_and_is_remembered_once_settled(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, hashed = tmp_path / "weights.bin", []

    def counted(path: Path) -> str:
        hashed.append(path)
        return file_digest(path)

    monkeypatch.setattr("clipfg.embedding.cache.file_digest", counted)
    path.write_bytes(b"first")
    digests = {cache.digest(path), cache.digest(path)}
    assert digests == {blake2b(b"first", digest_size=16).hexdigest()}
    assert len(hashed) == 2
    monkeypatch.setattr("clipfg.embedding.cache.SETTLED_NS", 0)
    digests |= {cache.digest(path), cache.digest(path)}
    assert (len(digests), len(hashed)) == (1, 3)
    path.rename(tmp_path / "aside")
    (tmp_path / "aside").rename(path)  # another time of the entry, and the same bytes
    digests |= {cache.digest(path), cache.digest(path)}
    assert (len(digests), len(hashed)) == (1, 4)
    with pytest.raises(OSError, match="absent"):
        cache.digest(tmp_path / "absent")


@pytest.mark.usefixtures("settled")
def test_bytes_of_the_same_size_and_time_are_seen(cache: EmbeddingCache, tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(b"first")
    cache.digest(path)
    before = path.stat()
    time.sleep(0.02)  # a tick of the system's clock
    path.write_bytes(b"other")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as `cp -p` does
    assert path.stat().st_size == before.st_size
    assert cache.digest(path) == blake2b(b"other", digest_size=16).hexdigest()


@pytest.mark.usefixtures("settled")
def test_files_of_an_earlier_cache_are_hashed_once_more(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(b"first")
    state = path.stat()
    of_before = state.st_size, state.st_mtime_ns
    with EmbeddingCache(tmp_path / "kept", warn=refuse) as cache:
        cache.put("images", "one", "one", vectors(3), [(str(path), of_before, b"x" * 16)])
        cache.remember([("drawn:1", (1, 0), b"y" * 16)])
        cache._connection.execute("ALTER TABLE memo DROP COLUMN ctime_ns")
        seen = {str(path): signature(str(path)), "drawn:1": (1, 0)}
        assert cache.contents(seen) == {"drawn:1": b"y" * 16}  # one that cannot be written
    with EmbeddingCache(tmp_path / "kept", warn=refuse) as cache:
        assert cache.contents(seen) == {"drawn:1": b"y" * 16}
        known = cache.digest(path)
        assert known == blake2b(b"first", digest_size=16).hexdigest()
        assert cache.contents(seen)[str(path)].hex() == known
        assert len(cache.get("images", "one", keys(3))) == 3


def test_info_and_clear(cache: EmbeddingCache) -> None:
    cache.put("images", "abc1", "one", vectors(5, dim=4))
    cache.put("texts", "abc1", "one", vectors(2, dim=4))
    cache.put("images", "abd2", "two", vectors(3, dim=100))
    rows = cache.info()
    assert [(r["encoder"], r["images"], r["texts"], r["bytes"]) for r in rows] == [
        ("two", 3, 0, 1200),
        ("one", 5, 2, 112),
    ]
    assert cache.size > 1312
    assert cache.clear("abd") == 3
    assert [row["encoder"] for row in cache.info()] == ["one"]
    cache.remember([("/a", (1, 1), b"x" * 16)])
    assert cache.clear() == 7
    assert cache.info() == []
    assert cache.contents({"/a": (1, 1)}) == {}
    cache.put("images", "abc1", "one", vectors(5, dim=4))
    assert len(cache.get("images", "abc1", keys(5))) == 5


def test_clearing_gives_the_space_back(cache: EmbeddingCache) -> None:
    cache.put("images", "one", "one", vectors(2000, dim=512))
    before = cache.size
    cache.clear()
    assert cache.size < before / 10


def test_five_thousand_look_ups_take_few_statements(cache: EmbeddingCache) -> None:
    many = keys(5000)
    rows = np.random.default_rng(0).standard_normal((5000, 8)).astype(np.float32)
    files = [(f"/images/{i:05}.jpg", (i, i), key) for i, key in enumerate(many)]
    cache.put("images", "one", "one", dict(zip(many, rows, strict=True)), files)
    signatures = {uri: signature for uri, signature, _ in files}
    statements: list[str] = []
    cache._connection.set_trace_callback(statements.append)
    found = cache.get("images", "one", list(cache.contents(signatures).values()))
    cache._connection.set_trace_callback(None)
    assert len(found) == 5000
    assert len(statements) == 5000 / KEYS + 1 + 5000 / KEYS  # files, the encoder, embeddings


def test_the_look_ups_are_by_index(cache: EmbeddingCache) -> None:
    """No statement of a run reads a table from end to end."""
    cache.put("images", "one", "one", vectors(3))
    asked: list[str] = []
    cache._connection.set_trace_callback(asked.append)
    cache.get("images", "two", keys(2))
    cache.get("images", "one", keys(2))
    cache.contents({"/a": (1, 1)})
    cache.fact("a")
    cache._connection.set_trace_callback(None)
    assert len(asked) == 5
    for statement in asked:
        plan = cache._connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        assert all(step.startswith("SEARCH") for *_, step in plan), plan


def test_threads_share_a_cache(cache: EmbeddingCache) -> None:
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for start in range(0, 200, 10):
                part = dict.fromkeys(keys(10, number * 1000 + start), np.ones(4, np.float32))
                cache.put("images", "one", "one", part)
                assert len(cache.get("images", "one", list(part))) == 10
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert cache.info()[0]["images"] == 800


def test_a_failed_write_leaves_nothing_half_done(cache: EmbeddingCache) -> None:
    class StopError(Exception):
        pass

    def rows():
        yield ("/a", (1, 1), b"x" * 16)
        raise StopError

    with pytest.raises(StopError):
        cache.put("images", "one", "one", vectors(3), rows())
    assert cache.get("images", "one", keys(3)) == {}
    assert cache.contents({"/a": (1, 1)}) == {}
    cache.put("images", "one", "one", vectors(3))
    assert len(cache.get("images", "one", keys(3))) == 3


@pytest.mark.parametrize("content", [b"This is a text file, not a database.\n" * 30, b"\0" * 5000])
def test_a_damaged_file_is_reported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreError, match="clipfg cache clear"):
        EmbeddingCache(tmp_path)
    assert remove_cache(tmp_path) == len(content)
    with EmbeddingCache(tmp_path, warn=refuse) as cache:
        assert cache.info() == []


def test_damage_found_during_a_run_disables_the_cache_alone(tmp_path: Path) -> None:
    with EmbeddingCache(tmp_path) as cache:
        cache.put("images", "one", "one", vectors(3000, dim=64))
    file = tmp_path / FILE
    whole = file.read_bytes()
    file.write_bytes(whole[: 16384 * 2] + b"\xa5" * (len(whole) - 16384 * 2))
    said: list[str] = []
    with EmbeddingCache(tmp_path, warn=said.append) as cache:
        assert cache.get("images", "one", keys(3000)) == {}
        cache.put("images", "one", "one", vectors(3))
        assert cache.contents({"/a": (1, 1)}) == {}
    assert len(said) == 1
    assert "damaged" in said[0]


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StoreError, match="another program"):
        EmbeddingCache(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_newer_cache_is_left_alone(tmp_path: Path) -> None:
    EmbeddingCache(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as newer:
        newer.execute(f"PRAGMA user_version={VERSION + 1}")
    newer.close()
    with pytest.raises(StoreError, match="update clipfg"):
        EmbeddingCache(tmp_path)


def test_an_empty_file_becomes_a_cache(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    with EmbeddingCache(tmp_path, warn=refuse) as cache:
        cache.put_fact("a", "b")
        assert cache.fact("a") == "b"


@pytest.mark.parametrize("place", ["/proc/absent", "a file/folder"])
def test_a_folder_that_cannot_be_made_costs_a_warning(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").touch()
    said: list[str] = []
    with EmbeddingCache(tmp_path / place, warn=said.append) as cache:
        cache.put("images", "one", "one", vectors(3))
        assert cache.get("images", "one", keys(3)) == {}
        assert (cache.info(), cache.clear(), cache.size) == ([], 0, 0)
        cache.put_fact("a", "b")
        assert cache.fact("a") is None
    assert len(said) == 1
    assert "embeddings are not cached" in said[0]


def test_a_read_only_cache_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddingCache(tmp_path) as cache:
        cache.put("images", "one", "one", vectors(3))
    connect = sqlite3.connect

    def read_only(target: str, **options: object) -> sqlite3.Connection:
        # What SQLite does in a folder that may not be written; root may write everywhere.
        if "immutable" not in target:
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error
        return connect(target, **options)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    said: list[str] = []
    with EmbeddingCache(tmp_path, warn=said.append) as cache:
        assert len(cache.get("images", "one", keys(3))) == 3
        cache.put("images", "one", "one", vectors(9))
        assert len(cache.get("images", "one", keys(9))) == 3
    assert len(said) == 1
    assert "read-only" in said[0]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write into read-only folders")
def test_a_truly_read_only_folder(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    with EmbeddingCache(folder) as cache:
        cache.put("images", "one", "one", vectors(3))
    folder.chmod(0o500)
    (folder / FILE).chmod(0o400)
    try:
        with EmbeddingCache(folder, warn=lambda _: None) as cache:
            assert len(cache.get("images", "one", keys(3))) == 3
    finally:
        folder.chmod(0o700)


def test_a_lock_that_is_never_released_costs_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipfg.embedding.database.PATIENCE", 0.1)
    said: list[str] = []
    with EmbeddingCache(tmp_path, warn=said.append) as cache:
        other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        cache.put("images", "one", "one", vectors(3))
        cache.put("images", "one", "one", vectors(3))
        other.close()
    assert len(said) == 1
    assert "locked" in said[0]


@pytest.mark.parametrize(("journal", "lock"), [("WAL", "IMMEDIATE"), ("DELETE", "EXCLUSIVE")])
def test_a_lock_that_was_released_costs_what_came_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: str, lock: str
) -> None:
    monkeypatch.setattr("clipfg.embedding.database.PATIENCE", 0.1)
    monkeypatch.setattr("clipfg.embedding.sqlite_file.LESS_PATIENCE_MS", 1)
    said: list[str] = []
    with EmbeddingCache(tmp_path, warn=said.append) as cache:
        list(cache.select(f"PRAGMA journal_mode={journal}"))
        other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        for number in range(2):
            other.execute(f"BEGIN {lock}")
            assert cache.get("images", "one", keys(3)) == {}
            cache.put("images", "one", "one", vectors(3))
            other.execute("ROLLBACK")
            assert cache.get("images", "one", keys(3)) == {}
            cache.put("texts", "one", "one", vectors(3 + number))
            assert len(cache.get("texts", "one", keys(9))) == 3 + number
        other.close()
    assert len(said) == 1


def test_several_runs_may_create_it_at_once(tmp_path: Path) -> None:
    problems: list[BaseException] = []
    gate = threading.Barrier(6)

    def work(number: int) -> None:
        try:
            gate.wait()
            with EmbeddingCache(tmp_path, warn=refuse) as cache:
                cache.put("images", "one", "one", {bytes([number]) * 16: np.ones(4, np.float32)})
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    with EmbeddingCache(tmp_path, warn=refuse) as cache:
        assert cache.info()[0]["images"] == 6


def test_a_copy_of_the_file_is_a_cache(cache: EmbeddingCache, tmp_path: Path) -> None:
    """One file is all there is: the log beside it is empty once the cache is closed."""
    cache.put("images", "one", "one", vectors(3))
    file = cache.path
    cache.close()
    (tmp_path / "copy").mkdir()
    shutil.copy(file, tmp_path / "copy" / FILE)
    with EmbeddingCache(tmp_path / "copy", warn=refuse) as copy:
        assert len(copy.get("images", "one", keys(3))) == 3
    assert "CREATE TABLE" in SCHEMA


def alter(cache: EmbeddingCache, kind: str, change: str, count: int) -> None:
    """Change the bytes of the first rows behind the cache's back."""
    with sqlite3.connect(cache.path) as connection:
        connection.execute(
            f"UPDATE {kind} SET vector = {change} WHERE rowid IN"
            f" (SELECT rowid FROM {kind} ORDER BY rowid LIMIT {count})"
        )
    connection.close()


@pytest.mark.parametrize("kind", ["images", "texts", "patches", "regions"])
@pytest.mark.parametrize(
    "change",
    [
        "zeroblob(length(vector))",
        "substr(vector, 1, 20)",
        "CAST(x'7f' || substr(vector, 2) AS BLOB)",
    ],
)
def test_what_changed_on_disk_is_forgotten_and_kept_anew(
    tmp_path: Path, kind: str, change: str
) -> None:
    kept = vectors(8)
    said: list[str] = []
    with EmbeddingCache(tmp_path, warn=said.append) as cache:
        cache.put(kind, "one", "model", kept)
        alter(cache, kind, change, 3)
        assert set(cache.get(kind, "one", list(kept))) == set(keys(5, start=3))
        assert len(said) == 1
        assert "got 3 that changed since; what is damaged is embedded again" in said[0]
        cache.put(kind, "one", "model", kept)
        found = cache.get(kind, "one", list(kept))
        assert all(np.array_equal(found[key], kept[key]) for key in kept)
        assert len(said) == 1


def test_vectors_that_changed_places_are_forgotten(tmp_path: Path) -> None:
    with EmbeddingCache(tmp_path, warn=lambda _: None) as cache:
        cache.put("images", "one", "model", vectors(3))
        with sqlite3.connect(cache.path) as connection:
            first, second = connection.execute("SELECT vector FROM images LIMIT 2").fetchall()
            for blob, key in ((first[0], keys(3)[1]), (second[0], keys(3)[0])):
                connection.execute("UPDATE images SET vector = ? WHERE content = ?", (blob, key))
        connection.close()
        assert set(cache.get("images", "one", keys(3))) == set(keys(1, start=2))


def test_a_cache_of_before_checksums_goes_on(tmp_path: Path) -> None:
    with EmbeddingCache(tmp_path, warn=refuse) as cache:
        cache.put("images", "one", "model", vectors(4))
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("ALTER TABLE images DROP COLUMN checksum")
    connection.close()
    said: list[str] = []
    with EmbeddingCache(tmp_path, warn=said.append) as cache:
        assert len(cache.get("images", "one", keys(4))) == 4
        more = dict(zip(keys(2, start=4), np.ones((2, 8), np.float32), strict=True))
        cache.put("images", "one", "model", more)
        assert len(cache.get("images", "one", keys(6))) == 6
        assert not said
        alter(cache, "images", "zeroblob(32)", 1)  # no checksum, but no embedding either
        assert set(cache.get("images", "one", keys(6))) == set(keys(5, start=1))
        alter(cache, "images", "CAST(x'7f' || substr(vector, 2) AS BLOB)", 5)
        assert set(cache.get("images", "one", keys(6))) == set(keys(3, start=1))
    assert len(said) == 1


def test_a_cache_read_afresh_keeps_in_place_and_finds_its_own(cache: EmbeddingCache) -> None:
    first, second = vectors(3), {key: row + 1 for key, row in vectors(3).items()}
    cache.put("images", "one", "model", first, [("/a.jpg", (1, 1), keys(1)[0])])
    fresh = cache.afresh()
    assert fresh.get("images", "one", keys(3)) == {}
    assert fresh.contents({"/a.jpg": (1, 1)}) == {}
    fresh.put("images", "one", "model", dict(list(second.items())[:2]))
    assert set(fresh.get("images", "one", keys(3))) == set(keys(2))
    found = cache.get("images", "one", keys(3))
    assert all(np.array_equal(found[key], second[key]) for key in keys(2))
    assert np.array_equal(found[keys(3)[2]], first[keys(3)[2]])
