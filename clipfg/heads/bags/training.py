"""Training a net on bags, and choosing its steps on folds of them."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from clipfg.functional.folds import stratified_folds
from clipfg.heads.bags.nets import PART, BagNet, Batch
from clipfg.heads.base import FeatureSets

BAGS = 16
"""Bags of a step."""
MOST = 2048
"""Instances of a bag that an epoch takes, drawn anew each time; so memory has a bound."""
RATE = 3e-3
FOLDS = 3

Make = Callable[[int], BagNet]
"""A net for features of some width."""


def batches(
    sets: FeatureSets, labels: Int[Tensor, " n"], generator: torch.Generator, bags: int = BAGS
) -> Iterator[Batch]:
    """All bags once, in a random order, some at a time."""
    for some in torch.randperm(len(labels), generator=generator).split(bags):
        ends = zip(sets.offsets[some].tolist(), sets.offsets[some + 1].tolist(), strict=True)
        drawn = [_drawn(start, stop, generator) for start, stop in ends]
        offsets = torch.tensor([0, *map(len, drawn)]).cumsum(0)
        yield Batch(sets.rows.index_select(0, torch.cat(drawn)), offsets, labels[some])


def _drawn(start: int, stop: int, generator: torch.Generator) -> Int[Tensor, " r"]:
    """The places of a bag's rows, or of `MOST` of them, in order."""
    size = stop - start
    if size <= MOST:
        return torch.arange(start, stop)
    return start + torch.randperm(size, generator=generator)[:MOST].sort().values


def measure(rows: Float[Tensor, "r d"]) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """The mean and the standard deviation of each column; 1 for one that does not vary."""
    shift = rows[0].double()
    total, squares = torch.zeros_like(shift), torch.zeros_like(shift)
    for part in rows.split(PART):
        moved = part.double() - shift
        total += moved.sum(dim=0)
        squares += moved.square().sum(dim=0)
    mean = total / len(rows)
    deviation = (squares / len(rows) - mean.square()).clamp_min(0).sqrt().float()
    constant = deviation <= 1e-6 * deviation.amax()
    return (mean + shift).float(), deviation.masked_fill(constant, 1.0)


def training(
    make: Make,
    sets: FeatureSets,
    labels: Int[Tensor, " n"],
    penalty: float,
    steps: Sequence[int],
    seed: int,
) -> Iterator[BagNet]:
    """Train a net, which is given after each number of `steps`. The seed settles all."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = make(sets.rows.shape[1])
    net.mean, net.deviation = measure(sets.rows)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=penalty, fused=True)
    generator = torch.Generator().manual_seed(seed)
    endless = (batch for _ in count() for batch in batches(sets, labels, generator))
    for done, batch in enumerate(islice(endless, max(steps)), 1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed * 1_000_003 + done)  # of dropout
            optimizer.zero_grad()
            net.train().loss(batch).backward()
        optimizer.step()
        if done in steps:
            yield net.eval()


def finish(net: BagNet, sets: FeatureSets, labels: Int[Tensor, " n"], seed: int) -> None:
    """What a trained net learns from all bags at once."""
    generator = torch.Generator().manual_seed(seed)
    net.finish(next(batches(sets, labels, generator, len(labels))))


def choose_steps(
    make: Make,
    sets: FeatureSets,
    labels: Int[Tensor, " n"],
    penalty: float,
    steps: Sequence[int],
    seed: int,
) -> int:
    """The number of steps with the least cross-entropy on held-out folds of the bags.

    The first where no bag can be held out.
    """
    if len(steps) == 1:
        return steps[0]
    folds = stratified_folds(labels, seed, FOLDS)
    losses = dict.fromkeys(steps, 0.0)
    for fold in range(int(folds.max()) + 1):
        held, kept = (folds == fold).nonzero().flatten(), (folds != fold).nonzero().flatten()
        tested, truth = sets[held], labels[held]
        nets = training(make, sets[kept], labels[kept], penalty, steps, seed)
        for done, net in zip(sorted(steps), nets, strict=True):
            loss = cross_entropy(logits_of(net, tested), truth, reduction="sum")
            losses[done] += float(loss)
    return min(losses, key=losses.__getitem__)


def logits_of(net: BagNet, sets: FeatureSets) -> Float[Tensor, "n c"]:
    """Logits of every class for every bag."""
    with torch.no_grad():
        return torch.cat([net.of_classes(one.logits) for one in net.eval().readings(sets)])
