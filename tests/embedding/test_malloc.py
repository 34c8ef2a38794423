import os
import platform
import subprocess
import sys

import pytest

TELL = "from clipfg.embedding.malloc import keep_freed_blocks as keep; print(keep())"
# A block is made, used and dropped again and again; faults count the pages that came anew.
FAULTS = """
import resource, sys
import numpy as np
from clipfg.embedding.malloc import keep_freed_blocks
if sys.argv[1] == "keep":
    keep_freed_blocks()
for turn in range(21):
    if turn == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(16 << 20, dtype=np.float32).sum()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")


def run(code: str, *arguments: str, **environment: str) -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@glibc
def test_freed_blocks_are_reused() -> None:
    assert int(run(FAULTS, "keep")) < int(run(FAULTS, "give")) / 5


@glibc
def test_glibc_is_configured_unless_the_environment_does_it() -> None:
    assert run(TELL) == "True"
    assert run(TELL, MALLOC_ARENA_MAX="2") == "False"
    assert run(TELL, GLIBC_TUNABLES="glibc.malloc.tcache_count=0") == "False"
