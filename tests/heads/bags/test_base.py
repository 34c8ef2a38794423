"""Heads on bags: what they learn, and what bounds their memory."""

import pytest
import torch

from clipfg.errors import DataError
from clipfg.functional.novelty import auroc
from clipfg.heads import HEADS, FeatureSets
from clipfg.heads.bags import base, training
from clipfg.heads.bags.abmil import Abmil
from clipfg.heads.bags.bag_max import BagMax
from clipfg.heads.bags.dsagl import Dsagl
from tests.heads.bags.problem import bags


@pytest.mark.parametrize("kind", [BagMax, Dsagl])
def test_key_instances_are_found_without_their_labels(kind) -> None:
    (sets, labels, _), (tested, truth, key) = bags(60), bags(40, seed=1)
    head = kind(negative=0, steps=60).fit(sets, labels)
    logits, scores = (torch.cat(parts) for parts in zip(*head.read(tested), strict=True))
    assert torch.equal(logits, head.logits(tested))
    assert (logits.argmax(dim=1) == truth).float().mean() > 0.85
    assert head.evidence == [1]
    assert auroc(-scores[~key, 0], -scores[key, 0]) > 0.95


def test_steps_are_chosen_by_held_out_bags_and_by_nothing_else(monkeypatch) -> None:
    monkeypatch.setattr(base, "STEPS", (10, 5, 20))
    sets, labels, _ = bags()
    head = Abmil(negative=0).fit(sets, labels)
    losses = dict.fromkeys((10, 5, 20), 0.0)
    folds = training.stratified_folds(labels, 0, 3)
    for fold in range(3):
        for steps in losses:
            own = Abmil(negative=0, steps=steps).fit(sets[folds != fold], labels[folds != fold])
            logits = own.logits(sets[folds == fold]).log_softmax(dim=1)
            losses[steps] -= float(logits.gather(1, labels[folds == fold][:, None]).sum())
    assert head.steps_ == min(losses, key=losses.__getitem__)


def test_an_epoch_takes_no_more_of_a_large_bag_than_memory_has_room_for() -> None:
    sets = FeatureSets(torch.randn(5000, 4), torch.tensor([0, 3, 5000]))
    generator = torch.Generator().manual_seed(0)
    (batch,) = training.batches(sets, torch.tensor([0, 1]), generator)
    sizes = batch.offsets.diff().tolist()
    assert sorted(sizes) == [3, training.MOST]
    large = batch.rows[batch.offsets[sizes.index(training.MOST)] :][: training.MOST]
    places = (large[:, None] == sets.rows[3:]).all(dim=2).nonzero()[:, 1]
    assert len(places) == training.MOST
    assert (places.diff() > 0).all()


def test_rows_are_measured_as_numpy_does() -> None:
    rows = 5 + torch.randn(100, 3) * torch.tensor([1.0, 3.0, 0.0])
    mean, deviation = training.measure(rows)
    torch.testing.assert_close(mean, rows.mean(dim=0))
    torch.testing.assert_close(deviation[:2], rows[:, :2].std(dim=0, correction=0))
    assert deviation[2] == 1


def test_the_state_of_random_numbers_is_left_alone() -> None:
    sets, labels, _ = bags()
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    HEADS.get("transmil")(steps=1).fit(sets, labels).logits(sets)
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_empty_bag_is_refused() -> None:
    sets = FeatureSets(torch.randn(5, 3), torch.tensor([0, 2, 2, 5]))
    with pytest.raises(DataError, match="none in bag 1"):
        Abmil().fit(sets, torch.tensor([0, 1, 0]))
