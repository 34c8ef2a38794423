"""Without the extra `photos`: one sentence on all pictures, whatever the data are."""

import logging
import sys
from pathlib import Path

import pytest
from PIL import Image

import clipfg
from clipfg.data.loading import load_dataset
from clipfg.data.readers.pictures import read_images
from clipfg.errors import MissingError
from clipfg.options import DoctorOptions, resolve
from clipfg.workflows.doctor import examine
from tests.data.images.cameras import dng, heic

COMMAND = 'pip install "clipfg[photos]"'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture of each class as JPEG, four as HEIC and one as RAW."""
    for name, colour in (("red", (200, 20, 20)), ("blue", (20, 20, 200))):
        (tmp_path / "data" / name).mkdir(parents=True)
        image = Image.new("RGB", (64, 48), colour)
        image.save(tmp_path / "data" / name / "a.jpg")
        for number in range(2):
            (tmp_path / "data" / name / f"{number}.heic").write_bytes(heic(image))
    (tmp_path / "data" / "red" / "b.DNG").write_bytes(dng(Image.new("RGB", (64, 48), "red"), 1))
    return tmp_path / "data"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pillow_heif", "pillow_heif.as_plugin", "rawpy"):
        monkeypatch.setitem(sys.modules, name, None)


def test_with_the_libraries_all_are_read(folder: Path, tmp_path: Path) -> None:
    assert len(load_dataset(str(folder))) == 7
    run = clipfg.predict(
        [folder], classes="red,blue", model="builtin:florette", output=tmp_path / "run"
    )
    assert (run.done, run.skipped) == (7, 0)


@pytest.mark.usefixtures("bare")
def test_one_sentence_with_the_count_and_the_command(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = load_dataset(str(folder))
    assert sorted(manifest.ids) == ["blue/a.jpg", "red/a.jpg"]
    assert manifest.reading is not None
    (said,) = [doubt for doubt in manifest.reading.doubts if COMMAND in doubt]
    assert said.startswith("5 pictures in HEIC or RAW, such as blue/0.heic")
    with caplog.at_level(logging.WARNING, "clipfg"):
        run = clipfg.predict(
            [folder], classes="red,blue", model="builtin:florette", output=tmp_path / "run"
        )
    assert (run.done, run.skipped) == (2, 0)
    assert [COMMAND in line for line in caplog.messages].count(True) == 1


@pytest.mark.usefixtures("bare")
def test_a_table_that_names_them(folder: Path) -> None:
    lines = ["path,label", "red/0.heic,red", "red/a.jpg,red", "blue/1.heic,blue", "blue/a.jpg,blue"]
    (folder / "labels.csv").write_text("\n".join(lines))
    manifest = load_dataset(str(folder / "labels.csv"))
    assert len(manifest) == 2
    assert manifest.reading is not None
    assert any(doubt.startswith("2 pictures") for doubt in manifest.reading.doubts)


@pytest.mark.usefixtures("bare")
def test_nothing_else_is_an_error_with_the_command(folder: Path) -> None:
    with pytest.raises(MissingError, match=r"1 picture in HEIC .*clipfg\[photos\]"):
        read_images([folder / "red" / "0.heic"])


@pytest.mark.usefixtures("bare")
def test_the_doctor_says_what_is_missing() -> None:
    found = {check.check: check for check in examine(resolve(DoctorOptions, {}))}
    assert found["photos"].state == "note"
    assert found["photos"].fix == COMMAND
