import pytest
import torch

from clipfg.confidence.unseen_classes import without_classes
from clipfg.heads import HEADS, FeatureSets
from clipfg.heads.support import Support


def test_one_shot_leaves_nothing_to_hold_out(world) -> None:
    support = world.support(1)
    head = HEADS.get("class-mean")().fit(support.features, support.labels)
    assert without_classes(head, support, 0) == []


def test_left_out_classes_are_unknown_to_their_head(world) -> None:
    support = world.support(6)
    head = HEADS.get("class-mean")().fit(support.features, support.labels)
    trials = without_classes(head, support, seed=0)
    left = [set(range(8)) - set(trial.known.tolist()) for trial in trials]
    assert sorted(k for group in left for k in group) == list(range(8))  # each class once
    for trial, group in zip(trials, left, strict=True):
        assert set(support.labels[trial.strange].tolist()) == group
        assert not set(support.labels[trial.familiar].tolist()) & group
        learnt = {tuple(row) for row in trial.train.features.tolist()}
        held = support.features[torch.cat([trial.familiar, trial.strange])]
        assert not learnt & {tuple(row) for row in held.tolist()}
        assert trial.head.logits(held).shape[1] == len(trial.known) == trial.train.classes


@pytest.mark.parametrize("negative", [0, 1, 2, None])
def test_the_negative_class_of_bags_always_stays(negative) -> None:
    rows = torch.eye(3).repeat_interleave(12, dim=0)
    sets = FeatureSets(rows, torch.arange(0, 37, 2))
    labels = torch.arange(3).repeat_interleave(6)
    head = HEADS.get("bag-mean")(negative=negative, steps=2).fit(sets, labels)
    trials = without_classes(head, Support(sets.means, labels, 3, bags=sets), 0)
    assert len(trials) == 3 - (negative is not None)
    for trial in trials:
        kept = trial.head.negative
        assert (None if kept is None else int(trial.known[kept])) == negative
        assert len(trial.train.bags) == len(trial.train.labels)
        assert trial.head.logits(sets).shape == (18, 2)


def test_texts_follow_their_classes(world) -> None:
    x, labels = world.draw(48, 0)
    texts = torch.eye(8, 12)
    head = HEADS.get("zero-shot")().fit(text_weights=texts)
    for trial in without_classes(head, Support(x, labels, 8, texts), 0):
        assert torch.equal(trial.head.weights_, texts[trial.known])
