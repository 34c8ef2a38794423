"""What compiling a loop asks of the machine, and of the arrays that it is given."""

import errno

import numpy as np
import pytest
import torch
from numba.core import caching

from clipfg.coresets.keco_loops import _compiled
from clipfg.coresets.keco_online import update_online
from tests.coresets.keco_loop import online


def add_one(values) -> None:
    for i in range(len(values)):
        values[i] += 1


def refuse(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_with_a_full_disk_a_loop_runs_once(monkeypatch) -> None:
    monkeypatch.setattr(caching.Cache, "save_overload", refuse)
    values = np.zeros(3)
    _compiled(add_one)(values)
    assert values.tolist() == [1, 1, 1]


def test_without_a_cache_folder_a_loop_is_compiled_all_the_same(monkeypatch) -> None:
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    values = np.zeros(3)
    _compiled(add_one)(values)
    assert values.tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_keys_keep_their_type(dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    keys, key_labels = torch.randn(4, 6, generator=generator), torch.tensor([1, 0, 1, 0])
    features, labels = torch.randn(40, 6, generator=generator), torch.arange(40) % 2
    keys, features = keys.to(dtype), features.T.contiguous().T.to(torch.float16)
    got = update_online(keys.requires_grad_(), key_labels, features, labels)
    assert got.dtype == dtype
    expected = online(
        keys.detach().double(), key_labels, features.double(), labels, 0.2, "least", torch.zeros(40)
    )
    torch.testing.assert_close(got, expected.to(dtype))


def test_a_key_without_a_direction_is_similar_to_nothing() -> None:
    keys = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    samples = torch.tensor([[1.0, 1.0]], dtype=torch.float64)
    labels = torch.zeros(2, dtype=torch.long)
    got = update_online(keys, labels, samples, labels[:1], rate=0.5)
    torch.testing.assert_close(got[0], samples[0] / 2)
    got = update_online(keys, labels, samples, labels[:1], rate=0.5, target="prototype")
    torch.testing.assert_close(got[0], keys[0])
    torch.testing.assert_close(got[1], (keys[1] + samples[0]) / 2)
