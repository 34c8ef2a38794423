"""Small XML files, such as Pascal VOC's, read without entities and without depth."""

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers.expat import ExpatError, ParserCreate

from clipfg.data.sources import reason
from clipfg.errors import DataError

LARGEST = 1 << 26
"""Bytes of a file."""

DEEPEST = 32
"""Elements inside one another; annotations have six."""


def read_xml(path: Path) -> Element:
    """The root element of an XML file.

    Raises `DataError` for a file that cannot be read, is too large, is no XML, nests too deeply,
    or declares entities, which could expand to gigabytes or read other files.
    """
    builder, depth = TreeBuilder(), 0
    parser = ParserCreate(namespace_separator=" ")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise DataError(f"Expected annotations in {path}, got too deeply nested XML.")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise DataError(f"Expected XML without entities in {path}, but it declares some.")

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"Expected XML of at most {LARGEST >> 20} MiB, got {path}.")
        parser.Parse(path.read_bytes(), True)
    except OSError as error:
        raise DataError(f"Expected a readable file at {path}, got {reason(error)}.") from None
    except ExpatError as error:
        raise DataError(f"Expected XML in {path}, got {reason(error)}.") from None
    return builder.close()
