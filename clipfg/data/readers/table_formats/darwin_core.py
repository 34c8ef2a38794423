"""Darwin Core archives: what was seen in one table, the addresses of its pictures in another.

`multimedia.txt` names the row of `occurrence.txt` that each of its pictures belongs to.
https://dwc.tdwg.org/text
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import cycle, islice, product
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers.column_names import key_of
from clipfg.data.readers.table_formats.base import TableFile
from clipfg.data.readers.table_formats.opening import open_table

CORE = ("id", "gbifid", "occurrenceid")
"""What the rows of the first table are called, where the second says `coreid`."""
LINKS = ("coreid", "gbifid", "occurrenceid", "observationuuid")
"""Columns of the second that name a row of the first; in `multimedia.txt` so does `id`."""
FILES = ("identifier", "accessuri", "file", "filename", "photoid")
"""Columns of the second that name a picture or its address."""
MEDIA = ("multimedia", "media", "images", "photos")
"""What the second is called."""
SUFFIXES = (".txt", ".csv", ".tsv")

SOUND = r"sound|audio|video|moving|\.(mp3|wav|mp4)$"
"""What the second table has beside pictures."""

PICTURES = "pictures of the rows"
"""The meaning of the second table."""


def with_media(table: TableFile, path: Path) -> TableFile | None:
    """The table at `path` with a row for each picture that a table beside it gives its rows.

    None where there is no such table. Raises what `open_table` does for that.
    """
    own = {key_of(column): column for column in reversed(table.columns)}
    for stem, suffix in product(MEDIA, SUFFIXES):
        file = path.with_name(stem + suffix)
        if file == path or not file.is_file():
            continue
        media = open_table(file)
        theirs = {key_of(column): column for column in reversed(media.columns)}
        links = (*LINKS, "id") if stem == "multimedia" else LINKS
        address = next((theirs[key] for key in FILES if key in theirs), None)
        link = next((key for key in links if key in theirs), None)
        core = next((own[key] for key in (CORE if link == "coreid" else (link,)) if key in own), "")
        if address and link and core and media.sample[address]:
            named = {"link": theirs[link], "address": address}
            kind = next((theirs[key] for key in ("type", "format") if key in theirs), address)
            joined = _joined(table, core, media, named | {"kind": kind})
            return replace(joined, media=file.name)
    return None


def _joined(table: TableFile, core: str, media: TableFile, named: Mapping[str, str]) -> TableFile:
    """A row of `table` for each of `media`, with the address of this and without the id of that."""
    address = named["address"]

    def read(chosen: Mapping[str, str]) -> pa.Table:
        rows = table.read(
            {ours: one for ours, one in chosen.items() if one != address} | {"#core": core}
        )
        pictures = media.read(named)
        places = pc.index_in(pictures["link"], value_set=rows["#core"].combine_chunks())
        sound = pc.match_substring_regex(pictures["kind"], SOUND, ignore_case=True)
        known = pc.and_not(pc.is_valid(places), pc.fill_null(sound, fill_value=False))
        rows = rows.drop_columns(["#core"]).take(places.filter(known).combine_chunks())
        for ours in (ours for ours, one in chosen.items() if one == address):
            rows = rows.append_column(ours, pictures["address"].filter(known))
        return rows

    some = islice(cycle(media.sample[address]), len(table.sample[core]))
    columns = tuple(dict.fromkeys([*(c for c in table.columns if c != core), address]))
    return replace(table, columns=columns, sample={**table.sample, address: [*some]}, read=read)
