"""DSAGL: an attention teacher for bags and a student for instances, which share an adapter."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import conv1d, logsigmoid, pad

from clipfg.functional.segments import segment_amax, segment_of_rows, segment_sum
from clipfg.heads.bags.base import BagHead
from clipfg.heads.bags.nets import Attention, Batch, Found, PoolingNet

KERNELS = (3, 5, 7)
NEGATIVE_WEIGHT = 0.1


def pseudo_labels(
    attention: Float[Tensor, "r k"], positive: Float[Tensor, "r k"]
) -> Float[Tensor, "r k"]:
    """Soft labels of all training instances: attention from 0 to 1 over them, by column.

    `positive` is 1 where the instance's bag is of the class, else 0, and so is its label.
    """
    low, high = attention.amin(dim=0), attention.amax(dim=0)
    return positive * (attention - low) / (high - low).clamp_min(1e-12)


def student_loss(
    scores: Float[Tensor, "r k"], soft: Float[Tensor, "r k"], weight: float = NEGATIVE_WEIGHT
) -> Float[Tensor, ""]:
    """`-mean[w (1 - q) log(1 - s) + (1 - w) q log s]`, `s = sigmoid(scores)`, `q` soft labels.

    Most instances of a positive bag are negative, which `w` makes up for.
    """
    against, for_ = (1 - soft) * logsigmoid(-scores), soft * logsigmoid(scores)
    return -(weight * against + (1 - weight) * for_).mean()


def spaced(
    h: Float[Tensor, "r m"], offsets: Int[Tensor, " ends"], gap: int
) -> tuple[Float[Tensor, "m l"], Int[Tensor, " r"]]:
    """Rows of bags as channels along one line, with `gap` zeros between bags, and their places."""
    places = torch.arange(len(h), device=h.device) + gap * segment_of_rows(offsets)
    line = h.new_zeros(int(places[-1]) + 1, h.shape[1])
    return line.index_copy(0, places, h).T, places


class Fasa(nn.Module):
    """Attention by two gates, added: `a = w'(tanh(x) * spatial) + u'(h * channel)`.

    The spatial gate is the sigmoid of convolutions of `x`, a narrow map of `h`, over the 3, 5 and 7
    instances around each in the bag's order. The channel gate is the sigmoid of a map of the bag's
    mean added to one of its maximum.
    """

    def __init__(self, width: int, columns: int) -> None:
        super().__init__()
        narrow = max(width // 4, 1)
        self.narrow = nn.Linear(width, narrow)
        self.around = nn.ModuleList(
            nn.Conv1d(narrow, narrow, size, padding=size // 2) for size in KERNELS
        )
        self.channel = nn.Sequential(
            nn.Linear(width, narrow), nn.ReLU(), nn.Linear(narrow, width, bias=False)
        )
        self.w, self.u = nn.Linear(narrow, columns), nn.Linear(width, columns, bias=False)

    def kernel(self) -> tuple[Float[Tensor, "m m 7"], Float[Tensor, " m"]]:
        """Of the one convolution that is the sum of all, and its bias."""
        wide = max(KERNELS)
        weights = [
            pad(conv.weight, [(wide - conv.weight.shape[2]) // 2] * 2) for conv in self.around
        ]
        return torch.stack(weights).sum(dim=0), torch.stack([c.bias for c in self.around]).sum(
            dim=0
        )

    def forward(
        self,
        h: Float[Tensor, "r m"],
        offsets: Int[Tensor, " ends"],
        means: Float[Tensor, "b m"],
        most: Float[Tensor, "b m"],
    ) -> Float[Tensor, "r k"]:
        """Attention before the softmax; `means` and `most` are those of whole bags."""
        x = self.narrow(h)
        line, places = spaced(x, offsets, max(KERNELS) // 2)
        spatial = torch.sigmoid(
            conv1d(line[None], *self.kernel(), padding=max(KERNELS) // 2)[0].T[places]
        )
        channel = torch.sigmoid(self.channel(means) + self.channel(most))
        gated: Tensor = self.w(torch.tanh(x) * spatial)
        return gated + self.u(h * channel[segment_of_rows(offsets)])


class DsaglNet(PoolingNet):
    """The teacher pools by an attention a class; the student scores instances by themselves.

    Epochs alternate: the teacher learns from bags, then its attention over all training instances
    gives the labels from which the student learns. Both change the adapter.
    """

    phases = 2
    reach = max(KERNELS) // 2

    def __init__(self, d: int, width: int, classes: int, negative: int | None) -> None:
        super().__init__(d, width, classes, negative)
        self.fasa = Fasa(width, self.evidence)
        self.teacher = nn.Conv1d(self.evidence, self.evidence, width, groups=self.evidence)
        self.student = nn.Linear(width, self.evidence)
        self.soft: Tensor | None = None

    def survey(self, h: Float[Tensor, "r m"], offsets: Int[Tensor, " ends"]) -> Found:
        """How many rows each bag has, their mean and their maximum."""
        count = offsets.diff()[:, None].to(h)
        return count, segment_sum(h, offsets) / count, segment_amax(h, offsets)

    def merge(self, first: Found, second: Found) -> Found:
        """Those of both parts together."""
        count = first[0] + second[0]
        mean = first[1] + (second[1] - first[1]) * second[0] / count
        return count, mean, torch.maximum(first[2], second[2])

    def attend(
        self, h: Float[Tensor, "r m"], offsets: Int[Tensor, " ends"], found: Found
    ) -> Float[Tensor, "r a"]:
        """By `Fasa`."""
        attention: Tensor = self.fasa(h, offsets, found[1], found[2])
        return attention

    def classify(self, pooled: Float[Tensor, "b a m"], found: Found) -> Float[Tensor, "s b k"]:  # noqa: ARG002
        """Each class from what its own attention pools."""
        return self.teacher(pooled)[None, ..., 0]

    def score(self, h: Float[Tensor, "r m"], attention: Float[Tensor, "r a"]) -> Tensor:  # noqa: ARG002
        """The student's log-odds."""
        return self.student(h)

    def begin(self, epoch: int, attention: Attention, positive: Float[Tensor, "r k"]) -> None:
        """Every other epoch is the student's, on labels by the teacher as it is now."""
        self.soft = pseudo_labels(attention(), positive) if epoch % 2 else None

    def loss(self, batch: Batch) -> Tensor:
        """The teacher's or the student's."""
        if self.soft is None:
            return super().loss(batch)
        return student_loss(self.student(self.embed(batch.rows)), self.soft[batch.places])


@dataclass(eq=False)
class Dsagl(BagHead):
    """Attention teacher and instance student; see `BagHead`.

    Steps are those of the teacher, and the student has as many.

    Source: DSAGL, after Qu et al. 2022 (WENO), arXiv:2210.03664. The papers describe the gates in
    words; `Fasa` is our reading of them.
    """

    name: ClassVar[str] = "dsagl"
    net: ClassVar = DsaglNet
