"""Features from other tools: arrays are recognised by name and shape."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipfg.embedding.feature_arrays import Arrays
from clipfg.errors import DataError
from clipfg.types import UNLABELLED, ClassList, Features
from clipfg.types.dense import bag_offsets

FEATURES = (
    *("features", "embeddings", "image_features", "image_embeds", "image_embeddings"),
    *("embedding", "feature", "feats", "vectors", "vector", "emb", "x", "pooled"),
)
LABELS = (
    *("labels", "label", "y", "targets", "target", "class_id", "class_ids"),
    *("class", "class_name", "category", "species"),
)
IDS = (
    *("ids", "id", "paths", "path", "uri", "filenames", "filename", "file_name", "files", "file"),
    *("image_id", "image_ids", "images", "image", "names", "name", "keys", "key"),
)
CLASS_NAMES = ("classnames", "class_names", "classes", "categories", "label_names")
SPLITS = ("splits", "split", "subset")
BAGS = ("bag", "bags", "bag_id", "bag_ids", "bag_name", "bag_names")
BAG_LABELS = ("bag_label", "bag_labels")
"""A label for each row or, where bags are numbered from 0, for each bag."""

# "test_f", "val_features", "features_train", "x_test", "keys_16" (a support set of 16 a class)
_ENDS = r"f|features?|feats|embeddings?|emb|x|image_features|image_embeds"
_SPLIT = re.compile(rf"(?:(?P<a>\w+?)_(?:{_ENDS})|(?:{_ENDS})_(?P<b>\w+))", re.IGNORECASE)
_SUPPORT = re.compile(r"(?:keys|support|shots)_(\d+)", re.IGNORECASE)
MOST_CLASSES = 1_000_000


def assemble(arrays: Arrays) -> Features:
    """Features from named arrays in any of the usual layouts.

    One matrix, or one for each split (`test_f`, `features_train`, ...). Of nested support sets
    `keys_1 ... keys_16` the largest is taken, as split `train`. Of one matrix, rows may be in bags,
    and those of a bag are brought together. Raises `DataError` when no matrix of features is found,
    labels do not fit it, or some rows are in bags and others are not.
    """
    matrices = {
        name: array
        for name, array in arrays.items()
        if array.ndim == 2 and array.dtype.kind == "f" and not name.lower().startswith("text")
    }
    parts = _parts(matrices)
    if not parts:
        raise DataError(
            "Expected a matrix of features, named such as 'features' or 'test_f', got"
            f" {', '.join(f'{name} {array.shape}' for name, array in arrays.items()) or 'nothing'}."
        )
    widths = {matrices[name].shape[1] for name in parts.values()}
    if len(widths) > 1:
        raise DataError(f"Expected features of one width, got {sorted(widths)}.")
    names = next((a for a in (_named(arrays, n) for n in CLASS_NAMES) if _is_text(a)), None)
    bags = _bags(arrays, len(matrices[parts[None]])) if None in parts else None
    if bags is not None:
        arrays = _with_labels_of(bags, arrays)
    pieces = [_piece(arrays, split, key, len(matrices[key])) for split, key in parts.items()]
    rows = [len(words) for _, words, _ in pieces]
    labels, classes = _classes([labels for labels, _, _ in pieces], rows, names)
    splits = [split for _, _, part in pieces for split in part]
    found = Features(
        ids=_unique([word for _, words, _ in pieces for word in words], splits),
        pooled=np.concatenate([matrices[key].astype(np.float32) for key in parts.values()]),
        labels=labels,
        classes=classes,
        splits=tuple(splits) if any(splits) else (),
    )
    return found if bags is None else _together(found, bags)


def _bags(arrays: Arrays, rows: int) -> NDArray[Any] | None:
    """The bag of each row, None where there is no such array."""
    named = (_named(arrays, name) for name in BAGS)
    bags = next((a for a in named if a is not None and a.shape == (rows,)), None)
    if bags is None:
        return None
    known = bags != "" if bags.dtype.kind in "UO" else bags >= 0
    if not known.all():
        raise DataError(
            f"Expected a bag for every row, got none for {int((~known).sum()):,} of {rows:,}."
        )
    whole = bags.dtype.kind == "f" and (bags == np.floor(bags)).all()
    return bags.astype(np.int64) if whole else bags


def _with_labels_of(bags: NDArray[Any], arrays: Arrays) -> Arrays:
    """The same arrays with `labels` of rows where only those of bags are given."""
    if any(_named(arrays, name) is not None for name in LABELS):
        return arrays
    given = next((a for a in (_named(arrays, name) for name in BAG_LABELS) if a is not None), None)
    if given is None:
        return arrays
    if given.shape == bags.shape:
        return arrays | {"labels": given}
    if bags.dtype.kind in "iu" and given.ndim == 1 and bags.max(initial=-1) < len(given):
        return arrays | {"labels": given[bags]}
    raise DataError(
        f"Expected a label for each row, or for bags numbered from 0, got {len(given):,} labels of"
        f" bags for {len(np.unique(bags)):,} bags."
    )


def _together(features: Features, bags: NDArray[Any]) -> Features:
    """The rows in their bags, in the order in which bags begin."""
    _, first, numbers = np.unique(bags.astype(str), return_index=True, return_inverse=True)
    order = np.argsort(first[numbers], kind="stable")
    offsets = bag_offsets(numbers[order])
    names = bags[order[offsets[:-1]]]
    return replace(
        features.rows(order), bag_offsets=offsets, bag_names=tuple(str(name) for name in names)
    )


def _parts(matrices: Arrays) -> dict[str | None, str]:
    """From split name to the name of its matrix; None is the split of a single matrix."""
    usual = [key for name in FEATURES for key in matrices if key.lower() == name]
    if usual or len(matrices) == 1:
        return {None: next(iter(usual or matrices))}
    parts: dict[str | None, str] = {}
    largest = 0
    for key in matrices:
        support = _SUPPORT.fullmatch(key)
        split = _SPLIT.fullmatch(key)
        if support and int(support[1]) > largest:
            largest = int(support[1])
            parts["train"] = key
        elif split and not support:
            parts[split["a"] or split["b"]] = key
    return parts


def _piece(
    arrays: Arrays, split: str | None, key: str, rows: int
) -> tuple[NDArray[Any] | None, list[str], list[str | None]]:
    """Labels, ids and splits of one matrix."""

    def find(names: Iterable[str]) -> NDArray[Any] | None:
        found = (_named(arrays, name) for name in names)
        return next(
            (array for array in found if array is not None and array.shape == (rows,)), None
        )

    def of_split(names: Sequence[str]) -> Sequence[str]:
        if split is None:
            return names
        return [form for name in names for form in (f"{split}_{name}", f"{name}_{split}")]

    # "keys_16" and "keys_16_l", "test_f" and "test_l"
    labels = find([*of_split(LABELS), f"{key}_l", f"{key}_labels", f"{split}_l"])
    prefix = "" if split is None else f"{split}/"
    ids = find(of_split(IDS))
    words = [f"{prefix}{i}" for i in range(rows)] if ids is None else [str(i) for i in ids]
    splits: list[str | None] = [split] * rows
    column = find(SPLITS) if split is None else None
    if column is not None:
        splits = [str(name) or None for name in column]
    return labels, words, splits


def _named(arrays: Arrays, name: str) -> NDArray[Any] | None:
    return next((array for key, array in arrays.items() if key.lower() == name.lower()), None)


def _is_text(array: NDArray[Any] | None) -> bool:
    return array is not None and array.ndim == 1 and array.dtype.kind in "UO"


def _classes(
    found: list[NDArray[Any] | None], rows: list[int], names: NDArray[Any] | None
) -> tuple[NDArray[np.int64], ClassList | None]:
    """Class indices of all pieces in turn, and the class list that they index."""
    known = None if names is None else [str(name) for name in names]
    texts = [labels for labels in found if labels is not None and _is_text(labels)]
    words = {str(word) for labels in texts for word in labels} - {""}
    if words and known is None:
        known = sorted(words)
    places = {name: place for place, name in enumerate(known or [])}
    indices = []
    for labels, count in zip(found, rows, strict=True):
        if labels is None:
            indices.append(np.full(count, UNLABELLED))
        elif labels.dtype.kind in "UO":
            indices.append(_places([str(word) for word in labels], places))
        elif labels.dtype.kind in "iub" or (
            np.isfinite(labels).all() and np.array_equal(labels, np.floor(labels))
        ):
            indices.append(np.maximum(labels.astype(np.int64), UNLABELLED))
        else:
            raise DataError("Expected integer or string labels, got fractions.")
    joined = np.concatenate(indices).astype(np.int64)
    top = int(joined.max(initial=UNLABELLED))
    if known is None:
        if top >= MOST_CLASSES:
            raise DataError(f"Expected labels below {MOST_CLASSES:,}, got {top}.")
        known = [str(number) for number in range(top + 1)]
    elif top >= len(known):
        raise DataError(
            f"Expected labels below {len(known)}, the number of class names, got {top}."
        )
    return joined, ClassList(tuple(known)) if known else None


def _places(words: list[str], places: dict[str, int]) -> NDArray[np.int64]:
    unknown = next((word for word in words if word and word not in places), None)
    if unknown is not None:
        raise DataError(f"Expected labels among the {len(places)} class names, got {unknown!r}.")
    return np.array([places.get(word, UNLABELLED) for word in words], dtype=np.int64)


def _unique(ids: list[str], splits: list[str | None]) -> tuple[str, ...]:
    """Ids made unique: by their split where that is enough, else by their row."""
    named = [f"{split}/{id}" if split else id for id, split in zip(ids, splits, strict=True)]
    for tried in (ids, named):
        if len(set(tried)) == len(tried):
            return tuple(tried)
    return tuple(f"{id}#{row}" for row, id in enumerate(named))
