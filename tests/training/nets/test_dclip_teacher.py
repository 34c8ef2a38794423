import torch

from clipfg.training.nets.dclip_teacher import DclipTeacher


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    region_mask = torch.tensor([[True, True, False], [False] * 3])
    span_mask = torch.tensor([[True, False], [True, True]])
    return torch.randn(2, 3, 16), torch.randn(2, 2, 16), region_mask, span_mask


def test_padding_is_not_read() -> None:
    regions, spans, region_mask, span_mask = inputs()
    teacher = DclipTeacher(16, heads=2)
    other = regions.masked_fill(~region_mask[..., None], 5.0)
    others = spans.masked_fill(~span_mask[..., None], -5.0)
    got = teacher(other, others, region_mask, span_mask)
    torch.testing.assert_close(got, teacher(regions, spans, region_mask, span_mask))
    trimmed = teacher(regions[:1, :2], spans[:1, :1], region_mask[:1, :2], span_mask[:1, :1])
    torch.testing.assert_close(got[:1], trimmed)


def test_an_image_without_regions_has_an_embedding_and_gradients() -> None:
    teacher = DclipTeacher(16, heads=2)
    got = teacher(*inputs())
    got.sum().backward()
    assert got.isfinite().all()
    assert all(p.grad.isfinite().all() for p in teacher.parameters())


def test_one_region_and_one_span_make_half_each() -> None:
    torch.manual_seed(0)
    teacher = DclipTeacher(16, heads=2)
    region, span, one = torch.randn(1, 1, 16), torch.randn(1, 1, 16), torch.ones(1, 1).bool()

    def values(attention: torch.nn.MultiheadAttention, rows: torch.Tensor) -> torch.Tensor:
        weight, bias = attention.in_proj_weight[32:], attention.in_proj_bias[32:]
        return attention.out_proj(rows @ weight.T + bias)  # a softmax over one row is 1

    read = teacher.region_norm(region + values(teacher.to_spans, span))
    seen = teacher.span_norm(span + values(teacher.to_regions, region))
    torch.testing.assert_close(teacher(region, span, one, one), ((read + seen) / 2)[:, 0])
