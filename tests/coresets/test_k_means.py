import numpy as np
import torch
from sklearn.cluster import KMeans as Reference

from clipfg.coresets.class_mean import ClassMeanCoreset
from clipfg.coresets.k_means import KMeans


def test_keys_are_the_unit_norm_centres_of_scikit_learn(problem) -> None:
    got = KMeans().condense(problem.x, problem.labels, 3)
    ended = 0
    for label in range(12):
        own = problem.x[problem.labels == label].numpy()
        keys = got.keys[got.labels == label].numpy()
        # From a centre's members scikit-learn finds the same centres: they are where Lloyd ends.
        members = np.array([own[(own @ keys.T).argmax(axis=1) == j].mean(axis=0) for j in range(3)])
        fitted = Reference(3, init=members, n_init=1, tol=0).fit(own).cluster_centers_
        fitted /= np.linalg.norm(fitted, axis=1, keepdims=True)
        ended += np.allclose(fitted, keys, atol=1e-4)
    assert ended >= 9  # the nearest by angle need not be the nearest by distance


def test_one_key_a_class_is_the_class_mean(problem) -> None:
    first, second = (
        s.condense(problem.x, problem.labels, 1) for s in (KMeans(), ClassMeanCoreset())
    )
    torch.testing.assert_close(first.keys, second.keys)
    assert torch.equal(first.exemplars, second.exemplars)


def test_as_many_keys_as_items_are_the_items(problem) -> None:
    got = KMeans().condense(problem.x, problem.labels, 16)
    torch.testing.assert_close(got.keys, problem.x[got.exemplars])


def test_clusters_are_found(clustered) -> None:
    one, four = (
        clustered.accuracy(KMeans().condense(clustered.x, clustered.labels, m)) for m in (1, 4)
    )
    assert four > one + 0.05


def test_exemplars_are_the_nearest_items(problem) -> None:
    got = KMeans().condense(problem.x, problem.labels, 2)
    own = (problem.labels == 3).nonzero().flatten()
    keys = got.keys[got.labels == 3]
    assert got.exemplars[got.labels == 3][0] == own[(problem.x[own] @ keys[0]).argmax()]
