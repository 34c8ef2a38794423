"""Measures of an encoder in training, against plain loops."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.mining.negatives import Contest, Negative
from clipfg.training.batches import Examples
from clipfg.training.pixels import Pixels
from clipfg.workflows.finetune.probe import (
    HARD,
    TO_IMAGE,
    TO_TEXT,
    Probe,
    in_batches,
    objective_of,
    zero_shot_of,
)

N, D, CLASSES = 12, 8, 3


def unit(*seed: int, rows: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(hash(seed) % 2**31)
    return normalize(torch.randn(rows, D, generator=generator), dim=-1)


def texts(given: Sequence[str]) -> Tensor:
    return torch.cat([unit(sum(map(ord, text)), len(text)) for text in given])


def images(pixels: Tensor) -> Tensor:
    return torch.cat([unit(int(one.flatten()[0])) for one in pixels])


@pytest.fixture
def probe() -> Probe:
    pixels = torch.arange(N, dtype=torch.uint8)[:, None, None, None].expand(N, 3, 2, 2)
    captions = [(f"picture {i // 2}", f"number {i}") for i in range(N)]
    labels = torch.tensor([i % CLASSES for i in range(N)])
    empty = tuple(torch.zeros(0, 4) for _ in range(N))
    loaded = Pixels(pixels, torch.arange(N), empty, tuple(b"" for _ in range(N)))
    contests = [
        Contest(i, captions[i][1], tuple(Negative(f"wrong {i} {k}", "swap", "") for k in range(2)))
        for i in range(N)
    ]
    return Probe(
        Examples(loaded, labels, captions),
        contests,
        lambda encode: encode(["a", "bb", "ccc"]),
        np.array([True, False, False]),
    )


def test_recall_finds_any_caption_that_is_true(probe) -> None:
    found = probe.measure(images, texts)
    seen, gallery = images(probe.examples.pixels.images), list(probe.gallery)
    captions = normalize(texts(gallery), dim=-1)
    for k in (1, 5):
        hits = []
        for i in range(N):
            best = (captions @ seen[i]).argsort(descending=True)[:k].tolist()
            hits.append(any(gallery[j] in probe.examples.captions[i] for j in best))
        np.testing.assert_allclose(found[f"Recall@{k}, {TO_TEXT}"].values, hits)
        hits = []
        for j, text in enumerate(gallery):
            best = (seen @ captions[j]).argsort(descending=True)[:k].tolist()
            hits.append(any(text in probe.examples.captions[i] for i in best))
        np.testing.assert_allclose(found[f"Recall@{k}, {TO_IMAGE}"].values, hits)


def test_hard_negatives_are_won_only_above_all_of_them(probe) -> None:
    seen = images(probe.examples.pixels.images)
    wins = []
    for one in probe.contests:
        scores = texts([one.true, *(n.text for n in one.negatives)]) @ seen[one.item]
        wins.append(float(scores[0] > scores[1:].max()))
    found = probe.measure(images, texts)[HARD]
    np.testing.assert_allclose(found.values, wins)
    assert found.chance == pytest.approx(1 / 3)


def test_classes_are_told_apart_and_unseen_ones_stand_alone(probe) -> None:
    found = probe.measure(images, texts)
    weights = texts(["a", "bb", "ccc"])
    hits = images(probe.examples.pixels.images) @ normalize(weights, dim=-1).T
    right = hits.argmax(1).eq(probe.examples.labels).double().numpy()
    unseen = probe.examples.labels.numpy() == 0
    np.testing.assert_allclose(found["zero-shot, unseen classes"].values, right[unseen])
    np.testing.assert_allclose(found["zero-shot, trained classes"].values, right[~unseen])
    assert zero_shot_of(found) == pytest.approx((right[unseen].mean() + right[~unseen].mean()) / 2)
    recall = [found[f"Recall@1, {way}"].mean for way in (TO_TEXT, TO_IMAGE)]
    assert objective_of(found, "retrieval") == pytest.approx(np.mean(recall))
    assert objective_of(found, "classes") == zero_shot_of(found)


def test_parts_of_a_picture_are_one_cluster(probe) -> None:
    pictures = np.arange(N) // 3
    one, other = probe.measure(images, texts), replace(probe, pictures=pictures)
    for name, found in other.measure(images, texts).items():
        assert found.clusters.tolist() == pictures[one[name].clusters].tolist()
        assert found.values.tolist() == one[name].values.tolist()


def test_texts_come_back_in_their_order() -> None:
    given = [f"{'x' * (7 * i % 11)} {i}" for i in range(600)]
    torch.testing.assert_close(in_batches(texts, given), texts(given))
