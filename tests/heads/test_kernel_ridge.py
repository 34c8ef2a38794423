import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge as Reference

from clipfg.heads.kernel_ridge import KernelRidge
from clipfg.heads.support import Support
from clipfg.heads.whitened_mean import WhitenedMean


@pytest.mark.parametrize("with_texts", [False, True])
def test_it_is_scikit_learns_on_projected_images(problem, with_texts) -> None:
    x, texts, queries, labels = problem.arrays
    space = WhitenedMean(shrinkage=0.3).fit(problem.x, problem.labels)

    def turned(rows: np.ndarray) -> np.ndarray:
        rows = (rows - space.centre_.numpy()) @ space.projection_.double().numpy()
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    reference = Reference(alpha=0.5, kernel="rbf", gamma=1.5)
    reference.fit(turned(x), np.eye(6)[labels] - 1 / 6)
    expected = 10 * reference.predict(turned(queries))
    head = KernelRidge(shrinkage=0.3, alpha=2.0, scale=10.0, gamma=1.5, penalty=0.5)
    head.fit(problem.x, problem.labels, problem.texts if with_texts else None)
    expected = 2 * expected + (10 * queries @ texts.T if with_texts else 0)
    np.testing.assert_allclose(head.logits(problem.queries), expected, rtol=1e-3, atol=2e-3)


def test_held_out_scores_come_from_heads_without_the_fold(problem) -> None:
    head = KernelRidge().fit(problem.x, problem.labels)
    support = Support.of("test", problem.x, problem.labels, None)
    rows = support.validation_rows(0)
    found, folds = head.held_out(support, rows), support.folds(0)
    for fold in range(int(folds.max()) + 1):
        kept = folds != fold
        other = KernelRidge(shrinkage=head.shrinkage_).fit(problem.x[kept], problem.labels[kept])
        np.testing.assert_allclose(found[~kept], other.images(problem.x[~kept]), atol=1e-2)
