"""One form in which people hold pictures and labels: what lies on disk, and its right reading."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from PIL import Image

from clipfg.data.loading import load_dataset
from clipfg.errors import ClipfgError
from clipfg.types import Hints, Manifest

PICTURE = None
"""In `Form.files`: a small drawn picture, another for each path."""


@dataclass(frozen=True)
class Form:
    """What a person has, and how it must be read (or refused, in which words)."""

    name: str
    what: str
    files: Mapping[str, str | bytes | None]
    """Paths below the root, with their content: `PICTURE`, text or bytes."""
    at: str = ""
    """What the person names, below the root; several readings of one root are several forms."""
    items: int | None = None
    classes: tuple[str, ...] = ()
    labels: Mapping[str, str | None] = field(default_factory=dict)
    """Ids and their classes, None where unlabelled; those that matter."""
    splits: Mapping[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    """What must be named among what is left out."""
    doubt: str | None = None
    """Words that a doubt must hold; "" where there must be none."""
    refused: str = ""
    """Words that the error must hold, where the form is to be refused."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `Hints`."""

    def write(self, root: Path) -> Path:
        """Write the form below `root`; returns what the person names."""
        for name, content in self.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is PICTURE:
                path.write_bytes(draw(name))
            elif isinstance(content, str):
                path.write_text(content, encoding="utf-8")
            else:
                path.write_bytes(content)
        return root / self.at

    def judge(self, path: Path | str, *, ids: bool = True) -> tuple[str, str]:
        """How what a person names `path` is read, and what is wrong with that.

        One of "read", "refused" (in the words that help), "refused without help" and "misread".
        `ids` is whether the items are called as in `labels`.
        """
        try:
            manifest = load_dataset(str(path), hints=Hints(**self.options))
        except ClipfgError as error:
            fits = bool(self.refused) and self.refused in str(error)
            return ("refused" if fits else "refused without help"), "" if fits else str(error)
        wrong = ["not refused"] if self.refused else self.differences(manifest, ids=ids)
        return ("misread", "; ".join(wrong)) if wrong else ("read", "")

    def differences(self, manifest: Manifest, *, ids: bool = True) -> list[str]:
        """Where a reading is not the right one, in words."""
        names = manifest.classes.names if manifest.classes else ()
        labels = [None if label < 0 else names[label] for label in manifest.labels]
        given = dict(zip(manifest.ids, labels, strict=True))
        reading = manifest.reading
        left_out = ", ".join(one.what for one in reading.left_out) if reading else ""
        doubts = " ".join(reading.doubts) if reading else ""
        wrong = []
        if self.items is not None and len(manifest) != self.items:
            wrong.append(f"{len(manifest)} items, not {self.items}")
        if names != self.classes:
            wrong.append(f"classes {names}, not {self.classes}")
        if manifest.splits != dict(self.splits):
            wrong.append(f"splits {manifest.splits}, not {dict(self.splits)}")
        for item, label in self.labels.items() if ids else ():
            if given.get(item, "not there") != label:
                wrong.append(f"{item}: {given.get(item, 'not there')}, not {label}")
        wrong += [f"{what} is not named" for what in self.left_out if what not in left_out]
        if self.doubt and self.doubt not in doubts:
            wrong.append(f"no doubt {self.doubt!r} in {doubts!r}")
        if self.doubt == "" and doubts:
            wrong.append(f"doubt {doubts!r}")
        return wrong


@cache
def draw(name: str) -> bytes:
    """A JPEG of 8 x 8 pixels of one colour, which the name decides."""
    red, green, blue = blake2b(name.encode(), digest_size=3).digest()
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (red, green, blue)).save(buffer, "JPEG")
    return buffer.getvalue()
