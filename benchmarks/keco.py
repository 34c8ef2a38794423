"""KeCO's updates against a plain loop over samples and against NumPy, and how their cost grows.

    python -m benchmarks.keco

Random unit-norm features, 512 wide, 5 keys for each of 200 classes (and of 2), and equally many
samples of each class (4,000: the 5 + 20 of the method's CUB). The loop is what the method's
reference code does: the class's keys are stacked, `cosine_similarity` finds the target, the key is
moved; offline the samples of a batch are gathered by key first. NumPy is what the package could do
without compiling: online the same loop on arrays of each class, with norms kept; offline a product
of the samples and keys of each class in a batch, in which the keys stand still. The results are
checked against the loop's on the same input in float64, where no rounding decides between two keys.

The floor is the arithmetic alone: each sample is multiplied with the keys of its class, moves one
of them and that key's norm is taken anew, as fast as a large matrix product is computed here.

The loops are compiled when they are first called, and kept on disk; what that takes is timed in
processes of their own.

Seconds of processor time: in comparisons the median of equally many rounds of each, in turns; else
the best of three.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from clipfg.coresets.keco_offline import update_offline
from clipfg.coresets.keco_online import update_online

WIDTH, CLASSES, PER_CLASS, RATE = 512, 200, 5, 0.2
EPOCHS, BATCH = 10, 1000
ROUNDS = 7
Samples = tuple[Tensor, Tensor, Tensor, Tensor]


def draw(n: int, dtype: torch.dtype = torch.float32, classes: int = CLASSES) -> Samples:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(classes, WIDTH, generator=generator)

    def rows(labels: Tensor) -> Tensor:
        noise = torch.randn(len(labels), WIDTH, generator=generator)
        return normalize(centres[labels] + noise, dim=1).to(dtype)

    key_labels = torch.arange(classes).repeat_interleave(PER_CLASS)
    labels = torch.arange(n) % classes
    labels = labels[torch.randperm(n, generator=generator)]
    return rows(key_labels), key_labels, rows(labels), labels


def by_class(key_labels: Tensor) -> dict[int, list[int]]:
    own = defaultdict(list)
    for position, label in enumerate(key_labels.tolist()):
        own[label].append(position)
    return own


def loop_online(keys: Tensor, key_labels: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    moved, own = list(keys.unbind()), by_class(key_labels)
    for x, label in zip(features, labels.tolist(), strict=True):
        stacked = torch.stack([moved[j] for j in own[label]])
        least = int(cosine_similarity(stacked, x[None], dim=-1).argmin())
        target = own[label][least]
        moved[target] = (1 - RATE) * moved[target] + RATE * x
    return torch.stack(moved)


def loop_offline(keys: Tensor, key_labels: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    moved, own = list(keys.unbind()), by_class(key_labels)
    samples, owners = list(features.unbind()), labels.tolist()
    generator = torch.Generator().manual_seed(1)
    for _ in range(EPOCHS):
        order = torch.randperm(len(features), generator=generator)
        for batch in order.split(BATCH):
            aims = defaultdict(list)
            for i in batch.tolist():
                stacked = torch.stack([moved[j] for j in own[owners[i]]])
                least = int(cosine_similarity(stacked, samples[i][None], dim=-1).argmin())
                aims[own[owners[i]][least]].append(samples[i])
            for target, aimed in aims.items():
                gradient = torch.zeros_like(moved[target])
                for x in aimed:
                    gradient += moved[target] - x
                moved[target] = moved[target] - RATE * gradient / len(aimed)
    return torch.stack(moved)


def numpy_online(keys: Tensor, key_labels: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    moved = keys.numpy().copy()
    own = {label: np.array(rows) for label, rows in by_class(key_labels).items()}
    groups = {label: moved[rows] for label, rows in own.items()}
    norms = {label: np.linalg.norm(group, axis=1) for label, group in groups.items()}
    for x, label in zip(features.numpy(), labels.tolist(), strict=True):
        group, lengths = groups[label], norms[label]
        j = (group @ x / lengths).argmin()
        group[j] = (1 - RATE) * group[j] + RATE * x
        lengths[j] = np.sqrt(group[j] @ group[j])
    for label, rows in own.items():
        moved[rows] = groups[label]
    return torch.from_numpy(moved)


def numpy_offline(keys: Tensor, key_labels: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    sort = key_labels.argsort(stable=True).numpy()
    moved, x = keys.numpy()[sort], features.numpy()
    classes, first = np.unique(key_labels.numpy()[sort], return_index=True)
    first = np.append(first, len(moved))
    owners = classes.searchsorted(labels.numpy())
    generator = torch.Generator().manual_seed(1)
    for _ in range(EPOCHS):
        order = torch.randperm(len(features), generator=generator).numpy()
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            rows = rows[owners[rows].argsort(kind="stable")]
            owner, batch = owners[rows], x[rows]
            units = moved / np.linalg.norm(moved, axis=1, keepdims=True)
            cuts = [0, *(np.flatnonzero(np.diff(owner)) + 1).tolist(), len(rows)]
            aims = np.empty(len(rows), np.int64)
            for begin, end in pairwise(cuts):
                low, high = first[owner[begin]], first[owner[begin] + 1]
                aims[begin:end] = low + (batch[begin:end] @ units[low:high].T).argmin(axis=1)
            places = aims.argsort(kind="stable")
            targets, begins, counts = np.unique(aims[places], return_index=True, return_counts=True)
            means = np.add.reduceat(batch[places], begins) / counts[:, None]
            moved[targets] += RATE * (means - moved[targets])
    found = torch.empty_like(keys)
    found[sort] = torch.from_numpy(moved)
    return found


def offline(*samples: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return update_offline(*samples, epochs=EPOCHS, batch_size=BATCH, generator=generator)


def floor(n: int) -> float:
    """Seconds for the multiplications of `n` samples at the rate of a large product."""
    side = 2000
    square = torch.ones(side, side)
    rate = side**3 / seconds(torch.mm, (square, square), 5)
    return n * (PER_CLASS + 2) * WIDTH / rate


def seconds(update: Callable[..., Tensor], samples: tuple[Tensor, ...], runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.process_time()
        update(*samples)
        times.append(time.process_time() - start)
    return min(times)


def compare(n: int, classes: int) -> None:
    print(f"\n{n:,} samples of {classes} classes: seconds, and how many times those of clipfg\n")
    print("| update | clipfg | NumPy | | loop | | largest difference |")
    print("|---|---|---|---|---|---|---|")
    for name, *updates in (
        ("online", update_online, numpy_online, loop_online),
        (f"offline, {EPOCHS} epochs", offline, numpy_offline, loop_offline),
    ):
        exact = draw(n, torch.float64, classes)
        own, *others = (update(*exact) for update in updates)
        difference = max(float((own - other).abs().max()) for other in others)
        samples = draw(n, classes=classes)
        rounds = [[seconds(update, samples, 1) for update in updates] for _ in range(ROUNDS)]
        quick, array, loop = (statistics.median(times) for times in zip(*rounds, strict=True))
        print(
            f"| {name} | {quick:.4f} | {array:.3f} | {array / quick:.0f} | {loop:.3f}"
            f" | {loop / quick:.0f} | {difference:.1e} |",
            flush=True,
        )


def growth(sizes: list[int], classes: int) -> None:
    print(f"\nCost as samples of {classes} classes grow, and microseconds a sample and pass\n")
    print("| samples | online s | µs | offline s | µs |\n|---|---|---|---|---|")
    for n in sizes:
        samples = draw(n, classes=classes)
        online_s, offline_s = (seconds(update, samples, 3) for update in (update_online, offline))
        print(
            f"| {n:,} | {online_s:.4f} | {1e6 * online_s / n:.2f}"
            f" | {offline_s:.3f} | {1e6 * offline_s / n / EPOCHS:.2f} |",
            flush=True,
        )


def first_calls() -> None:
    """The first call in a process that finds nothing compiled, and in the next one."""
    call = (
        "import time, torch\n"
        "from clipfg.coresets.keco_online import update_online\n"
        "one = torch.ones(1, 2), torch.zeros(1, dtype=torch.long)\n"
        "start = time.perf_counter()\n"
        "update_online(*one, *one)\n"
        "print(f'{time.perf_counter() - start:.2f} s')\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        for state in ("compiled", "kept"):
            done = subprocess.run(
                [sys.executable, "-c", call],
                env=os.environ | {"NUMBA_CACHE_DIR": folder},
                capture_output=True,
                text=True,
                check=True,
            )
            print(f"The first call of a process, {state}: {done.stdout.strip()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--most", type=int, default=100_000, help="where the growth ends")
    given = parser.parse_args()
    print(f"{torch.get_num_threads()} threads of torch")
    for classes in (CLASSES, 2):
        compare(given.samples, classes)
    print(f"\nThe floor of a pass: {floor(given.samples):.4f} s")
    sizes = [n for n in (1000, 3000, 10_000, 30_000, 100_000) if n <= given.most]
    for classes in (CLASSES, 2):
        growth(sizes, classes)
    print()
    first_calls()


if __name__ == "__main__":
    main()
