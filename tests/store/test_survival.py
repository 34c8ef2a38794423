"""kill -9 at any moment leaves the old state or the new one, and the store writable."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kills", [12, pytest.param(60, marks=pytest.mark.long)])
def test_kills_at_random_moments(kills: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.kill_writers", "--kills", str(kills)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    states = [int(count) for count in re.findall(r"'(?:old|new)': (\d+)", done.stdout)]
    assert sum(states) == kills
    if kills > 50:
        assert sum(states[0::2]) >= 2  # old
        assert sum(states[1::2]) >= 2  # new
