"""Listing, showing and getting data sets."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from clipfg.data.sets.catalogue import DATASETS, Download
from clipfg.errors import MissingError, UsageError
from clipfg.options import DatasetPullOptions, DatasetShowOptions
from clipfg.workflows.catalogue.datasets import (
    dataset_facts,
    dataset_rows,
    dataset_table,
    pull_dataset,
    short_path,
)
from tests.data.layouts import packed
from tests.data.serving import serve
from tests.data.sets.test_dtd import lay_out as lay_out_dtd
from tests.data.sets.test_flowers102 import lay_out as lay_out_flowers

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def facts(dataset: str, **options: object) -> dict[str, str]:
    rows = dataset_facts(DatasetShowOptions(dataset=dataset, **options))
    return {row["fact"]: row["value"] for row in rows}


def test_rows(working_folder: Path) -> None:
    lay_out_flowers(working_folder / "data/flowers-102")
    rows = {row["name"]: row for row in dataset_rows(None)}
    assert list(rows) == list(DATASETS)
    assert rows["flowers102"]["on_disk"] == "data/flowers-102"
    assert rows["synthflora"]["on_disk"] == "built in"
    assert rows["dtd"]["on_disk"] == "no (can be pulled)"
    assert rows["nabirds"]["on_disk"] == "no"
    assert rows["sun397"]["classes"] == 397


def test_facts_of_what_is_here(working_folder: Path) -> None:
    lay_out_flowers(working_folder / "data/flowers-102", [1, 2])
    found = facts("flowers102")
    assert found["on disk"] == "data/flowers-102"
    assert found["images here"] == "2 of 6"
    assert found["other splits"] == "flowers102@coop"
    assert found["classes"] == "102"
    assert found["names"].startswith("pink primrose, ")
    assert "how to get it" not in found


def test_facts_of_what_is_not_here() -> None:
    found = facts("grocery")
    assert found["on disk"] == "no"
    assert "git clone" in found["how to get it"]
    assert found["taxonomy"] == "coarse > fine"
    assert found["classes"] == "81"  # known without the data
    assert "classes" not in facts("nabirds")
    with pytest.raises(UsageError, match="Did you mean 'grocery'"):
        facts("grocry")


def test_short_paths(working_folder: Path) -> None:
    assert short_path(working_folder / "a/b") == "a/b"
    assert short_path(working_folder.parent / "b") == "../b"
    assert short_path(Path.home() / "far/away") == "~/far/away"
    assert short_path(Path("/elsewhere/x")) == "/elsewhere/x"
    assert short_path(Path("/elsewhere/x"), Path("/elsewhere")) == "x"


def test_pull(working_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = packed(lay_out_dtd(working_folder / "made"), "dtd")
    settings = DatasetPullOptions()
    with pytest.raises(MissingError, match="Agree to the terms"):
        pull_dataset("nabirds", DatasetPullOptions(offline=True))
    with pytest.raises(MissingError, match="offline"):
        pull_dataset("dtd", DatasetPullOptions(offline=True))
    with pytest.raises(UsageError, match="Did you mean 'dtd'"):
        pull_dataset("dttd", settings)
    with pytest.raises(UsageError, match="when it is first used"):
        pull_dataset("hf:food101", settings)
    seen: list[tuple[int, int]] = []
    with serve(**{"dtd.tgz": body}) as publisher:
        digest = f"md5:{hashlib.md5(body).hexdigest()}"
        card = replace(
            DATASETS.get("dtd"), downloads=(Download(f"{publisher.address}/dtd.tgz", digest),)
        )
        monkeypatch.setattr("clipfg.data.sets.dtd.CARD", card)
        path = pull_dataset("dtd", settings, lambda *at: seen.append(at))
    assert path == working_folder / "data/dtd"
    assert seen[-1] == (len(body), len(body))
    assert facts("dtd")["images here"] == "3 of 4"
    assert pull_dataset("dtd", DatasetPullOptions(offline=True)) == path  # already there


def test_the_page_lists_the_catalogue() -> None:
    """`python -m docs.generate` writes it; here only that it was run."""
    page = (DOCS / "data.md").read_text(encoding="utf-8")
    table = dataset_table()
    assert table in page
    assert re.findall(r"^\| `([\w-]+)`", table, re.M) == list(DATASETS)
