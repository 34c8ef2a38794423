"""The quick choice of shrinkage, against one that is written out and takes every inverse."""

from functools import partialmethod
from itertools import product

import numpy as np
import pytest
import torch

from clipfg.functional.covariance import channel_scales
from clipfg.functional.similarity import unit_norm
from clipfg.heads import within_class
from clipfg.heads.gda import _logits
from clipfg.heads.support import Support
from clipfg.heads.whitened_mean import _cosines
from clipfg.heads.within_class import SHRINKAGES, SharedCovariance, _Covariance

CLASSES, WIDTH = 24, 12


def make(shots: int, seed: int) -> Support:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(CLASSES, WIDTH, generator=generator)
    labels = torch.arange(CLASSES).repeat_interleave(shots)[shots // 2 :]  # one smaller class
    noise = torch.randn(len(labels), WIDTH, generator=generator) * torch.linspace(0.3, 1.5, WIDTH)
    return Support.of("test", unit_norm(centres[labels] + noise), labels, None)


def covariance_without(support: Support, group: int, groups: int) -> np.ndarray:
    x, labels = support.features.double().numpy(), support.labels.numpy()
    others = labels % groups != group
    left, own = x[others], labels[others]
    residuals = left - support.means.double().numpy()[own]
    return residuals.T @ residuals / len(left)


def plain_hits(support: Support, head: str, groups: int) -> np.ndarray:
    x, labels = support.features.double().numpy(), support.labels.numpy()
    folds = support.folds(0).numpy()
    right = np.zeros((len(SHRINKAGES), len(x)))
    for group, fold in product(range(groups), range(folds.max() + 1)):
        covariance = covariance_without(support, group, groups)
        train = folds != fold
        means = np.stack([x[train & (labels == c)].mean(axis=0) for c in range(CLASSES)])
        priors = np.bincount(labels[train], minlength=CLASSES) / train.sum()
        held = (folds == fold) & (labels % groups == group)
        for i, s in enumerate(SHRINKAGES):
            shrunk = (1 - s) * covariance + s * np.trace(covariance) / WIDTH * np.eye(WIDTH)
            inverse = np.linalg.inv(shrunk)
            for at in np.flatnonzero(held):
                row = x[at]
                if head == "gda":
                    logits = means @ inverse @ row + np.log(priors)
                    logits -= 0.5 * np.einsum("cd,de,ce->c", means, inverse, means)
                else:
                    a, m = row - x[train].mean(axis=0), means - x[train].mean(axis=0)
                    squares = np.einsum("cd,de,ce->c", m, inverse, m) * (a @ inverse @ a)
                    logits = m @ inverse @ a / np.sqrt(squares)
                right[i, at] = logits.argmax() == labels[at]
    return right


@pytest.mark.parametrize(("head", "score"), [("gda", _logits), ("whitened-mean", _cosines)])
@pytest.mark.parametrize("shots", [2, 3, 10])  # updates of one decomposition, and one for each
def test_the_choice_is_that_of_the_plain_loop(head, score, shots) -> None:
    for seed in range(2):
        support = make(shots, seed)
        groups = within_class._GROUPS[len(support) > within_class._PLENTY * WIDTH]
        right = plain_hits(support, head, groups)[:, support.validation_rows(0).numpy()]
        lost = right[right.sum(axis=1).argmax()] - right
        good = lost.mean(axis=1) <= lost.std(axis=1) / lost.shape[1] ** 0.5
        got = SharedCovariance(support, score, 0).choose(SHRINKAGES)
        assert got == pytest.approx(np.array(SHRINKAGES)[good].mean())


@pytest.mark.parametrize("aside", [1, 12])
def test_what_is_left_out_is_the_covariance_without_it(aside) -> None:
    """Of one class by an update, of half the classes by a decomposition of its own."""
    support = make(6, 0)
    whole = SharedCovariance(support, _logits, 0).spectrum
    basis = Support(support.features @ whole.vectors.float(), support.labels, CLASSES)
    away = support.labels < aside
    covariance = _Covariance.without(basis, whole, away)
    assert (covariance.vectors is None) == (aside == 1)
    rows = covariance.inverse_root(0.2)(covariance.turn(basis.features))
    residuals = (support.features - support.means[support.labels])[~away].double()
    left = residuals.T @ residuals / len(residuals)
    shrunk = 0.8 * left + 0.2 * left.trace() / WIDTH * torch.eye(WIDTH)
    x = support.features.double()
    expected = x @ torch.linalg.inv(shrunk) @ x.T
    torch.testing.assert_close((rows @ rows.T).double(), expected, rtol=1e-4, atol=1e-3)


def test_evened_directions_turn_features_as_they_are() -> None:
    support = make(4, 0)
    spectrum = SharedCovariance(support, _cosines, 0, evened=True).spectrum
    turned = (support.features.double() - support.means[support.labels]) @ spectrum.vectors
    scales = channel_scales(support.features)
    expected = covariance_without(support, CLASSES, CLASSES + 1) / np.outer(scales, scales)
    covariance = turned.T @ turned / len(turned)
    torch.testing.assert_close(covariance, torch.diag(spectrum.values), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(spectrum.values.sum(), np.trace(expected), rtol=1e-5)


def test_of_many_images_a_seeded_sample_decides(monkeypatch) -> None:
    support = make(10, 0)
    everything = SharedCovariance(support, _cosines, 0).choose(SHRINKAGES)
    monkeypatch.setattr(
        Support, "validation_rows", partialmethod(Support.validation_rows, most=100)
    )
    chosen = [SharedCovariance(support, _cosines, 0).choose(SHRINKAGES) for _ in range(2)]
    assert chosen[0] == chosen[1]
    assert abs(chosen[0] - everything) <= 0.4
