"""Stores for tests, and the brute-force search that they are compared with."""

import numpy as np
import pyarrow as pa

from clipfg.store import KeyStore
from clipfg.types import ClassList

CLASSES = ClassList(("robin", "wren", "blue tit"))


def lattice(n: int, dim: int, seed: int) -> np.ndarray:
    """Unit rows of four entries +-1/2: inner products are exact in any order, and often tie."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((n, dim), dtype=np.float32)
    for row in rows:
        row[rng.choice(dim, 4, replace=False)] = rng.choice([-0.5, 0.5], 4)
    return rows


def clustered(n: int, dim: int, seed: int, clusters: int = 50) -> np.ndarray:
    """Unit rows around random centres, like features of similar images."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((clusters, dim))
    rows = centres[rng.integers(0, clusters, n)] + rng.standard_normal((n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def table(n: int, seed: int = 0, start: int = 0) -> pa.Table:
    """Items of three classes and two splits, with ids in random order."""
    rng = np.random.default_rng(seed)
    ids = [f"{start + i:05}.jpg" for i in rng.permutation(n)]
    return pa.table(
        {
            "id": ids,
            "uri": [f"/photos/{identity}" for identity in ids],
            "split": pa.array([("train", "test", None)[i % 3] for i in range(n)], pa.string()),
            "label": pa.array([i % 3 if i % 7 else None for i in range(n)], pa.int32()),
        }
    )


def store_of(items: pa.Table, keys: np.ndarray, **options: object) -> KeyStore:
    return KeyStore.of(items, keys, classes=CLASSES, **options)


def make(n: int = 40, dim: int = 16, seed: int = 0, **options: object) -> KeyStore:
    known = {"classes": CLASSES, "model": "open_clip:ViT-B-32/openai", "precision": "fp32"}
    return KeyStore.of(
        table(n, seed), clustered(n, dim, seed), fingerprint="a" * 64, **(known | options)
    )


def brute_force(store: KeyStore, query: np.ndarray, k: int, where: np.ndarray | None = None):
    """Every cosine in float64, sorted by descending score and then by id: `(ids, scores)`."""
    rows = np.arange(len(store)) if where is None else np.flatnonzero(where)
    scored = [
        (-np.float32(store.keys[row].astype(np.float64) @ query), store.ids[row]) for row in rows
    ]
    best = sorted(scored)[:k]
    return [identity for _, identity in best], [-score for score, _ in best]


def found_ids(store: KeyStore, positions: np.ndarray) -> list[str]:
    return [store.ids[i] for i in positions if i >= 0]


def same(first: KeyStore, second: KeyStore) -> bool:
    """Whether two stores are equal, bit for bit."""
    about = ("classes", "model", "precision", "fingerprint", "prompts")
    return (
        first.items.equals(second.items)
        and np.array_equal(first.keys, second.keys)
        and first.index.factory == second.index.factory
        and all(getattr(first, name) == getattr(second, name) for name in about)
    )
