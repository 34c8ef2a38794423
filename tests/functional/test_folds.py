import torch

from clipfg.functional.folds import stratified_folds


def test_classes_are_spread_and_lone_items_stay() -> None:
    labels = torch.tensor([0] * 11 + [1] * 3 + [2] + [3] * 5)
    folds = stratified_folds(labels, seed=0, most=5)
    for label, count in enumerate((11, 3, 1, 5)):
        sizes = torch.bincount(folds[labels == label] + 1, minlength=6)
        if count == 1:
            assert sizes.tolist() == [1, 0, 0, 0, 0, 0]
        else:
            assert sizes[0] == 0
            assert sizes[1:].max() - sizes[1:].min() <= 1
    assert not torch.equal(folds, stratified_folds(labels, seed=1, most=5))
