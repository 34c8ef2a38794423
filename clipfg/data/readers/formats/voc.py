"""Pascal VOC: an XML file a picture, corners in pixels; splits in `ImageSets/Main`.

VOC counts pixels from 1; the tools that write its format today mostly count from 0, and so they are
read: a pixel at the edge of a box matters to no crop. http://host.robots.ox.ac.uk/pascal/VOC
"""

from pathlib import Path
from xml.etree.ElementTree import Element

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.formats.xml_tree import read_xml
from clipfg.data.readers.labels import split_name
from clipfg.data.readers.list_files import read_lines
from clipfg.errors import DataError
from clipfg.types import Role

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read(path: Path) -> Annotations:
    """A VOC file, or all of a folder and the folders in it; other XML there is left out."""
    found = Annotations("Pascal VOC", path, BoxFormat("xyxy"))
    found.roles = [Role("object/name", "class"), Role("bndbox", "an item a box")]
    files = [path] if path.is_file() else sorted(path.rglob("*.xml"))
    splits = _splits(path) or _splits(path.parent) or _splits(path.parent.parent)
    if splits:
        found.roles.append(Role("ImageSets/Main", "split"))
    for file in files:
        root = read_xml(file)
        if root.tag != "annotation":
            found.leave(file.name, "no Pascal VOC file")
            continue
        name = (root.findtext("filename") or "").strip() or file.stem
        split = splits.get(file.stem) or split_name(file.parent.name)
        picture = found.picture(name, split, _size(root), _folder(file, path))
        for thing in root.iter("object"):
            box = thing.find("bndbox")
            if box is None:
                found.leave(f"{file.name}: {thing.findtext('name')}", "an object without a box")
            else:
                found.add(picture, thing.findtext("name"), _corners(box, file))
    return found


def _folder(file: Path, path: Path) -> str:
    """The folder of a picture whose annotation lies beside it, in a split for example."""
    below = file.parent.relative_to(path) if path.is_dir() else Path()
    return "" if below == Path() else below.as_posix()


def _size(root: Element) -> tuple[int, int] | None:
    width, height = root.findtext("size/width"), root.findtext("size/height")
    try:
        size = int(float(width or 0)), int(float(height or 0))
    except ValueError:
        return None
    return size if min(size) > 0 else None


def _corners(box: Element, file: Path) -> list[float]:
    try:
        return [float(box.findtext(corner) or "") for corner in CORNERS]
    except ValueError:
        raise DataError(
            f"Expected {', '.join(CORNERS)} as numbers in each box of {file}."
        ) from None


def _splits(root: Path) -> dict[str, str]:
    """The split of each picture that `ImageSets/Main/train.txt` and the like list."""
    splits: dict[str, str] = {}
    for file in sorted((root / "ImageSets" / "Main").glob("*.txt")):
        if split := split_name(file.stem):
            splits.update((line.split()[0], split) for line in read_lines(file))
    return splits


def _is_voc(sample: Sample) -> bool:
    return sample.root_tag == "annotation"


FORM = Form("Pascal VOC XML", _is_voc, read, each_picture=True)
