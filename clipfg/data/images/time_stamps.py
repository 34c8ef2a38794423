"""When a picture was taken, and by which camera, as its EXIF tags say."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from clipfg.data.images.decoding import FORMATS, hush
from clipfg.data.images.photo_kinds import HEIF
from clipfg.data.images.photos import is_heif, open_heif
from clipfg.data.sources import read, scheme_of

THREADS = 8
DRAWN = "synthflora"
_EXIF, _TAKEN, _SERIAL = 0x8769, 0x9003, 0xA431
_MAKE, _MODEL = 0x010F, 0x0110
_FORM = "%Y:%m:%d %H:%M:%S"


@dataclass(frozen=True)
class Shot:
    """The time on the camera's clock, and its make, model and serial number in one text."""

    time: datetime
    camera: str = ""


def shots_at(uris: Sequence[str]) -> list[Shot | None]:
    """The shot of each picture `[n]`; None without a time stamp, and for what cannot be read."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(_shot, uris))


def _shot(uri: str) -> Shot | None:
    if scheme_of(uri) == DRAWN:
        return None  # there is no camera, and drawing takes time
    try:
        with _opened(uri) as image:
            tags = image.getexif()
            own = tags.get_ifd(_EXIF)
        time = datetime.strptime(_text(own.get(_TAKEN))[:19], _FORM)
    except Exception:  # no picture, no stamp, or any of a dozen kinds on hostile bytes
        return None
    parts = map(_text, (tags.get(_MAKE), tags.get(_MODEL), own.get(_SERIAL)))
    return Shot(time, " ".join(filter(None, parts)))


def _opened(uri: str) -> Image.Image:
    """An image of which no more than the header is read, where it is a file on disk."""
    hush()
    if scheme_of(uri) is None and Path(uri).suffix.lower() not in HEIF:
        return Image.open(uri, formats=FORMATS)
    data = read(uri)
    return open_heif(data) if is_heif(data) else Image.open(BytesIO(data), formats=FORMATS)


def _text(tag: Any) -> str:
    return "" if tag is None else str(tag).strip("\0 ")
