"""CVAT for images 1.1: one XML file, boxes and polygons in pixels, tags as labels of a picture.

https://docs.cvat.ai/docs/manual/advanced/formats/format-cvat
"""

from pathlib import Path
from xml.etree.ElementTree import Element

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.formats.xml_tree import read_xml
from clipfg.data.readers.labels import split_name
from clipfg.errors import DataError
from clipfg.types import Role

CORNERS = ("xtl", "ytl", "xbr", "ybr")


def read(path: Path) -> Annotations:
    """The boxes, polygons and tags of a CVAT file. Raises `DataError` for a video's."""
    found = Annotations("CVAT for images", path, BoxFormat("xyxy"))
    found.roles = [Role("box label", "an item a box"), Role("tag label", "class of the picture")]
    root = read_xml(path)
    if root.find("track") is not None:
        raise DataError(
            f"Expected pictures in {path}, got tracks of a video; in CVAT, export the task as"
            " 'COCO 1.0' together with its frames."
        )
    found.declare([name for one in root.iter("label") if (name := (one.findtext("name") or ""))])
    for image in root.iter("image"):
        _add(found, image, path)
    asked = {one.get("name", "") for image in root.iter("image") for one in image.iter("attribute")}
    if asked:
        found.doubts.append(
            f"Attributes ({', '.join(sorted(asked))}) are not read: classes are the labels of"
            f" boxes and tags ({', '.join([*found.classes][:3])})."
        )
    return found


def _add(found: Annotations, image: Element, path: Path) -> None:
    try:
        size = int(image.attrib["width"]), int(image.attrib["height"])
        split = split_name(image.get("subset", ""))
        picture = found.picture(image.attrib["name"], split, size)
        for one in image:
            if one.tag == "tag":
                found.add(picture, one.attrib["label"])
            elif one.tag == "box" and float(one.get("rotation", 0)) == 0:
                box = [float(one.attrib[corner]) for corner in CORNERS]
                found.add(picture, one.attrib["label"], box)
            elif one.tag == "polygon":
                points = [p.split(",") for p in one.attrib["points"].split(";")]
                columns, lines = zip(*((float(x), float(y)) for x, y in points), strict=True)
                box = [min(columns), min(lines), max(columns), max(lines)]
                found.add(picture, one.attrib["label"], box)
            else:
                found.leave(image.attrib["name"], f"a {one.tag}, no upright box")
    except (KeyError, ValueError):
        what = image.get("name", "an image")
        raise DataError(f"Expected CVAT's attributes of {what} in {path}, got others.") from None


def _is_cvat(sample: Sample) -> bool:
    return sample.root_tag == "annotations"


FORM = Form("CVAT XML", _is_cvat, read)
