import torch

from clipfg.heads.class_mean import ClassMean
from clipfg.heads.held_out import held_out_logits
from clipfg.heads.support import Support
from tests.heads.conftest import make_problem


def test_no_head_has_seen_what_it_names() -> None:
    problem = make_problem(shots=5)
    support = Support.of("test", problem.x, problem.labels, None)
    logits, judged = held_out_logits(ClassMean, support)
    folds = support.folds(0)
    assert judged.all()
    for i in range(0, len(support), 3):
        kept = folds != folds[i]
        head = ClassMean().fit(problem.x[kept], problem.labels[kept])
        torch.testing.assert_close(logits[i], head.logits(problem.x[i : i + 1])[0])


def test_the_only_picture_of_a_class_is_not_judged() -> None:
    x = make_problem(shots=2).x[:5]
    support = Support.of("test", x, torch.tensor([0, 0, 1, 1, 2]), None)
    _, judged = held_out_logits(ClassMean, support)
    assert judged.tolist() == [True, True, True, True, False]
    alone = Support.of("test", x, torch.arange(5), None)
    assert not held_out_logits(ClassMean, alone)[1].any()
