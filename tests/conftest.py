"""Fixtures for every test: no network, no cache or configuration of the person who runs them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"  # before any hub library is imported
# Tests run side by side, and small models on a busy machine stall with a thread pool each.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is slow, not wrong.
settings.register_profile("clipfg", deadline=None)
settings.load_profile("clipfg")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CLIPFG_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLIPFG_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))


@pytest.fixture(scope="session", autouse=True)
def nothing_waits_for_the_disk() -> Iterator[None]:
    """Tests kill processes, and never cut the power: what is written may stay in memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were just written count as old: nothing sets back the time of a file's entry."""
    monkeypatch.setattr("clipfg.embedding.cache.SETTLED_NS", 0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images and the real encoder, which the project does not contain."""
    if not (SHARED / "models").is_dir():
        pytest.skip("the real images and the real encoder are not there (../shared)")
    return SHARED


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shape annotations are enforced in tests alone; with this a function's own checks must do."""
    from jaxtyping import config

    monkeypatch.setattr(config, "jaxtyping_disable", True)
