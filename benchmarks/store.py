"""What the key store costs beside raw FAISS, and how far both are from what the machine allows.

    python -m benchmarks.store                              10k, 100k and 1M keys, 512 wide
    python -m benchmarks.store --sizes 10000 --rounds 21    one size, more turns
    python -m benchmarks.store --factories --sizes 100000   recall and speed of other indexes

Keys are synthetic: a centre for every 50 of them and as much noise around it, the variance of both
falling off as 1/i over the dimensions and turned at random, as that of an encoder's features does.
Clusters overlap, so an index has to look into more than one. Uniform noise would make every index
look bad, well-kept clusters every index good; none of it is a claim on a real encoder's features.
Queries are drawn in the same way and are not in the store. The store and raw FAISS search the same
mapped keys in turns. What the store adds is the median of the differences within a turn, which a
busy machine moves less than the difference of two medians; the least times of both stand beside it.
What it adds is timed by itself too, in a cache that no search has swept: it does not depend on the
number of keys. With one core (OMP_NUM_THREADS=1), nobody waits for a core that others hold.
1M keys are 2 GB on disk, and as much in memory.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import faiss
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from clipfg.store import Hits, KeyStore  # noqa: E402
from clipfg.store.searching import SPARE, settle  # noqa: E402

WIDTH = 512
K = 10
BATCH = 1000
FACTORIES = ["Flat", "IVF{lists},Flat", "IVF{lists},SQ8", "IVF{lists},PQ64", "HNSW32", "OPQ64,PQ64"]

Matrix = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--factories", nargs="*", metavar="FAISS", help="recall and speed of these")
    chosen = parser.parse_args()
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    print(f"{cores} cores, FAISS {faiss.__version__}, load before {load:.1f}")
    floor = measure_floor()
    print(
        f"the machine: {floor.flops / 1e9:,.0f} GFLOP/s (sgemm), {floor.read / 1e9:.1f} GB/s read"
        f" by all cores\n"
    )
    for size in chosen.sizes:
        # A process for each: what it needs at its peak is that size's alone.
        child = os.fork()
        if child == 0:
            with TemporaryDirectory() as folder:
                if chosen.factories is not None:
                    compare_factories(Path(folder), size, chosen)
                else:
                    compare(Path(folder), size, chosen, floor)
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            sys.exit(1)


@dataclass(frozen=True)
class Floor:
    """What this machine does at best: operations and bytes a second."""

    flops: float
    read: float


def measure_floor() -> Floor:
    """The best of some runs of a matrix product, and of reading memory from all cores.

    In a process of its own: OpenMP's threads do not outlive a fork.
    """
    import subprocess

    code = (
        "import time, numpy as np, torch\n"
        "def best(work, runs=7):\n"
        "    times = []\n"
        "    for _ in range(runs):\n"
        "        start = time.perf_counter(); work(); times.append(time.perf_counter() - start)\n"
        "    return min(times)\n"
        "a = torch.randn(2048, 2048); print(2 * 2048**3 / best(lambda: a @ a))\n"
        "import faiss\n"
        "b, out = np.ones((2**18, 512), np.float32), np.empty(2**18, np.float32)\n"
        "ends = faiss.swig_ptr(out), faiss.swig_ptr(b)\n"
        "print(b.nbytes / best(lambda: faiss.fvec_norms_L2sqr(*ends, *b.shape[::-1])))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    flops, read = map(float, done.stdout.split())
    return Floor(flops, read)


def make_data(n: int, queries: int) -> tuple[Matrix, Matrix]:
    """Keys `[n, d]` and queries, unit rows around the same centres."""
    rng = np.random.default_rng(0)
    spread = np.sqrt(1 / np.arange(1, WIDTH + 1, dtype=np.float32))
    turn = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0].astype(np.float32)
    centres = rng.standard_normal((max(100, n // 50), WIDTH), dtype=np.float32)
    rows = np.empty((n + queries, WIDTH), dtype=np.float32)
    for start in range(0, len(rows), 50_000):
        part = rows[start : start + 50_000]
        rng.standard_normal(dtype=np.float32, out=part)
        part += centres[rng.integers(0, len(centres), len(part))]
        part[:] = (part * spread) @ turn
        faiss.normalize_L2(part)
    return rows[:n], rows[n:].copy()


def make_items(n: int) -> pa.Table:
    ids = pa.array([f"{i:08}.jpg" for i in range(n)])
    return pa.table({"id": ids, "uri": ids})


def compare(folder: Path, size: int, chosen: argparse.Namespace, floor: Floor) -> None:
    """The store against raw FAISS on the same keys."""
    keys, queries = make_data(size, chosen.batch)
    items = make_items(size)
    memory = Memory()
    started = time.perf_counter()
    KeyStore.of(items, keys).save(folder / "store")
    built = time.perf_counter() - started
    megabytes = keys.nbytes / 2**20
    print(f"{size:,} keys x {WIDTH}: {megabytes:,.0f} MiB")
    print(
        f"  build and save    {built:8.2f} s, {keys.nbytes / built / 1e9:.2f} GB/s;"
        f" memory beyond the keys {memory.peak():,.0f} MiB"
    )
    del keys
    loads = [clock(lambda: KeyStore.load(folder / "store")) for _ in range(chosen.rounds)]
    store = KeyStore.load(folder / "store")
    print(f"  load              {1e3 * statistics.median(loads):8.2f} ms")
    store.keys.sum()  # into memory, for both
    memory = Memory()
    for block in (queries, queries[:64], queries[:1]):
        rounds = chosen.rounds if len(block) > 1 else 5 * chosen.rounds
        turns = take_turns(
            rounds,
            lambda block=block: faiss.knn(block, store.keys, K, metric=faiss.METRIC_INNER_PRODUCT),
            lambda block=block: store.search(block, K),
        )
        least = max(2 * len(block) * size * WIDTH / floor.flops, store.keys.nbytes / floor.read)
        what = "1 query" if len(block) == 1 else f"{len(block):,} queries"
        print(
            f"  {what:17} {1e3 * turns.raw:8.2f} ms raw FAISS, {1e3 * turns.ours:8.2f} ms the store"
            f" ({turns.added / turns.raw:+.1%}, {1e3 * turns.added:+.2f} ms; at least"
            f" {1e3 * turns.least_raw:.2f} and {1e3 * turns.least_ours:.2f}); the machine's floor"
            f" {1e3 * least:.2f} ms, the store {turns.ours / least:.1f} x that"
        )
        found = store.search(block, K + SPARE).positions
        parts = {
            "checks and unit norm": lambda block=block: store._checked(block),
            "rescoring and ties": lambda block=block, found=found: settle(
                block, store.keys, found, K, store._names
            ),
        }
        alone = ", ".join(
            f"{name} {1e3 * statistics.median(clock(work) for _ in range(rounds)):.3f} ms"
            for name, work in parts.items()
        )
        print(f"  {'':17} by themselves: {alone}")
    print(f"  memory beyond the mapped keys while searching {memory.peak():,.0f} MiB\n")


def compare_factories(folder: Path, size: int, chosen: argparse.Namespace) -> None:
    """Recall, speed and size of indexes, all through the store."""
    keys, queries = make_data(size, chosen.batch)
    items = make_items(size)
    exact = KeyStore.of(items, keys).search(queries, K)
    lists = 2 ** round(np.log2(4 * np.sqrt(size)))
    print(f"{size:,} keys x {WIDTH}, {len(queries):,} queries that are not in the store")
    print(
        f"  {'factory':20} {'build s':>8} {'recall@10':>10} {'at build':>9} {'effort':>12}"
        f" {'ms/query':>9} {'ms alone':>9} {'index MiB':>10}"
    )
    for number, template in enumerate(chosen.factories or FACTORIES):
        store = KeyStore.of(items, keys, factory=template.format(lists=lists))
        measure_index(store, folder / str(number), queries, exact)
    print()


def measure_index(store: KeyStore, path: Path, queries: Matrix, exact: Hits) -> None:
    """Build one index, and print its row of the table."""
    built = clock(lambda: store.save(path))
    recall = float((store.search(queries, K).scores >= exact.scores[:, -1:]).mean())
    batch = statistics.median(clock(lambda: store.search(queries, K)) for _ in range(3))
    alone = statistics.median(clock(lambda: store.search(queries[:1], K)) for _ in range(21))
    size = sum(file.stat().st_size for file in path.glob("index-*"))
    index = store.index
    at_build = "" if index.recall is None else f"{index.recall:.3f}"
    print(
        f"  {index.factory:20} {built:8.1f} {recall:10.3f} {at_build:>9} {index.effort:>12}"
        f" {1e3 * batch / len(queries):9.3f} {1e3 * alone:9.2f} {size / 2**20:10,.0f}",
        flush=True,
    )


@dataclass(frozen=True)
class Turns:
    """Seconds of raw FAISS and of the store: medians, what the store adds in a turn, the least."""

    raw: float
    ours: float
    added: float
    least_raw: float
    least_ours: float


def take_turns(rounds: int, first: Callable[[], object], second: Callable[[], object]) -> Turns:
    """Two pieces of work in turns, one after the other and then the other way round."""
    first(), second()
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            times[which].append(clock((first, second)[which]))
    added = statistics.median(ours - raw for raw, ours in zip(*times, strict=True))
    return Turns(*map(statistics.median, times), added, *map(min, times))


def clock(work: Callable[[], object]) -> float:
    """Seconds that some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


class Memory:
    """MiB that this process takes on, at its peak, beyond what it held when this was made."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        self.before = self._read("VmRSS")

    def peak(self) -> float:
        """At its most since then."""
        return self._read("VmHWM") - self.before

    def _read(self, name: str) -> float:
        return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
