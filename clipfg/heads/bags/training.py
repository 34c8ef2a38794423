"""Training a net on bags, and choosing its steps on folds of them."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from clipfg.functional.folds import stratified_folds
from clipfg.functional.segments import segment_of_rows
from clipfg.heads.bags.nets import PART, BagNet, Batch, Reading
from clipfg.heads.base import FeatureSets

BAGS = 16
"""Bags of a step."""
MOST = 2048
"""Instances of a bag that an epoch takes, drawn anew each time; so memory has a bound."""
RATE = 1e-3
FOLDS = 3

Make = Callable[[int], BagNet]
"""A net for features of some width."""


def batches(
    sets: FeatureSets, labels: Int[Tensor, " n"], generator: torch.Generator
) -> Iterator[Batch]:
    """All bags once, in a random order."""
    for bags in torch.randperm(len(labels), generator=generator).split(BAGS):
        ends = zip(sets.offsets[bags].tolist(), sets.offsets[bags + 1].tolist(), strict=True)
        drawn = [_drawn(start, stop, generator) for start, stop in ends]
        offsets = torch.tensor([0, *map(len, drawn)]).cumsum(0)
        places = torch.cat(drawn)
        yield Batch(sets.rows[places], offsets, labels[bags], places)


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
    steps: int,
    seed: int,
) -> Iterator[BagNet]:
    """Train a net, which is given after each step, one of each phase. The seed settles all."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = make(sets.rows.shape[1])
    net.mean, net.deviation = measure(sets.rows)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=penalty, fused=True)
    positive = net.evidence_of(labels)[segment_of_rows(sets.offsets)]

    def attention() -> Tensor:
        with torch.no_grad():
            return torch.cat([one.attention for one in readings(net.eval(), sets)])

    done = 0
    for epoch in count():
        net.begin(epoch, attention, positive)
        for batch in batches(sets, labels, generator):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed * 1_000_003 + done)  # of dropout
                optimizer.zero_grad()
                net.train().loss(batch).backward()
            optimizer.step()
            done += 1
            if done % net.phases == 0:
                yield net
            if done == steps * net.phases:
                return


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
        nets = training(make, sets[kept], labels[kept], penalty, max(steps), seed)
        for done, net in enumerate(nets, 1):
            if done in losses:
                loss = cross_entropy(logits_of(net, tested), truth, reduction="sum")
                losses[done] += float(loss)
    return min(losses, key=losses.__getitem__)


def logits_of(net: BagNet, sets: FeatureSets) -> Float[Tensor, "n c"]:
    """Logits of every class for every bag."""
    with torch.no_grad():
        return torch.cat([net.of_classes(one.logits) for one in readings(net.eval(), sets)])


def readings(net: BagNet, sets: FeatureSets) -> Iterator[Reading]:
    """All bags in order: small ones together, those of more than `PART` rows in parts."""
    ends = sets.offsets.tolist()
    first = 0
    while first < len(sets):
        last = first + 1
        while last < len(sets) and ends[last + 1] - ends[first] <= PART:
            last += 1
        rows = sets.rows[ends[first] : ends[last]]
        if len(rows) > PART:
            yield net.read_large(rows)
        else:
            yield net(rows, sets.offsets[first : last + 1] - ends[first])
        first = last
