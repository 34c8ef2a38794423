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


def test_groups_stay_together_and_every_class_keeps_an_item_to_learn_from() -> None:
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.randint(0, 6, (60,), generator=generator).unique(return_inverse=True)[1]
        groups = torch.randint(0, 25, (60,), generator=generator) * 7
        for most in (2, 3, 5, 16):
            folds = stratified_folds(labels, seed, most, groups)
            for group in groups.unique():
                assert len(folds[groups == group].unique()) == 1
            held = [fold for fold in folds.unique().tolist() if fold >= 0]
            assert held == list(range(len(held)))
            assert len(held) <= most
            for fold in held:
                assert set(labels[folds != fold].tolist()) == set(labels.tolist())


def test_groups_of_one_class_are_spread_as_items_are() -> None:
    labels = torch.tensor([0] * 12 + [1] * 4 + [2] * 3)
    groups = torch.arange(19) // 2
    groups[12:16] = torch.tensor([20, 20, 21, 21])
    groups[16:] = 30
    folds = stratified_folds(labels, 0, 3, groups)
    assert torch.bincount(folds[labels == 0]).tolist() == [4, 4, 4]
    assert len(folds[labels == 1].unique()) == 2
    assert (folds[labels == 2] == -1).all()  # one group: no class may lose all of its items
    alone = torch.randperm(19, generator=torch.Generator().manual_seed(0))
    assert torch.equal(stratified_folds(labels, 0, 5, labels), torch.full((19,), -1))
    assert (stratified_folds(labels, 0, 5, alone) >= 0).all()
