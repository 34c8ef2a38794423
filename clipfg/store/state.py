"""The JSON file that names the files of a store."""

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clipfg.errors import DataError, StoreError, StoreVersionError
from clipfg.types import ClassList

METRIC: Literal["cosine"] = "cosine"
FILE = re.compile(r"(keys|items|index)-[0-9a-f]{16}\.(npy|arrow|faiss)")
"""The names of a store's files; no other file is ever read or deleted."""

Count = Annotated[int, Field(ge=0, strict=True)]


class StoredFile(BaseModel):
    """A file of a store: its name, its size in bytes and its SHA-256."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=rf"^{FILE.pattern}$")]
    size: Count
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class StoreState(BaseModel):
    """What a store contains, by which encoder, and in which files."""

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
        """Read a state. Raises `StoreError` for anything that clipfg does not write."""
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            raise StoreError("Expected JSON, got a damaged file; build the store again.") from None
        if not isinstance(fields, dict):
            raise StoreError(f"Expected a JSON object, got a {type(fields).__name__}.")
        if isinstance(fields.get("format"), int) and fields["format"] != 1:
            raise StoreVersionError(
                f"Expected format 1, got {fields['format']} of another version of clipfg; update"
                " it, or build the store again."
            )
        if fields.get("metric") != METRIC:
            raise StoreError(f"Expected the metric cosine, got {fields.get('metric')!r}.")
        try:
            state = cls(**fields)
            state.class_list()
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise StoreError(f"Expected a valid {place!r}, got: {first['msg']}.") from None
        except (DataError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise StoreError(f"Expected class names and parents, got: {error}") from None
        return state

    def to_json(self) -> str:
        """As JSON, indented so that people can read it too."""
        return self.model_dump_json(indent=2) + "\n"

    def files(self) -> list[StoredFile]:
        """All files that the state names."""
        return [file for file in (self.keys, self.items, self.index) if file is not None]

    def class_list(self) -> ClassList | None:
        """The class list that labels index."""
        return None if self.classes is None else ClassList.from_dict(self.classes)
