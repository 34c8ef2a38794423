import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clipfg.errors import DataError
from clipfg.functional.similarity import unit_norm
from clipfg.prompting import Sentences
from clipfg.prompting.ensembling import ENSEMBLES, MEAN, ensemble_mean, make_ensemble


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


def test_the_length_of_a_feature_does_not_weigh() -> None:
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
def test_owners_that_do_not_fit(owners, message) -> None:
    with pytest.raises(DataError, match=message):
        ensemble_mean(features(0, 2), torch.tensor(owners))


def test_texts_that_cancel_are_an_error() -> None:
    with pytest.raises(DataError, match="non-zero"):
        ensemble_mean(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([0, 0]))
