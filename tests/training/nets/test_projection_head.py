import torch

from clipfg.training.nets.projection_head import ProjectionHead


def test_rows_are_unit_norm_and_128_wide() -> None:
    head = ProjectionHead(16)
    rows = head(torch.randn(3, 5, 16))
    assert rows.shape == (3, 5, 128)
    torch.testing.assert_close(rows.norm(dim=-1), torch.ones(3, 5))


def test_it_is_linear_relu_linear() -> None:
    head, x = ProjectionHead(4, out=3, hidden=6), torch.randn(2, 4)
    first, _, second = head.layers
    hidden = (x @ first.weight.T + first.bias).clamp(min=0)
    rows = hidden @ second.weight.T + second.bias
    torch.testing.assert_close(head(x), rows / rows.norm(dim=1, keepdim=True))
