"""KeCO's updates against the plain loop over samples, and how their cost grows.

    python -m benchmarks.keco

Random unit-norm features, 512 wide, 5 keys for each of 200 classes, as many samples of each (4,000:
the 5 + 20 of the method's CUB). The loop is what the method's
reference code does: the class's keys are stacked, `cosine_similarity` finds the target, the key is
moved; offline the samples of a batch are gathered by key first. The update's result is checked
against the loop's on the same input in float64, where no rounding decides between two keys.

The floor is the arithmetic alone: each sample is multiplied with the keys of its class, moves one
of them and that key's norm is taken anew, as fast as a large matrix product is computed here.

The loops are compiled when they are first called, and kept on disk; what that takes is timed in
processes of their own.

Seconds of processor time: against the loop the median of as many rounds of each, in turns; else the
best of three.
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


def against_the_loop(n: int) -> None:
    print(f"\n{n:,} samples against the loop\n")
    print("| update | loop s | clipfg s | times faster | largest difference |")
    print("|---|---|---|---|---|")
    for name, loop, update in (
        ("online", loop_online, update_online),
        (f"offline, {EPOCHS} epochs", loop_offline, offline),
    ):
        exact = draw(n, torch.float64)
        difference = float((loop(*exact) - update(*exact)).abs().max())
        samples = draw(n)
        pairs = [[seconds(each, samples, 1) for each in (loop, update)] for _ in range(ROUNDS)]
        slow, quick = (statistics.median(times) for times in zip(*pairs, strict=True))
        print(f"| {name} | {slow:.3f} | {quick:.4f} | {slow / quick:.0f} | {difference:.1e} |")
    print(f"\nThe floor of a pass: {floor(n):.4f} s")


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
    against_the_loop(given.samples)
    sizes = [n for n in (1000, 3000, 10_000, 30_000, 100_000) if n <= given.most]
    for classes in (CLASSES, 2):
        growth(sizes, classes)
    print()
    first_calls()


if __name__ == "__main__":
    main()
