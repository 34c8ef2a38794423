import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from clipfg.functional.similarity import unit_norm
from clipfg.heads import HEADS
from clipfg.heads.support import Support
from clipfg.heads.text_weighting import ONE_SHOT, factors, share_of_images
from tests.heads.conftest import make_problem


def test_factors_are_scipys(problem) -> None:
    support = Support.of("test", problem.x, problem.labels, problem.texts)
    rows = support.validation_rows(0)
    logits = torch.randn(len(rows), 6, generator=torch.Generator().manual_seed(0))
    logits += 0.8 * torch.nn.functional.one_hot(problem.labels, 6)
    texts = (problem.x @ problem.texts.T).double().numpy()
    spreads = np.array([texts.std(), float(logits.std(correction=0))])

    def loss(values: np.ndarray) -> float:
        tau, beta = values / spreads
        scores = torch.tensor(tau * texts + beta * logits.double().numpy())
        prior = np.square(values / 10).sum() / (2 * len(rows))
        return float(torch.nn.functional.cross_entropy(scores, problem.labels)) + prior

    expected = minimize(loss, [1.0, 1.0], method="Nelder-Mead").x / spreads
    tau, beta = factors(support, logits, rows)
    growth = (1 + 1 / (8 * 4 / 5)) / (1 + 1 / 8)
    np.testing.assert_allclose([tau, beta / growth], expected, rtol=0.02)


def test_one_shot_goes_by_the_spread_of_other_classes(one_shot) -> None:
    support = Support.of("test", one_shot.x, one_shot.labels, one_shot.texts)
    of_means = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    rows = support.validation_rows(0)
    share = share_of_images(support, of_means, rows)
    others = [np.delete(row, i) for i, row in enumerate(of_means.numpy())]
    spread = np.sqrt(np.mean([row.var() for row in others]))
    assert share == pytest.approx(ONE_SHOT / spread / factors(support, of_means[:0], rows)[0])


@pytest.mark.parametrize("name", ["gda", "whitened-mean"])
@pytest.mark.parametrize("shots", [1, 2, 4])
def test_uninformative_texts_cost_little_and_good_ones_help(name, shots) -> None:
    few = make_problem(shots=shots)
    means = torch.stack([few.queries[few.truth == c].mean(dim=0) for c in range(6)])
    noise = torch.randn(few.texts.shape, generator=torch.Generator().manual_seed(1))

    def right(texts: torch.Tensor | None) -> float:
        head = HEADS.get(name)().fit(few.x, few.labels, texts)
        return float((head.logits(few.queries).argmax(dim=1) == few.truth).double().mean())

    assert right(unit_norm(noise)) > right(None) - 0.05
    helped = right(unit_norm(means - means.mean(dim=0)))
    assert helped > right(None) - 0.03  # from 2 shots on images alone are nearly all right
    assert helped > right(None) or shots > 1
