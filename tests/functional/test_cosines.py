import pytest
import torch

from clipfg.functional.cosines import cosine_distance, cosines, widened


def test_cosines_of_all_rows_with_all() -> None:
    x, y = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    expected = torch.cosine_similarity(x[:, :, None], y[:, None], dim=-1)
    torch.testing.assert_close(cosines(x, y), expected)
    matching = 1 - torch.cosine_similarity(x, y[:, :3], dim=-1).mean()
    torch.testing.assert_close(cosine_distance(x, y[:, :3]), matching)


def test_a_zero_row_has_cosine_0() -> None:
    assert cosines(torch.zeros(1, 4), torch.ones(2, 4)).tolist() == [[0, 0]]


def test_autocast_does_not_round_them() -> None:
    x = torch.randn(20, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (x @ x.T).dtype == torch.bfloat16
        torch.testing.assert_close(cosines(x, x).diagonal(), torch.ones(20))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(torch.bfloat16, torch.float32), (torch.float16, torch.float32), (torch.float64,) * 2],
)
def test_half_is_widened_and_double_stays(dtype, expected) -> None:
    assert widened(torch.ones(2, dtype=dtype)).dtype == expected
