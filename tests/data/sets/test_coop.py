"""CoOp's split files, by name, by path, and on the real flowers."""

import json
from pathlib import Path

import pytest

from clipfg.data.loading import load_dataset
from clipfg.errors import DataError, MissingError, UsageError
from tests.data.sets.test_fgvc_aircraft import lay_out as lay_out_aircraft
from tests.data.sets.test_flowers102 import lay_out as lay_out_flowers

SPLIT = {
    "train": [["image_00002.jpg", 1, "pink_primrose"], ["image_00001.jpg", 0, "passion flower"]],
    "val": [["image_00005.jpg", 1, "pink_primrose"]],
    "test": [["image_00006.jpg", 0, "passion flower"], ["image_00009.jpg", 0, "passion flower"]],
}


def test_beside_the_data_and_elsewhere(tmp_path: Path) -> None:
    root = lay_out_flowers(tmp_path / "flowers-102")
    with pytest.raises(
        MissingError, match=r"split_zhou_OxfordFlowers\.json.*DATASETS\.md"
    ) as caught:
        load_dataset("flowers102@coop", data_root=tmp_path)
    assert caught.value.exit_code == 4
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(SPLIT))
    manifest = load_dataset(f"flowers102@{file}", data_root=tmp_path)
    assert manifest.name == "flowers102@coop"
    assert manifest.ids == [f"jpg/image_0000{n}.jpg" for n in (2, 1, 5, 6)]
    assert manifest.labels.tolist() == [1, 0, 1, 0]
    assert manifest.splits == {"test": 1, "train": 2, "val": 1}
    assert manifest.expected == 5
    assert manifest.classes is not None
    assert manifest.classes.names == ("passion flower", "pink primrose")
    assert manifest.prompts == "flowers"
    file.rename(root / "split_zhou_OxfordFlowers.json")
    assert load_dataset("flowers102@coop", data_root=tmp_path).digest == manifest.digest


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '{"train": [["a.jpg", 0]]}',
        '{"train": [["../../secret.jpg", 0, "x"]]}',
        '{"train": [["/etc/secret.jpg", 0, "x"]]}',
        '{"train": [["a.jpg", 0, "x"], ["b.jpg", 0, "y"]]}',
        '{"train": [["a.jpg", 1, "x"]]}',
        "no json",
    ],
)
def test_files_of_another_form(content: str, tmp_path: Path) -> None:
    root = lay_out_flowers(tmp_path / "flowers-102")
    (root / "split_zhou_OxfordFlowers.json").write_text(content)
    with pytest.raises(DataError, match="Expected"):
        load_dataset("flowers102@coop", data_root=tmp_path)


def test_data_for_which_there_is_none(tmp_path: Path) -> None:
    lay_out_aircraft(tmp_path / "fgvc_aircraft")
    with pytest.raises(
        UsageError,
        match=r"no split file for 'fgvc-aircraft', only for caltech101, .*; leave out the @",
    ):
        load_dataset("fgvc-aircraft@coop", data_root=tmp_path)
    with pytest.raises(UsageError, match="no split file for 'synthflora'"):
        load_dataset("synthflora@coop")


@pytest.mark.shared
def test_real(shared: Path) -> None:
    file = shared / "data/formats/split_zhou_OxfordFlowers.json"
    manifest = load_dataset(f"flowers102@{file}", data_root=shared / "data")
    own = load_dataset("flowers102", data_root=shared / "data")
    assert len(manifest) == 1069
    assert manifest.expected == 8189
    # Our own list of names and theirs speak of the same flowers, whatever the split.
    assert manifest.classes is not None
    assert own.classes is not None
    names = dict(zip(own.ids, own.labels, strict=True))
    assert all(names[i] == label for i, label in zip(manifest.ids, manifest.labels, strict=True))
    differ = [
        (a, b) for a, b in zip(manifest.classes.names, own.classes.names, strict=True) if a != b
    ]
    assert len(differ) < 10
