import pytest
import torch

from clipfg.functional.similarity import unit_norm
from clipfg.heads import held_out
from clipfg.heads.held_out import CrossFit
from clipfg.heads.support import Support
from clipfg.heads.whitened_mean import WhitenedMean
from clipfg.workflows.lint.labels import HeldOutProbabilities


@pytest.fixture
def support() -> Support:
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(60) % 4
    x = 2 * torch.eye(4, 9)[labels] + torch.randn(60, 9, generator=generator)
    return Support.of("test", unit_norm(x), labels, None)


def test_blocks_are_the_whole_matrix_and_come_twice(support, monkeypatch) -> None:
    monkeypatch.setattr(held_out, "_CELLS", 5 * support.classes)
    odds = HeldOutProbabilities.of(support, seed=0)
    head = WhitenedMean(seed=0).fit(support.features, support.labels)
    fitted = CrossFit.of(head, support, 0)
    assert sorted(odds.rows.tolist()) == list(range(60))
    expected = (odds.factor * fitted.logits).softmax(dim=1)[odds.rows]
    for _ in range(2):
        blocks = list(odds)
        assert max(map(len, blocks)) <= 5
        torch.testing.assert_close(torch.cat(blocks), expected)


def test_the_temperature_makes_the_labels_likely(support) -> None:
    odds = HeldOutProbabilities.of(support, seed=0)
    own = support.labels[odds.rows]
    likely = {
        change: float(
            torch.cat(list(HeldOutProbabilities(odds.fitted, odds.factor * change)))
            .gather(1, own[:, None])
            .log()
            .mean()
        )
        for change in (0.8, 1.0, 1.25)
    }
    assert max(likely, key=lambda change: likely[change]) == 1.0
