"""The XMP sidecars that `clipfg predict --to xmp` writes: the end of a keyword's path is the class.

Other programs' sidecars hold keywords of all kinds and are not read.
"""

from pathlib import Path

from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.formats.xml_tree import read_xml
from clipfg.types import Role

KEYWORDS = "http://ns.adobe.com/lightroom/1.0/ hierarchicalSubject"
ITEM = "http://www.w3.org/1999/02/22-rdf-syntax-ns# li"


def read(path: Path) -> Annotations:
    """The classes of a sidecar, or of all in a folder."""
    found = Annotations("XMP sidecars", path)
    found.roles = [Role("the end of lr:hierarchicalSubject", "class")]
    root = path if path.is_dir() else path.parent
    for file in sorted(path.rglob("*.xmp")) if path.is_dir() else [path]:
        picture = found.picture(file.relative_to(root).as_posix().removesuffix(".xmp"))
        for bag in read_xml(file).iter(KEYWORDS):
            for item in bag.iter(ITEM):
                found.add(picture, (item.text or "").rpartition("|")[2])
    return found


def _is_ours(sample: Sample) -> bool:
    return sample.suffix == ".xmp" and 'x:xmptk="clipfg"' in sample.head


FORM = Form("XMP sidecars", _is_ours, read, each_picture=True)
