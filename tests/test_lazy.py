"""Packages whose names are imported when they are asked for."""

import subprocess
import sys

import pytest

TELL = "import sys, {0} as p; print(set(p.__all__) <= set(dir(p)), 'torch' in sys.modules)"


@pytest.mark.parametrize("package", ["heads", "encoders", "evaluation", "confidence"])
def test_names_are_listed_before_they_are_imported(package: str) -> None:
    tell = TELL.format(f"clipfg.{package}")
    done = subprocess.run([sys.executable, "-c", tell], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
