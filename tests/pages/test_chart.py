import io

import numpy as np
import pytest
from PIL import Image

from clipfg.errors import DataError
from clipfg.pages.chart import Chart, Curve
from clipfg.types import Estimate

HOSTILE = "<script>--> $x^$ & co"


def chart(name: str = "auto", count: int = 1) -> Chart:
    shots = (1.0, 2.0, 4.0, 16.0)
    estimates = tuple(Estimate(0.5 + x / 50, 0.45 + x / 50, 0.55 + x / 50) for x in shots)
    curves = tuple(Curve(f"{name} {i}", shots, estimates) for i in range(count))
    level = Curve("zero-shot", (), (Estimate(0.6, 0.58, 0.62),), level=True)
    return Chart("Accuracy", "shots", "top-1", (*curves, level), log_x=True)


def test_png_is_a_image_that_shows_the_curves() -> None:
    image = Image.open(io.BytesIO(chart().to_png())).convert("RGB")
    assert image.size == (1440, 800)
    pixels = np.asarray(image).reshape(-1, 3)
    for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):  # the curve, then the level
        assert (np.abs(pixels.astype(int) - colour).sum(axis=1) < 12).sum() > 100


def test_the_same_chart_gives_the_same_bytes() -> None:
    assert chart().to_svg() == chart().to_svg()
    assert chart().to_png() == chart().to_png()


def test_names_cannot_leave_the_svg() -> None:
    svg = chart(HOSTILE).to_svg()
    assert svg.startswith("<svg")
    assert "<script" not in svg


def test_more_curves_than_colours_are_told_apart() -> None:
    assert len(chart(count=10).to_png()) > len(chart(count=1).to_png())


@pytest.mark.parametrize(("x", "level"), [((1.0, 2.0), False), ((), False)])
def test_an_estimate_for_each_x(x, level) -> None:
    with pytest.raises(DataError, match="for each x"):
        Curve("auto", x, (Estimate(0.5, 0.4, 0.6),) if x else (), level)


def test_whole_numbers_are_ticked_at_whole_numbers() -> None:
    def ticks(*steps: float) -> list[float]:
        curve = Curve("accuracy", steps, (Estimate(0.5, 0.5, 0.5),) * len(steps))
        (axes,) = Chart("Validation", "steps", "accuracy", (curve,))._figure().axes
        return axes.get_xticks().tolist()

    assert all(tick == int(tick) for tick in ticks(0, 10, 20))
    assert not all(tick == int(tick) for tick in ticks(0, 0.5, 1))


def test_no_share_above_one_is_ticked() -> None:
    curve = Curve("accuracy", (0, 1), (Estimate(1, 1, 1),) * 2)
    (axes,) = Chart("Validation", "steps", "accuracy", (curve,))._figure().axes
    assert max(axes.get_yticks()) == 100
    assert axes.get_ylim()[1] > 100  # a marker at 100% is whole
