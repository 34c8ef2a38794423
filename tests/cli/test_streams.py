"""Standard streams as the system hands them over."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image


@pytest.mark.parametrize(
    ("redirect", "encoding", "out", "err"),
    [
        ("", "cp1252", r"b, \u84dd\x1b[2J", ""),
        (">&-", "utf-8", "", ""),
        ("2>&-", "utf-8", r"b, 蓝\x1b[2J", ""),
    ],
)
def test_any_stream_takes_any_name(
    tmp_path: Path, redirect: str, encoding: str, out: str, err: str
) -> None:
    for name in ("蓝\x1b[2J", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), len(name)).save(tmp_path / "data" / name / "1.png")
    done = subprocess.run(
        f"{sys.executable} -m clipfg datasets show data --format table {redirect}",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        check=False,
        env={"PYTHONIOENCODING": encoding, "PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr.decode()
    assert out in done.stdout.decode(encoding)
    assert b"\x1b[2J" not in done.stdout + done.stderr
    assert b"bug" not in done.stderr
