import pytest
import torch

from clipfg.heads import HEADS, held_out
from clipfg.heads.class_mean import ClassMean
from clipfg.heads.held_out import among, by_folds, held_out_logits, joined, logit_blocks
from clipfg.heads.support import Support
from tests.heads.conftest import make_problem


@pytest.fixture
def support() -> Support:
    problem = make_problem(shots=5)
    return Support.of("test", problem.x, problem.labels, None)


def fold_heads(support: Support, name: str = "class-mean"):
    return by_folds(HEADS.get(name)().fit(support.features, support.labels), support, 0)


def test_no_head_has_seen_what_it_names(support) -> None:
    logits, rows = held_out_logits(fold_heads(support))
    folds = support.folds(0)
    assert rows.tolist() == list(range(len(support)))
    for i in range(0, len(support), 3):
        kept = folds != folds[i]
        head = ClassMean().fit(support.features[kept], support.labels[kept])
        torch.testing.assert_close(logits[i], head.logits(support.features[i : i + 1])[0])


def test_parts_know_what_they_have_learnt_from(support) -> None:
    parts = fold_heads(support, "gda")
    chosen = HEADS.get("gda")().fit(support.features, support.labels).shrinkage_
    for part in parts:
        assert len(part.train) + len(part.rows) == len(support)
        own = {tuple(row) for row in part.features.tolist()}
        assert not own & {tuple(row) for row in part.train.features.tolist()}
        assert part.head.config["shrinkage"] == chosen


def test_values_come_in_the_order_of_the_support(support) -> None:
    parts = fold_heads(support)
    values, rows = joined(parts, [part.rows.double() for part in parts])
    assert values.tolist() == rows.tolist() == list(range(len(support)))


def test_some_of_them(support) -> None:
    whole, _ = held_out_logits(fold_heads(support))
    wanted = torch.tensor([1, 4, 20])
    logits, rows = held_out_logits(among(fold_heads(support), wanted))
    assert rows.tolist() == [1, 4, 20]
    torch.testing.assert_close(logits, whole[wanted])


def test_blocks_are_the_same_logits_in_the_order_of_the_parts(support, monkeypatch) -> None:
    monkeypatch.setattr(held_out, "_CELLS", 2 * support.classes)
    parts = fold_heads(support)
    blocks = list(logit_blocks(parts))
    assert max(map(len, blocks)) == 2
    torch.testing.assert_close(torch.cat(blocks), torch.cat([part.logits for part in parts]))


def test_the_only_image_of_a_class_is_not_held_out() -> None:
    x = make_problem(shots=2).x[:5]
    parts = fold_heads(Support.of("test", x, torch.tensor([0, 0, 1, 1, 2]), None))
    assert held_out_logits(parts)[1].tolist() == [0, 1, 2, 3]
    assert fold_heads(Support.of("test", x, torch.arange(5), None)) == []
