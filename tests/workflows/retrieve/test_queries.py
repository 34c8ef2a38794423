from pathlib import Path

import pytest

from clipfg.errors import UsageError
from clipfg.workflows.retrieve.queries import Query, photo_uri, read_queries


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_texts_and_photos_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "heron").mkdir()
    (tmp_path / "heron" / "one").touch()
    assert photo_uri("heron") is None  # a folder of that name makes it no photo
    assert photo_uri("a male/female pair") is None
    assert photo_uri("species: heron") is None
    with pytest.raises(UsageError, match=r"got the folder \./heron; search in it by --dataset"):
        photo_uri("./heron")
    assert photo_uri("gone.JPG") == str(tmp_path / "gone.JPG")
    assert photo_uri("heron/one") == str(tmp_path / "heron" / "one")
    assert photo_uri("synthflora:0/val/1") == "synthflora:0/val/1"


def test_a_query_of_several_parts(tmp_path: Path) -> None:
    query = Query.of(["in flight", "some/folder/x.png", "in flight", "blue"])
    assert query.texts == ("in flight", "blue")
    assert query.photos == (str(tmp_path / "some/folder/x.png"),)
    assert query.name == "in flight + some/folder/x.png + in flight + blue"
    assert query.title == "x.png + in flight + blue"
    with pytest.raises(UsageError, match="No query was given"):
        Query.of([])


def test_a_file_of_queries(tmp_path: Path) -> None:
    file = tmp_path / "queries.txt"
    file.write_bytes("\ufeff# birds\r\n  blue jay \r\n\r\nblue jay\r\nx.jpg\r\n".encode())
    assert [query.name for query in read_queries(file)] == ["blue jay", "x.jpg"]
    file.write_text("# nothing\n")
    with pytest.raises(UsageError, match="holds no query"):
        read_queries(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_queries(file)
