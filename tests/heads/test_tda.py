import math

import numpy as np
import torch

from clipfg.functional.similarity import unit_norm
from clipfg.heads.tda import NEGATIVE, POSITIVE, POSSIBLE, UNSURE, tda


def case(seed: int = 0, n: int = 40):
    rng = np.random.default_rng(seed)
    features = unit_norm(torch.from_numpy(rng.normal(size=(n, 5))).float())
    return features, torch.from_numpy(rng.normal(size=(n, 3)) * 3).float()


def by_loop(features, logits) -> tuple[np.ndarray, int]:
    x, texts = features.numpy().astype(float), logits.numpy().astype(float)
    positive: dict[int, list] = {}
    negative: dict[int, list] = {}
    refined, negatives = [], 0
    for image, row in zip(x, texts, strict=True):
        p = np.exp(row - row.max())
        p /= p.sum()
        entropy = -sum(p * np.log(p)) / math.log(len(p))
        label = int(row.argmax())
        caches = [(positive, POSITIVE, np.eye(len(p))[label])]
        if UNSURE[0] < entropy < UNSURE[1]:
            caches.append((negative, NEGATIVE, (p > POSSIBLE).astype(float)))
            negatives += 1
        for kept, kind, value in caches:
            kept.setdefault(label, []).append((entropy, image, value))
            kept[label] = sorted(kept[label], key=lambda entry: entry[0])[: kind.shots]
        scores = row.copy()
        for kept, kind, sign in ((positive, POSITIVE, 1), (negative, NEGATIVE, -1)):
            for entries in kept.values():
                for _, key, value in entries:
                    near = math.exp(-kind.beta * (1 - image @ key))
                    scores += sign * kind.alpha * near * value
        refined.append(scores)
    return np.array(refined), negatives


def test_against_a_plain_loop() -> None:
    features, logits = case()
    expected, negatives = by_loop(features, logits)
    assert 5 < negatives < 35
    np.testing.assert_allclose(tda(features, logits), expected, atol=1e-4)


def test_later_images_do_not_matter() -> None:
    features, logits = case(1)
    whole = tda(features, logits)
    torch.testing.assert_close(tda(features[:17], logits[:17]), whole[:17])
    assert not torch.allclose(tda(features.flip(0), logits.flip(0)).flip(0), whole)
