"""Losses see embeddings alone: no encoder, no data, no module that is trained."""

from pathlib import Path

import pytest

import clipfg.training.losses
from tests.test_layers import imports, layer_of

FILES = sorted(Path(clipfg.training.losses.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_losses_import_losses_and_pure_maths(path: Path) -> None:
    for name in imports(path):
        inside = name.startswith("clipfg.training.losses.")
        assert inside or layer_of(name) in {"functional", "types", "errors"}, name
