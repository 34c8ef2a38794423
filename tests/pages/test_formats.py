from clipfg.pages.formats import bounds, count, grouped, percent, points
from clipfg.types import Estimate


def test_figures_as_text() -> None:
    assert [percent(0.4936), percent(0.4936, 0), percent(1.0), percent(None)] == [
        "49.4%",
        "49%",
        "100.0%",
        "–",
    ]
    assert bounds(Estimate(0.5, 0.4201, 0.5549)) == "42.0 – 55.5"
    assert points(Estimate(0.011, -0.004, 0.026)) == "+1.1 (-0.4 to +2.6)"
    assert grouped(1200) == "1,200"
    assert [count(1, "image"), count(1200, "image")] == ["1 image", "1,200 images"]
