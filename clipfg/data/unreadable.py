"""Pictures that a library would be needed for: one sentence on all of them, not a failure each."""

from dataclasses import replace
from importlib.util import find_spec

import pyarrow.compute as pc

from clipfg.data.images.photo_kinds import INSTALL, LIBRARIES
from clipfg.errors import MissingError
from clipfg.types import LeftOut, Manifest, Reading


def without_unreadable(manifest: Manifest) -> Manifest:
    """The manifest without pictures in HEIC and RAW, where what reads them is not installed.

    What is left out is among the doubts of its reading. Raises `MissingError` if that is all.
    """
    missing = [kinds for library, kinds in LIBRARIES.items() if find_spec(library) is None]
    if not missing:
        return manifest
    suffixes = "|".join(suffix[1:] for kinds in missing for suffix in sorted(kinds))
    unread = pc.match_substring_regex(manifest.table["uri"], rf"(?i)\.({suffixes})$")
    left = manifest.table.filter(unread)
    count = pc.count_distinct(left["uri"]).as_py()
    if not count:
        return manifest
    first, what = left["id"][0].as_py(), "1 picture" if count == 1 else f"{count:,} pictures"
    said = f"{what} in HEIC or RAW, such as {first}, cannot be read without a library: {INSTALL}"
    if len(left) == len(manifest):
        raise MissingError(f"{said}.")
    reading = manifest.reading or Reading("pictures")
    reading = replace(
        reading,
        left_out=(*reading.left_out, LeftOut(first, count, INSTALL)),
        doubts=(*reading.doubts, f"{said}."),
    )
    return replace(manifest, table=manifest.table.filter(pc.invert(unread)), reading=reading)
