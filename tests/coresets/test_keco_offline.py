import pytest
import torch
from torch.nn.functional import normalize

from clipfg.coresets.k_center import KCenter
from clipfg.coresets.keco_offline import KeCOOffline, update_offline
from clipfg.coresets.random import Random
from clipfg.errors import UsageError
from tests.coresets.keco_loop import offline
from tests.coresets.test_keco_online import TARGETS, stream  # noqa: F401


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("batch_size", [1, 10, 47, 1000])
def test_it_is_the_loop(stream, target, batch_size) -> None:  # noqa: F811
    options = {"rate": 0.3, "target": target, "epochs": 3, "batch_size": batch_size}
    got = update_offline(*stream, **options, generator=torch.Generator().manual_seed(5))
    generator = torch.Generator().manual_seed(5)
    orders, draws = [], []
    for _ in range(3):  # what is drawn, in the order in which it is drawn
        orders.append(torch.randperm(47, generator=generator))
        rand = torch.rand(47, generator=generator) if target == "random" else torch.zeros(47)
        draws.append(rand)
    expected = offline(*stream, 0.3, target, draws, orders, batch_size)
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("target", TARGETS)
def test_a_rate_of_0_changes_nothing(stream, target) -> None:  # noqa: F811
    assert torch.equal(update_offline(*stream, rate=0, target=target), stream[0])


def test_a_rate_of_1_with_one_batch_makes_a_key_its_batch_mean() -> None:
    generator = torch.Generator().manual_seed(1)
    features = normalize(torch.randn(30, 5, generator=generator), dim=1)
    labels = torch.arange(30) % 3
    keys = torch.randn(3, 5, generator=generator)
    got = update_offline(keys, torch.arange(3), features, labels, rate=1, epochs=1)
    expected = torch.stack([features[labels == c].mean(dim=0) for c in range(3)])
    torch.testing.assert_close(got, expected)


def test_keys_of_other_classes_never_move_and_inputs_stay(stream) -> None:  # noqa: F811
    keys, key_labels, features, labels = stream
    before = [tensor.clone() for tensor in stream]
    only = labels == 0
    got = update_offline(keys, key_labels, features[only], labels[only])
    moved = (got != keys).any(dim=1)
    assert set(key_labels[moved].tolist()) == {0}
    assert all(torch.equal(a, b) for a, b in zip(before, stream, strict=True))


def test_every_pass_has_another_order_and_drops_nothing() -> None:
    # A batch of one at a rate of 1 leaves the key on the last sample of the last pass.
    features, labels = torch.eye(7), torch.zeros(7, dtype=torch.long)
    ends = []
    for epochs in range(1, 9):
        generator = torch.Generator().manual_seed(0)
        got = update_offline(
            torch.ones(1, 7),
            torch.zeros(1, dtype=torch.long),
            features,
            labels,
            rate=1,
            epochs=epochs,
            batch_size=1,
            generator=generator,
        )
        ends.append(int(got.argmax()))
    assert len(set(ends)) > 2
    # Seven samples in batches of three: at a rate of 1 the key is the mean of a batch of one.
    got = update_offline(
        torch.ones(1, 7), torch.zeros(1).long(), features, labels, rate=1, epochs=1, batch_size=3
    )
    assert sorted(got.flatten().tolist()) == [0, 0, 0, 0, 0, 0, 1]


def test_it_beats_random_and_k_center_at_equal_size(problem) -> None:
    for per_class in (2, 5):
        got, *controls = (
            strategy.condense(problem.x, problem.labels, per_class)
            for strategy in (KeCOOffline(), Random(), KCenter())
        )
        own = problem.accuracy(got)
        assert all(own > problem.accuracy(control) + 0.02 for control in controls)


@pytest.mark.shared
def test_it_beats_random_and_k_center_on_real_images(shared) -> None:
    import numpy as np

    data = np.load(shared / "data" / "clip-features" / "fgvc.npz", allow_pickle=False)
    x, queries = (torch.tensor(data[name].astype("float32")) for name in ("keys_16", "val_f"))
    labels, truth = torch.tensor(data["keys_16_l"]), torch.tensor(data["val_l"])

    def accuracy(strategy) -> float:
        got = strategy.condense(x, labels, 5)
        return float((got.labels[(queries @ got.keys.T).argmax(dim=1)] == truth).float().mean())

    own = accuracy(KeCOOffline())
    assert own > accuracy(Random()) + 0.05
    assert own > accuracy(KCenter()) + 0.05


@pytest.mark.parametrize("options", [{"epochs": 0}, {"batch_size": 0}])
def test_options_are_checked(stream, options) -> None:  # noqa: F811
    with pytest.raises(UsageError, match="of at least 1"):
        update_offline(*stream, **options)
