import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from clipfg.errors import UsageError
from clipfg.heads.cross_modal_linear_probe import CrossModalLinearProbe


def test_texts_are_one_more_shot(problem) -> None:
    x, texts, queries, labels = problem.arrays
    stacked = np.concatenate([x, texts]), np.concatenate([labels, np.arange(6)])
    reference = LogisticRegression(C=10.0, tol=1e-8, max_iter=5000).fit(*stacked)
    head = CrossModalLinearProbe(cost=10.0, iterations=500, floor=0.0)
    head.fit(problem.x, problem.labels, problem.texts)
    got = head.logits(problem.queries).softmax(1)
    np.testing.assert_allclose(got, reference.predict_proba(queries), atol=2e-3)


def test_it_needs_texts(problem) -> None:
    with pytest.raises(UsageError, match="text weights for the cross-modal-linear-probe head"):
        CrossModalLinearProbe().fit(problem.x, problem.labels)
