"""Patch prototypes on patches whose true parts are known."""

from dataclasses import replace

import pytest
import torch

from clipfg.errors import UsageError
from clipfg.heads import FeatureSets
from clipfg.heads.patch_prototypes import ABSENT, PatchPrototypes

PARTS, SIDE, WIDTH, CLASSES = 6, 3, 12, 3
OWN = ((0, 1), (2, 3), (4, 5))
"""The two parts that tell each class."""


def scenes(count: int, seed: int = 0) -> tuple[FeatureSets, torch.Tensor, torch.Tensor]:
    """Patches of images, their labels, and the part that each patch shows, -1 for none."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.eye(WIDTH)[: PARTS + 1] * 4
    labels = torch.arange(count) % CLASSES
    shown = torch.full((count, SIDE * SIDE), -1)
    for image, label in enumerate(labels.tolist()):
        places = torch.randperm(SIDE * SIDE, generator=generator)[:2]
        shown[image, places] = torch.tensor(OWN[label])
    rows = directions[shown] + 0.3 * torch.randn(
        count, SIDE * SIDE, WIDTH, generator=generator
    )  # no part is the last direction
    views = rows + 0.3 * torch.randn(rows.shape, generator=generator)
    sets = FeatureSets(
        rows.flatten(0, 1),
        torch.arange(count + 1) * SIDE * SIDE,
        torch.full((count, 2), SIDE),
        views.flatten(0, 1)[None],
    )
    return sets, labels, shown


def few_steps() -> PatchPrototypes:
    return PatchPrototypes(prototypes=10, steps=50, threshold=1.0, per_class=4)


@pytest.fixture(scope="module")
def head() -> PatchPrototypes:
    sets, labels, _ = scenes(48)
    return few_steps().fit(sets, labels)


def test_it_tells_classes_by_their_parts(head) -> None:
    sets, labels, shown = scenes(60, seed=1)
    assert (head.logits(sets).argmax(dim=1) == labels).float().mean() > 0.95
    top, places = head.peaks(sets)
    for label, parts in enumerate(OWN):
        strongest = int(
            (head.presences(sets)[labels == label].mean(dim=0) * head.weights_[label]).argmax()
        )
        there = (labels == label) & (top[:, strongest] > 0)
        at = shown[there].gather(1, places[there, strongest, None]).flatten()
        assert len(at)
        assert torch.isin(at, torch.tensor(parts)).float().mean() > 0.9


def test_logits_are_those_of_a_loop(head) -> None:
    sets, _, _ = scenes(4, seed=2)
    for image, found in enumerate(head.logits(sets)):
        presence = torch.zeros(len(head.filters_))
        for row in sets.rows[image * 9 : (image + 1) * 9]:
            scores = torch.stack([f @ row for f in head.filters_]) + head.offsets_
            presence += scores.clamp_min(0) / 9
        presence[presence < ABSENT] = 0
        expected = [float(w @ presence) for w in head.weights_]
        torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_the_same_seed_gives_the_same_head(head) -> None:
    again = few_steps().fit(*scenes(48)[:2])
    assert torch.equal(again.filters_, head.filters_)
    assert torch.equal(again.weights_, head.weights_)


def test_presence_is_one_where_the_support_shows_a_prototype_most(head) -> None:
    sets, _, _ = scenes(48)
    means = head.scores(sets).unflatten(0, (48, 9)).mean(dim=1)
    torch.testing.assert_close(means.amax(dim=0), torch.ones(len(head.filters_)))


def test_fewer_patches_show_a_prototype_above_a_higher_threshold(head) -> None:
    sets, labels, _ = scenes(48)
    strict = replace(few_steps(), threshold=2.0).fit(sets, labels)
    assert (strict.scores(sets) > 0).float().mean() < (head.scores(sets) > 0).float().mean()


def test_weights_are_sparse_and_never_below_zero(head) -> None:
    assert (head.weights_ >= 0).all()
    assert (head.weights_ == 0).float().mean() > 0.5
    assert ((head.weights_ > 0).sum(dim=1) <= 4).all()


def test_examples_show_their_prototype_most(head) -> None:
    sets, _, _ = scenes(48)
    scores = head.scores(sets).unflatten(0, (48, 9))
    for number, pairs in enumerate(head.examples_.tolist()):
        best = scores[..., number].amax(dim=1).topk(len(pairs)).values
        found = [float(scores[image, patch, number]) for image, patch in pairs]
        torch.testing.assert_close(torch.tensor(found), best)
        assert len({image for image, _ in pairs}) == len(pairs)


def test_a_prototype_can_be_switched_off(head) -> None:
    sets, _, _ = scenes(12)
    number = int(head.weights_[0].argmax())
    left = head.without([number])
    assert left.off_ == [number]
    assert head.off_ == []
    assert (left.weights_[:, number] == 0).all()
    kept = torch.arange(len(head.filters_)) != number
    expected = head.presences(sets)[:, kept] @ head.weights_[:, kept].T
    torch.testing.assert_close(left.logits(sets), expected)
    with pytest.raises(UsageError, match="from 0 to 9, got 99"):
        head.without([99])
    with pytest.raises(UsageError, match="got all of them switched off"):
        head.without(range(10))


def test_some_classes_keep_what_speaks_for_them(head) -> None:
    sets, _, _ = scenes(6)
    some = head.among([2, 0])
    torch.testing.assert_close(some.logits(sets), head.logits(sets)[:, [2, 0]])
    torch.testing.assert_close(some.linear_logits(sets), head.linear_logits(sets)[:, [2, 0]])
    assert len(head.weights_) == CLASSES


def test_two_prototypes_at_the_same_places_are_duplicates(head) -> None:
    sets, _, _ = scenes(48)
    twin = head.without([])
    for name in ("filters_", "offsets_"):
        own = getattr(head, name)
        setattr(twin, name, torch.cat([own, own]))
    twin.weights_ = head.weights_.repeat(1, 2)
    twin._describe(sets)
    used = (head.weights_ > 0).any(dim=0).nonzero().flatten().tolist()
    present = [n for n in used if (twin.scores(sets)[:, n] > 0).any()]
    assert all([n, n + 10] in twin.duplicates_ for n in present)
    assert present


def test_images_without_further_views_are_their_own() -> None:
    sets, labels, _ = scenes(24)
    alone = FeatureSets(sets.rows, sets.offsets, sets.grids)
    head = few_steps().fit(alone, labels)
    assert (head.logits(sets).argmax(dim=1) == labels).float().mean() > 0.9


def test_the_linear_head_sees_the_mean_patch(head) -> None:
    sets, _, _ = scenes(6)
    means = sets.rows.unflatten(0, (6, 9)).mean(dim=1)
    means = means / means.norm(dim=1, keepdim=True)
    expected = means @ head.linear_.T + head.linear_bias_
    torch.testing.assert_close(head.linear_logits(sets), expected, rtol=1e-4, atol=1e-4)
