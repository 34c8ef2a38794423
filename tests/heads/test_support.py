import pytest
import torch

from clipfg.errors import DataError, UsageError
from clipfg.heads.support import Support, about_as_good

X = torch.eye(6)


def labels(*values: int) -> torch.Tensor:
    return torch.tensor(values)


def test_classes_come_from_texts_or_from_labels() -> None:
    assert Support.of("h", X, labels(0, 0, 1, 1, 2, 2), None).classes == 3
    assert Support.of("h", X, labels(0, 0, 1, 1, 2, 2), torch.eye(6)[:3]).classes == 3


@pytest.mark.parametrize(
    ("features", "given", "texts", "message"),
    [
        (X, labels(0, 0, 2, 2, 2, 2), None, "none of class 1"),
        (X[:4], labels(0, 1, 2, 3), torch.eye(6), r"none of class 4 \(2 classes"),
        (X, labels(0, 1, 2, 3), None, "6 features and 4 labels"),
        (X[:0], labels()[:0].long(), None, "at least one"),
        (X, labels(0, -1, 0, 0, 0, 0), None, "got -1 to 0"),
        (X, labels(0, 1, 2, 3, 4, 5), torch.eye(6)[:3], "from 0 to 2, got 0 to 5"),
        (X, labels(0, 0, 0, 1, 1, 1), torch.eye(5)[:2], "width 6.*width 5"),
        (X * torch.nan, labels(0, 0, 0, 1, 1, 1), None, "finite"),
    ],
)
def test_unusable_supports_are_refused(features, given, texts, message) -> None:
    with pytest.raises(DataError, match=message):
        Support.of("h", features, given, texts)


def test_what_is_missing() -> None:
    with pytest.raises(UsageError, match="labelled features for the h head"):
        Support.of("h", None, None, X)
    with pytest.raises(UsageError, match="text weights for the h head"):
        Support.of("h", X, labels(0, 1, 2, 3, 4, 5), None, needs_texts=True)


def test_means() -> None:
    support = Support.of("h", X, labels(1, 0, 1, 0, 0, 0), None)
    expected = torch.stack([X[[1, 3, 4, 5]].mean(0), X[[0, 2]].mean(0)])
    torch.testing.assert_close(support.means, expected)


@pytest.mark.parametrize("shots", [2, 3, 5, 16])
def test_folds_are_stratified_and_cover_everything(shots) -> None:
    y = torch.arange(7).repeat(shots)
    support = Support.of("h", torch.randn(len(y), 4), y, None)
    folds = support.folds(seed=3)
    assert int(folds.max()) + 1 == min(shots, 5)
    for fold in range(int(folds.max()) + 1):
        counts = torch.bincount(y[folds == fold], minlength=7)
        assert int(counts.max()) - int(counts.min()) <= 1
        assert int(counts.min()) >= shots // 5
    held = torch.cat([rows for _, rows in support.splits(seed=3)])
    assert held.sort().values.tolist() == list(range(len(y)))
    for train, rows in support.splits(seed=3):
        assert len(train) + len(rows) == len(y)
        assert int(train.counts.min()) > 0


def test_folds_follow_the_seed() -> None:
    y = torch.arange(7).repeat(10)
    support = Support.of("h", torch.randn(70, 4), y, None)
    assert torch.equal(support.folds(0), support.folds(0))
    assert not torch.equal(support.folds(0), support.folds(1))


def test_a_class_with_one_image_is_always_trained_on() -> None:
    support = Support.of("h", X, labels(0, 0, 0, 1, 0, 0), None)
    assert support.folds(0)[3] == -1
    assert all(int(train.counts.min()) > 0 for train, _ in support.splits(0))
    assert Support.of("h", X, labels(0, 1, 2, 3, 4, 5), None).splits(0) == []


def test_about_as_good_is_within_a_paired_standard_error() -> None:
    best = torch.tensor([True] * 80 + [False] * 20)
    swapped = best.clone()
    swapped[[78, 79, 80]] = torch.tensor([False, False, True])  # 2 lost, 1 gained: error 0.017
    worse = best.clone()
    worse[76:80] = False  # 4 lost: error 0.0196
    assert about_as_good(torch.stack([worse, best, swapped])).tolist() == [False, True, True]
