import numpy as np
import torch

from clipfg.heads.support import Support
from clipfg.heads.text_prior import WORTH, expected_means, posterior_means


def test_the_slope_is_least_squares(problem) -> None:
    x, texts, _, labels = problem.arrays
    support = Support.of("test", problem.x, problem.labels, problem.texts)
    means = np.stack([x[labels == c].mean(axis=0) for c in range(6)])
    centred = (texts - texts.mean(axis=0)).reshape(-1, 1)
    slope = np.linalg.lstsq(centred, (means - means.mean(axis=0)).ravel(), rcond=None)[0]
    expected = x.mean(axis=0) + slope * (texts - texts.mean(axis=0))
    found = expected_means(support)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    mixed = (WORTH * expected + 8 * means) / (WORTH + 8)
    np.testing.assert_allclose(posterior_means(support, found), mixed, atol=1e-5)


def test_texts_that_contradict_the_images_say_nothing(problem) -> None:
    opposite = 2 * problem.texts.mean(dim=0) - problem.texts
    found = expected_means(Support.of("test", problem.x, problem.labels, opposite))
    torch.testing.assert_close(found, problem.x.mean(dim=0).expand(6, 20))


def test_without_texts_means_are_plain(problem) -> None:
    support = Support.of("test", problem.x, problem.labels, None)
    assert expected_means(support) is None
    assert torch.equal(posterior_means(support, None), support.means)
