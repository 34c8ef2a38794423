"""Names of files and classes, as strangers choose them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipfg.printable import as_cell, from_cell, printable, printable_lines


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Blue Jay, café, 蓝鸟 – 🐦", "Blue Jay, café, 蓝鸟 – 🐦"),
        ("\x1b[2J\x07red", r"\x1b[2J\x07red"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\x9b31m\x00", r"\x9b31m\x00"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("v\udcf6gel", r"v\udcf6gel"),
    ],
)
def test_what_steers_a_terminal_is_written_out(text: str, wanted: str) -> None:
    assert printable(text) == wanted


def test_a_line_break_in_a_name_makes_no_message_of_its_own() -> None:
    text = "Skipped a\n2026-01-31 WARNING all is well"
    assert printable_lines(text).split("\n")[1].startswith("    2026")


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+1", "-2", "\t=1", "\r=1"])
def test_formulas_are_text(text: str) -> None:
    assert as_cell(text) == f"'{text}"


@given(st.text())
def test_cells_come_back(text: str) -> None:
    assert from_cell(as_cell(text)) == text or text.startswith("'")
    assert not as_cell(text).startswith(("=", "+", "-", "@"))
