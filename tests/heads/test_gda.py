import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from clipfg.heads.gda import GDA
from clipfg.heads.within_class import ONE_SHOT
from clipfg.heads.zero_shot import ZeroShot


@pytest.mark.parametrize("shrinkage", [0.05, 0.5, 1.0])
def test_without_texts_it_is_scikit_learns_lda(problem, shrinkage) -> None:
    keep = torch.ones(len(problem.x), dtype=torch.bool)
    keep[:3] = False  # classes of unequal size, so that their shares count
    x, labels = problem.x[keep], problem.labels[keep]
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
    lda.fit(x.double().numpy(), labels.numpy())
    head = GDA(shrinkage=shrinkage).fit(x, labels)
    expected = lda.decision_function(problem.queries.double().numpy())
    np.testing.assert_allclose(head.logits(problem.queries), expected, rtol=1e-4, atol=1e-3)


def test_texts_are_added(problem) -> None:
    alone = GDA(shrinkage=0.3).fit(problem.x, problem.labels)
    both = GDA(shrinkage=0.3, alpha=0.2).fit(problem.x, problem.labels, problem.texts)
    texts = ZeroShot().fit(text_weights=problem.texts)
    expected = texts.logits(problem.queries) + 0.2 * alone.logits(problem.queries)
    torch.testing.assert_close(both.logits(problem.queries), expected, rtol=1e-4, atol=1e-3)


def test_alpha_0_is_zero_shot(problem) -> None:
    head = GDA(alpha=0.0).fit(problem.x, problem.labels, problem.texts)
    texts = ZeroShot().fit(text_weights=problem.texts)
    torch.testing.assert_close(head.logits(problem.queries), texts.logits(problem.queries))


def test_useless_texts_get_little_weight(problem) -> None:
    wrong = problem.texts.roll(1, dims=0)
    head = GDA().fit(problem.x, problem.labels, wrong)
    right = head.logits(problem.queries).argmax(1) == problem.truth
    assert right.float().mean() > 0.8
    assert head.alpha_ >= 1


def test_one_shot_one_class_and_one_image_among_many(problem, one_shot) -> None:
    assert GDA().fit(one_shot.x, one_shot.labels).shrinkage_ == ONE_SHOT
    rows = [0, *range(8, len(problem.x))]
    head = GDA().fit(problem.x[rows], problem.labels[rows])
    assert torch.isfinite(head.logits(problem.queries)).all()
    assert GDA().fit(problem.x[:8], problem.labels[:8]).logits(problem.queries).shape == (240, 1)
    assert GDA().fit(problem.x[:1], problem.labels[:1]).logits(problem.queries).isfinite().all()


def test_a_lone_class_with_many_images(problem) -> None:
    rows = [0, 1, 2, 3, 8, 16, 24, 32, 40]
    head = GDA().fit(problem.x[rows], problem.labels[rows])
    assert torch.isfinite(head.logits(problem.queries)).all()
