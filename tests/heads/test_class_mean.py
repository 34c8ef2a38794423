import numpy as np

from clipfg.heads.class_mean import ClassMean


def test_scores_are_cosines_with_each_mean(problem) -> None:
    x, _, queries, labels = problem.arrays
    got = ClassMean(scale=1.0).fit(problem.x, problem.labels).logits(problem.queries)
    for c in range(6):
        mean = np.mean([row for row, label in zip(x, labels, strict=True) if label == c], axis=0)
        expected = queries @ mean / np.linalg.norm(mean)
        np.testing.assert_allclose(got[:, c], expected, atol=1e-6)
