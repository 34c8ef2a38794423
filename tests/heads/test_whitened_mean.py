import numpy as np
import pytest

from clipfg.heads.whitened_mean import _EVEN, ONE_SHOT, WhitenedMean


def cosines(queries, means, metric) -> np.ndarray:
    """Under `metric`, pair by pair."""
    found = np.zeros((len(queries), len(means)))
    for i, query in enumerate(queries):
        for c, mean in enumerate(means):
            lengths = np.sqrt(query @ metric @ query * (mean @ metric @ mean))
            found[i, c] = query @ metric @ mean / lengths
    return found


def scales(x) -> np.ndarray:
    """Of channels, with 20 images of the mean variance beside those there are."""
    variances = x.var(axis=0)
    return ((len(x) * variances + 20 * variances.mean()) / (len(x) + 20)) ** 0.25


@pytest.mark.parametrize("with_texts", [False, True])
def test_scores_are_angles_in_the_two_covariance_model(problem, with_texts) -> None:
    """Its predictive density, written out with all inverses, where channels are evened."""
    x, texts, queries, labels = problem.arrays
    centre, scale, shots, width = x.mean(axis=0), scales(x), 8, 20
    means = np.stack([x[labels == c].mean(axis=0) for c in range(6)])
    residuals = (x - means[labels]) / scale
    covariance = residuals.T @ residuals / len(x)
    shrunk = 0.7 * covariance + 0.3 * np.trace(covariance) / width * np.eye(width)
    whitening = np.linalg.inv(np.linalg.cholesky(shrunk)).T / scale[:, None]
    queries_, means = (queries - centre) @ whitening, (means - centre) @ whitening
    spread = np.square(residuals * scale @ whitening).sum() / (len(x) - 6) / width
    within = spread * np.eye(width)
    between = means.T @ means / 5 - within / shots
    between = (1 - _EVEN) * between + _EVEN * np.trace(between) / width * np.eye(width)
    values, vectors = np.linalg.eigh(between)
    between = (vectors * values.clip(1e-3 * spread)) @ vectors.T
    towards = between @ np.linalg.inv(between + within / shots)
    given = np.linalg.inv(np.linalg.inv(between) + shots * np.linalg.inv(within))
    if with_texts:  # which count as 8 images at m + s (t - mean t)
        away = texts - texts.mean(axis=0)
        raw = np.stack([x[labels == c].mean(axis=0) for c in range(6)]) - centre
        slope = (raw * away).sum() / np.square(away).sum()
        means = (means + slope * away @ whitening) / 2
    expected = cosines(queries_, means, np.linalg.inv(within + given) @ towards)
    head = WhitenedMean(shrinkage=0.3, alpha=0.5 if with_texts else 1.0, scale=10.0)
    head.fit(problem.x, problem.labels, problem.texts if with_texts else None)
    expected = 10 * (queries @ texts.T + 0.5 * expected) if with_texts else 10 * expected
    np.testing.assert_allclose(head.logits(problem.queries), expected, rtol=1e-3, atol=1e-3)


def test_one_shot_is_the_cosine_of_evened_channels(one_shot) -> None:
    x, _, queries, _ = one_shot.arrays
    centre, scale = x.mean(axis=0), scales(x)
    expected = cosines((queries - centre) / scale, (x - centre) / scale, np.eye(20))
    head = WhitenedMean(scale=1.0).fit(one_shot.x, one_shot.labels)
    np.testing.assert_allclose(head.logits(one_shot.queries), expected, atol=1e-4)
    assert head.shrinkage_ == ONE_SHOT


def test_a_class_alone_and_two_images(problem) -> None:
    alone = WhitenedMean().fit(problem.x[:8], problem.labels[:8])
    assert alone.logits(problem.queries).isfinite().all()
    pair = WhitenedMean().fit(problem.x[[0, 8]], problem.labels[[0, 8]])
    assert pair.logits(problem.queries).isfinite().all()
