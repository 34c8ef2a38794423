"""What patch prototypes learn from, against plain NumPy."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from clipfg.heads import FeatureSets
from clipfg.heads.prototype_training import EPS, GAIN, PrototypeTraining

IMAGES, PATCHES, WIDTH, COUNT, THRESHOLD = 4, 6, 5, 3, 0.5


@pytest.fixture
def sets() -> FeatureSets:
    """Images, and one further view, which does not show their first two places."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(IMAGES, PATCHES, WIDTH, generator=generator) * 3 + 1
    view = rows + torch.randn(rows.shape, generator=generator)
    view[:, :2] = 0
    offsets = torch.arange(IMAGES + 1) * PATCHES
    return FeatureSets(rows.flatten(0, 1), offsets, views=view.flatten(0, 1)[None])


@pytest.fixture
def training(sets) -> PrototypeTraining:
    return PrototypeTraining(sets, torch.arange(IMAGES) % 2, COUNT, IMAGES, 0.01, THRESHOLD, 0)


def normalised(rows: np.ndarray) -> np.ndarray:
    centred = (rows - rows.mean(axis=0)) / np.sqrt(rows.var(axis=0) + EPS)
    return GAIN * centred - THRESHOLD * GAIN


def plain(training: PrototypeTraining, sets: FeatureSets, rows: np.ndarray) -> np.ndarray:
    """Products with the filters, of rows that are scaled as those of the support."""
    own = sets.rows.double().numpy()
    return (rows - own.mean(axis=0)) / own.std() @ training._filters.detach().numpy().T


def test_the_folded_map_is_that_of_scaling_filters_and_normalising(training, sets) -> None:
    filters, offsets = training.folded()
    expected = normalised(plain(training, sets, sets.rows.double().numpy()))
    found = sets.rows @ filters.T + offsets
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_both_views_are_normalised_together_and_hidden_places_left_out(training, sets) -> None:
    order = torch.tensor([2, 0, 3])
    own = sets.rows.double().unflatten(0, (IMAGES, PATCHES))[order].numpy()
    other = sets.views[0].double().unflatten(0, (IMAGES, PATCHES))[order, 2:].numpy()
    both = np.concatenate([own.reshape(-1, WIDTH), other.reshape(-1, WIDTH)])
    scores = np.maximum(normalised(plain(training, sets, both)), 0)
    views = (
        scores[: 3 * PATCHES].reshape(3, PATCHES, COUNT),
        scores[3 * PATCHES :].reshape(3, -1, COUNT),
    )
    shares = [np.exp(view) / np.exp(view).sum(axis=-1, keepdims=True) for view in views]
    seen = training._look(order)
    for at in range(2):
        presence, largest = seen.presence[at].detach(), seen.largest[at].detach()
        np.testing.assert_allclose(presence, views[at].mean(axis=1), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(largest, shares[at].max(axis=1), rtol=1e-4)
    agree = (shares[0][:, 2:] * shares[1]).sum(axis=-1)
    assert float(seen.align.detach()) == pytest.approx(-np.log(agree).mean(), rel=1e-4)


def test_training_lowers_the_loss_of_classes(training, sets) -> None:
    given = torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
    labels = torch.arange(IMAGES) % 2

    def loss() -> float:
        presence = training._look(torch.arange(IMAGES)).presence[0].detach()
        return float(cross_entropy(presence @ given.T, labels))

    before = loss()
    training.train(given, 100)
    assert loss() < before
    assert given.tolist() == [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]  # they are the caller's
