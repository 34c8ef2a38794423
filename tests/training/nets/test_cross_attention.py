import math

import pytest
import torch

from clipfg.training.nets.cross_attention import SigmoidCrossAttention


def test_it_is_the_formula_both_ways() -> None:
    net = SigmoidCrossAttention(4)
    patches, sentences = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    mask = torch.tensor([[True] * 5, [True, False, True, False, False]])
    read, seen = net(patches, sentences, mask)
    p = net.patches(patches).view(2, 3, 3, 4)  # queries, keys, values
    t = net.sentences(sentences).view(2, 5, 3, 4)
    for b in range(2):
        for own, others, got, kept in (
            (p[b], t[b], read[b], mask[b].tolist()),
            (t[b], p[b], seen[b], [True] * 3),
        ):
            for i, row in enumerate(own):
                expected = torch.zeros(4)
                for other, valid in zip(others, kept, strict=True):
                    gate = 1 / (1 + math.exp(-(row[0] @ other[1]).item() / 2))
                    expected = expected + valid * gate * other[2]
                assert got[i].tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_without_sentences_patches_read_nothing() -> None:
    none = torch.zeros(1, 2, dtype=torch.bool)
    read, _ = SigmoidCrossAttention(4)(torch.randn(1, 3, 4), torch.randn(1, 2, 4), none)
    assert not read.any()
