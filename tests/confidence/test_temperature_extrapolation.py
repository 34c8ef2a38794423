"""The scale of the logits of a head that learnt from all, told by heads that learnt from parts."""

import numpy as np
import pytest
import torch

from clipfg.confidence import Confidence, temperature_extrapolation
from clipfg.functional.conformal import conformal_quantile
from clipfg.functional.scaling import fit_temperature
from clipfg.heads import HEADS, Head
from clipfg.heads.held_out import CrossFit
from clipfg.heads.support import Support
from tests.confidence.conftest import World

BOAST = 3.0


class Boaster(Head):
    """The same answers whatever it learns from, surer by `exp(BOAST / k)` with `k` images."""

    name = "boaster"

    def fit(self, features=None, labels=None, text_weights=None) -> "Boaster":
        classes = int(labels.max()) + 1
        self.scale_ = float(np.exp(BOAST * classes / len(labels)))
        self.weights_ = torch.eye(classes, features.shape[1], dtype=features.dtype)
        return self

    def logits(self, features):
        return 5 * self.scale_ * features @ self.weights_.T


def factors(head: Head, support: Support) -> tuple[float, float]:
    folds = CrossFit.of(head, support, 0, temperature_extrapolation.FOLDS)
    return temperature_extrapolation.factor_of_all(head, folds, 0), folds.factor


@pytest.mark.parametrize("each", [4, 12, 40])
def test_what_fades_with_the_number_of_images_is_extrapolated(each) -> None:
    support = World(np.eye(8, 12), noise=0.3).support(each)
    head = Boaster().fit(support.features, support.labels)
    found, own = factors(head, support)
    exact = fit_temperature(head.logits(support.features), support.labels)
    assert found == pytest.approx(exact, rel=1e-3)
    assert own < 0.995 * exact


@pytest.mark.parametrize("each", [2, 3])
def test_halves_of_one_image_are_not_used(world, each) -> None:
    support = world.support(each)
    found, own = factors(Boaster().fit(support.features, support.labels), support)
    assert found == own


def test_votes_keep_their_ties(world) -> None:
    support = world.support(8)
    head = HEADS.get("knn")(k=3, weights="vote").fit(support.features, support.labels)
    found, own = factors(head, support)
    assert found == own


def test_no_finite_factor_fits_logits_that_are_always_right() -> None:
    support = World(np.eye(8, 12), noise=0.01).support(8)
    found, own = factors(Boaster().fit(support.features, support.labels), support)
    assert found == own


@pytest.mark.parametrize("name", ["gda", "class-mean", "auto"])
def test_sets_of_few_images_with_many_channels_keep_their_coverage(name) -> None:
    """Four shots of 60 channels: a fold's covariance is quite another than the whole support's."""
    wide = World(np.random.default_rng(7).normal(size=(20, 60)), noise=2.2)
    covered = []
    for seed in range(15):
        support = wide.support(4, seed=100 + seed, classes=20)
        head = HEADS.get(name)().fit(support.features, support.labels)
        confidence = Confidence.fit(head, support)
        x, labels = wide.draw(2000, 500 + seed, classes=20)
        own = confidence.calibrated(head.logits(x)).softmax(1).gather(1, labels[:, None])[:, 0]
        scores = 1 - confidence.own.double()
        covered.append(
            [
                float((1 - own.double() <= conformal_quantile(scores, level)).double().mean())
                for level in (0.8, 0.9, 0.95)
            ]
        )
    above = np.mean(covered, axis=0) - (0.8, 0.9, 0.95)
    noise = np.std(covered, axis=0) / len(covered) ** 0.5
    assert (above > -2.5 * noise).all()
    assert (above < [0.055, 0.025, 0.02]).all()
