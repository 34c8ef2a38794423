"""The folder of a store: what is written, what is refused, and concurrent access."""

import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from clipfg.errors import StoreError
from clipfg.store import KeyStore, folder, verify, verifying, writing
from tests.store.stores import clustered, make, same, table


@pytest.fixture
def path(tmp_path) -> Path:
    make(30, factory="IVF2,Flat").save(tmp_path / "store")
    return tmp_path / "store"


def test_a_commit_leaves_what_it_names_and_nothing_else(path) -> None:
    (path / "keys-0123456789abcdef.npy").write_bytes(b"left by a killed writer")
    (path / "notes.txt").write_text("not clipfg's")
    make(20).save(path)
    state = json.loads((path / "store.json").read_text())
    own = {"store.json", "lock", "verified.json", "notes.txt"}
    assert {x.name for x in path.iterdir()} == own | {
        state[kind]["name"] for kind in ("keys", "items")
    }
    assert verify(path) == []


@pytest.mark.parametrize("kind", ["keys", "items", "index"])
@pytest.mark.parametrize("damage", ["cut", "gone", "link", "flipped"])
def test_a_damaged_file_is_reported(path, kind, damage) -> None:
    file = next(path.glob(f"{kind}-*"))
    data = file.read_bytes()
    if damage == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        middle = len(data) // 2
        file.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    else:
        file.unlink()
    if damage == "link":
        elsewhere = path.parent / "elsewhere"
        elsewhere.write_bytes(data)
        file.symlink_to(elsewhere)
    [fault] = verify(path)
    assert file.name in fault
    assert "build the store again" in fault
    with pytest.raises(StoreError, match=file.name):
        KeyStore.load(path)


def test_a_store_is_read_once_and_again_after_a_change(path, monkeypatch) -> None:
    read = []
    real = verifying.digest
    monkeypatch.setattr(verifying, "digest", lambda file: read.append(file) or real(file))
    KeyStore.load(path)
    assert not read  # whoever wrote it has read it
    (path / "verified.json").unlink()
    for _ in range(2):
        KeyStore.load(path)
        assert len(read) == 3
    KeyStore.load(path, afresh=True)
    assert len(read) == 6
    file = next(path.glob("items-*"))
    os.utime(file, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))  # changes the ctime
    KeyStore.load(path)
    assert len(read) == 9
    for content in ("", "[" * 100_000, "{}", "[1]"):
        (path / "verified.json").write_text(content)
        KeyStore.load(path)
    assert len(read) == 21


def test_a_file_that_changes_while_it_is_verified_is_read_again(path, monkeypatch) -> None:
    (path / "verified.json").unlink()
    (keys,) = path.glob("keys-*")
    real = verifying.check

    def check(*given: object) -> None:
        real(*given)
        keys.write_bytes(keys.read_bytes()[:-4] + b"\0\0\0\0")

    with monkeypatch.context() as patch:
        patch.setattr(verifying, "check", check)
        KeyStore.load(path)
    with pytest.raises(StoreError, match="content has changed"):
        KeyStore.load(path)


def test_a_store_that_cannot_be_written_is_verified_each_time(path, monkeypatch) -> None:
    (path / "verified.json").unlink()

    def refuse(*_: object) -> None:
        raise StoreError("read-only")

    monkeypatch.setattr(verifying, "finished", refuse)
    assert len(KeyStore.load(path)) == 30
    assert not (path / "verified.json").exists()


def test_items_that_would_crash_a_reader_are_refused(path) -> None:
    """Every byte of the mapped items, which a reader would follow into nothing."""
    file = next(path.glob("items-*"))
    data = file.read_bytes()
    for place in range(0, len(data), 97):
        file.write_bytes(data[:place] + bytes([data[place] ^ 0x80]) + data[place + 1 :])
        with pytest.raises(StoreError, match="build the store again"):
            KeyStore.load(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_keys_that_are_no_directions_are_refused(path, value) -> None:
    state = json.loads((path / "store.json").read_text())
    file = path / state["keys"]["name"]
    keys = np.load(file)
    keys[3] = value
    np.save(file, keys)
    state["keys"]["digest"] = folder.digest(file)
    (path / "store.json").write_text(json.dumps(state))
    with pytest.raises(StoreError, match=r"unit norm, got .* in row 3"):
        KeyStore.load(path)


def test_faults_of_the_content_are_found(path) -> None:
    def tamper(kind, write) -> None:
        """Change a file and its checksum too."""
        state = json.loads((path / "store.json").read_text())
        file = path / state[kind]["name"]
        file.unlink()
        write(file)
        state[kind] |= {"size": file.stat().st_size, "digest": folder.digest(file)}
        (path / "store.json").write_text(json.dumps(state))

    store = KeyStore.load(path)
    tamper("keys", lambda file: np.save(file, 2 * store.keys))
    assert "unit norm, got 2" in verify(path)[0]
    tamper("keys", lambda file: np.save(file, store.keys[:-1]))
    assert "(29, 16)" in verify(path)[0]
    tamper("keys", lambda file: np.save(file, store.keys.astype(np.float64)))
    assert "float64" in verify(path)[0]
    tamper("keys", lambda file: np.save(file, np.array([object()]), allow_pickle=True))
    assert "keys" in verify(path)[0]
    tamper("keys", lambda file: np.save(file, store.keys))
    assert verify(path) == []


HOSTILE = [
    ("keys", {"name": "../../etc/passwd"}, "keys.name"),
    ("keys", {"name": "/etc/passwd"}, "keys.name"),
    ("keys", {"name": "keys-0123456789abcdef.npy\n"}, "keys.name"),
    ("keys", {"name": "sub/keys-0123456789abcdef.npy"}, "keys.name"),
    ("keys", {"size": -1}, "keys.size"),
    ("keys", {"size": "10"}, "keys.size"),
    ("keys", {"digest": "x"}, "keys.digest"),
    (None, {"rows": 10**30}, None),
    (None, {"rows": 31}, None),
    (None, {"rows": -1}, "rows"),
    (None, {"rows": True}, "rows"),
    (None, {"dim": 0}, "dim"),
    (None, {"format": 2}, "format 1, got 2"),
    (None, {"metric": "l2"}, "metric cosine, got 'l2'"),
    (None, {"model": None}, "model"),
    (None, {"keys": []}, "keys"),
    (None, {"more": 1}, "more"),
    (None, {"classes": {"names": [], "parents": {}, "texts": {}}}, "class name"),
    (None, {"classes": {"names": [1], "parents": {}, "texts": {}}}, "class names"),
    (None, {"classes": {"names": ["a"], "parents": []}}, "class names"),
    (None, {"classes": {"names": ["a"], "parents": {"a": "a"}, "texts": {}}}, "cycle"),
]


@pytest.mark.parametrize(("kind", "change", "message"), HOSTILE)
def test_a_hostile_state_is_reported(path, kind, change, message) -> None:
    state = json.loads((path / "store.json").read_text())
    if kind:
        state[kind] |= change
    else:
        state |= change
    (path / "store.json").write_text(json.dumps(state))
    with pytest.raises(StoreError, match=message):
        KeyStore.load(path)
    assert len(verify(path)) >= 1


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "\0", "[" * 100_000, '{"format": 1}'])
def test_a_file_that_is_not_a_state_is_reported(path, text) -> None:
    (path / "store.json").write_text(text)
    with pytest.raises(StoreError, match=r"store\.json"):
        KeyStore.load(path)


def test_a_state_without_prompts_still_opens(path) -> None:
    state = json.loads((path / "store.json").read_text())
    del state["prompts"]
    (path / "store.json").write_text(json.dumps(state))
    assert KeyStore.load(path).prompts == ""
    assert verify(path) == []


def test_a_missing_store_and_a_folder_with_other_content(tmp_path) -> None:
    with pytest.raises(StoreError, match="clipfg index build"):
        KeyStore.load(tmp_path / "none")
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(StoreError, match="has other content"):
        make(3).save(tmp_path)
    with pytest.raises(StoreError, match="Could not write"):
        make(3).save(tmp_path / "photo.jpg")
    assert [x.name for x in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_second_writer_waits_and_then_gives_up(path, monkeypatch) -> None:
    monkeypatch.setattr(folder, "WAIT", 0.2)
    with (
        writing(path),
        pytest.raises(StoreError, match="Another run has been writing"),
    ):
        make(5).save(path)
    monkeypatch.setattr(folder, "WAIT", 30)
    done = threading.Thread(target=make(5).save, args=[path])
    with writing(path):
        done.start()
        done.join(0.3)
        assert done.is_alive()
    done.join()
    assert len(KeyStore.load(path)) == 5


def test_two_writers_keep_each_others_changes(path) -> None:
    def add(start: int) -> None:
        for number in range(5):
            with writing(path) as writer:
                store = KeyStore.load(path)
                store.add(table(2, start=start + 10 * number), clustered(2, 16, start + number))
                store.commit(writer)

    threads = [threading.Thread(target=add, args=[1000 * i]) for i in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(KeyStore.load(path)) == 30 + 2 * 5 * 2
    assert verify(path) == []


def test_readers_see_the_old_or_the_new_state_during_writes(path) -> None:
    stores = [make(30, seed=1), make(31, seed=2)]
    stores[0].save(path)
    seen: list[int] = []

    def rewrite() -> None:
        for number in range(1, 31):
            stores[number % 2].save(path)
            enough = len(seen) + 2  # the second of them began after this save
            while len(seen) < enough and reading.is_set():
                time.sleep(0.001)

    reading = threading.Event()
    reading.set()
    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        while writer.is_alive():
            store = KeyStore.load(path)
            assert same(store, stores[len(store) - 30])
            assert verify(path) == []
            seen.append(len(store))
    finally:
        reading.clear()
        writer.join()
    assert set(seen) == {30, 31}


def test_a_reader_keeps_what_it_has_opened(path) -> None:
    store = KeyStore.load(path)
    before = store.keys.copy()
    make(5).save(path)
    np.testing.assert_array_equal(store.keys, before)
    assert len(store.ids) == 30


@pytest.mark.parametrize("room", [0, 1000, 3000])
def test_a_full_disk_leaves_the_store_unchanged(path, room) -> None:
    """In a process that may write at most `room` bytes per file."""
    before = KeyStore.load(path)
    code = (
        "import resource, sys; from pathlib import Path; from tests.store.stores import make\n"
        "store = make(200, 16, factory='IVF2,Flat'); store.search(store.keys[:1], 1)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
        f"store.save(Path({str(path)!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path.cwd(), check=False
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "Could not write to" in last
    assert "is unchanged" in last
    assert same(KeyStore.load(path), before)
    assert verify(path) == []
    assert len(list(path.iterdir())) == 6  # nothing half-written stays either


def test_a_disk_that_fills_up_at_any_step(path, monkeypatch) -> None:
    before = KeyStore.load(path)
    real = os.fsync
    for last in range(8):
        steps = iter(range(100))

        def sync(handle: int, last=last, steps=steps) -> None:
            if next(steps) == last:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(handle)

        monkeypatch.setattr(os, "fsync", sync)
        if last < 5:
            with pytest.raises(StoreError, match=r"No space left on device\. .* is unchanged"):
                make(20, factory="IVF2,Flat").save(path)
            assert same(KeyStore.load(path), before)
        else:  # the new state counts already
            make(20, factory="IVF2,Flat").save(path)
            assert len(KeyStore.load(path)) == 20
        assert verify(path) == []
        assert not list(path.glob(".*"))


def test_what_an_interrupted_commit_leaves_is_removed(path, tmp_path) -> None:
    leftovers = [".store.json.0123abcd.part", "store.json.part", "keys-0123456789abcdef.npy"]
    fresh = tmp_path / "fresh"  # its first build was killed
    fresh.mkdir()
    for folder_ in (path, fresh):
        for name in leftovers:
            (folder_ / name).write_bytes(b"half")
        make(5).save(folder_)
        assert len(list(folder_.iterdir())) == 5
        assert verify(folder_) == []
