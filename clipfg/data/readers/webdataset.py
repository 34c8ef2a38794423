"""WebDataset shards: tar files whose members belong together by the stem of their names.

    0001.jpg  0001.cls  0001.txt  0001.json      one image, its class, caption and the rest

One pass over the headers builds an index; images are read later, in place, and nothing is ever
unpacked. A member that is a link or a device, or whose name leads out of the archive, is skipped
with a warning. See https://github.com/webdataset/webdataset.
"""

import json
import logging
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from clipfg.data.readers.caption_cells import captions_in
from clipfg.data.readers.class_files import read_class_list
from clipfg.data.readers.column_names import CARRIED
from clipfg.data.readers.labels import index_labels, split_name
from clipfg.data.readers.tar_members import member_uri
from clipfg.data.readers.walk import SUFFIXES as IMAGES
from clipfg.data.readers.walk import walk
from clipfg.data.sources import shown
from clipfg.errors import DataError, UsageError
from clipfg.types import ClassList, Manifest

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
CLASS_FILES = ("classnames.txt", "classes.txt")
LARGEST_NOTE = 1 << 20
"""Most bytes of a class, caption or JSON file beside an image."""

_PACKED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"(\xb5": "zstd"}
_BRACES = re.compile(r"\{([^{}]*)\}")
_NUMBERS = re.compile(r"(\d+)\.\.(\d+)")

_log = logging.getLogger(__name__)


def is_pattern(text: str) -> bool:
    """Whether `text` names shards by braces: `shard-{000..009}.tar`."""
    return ".tar" in text and _BRACES.search(text) is not None


def expand(pattern: str) -> list[str]:
    """`a-{08..10}.tar` -> `a-08.tar, a-09.tar, a-10.tar`; `{x,y}` is read as the shell does."""
    pieces = _BRACES.split(pattern)
    choices = [_choices(p) if i % 2 else [p] for i, p in enumerate(pieces)]
    return ["".join(parts) for parts in product(*choices)]


def _choices(inside: str) -> list[str]:
    span = _NUMBERS.fullmatch(inside)
    if span is None:
        return inside.split(",")
    first, last = int(span[1]), int(span[2])
    if not 0 <= last - first < 1_000_000:
        raise UsageError(f"Expected a range from low to high in braces, got {{{inside}}}.")
    return [f"{number:0{len(span[1])}d}" for number in range(first, last + 1)]


def read(path: Path | str, *, classes: ClassList | None = None) -> Manifest:
    """The images of a shard, of a folder of shards, or of `{000..009}` shards, as a manifest.

    The class is in `.cls` (an index or a name) or in `.json` (`label`, `class`), the caption in
    `.txt` or `.json`, which may have a list of `captions`; class names come from `classes`, or
    `classnames.txt` beside the shards. A split is read from the name of a folder or shard
    (`train/00.tar`, `x-val-01.tar`).

    Raises `DataError` for a compressed or truncated archive, one without images, and a label
    outside the classes; `UsageError` when there is no shard.
    """
    shards, root = _find_shards(path)
    samples = [s for shard in shards for s in _samples(shard, root)]
    if not samples:
        raise DataError(f"Expected images in {path}, found none in {len(shards)} tar files.")
    classes = classes or _class_names(shards, root)
    given = _labels([s.label for s in samples])
    labels, own = index_labels(given, classes, lambda row: f"{samples[row].id!r}")
    if beside := [name for s in samples for _, name, _ in s.pictures[1:]]:
        _log.warning(
            f"{path}: {len(beside):,} pictures beside the one called as their key are left out"
            f" (first: {beside[0]})"
        )
    columns: dict[str, Any] = {
        column: [getattr(s, column) for s in samples] for column in ("id", "uri", "split")
    }
    columns["label"] = labels
    if any(s.captions for s in samples):
        columns["captions"] = [s.captions for s in samples]
    name = _BRACES.sub("", Path(path).name).removesuffix(".tar").rstrip("-_.")
    return Manifest.build(name or str(path), columns, own)


@dataclass
class _Sample:
    key: str
    split: str | None = None
    pictures: list[tuple[bool, str, str]] = field(default_factory=list)
    """Whether the name has more than key and suffix (`x.mask.png`), the id, and the URI of each."""
    label: int | str | None = None
    captions: list[str] | None = None
    notes: dict[str, bytes] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.pictures[0][1]

    @property
    def uri(self) -> str:
        return self.pictures[0][2]


def _find_shards(path: Path | str) -> tuple[list[Path], Path]:
    """The shards, sorted, and the folder that their ids are relative to."""
    if is_pattern(str(path)):
        shards = [Path(p).absolute() for p in expand(str(path))]
    elif Path(path).is_dir():
        root = Path(path).absolute()
        archives = [parts for parts in walk(root).archives if parts[-1].lower().endswith(SUFFIXES)]
        return [root.joinpath(*parts) for parts in archives], root
    else:
        shards = [Path(path).absolute()]
    if missing := [shard for shard in shards if not shard.is_file()]:
        raise UsageError(
            f"Expected tar files, but {len(missing)} of {len(shards)} are missing, the first"
            f" {missing[0]}."
        )
    return shards, shards[0].parent


def _samples(shard: Path, root: Path) -> Iterator[_Sample]:
    """The samples of one shard that have an image, in the archive's order."""
    try:
        place = shard.relative_to(root).as_posix()
    except ValueError:  # shards of one pattern in several folders
        place = shard.as_posix()
    split = next(filter(None, map(split_name, re.split(r"[/._-]", place))), None)
    samples: dict[str, _Sample] = {}
    for member, archive in _members(shard):
        name = shown(member.name)  # which may be Latin-1
        folder, _, base = name.rpartition("/")
        stem, _, extension = base.partition(".")
        sample = samples.setdefault(f"{folder}/{stem}", _Sample(stem, split))
        kind = extension.lower().rpartition(".")[2]
        if f".{kind}" in IMAGES:
            uri = member_uri(shard, member.offset_data, member.size, name)
            sample.pictures.append((extension.lower() != kind, f"{place}/{name}", uri))
        elif extension.lower() in {"cls", "txt", "json"} and member.size <= LARGEST_NOTE:
            stream = archive.extractfile(member)
            try:
                sample.notes[extension.lower()] = stream.read() if stream else b""
            except tarfile.TarError as error:
                raise DataError(f"Expected a whole tar file at {shard}, got {error}.") from None
    for sample in samples.values():
        if sample.pictures:
            _settle(sample, shard)
            yield _read_notes(sample)


def _settle(sample: _Sample, shard: Path) -> None:
    """Put the picture that is called as its key first. Raises `DataError` where it is not told."""
    sample.pictures.sort(key=lambda picture: picture[0])  # `.jpg` before `.mask.png`
    (odd, first, _), *others = sample.pictures
    if odd and others:
        raise DataError(
            f"Expected one picture for each key, which ends at the first dot of a name, got"
            f" {len(sample.pictures)} of key {sample.key!r} in {shard}, such as {first} and"
            f" {others[0][1]}; write '_' for the dots within names, or call the main one"
            f" {sample.key}{PurePosixPath(first).suffix}."
        )


def _members(shard: Path) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    with shard.open("rb") as file:
        packed = _PACKED.get(file.read(2))
    if packed:
        raise DataError(
            f"Expected a plain tar, got one packed with {packed}: {shard}."
            " Decompress it once (gunzip, unxz): images are read in place."
        )
    refused: list[str] = []
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # or it keeps every header
                if member.isreg() and not member.issparse() and _stays_inside(member.name):
                    yield member, archive
                elif not member.isdir():
                    refused.append(member.name)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise DataError(f"Expected a whole tar file at {shard}, got {error}.") from None
    except OSError as error:
        raise DataError(f"Expected a readable tar file at {shard}, got {error.strerror}.") from None
    if refused:
        _log.warning(
            f"{shard}: skipped {len(refused)} members that are links, devices or lead out of the"
            f" archive (first: {refused[0]!r})"
        )


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _read_notes(sample: _Sample) -> _Sample:
    notes = {kind: data.decode(errors="replace") for kind, data in sample.notes.items()}
    sample.notes = {}
    fields: dict[str, Any] = {}
    if "json" in notes:
        try:
            parsed = json.loads(notes["json"])
        except ValueError:
            raise DataError(f"Expected JSON beside {sample.id!r}, got something else.") from None
        fields = parsed if isinstance(parsed, dict) else {}
    if "cls" in notes:
        text = notes["cls"].strip()
        sample.label = int(text) if text.isascii() and text.isdecimal() else text
    else:
        found = next((fields[k] for k in ("label", "class", "cls") if k in fields), None)
        sample.label = found if isinstance(found, int | str) else None
    named = (fields[key] for key in CARRIED["captions"] if key in fields)
    sample.captions = captions_in(notes.get("txt") or next(named, None))
    if isinstance(fields.get("split"), str):
        sample.split = split_name(fields["split"]) or fields["split"]
    return sample


def _labels(values: list[int | str | None]) -> pa.Array:
    if all(value is None or isinstance(value, int) for value in values):
        return pa.array(values, pa.int64())
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _class_names(shards: list[Path], root: Path) -> ClassList | None:
    folders = (root, shards[0].parent, root.parent)
    found = (f / file for f in folders for file in CLASS_FILES if (f / file).is_file())
    return read_class_list(file) if (file := next(found, None)) else None
