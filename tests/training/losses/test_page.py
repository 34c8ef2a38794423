"""docs/losses.md names every loss, and its Python works."""

import re
from pathlib import Path

import clipfg.training.losses

PAGE = (Path(__file__).parents[3] / "docs" / "losses.md").read_text(encoding="utf-8")


def test_every_loss_is_on_the_page() -> None:
    files = {p.stem for p in Path(clipfg.training.losses.__file__).parent.glob("*.py")}
    assert files - {"__init__", "centroids"} <= set(re.findall(r"`(\w+)`", PAGE))


def test_the_python_of_the_page_works() -> None:
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "losses.md", "exec"), names)
    assert names["loss"].isfinite()  # type: ignore[attr-defined]
