import pytest
import torch
from torch.nn.functional import normalize

from clipfg.coresets import make_coreset
from clipfg.coresets.keco_online import KeCOOnline, update_online
from clipfg.coresets.random import Random
from clipfg.errors import DataError, UsageError
from tests.coresets.keco_loop import online

TARGETS = ["least", "most", "random", "prototype"]


@pytest.fixture
def stream() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Keys in no order, 1 to 4 of each of five classes, and uneven samples of four of them."""
    generator = torch.Generator().manual_seed(0)
    key_labels = torch.tensor([4, 0, 2, 1, 0, 3, 2, 1, 0, 2, 0, 3])
    labels = torch.tensor([0] * 23 + [1] * 9 + [2] * 14 + [3] * 1)
    labels = labels[torch.randperm(len(labels), generator=generator)]
    keys = torch.randn(12, 7, generator=generator).double()  # of any norm
    features = normalize(torch.randn(len(labels), 7, generator=generator).double(), dim=1)
    return keys, key_labels, features, labels


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("rate", [0.2, 0.9, 1.0])
def test_it_is_the_loop(stream, target, rate) -> None:
    generator = torch.Generator().manual_seed(5)
    got = update_online(*stream, rate=rate, target=target, generator=generator)
    draws = torch.rand(len(stream[2]), generator=torch.Generator().manual_seed(5))
    expected = online(*stream, rate, target, draws)
    torch.testing.assert_close(got, expected)
    assert not torch.equal(got, stream[0])


@pytest.mark.parametrize("target", TARGETS)
def test_a_rate_of_0_changes_nothing(stream, target) -> None:
    assert torch.equal(update_online(*stream, rate=0, target=target), stream[0])


def test_keys_of_other_classes_never_move_and_inputs_stay(stream) -> None:
    keys, key_labels, features, labels = stream
    before = [tensor.clone() for tensor in stream]
    only = labels == 2
    got = update_online(keys, key_labels, features[only], labels[only])
    moved = (got != keys).any(dim=1)
    assert moved.any()
    assert set(key_labels[moved].tolist()) == {2}
    assert got.shape == keys.shape
    assert all(torch.equal(a, b) for a, b in zip(before, stream, strict=True))


def test_a_stream_in_parts_ends_as_the_whole(stream) -> None:
    keys, key_labels, features, labels = stream
    for part in torch.arange(len(features)).split(10):
        keys = update_online(keys, key_labels, features[part], labels[part])
    assert torch.equal(keys, update_online(*stream))


def test_no_samples_move_nothing(stream) -> None:
    keys, key_labels, features, labels = stream
    assert torch.equal(update_online(keys, key_labels, features[:0], labels[:0]), keys)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": torch.full((47,), 9)}, DataError, "got none of class 9"),
        ({"features": torch.randn(47, 1, 7)}, DataError, r"\[47, 1, 7\]"),
        ({"features": torch.randn(47, 6)}, DataError, r"\[47, 6\]"),
        ({"labels": torch.zeros(3, dtype=torch.long)}, DataError, "a label for each"),
        ({"rate": 1.5}, UsageError, "rate from 0 to 1"),
        ({"target": "lest"}, UsageError, "'lest'"),
    ],
)
def test_invalid_arguments_are_refused(stream, change, error, message) -> None:
    given = dict(zip(("keys", "key_labels", "features", "labels"), stream, strict=True)) | change
    with pytest.raises(error, match=message):
        update_online(**given)


def test_it_beats_its_own_start(problem) -> None:
    for per_class in (1, 5):
        start = Random().condense(problem.x, problem.labels, per_class)
        got = KeCOOnline().condense(problem.x, problem.labels, per_class)
        assert torch.equal(got.exemplars, start.exemplars)
        assert problem.accuracy(got) > problem.accuracy(start) + 0.02


def test_targets_are_part_of_the_name() -> None:
    assert make_coreset("keco-online:most", seed=3).config == {
        "target": "most",
        "rate": 0.2,
        "seed": 3,
    }
    with pytest.raises(UsageError, match="'herding' has no targets"):
        make_coreset("herding:most")
    with pytest.raises(UsageError, match="least, most, random, prototype"):
        make_coreset("keco-online:lest")
    with pytest.raises(UsageError, match="Did you mean 'keco-online'"):
        make_coreset("keco-onlin:most")
