"""Every form of data is read rightly, or refused with help."""

from importlib import import_module
from pathlib import Path

import pytest

from tests.data.forms.form import Form

PARTS = ("folders", "tables", "formats")


def every_form() -> list[Form]:
    """The forms of all parts that there are."""
    here = Path(__file__).parent
    found = [part for part in PARTS if (here / f"{part}.py").is_file()]
    return [form for part in found for form in import_module(f"tests.data.forms.{part}").FORMS]


@pytest.mark.parametrize("form", every_form(), ids=lambda form: form.name)
def test_form(form: Form, tmp_path: Path) -> None:
    verdict, why = form.judge(form.write(tmp_path))
    assert verdict == ("refused" if form.refused else "read"), why


def test_names_are_unique() -> None:
    names = [form.name for form in every_form()]
    assert len(set(names)) == len(names)
