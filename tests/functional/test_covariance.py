import numpy as np
import torch

from clipfg.functional.covariance import channel_scales, total_spectrum, within_spectrum


def test_the_spectrum_reconstructs_the_covariance() -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(30, 4)), np.arange(30) % 3
    means = np.stack([x[labels == c].mean(axis=0) for c in range(3)])
    within = np.mean([np.outer(r, r) for r in x - means[labels]], axis=0)
    got = within_spectrum(torch.tensor(x), torch.tensor(labels), torch.tensor(means))
    matrix = (got.vectors * got.shrunk(0.4)) @ got.vectors.T
    expected = 0.6 * within + 0.4 * np.trace(within) / 4 * np.eye(4)
    np.testing.assert_allclose(matrix, expected, atol=1e-12)


def test_the_total_is_numpys() -> None:
    x = np.random.default_rng(0).normal(size=(30, 4))
    got = total_spectrum(torch.tensor(x))
    matrix = (got.vectors * got.shrunk(0.0)) @ got.vectors.T
    np.testing.assert_allclose(matrix, np.cov(x.T, bias=True), atol=1e-12)


def test_channels_are_standardised_halfway() -> None:
    x = np.random.default_rng(0).normal(size=(50_000, 4)) * [1, 3, 9, 2]
    got = channel_scales(torch.tensor(x))
    np.testing.assert_allclose(got, np.sqrt(x.std(axis=0)), rtol=0.02)
    few = channel_scales(torch.tensor([[0.0, 1.0], [0.0, 3.0]]))
    assert 0 < few[0] < few[1] < 1.0  # a channel that two rows share is not infinitely sure
