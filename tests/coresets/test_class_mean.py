import torch
from sklearn.neighbors import NearestCentroid

from clipfg.coresets.class_mean import ClassMeanCoreset


def test_its_keys_are_the_centroids_of_scikit_learn(problem) -> None:
    centroids = NearestCentroid().fit(problem.x.numpy(), problem.labels.numpy()).centroids_
    got = ClassMeanCoreset().condense(problem.x, problem.labels, 1)
    expected = torch.nn.functional.normalize(torch.tensor(centroids), dim=1)
    torch.testing.assert_close(got.keys, expected.float())


def test_a_larger_budget_repeats_the_key_and_shows_more_items(problem) -> None:
    got = ClassMeanCoreset().condense(problem.x, problem.labels, 3)
    keys = got.keys.reshape(12, 3, -1)
    assert torch.equal(keys[:, 0], keys[:, 2])
    cosines = (problem.x[got.exemplars] * got.keys).sum(dim=1).reshape(12, 3)
    assert (cosines[:, :-1] >= cosines[:, 1:]).all()
    own = problem.x[problem.labels == 5] @ keys[5, 0]
    torch.testing.assert_close(cosines[5], own.sort(descending=True).values[:3])


def test_accuracy_is_that_of_one_key(problem) -> None:
    one, five = (ClassMeanCoreset().condense(problem.x, problem.labels, m) for m in (1, 5))
    assert problem.accuracy(one) == problem.accuracy(five)
