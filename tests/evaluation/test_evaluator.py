"""Against scikit-learn on the whole matrix of logits, which the evaluator never holds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from clipfg.errors import DataError
from clipfg.evaluation import Evaluator
from clipfg.evaluation.evaluator import point_estimates
from clipfg.evaluation.statistics.outcomes import Outcomes
from clipfg.types import ClassList

C = 8
PARENTS = {f"c{i}": f"genus {i // 2}" for i in range(C)} | {
    f"genus {i}": f"family {i // 2}" for i in range(4)
}
CLASSES = ClassList(tuple(f"c{i}" for i in range(C)), PARENTS)


def make(seed: int = 0, n: int = 90):
    """Logits `[n, C]` and labels; class 7 has no items."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(C - 1, size=n)
    logits = rng.normal(size=(n, C)).astype(np.float32)
    logits[np.arange(n), labels] += 1.5
    return torch.from_numpy(logits), torch.from_numpy(labels)


def evaluate(logits, labels, batch: int = 16, domains=None, classes=CLASSES) -> Evaluator:
    evaluator = Evaluator(classes, resamples=50)
    for start in range(0, len(labels), batch):
        part = slice(start, start + batch)
        evaluator.update(logits[part], labels[part], None if domains is None else domains[part])
    return evaluator


def test_numbers_are_scikit_learns() -> None:
    logits, labels = make()
    report = evaluate(logits, labels).report()
    predictions, present = logits.argmax(1), range(C - 1)
    value = {key: estimate.value for key, estimate in report.metrics.items()}
    assert value["top1"] == pytest.approx(reference.accuracy_score(labels, predictions))
    top5 = reference.top_k_accuracy_score(labels, logits, k=5, labels=range(C))
    assert value["top5"] == pytest.approx(top5)
    recalls = reference.recall_score(labels, predictions, labels=present, average="macro")
    assert value["mean_per_class"] == pytest.approx(recalls)
    f1 = reference.f1_score(labels, predictions, labels=present, average="macro")
    assert value["macro_f1"] == pytest.approx(f1)
    nll = reference.log_loss(labels, logits.double().softmax(1), labels=range(C))
    assert value["nll"] == pytest.approx(nll, rel=1e-5)
    assert (report.n, report.classes, report.absent) == (90, C, ("c7",))
    assert report.chance == 1 / C
    assert report.majority == np.bincount(labels).max() / 90


def test_calibration_error_is_zero_for_a_calibrated_model() -> None:
    # two classes at odds of 3 to 1, and three of four predictions right
    logits = torch.tensor([[np.log(3.0), 0.0]], dtype=torch.float32).expand(8, 2)
    labels = torch.tensor([0, 0, 0, 1] * 2)
    report = evaluate(logits, labels, classes=ClassList(("a", "b"))).report()
    assert report.metrics["ece"].value == pytest.approx(0, abs=1e-6)


def test_class_rows() -> None:
    logits, labels = make()
    report = evaluate(logits, labels).report()
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        labels, logits.argmax(1), labels=range(C), zero_division=np.nan
    )
    for i, row in enumerate(report.per_class[:-1]):
        assert (row.name, row.n) == (f"c{i}", support[i])
        assert (row.accuracy, row.precision, row.f1) == pytest.approx(
            (recall[i], precision[i], f1[i])
        )
        own = labels == i
        near = (logits[own].argsort(1, descending=True)[:, :5] == i).any(1).double().mean()
        assert row.top5 == pytest.approx(float(near))
    last = report.per_class[-1]
    assert (last.n, last.accuracy, last.top5, last.f1) == (0, None, None, None)


def test_confusions_are_the_matrix_off_its_diagonal() -> None:
    logits, labels = make()
    matrix = reference.confusion_matrix(labels, logits.argmax(1), labels=range(C))
    report = evaluate(logits, labels).report()
    expected = sorted((-matrix[i, j], i, j) for i in range(C) for j in range(C) if i != j)
    assert [-pair.count for pair in report.confusions] == [e[0] for e in expected if e[0]][:50]
    for pair in report.confusions:
        i, j = CLASSES.index(pair.true), CLASSES.index(pair.predicted)
        assert pair.count == matrix[i, j]
        assert pair.share == pytest.approx(matrix[i, j] / matrix[i].sum())
        genus, family = i // 2 == j // 2, i // 4 == j // 4
        assert pair.ancestor == (
            f"genus {i // 2}" if genus else f"family {i // 4}" if family else None
        )


def test_levels_of_the_taxonomy() -> None:
    logits, labels = make()
    report = evaluate(logits, labels).report()
    predictions = logits.argmax(1)
    for row, size in zip(report.by_level, (2, 4), strict=True):
        right = (predictions // size == labels // size).double().mean()
        assert row.accuracy.value == pytest.approx(float(right))
        assert (row.n, row.groups) == (90, C // size)
        assert row.chance == pytest.approx(size / C)
        assert row.accuracy.low < row.accuracy.value < row.accuracy.high


def test_levels_have_the_names_that_the_data_gives() -> None:
    logits, labels = make()
    named = ClassList(CLASSES.names, PARENTS, levels=("genus", "family"))
    titles = [row.title for row in evaluate(logits, labels, classes=named).report().by_level]
    assert titles == ["genus", "family"]
    titles = [row.title for row in evaluate(logits, labels).report().by_level]
    assert titles == ["parent", "grandparent"]


def test_severity_is_the_mean_height_of_what_both_share() -> None:
    logits, labels = make()
    found = evaluate(logits, labels).report().severity
    steps, chance = [], []

    def height(a: int, b: int) -> int:
        return 1 if a // 2 == b // 2 else 2 if a // 4 == b // 4 else 3

    for a, b in zip(labels.tolist(), logits.argmax(1).tolist(), strict=True):
        if a != b:
            steps.append(height(a, b))
            chance += [height(a, k) for k in range(C) if k != a]
    assert (found.mistakes, found.most) == (len(steps), 3)
    assert found.mean.value == pytest.approx(np.mean(steps))
    assert found.chance == pytest.approx(np.mean(chance))
    assert 1 <= found.mean.low < found.mean.value < found.mean.high <= 3


def test_no_mistake_or_no_taxonomy_has_no_severity() -> None:
    assert evaluate(torch.eye(C), torch.arange(C)).report().severity is None
    plain = ClassList(CLASSES.names)
    assert evaluate(*make(), classes=plain).report().severity is None


def test_a_ragged_taxonomy_counts_the_classes_that_reach_a_level() -> None:
    classes = ClassList(("a", "b", "c"), {"a": "x", "b": "y"})
    logits = torch.eye(3)
    (row,) = evaluate(logits, torch.tensor([0, 1, 2]), classes=classes).report().by_level
    assert (row.n, row.groups, row.accuracy.value) == (2, 2, 1.0)


def test_domains_share_one_label_space() -> None:
    logits, labels = make()
    domains = ["unseen" if label > 4 else "seen" for label in labels.tolist()]
    domains[0] = None
    report = evaluate(logits, labels, domains=domains).report()
    assert [row.name for row in report.by_domain] == ["seen", "unseen"]
    for row in report.by_domain:
        inside = torch.tensor([domain == row.name for domain in domains])
        right = (logits.argmax(1) == labels)[inside].double().mean()
        assert row.top1.value == pytest.approx(float(right))
        assert (row.n, row.classes) == (int(inside.sum()), len(labels[inside].unique()))


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 90))
def test_batches_and_order_do_not_matter(seed, batch) -> None:
    logits, labels = make(seed)
    order = np.random.default_rng(seed).permutation(90)
    whole, other = evaluate(logits, labels, 90), evaluate(logits[order], labels[order], batch)
    assert point_estimates(other.outcomes, C) == pytest.approx(point_estimates(whole.outcomes, C))


def test_items_without_a_label_are_counted_and_left_out() -> None:
    logits, labels = make()
    hidden = labels.clone()
    hidden[::3] = -1
    domains = [str(i % 3) for i in range(90)]
    got = evaluate(logits, hidden, domains=domains).report()
    known = hidden >= 0
    expected = evaluate(logits[known], labels[known]).report()
    assert got.unlabelled == 30
    assert got.metrics == expected.metrics
    assert [row.name for row in got.by_domain] == ["1", "2"]


def test_one_seed_one_report() -> None:
    logits, labels = make()
    first, second = evaluate(logits, labels).report(), evaluate(logits, labels, 7).report()
    assert first == second


def test_no_row_of_logits_is_kept() -> None:
    logits, labels = torch.randn(64, 1000), torch.zeros(64, dtype=torch.long)
    classes = ClassList(tuple(map(str, range(1000))))
    outcomes = evaluate(logits, labels, classes=classes).outcomes
    kept = [getattr(outcomes, name) for name in Outcomes.__dataclass_fields__]
    assert all(column.base is None or column.base.size <= 64 for column in kept)
    assert sum(column.nbytes for column in kept) <= 64 * 20


def test_labels_may_be_numpy_or_a_list() -> None:
    logits, labels = make()
    reports = [evaluate(logits, x).report() for x in (labels, labels.numpy(), labels.tolist())]
    assert reports[0] == reports[1] == reports[2]


@pytest.mark.parametrize(
    ("logits", "labels", "domains", "message"),
    [
        (torch.zeros(2, 3), [0, 1], None, r"shape \[b, 8\].*got \[2, 3\]"),
        (torch.zeros(8), [0], None, r"got \[8\]"),
        (torch.zeros(2, C), [0], None, "2 items, got 1 labels and no domains"),
        (torch.zeros(2, C), [0, 1], ["x"], "got 2 labels and 1 domains"),
        (torch.zeros(2, C), [0, 8], None, "from 0 to 7"),
        (torch.full((1, C), torch.nan), [0], None, "finite"),
    ],
)
def test_what_does_not_fit_is_refused(logits, labels, domains, message) -> None:
    with pytest.raises(DataError, match=message):
        Evaluator(CLASSES).update(logits, labels, domains)


def test_nothing_to_evaluate() -> None:
    evaluator = Evaluator(CLASSES)
    evaluator.update(torch.zeros(3, C), [-1, -1, -1])
    with pytest.raises(DataError, match=r"got none \(3 without a label\)"):
        evaluator.report()
