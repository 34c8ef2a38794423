"""The small JSON that names what a store consists of at this moment."""

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clipfg.errors import DataError, StoreError
from clipfg.types import ClassList

METRIC: Literal["cosine"] = "cosine"
FILE = re.compile(r"(keys|items|index)-[0-9a-f]{16}\.(npy|arrow|faiss)")
"""What the files of a store are called; nothing else is ever read or removed."""

Count = Annotated[int, Field(ge=0, strict=True)]


class StoredFile(BaseModel):
    """One file of a store: its name, its bytes, and their SHA-256."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=rf"^{FILE.pattern}$")]
    size: Count
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class StoreState(BaseModel):
    """What a store holds, by which encoder, and in which files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    clipfg: str
    revision: str
    metric: Literal["cosine"] = METRIC
    rows: Count
    dim: Annotated[int, Field(ge=1, strict=True)]
    model: str
    precision: str
    fingerprint: str
    prompts: str = ""
    factory: str
    recall: float | None = None
    effort: str = ""
    classes: dict[str, Any] | None = None
    keys: StoredFile
    items: StoredFile
    index: StoredFile | None = None

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read one back. Raises `StoreError` for anything but what clipfg writes."""
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            raise StoreError("Expected JSON, got something else; it is damaged.") from None
        if not isinstance(fields, dict):
            raise StoreError(f"Expected a JSON object, got a {type(fields).__name__}.")
        if fields.get("format") != 1:
            raise StoreError(
                f"Expected format 1, got {fields.get('format')!r}; it was written by another"
                " version of clipfg."
            )
        if fields.get("metric") != METRIC:
            raise StoreError(f"Expected keys compared by cosine, got {fields.get('metric')!r}.")
        try:
            state = cls(**fields)
            state.class_list()
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise StoreError(f"Expected another value of {place!r}: {first['msg']}.") from None
        except (DataError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise StoreError(f"Expected class names and their parents, got: {error}") from None
        return state

    def to_json(self) -> str:
        """As text for a person to read too."""
        return self.model_dump_json(indent=2) + "\n"

    def files(self) -> list[StoredFile]:
        """All files that this state names."""
        return [file for file in (self.keys, self.items, self.index) if file is not None]

    def class_list(self) -> ClassList | None:
        """The class names that labels index."""
        if self.classes is None:
            return None
        texts = {name: tuple(lines) for name, lines in self.classes["texts"].items()}
        return ClassList(tuple(self.classes["names"]), self.classes["parents"], texts)


def class_fields(classes: ClassList | None) -> dict[str, Any] | None:
    """A class list in plain values, the inverse of `StoreState.class_list`."""
    if classes is None:
        return None
    return {
        "names": list(classes.names),
        "parents": dict(classes.parents),
        "texts": {name: list(lines) for name, lines in classes.texts.items()},
    }
