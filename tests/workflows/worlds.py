"""A small world of features in a file, with splits and groups of classes."""

from pathlib import Path

import numpy as np

from clipfg.embedding.feature_files import write_features
from clipfg.types import ClassList, Features

CLASSES, GROUPS, WIDTH = 8, 2, 16
SPLITS = {"train": 12, "val": 40, "test": 60}


def write_world(path: Path) -> str:
    """Write it to `path` and return the data name that opens it."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CLASSES, WIDTH))
    labels, splits = [], []
    for split, each in SPLITS.items():
        labels += list(np.repeat(np.arange(CLASSES), each))
        splits += [split] * (each * CLASSES)
    noise = rng.normal(size=(len(labels), WIDTH))
    names = tuple(f"k{i}" for i in range(CLASSES))
    features = Features(
        ids=tuple(f"{split}/{i}" for i, split in enumerate(splits)),
        pooled=(centres[labels] + 0.95 * noise).astype(np.float32),
        labels=np.array(labels),
        classes=ClassList(names, {name: f"group {i % GROUPS}" for i, name in enumerate(names)}),
        splits=tuple(splits),
    )
    write_features(features, path)
    return f"features:{path}"
