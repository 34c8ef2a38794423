"""Names of classes whose folders are called by numbers or synset ids, from a map that lies beside.

Known by content: `words.txt` and `LOC_synset_mapping.txt` (an id and its names in each line),
`imagenet_class_index.json`, `cat_to_name.json`, and tables of ids and names. An id is an identity:
a map that lacks one of the folders is not used.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from clipfg.data.readers.walk import is_image

SUFFIXES = (".txt", ".json", ".csv", ".tsv")
LARGEST = 4 << 20
MOST = 50
"""Files that are looked into: so long at most, and so many in a folder."""

NAMED = ("name", "label", "class", "species", "title", "description")
"""What a column of names is called, or ends in."""

_SYNSET = re.compile(r"n\d{8}")


def names_of_codes(codes: Sequence[str], folders: Iterable[Path]) -> tuple[dict[str, str], str]:
    """A name for each code and the file that has it; nothing where no file has all of them."""
    for path in _files(folders):
        try:
            for pairs in _maps(path):
                if named := _apply(codes, pairs):
                    return named, path.name
        except (OSError, ValueError, RecursionError, csv.Error):
            continue  # another file, and none of ours
    return {}, ""


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in dict.fromkeys(folders):
        try:
            names = sorted(path.name for path in folder.iterdir())
        except OSError:
            continue
        for name in [name for name in names if name.lower().endswith(SUFFIXES)][:MOST]:
            path = folder / name
            if path.is_file() and path.stat().st_size <= LARGEST and not is_image(name):
                yield path


def _maps(path: Path) -> Iterator[Mapping[str, str]]:
    """What a file may say of codes and names, in the ways in which it can be read."""
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() == ".json":
        yield from _of_json(json.loads(text))
        return
    if path.suffix.lower() in {".csv", ".tsv"}:
        yield from _of_table(text)
    split = (re.split(r"[\t ,;:]+", line.strip(), maxsplit=1) for line in text.splitlines())
    yield _map((pair[0], pair[1].strip(" \"'")) for pair in split if len(pair) == 2)


def _map(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Pairs as a map. Raises `ValueError` for a code with two names."""
    found: dict[str, str] = {}
    for code, name in pairs:
        if found.setdefault(code, name) != name:
            raise ValueError(code)
    return found


def _of_json(content: object) -> Iterator[Mapping[str, str]]:
    if not isinstance(content, Mapping):
        return
    values = list(content.values())
    if all(isinstance(value, str) for value in values):
        yield content
        yield {value: key for key, value in content.items()}
    elif all(isinstance(value, int) for value in values):
        yield {str(value): str(key) for key, value in content.items()}
    elif all(isinstance(value, list) and [*map(type, value)] == [str, str] for value in values):
        yield dict(values)  # {"0": ["n01440764", "tench"], ...}
        yield {str(key): value[1] for key, value in content.items()}


def _of_table(text: str) -> Iterator[Mapping[str, str]]:
    header, _, _ = text.partition("\n")
    delimiter = max(",;\t", key=header.count)
    rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if any(row)]
    if not rows:
        return
    titles = [cell.strip().lower() for cell in rows[0]]
    whole = [row for row in rows[1:] if len(row) == len(titles)]
    for place, title in enumerate(titles):
        if place and title.replace("_", "").endswith(NAMED):
            yield _map((row[0].strip(), row[place].strip()) for row in whole)


def _apply(codes: Sequence[str], pairs: Mapping[str, str]) -> dict[str, str]:
    """The codes' names, where the map has a different one for each of them."""
    known = {_plain(code): name for code, name in pairs.items()}
    if len(known) < len(pairs) or not all(_plain(code) in known for code in codes):
        return {}
    names = {code: known[_plain(code)] for code in codes}
    if all(_SYNSET.fullmatch(code) for code in codes):
        names = {code: name.partition(",")[0].strip() for code, name in names.items()}
    if not all(re.search(r"[^\W\d]", name) and not is_image(name) for name in names.values()):
        return {}
    titles = [name.replace("_", " ") for name in names.values()]
    return {
        code: f"{title} ({code})" if titles.count(title) > 1 else title
        for code, title in zip(names, titles, strict=True)
    }


def _plain(code: str) -> str:
    code = code.strip()
    return (
        str(int(code)) if code.isascii() and code.isdecimal() and len(code) < 19 else code.lower()
    )
