import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from clipfg.heads.lppp import LPPlusPlus


def test_the_loss_never_rises(problem) -> None:
    for texts in (None, problem.texts):
        losses = np.array(LPPlusPlus().fit(problem.x, problem.labels, texts).losses_)
        assert (np.diff(losses) <= 1e-6).all()
        assert losses[-1] < 0.5 * losses[0]


def test_the_first_step_makes_prototypes(problem) -> None:
    x, _, _, labels = problem.arrays
    centred = x - x.mean(axis=0)
    largest = np.linalg.eigvalsh(centred.T @ centred / len(x))[-1]
    head = LPPlusPlus(steps=1).fit(problem.x, problem.labels)
    for c in range(6):  # every class is likely by 1/6; centred images sum to 0
        expected = 2 / largest * centred[labels == c].sum(axis=0) / len(x)
        np.testing.assert_allclose(head.weights_[c], expected, atol=1e-4)


def test_a_step_in_both_is_that_of_a_plain_loop(problem) -> None:
    x, texts, _, labels = problem.arrays
    head = LPPlusPlus(steps=1).fit(problem.x, problem.labels, problem.texts)
    start = LPPlusPlus(steps=0).fit(problem.x, problem.labels, problem.texts).alpha_.double()
    centred, cosines = x - x.mean(axis=0), x @ texts.T
    truth = np.eye(6)[labels]

    def shares(weights: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        return torch.softmax(torch.tensor(centred @ weights.T + cosines * alpha), dim=1).numpy()

    alpha, weights = start.numpy(), np.zeros((6, 20))
    largest = np.linalg.eigvalsh(centred.T @ centred / len(x))[-1]
    weights = weights + 2 / largest * (truth - shares(weights, alpha)).T @ centred / len(x)
    slope = ((truth - shares(weights, alpha)) * cosines).mean(axis=0)
    alpha = alpha + 2 / np.square(cosines).mean(axis=0) * slope
    np.testing.assert_allclose(head.alpha_, alpha, rtol=1e-3)
    np.testing.assert_allclose(head.bias_, -weights @ x.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(head.weights_, weights + alpha[:, None] * texts, atol=1e-2)


def test_one_shot(one_shot) -> None:
    head = LPPlusPlus().fit(one_shot.x, one_shot.labels)
    assert (head.logits(one_shot.x).argmax(1) == one_shot.labels).all()


@pytest.mark.parametrize("with_texts", [False, True])
def test_long_steps_end_where_short_ones_do(problem, with_texts) -> None:
    texts = problem.texts if with_texts else None
    head = LPPlusPlus(steps=300).fit(problem.x, problem.labels, texts)
    assert 1 < len(head.losses_) < 60
    x, labels = problem.x.double(), problem.labels
    centred, truth = x - x.mean(dim=0), one_hot(labels).double()
    cosines = x @ problem.texts.double().T * with_texts
    step_w = 2 * len(x) / torch.linalg.matrix_norm(centred.T @ centred, 2)
    step_a = 2 / cosines.square().mean(dim=0).clamp_min(1e-6)
    weights = torch.zeros(6, 20, dtype=torch.float64)
    alpha = LPPlusPlus(steps=0).fit(problem.x, labels, texts).alpha_.double()
    for _ in range(300):
        wrong = (centred @ weights.T + alpha * cosines).softmax(dim=1) - truth
        weights = weights - step_w * wrong.T @ centred / len(x)
        wrong = (centred @ weights.T + alpha * cosines).softmax(dim=1) - truth
        alpha = alpha - step_a * (wrong * cosines).mean(dim=0)
    expected = weights + alpha[:, None] * problem.texts * with_texts
    difference = (head.weights_ - expected).norm() / expected.norm()
    assert difference < 0.05
