"""Which columns of a table hold images and labels, by the Hugging Face library's metadata."""

import json
from typing import Any

import pyarrow as pa

from clipfg.data.readers.column_names import CARRIED
from clipfg.data.readers.embedded_images import holds_images

LABELS = ("label", "class", "species", "category", "class_name", "label_name", "target")
"""Names of a label column; the first that occurs is taken."""


def _columns(schema: pa.Schema, kind: str) -> dict[str, dict[str, Any]]:
    """The metadata of the columns that are declared as `kind` ("Image", "ClassLabel")."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"].items()
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    declared = {c: f for c, f in features if isinstance(f, dict) and f.get("_type") == kind}
    return {c: f for c, f in declared.items() if schema.get_field_index(c) >= 0}


def image_column(schema: pa.Schema, *, typed: bool = False) -> str | None:
    """The column of images, or None; with `typed`, only one declared as "Image"."""
    images = [c for c in _columns(schema, "Image") if holds_images(schema.field(c).type)]
    if images or typed:
        return next(iter(images), None)
    return next((c for c in schema.names if holds_images(schema.field(c).type)), None)


def label_column(schema: pa.Schema) -> tuple[str | None, list[str] | None]:
    """The column of labels, and the class names where the table carries them."""
    named = {c: f["names"] for c, f in _columns(schema, "ClassLabel").items() if f.get("names")}
    order = [c for c in (*LABELS, "fine_label", "labels") if schema.get_field_index(c) >= 0]
    column = next((c for c in order if c in named), None) or next(iter(named), None)
    if column is not None:
        return column, [str(name) for name in named[column]]
    types = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer)
    flat = (c for c in order if any(is_type(schema.field(c).type) for is_type in types))
    return next(flat, None), None


def caption_column(schema: pa.Schema) -> str | None:
    """The column of captions: texts, or lists of texts."""
    return next((name for name in CARRIED["captions"] if _is_text(schema, name)), None)


def _is_text(schema: pa.Schema, name: str) -> bool:
    if schema.get_field_index(name) < 0:
        return False
    kind = schema.field(name).type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
