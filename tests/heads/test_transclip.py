import numpy as np
import torch

from clipfg.functional.similarity import unit_norm
from clipfg.heads.transclip import transclip


def case(seed: int = 0, n: int = 14, d: int = 4):
    rng = np.random.default_rng(seed)
    features = unit_norm(torch.from_numpy(rng.normal(size=(n, d))).float())
    return features, torch.from_numpy(rng.normal(size=(n, 3)) * 2).float()


def softmax(row: np.ndarray) -> np.ndarray:
    shares = np.exp(row - row.max())
    return shares / shares.sum()


def by_loop(features, logits, near: int, confident: int, rounds: int, inner: int) -> np.ndarray:
    x = features.numpy().astype(float)
    n, d = x.shape
    y = np.array([softmax(row) for row in logits.numpy().astype(float)])
    z, classes = y.copy(), y.shape[1]
    means = []
    for k in range(classes):
        surest = sorted(range(n), key=lambda i: -y[i, k])[:confident]
        means.append(np.mean([x[i] for i in surest], axis=0))
    sigma = np.full(d, 1 / d)
    neighbours = [
        sorted((j for j in range(n) if j != i), key=lambda j: -x[i] @ x[j])[:near] for i in range(n)
    ]
    for _ in range(rounds):
        for _ in range(inner):
            new = np.zeros_like(z)
            for i in range(n):
                row = np.log(y[i])
                for k in range(classes):
                    gap = x[i] - means[k]
                    row[k] += -0.5 * sum(gap**2 / sigma)
                    row[k] += sum(max(0.0, x[i] @ x[j]) * z[j, k] for j in neighbours[i])
                new[i] = softmax(row)
            z = new
        means = [
            sum(z[i, k] * x[i] for i in range(n)) / sum(z[i, k] for i in range(n))
            for k in range(classes)
        ]
        sigma = sum(z[i, k] * (x[i] - means[k]) ** 2 for i in range(n) for k in range(classes)) / n
    return z


def test_against_a_plain_loop() -> None:
    features, logits = case()
    got = transclip(features, logits, neighbours=2, confident=4, rounds=3, inner=2).exp()
    np.testing.assert_allclose(got, by_loop(features, logits, 2, 4, 3, 2), atol=2e-4)


def test_the_order_of_the_pool_does_not_matter() -> None:
    features, logits = case(1)
    order = torch.randperm(14, generator=torch.Generator().manual_seed(0))
    shuffled = transclip(features[order], logits[order], rounds=3).exp()
    torch.testing.assert_close(
        shuffled, transclip(features, logits, rounds=3).exp()[order], atol=1e-3, rtol=1e-3
    )


def test_clusters_correct_mistakes_of_the_texts() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.eye(3, 8)
    labels = torch.arange(90) % 3
    features = unit_norm(centres[labels] + 0.1 * torch.randn(90, 8, generator=generator))
    logits = 3 * features @ centres.T + 1.5 * torch.randn(90, 3, generator=generator)
    before = (logits.argmax(1) == labels).float().mean()
    after = (transclip(features, logits).argmax(1) == labels).float().mean()
    assert before < 0.95
    assert after > 0.98
