"""Azure Custom Vision: the images of a project as its API lists them; regions are shares.

https://learn.microsoft.com/azure/ai-services/custom-vision-service
"""

from pathlib import Path

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.formats.json_stream import entries
from clipfg.types import Role

ADDRESSES = ("originalImageUri", "resizedImageUri")


def read(path: Path) -> Annotations:
    """The regions of each image, or its tags where it has none."""
    found = Annotations("Custom Vision JSON", path, BoxFormat("xywh", "relative"))
    found.roles = [Role("tags", "class of the picture"), Role("regions", "an item a region")]
    for _, image in entries(path):
        address = image.get(ADDRESSES[0]) or image[ADDRESSES[1]]
        picture = found.picture(address.partition("?")[0])
        regions = image.get("regions") or ()
        for one in regions:
            box = [float(one[side]) for side in ("left", "top", "width", "height")]
            found.add(picture, one["tagName"], box)
        for tag in () if regions else image.get("tags") or ():
            found.add(picture, tag["tagName"])
    return found


def _is_custom_vision(sample: Sample) -> bool:
    return any(key in sample.element() for key in ADDRESSES)


FORM = Form("Custom Vision JSON", _is_custom_vision, read)
