"""What is guaranteed holds: on drawn worlds here, on features of real images in test_real.py."""

import numpy as np
import pytest
import torch
from scipy.stats import betabinom

from clipfg.confidence import AnswerColumns, AnswerOptions, Confidence
from clipfg.confidence.confidence import FOLDS
from clipfg.errors import DataError
from clipfg.functional.metrics import expected_calibration_error
from clipfg.heads import HEADS, load_head, save_head
from clipfg.heads.support import Support
from clipfg.types import ClassList

CLASSES = ClassList(tuple(f"c{i}" for i in range(8)))


def fit(support: Support, name: str = "gda"):
    return HEADS.get(name)().fit(support.features, support.labels)


def ece(logits, labels) -> float:
    shares = logits.softmax(1)
    hits = shares.argmax(1) == labels
    return expected_calibration_error(shares.amax(1).numpy(), hits.numpy())


@pytest.mark.parametrize("held_out", [True, False])
def test_probabilities_mean_what_they_say_afterwards(world, held_out) -> None:
    support, calibration = world.support(12), world.support(50, seed=1)
    head = fit(support)
    confidence = Confidence.fit(head, support, calibration if held_out else None)
    x, labels = world.draw(4000, 2)
    logits = head.logits(x)
    assert ece(confidence.calibrated(logits), labels) < min(0.05, ece(logits, labels) / 1.5)
    assert torch.equal(confidence.calibrated(logits).argmax(1), logits.argmax(1))


def test_coverage_is_that_of_exact_conformal_prediction(world) -> None:
    support = world.support(8)
    head, (x, labels) = fit(support), world.draw(8000, 3)
    logits, inside, sizes = head.logits(x), 0, []
    for seed in range(100):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        held, test = order[:199], order[199:]
        confidence = Confidence.fit(head, support, Support(x[held], labels[held], 8), source="s")
        sets = AnswerColumns(AnswerOptions(prediction_set=0.9), CLASSES, confidence).sets(
            confidence.calibrated(logits[test]).softmax(1)
        )
        covered = int(sets.gather(1, labels[test, None]).sum())
        low, high = betabinom.ppf([0.025, 0.975], len(test), 180, 20)
        inside += low <= covered <= high
        sizes.append(float(sets.sum(1).double().mean()))
    assert inside >= 90  # binomial: 95 of 100, 90 or fewer with probability 0.03
    assert 1 < np.mean(sizes) < 4


def test_the_requested_error_holds_in_nine_of_ten_calibrations(world) -> None:
    support = world.support(8)
    head, (x, labels) = fit(support), world.draw(16000, 3)
    logits = head.logits(x)
    hits = logits.argmax(1) == labels
    target = round(0.5 * float((~hits).double().mean()), 3)
    broken, answered = 0, []
    for seed in range(100):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        held, test = order[:400], order[400:]
        confidence = Confidence.fit(head, support, Support(x[held], labels[held], 8), source="s")
        answers = AnswerColumns(AnswerOptions(target_error=target), CLASSES, confidence)
        given = answers.answered(confidence.calibrated(logits[test]).softmax(1))
        answered.append(float(given.double().mean()))
        wrong = int((given & ~hits[test]).sum())
        broken += wrong > target * int(given.sum())
    assert broken <= 10
    assert np.mean(answered) > 0.2  # it is not kept by silence


def test_folds_are_conservative(world) -> None:
    covered = []
    for seed in range(30):
        support = world.support(10, seed=100 + seed)
        head = fit(support)
        confidence = Confidence.fit(head, support)
        x, labels = world.draw(2000, 500 + seed)
        answers = AnswerColumns(AnswerOptions(prediction_set=0.9), CLASSES, confidence)
        sets = answers.sets(confidence.calibrated(head.logits(x)).softmax(1))
        covered.append(float(sets.gather(1, labels[:, None]).double().mean()))
    assert 0.89 <= np.mean(covered) <= 0.96
    assert confidence.source == FOLDS
    assert not confidence.guaranteed


def test_sets_for_each_class_cover_each_class(world) -> None:
    support = world.support(8)
    head, (x, labels) = fit(support), world.draw(16000, 3)
    confidence = Confidence.fit(head, support, world.support(60, seed=9), source="s")
    shares = confidence.calibrated(head.logits(x)).softmax(1)
    lowest = []
    for each in (False, True):
        sets = AnswerColumns(
            AnswerOptions(prediction_set=0.9, each_class=each), CLASSES, confidence
        ).sets(shares)
        covered = sets.gather(1, labels[:, None])[:, 0].double()
        lowest.append(min(float(covered[labels == k].mean()) for k in range(8)))
    assert lowest[1] > max(lowest[0], 0.8)
    assert confidence.with_enough(0.9).all()


def test_a_class_with_few_images_uses_the_quantile_of_all() -> None:
    own = torch.linspace(0, 1, 40)
    labels = torch.cat([torch.zeros(35), torch.ones(5)]).long()
    confidence = Confidence(1.0, own, own > 0.5, own, labels, 3, "s")
    quantiles = confidence.quantiles(0.9)
    assert confidence.with_enough(0.9).tolist() == [True, False, False]
    assert quantiles[0] != quantiles[1]
    assert quantiles[1:].tolist() == [confidence.quantile(0.9)] * 2


def test_one_image_per_class_is_reported_in_one_sentence(world) -> None:
    support = world.support(1)
    with pytest.raises(DataError, match="a class with two images"):
        Confidence.fit(fit(support, "class-mean"), support)


@pytest.mark.parametrize("unknown", [True, False])
def test_it_survives_saving_and_loading(world, tmp_path, unknown) -> None:
    support = world.support(8)
    head = fit(support)
    confidence = Confidence.fit(head, support, unknown=unknown)
    extras = {"confidence": confidence.to_fields()}
    save_head(tmp_path / "head", head, CLASSES, extras=extras)
    loaded = Confidence.from_fields(load_head(tmp_path / "head").extras["confidence"])
    x, _ = world.draw(50, 5)
    options = AnswerOptions(0.3, 0.8, unknown=unknown)
    first, second = (
        AnswerColumns(options, CLASSES, c).rows(x, head.logits(x)) for c in (confidence, loaded)
    )
    assert first == second
    assert (loaded.ood is not None) == unknown


def test_an_incomplete_record_is_refused(world) -> None:
    with pytest.raises(DataError, match="without 'certainty'"):
        Confidence.from_fields({"factor": 1.0})
