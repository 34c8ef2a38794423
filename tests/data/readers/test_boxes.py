import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from clipfg.data.images.headers import PictureSizes, picture_sizes
from clipfg.data.readers.boxes import BoxFormat, box_ids, corners, outside, place
from clipfg.errors import UsageError

STORED = (60, 40)
BOX = (6, 5, 26, 15)


def turned(turn: int) -> bytes:
    """A stored picture of which `BOX` is white, with an EXIF orientation."""
    pixels = np.zeros((STORED[1], STORED[0], 3), np.uint8)
    x0, y0, x1, y1 = BOX
    pixels[y0:y1, x0:x1] = 255
    exif = Image.Exif()
    exif[0x0112] = turn
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", exif=exif)
    return buffer.getvalue()


def white_box(data: bytes) -> list[float]:
    """Where the upright picture is white, found pixel by pixel."""
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("L"))
    lines, columns = np.nonzero(upright > 128)
    return [columns.min(), lines.min(), columns.max() + 1, lines.max() + 1]


def sizes(*stored: tuple[int, int], turn: int = 1) -> PictureSizes:
    return PictureSizes(np.array(stored), np.full(len(stored), turn))


def placed(
    box: tuple[float, ...],
    how: BoxFormat,
    of: PictureSizes,
    annotated: tuple[int, int] = (0, 0),
) -> NDArray[np.float64]:
    rows = np.zeros(1, np.int64)
    return place(np.array([box], float), how, of, rows, np.array([annotated]))[0]


@pytest.mark.parametrize("turn", range(1, 9))
def test_stored_boxes_turn_with_their_picture(turn: int, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(turned(turn))
    found = picture_sizes([str(path)])
    assert found.turn.tolist() == [turn]
    told = placed(BOX, BoxFormat("xyxy"), found, annotated=STORED)
    if turn >= 5:  # sizes tell whether the annotator saw the picture stored or upright
        assert told.tolist() == white_box(path.read_bytes())
        flipped = placed((1, 2, 3, 4), BoxFormat("xyxy"), found, annotated=STORED[::-1])
        assert flipped.tolist() == [1, 2, 3, 4]
    else:  # of equal sizes: annotators see pictures upright
        assert told.tolist() == list(BOX)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", [1, 3, 6])
def test_headers_tell_size_and_turn(kind: str, turn: int, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / "a"
    Image.new("RGB", STORED).save(path, kind, exif=exif)
    found = picture_sizes([str(path), str(tmp_path / "none")])
    assert found.stored.tolist() == [list(STORED), [0, 0]]
    assert found.turn.tolist() == [turn, 1]
    upright = ImageOps.exif_transpose(Image.open(path)).size
    assert found.upright[0].tolist() == list(upright)


def test_layouts_and_units_say_the_same():
    one = sizes((200, 100))
    expected = [20, 10, 60, 30]
    for box, how in (
        ((20, 10, 60, 30), "xyxy"),
        ((20, 10, 40, 20), "xywh"),
        ((40, 20, 40, 20), "cxcywh"),
        ((0.1, 0.1, 0.2, 0.2), "xywh relative"),
        ((20, 20, 20, 20), "cxcywh percent"),
    ):
        assert placed(box, BoxFormat.parse(how), one) == pytest.approx(expected)


def test_pixels_that_fit_only_the_stored_picture_turn():
    wide = sizes((60, 40), turn=6)
    assert placed((50, 5, 58, 15), BoxFormat("xyxy"), wide).tolist() == [25, 50, 35, 58]
    assert placed((5, 50, 15, 58), BoxFormat("xyxy"), wide).tolist() == [5, 50, 15, 58]


def test_another_size_scales_and_another_shape_is_lost():
    one = sizes((200, 100))
    assert placed((10, 5, 30, 15), BoxFormat("xyxy"), one, (100, 50)).tolist() == [20, 10, 60, 30]
    assert np.isnan(placed((10, 5, 30, 15), BoxFormat("xyxy"), one, (100, 100))).all()


def test_outside_counts_area():
    upright = np.array([[100, 50]] * 5)
    boxes = np.array(
        [[0, 0, 100, 50], [-1, 0, 49, 50], [60, 0, 140, 50], [10, 10, 10, 20], [30, 30, 20, 20]],
        float,
    )
    assert outside(boxes, upright).tolist() == [False, False, True, True, True]


def test_ids_hold_the_box_alone():
    boxes = np.array([[1.2, 2, 3, 4], [1, 2, 3, 4], [np.nan] * 4, [5, 6, 7, 8]])
    assert box_ids(["a", "a", "a", "b"], boxes) == ["a#1,2,3,4", "a#1,2,3,4#2", "a", "b#5,6,7,8"]


@pytest.mark.parametrize(
    "text", ["", "relative", "xyxy xywh", "xyxy metres", "xyxy pixels percent"]
)
def test_other_formats_are_refused(text: str):
    with pytest.raises(UsageError, match="--box-format"):
        BoxFormat.parse(text)


def test_corners_of_centres():
    assert corners(np.array([[10.0, 20, 4, 6]]), "cxcywh").tolist() == [[8, 17, 12, 23]]
