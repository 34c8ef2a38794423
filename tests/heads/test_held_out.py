from dataclasses import replace

import pytest
import torch

from clipfg.confidence import Confidence
from clipfg.confidence.unseen_classes import without_classes
from clipfg.functional.scaling import fit_temperature
from clipfg.heads import HEADS, held_out
from clipfg.heads.base import FeatureSets
from clipfg.heads.class_mean import ClassMean
from clipfg.heads.held_out import CrossFit
from clipfg.heads.support import Support
from tests.contracts.patch_mean import PatchMean
from tests.heads.conftest import make_problem


@pytest.fixture
def support() -> Support:
    problem = make_problem(shots=5)
    return Support.of("test", problem.x, problem.labels, None)


def cross_fit(support: Support, name: str = "class-mean") -> CrossFit:
    return CrossFit.of(HEADS.get(name)().fit(support.features, support.labels), support, 0)


def test_no_head_has_seen_what_it_classifies(support) -> None:
    fitted = cross_fit(support)
    folds = support.folds(0)
    assert torch.equal(fitted.labels, support.labels)
    for i in range(0, len(support), 3):
        kept = folds != folds[i]
        head = ClassMean().fit(support.features[kept], support.labels[kept])
        torch.testing.assert_close(fitted.logits[i], head.logits(support.features[i : i + 1])[0])


def test_folds_know_what_they_have_learnt_from(support) -> None:
    chosen = HEADS.get("gda")().fit(support.features, support.labels).shrinkage_
    for fold in cross_fit(support, "gda").folds:
        assert len(fold.train) + len(fold.rows) == len(support)
        own = {tuple(row) for row in fold.items.features.tolist()}
        assert not own & {tuple(row) for row in fold.train.features.tolist()}
        assert fold.head.config["shrinkage"] == chosen


def test_heads_on_patches_are_given_those_of_their_folds() -> None:
    problem = make_problem(shots=5)
    count, width = problem.x.shape
    rows = problem.x.repeat_interleave(3, dim=0)
    rows = rows + 0.05 * torch.randn(rows.shape, generator=torch.Generator().manual_seed(1))
    sets = FeatureSets(rows, 3 * torch.arange(count + 1), torch.tensor([[3, 1]] * count))
    support = Support.of("test", problem.x, problem.labels, torch.eye(6, width))
    support = replace(support, patches=sets)
    head = PatchMean().fit(sets, support.labels, support.texts)
    fitted, folds = CrossFit.of(head, support, 0), support.folds(0)
    for i in range(0, count, 7):
        kept = folds != folds[i]
        own = PatchMean().fit(sets[kept], support.labels[kept], support.texts)
        torch.testing.assert_close(fitted.logits[i], own.logits(sets[i : i + 1])[0])
    assert Confidence.fit(head, support).hits.double().mean() > 0.5
    for trial in without_classes(head, support, 0):
        alone = PatchMean().fit(trial.train.patches, trial.train.labels, trial.train.texts)
        assert torch.equal(alone.logits(sets), trial.head.logits(sets))


def test_the_factor_is_the_temperature_of_all_held_out_logits(support) -> None:
    fitted = cross_fit(support)
    assert fitted.factor == fit_temperature(fitted.logits, support.labels)


def test_a_part_of_them(support) -> None:
    whole = cross_fit(support).logits
    wanted = torch.tensor([1, 4, 20])
    some = cross_fit(support).among(wanted)
    assert sorted(some.order.tolist()) == [1, 4, 20]
    assert torch.equal(some.labels, support.labels[wanted])
    torch.testing.assert_close(some.logits, whole[wanted])


def test_blocks_are_the_same_logits_fold_by_fold(support, monkeypatch) -> None:
    monkeypatch.setattr(held_out, "_CELLS", 2 * support.classes)
    fitted = cross_fit(support)
    blocks = list(fitted.blocks())
    assert max(map(len, blocks)) == 2
    torch.testing.assert_close(torch.cat(blocks), fitted.logits[fitted.order])


def test_the_only_image_of_a_class_is_not_held_out() -> None:
    x = make_problem(shots=2).x[:5]
    fitted = cross_fit(Support.of("test", x, torch.tensor([0, 0, 1, 1, 2]), None))
    assert sorted(fitted.order.tolist()) == [0, 1, 2, 3]


def test_with_one_image_of_each_class_nothing_is_held_out() -> None:
    fitted = cross_fit(Support.of("test", make_problem(shots=2).x[:5], torch.arange(5), None))
    assert not fitted.folds
    assert fitted.factor == 1.0
