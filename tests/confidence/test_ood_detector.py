import numpy as np
import pytest
import torch

from clipfg.confidence import Confidence
from clipfg.confidence.guarantees import unknown_note
from clipfg.confidence.ood_detector import SCORES, auroc_on, reference_of, score
from clipfg.confidence.unseen_classes import without_classes
from clipfg.functional.novelty import auroc
from clipfg.heads import HEADS, FeatureSets
from clipfg.heads.items import Items
from clipfg.heads.support import Support


@pytest.fixture(scope="module")
def fitted(world):
    support = world.support(12)
    head = HEADS.get("gda")().fit(support.features, support.labels)
    return head, support, Confidence.fit(head, support, unknown=True)


def test_the_score_that_detects_held_out_classes_best_is_kept(fitted) -> None:
    detector = fitted[2].ood
    assert set(detector.aurocs) == set(SCORES)
    assert detector.aurocs[detector.score] == max(detector.aurocs.values()) > 0.6
    assert len(detector.known) == len(fitted[1])


def test_unseen_classes_are_less_familiar(fitted, world) -> None:
    head, _, confidence = fitted
    x, labels = world.draw(2400, 3, classes=12)  # four classes more
    familiar = confidence.ood.familiarity(confidence.calibrated(head.logits(x)), x)
    known = labels < 8
    assert auroc(familiar[known], familiar[~known]) > 0.6
    assert float((familiar[~known] <= 0.05).double().mean()) > 0.1


def test_one_known_image_in_twenty_is_flagged(world) -> None:
    called = []
    for seed in range(15):
        support = world.support(12, seed=200 + seed)
        head = HEADS.get("class-mean")().fit(support.features, support.labels)
        confidence = Confidence.fit(head, support, unknown=True)
        x, _ = world.draw(800, 300 + seed)
        familiar = confidence.ood.familiarity(confidence.calibrated(head.logits(x)), x)
        called.append(float((familiar <= 0.05).double().mean()))
    assert 0.02 < np.mean(called) < 0.05 + 2 * np.std(called) / np.sqrt(15)


@pytest.mark.parametrize("name", SCORES)
def test_the_same_heads_score_test_images(fitted, world, name) -> None:
    head, support, confidence = fitted
    trials = without_classes(head, support, 0)
    x, labels = world.draw(400, 6)
    found = []
    for trial in trials:
        logits = confidence.factor * trial.head.logits(x)
        values = score(name, logits, x, reference_of(name, trial.train))
        known = np.isin(labels, trial.known)
        found.append(auroc(values[known], values[~known]))
    got = auroc_on(name, trials, Items(x), labels, confidence.factor)
    assert got == pytest.approx(np.mean(found))
    assert auroc_on(name, trials[:1], Items(x[:1]), trials[0].known[:1], 1.0) is None


def test_a_bag_is_as_known_as_its_instances_are_on_average() -> None:
    draw = torch.Generator().manual_seed(0)
    rows = torch.randn(12, 4, generator=draw)
    bags = FeatureSets(rows, torch.tensor([0, 2, 5, 9, 12]))
    support = Support(bags.means, torch.tensor([0, 1, 0, 1]), 2, bags=bags)
    new = FeatureSets(torch.randn(5, 4, generator=draw), torch.tensor([0, 1, 5]))
    want, means = [], []
    for bag in (new.rows[:1], new.rows[1:]):
        cosines = [max(float(torch.cosine_similarity(x, y, dim=0)) for y in rows) for x in bag]
        want.append(sum(cosines) / len(cosines))
        mean = sum(bag) / len(bag)
        means.append(max(float(torch.cosine_similarity(mean, y, dim=0)) for y in bags.means))
    logits = torch.zeros(2, 2)
    for name, wanted in (("instances", want), ("neighbour", means)):
        got = score(name, logits, new, reference_of(name, support))
        torch.testing.assert_close(got, torch.tensor(wanted))
    assert support.items[torch.tensor([1, 3])].compared.rows.tolist() == [
        *rows[2:5].tolist(),
        *rows[9:].tolist(),
    ]


def test_with_two_classes_there_is_none_to_leave_out_and_the_nearest_image_decides(world) -> None:
    support = world.support(12, classes=2)
    head = HEADS.get("class-mean")().fit(support.features, support.labels)
    confidence = Confidence.fit(head, support, unknown=True)
    assert confidence.ood.score == "neighbour"
    assert not confidence.ood.aurocs
    note = unknown_note(Confidence.from_fields(confidence.to_fields()))
    assert "There are too few classes to leave some out" in note
    x, labels = world.draw(800, 3)
    familiar = confidence.ood.familiarity(head.logits(x), x)
    assert auroc(familiar[labels < 2], familiar[labels >= 2]) > 0.6
    assert Confidence.fit(head, support).ood is None
