"""What classifiers of bags have in common: rows in, logits of bags and scores of instances out.

All tensors are plain: `rows` `[r, d]` are the instances of b bags, end to end, and `offsets`
`[b + 1]` say where each bag begins and where the last ends. There are k kinds of evidence: one for
each class but the negative one, whose bags hold nothing of their own.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from clipfg.functional.segments import segment_softmax, weighted_means
from clipfg.heads.base import FeatureSets

PART = 16_384
"""Rows that are looked at at once; a larger bag is read in parts."""


class Reading(NamedTuple):
    """What a net says of bags.

    `streams` are logits by one or several classifiers, whose mean is the answer; `instances` say
    how much each row speaks for each kind of evidence; `attention` is what rows are pooled by.
    """

    streams: Float[Tensor, "s b k"]
    instances: Float[Tensor, "r k"]
    attention: Float[Tensor, "r a"]

    @property
    def logits(self) -> Float[Tensor, "b k"]:
        """The mean of the streams."""
        return self.streams.mean(dim=0)


@dataclass(frozen=True)
class Batch:
    """Some bags to learn from."""

    rows: Float[Tensor, "r d"]
    offsets: Int[Tensor, " ends"]
    labels: Int[Tensor, " b"]


class BagNet(nn.Module, ABC):
    """A classifier of bags.

    It takes rows `d` wide and makes hidden features `width` wide of them. `negative` is the class
    without evidence, or None; its logit is 0.
    """

    mean: Tensor
    deviation: Tensor
    adapter: nn.Module

    def __init__(self, d: int, width: int, classes: int, negative: int | None) -> None:
        super().__init__()
        self.negative = negative
        self.evidence = classes - (negative is not None)
        self.width = width
        self.register_buffer("mean", torch.zeros(d))
        self.register_buffer("deviation", torch.ones(d))

    def embed(self, rows: Float[Tensor, "r d"]) -> Float[Tensor, "r m"]:
        """Hidden features of rows."""
        h: Tensor = self.adapter(self.scaled(rows))
        return h

    def scaled(self, rows: Float[Tensor, "r d"]) -> Float[Tensor, "r d"]:
        """Rows, which in training have a mean of 0 and a standard deviation of 1."""
        return (rows.float() - self.mean) / self.deviation

    @abstractmethod
    def forward(self, rows: Float[Tensor, "r d"], offsets: Int[Tensor, " ends"]) -> Reading:
        """Read bags that fit into memory together."""

    @abstractmethod
    def read_large(self, rows: Float[Tensor, "r d"]) -> Reading:
        """Read one bag of any size, at most `PART` rows at a time."""

    def finish(self, batch: Batch) -> None:
        """Called after training, with all bags at once."""

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the bags' labels, the mean over streams."""
        streams = self(batch.rows, batch.offsets).streams
        losses = [cross_entropy(self.of_classes(one), batch.labels) for one in streams]
        return torch.stack(losses).mean()

    def of_classes(self, logits: Float[Tensor, "b k"]) -> Float[Tensor, "b c"]:
        """Logits of all classes from those of evidence."""
        if self.negative is None:
            return logits
        before, after = logits.tensor_split([self.negative], dim=1)
        return torch.cat([before, logits.new_zeros(len(logits), 1), after], dim=1)

    def readings(self, sets: FeatureSets) -> Iterator[Reading]:
        """All bags in order: small ones together, those of more than `PART` rows in parts."""
        ends = sets.offsets.tolist()
        first = 0
        while first < len(sets):
            last = first + 1
            while last < len(sets) and ends[last + 1] - ends[first] <= PART:
                last += 1
            rows = sets.rows[ends[first] : ends[last]]
            if len(rows) > PART:
                yield self.read_large(rows)
            else:
                yield self(rows, sets.offsets[first : last + 1] - ends[first])
            first = last

    def evidence_of(self, labels: Int[Tensor, " b"]) -> Float[Tensor, "b k"]:
        """1 where a label is the class of a kind of evidence."""
        classes = [k for k in range(self.evidence + 1) if k != self.negative][: self.evidence]
        return (labels[:, None] == torch.tensor(classes, device=labels.device)).float()


Found = tuple[Tensor, ...]
"""What a first look at bags finds, a row for each bag."""


class PoolingNet(BagNet):
    """A net that embeds rows one by one and pools them by softmax of an attention.

    It may look at bags twice: `survey` finds what attention needs to know of a whole bag, and parts
    of a bag are put together by `merge`. So a bag of any size can be read in parts, with the result
    of reading it at once. By default rows are pooled by their mean.
    """

    reach = 0
    """How many rows before and after it the attention of a row depends on."""

    def __init__(self, d: int, width: int, classes: int, negative: int | None) -> None:
        super().__init__(d, width, classes, negative)
        self.adapter = nn.Sequential(nn.Linear(d, width), nn.ReLU(), nn.Dropout(0.25))

    def survey(self, h: Float[Tensor, "r m"], offsets: Int[Tensor, " ends"]) -> Found:  # noqa: ARG002
        """A first look at bags."""
        return ()

    def merge(self, first: Found, second: Found) -> Found:  # noqa: ARG002
        """What two parts of the same bag find together."""
        return ()

    def attend(
        self,
        h: Float[Tensor, "r m"],
        offsets: Int[Tensor, " ends"],  # noqa: ARG002
        found: Found,  # noqa: ARG002
    ) -> Float[Tensor, "r a"]:
        """Attention before the softmax."""
        return h.new_zeros(len(h), 1)

    def values(self, h: Float[Tensor, "r m"]) -> Float[Tensor, "r m"]:
        """What is pooled."""
        return h

    @abstractmethod
    def classify(self, pooled: Float[Tensor, "b a m"], found: Found) -> Float[Tensor, "s b k"]:
        """Logits of bags."""

    @abstractmethod
    def score(self, h: Float[Tensor, "r m"], attention: Float[Tensor, "r a"]) -> Tensor:
        """How much each row speaks for each kind of evidence `[r, k]`."""

    def forward(self, rows: Float[Tensor, "r d"], offsets: Int[Tensor, " ends"]) -> Reading:
        """Read bags that fit into memory together."""
        h = self.embed(rows)
        found = self.survey(h, offsets)
        attention = self.attend(h, offsets, found)
        pooled = weighted_means(segment_softmax(attention, offsets), self.values(h), offsets)
        return Reading(self.classify(pooled, found), self.score(h, attention), attention)

    def read_large(self, rows: Float[Tensor, "r d"]) -> Reading:
        """Read one bag in two passes, a part at a time; softmax is put together from its parts."""
        parts = [(start, min(start + PART, len(rows))) for start in range(0, len(rows), PART)]
        found: Found | None = None
        for start, stop in parts:
            h = self.embed(rows[start:stop])
            own = self.survey(h, torch.tensor([0, len(h)]))
            found = own if found is None else self.merge(found, own)
        assert found is not None
        attentions, scores, levels, means = [], [], [], []
        for start, stop in parts:
            before = min(self.reach, start)
            h = self.embed(rows[start - before : stop + self.reach])
            part = slice(before, before + stop - start)
            attention = self.attend(h, torch.tensor([0, len(h)]), found)[part]
            shares = attention.softmax(dim=0)
            levels.append(attention.logsumexp(dim=0))
            means.append(shares.T @ self.values(h[part]))
            attentions.append(attention)
            scores.append(self.score(h[part], attention))
        weights = torch.stack(levels).softmax(dim=0)
        pooled = (weights[..., None] * torch.stack(means)).sum(dim=0)[None]
        return Reading(self.classify(pooled, found), torch.cat(scores), torch.cat(attentions))
