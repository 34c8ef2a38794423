import numpy as np
import pytest
import torch

from clipfg.errors import DataError, UsageError
from clipfg.heads.zero_shot import ZeroShot


def test_logits_are_scaled_cosines_with_the_texts() -> None:
    rng = np.random.default_rng(0)
    weights, images = rng.normal(size=(5, 8)), rng.normal(size=(3, 8))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    unit = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    head = ZeroShot(scale=50.0, bias=-2.0).fit(text_weights=torch.tensor(weights))
    got = head.logits(torch.tensor(images))
    np.testing.assert_allclose(got, 50 * images @ unit.T - 2, rtol=1e-4, atol=1e-4)


def test_images_and_labels_are_ignored() -> None:
    weights, features = torch.eye(3), torch.randn(4, 3)
    shown = ZeroShot().fit(features, torch.tensor([0, 1, 2, 0]), weights)
    assert torch.equal(
        shown.logits(features), ZeroShot().fit(text_weights=weights).logits(features)
    )


def test_it_needs_text_weights() -> None:
    with pytest.raises(UsageError, match="text weights"):
        ZeroShot().fit(torch.eye(3), torch.arange(3))


def test_features_of_another_width_are_refused(unchecked) -> None:
    head = ZeroShot().fit(text_weights=torch.eye(3))
    with pytest.raises(DataError, match=r"width 3.*got width 4"):
        head.logits(torch.eye(4))
