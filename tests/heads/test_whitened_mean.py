import numpy as np
import pytest

from clipfg.heads.whitened_mean import WhitenedMean


@pytest.mark.parametrize("with_texts", [False, True])
def test_scores_are_angles_under_the_inverse_covariance(problem, with_texts) -> None:
    x, texts, queries, labels = problem.arrays
    means = np.stack([x[labels == c].mean(axis=0) for c in range(6)])
    covariance = np.cov((x - means[labels]).T, bias=True)
    shrunk = 0.7 * covariance + 0.3 * np.trace(covariance) / 20 * np.eye(20)
    inverse = np.linalg.inv(shrunk)
    expected = np.zeros((len(queries), 6))
    for i, query in enumerate(queries - x.mean(axis=0)):
        for c, mean in enumerate(means - x.mean(axis=0)):
            lengths = np.sqrt(query @ inverse @ query * (mean @ inverse @ mean))
            expected[i, c] = query @ inverse @ mean / lengths
    head = WhitenedMean(shrinkage=0.3, alpha=0.5 if with_texts else 1.0, scale=10.0)
    head.fit(problem.x, problem.labels, problem.texts if with_texts else None)
    expected = 10 * (queries @ texts.T + 0.5 * expected) if with_texts else 10 * expected
    np.testing.assert_allclose(head.logits(problem.queries), expected, rtol=1e-3, atol=1e-3)


def test_full_shrinkage_is_the_centred_class_mean(problem) -> None:
    x, _, queries, labels = problem.arrays
    centre = x.mean(axis=0)
    means = np.stack([x[labels == c].mean(axis=0) for c in range(6)]) - centre
    cosines = (queries - centre) @ means.T
    cosines /= np.linalg.norm(queries - centre, axis=1)[:, None] * np.linalg.norm(means, axis=1)
    got = WhitenedMean(shrinkage=1.0, scale=1.0).fit(problem.x, problem.labels)
    np.testing.assert_allclose(got.logits(problem.queries), cosines, atol=1e-4)
