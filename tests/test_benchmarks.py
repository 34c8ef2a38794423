"""Benchmarks are run by hand; that they still fit the code is looked at here."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_benchmark_can_be_imported() -> None:
    names = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))
    imports = "\n".join(f"import benchmarks.{name}" for name in names)
    # Some are run as files and import their neighbours by bare names.
    code = f"import sys; sys.path.append('benchmarks')\n{imports}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
