"""Images inside Arrow and Parquet files: read by row, one bad image being one failure."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from clipfg.data.images.decoding import decode
from clipfg.data.loading import load_dataset
from clipfg.data.readers.embedded_images import arrow_uri, open_arrow, parquet_uri
from clipfg.data.sources import read, signature
from clipfg.errors import DataError, ItemError
from clipfg.types import ClassList
from tests.hostile import encode, scene

IMAGES = [encode(scene(), "JPEG"), encode(scene(), "PNG"), b"no image", None]
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def table(**more: list[object]) -> pa.Table:
    """Ten rows of the four images in turn, as the hub writes them."""
    cells = [{"bytes": IMAGES[n % 4], "path": f"{n}.jpg"} for n in range(10)]
    return pa.table({"image": pa.array(cells, STRUCT), **more})


def with_features(made: pa.Table, **features: object) -> pa.Table:
    return made.replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )


LABEL = {"_type": "ClassLabel", "names": ["sea_holly", "owl"]}


def test_parquet_as_the_hub_writes_it(tmp_path: Path) -> None:
    made = with_features(
        table(label=[0, 1] * 5, width=[1] * 10), image={"_type": "Image"}, label=LABEL
    )
    parquet.write_table(made, tmp_path / "test.parquet", row_group_size=4)
    manifest = load_dataset(str(tmp_path / "test.parquet"))
    assert manifest.classes == ClassList(("sea holly", "owl"))
    assert manifest.labels.tolist() == [0, 1] * 5
    assert manifest.ids == [f"{n}.jpg" for n in range(10)]
    assert manifest.uris[5] == f"parquet:{tmp_path}/test.parquet?group=1&row=1&column=image"
    assert [read(uri) for uri in manifest.uris[:2]] == IMAGES[:2]
    assert read(manifest.uris[9]) == IMAGES[1]
    assert decode(read(manifest.uris[8])).mode == "RGB"
    with pytest.raises(ItemError, match="got text"):
        decode(read(manifest.uris[2]))
    with pytest.raises(ItemError, match=r"at .*3\.jpg, but there is none"):
        read(manifest.uris[3])  # no bytes, and no file beside the table
    (tmp_path / "3.jpg").write_bytes(b"beside")
    assert read(manifest.uris[3]) == b"beside"
    owls = ClassList(("an eagle", "owl", "sea holly"))
    assert load_dataset(str(tmp_path / "test.parquet"), classes=owls).labels.tolist() == [2, 1] * 5


def test_many_threads_read_alike(tmp_path: Path) -> None:
    parquet.write_table(table(), tmp_path / "t.parquet", row_group_size=1)
    manifest = load_dataset(str(tmp_path / "t.parquet"))
    whole = [uri for n, uri in enumerate(manifest.uris) if n % 4 < 3]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, whole * 20))
    assert found == [IMAGES[n % 4] for n in range(10) if n % 4 < 3] * 20


def test_plain_bytes_names_and_paths(tmp_path: Path) -> None:
    made = pa.table({"jpg": [IMAGES[0], IMAGES[1]], "species": ["owl", "jay"]})
    parquet.write_table(made, tmp_path / "t.parquet")
    manifest = load_dataset(str(tmp_path / "t.parquet"))
    assert manifest.classes == ClassList(("jay", "owl"))
    assert manifest.labels.tolist() == [1, 0]
    assert manifest.ids == ["0", "1"]
    assert read(manifest.uris[1]) == IMAGES[1]
    both = made.append_column("path", pa.array(["a.jpg", "b.jpg"]))
    parquet.write_table(both, tmp_path / "paths.parquet")  # paths say where the images are
    assert load_dataset(str(tmp_path / "paths.parquet")).uris[0] == str(tmp_path / "a.jpg")


@pytest.mark.parametrize("form", ["stream", "file"])
def test_arrow(form: str, tmp_path: Path) -> None:
    path = tmp_path / "a file.arrow"
    made = table()
    writer = pa.ipc.new_stream if form == "stream" else pa.ipc.new_file
    with writer(path, made.schema) as sink:
        sink.write_table(made, max_chunksize=3)
    assert read(arrow_uri(path, 9, "image")) == IMAGES[1]
    assert signature(arrow_uri(path, 9, "image"))[0] == path.stat().st_size


@pytest.mark.parametrize("form", ["stream", "file"])
def test_a_damaged_arrow_file_is_refused_or_can_be_read_to_its_end(
    form: str, tmp_path: Path
) -> None:
    cells = pa.array([{"bytes": b"x" * n, "path": f"{n}.jpg"} for n in range(5)], STRUCT)
    made = pa.table({"image": cells, "label": [*"abc", "bird", None], "box": [[1, 2]] * 5})
    writer = pa.ipc.new_stream if form == "stream" else pa.ipc.new_file
    path = tmp_path / "x.arrow"
    with writer(path, made.schema) as sink:
        sink.write_table(made)
    data, refused = path.read_bytes(), 0
    for place in range(0, len(data), 3):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x80]) + data[place + 1 :])
        try:
            open_arrow(str(path)).to_pylist()  # follows every offset
        except (OSError, pa.ArrowException):
            refused += 1
    assert refused > 100


def test_places_that_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(table(), path, row_group_size=5)
    for uri in (
        parquet_uri(path, 2, 0, "image"),
        parquet_uri(path, 0, 5, "image"),
        parquet_uri(path, 0, 0, "nothing"),
        parquet_uri(tmp_path / "gone.parquet", 0, 0, "image"),
        arrow_uri(path, 0, "image"),
        "parquet:here",
        "arrow:here?row=-1&column=image",
    ):
        with pytest.raises(ItemError, match="Expected") as caught:
            read(uri)
        assert "\n" not in str(caught.value)
    with pytest.raises(ItemError, match="Expected arrow:PATH"):
        signature("parquet:here")


def test_a_changed_table_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"image": [b"one"]}), path)
    uri = parquet_uri(path, 0, 0, "image")
    before = signature(uri)
    assert read(uri) == b"one"
    parquet.write_table(pa.table({"image": [b"another"]}), path)
    assert read(uri) == b"another"
    assert signature(uri) != before


def test_tables_without_images(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"image": [[1, 2]], "x": [1]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="Expected paths or images"):
        load_dataset(str(tmp_path / "t.parquet"))
