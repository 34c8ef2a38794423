"""Every net against straight loops, bag by bag and row by row, written from the papers."""

import math

import pytest
import torch
from torch import Tensor, nn

from clipfg.heads.bags import nets
from clipfg.heads.bags.abmil import AbmilNet
from clipfg.heads.bags.bag_max import MaxNet
from clipfg.heads.bags.bag_mean import MeanNet
from clipfg.heads.bags.dsagl import KERNELS, DsaglNet, pseudo_labels
from clipfg.heads.bags.dsmil import DsmilNet
from clipfg.heads.bags.mi_net import MaximaNet
from clipfg.heads.bags.transmil import (
    LAYER_HEADS,
    TransLayer,
    TransmilNet,
    nystrom_attention,
    pseudo_inverse,
)
from tests.heads.bags.problem import bags

D, WIDTH, CLASSES = 8, 8, 3
KINDS = (MeanNet, MaxNet, MaximaNet, AbmilNet, DsmilNet, DsaglNet, TransmilNet)


def made(kind: type[nets.BagNet]) -> nets.BagNet:
    torch.manual_seed(1)
    net = kind(D, WIDTH, CLASSES, None).eval()
    if isinstance(net, DsaglNet):  # gates that begin closed
        net.fasa.p.data.fill_(0.7)
        net.fasa.q.data.fill_(-0.6)
    return net


def linear(layer: nn.Module, x: Tensor) -> Tensor:
    assert isinstance(layer, nn.Linear)
    out = torch.tensor([sum(w * v for w, v in zip(row, x, strict=True)) for row in layer.weight])
    return out if layer.bias is None else out + layer.bias


def hidden(net: nets.BagNet, x: Tensor) -> Tensor:
    return linear(net.adapter[0], x).clamp_min(0)  # type: ignore[index]


def shares(scores: list[float]) -> list[float]:
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def mean_by_hand(net: MeanNet, h: list[Tensor], rows: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    scores = [linear(net.classifier, x) for x in h]
    return torch.stack(scores).mean(dim=0), scores


def max_by_hand(net: MaxNet, h: list[Tensor], rows: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    scores = [linear(net.classifier, x) for x in h]
    return torch.tensor([max(float(s[k]) for s in scores) for k in range(CLASSES)]), scores


def maxima_by_hand(
    net: MaximaNet, h: list[Tensor], rows: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    most = torch.tensor([max(float(x[column]) for x in h) for column in range(WIDTH)])
    return linear(net.classifier, most), [linear(net.classifier, x) for x in h]


def abmil_by_hand(
    net: AbmilNet, h: list[Tensor], rows: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    a = [
        float(linear(net.w, torch.tanh(linear(net.v, x)) * torch.sigmoid(linear(net.u, x))))
        for x in h
    ]
    z = sum(share * x for share, x in zip(shares(a), h, strict=True))
    return linear(net.classifier, z), [torch.full((CLASSES,), one) for one in a]  # type: ignore[arg-type]


def dsmil_by_hand(
    net: DsmilNet, h: list[Tensor], rows: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    scores = [linear(net.instance, x) for x in h]
    queries = [torch.tanh(linear(net.query[2], linear(net.query[0], x).clamp_min(0))) for x in h]
    pooled, most = [], []
    for k in range(CLASSES):
        critical = max(range(len(h)), key=lambda j: float(scores[j][k]))
        most.append(float(scores[critical][k]))
        a = shares([float(q @ queries[critical]) / math.sqrt(WIDTH) for q in queries])
        pooled.append(sum(s * linear(net.value, x) for s, x in zip(a, h, strict=True)))
    bag = [
        float((net.bag.weight[k] * torch.stack(pooled)).sum() + net.bag.bias[k])  # type: ignore[arg-type, index]
        for k in range(CLASSES)
    ]
    return (torch.tensor(most) + torch.tensor(bag)) / 2, scores


def dsagl_by_hand(
    net: DsaglNet, h: list[Tensor], rows: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    fasa, n = net.fasa, len(h)
    mean, most = torch.stack(h).mean(dim=0), torch.stack(h).amax(dim=0)
    mapped = [
        linear(fasa.channel[2], linear(fasa.channel[0], x).clamp_min(0)) for x in (mean, most)
    ]
    channel = torch.sigmoid(mapped[0] + mapped[1])
    around, half = fasa.around, max(KERNELS) // 2
    assert around.bias is not None
    u = [linear(fasa.u, one) for one in h]
    attention = []
    for j in range(n):
        near = around.bias
        for step in range(-half, half + 1):
            if 0 <= j + step < n:
                near = near + around.weight[:, 0, step + half] * u[j + step]
        gates = torch.sigmoid(u[j] + fasa.p * near) + fasa.q * channel
        attention.append(linear(fasa.w, torch.tanh(linear(fasa.v, h[j])) * gates))
    scores = [linear(net.student, row) for row in rows]
    logits = []
    for k in range(CLASSES):
        a = shares([float(one[k]) for one in attention])
        pooled = sum(s * one for s, one in zip(a, h, strict=True))
        logits.append(float(net.teacher.weight[k, 0] @ pooled[:, None] + net.teacher.bias[k]))  # type: ignore[index]
    return torch.tensor(logits), scores


def normed(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    mean = float(x.sum()) / len(x)
    spread = math.sqrt(sum((float(v) - mean) ** 2 for v in x) / len(x) + layer.eps)
    return (x - mean) / spread * layer.weight + layer.bias


def layer_by_hand(layer: TransLayer, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The tokens after a layer, and each head's attention of the first token, not normalised."""
    parts = [linear(layer.inputs, normed(layer.norm, token)).split(WIDTH) for token in x]
    wide = WIDTH // LAYER_HEADS
    out, told = [[] for _ in x], []
    for head in range(LAYER_HEADS):
        own = slice(head * wide, (head + 1) * wide)
        q, k, v = ([token[own] for token in column] for column in zip(*parts, strict=True))
        scores = [[float(a @ b) / math.sqrt(wide) for b in k] for a in q]
        told.append(torch.tensor(scores[0][1:]))
        for i in range(len(x)):
            y = sum(share * value for share, value in zip(shares(scores[i]), v, strict=True))
            near = layer.near.bias[head]  # type: ignore[index]
            for step in range(-16, 17):
                if 0 <= i + step < len(x):
                    near = near + layer.near.weight[head, 0, step + 16] * v[i + step]
            out[i].append(y + near)
    mapped = [linear(layer.out[0], torch.cat(parts)) for parts in out]
    return [token + more for token, more in zip(x, mapped, strict=True)], told


def transmil_by_hand(
    net: TransmilNet, h: list[Tensor], rows: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    n, side = len(h), math.ceil(math.sqrt(len(h)))
    x, _ = layer_by_hand(net.first, [net.token[0], *h, *h[: side * side - n]])
    coded = [token.clone() for token in x]
    for row in range(side):
        for column in range(side):
            for code in net.positions:
                assert isinstance(code, nn.Conv2d)
                assert code.bias is not None
                half, here = code.kernel_size[0] // 2, 1 + row * side + column
                coded[here] += code.bias
                for i in range(-half, half + 1):
                    for j in range(-half, half + 1):
                        if 0 <= row + i < side and 0 <= column + j < side:
                            there = x[1 + (row + i) * side + column + j]
                            coded[here] += code.weight[:, 0, i + half, j + half] * there
    out, told = layer_by_hand(net.second, coded)
    attention = torch.stack(told).mean(dim=0)[:n]
    return linear(net.classifier, normed(net.norm, out[0])), list(
        attention[:, None].expand(-1, CLASSES)
    )


BY_HAND = {
    MeanNet: mean_by_hand,
    MaxNet: max_by_hand,
    MaximaNet: maxima_by_hand,
    AbmilNet: abmil_by_hand,
    DsmilNet: dsmil_by_hand,
    DsaglNet: dsagl_by_hand,
    TransmilNet: transmil_by_hand,
}
IN_PARTS = [kind for kind in BY_HAND if kind is not TransmilNet]
"""Transformers of parts are averaged instead."""


@pytest.mark.parametrize("kind", BY_HAND, ids=lambda kind: kind.__name__)
def test_it_is_what_the_paper_says(kind) -> None:
    net, (sets, _, _) = made(kind), bags(4)
    with torch.no_grad():
        read = net(sets.rows, sets.offsets)
        for bag in range(4):
            start, stop = sets.offsets[bag : bag + 2].tolist()
            rows = list(sets.rows[start:stop])
            logits, scores = BY_HAND[kind](net, [hidden(net, row) for row in rows], rows)
            torch.testing.assert_close(read.logits[bag], logits, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(
                read.instances[start:stop], torch.stack(scores), atol=1e-5, rtol=1e-4
            )


@pytest.mark.parametrize("kind", IN_PARTS, ids=lambda kind: kind.__name__)
def test_a_bag_read_in_parts_is_the_bag_read_at_once(kind, monkeypatch) -> None:
    net = made(kind)
    rows = torch.randn(50, D, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        whole = net(rows, torch.tensor([0, 50]))
        monkeypatch.setattr(nets, "PART", 7)
        parts = net.read_large(rows)
    for found, expected in zip(parts, whole, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_the_negative_class_has_a_logit_of_zero_and_no_score() -> None:
    torch.manual_seed(0)
    net = MeanNet(D, WIDTH, CLASSES, 1)
    sets, _, _ = bags(4)
    read = net(sets.rows, sets.offsets)
    logits = net.of_classes(read.logits)
    assert read.instances.shape == (len(sets.rows), 2)
    assert torch.equal(logits[:, 1], torch.zeros(4))
    assert torch.equal(logits[:, [0, 2]], read.logits)
    evidence = net.evidence_of(torch.tensor([0, 1, 2]))
    assert evidence.tolist() == [[1, 0], [0, 0], [0, 1]]


def test_pseudo_labels_run_from_0_to_1_over_positive_bags_and_are_0_in_negative_ones() -> None:
    attention = torch.tensor([[-1.0], [3.0], [1.0], [0.0]])
    positive = torch.tensor([[1.0], [1.0], [1.0], [0.0]])
    assert pseudo_labels(attention, positive).flatten().tolist() == [0, 1, 0.5, 0]


def test_nystrom_attention_is_exact_with_a_landmark_for_each_token() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 12, 4) for _ in range(3))
    exact = ((q @ k.mT) / 2).softmax(dim=-1) @ v
    torch.testing.assert_close(nystrom_attention(q, k, v, 12), exact, atol=5e-2, rtol=0)


def test_the_pseudo_inverse_inverts() -> None:
    torch.manual_seed(0)
    a = (4 * torch.eye(6) + torch.randn(2, 6, 6)).softmax(dim=-1)
    torch.testing.assert_close(
        pseudo_inverse(a, 20) @ a, torch.eye(6).expand(2, 6, 6), atol=1e-3, rtol=0
    )


def test_a_transformer_sees_the_order_of_a_bag() -> None:
    net, (sets, _, _) = made(TransmilNet), bags(2)
    with torch.no_grad():
        there = net(sets.rows, sets.offsets).logits[0]
        turned = torch.cat([sets.rows[: sets.offsets[1]].flip(0), sets.rows[sets.offsets[1] :]])
        back = net(turned, sets.offsets).logits[0]
    assert not torch.allclose(there, back, atol=1e-4)
