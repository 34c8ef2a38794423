import torch

from clipfg.coresets.random import Random


def test_every_item_is_as_likely_as_any_other() -> None:
    features, labels = torch.ones(8, 2), torch.zeros(8, dtype=torch.long)
    chosen = [Random(seed).condense(features, labels, 2).exemplars for seed in range(400)]
    counts = torch.bincount(torch.cat(chosen), minlength=8)
    assert counts.sum() == 800
    assert counts.min() > 70  # of 100 each: not the first of the class
    assert counts.max() < 130


def test_keys_are_the_items() -> None:
    features = torch.nn.functional.normalize(torch.arange(1.0, 25).reshape(8, 3), dim=1)
    got = Random().condense(features, torch.arange(8) % 2, 3)
    assert torch.equal(got.keys, features[got.exemplars])
