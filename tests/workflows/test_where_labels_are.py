"""Errors for data without labels say where these may be."""

from pathlib import Path

import pytest

from clipfg.errors import DataError
from clipfg.options import DataOptions
from clipfg.workflows.dataset import open_dataset
from tests.data.forms.form import PICTURE, Form


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        (("train/cat.1.jpg", "train/cat.2.jpg", "train/dog.1.jpg", "train/dog.2.jpg"), "-name '^("),
        (("train/Jay/1.jpg", "test/Jay/2.jpg"), "Jay/ is alone, and so no class; --label-level 2"),
        (("Jay/1.jpg", "Jay/2.jpg"), "--label-level 1"),
    ],
)
def test_hint(files: tuple[str, ...], hint: str, tmp_path: Path):
    root = Form("", "", dict.fromkeys(files, PICTURE)).write(tmp_path)
    data = open_dataset(DataOptions(), str(root))
    for check in (data.labelled, lambda: data.check_labelled("clipfg predict")):
        with pytest.raises(DataError) as caught:
            check()
        assert hint in str(caught.value)
