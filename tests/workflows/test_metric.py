"""How images are compared: what `--metric whitened` learns from a store's labels."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from clipfg.errors import UsageError
from clipfg.store import KeyStore
from clipfg.types import ClassList
from clipfg.workflows.metric import Metric
from clipfg.workflows.retrieve.search import search

CLASSES, PER_CLASS, WIDTH = 8, 12, 24


def drawn(per_class: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes differ in the last eight channels; the first ones, of larger spread, say nothing."""
    rng = np.random.default_rng(seed)
    labels = np.arange(CLASSES).repeat(per_class)
    x = 0.2 * rng.standard_normal((len(labels), WIDTH))
    x[:, :4] = 2 * rng.standard_normal((len(labels), 4))
    x[np.arange(len(labels)), WIDTH - CLASSES + labels] += 1
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), labels


def store_of(keys: np.ndarray, labels: list[int | None], **options: object) -> KeyStore:
    ids = [f"{i:03}" for i in range(len(keys))]
    items = pa.table({"id": ids, "uri": ids, "label": pa.array(labels, pa.int32())})
    names = ClassList(tuple(f"class {i}" for i in range(CLASSES)))
    return KeyStore.of(items, keys, classes=names, **options)


@pytest.fixture(scope="module")
def store() -> KeyStore:
    """Every fourth key has no label."""
    keys, labels = drawn(PER_CLASS, 0)
    return store_of(keys, [None if i % 4 == 3 else int(k) for i, k in enumerate(labels)])


def nearest(metric: Metric, queries: np.ndarray) -> np.ndarray:
    turned = metric.photos(torch.from_numpy(queries)).numpy()
    return metric.store.search(turned, 1).positions[:, 0]


def test_cosine_changes_nothing(store) -> None:
    metric = Metric.of("cosine", store)
    x = torch.randn(3, WIDTH)
    assert metric.store is store
    assert metric.photos(x) is x
    assert metric.texts(x, lambda: x) is x


def test_labels_teach_what_tells_unseen_images_apart(store) -> None:
    """Keys without a label are found by it too."""
    truth = np.arange(CLASSES).repeat(PER_CLASS)
    queries, asked = drawn(20, 1)
    plain = truth[nearest(Metric.of("cosine", store), queries)] == asked
    found = nearest(Metric.of("whitened", store), queries)
    whitened = truth[found] == asked
    assert plain.mean() < 0.5
    assert whitened.mean() > 0.9
    assert (found % 4 == 3).any()


def test_one_image_of_each_class_evens_channels_by_hand() -> None:
    """Spread within classes is not known then: channels are divided by the root of their deviation,
    which twenty rows of the mean variance steady."""
    keys, labels = drawn(1, 2)
    metric = Metric.of("whitened", store_of(keys, labels.tolist()))
    variances = keys.var(axis=0)
    steady = (len(keys) * variances + 20 * variances.mean()) / (len(keys) + 20)
    scaled = (keys - keys.mean(axis=0)) / steady**0.25
    expected = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    got = metric.store.keys
    np.testing.assert_allclose(got @ got.T, expected @ expected.T, atol=1e-5)


def test_texts_stand_for_directions(store) -> None:
    """In another cone, around another mean, and still in their class's direction."""
    texts = torch.eye(CLASSES, WIDTH).roll(WIDTH - CLASSES, dims=1) + 3 * torch.ones(WIDTH)
    metric = Metric.of("whitened", store)
    turned = metric.texts(texts, lambda: texts)
    first = metric.store.search(turned.numpy(), 5).positions
    truth = np.arange(CLASSES).repeat(PER_CLASS)
    assert (truth[first] == np.arange(CLASSES)[:, None]).mean() > 0.9
    plain = store.search((texts / texts.norm(dim=1, keepdim=True)).numpy(), 5).positions
    assert (truth[plain] == np.arange(CLASSES)[:, None]).mean() < 0.9


def test_copies_are_told_by_the_features_as_they_are(store) -> None:
    """A copy stays one, and images that whitening brings together stay two."""
    keys = np.concatenate([store.keys, store.keys[:1]])
    labels = [*store.items["label"].to_pylist(), 0]
    metric = Metric.of("whitened", own := store_of(keys, labels))
    query = metric.photos(torch.from_numpy(own.keys[:1])).numpy()
    ((rows, _),) = search(metric.store, query, 10, duplicate=0.98, looks=own.keys)
    by_hand = [int(r) for r in metric.store.search(query, 20).positions[0]]
    kept: list[int] = []
    for row in by_hand:
        if all(float(own.keys[row] @ own.keys[other]) < 0.98 for other in kept):
            kept.append(row)
    assert rows.tolist() == kept[:10]
    assert (0 in kept) != (len(store) in kept)


def test_another_index_is_searched_exactly(store) -> None:
    keys, labels = drawn(PER_CLASS, 0)
    approximate = store_of(keys, labels.tolist(), factory="IVF4,Flat")
    assert Metric.of("whitened", approximate).store.index.factory == "Flat"


@pytest.mark.parametrize("label", [None, 3])
def test_labels_of_two_classes_are_needed(store, label) -> None:
    own = store_of(np.array(store.keys), [label] * len(store))
    with pytest.raises(UsageError, match=r"learnt from, got [01]; search by --metric cosine"):
        Metric.of("whitened", own)
