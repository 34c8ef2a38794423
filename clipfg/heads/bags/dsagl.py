"""DSAGL: an attention teacher for bags and a student for instances."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clipfg.functional.segments import segment_amax, segment_of_rows, segment_sum
from clipfg.heads.bags.base import BagHead
from clipfg.heads.bags.nets import Batch, Found, PoolingNet
from clipfg.heads.bags.student import learn
from clipfg.heads.base import FeatureSets

KERNELS = (3, 5, 7)


def pseudo_labels(
    attention: Float[Tensor, "r k"], positive: Float[Tensor, "r k"]
) -> Float[Tensor, "r k"]:
    """Soft labels of all training instances: attention from 0 to 1 over them, by column.

    `positive` is 1 where the instance's bag is of the class, else 0, and so is its label.
    """
    low, high = attention.amin(dim=0), attention.amax(dim=0)
    return positive * (attention - low) / (high - low).clamp_min(1e-12)


def spaced(
    h: Float[Tensor, "r m"], offsets: Int[Tensor, " ends"], gap: int
) -> tuple[Float[Tensor, "m l"], Int[Tensor, " r"]]:
    """Rows of bags as channels along one line, with `gap` zeros between bags, and their places."""
    places = torch.arange(len(h), device=h.device) + gap * segment_of_rows(offsets)
    line = h.new_zeros(int(places[-1]) + 1, h.shape[1])
    return line.index_copy(0, places, h).T, places


class Fasa(nn.Module):
    """Attention by two gates, added: `a = w'(tanh(V h) * (spatial + q * channel))`.

    The spatial gate is the sigmoid of `U h + p * around(U h)`: convolutions over the 3, 5 and 7
    instances around each in the bag's order, summed, column by column. The channel gate is the
    sigmoid of a map of the bag's mean added to one of its maximum. `p` and `q` are learnt and begin
    at 0, which is ABMIL's gated attention, so that the order of a bag and the bag as a whole come
    in as far as they help.
    """

    def __init__(self, width: int, columns: int) -> None:
        super().__init__()
        narrow = max(width // 4, 1)
        self.v, self.u = nn.Linear(width, width), nn.Linear(width, width)
        # The convolutions' sum is one of the widest, which is what is learnt.
        self.around = nn.Conv1d(width, width, max(KERNELS), padding=max(KERNELS) // 2, groups=width)
        self.channel = nn.Sequential(
            nn.Linear(width, narrow), nn.ReLU(), nn.Linear(narrow, width, bias=False)
        )
        self.w = nn.Linear(width, columns)
        self.p, self.q = (nn.Parameter(torch.zeros(())) for _ in range(2))

    def forward(
        self,
        h: Float[Tensor, "r m"],
        offsets: Int[Tensor, " ends"],
        means: Float[Tensor, "b m"],
        most: Float[Tensor, "b m"],
    ) -> Float[Tensor, "r k"]:
        """Attention before the softmax; `means` and `most` are those of whole bags."""
        u = self.u(h)
        line, places = spaced(u, offsets, max(KERNELS) // 2)
        spatial = torch.sigmoid(u + self.p * self.around(line[None])[0].T[places])
        channel = torch.sigmoid(self.channel(means) + self.channel(most))
        gates = spatial + self.q * channel[segment_of_rows(offsets)]
        gated: Tensor = self.w(torch.tanh(self.v(h)) * gates)
        return gated


class DsaglNet(PoolingNet):
    """The teacher pools by an attention a class; the student scores instances by themselves.

    The teacher learns from bags. Then its attention over all training instances gives the labels
    from which the student begins; see `student.learn`. Bags are answered by the teacher alone: the
    student's largest score in a bag orders bags about as well but is no log-odds of theirs.

    The last columns of hidden features are the student's scores.
    """

    reach = max(KERNELS) // 2

    def __init__(self, d: int, width: int, classes: int, negative: int | None) -> None:
        super().__init__(d, width, classes, negative)
        self.fasa = Fasa(width, self.evidence)
        self.teacher = nn.Conv1d(self.evidence, self.evidence, width, groups=self.evidence)
        self.student = nn.Linear(d, self.evidence).requires_grad_(False)

    def embed(self, rows: Float[Tensor, "r d"]) -> Float[Tensor, "r m+k"]:
        """The adapter's features and the student's scores."""
        x = self.scaled(rows)
        return torch.cat([self.adapter(x), self.student(x)], dim=1)

    def survey(self, h: Float[Tensor, "r m+k"], offsets: Int[Tensor, " ends"]) -> Found:
        """How many rows each bag has, their mean and their maximum."""
        h, count = self.values(h), offsets.diff()[:, None].to(h)
        return count, segment_sum(h, offsets) / count, segment_amax(h, offsets)

    def merge(self, first: Found, second: Found) -> Found:
        """Those of both parts together."""
        count = first[0] + second[0]
        mean = first[1] + (second[1] - first[1]) * second[0] / count
        return count, mean, torch.maximum(first[2], second[2])

    def attend(
        self, h: Float[Tensor, "r m+k"], offsets: Int[Tensor, " ends"], found: Found
    ) -> Float[Tensor, "r a"]:
        """By `Fasa`."""
        attention: Tensor = self.fasa(self.values(h), offsets, *found[1:])
        return attention

    def values(self, h: Float[Tensor, "r m+k"]) -> Float[Tensor, "r m"]:
        """The adapter's features."""
        return h[:, : self.width]

    def classify(self, pooled: Float[Tensor, "b a m"], found: Found) -> Float[Tensor, "s b k"]:  # noqa: ARG002
        """Each class from what its own attention pools."""
        logits: Tensor = self.teacher(pooled)[None, ..., 0]
        return logits

    def score(self, h: Float[Tensor, "r m+k"], attention: Float[Tensor, "r a"]) -> Tensor:  # noqa: ARG002
        """The student's log-odds."""
        return h[:, self.width :].clone()  # a view would keep all of `h` in memory

    def finish(self, batch: Batch) -> None:
        """The student learns from the teacher as it is now."""
        with torch.no_grad():
            sets = FeatureSets(batch.rows, batch.offsets)
            attention = torch.cat([one.attention for one in self.readings(sets)])
        positive = self.evidence_of(batch.labels)[segment_of_rows(batch.offsets)]
        soft = pseudo_labels(attention, positive)
        learnt = learn(self.scaled(batch.rows), batch.offsets, positive, soft)
        self.student.load_state_dict({"weight": learnt.weights, "bias": learnt.bias})


@dataclass(eq=False)
class Dsagl(BagHead):
    """Attention teacher and instance student; see `BagHead`.

    Source: DSAGL, after Qu et al. 2022 (WENO), arXiv:2210.03664. The papers describe the gates in
    words; `Fasa` is our reading of them. They tune the encoder by teacher and student in turn; here
    it is fixed, and its features are what both share. The student is linear, so that it can be
    fitted to the end with a penalty, and after the teacher's labels it learns from its own.
    """

    name: ClassVar[str] = "dsagl"
    net: ClassVar = DsaglNet
