"""What the jobs of a session share."""

import os
from pathlib import Path

import pytest

from clipfg.errors import DataError
from clipfg.options import PredictOptions, resolve
from clipfg.workflows.resources import Resources
from tests.checkpoints import clip

LONG_AGO = 10**18

pytestmark = pytest.mark.usefixtures("settled")


def aged(folder: Path) -> Path:
    for path in (*folder.iterdir(), folder):
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return folder


def test_files_that_change_during_a_run_make_no_features_for_those_before(tmp_path: Path) -> None:
    folder = aged(clip(tmp_path / "model"))
    given = {"device": "cpu", "cache_dir": tmp_path / "cache"}
    shared = Resources(resolve(PredictOptions, given))

    def opened(shared: Resources) -> str:
        asked = (str(folder), "fp32", resolve(PredictOptions, given), None)
        encoder = shared.encoder(*asked, embeds_only=True)
        encoder.encode_texts(["a rose"])
        return encoder.fingerprint

    before = opened(shared)
    shared.close()
    known = shared.encoder(
        str(folder), "fp32", resolve(PredictOptions, given), None, embeds_only=True
    )
    assert known.fingerprint == before
    path = folder / "tokenizer_config.json"
    path = path if path.exists() else next(folder.glob("*token*"))
    path.write_text(path.read_text() + " ")
    with pytest.raises(DataError, match="run the command again"):
        known.encode_texts(["a rose"])
    assert opened(shared) != before
    shared.close()
