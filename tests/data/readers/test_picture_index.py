"""Pictures by the names that tables from other machines have for them."""

import unicodedata

import pytest

from clipfg.data.readers.picture_index import PictureIndex
from clipfg.errors import DataError

INDEX = PictureIndex(
    [
        ("images", "jay1.jpg"),
        ("images", "Mallard 2.JPG"),
        ("images", "v2021.05.00_cam.jpeg"),
        ("images", "café.png"),
        ("train", "1.jpg"),
        ("test", "1.jpg"),
        ("train", "7.jpg"),
        ("0a1b2c3d-bobolink.jpg",),
        ("gull.jpg",),
        ("old", "gull.jpg"),
    ]
)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("images/jay1.jpg", "images/jay1.jpg"),
        ("./images/jay1.jpg", "images/jay1.jpg"),
        ("jay1.jpg", "images/jay1.jpg"),
        ("jay1", "images/jay1.jpg"),
        ("JAY1.JPG", "images/jay1.jpg"),
        ("jay1.png", "images/jay1.jpg"),
        (r"images\jay1.jpg", "images/jay1.jpg"),
        (r"C:\Users\me\birds\images\jay1.jpg", "images/jay1.jpg"),
        ("/content/drive/MyDrive/birds/images/jay1.jpg", "images/jay1.jpg"),
        ("../input/birds/images/jay1.jpg", "images/jay1.jpg"),
        ("/kaggle/input/birds/jay1.jpg", "images/jay1.jpg"),
        ("gs://bucket/jay1.jpg", "images/jay1.jpg"),
        ("s3://bucket/some/images/jay1.jpg", "images/jay1.jpg"),
        ("https://example.org/a/jay1.jpg?size=large", "images/jay1.jpg"),
        ("photos/jay1.jpg", "images/jay1.jpg"),
        ("/data/upload/1/0a1b2c3d-jay1.jpg", "images/jay1.jpg"),
        ("/data/local-files/?d=images/jay1.jpg", "images/jay1.jpg"),
        ("/data/upload/1/bobolink.jpg", "0a1b2c3d-bobolink.jpg"),
        ("/data/upload/1/0a1b2c3d-bobolink.jpg", "0a1b2c3d-bobolink.jpg"),
        ("file:///x/images/Mallard%202.JPG", "images/Mallard 2.JPG"),
        ("mallard 2", "images/Mallard 2.JPG"),
        ("v2021.05.00_cam", "images/v2021.05.00_cam.jpeg"),
        (unicodedata.normalize("NFD", "café.png"), "images/café.png"),
        ("train/1.jpg", "train/1.jpg"),
        ("/somewhere/test/1.jpg", "test/1.jpg"),
        ("gull.jpg", "gull.jpg"),
        ("old/gull.jpg", "old/gull.jpg"),
    ],
)
def test_found(name: str, path: str) -> None:
    assert INDEX.find(name) == path


@pytest.mark.parametrize(
    "name",
    ["", "/", "owl.jpg", "jay", "jay11.jpg", "test/7.jpg", "site2/jay1.jpg/x", "..", "val/7"],
)
def test_not_found(name: str) -> None:
    assert INDEX.find(name) is None


@pytest.mark.parametrize("name", ["1.jpg", "1", "val/1.jpg", "/content/x/1.jpg"])
def test_names_that_fit_several_are_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"got 2, such as train/1\.jpg and test/1\.jpg"):
        INDEX.find(name)


def test_another_place_is_not_the_same_place() -> None:
    cameras = PictureIndex([("site1", "IMG_1.jpg"), ("site1", "IMG_2.jpg")])
    assert cameras.find("site2/IMG_1.jpg") is None
    away = [f"/mnt/cam/{place}.jpg" for place in ("site1/IMG_1", "site2/IMG_2", "site1/IMG_2")]
    assert cameras.find_all(away) == ["site1/IMG_1.jpg", None, "site1/IMG_2.jpg"]
    flattened = [f"/mnt/cam/{place}.jpg" for place in ("north/IMG_1", "south/IMG_2")]
    assert cameras.find_all(flattened) == ["site1/IMG_1.jpg", "site1/IMG_2.jpg"]
