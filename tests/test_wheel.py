"""What people install: the wheel has prompts, weights and styles in it, and works from anywhere."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def run(installed: Path, folder: Path, *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "clipfg", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_wheel_is_what_runs(installed: Path, tmp_path: Path) -> None:
    code = "import clipfg; print(clipfg.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.startswith(str(installed))


def test_every_prompt_set_is_in_it(installed: Path, tmp_path: Path) -> None:
    listed = [json.loads(line) for line in run(installed, tmp_path, "prompts", "list").splitlines()]
    assert {path.stem for path in (ROOT / "prompts").glob("*.yaml")} <= {x["name"] for x in listed}


def test_the_main_job_runs_from_it(installed: Path, tmp_path: Path) -> None:
    command = ["zeroshot", "--dataset", "synthflora", "--limit", "8", "--format", "json", "--html"]
    report = json.loads(run(installed, tmp_path, *command, "-o", "run"))
    assert report["n"] == 8
    assert (tmp_path / "run" / "report.html").exists()
