"""Every form of data is read rightly, or refused with help."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.layouts import judged, parts, real
from tests.data.forms.form import Form

FORMS = [form for forms in parts().values() for form in forms]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_form(form: Form, tmp_path: Path) -> None:
    verdict, why = judged(form, form.write(tmp_path))
    assert verdict == ("refused" if form.refused else "read"), why


def test_names_are_unique() -> None:
    names = [form.name for form in FORMS]
    assert len(set(names)) == len(names)


@pytest.mark.shared
def test_layouts_with_real_pictures(shared: Path, tmp_path: Path) -> None:
    script = shared / "data/layouts/make.sh"
    if not shutil.which("bash"):
        pytest.skip("bash is not here")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it calls python
    env = {**os.environ, "PATH": path}
    subprocess.run(["bash", script, tmp_path], check=True, capture_output=True, env=env)
    for form in FORMS:
        if place := real(form, tmp_path):
            verdict, why = judged(form, place, ids=False)
            assert verdict == ("refused" if form.refused else "read"), (form.name, why)
