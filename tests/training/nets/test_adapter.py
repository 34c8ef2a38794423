import torch

from clipfg.training.nets.adapter import Adapter


def test_it_blends_by_the_ratio() -> None:
    adapter, x = Adapter(8, reduction=4, ratio=0.3), torch.randn(5, 8)
    down, up = (layer.weight for layer in adapter.layers if hasattr(layer, "weight"))
    assert down.shape == (2, 8)
    expected = 0.3 * ((x @ down.T).clamp(min=0) @ up.T).clamp(min=0) + 0.7 * x
    torch.testing.assert_close(adapter(x), expected)


def test_at_ratio_0_features_pass_unchanged() -> None:
    x = torch.randn(5, 8)
    assert torch.equal(Adapter(8, ratio=0.0)(x), x)
