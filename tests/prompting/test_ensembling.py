import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clipfg.errors import DataError, UsageError
from clipfg.functional.similarity import unit_norm
from clipfg.prompting import Sentences, ensembling
from clipfg.prompting.ensembling import (
    ENSEMBLES,
    MEAN,
    EnsemblePart,
    combine,
    ensemble_mean,
    make_ensemble,
)


def features(seed: int, t: int, d: int = 9) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(t, d)) * 5).float()


def test_against_a_plain_loop() -> None:
    texts, owners = features(0, 6), [0, 1, 1, 2, 2, 2]
    expected = []
    for c in range(3):
        rows = [f.numpy().astype(float) for f, o in zip(texts, owners, strict=True) if o == c]
        mean = np.mean([row / np.linalg.norm(row) for row in rows], axis=0)
        expected.append(mean / np.linalg.norm(mean))
    np.testing.assert_allclose(ensemble_mean(texts, torch.tensor(owners)), expected, atol=1e-6)


@given(st.integers(0, 1000))
def test_one_template_is_plain_clip_to_the_bit(seed) -> None:
    texts = features(seed, 4)
    assert torch.equal(ensemble_mean(texts, torch.arange(4)), unit_norm(texts))


@given(st.randoms(use_true_random=False))
def test_the_order_of_templates_does_not_matter(random) -> None:
    texts, owners = features(1, 8), torch.tensor([0, 0, 0, 1, 1, 1, 2, 2])
    order = list(range(8))
    random.shuffle(order)
    shuffled = ensemble_mean(texts[order], owners[order])
    torch.testing.assert_close(shuffled, ensemble_mean(texts, owners), atol=1e-6, rtol=0)


def test_the_norm_of_a_feature_does_not_matter() -> None:
    texts, owners = features(2, 4), torch.tensor([0, 0, 1, 1])
    scaled = texts * torch.tensor([[1.0], [50.0], [0.1], [3.0]])
    torch.testing.assert_close(ensemble_mean(scaled, owners), ensemble_mean(texts, owners))


def test_the_registry_knows_it() -> None:
    assert ENSEMBLES.get("mean") is MEAN
    sentences = Sentences.of([(0, 0, "a"), (1, 0, "b"), (1, 1, "c")])
    texts = features(4, 3)
    expected = ensemble_mean(texts, torch.tensor([0, 1, 1]))
    assert torch.equal(make_ensemble("mean").weights(texts, sentences), expected)


@pytest.mark.parametrize(
    ("owners", "message"),
    [([0, 2], "got none for 1"), ([0], "as many owners"), ([-1, 0], "from 0 up")],
)
def test_invalid_owners(owners, message) -> None:
    with pytest.raises(DataError, match=message):
        ensemble_mean(features(0, 2), torch.tensor(owners))


def test_texts_that_cancel_are_an_error() -> None:
    with pytest.raises(DataError, match="non-zero"):
        ensemble_mean(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([0, 0]))


def rendered(counts: list[int]) -> Sentences:
    return Sentences.of([(c, i, f"{c}-{i}") for c, n in enumerate(counts) for i in range(n)])


@pytest.mark.parametrize(
    ("name", "message"),
    [("means", "Did you mean 'mean'"), ("mean+mean", "distinct"), ("", "Expected the name")],
)
def test_invalid_combinations_of_names(name, message) -> None:
    with pytest.raises(UsageError, match=message):
        make_ensemble(name)


def test_every_name_and_some_combinations_make_plain_clip_of_one_sentence() -> None:
    texts, sentences, images = features(5, 3), rendered([1, 1, 1]), unit_norm(features(6, 4))
    for name in [*ENSEMBLES, "weighted+score-mean", "waffle+sentences+weighted"]:
        weights = make_ensemble(name).weights(texts, sentences, images)
        torch.testing.assert_close(weights, unit_norm(texts), atol=1e-6, rtol=0)


def test_at_most_one_part_weighs_and_it_is_given_unit_norm_features(monkeypatch) -> None:
    seen = []

    def weigh(features, sentences, images, scale):
        seen.append((features, scale))
        return torch.ones(len(sentences))

    monkeypatch.setattr(ensembling, "OTHER", EnsemblePart(weigh=weigh), raising=False)
    monkeypatch.setattr(ENSEMBLES, "_targets", dict(ENSEMBLES._targets))
    ENSEMBLES.register("other", "clipfg.prompting.ensembling:OTHER")
    with pytest.raises(UsageError, match="at most one of them weighted"):
        make_ensemble("weighted+other")
    texts, images = features(9, 3), unit_norm(features(6, 4))
    make_ensemble("other").weights(texts, rendered([1, 1, 1]), images, 7.0)
    assert torch.equal(seen[0][0], unit_norm(texts))
    assert seen[0][1] == 7.0


def test_missing_images_are_an_error_where_they_are_needed() -> None:
    assert make_ensemble("waffle+weighted").needs_images
    assert not make_ensemble("waffle+score-mean").needs_images
    with pytest.raises(UsageError, match="unlabelled images"):
        make_ensemble("weighted").weights(features(0, 2), rendered([1, 1]))


def test_counts_weigh_sentences_within_their_class() -> None:
    texts, owners = features(7, 4), torch.tensor([0, 0, 1, 1])
    got = combine(texts, owners, torch.tensor([3.0, 1.0, 10.0, 10.0]), renormalise=False)
    unit = (texts / texts.norm(dim=1, keepdim=True)).numpy()
    np.testing.assert_allclose(got[0], 0.75 * unit[0] + 0.25 * unit[1], atol=1e-6)
    np.testing.assert_allclose(got[1], 0.5 * unit[2] + 0.5 * unit[3], atol=1e-6)
    with pytest.raises(DataError, match="positive weight"):
        combine(texts, owners, torch.tensor([1.0, 0.0, 1.0, 1.0]))
