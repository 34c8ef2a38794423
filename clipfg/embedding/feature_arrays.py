"""Features as named arrays: the layout of npz and safetensors files.

    features [n, d]   labels [n]   ids [n]   splits [n]   classnames [c]
    patches [r, d]    patch_grids [n, 2]
    regions [r, d]    region_offsets [n + 1]   region_boxes [r, 4]   region_phrases [r]
    bag_offsets [b + 1]   bag_names [b]

The arrays of the second to the fourth line, splits and class names are there where they are known.
"""

import json
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError
from clipfg.types import ClassList, Features, Patches, Regions

Arrays = dict[str, NDArray[Any]]

KINDS = {
    **dict.fromkeys(("features", "patches", "regions", "region_boxes"), "f"),
    **dict.fromkeys(("labels", "patch_grids", "region_offsets", "bag_offsets"), "iu"),
}
"""What numbers each array holds, as NumPy's `dtype.kind`."""
KEY = "clipfg"
"""Under which a file of clipfg's says, in JSON, what the arrays do not."""


@dataclass(frozen=True)
class FeatureFileInfo:
    """What a file of features says beside its arrays."""

    fingerprint: str = ""
    manifest: str = ""
    classes: ClassList | None = None

    def to_json(self) -> str:
        """As one line of JSON."""
        classes = None if self.classes is None else self.classes.to_dict()
        fields = {"fingerprint": self.fingerprint, "manifest": self.manifest, "classes": classes}
        return json.dumps({"format": 1, **fields}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        fields = json.loads(text)
        classes = fields["classes"]
        if classes is not None:
            classes = ClassList.from_dict(classes)
        return cls(fields["fingerprint"], fields["manifest"], classes)


def to_arrays(features: Features) -> Arrays:
    """The arrays of some features."""
    arrays: Arrays = {
        "features": features.pooled,
        "labels": features.labels,
        "ids": _words(features.ids),
    }
    if features.splits:
        arrays["splits"] = _words(features.splits)
    if features.classes is not None:
        arrays["classnames"] = _words(features.classes.names)
    if (patches := features.patches) is not None:
        arrays |= {"patches": patches.values, "patch_grids": patches.grids}
    if (regions := features.regions) is not None:
        arrays |= {"regions": regions.values, "region_offsets": regions.offsets}
        arrays["region_boxes"] = regions.boxes
        if regions.phrases:
            arrays["region_phrases"] = _words(regions.phrases)
    if features.bag_offsets is not None:
        arrays["bag_offsets"] = features.bag_offsets
        if features.bag_names:
            arrays["bag_names"] = _words(features.bag_names)
    return arrays


def from_arrays(arrays: Arrays, info: FeatureFileInfo) -> Features:
    """The inverse. Raises `KeyError` for a missing array, `DataError` for one that does not fit."""
    _check(arrays, info.classes)
    patches = regions = None
    if "patches" in arrays:
        patches = Patches(arrays["patches"], arrays["patch_grids"])
    if "regions" in arrays:
        regions = Regions(
            arrays["regions"],
            arrays["region_boxes"],
            arrays["region_offsets"],
            _texts(arrays, "region_phrases"),
        )
    return Features(
        ids=tuple(map(str, arrays["ids"])),
        pooled=np.asarray(arrays["features"], dtype=np.float32),
        labels=arrays["labels"].astype(np.int64),
        classes=info.classes,
        fingerprint=info.fingerprint,
        manifest=info.manifest,
        splits=_texts(arrays, "splits"),
        patches=patches,
        regions=regions,
        bag_offsets=arrays.get("bag_offsets"),
        bag_names=tuple(map(str, arrays.get("bag_names", ()))),
    )


def _check(arrays: Arrays, classes: ClassList | None) -> None:
    for name, kinds in KINDS.items():
        if (array := arrays.get(name)) is None:
            continue
        if array.dtype.kind not in kinds:
            raise DataError(f"Expected numbers of kind {kinds} as {name}, got {array.dtype}.")
        if kinds == "f" and not np.isfinite(array).all():
            raise DataError(f"Expected finite {name}, got NaN or infinity.")
        if kinds == "iu" and array.size and array.min() < (-1 if name == "labels" else 0):
            raise DataError(f"Expected {name} from 0, got {array.min()}.")
        if name.endswith("offsets") and not (array.ndim == 1 and (np.diff(array) >= 0).all()):
            raise DataError(f"Expected {name} that rise, got others.")
    top = int(arrays["labels"].max(initial=-1))
    if classes is not None and top >= len(classes):
        raise DataError(f"Expected labels below {len(classes)}, the number of classes, got {top}.")


def _words(words: tuple[str | None, ...]) -> NDArray[Any]:
    return np.array([word or "" for word in words], dtype=np.str_)


def _texts(arrays: Arrays, name: str) -> tuple[str | None, ...]:
    return tuple(str(word) or None for word in arrays.get(name, ()))
