import pytest

from clipfg.data.readers.support_files import read_support_file
from clipfg.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ids.csv", "id,label\na,x\nb,\n"),
        ("ids.tsv", "label\tpath\nx\ta\n\tb\n"),
        ("ids.jsonl", '{"id": "a", "label": "x"}\n\n{"id": "b"}\n'),
    ],
)
def test_tables_give_ids_and_perhaps_labels(tmp_path, name, text) -> None:
    path = tmp_path / name
    path.write_text("\ufeff" + text, encoding="utf-8")
    assert read_support_file(path) == (["a", "b"], ["x", None])


def test_a_text_file_has_an_id_a_line(tmp_path) -> None:
    path = tmp_path / "ids"
    path.write_text("b, with a comma.jpg\r\n\n a.jpg \n")
    assert read_support_file(path) == (["b, with a comma.jpg", "a.jpg"], [None, None])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.csv", "name,label\na,x\n", "Expected an `id` in row 1"),
        ("x.jsonl", "{'id'}\n", "Expected JSONL"),
        ("x.jsonl", "[1]\n", "Expected an `id` in row 1"),
        ("x.txt", "\n \n", "got none"),
        ("x.txt", "a\nb\na\n", "'a' more than once"),
    ],
)
def test_what_is_wrong_is_a_sentence(tmp_path, name, text, message) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_support_file(path)
    with pytest.raises(UsageError, match="Expected a file of ids"):
        read_support_file(tmp_path / "missing.txt")


ROWS = [("ID", "Label"), ("ä.jpg", "Mäusebussard"), ("b.jpg", "")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_what_a_spreadsheet_makes_of_a_suggestions_file(tmp_path, delimiter, encoding) -> None:
    path = tmp_path / "ids.csv"
    path.write_bytes("\r\n".join(delimiter.join(row) for row in ROWS).encode(encoding))
    assert read_support_file(path) == (["ä.jpg", "b.jpg"], ["Mäusebussard", None])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.csv", 'id,label\na.jpg,"x\nb.jpg,y\n', "quote"),
        ("x.jsonl", '{"id": "a", "label": ["x", "y"]}\n', "one label"),
        ("x.jsonl", "[" * 100_000, "nested"),
        ("x.csv", "id,label\na,b,c,d\n", "2 cells in line 2"),
    ],
)
def test_hostile_files(tmp_path, name, text, message) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_support_file(path)
