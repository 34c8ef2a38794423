import io

import pytest
from rich.console import Console
from rich.text import Text

from clipfg.pages.terminal_table import NARROWEST, table


def lines(names, numbers, rows, width) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(table(names, numbers, rows, width))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_what_fits_is_one_table() -> None:
    rows = [("wren", "1,200", "50.0%"), (Text("owl"), "9", Text("100.0%"))]
    assert lines(("class",), ("images", "accuracy"), rows, 40) == [
        "class  images  accuracy",
        "wren    1,200     50.0%",
        "owl         9    100.0%",
    ]


@pytest.mark.parametrize("name", ["a class with words " * 3, "a_class_without_spaces" * 3])
@pytest.mark.parametrize("width", [30, 60, 80])
def test_names_wrap_and_numbers_stay_whole(name, width) -> None:
    numbers = [f"{i},000,000" for i in range(1, 9)]
    found = lines(("class",), tuple(f"n{i}" for i in range(8)), [(name.strip(), *numbers)], width)
    assert max(map(len, found)) <= width
    for number in numbers:
        assert sum(number in line.split() for line in found) == 1
    letters = "".join(found).replace(" ", "")
    assert letters.count("class") > 1  # the heading and the name, in each block
    assert "…" not in letters


def test_columns_that_do_not_fit_go_below_with_the_names_again() -> None:
    rows = [("wren", "1", "2", "3"), ("owl", "4", "5", "6")]
    assert lines(("class",), ("one" * 3, "two" * 3, "three"), rows, 30) == [
        "class  oneoneone  twotwotwo",
        "wren           1          2",
        "owl            4          5",
        "",
        "class  three",
        "wren       3",
        "owl        6",
    ]


def test_a_name_keeps_its_least_width() -> None:
    found = lines(("name",), ("aaaaaaaaaa", "bbbbbbbbbb"), [("x" * 60, "1", "2")], NARROWEST + 24)
    assert found[1].startswith("x" * NARROWEST + " ")
    assert "bbbbbbbbbb" in found[0]
    apart = lines(("name",), ("aaaaaaaaaa", "bbbbbbbbbb"), [("x" * 60, "1", "2")], NARROWEST + 23)
    assert "bbbbbbbbbb" not in apart[0]


def test_markup_and_wide_letters_are_text() -> None:
    found = lines(("",), ("n",), [("[red]x[/red] :smile:", "1"), ("鳥" * 40, "2")], 40)
    assert "[red]x[/red] :smile:" in "\n".join(found)
    assert sum(line.count("鳥") for line in found) == 40
    assert found[2].endswith("2")
