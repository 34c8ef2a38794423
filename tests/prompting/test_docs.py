"""docs/prompts.md says of the library what the library is."""

import re
from pathlib import Path

from clipfg.prompting import list_prompts, load_prompts

TEXT = (Path(__file__).parents[2] / "docs" / "prompts.md").read_text(encoding="utf-8")


def test_every_set_is_listed_with_its_own_description() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (\d+) \| (.*) \|$", TEXT, re.M)
    expected = [
        (name, str(len(load_prompts(name).templates)), about)
        for name, about in list_prompts().items()
    ]
    assert rows == expected


def test_the_example_files_can_be_read(tmp_path) -> None:
    lines, example = tmp_path / "my.txt", tmp_path / "my.yaml"
    lines.write_text(re.search(r"```text\n(.*?)```", TEXT, re.S)[1])
    assert load_prompts(lines).render("ink cap")[0] == "a photo of an ink cap, a kind of mushroom."
    example.write_text(re.search(r"```yaml\n(.*?)```", TEXT, re.S)[1])
    assert load_prompts(example).render("Death Cap")[1:] == (
        "Death Cap, which has an olive-green cap.",
        "Death Cap, which has white gills and a ring on the stem.",
    )


def test_the_example_in_python_renders() -> None:
    expected = re.search(r"render\(\"albatross\"\)\[0\] +# '(.*)'", TEXT)[1]
    assert load_prompts("birds").render("albatross")[0] == expected
