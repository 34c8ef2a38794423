"""Conditions on the items of a store: `label=NAME`, `split=NAME`, `id=GLOB`, and `!=` for `=`."""

import fnmatch
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.errors import UsageError
from clipfg.registry import closest
from clipfg.store.key_store import KeyStore

FIELDS = ("label", "split", "id")


def parse_where(conditions: Sequence[str], store: KeyStore) -> NDArray[np.bool_]:
    """A mask `[n]` of the items that meet all conditions, for `KeyStore.search`.

    `label=a label=b` means either class, `label!=a` any other class; conditions on different fields
    must all hold. Names are exact; the pattern of an id may contain `*`, `?` and `[...]`.

    Raises `UsageError` for a condition of another form, and for a class or split that the store
    does not have.
    """
    wanted: dict[str, NDArray[np.bool_]] = {}
    mask = np.ones(len(store), dtype=bool)
    for condition in conditions:
        field, excluded, value = _parse(condition)
        matches = _matches(field, value, store)
        if excluded:
            mask &= ~matches
        else:
            wanted[field] = wanted.get(field, False) | matches
    for matches in wanted.values():
        mask &= matches
    return mask


def _parse(condition: str) -> tuple[str, bool, str]:
    match = re.fullmatch(r"\s*(\w+)\s*(!?)=\s*(.*?)\s*", condition, re.DOTALL)
    if match is None or match[1] not in FIELDS:
        hint = closest(match[1], FIELDS) if match else ""
        raise UsageError(
            f"Expected a condition such as label=NAME, label!=NAME, split=NAME or id=GLOB, got"
            f" {condition!r}.{hint}"
        )
    return match[1], bool(match[2]), match[3]


def _matches(field: str, value: str, store: KeyStore) -> NDArray[np.bool_]:
    if field == "label":
        return store.labels == _label(value, store)
    if field == "split":
        return _split(value, store)
    pattern = re.compile(fnmatch.translate(value))
    return np.fromiter((bool(pattern.match(x)) for x in store.ids), dtype=bool, count=len(store))


def _label(name: str, store: KeyStore) -> int:
    names = store.classes.names if store.classes else ()
    if store.classes is None or name not in store.classes:
        raise UsageError(
            f"Expected a class of the store, got {name!r}.{closest(name, names)}"
            f" It has {f'{len(names):,} classes' if names else 'no classes'}."
        )
    return store.classes.index(name)


def _split(name: str, store: KeyStore) -> NDArray[np.bool_]:
    column = store.items["split"]
    known = sorted(x for x in pc.unique(column).to_pylist() if x is not None)
    if name not in known:
        raise UsageError(
            f"Expected a split of the store, got {name!r}.{closest(name, known)}"
            f" It has: {', '.join(known) or 'no splits'}."
        )
    return pc.fill_null(pc.equal(column, pa.scalar(name)), False).to_numpy().astype(bool)
