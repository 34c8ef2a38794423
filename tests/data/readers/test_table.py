"""Tables against what was written into them."""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from clipfg.data.loading import load_dataset
from clipfg.data.readers.table import read
from clipfg.data.readers.table_formats.sheets import joined_sheets
from clipfg.data.sources import signature
from clipfg.errors import DataError, MissingError
from clipfg.types import ClassList, Hints, Manifest

BIRDS = ClassList(("jay", "gull, herring", "owl"))


def write(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_csv(tmp_path: Path) -> None:
    text = (
        "\ufeffPath,Label,Split,caption,weather\r\n"
        'a/1.jpg,"gull, herring",train,"said ""hi""",x\r\n\r\n'
        '"b, c.jpg",jay,Validation,"two\r\nlines",y\r\nc.jpg,,,,\r\n'
    )
    manifest = read(write(tmp_path, text))
    assert manifest.name == "t"
    assert manifest.ids == ["a/1.jpg", "b, c.jpg", "c.jpg"]
    assert manifest.uris == [str(tmp_path / name) for name in manifest.ids]
    assert manifest.classes == ClassList(("gull, herring", "jay"))
    assert manifest.labels.tolist() == [0, 1, -1]
    assert manifest.table["split"].to_pylist() == ["train", "val", None]
    assert manifest.column("captions") == [['said "hi"'], ["two\r\nlines"], None]
    assert manifest.table.column_names == ["id", "uri", "split", "label", "captions"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_delimiters_and_encodings(tmp_path: Path, delimiter: str, encoding: str) -> None:
    rows = [("file", "species"), ("ä.jpg", "Mäusebussard"), ("b.jpg", "owl")]
    text = "\n".join(delimiter.join(row) for row in rows)
    manifest = read(write(tmp_path, text.encode(encoding)))
    assert manifest.ids == ["ä.jpg", "b.jpg"]
    assert manifest.classes == ClassList(("Mäusebussard", "owl"))


@pytest.mark.parametrize(
    "header", ["path", "uri", "image", "file", "filename", "filepath", "file_name", " Image_Path "]
)
@pytest.mark.parametrize("label", ["label", "class", "species", "category"])
def test_names_of_columns(tmp_path: Path, header: str, label: str) -> None:
    manifest = read(write(tmp_path, f"{label},x,{header}\njay,,1.jpg\n"))
    assert manifest.ids == ["1.jpg"]
    assert manifest.classes == ClassList(("jay",))


def test_paths(tmp_path: Path) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    rows = [
        *("1.jpg", "/abs/2.jpg", "../3.jpg", "./4.jpg", "x//5.jpg", "tar:/s?offset=1&size=2#a.jpg"),
        *("synthflora:0/test/1", "a..b/6.jpg", "~/7.jpg", "../8..jpg"),
    ]
    manifest = read(write(folder, "\n".join(["path", *rows])))
    assert manifest.ids == rows
    assert manifest.uris == [
        *(str(folder / "1.jpg"), "/abs/2.jpg", str(tmp_path / "3.jpg"), str(folder / "4.jpg")),
        *(str(folder / "x/5.jpg"), rows[5], rows[6], str(folder / "a..b/6.jpg")),
        *(str(Path.home() / "7.jpg"), str(tmp_path / "8..jpg")),
    ]


def test_several_rows_of_one_image(tmp_path: Path) -> None:
    text = "path,x0,y0,x1,y1\na.jpg,1,2,3,4\na.jpg,5,6,7,8.5\nb.jpg,,,,\n"
    manifest = read(write(tmp_path, text))
    assert manifest.ids == ["a.jpg", "a.jpg#2", "b.jpg"]
    assert manifest.column("box") == [[1, 2, 3, 4], [5, 6, 7, 8.5], None]


def test_ids_of_their_own(tmp_path: Path) -> None:
    assert read(write(tmp_path, "id,path\n7,a.jpg\n8,b.jpg\n")).ids == ["7", "8"]
    with pytest.raises(DataError, match="'7' more than once"):
        read(write(tmp_path, "id,path\n7,a.jpg\n7,b.jpg\n"))


def test_labels_by_list(tmp_path: Path) -> None:
    file = write(tmp_path, "path,label\na.jpg,Gull Herring\nb.jpg,owl\n")
    with pytest.raises(DataError, match=r"'Gull Herring' in row 1 of .*t\.csv.* Did you mean"):
        read(file, classes=BIRDS)
    file = write(tmp_path, 'path,label\na.jpg,"GULL, Herring"\nb.jpg,owl\n')
    assert read(file, classes=BIRDS).labels.tolist() == [1, 2]
    file = write(tmp_path, "path,label\na.jpg,2\nb.jpg,0\n")
    assert read(file, classes=BIRDS).labels.tolist() == [2, 0]
    assert read(file).classes == ClassList(("0", "2"))


def test_parents_become_a_taxonomy(tmp_path: Path) -> None:
    text = "path,label,parent\na.jpg,jay,Corvidae\nb.jpg,jay,Corvidae\nc.jpg,owl,\n"
    manifest = read(write(tmp_path, text))
    assert manifest.classes == ClassList(("jay", "owl"), {"jay": "Corvidae"})
    assert manifest.column("parent") == ["Corvidae", "Corvidae", None]
    unclear = read(write(tmp_path, "path,label,parent\na.jpg,jay,x\nb.jpg,jay,y\n"))
    assert unclear.classes == ClassList(("jay",))


ROWS = [
    {
        "path": "a.jpg",
        "label": "jay",
        "split": "train",
        "box": [1, 2, 3.5, 4],
        "regions": [{"box": [0, 0, 1, 1], "phrase": "a bill"}],
        "domain": "seen",
    },
    {"path": "b.jpg", "label": "owl", "split": None, "regions": [], "box": None, "domain": "x"},
]


def check(manifest: Manifest) -> None:
    assert manifest.ids == ["a.jpg", "b.jpg"]
    assert manifest.labels.tolist() == [0, 1]
    assert manifest.table["split"].to_pylist() == ["train", None]
    assert manifest.column("box") == [[1, 2, 3.5, 4], None]
    assert manifest.column("regions") == [[{"box": [0, 0, 1, 1], "phrase": "a bill"}], []]
    assert manifest.column("domain") == ["seen", "x"]


def test_json_lines(tmp_path: Path) -> None:
    text = "\n\n".join(json.dumps(row | {"extra": [1, {}]}) for row in ROWS)
    check(read(write(tmp_path, "\ufeff" + text, "t.jsonl")))


def test_parquet(tmp_path: Path) -> None:
    parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / "t.parquet")
    check(read(tmp_path / "t.parquet"))


def test_csv_with_structures(tmp_path: Path) -> None:
    text = (
        "path;label;split;box;regions;domain\n"
        'a.jpg;jay;train;1, 2, 3.5, 4;[{"box": [0,0,1,1], "phrase": "a bill"}];seen\n'
        "b.jpg;owl;;;[];x\n"
    )
    check(read(write(tmp_path, text)))


def test_integer_labels_stay_integers(tmp_path: Path) -> None:
    text = '{"image": "a.jpg", "label": 1}\n{"image": "b.jpg"}\n{"image": "c.jpg", "label": 0}\n'
    manifest = read(write(tmp_path, text, "t.jsonl"), classes=BIRDS)
    assert manifest.labels.tolist() == [1, -1, 0]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", "", "column named path"),
        ("t.csv", "path\n", "Expected rows"),
        ("t.csv", "pth,label\na,b\n", "Did you mean 'path'"),
        ("t.csv", "path,label\na.jpg,jay\n,owl\n", "row 2 of .*blank"),
        ("t.csv", "path,label\na.jpg\n", "Expected CSV"),
        ("t.csv", b"\xff\xd8\xff\0\0", "binary file"),
        ("t.csv", "path,box\na.jpg,1 2 x\n", "box in row 1"),
        ("t.csv", "path,box\na.jpg,1 2 3\n", r"box as \[x0, y0, x1, y1\]"),
        ("t.csv", "path,x0,y0,x1,y1\na.jpg,1,2,3,w\n", "Expected CSV"),
        ("t.jsonl", '{"path": "a"}\n{"path"\n', "JSON in line 2"),
        ("t.jsonl", "[1]\n", "object in line 1"),
        ("t.jsonl", b'{"path": "\xe4"}\n', "UTF-8"),
        ("t.jsonl", '{"path": "a", "regions": 3}', "regions as"),
        ("t.parquet", "no", "Expected PARQUET"),
    ],
)
def test_refusals(tmp_path: Path, name: str, content: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read(write(tmp_path, content, name))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_column_twice_and_one_without_a_name(tmp_path: Path) -> None:
    manifest = read(write(tmp_path, ",path,label,path\n0,a.jpg,jay,z\n"))
    assert manifest.ids == ["a.jpg"]


def test_many_rows_are_read_in_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python sees no row by itself, so that a million rows take seconds."""
    for function in ("_absolute", "file_uri", "scheme_of"):
        monkeypatch.delattr(f"clipfg.data.readers.table_pictures.{function}")
    rows = 100_000
    lines = (f"images/{i // 1000:03d}/{i:07d}.jpg,class {i % 500},train\n" for i in range(rows))
    file = tmp_path / "big.csv"
    with file.open("w") as stream:
        stream.write("path,label,split\n")
        stream.writelines(lines)
    manifest = read(file)
    assert len(manifest) == rows
    assert manifest.classes is not None
    assert manifest.classes.names[:3] == ("class 0", "class 1", "class 2")
    assert manifest.table["label"][12_345].as_py() == 12_345 % 500


ROLES = {
    "column filename": "path",
    "column species": "class",
    "column common_name": "name that answers use",
    "columns genus and species": "scientific name",
    "column genus": "parent",
}


def test_what_each_column_was_taken_for(tmp_path: Path) -> None:
    text = "filename,genus,species,common_name\na.jpg,Cyanocitta,cristata,Blue Jay\n"
    manifest = read(write(tmp_path, text))
    assert manifest.reading is not None
    assert {r.part: r.meaning for r in manifest.reading.roles}.items() >= ROLES.items()
    assert manifest.classes is not None
    assert manifest.classes.synonyms == {"species": {"Blue Jay": "Cyanocitta cristata"}}


def test_numbers_are_identities(tmp_path: Path) -> None:
    file = write(tmp_path, "path,label\na.jpg,1\nb.jpg,2\n")
    listed = ClassList(("jay", "gull", "owl", "duck"), ids=("1", "3", "2", "0"))
    assert read(file, classes=listed).labels.tolist() == [0, 2]
    with pytest.raises(DataError, match=r"'2' in row 2 of .*The list has 1, 3"):
        read(file, classes=ClassList(("jay", "gull"), ids=("1", "3")))
    with pytest.raises(DataError, match=r"1 may be 'gull, herring' or 'jay'"):
        read(file, classes=BIRDS)  # from 0, or from 1 and the last one is absent?
    assert read(file, classes=ClassList(("jay", "owl"))).labels.tolist() == [0, 1]  # from 1


def test_names_are_matched_by_name_in_any_order(tmp_path: Path) -> None:
    file = write(tmp_path, "path,label,label_name\na.jpg,0,jay\nb.jpg,1,owl\n")
    assert read(file, classes=ClassList(("owl", "x", "jay"))).labels.tolist() == [2, 0]
    write(tmp_path, '{"0": "jay", "1": "owl"}', "names.json")
    file = write(tmp_path, "path,label\na.jpg,0\nb.jpg,1\n")
    assert read(file, classes=ClassList(("owl", "x", "jay"))).labels.tolist() == [2, 0]


def test_spreadsheets(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    pytest.importorskip("python_calamine", reason="the extra `tables` is not installed")
    book = openpyxl.Workbook()
    for row in [["File", "Art", "split", None], ["a.jpg", 7, "train", None], ["b.jpg", 8.5, None]]:
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    manifest = read(tmp_path / "t.xlsx")
    assert manifest.ids == ["a.jpg", "b.jpg"]
    assert manifest.classes == ClassList(("7", "8.5"))
    assert manifest.splits == {"train": 1}


def test_sheets_of_the_same_columns_are_one_table() -> None:
    notes = [["These are birds", ""]]
    one, two = [["file", "by"], ["1.jpg", "me"]], [["file", "by"], ["2.jpg", "me"]]
    joined = [["file", "by", "label"], ["1.jpg", "me", "jay"], ["2.jpg", "me", "owl"]]
    assert joined_sheets({"read me": notes, "jay": one, "owl": two}) == joined
    splits = joined_sheets({"training": one, "test": two})
    assert [row[-1] for row in splits] == ["split", "training", "test"]
    above = [["Picture", "Picture", "Species"], ["file", "date", "species"], ["1.jpg", "", "jay"]]
    assert joined_sheets({"birds": above}) == above[1:]
    assert joined_sheets({"none": []}) == []


def test_a_spreadsheet_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(MissingError, match=r"clipfg\[tables\].* save the sheet as CSV"):
        read(write(tmp_path, b"PK\x03\x04\0", "t.xlsx"))


def test_parquet_with_lists_of_labels(tmp_path: Path) -> None:
    rows = [{"path": "a.jpg", "label": ["jay"]}, {"path": "b.jpg", "label": ["owl", "jay"]}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="several for 1 of 2"):
        read(tmp_path / "t.parquet")
    first = read(tmp_path / "t.parquet", hints=Hints(several_labels="first"))
    assert first.classes is not None
    assert [first.classes.names[label] for label in first.labels] == ["jay", "owl"]


@pytest.mark.shared
def test_real_table(shared: Path) -> None:
    manifest = read(shared / "data/cub100/manifest.csv")
    signatures = [signature(uri) for uri in manifest.uris]
    assert len(manifest) == len(signatures) == 4499
    assert manifest.splits == {"test": 1500, "train": 2999}
    assert manifest.classes is not None
    assert len(manifest.classes) == 100


CAPTIONS = [["a jay", "a blue bird"], ["an owl"], None]


@pytest.mark.parametrize("name", ["captions", "Caption", "text"])
def test_captions_are_one_text_or_a_list(tmp_path: Path, name: str) -> None:
    cells: list[Any] = [["a jay", " a blue bird ", ""], "an owl", None]
    rows = [{"path": f"{n}.jpg", "label": "x", name: cell} for n, cell in enumerate(cells)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    assert read(write(tmp_path, lines, "t.jsonl")).column("captions") == CAPTIONS
    for several in ('"[""a jay"", ""a blue bird""]"', "\"['a jay', 'a blue bird']\""):
        text = f"path,label,{name}\n0.jpg,x,{several}\n1.jpg,x,an owl\n2.jpg,x,\n"
        assert read(write(tmp_path, text)).column("captions") == CAPTIONS
    for values in (["a jay", "an owl", None], CAPTIONS):
        table = pa.table({"path": ["0.jpg", "1.jpg", "2.jpg"], name: values})
        parquet.write_table(table, tmp_path / "t.parquet")
        found = read(tmp_path / "t.parquet").column("captions")
        assert found == [v if v is None or isinstance(v, list) else [v] for v in values]


def test_a_text_in_brackets_is_a_caption(tmp_path: Path) -> None:
    text = 'path,caption\n0.jpg,[sic] a jay\n1.jpg,"[1, 2"\n'
    assert read(write(tmp_path, text)).column("captions") == [["[sic] a jay"], ["[1, 2"]]


@pytest.mark.shared
def test_real_captions(shared: Path) -> None:
    manifest = read(shared / "data/flickr8k/manifest.jsonl")
    assert manifest.splits == {"test": 200, "train": 800}
    captions = manifest.column("captions")
    assert captions is not None
    assert {len(texts) for texts in captions} == {5}


def test_a_sheet_that_cannot_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    write(tmp_path, b"PK\x03\x04\0", "labels.xlsx")
    reading = load_dataset(str(tmp_path)).reading
    assert reading is not None
    assert "pip install 'clipfg[tables]'" in reading.doubts[0]


def test_captions_are_no_classes(tmp_path: Path) -> None:
    lines = [{"path": f"{i}.jpg", "captions": ["a bird"], "split": "train"} for i in range(2)]
    path = write(tmp_path, "\n".join(map(json.dumps, lines)), "t.jsonl")
    reading = read(path).reading
    assert reading is not None
    assert not any("--label-column" in doubt for doubt in reading.doubts)
