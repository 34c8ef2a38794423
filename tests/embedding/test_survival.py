"""Runs that are killed, interrupted or run side by side."""

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.embedding.drawn_images import draw

ROOT = Path(__file__).parents[2]


class Run:
    """One process that embeds the images of a test."""

    def __init__(self, folder: Path, name: str, kept: str = "kept", delay: float = 0.0) -> None:
        self.log, self.output = folder / f"{name}.log", folder / f"{name}.npy"
        places = [folder / "images", folder / kept, self.log]
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.embedding.embed_in_a_process"),
                *(*places, str(delay), self.output),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def encoded(self) -> Counter[str]:
        return Counter(self.log.read_text().split() if self.log.exists() else [])

    def wait_for(self, images: int) -> None:
        deadline = time.monotonic() + 60
        while self.encoded().total() < images:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def stop(self, number: signal.Signals) -> str:
        self.process.send_signal(number)
        return self.process.communicate(timeout=60)[1]

    def finish(self) -> np.ndarray:
        _, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, errors
        assert errors == ""
        return np.load(self.output)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Features of the same images from an uninterrupted run."""
    folder = tmp_path_factory.mktemp("unbroken")
    (folder / "images").mkdir()
    for seed in range(50):
        draw(folder / "images" / f"{seed:03}.png", seed)
    return Run(folder, "unbroken").finish()


@pytest.mark.usefixtures("images")
def test_kill_9_costs_the_images_in_flight_and_no_bit(tmp_path: Path, unbroken: np.ndarray) -> None:
    killed = Run(tmp_path, "killed", delay=0.25)
    killed.wait_for(17)
    killed.stop(signal.SIGKILL)
    again = Run(tmp_path, "again", delay=0.25)
    again.wait_for(9)
    again.stop(signal.SIGKILL)
    last = Run(tmp_path, "last")
    features = last.finish()
    runs = [killed.encoded(), again.encoded(), last.encoded()]
    counts = sum(runs, Counter())
    assert len(counts) == 50
    assert all(max(run.values()) == 1 for run in runs)
    assert runs[2].total() < 50 - 9
    # Twice only what was in the tower when the process died: a batch a time.
    repeated = counts.total() - 50
    assert repeated <= 2 * 8
    np.testing.assert_array_equal(features, unbroken)


@pytest.mark.usefixtures("images")
def test_ctrl_c_keeps_all_but_the_batch_in_flight(tmp_path: Path, unbroken: np.ndarray) -> None:
    run = Run(tmp_path, "interrupted", delay=0.25)
    run.wait_for(17)
    errors = run.stop(signal.SIGINT)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "Exception ignored" not in errors
    resumed = Run(tmp_path, "resumed")
    features = resumed.finish()
    assert (run.encoded() + resumed.encoded()).total() <= 50 + 8
    np.testing.assert_array_equal(features, unbroken)


@pytest.mark.usefixtures("images")
def test_two_runs_at_once_share_the_work(tmp_path: Path, unbroken: np.ndarray) -> None:
    runs = [Run(tmp_path, f"twin{i}", delay=0.1) for i in range(2)]
    first, second = (run.finish() for run in runs)
    counts = runs[0].encoded() + runs[1].encoded()
    assert set(counts.values()) == {1}
    assert len(counts) == 50
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, unbroken)


@pytest.mark.usefixtures("images")
def test_a_run_that_waits_takes_over_from_one_that_dies(
    tmp_path: Path, unbroken: np.ndarray
) -> None:
    dying = Run(tmp_path, "dying", delay=30)
    dying.wait_for(8)  # it holds these
    heir = Run(tmp_path, "heir")
    time.sleep(1.5)
    assert heir.process.poll() is None
    dying.stop(signal.SIGKILL)
    np.testing.assert_array_equal(heir.finish(), unbroken)
