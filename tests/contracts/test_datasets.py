"""What every data set of the catalogue keeps to."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from clipfg.data.loading import load_choices, load_dataset
from clipfg.data.readers.walk import is_image
from clipfg.data.sets.catalogue import DATASETS, DatasetCard, Download, recognise
from clipfg.errors import MissingError
from clipfg.prompting import load_prompts
from clipfg.prompting.loading import library_folder
from tests.data.layouts import lay_out, packed
from tests.data.serving import serve

NAMES = list(DATASETS)
ON_DISK = [name for name in NAMES if DATASETS.get(name).layout]
DESCRIPTIONS = sorted((library_folder() / "descriptions").glob("*.yaml"))
KNOWN = [name for name in NAMES if DATASETS.get(name).class_list]


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_filled_in(name: str) -> None:
    card: DatasetCard = DATASETS.get(name)
    assert card.name == name
    if card.choices is None:
        assert card.default_split in card.splits
        assert card.classes > 0
    else:
        assert card.default_split == "all"
    assert all(size > 0 for size in card.splits.values())
    assert card.title
    assert card.domain
    assert card.licence
    assert card.how_to_get.endswith(".")
    load_prompts(card.prompts)
    if card.layout:
        assert card.url.startswith(("http://", "https://"))
        assert card.url.split("/")[2] in card.how_to_get or "http" in card.how_to_get
        assert "--data-root" in card.how_to_get
        assert card.folders
        assert (f"clipfg datasets pull {name}`" in card.how_to_get) == bool(card.downloads)


@pytest.mark.parametrize("name", ON_DISK)
def test_its_file_has_its_name(name: str) -> None:
    assert DATASETS.get(name).read.__module__ == f"clipfg.data.sets.{name.replace('-', '_')}"


@pytest.mark.parametrize("name", NAMES)
def test_downloads_can_be_checked(name: str) -> None:
    for download in DATASETS.get(name).downloads:
        kind, _, digest = download.digest.partition(":")
        assert len(digest) == {"md5": 32, "sha256": 64}[kind]
        int(digest, 16)
        assert download.file
        assert "/" not in download.file
        assert download.size > 0  # it is announced before the download begins


@pytest.mark.parametrize("name", KNOWN)
def test_class_names(name: str) -> None:
    card: DatasetCard = DATASETS.get(name)
    assert card.class_list is not None
    classes = card.class_list()
    assert len(classes) == card.classes
    for class_name in classes.names:
        assert class_name == " ".join(class_name.split())
        assert "_" not in class_name
        assert len({n.casefold() for n in classes.names}) == len(classes)


@pytest.mark.parametrize("file", DESCRIPTIONS, ids=lambda file: file.stem)
def test_descriptions_speak_of_these_classes(file: Path) -> None:
    described = yaml.safe_load(file.read_text(encoding="utf-8"))["classes"]
    assert tuple(described) == DATASETS.get(file.stem).class_list().names


@pytest.mark.parametrize("name", ON_DISK)
def test_a_miniature_in_the_official_layout(name: str, tmp_path: Path) -> None:
    card: DatasetCard = DATASETS.get(name)
    root = lay_out(name, tmp_path / card.folders[0])
    assert card.locate(tmp_path) == root
    manifest = load_dataset(name, data_root=tmp_path)
    assert manifest.name == name
    assert len(manifest) > 0
    assert manifest.expected is not None
    assert manifest.expected >= len(manifest)
    assert set(manifest.splits) <= set(card.splits)
    assert manifest.prompts == card.prompts
    assert all(Path(uri).is_file() for uri in manifest.uris)
    assert manifest.uris == [str(root / id_) for id_ in manifest.ids]
    if card.choices is None:
        assert manifest.classes is not None
        assert len(manifest.classes) <= card.classes
        assert all("_" not in class_name for class_name in manifest.classes.names)
        assert bool(card.taxonomy) == bool(manifest.classes.parents)
    # Known by its look wherever it lies, and never taken for another.
    assert recognise(root) is card
    assert load_dataset(str(root)).digest == manifest.digest


@pytest.mark.parametrize("name", [n for n in ON_DISK if DATASETS.get(n).downloads])
def test_a_miniature_as_a_download(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card: DatasetCard = DATASETS.get(name)
    body = packed(lay_out(name, tmp_path / "made" / Path(card.folders[0]).name), "top")
    digest = f"md5:{hashlib.md5(body).hexdigest()}"
    with serve(**{"data.tgz": body}) as publisher:
        downloads = (Download(f"{publisher.address}/data.tgz", digest),)
        monkeypatch.setattr(f"{card.read.__module__}.CARD", replace(card, downloads=downloads))
        manifest = load_dataset(name, data_root=tmp_path / "data", download=True)
    assert len(manifest) > 0
    assert all(Path(uri).is_file() for uri in manifest.uris)
    assert card.locate(tmp_path / "data") == tmp_path / "data" / card.folders[0]


@pytest.mark.parametrize("name", ON_DISK)
def test_data_that_are_not_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingError, match=r"it is not there\. ") as caught:
        load_dataset(name)
    assert caught.value.exit_code == 4
    assert DATASETS.get(name).how_to_get in str(caught.value)


@pytest.mark.parametrize("name", ON_DISK)
def test_lists_without_images(name: str, tmp_path: Path) -> None:
    """Nothing but a sentence comes out when the images were never unpacked."""
    card: DatasetCard = DATASETS.get(name)
    root = lay_out(name, tmp_path / card.folders[0])
    for path in root.rglob("*"):
        if path.is_file() and is_image(path.name):
            path.unlink()
    with pytest.raises(MissingError, match=r"Expected (the )?images") as caught:
        load_dataset(name, data_root=tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [n for n in ON_DISK if DATASETS.get(n).choices])
def test_choices_in_the_official_layout(name: str, tmp_path: Path) -> None:
    card: DatasetCard = DATASETS.get(name)
    root = lay_out(name, tmp_path / card.folders[0])
    choices = load_choices(name, data_root=tmp_path)
    assert choices is not None
    assert choices.name == name
    assert choices.images().digest == load_dataset(name, data_root=tmp_path).digest
    assert choices.expected > len(choices.images())  # each miniature lacks an image
    assert not card.splits or set(choices.subsets) <= set(card.splits)
    assert all(len(set(choice.texts)) == len(choice.texts) > 1 for choice in choices.choices)
    assert len({choice.id for choice in choices.choices}) == len(choices)
    assert load_choices(str(root)) == choices


def test_data_without_choices(tmp_path: Path) -> None:
    assert load_choices("synthflora") is None
    assert load_choices(str(tmp_path)) is None
