"""Names and paths to data, and the catalogue."""

import shutil
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from clipfg.data.loading import load_dataset
from clipfg.data.sets.catalogue import DATASETS, DatasetCard
from clipfg.errors import ClipfgError, DataError, MissingError, UsageError
from clipfg.types import ClassList, Hints
from tests.data.layouts import touch
from tests.data.sets.test_cub200 import lay_out as lay_out_cub
from tests.data.sets.test_flowers102 import lay_out as lay_out_flowers
from tests.hostile import encode, scene


@pytest.mark.parametrize("name", ["flowers102", "cub200"])
def test_data_that_are_not_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for root in (tmp_path, None):
        with pytest.raises(
            MissingError, match=r"it is not there\. Run .*, or get .*http.*--data-root"
        ) as caught:
            load_dataset(name, data_root=root)
        assert caught.value.exit_code == 4


@pytest.mark.parametrize("folder", ["flowers-102", "flowers102", "."])
def test_places_of_a_data_set(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = lay_out_flowers(tmp_path / "data" / folder, [1, 2])
    manifest = load_dataset("flowers102", data_root=tmp_path / "data")
    assert manifest.uris[0] == str(root / "jpg/image_00001.jpg")
    assert manifest.ids == ["jpg/image_00001.jpg", "jpg/image_00002.jpg"]
    monkeypatch.chdir(tmp_path)  # ./data is looked at when no root is given
    assert load_dataset("flowers102").digest == manifest.digest
    # The layout is known by its look, whatever the folder is called.
    moved = shutil.move(root, tmp_path / "meadow")
    again = load_dataset(str(moved))
    assert (again.name, again.ids, again.expected) == ("flowers102", manifest.ids, 6)


def test_classes_for_a_data_set(tmp_path: Path) -> None:
    root = lay_out_cub(tmp_path / "CUB_200_2011")
    names = ClassList(("an owl", "laysan albatross", "black footed albatross"))
    for manifest in (
        load_dataset("cub200", data_root=tmp_path, classes=names),
        load_dataset(str(root), classes=names),
    ):
        assert manifest.classes == names
        assert manifest.labels.tolist() == [2, 1]
    with pytest.raises(DataError, match="got 'Laysan Albatross'"):
        load_dataset(str(root), classes=ClassList(("black footed albatross",)))


def test_paths_by_what_they_are(tmp_path: Path) -> None:
    jpeg = encode(scene(), "JPEG")
    tree = tmp_path / "tree"
    for name in ("a/1.jpg", "b/1.jpg"):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).write_bytes(jpeg)
    assert load_dataset(str(tree)).classes == ClassList(("a", "b"))
    assert load_dataset(str(tree / "a/1.jpg")).ids == ["1.jpg"]
    table = tmp_path / "list.csv"
    table.write_text("path,label\ntree/a/1.jpg,x\n")
    assert load_dataset(str(table)).ids == ["tree/a/1.jpg"]
    (tree / "manifest.csv").write_text("path,label,split\na/1.jpg,x,test\n")
    listed = load_dataset(str(tree))
    assert (listed.name, listed.ids, listed.splits) == ("tree", ["a/1.jpg"], {"test": 1})
    shards = tmp_path / "shards" / "test"
    shards.mkdir(parents=True)
    with tarfile.open(shards / "0.tar", "w") as archive:
        archive.add(tree / "a/1.jpg", "1.jpg")
    for name in (shards / "0.tar", shards, shards.parent, f"{shards}/{{0..0}}.tar"):
        assert len(load_dataset(str(name))) == 1


def test_a_path_that_exists_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "grocery/apple/1.jpg", "grocery/pear/1.jpg")
    own = load_dataset("grocery")
    assert own.classes == ClassList(("apple", "pear"))
    official = lay_out_flowers(tmp_path / "data/flowers-102", [1])
    touch(tmp_path, "flowers102/rose/1.jpg", "flowers102/tulip/1.jpg")
    assert load_dataset("flowers102").uris == [str(official / "jpg/image_00001.jpg")]
    assert load_dataset("./flowers102").classes == ClassList(("rose", "tulip"))


def test_an_official_layout_one_level_down(tmp_path: Path) -> None:
    lay_out_flowers(tmp_path / "clone/flowers", [1, 2])
    touch(tmp_path, "clone/sample_images/1.jpg")
    assert load_dataset(str(tmp_path / "clone")).name == "flowers102"
    lay_out_cub(tmp_path / "clone/birds")
    with pytest.raises(UsageError, match="got birds, flowers; name one of them"):
        load_dataset(str(tmp_path / "clone"))


def test_archives_beside_pictures(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(Path(__file__), "readme.txt")
        (tmp_path / "1.jpg").write_bytes(encode(scene(), "JPEG"))
        archive.add(tmp_path / "1.jpg", "a/1.jpg")
    shard = load_dataset(str(tmp_path))  # with a cover beside it
    assert shard.ids == ["x.tar/a/1.jpg"]
    assert shard.reading is not None
    assert [one.what for one in shard.reading.left_out] == ["1.jpg"]
    touch(tmp_path, "b/1.jpg", "c/1.jpg", "more.tar.gz")
    manifest = load_dataset(str(tmp_path))
    assert manifest.ids == ["b/1.jpg", "c/1.jpg"]
    assert manifest.reading is not None
    assert {one.what for one in manifest.reading.left_out} == {"1.jpg", "x.tar", "more.tar.gz"}


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_bytes(b"PK")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    cases = {
        "flowers103": (UsageError, "Did you mean 'flowers102'"),
        "s3:food101": (UsageError, "on this machine"),
        f"{tmp_path}/emptyy": (UsageError, "Did you mean 'empty'"),
        f"{tmp_path}/data.zip": (UsageError, "unzip it first"),
        f"{tmp_path}/notes.txt": (DataError, "Expected a folder, a table"),
        f"{tmp_path}/empty": (DataError, "found none"),
    }
    for name, (kind, words) in cases.items():
        with pytest.raises(ClipfgError, match=words) as caught:
            load_dataset(name)
        assert type(caught.value) is kind
        assert "\n" not in str(caught.value)


def test_the_built_in_data() -> None:
    manifest = load_dataset("synthflora")
    card: DatasetCard = DATASETS.get("synthflora")
    assert manifest.splits == dict(card.splits)
    assert len(manifest.classes or ()) == card.classes
    assert card.locate() is None


@pytest.mark.shared
def test_real_data_by_name(shared: Path) -> None:
    counts = {"flowers102": 1069, "cub200": 300}
    for name, count in counts.items():
        manifest = load_dataset(name, data_root=shared / "data")
        assert len(manifest) == count
        assert manifest.expected == DATASETS.get(name).images
    table = load_dataset(str(shared / "data/cub100"))
    assert table.splits == {"test": 1500, "train": 2999}
    assert table.name == "cub100"


def test_names_that_are_given_settle_the_doubt_on_numbers(tmp_path: Path) -> None:
    for folder in ("43003", "43004", "43007"):
        (tmp_path / "birds" / folder).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "birds" / folder / "1.png")
    names = tmp_path / "shop" / "names.csv"  # beside the folder it would be found
    names.parent.mkdir()
    names.write_text("sku,title\n43007,Mallard\n43003,Blue Jay\n43004,Bobolink\n")
    birds = str(tmp_path / "birds")
    plain = load_dataset(birds)
    assert plain.reading is not None
    assert "numbers" in plain.reading.doubts[0]
    named = load_dataset(birds, hints=Hints(label_names=names))
    assert named.reading is not None
    assert named.reading.doubts == ()
    assert named.classes is not None
    titles = [named.classes.names[label] for label in named.labels]
    assert dict(zip(named.ids, titles, strict=True)) == {
        "43003/1.png": "Blue Jay",
        "43004/1.png": "Bobolink",
        "43007/1.png": "Mallard",
    }
