"""Queries: which of their parts are texts, and which are photos."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipfg.data.readers.walk import SUFFIXES
from clipfg.data.sources import SOURCES, file_uri, scheme_of
from clipfg.errors import UsageError
from clipfg.paths import expanded
from clipfg.printable import storable


@dataclass(frozen=True)
class Query:
    """Texts and photos (URIs) that are looked for together; `name` is what was typed."""

    name: str
    texts: tuple[str, ...]
    photos: tuple[str, ...]

    @classmethod
    def of(cls, parts: Sequence[str]) -> "Query":
        """One query of its parts. Raises `UsageError` where there are none, or a blank one."""
        if not parts or not all(part.strip() for part in parts):
            raise UsageError(
                'No query was given; give a text, such as "red-winged blackbird", or the'
                " path of a photo."
            )
        photos = {part: uri for part in parts if (uri := photo_uri(part)) is not None}
        return cls(
            " + ".join(parts),
            tuple(dict.fromkeys(storable(part) for part in parts if part not in photos)),
            tuple(dict.fromkeys(photos.values())),
        )

    @property
    def title(self) -> str:
        """The query for a heading: of photos the file's name alone."""
        return " + ".join((*(Path(uri).name for uri in self.photos), *self.texts))


def photo_uri(part: str) -> str | None:
    """The URI of a part of a query that is a photo; None for a text.

    A photo ends as images do ("x.jpg"), names a file in some folder, or is a URI of a scheme
    that clipfg reads. Raises `UsageError` for a folder.
    """
    scheme = scheme_of(part)
    if scheme is not None and scheme in SOURCES:
        return part
    path = expanded(part)
    if os.sep in part and path.is_dir():
        raise UsageError(
            f"Expected a text or a photo to search for, got the folder {part}; search in it by"
            f" --dataset {part}."
        )
    in_folder = os.sep in part and path.is_file()
    return file_uri(str(path.absolute())) if path.suffix.lower() in SUFFIXES or in_folder else None


def read_queries(path: Path) -> list[Query]:
    """The queries of a text file, one per line, without comments (#). Raises `UsageError`s."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"Cannot read the queries in {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text; write one query per line.") from None
    found = dict.fromkeys(line.strip() for line in lines)
    queries = [Query.of([line]) for line in found if line and not line.startswith("#")]
    if not queries:
        raise UsageError(f"{path} holds no query; write one per line.")
    return queries
