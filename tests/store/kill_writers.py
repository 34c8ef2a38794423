"""Kills writers of a store with SIGKILL at random moments, and checks what they leave.

Usage: python -m tests.store.kill_writers [--kills 100] [--seed 0]

What is imported or compiled is so once: each writer is a fork of this process. An operation takes a
folder; what it does to the store must depend on nothing but what the store holds. To have another
one tried, add it to `OPERATIONS`.
"""

import argparse
import os
import random
import shutil
import signal
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import faiss
import torch

from clipfg.options import CoresetOptions
from clipfg.store import KeyStore, has_store, merge, verify, writing
from clipfg.workflows.coreset.run import run_coreset
from tests.store.stores import CLASSES, clustered, make, same, table
from tests.workflows.jobs import job

Operation = Callable[[Path], None]
START, SOURCE, FINISHED = "start", "source", "finished"
"""Folders: the store that most operations start from, the source of coresets, and the result of an
operation that is not killed."""


def build(path: Path) -> None:
    """Replace the store, or build the first one, with an index."""
    make(2000, 64, seed=1, factory="IVF8,Flat").save(path)


def add(path: Path) -> None:
    """As `clipfg index add`: load, merge and commit under the lock."""
    with writing(path) as writer:
        store = KeyStore.load(path)
        start = 10_000 + len(store)
        merge(store, table(100, start=start), clustered(100, store.dim, start), CLASSES)
        store.commit(writer)


def remove(path: Path) -> None:
    """Remove a tenth of the store."""
    with writing(path) as writer:
        store = KeyStore.load(path)
        store.remove(store.ids[::10])
        store.commit(writer)


def coreset(path: Path) -> None:
    """As `clipfg coreset`: replace the store by a few keys of another."""
    source, cache = path.with_name(SOURCE), path.with_name("cache")
    options = {"store": source, "output": path, "cache_dir": cache}
    job(run_coreset, CoresetOptions, **options, strategy="keco-online", per_class=200)


OPERATIONS: dict[str, Operation] = {
    "build": build,
    "add": add,
    "remove": remove,
    "coreset": coreset,
}


def run(kills: int, seed: int, folder: Path) -> Counter[tuple[str, str]]:
    """How often each operation left the old state, and how often the new one.

    Raises `AssertionError` when a store is neither, or has a fault, or cannot be written again.
    """
    chance = random.Random(seed)
    outcomes: Counter[tuple[str, str]] = Counter()
    names = list(OPERATIONS)
    faiss.omp_set_num_threads(1)  # threads of OpenMP do not outlive a fork
    torch.set_num_threads(1)
    make(1500, 64, seed=2).save(folder / START)
    make(1500, 64, seed=3).save(folder / SOURCE)
    ends: dict[tuple[str, bool], tuple[float, KeyStore]] = {}
    for kill in range(kills):
        name, path = names[kill % len(names)], folder / f"store{kill}"
        first = name == "build" and chance.random() < 0.5
        if not first:
            shutil.copytree(folder / START, path)
        old = KeyStore.load(path) if has_store(path) else None
        if (name, first) not in ends:
            ends[name, first] = finished(OPERATIONS[name], path, folder / FINISHED)
        seconds, new = ends[name, first]
        killed(OPERATIONS[name], path, chance.uniform(0, 1.2 * seconds))
        outcomes[name, looked_at(path, old, new)] += 1
        OPERATIONS[name](path)  # what a dead writer leaves does not block the next
        assert verify(path) == []
        files = [x for x in path.iterdir() if x.suffix in (".npy", ".arrow", ".faiss")]
        assert len(files) == 2 + (name == "build")
    return outcomes


def looked_at(path: Path, old: KeyStore | None, new: KeyStore) -> str:
    """Which of the two states a store is in; it must have no fault."""
    if old is None and not has_store(path):
        return "old"
    faults = verify(path)
    assert faults == [], faults
    store = KeyStore.load(path)
    if same(store, new):
        return "new"
    assert old is not None
    assert same(store, old)
    return "old"


def finished(operation: Operation, path: Path, copy: Path) -> tuple[float, KeyStore]:
    """How long an operation takes that is not killed, and its result."""
    times = []
    for turn in range(4):
        shutil.rmtree(copy, ignore_errors=True)
        if has_store(path):
            shutil.copytree(path, copy)
        if turn == 0:  # imports and compiled code are inherited by the writers
            operation(copy)
            continue
        child, says = begun(operation, copy)
        started = time.perf_counter()
        os.read(says, 1)  # when it is done: the end of a large process takes longer than its work
        times.append(time.perf_counter() - started)
        os.close(says)
        assert os.waitpid(child, 0)[1] == 0
    return statistics.median(times), KeyStore.load(copy)


def killed(operation: Operation, path: Path, delay: float) -> None:
    """A process that does `operation`, killed after `delay` seconds unless it is done by then."""
    child, says = begun(operation, path)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(says)


def begun(operation: Operation, path: Path) -> tuple[int, int]:
    """A process that has just started `operation`, and a pipe that it writes to when it is done."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.write(writer, b"x")
            operation(path)
            os.write(writer, b"x")
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    os.read(reader, 1)
    return child, reader


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run(given.kills, given.seed, Path(folder))
    for name in OPERATIONS:
        counts = {state: outcomes[name, state] for state in ("old", "new")}
        print(f"{name}: killed {sum(counts.values())} times, left {counts}")
    print(f"{sum(outcomes.values())} kills: each store opened in the old or the new state")


if __name__ == "__main__":
    main()
