"""Results as plain JSON values, and back, by the types of their fields.

The class of a result says what stands first in its JSON: `SCHEMA`, the version of its keys, and,
where it has one, `KIND`.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from clipfg.errors import DataError

T = TypeVar("T")


def to_json(result: Any) -> dict[str, Any]:
    """Plain values under stable keys; `from_json` reads them back."""
    adapter = TypeAdapter[Any](type(result))
    return _marks(type(result)) | adapter.dump_python(result, mode="json", by_alias=True)


def from_json(cls: type[T], content: Any) -> T:
    """The `cls` that `to_json` wrote; keys that it does not know are ignored.

    Raises `DataError` for another kind or schema, and for content that is damaged.
    """
    found = content if isinstance(content, Mapping) else {}
    marks, name = _marks(cls), _name(cls)
    if any(found.get(key) != value for key, value in marks.items()):
        got = " and ".join(f"{key} {found.get(key)!r}" for key in marks)
        raise DataError(
            f"Expected a {name} of schema {marks['schema']}, got {got}; it is something else"
            " or was written by another version of clipfg."
        )
    try:
        return TypeAdapter(cls).validate_python(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or name
        raise DataError(
            f"Expected a complete {name}, got one that is damaged at {place!r}"
            f" ({first['msg'].lower()}); run the command that wrote it again."
        ) from None


def _marks(cls: Any) -> dict[str, Any]:
    return {
        key: getattr(cls, key.upper()) for key in ("kind", "schema") if hasattr(cls, key.upper())
    }


def _name(cls: type) -> str:
    """The class in words: "learning curve"."""
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", cls.__name__).lower()
