"""`clipfg retrieve` end to end: the built-in data and model, drawn photos, a store."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import clipfg
from clipfg.cli import main
from clipfg.data import synthflora
from clipfg.errors import UsageError
from clipfg.store import KeyStore

FLORETTE = ["--model", "builtin:florette", "--precision", "fp32"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with drawn photos, a folder per species, and stores of them and of synthflora."""
    home = tmp_path_factory.mktemp("retrieve")
    cache = ["--cache-dir", str(home / "cache")]
    for label in (0, 70, 140):
        folder = home / "photos" / synthflora.species()[label].name
        folder.mkdir(parents=True)
        for number in range(3):
            flower = synthflora.flower_at(0, "train", 16 * label + number)
            synthflora.draw(flower, 96).save(folder / f"{number}.png")
    photos, drawn = str(home / "photos"), ["synthflora", "--split", "val", "--limit", "400"]
    build = ["index", "build", *FLORETTE, *cache]
    assert main.run([*build, photos, "--store", str(home / "photo-store")]) == 0
    assert main.run([*build, *drawn, "--store", str(home / "store")]) == 0
    return home


@pytest.fixture(autouse=True)
def working_folder(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLIPFG_CACHE_DIR", str(home / "cache"))
    return tmp_path


def found(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict]:
    assert main.run(["retrieve", *arguments, "--format", "jsonl"]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def traits(row: dict) -> synthflora.taxonomy.Traits:
    return synthflora.locate(row["path"]).traits


def test_a_text_over_a_store_and_over_the_data_itself(home, capsys) -> None:
    store = found(capsys, "a scarlet flower", "--store", str(home / "store"))
    assert [row["rank"] for row in store] == list(range(1, 11))
    assert [row["score"] for row in store] == sorted((r["score"] for r in store), reverse=True)
    assert set(store[0]) == {"query", "rank", "score", "label", "split", "id", "path"}
    assert np.mean([traits(row).colour == "scarlet" for row in store]) >= 0.8
    data = ["--dataset", "synthflora", "--split", "val", "--limit", "400", "--precision", "fp32"]
    assert found(capsys, "a scarlet flower", *data) == store


def test_what_is_negated_stays_away(home, capsys) -> None:
    store = ["--store", str(home / "store"), "-k", "20"]
    plain = found(capsys, "a flower with a golden centre", *store)
    colour = traits(plain[0]).colour
    less = found(capsys, "a flower with a golden centre", "--not", f"a {colour} flower", *store)

    def share(rows: list[dict], name: str, value: str) -> float:
        return float(np.mean([getattr(traits(row), name) == value for row in rows]))

    assert share(less, "colour", colour) < share(plain, "colour", colour)
    assert share(less, "colour", colour) <= 0.05
    assert share(less, "eye", "golden") >= 0.8


def test_a_photo_finds_itself_and_a_text_changes_it(home, capsys) -> None:
    store = ["--store", str(home / "store")]
    uri = "synthflora:0/val/0"
    first = found(capsys, uri, *store)
    assert first[0]["path"] == uri
    assert first[0]["score"] == pytest.approx(1, abs=1e-5)
    blue = found(capsys, uri, "a blue flower", *store)
    assert {row["query"] for row in blue} == {f"{uri} + a blue flower"}
    assert np.mean([traits(row).colour == "blue" for row in blue]) > np.mean(
        [traits(row).colour == "blue" for row in first]
    )
    only = found(capsys, uri, "a blue flower", "--weight", "0", *store)
    assert [row["id"] for row in only] == [row["id"] for row in first]


def test_filters_duplicates_and_classes(home, capsys, tmp_path) -> None:
    store = ["--store", str(home / "store")]
    name = synthflora.species()[7].name
    rows = found(capsys, "a flower", "--where", f"label={name}", *store)
    assert {row["label"] for row in rows} == {name}
    assert len(rows) == 2
    each = found(capsys, "a flower", "--per-class", "1", "-k", "100", *store)
    assert sorted({row["label"] for row in each}) == sorted(row["label"] for row in each)
    assert len(each) == 100  # the 400 images are of 200 species
    apart = found(capsys, "a flower", "--dedup", "--duplicate", "0.9", *store)
    loaded = KeyStore.load(home / "store")
    keys = loaded.keys[loaded.rows([row["id"] for row in apart])]
    assert (keys @ keys.T - np.eye(len(keys))).max() < 0.9
    photo = next((home / "photos").rglob("*.png"))
    again = found(capsys, str(photo), "--dedup", "--store", str(home / "photo-store"))
    assert str(photo) not in [row["path"] for row in again]


def test_whitened_directions(home, capsys, tmp_path) -> None:
    """Photos and texts are looked for where labels say; copies are told by plain cosines."""
    whitened = ["--metric", "whitened", "--store", str(home / "photo-store")]
    photo = sorted((home / "photos").rglob("*.png"))[0]
    first = found(capsys, str(photo), *whitened)
    assert first[0]["path"] == str(photo)
    assert {row["label"] for row in first[:3]} == {photo.parent.name}
    again = found(capsys, str(photo), "--dedup", *whitened, "--html", "page.html")
    assert [row["id"] for row in again] == [row["id"] for row in first[1:]]
    assert "on whitened directions" in (tmp_path / "page.html").read_text()
    named = found(capsys, photo.parent.name, *whitened)
    assert {row["label"] for row in named[:3]} == {photo.parent.name}
    unlabelled = ["--dataset", str(photo), "--metric", "whitened", *FLORETTE]
    assert main.run(["retrieve", "a flower", *unlabelled]) == 2
    assert "search by --metric cosine" in capsys.readouterr().err


def test_nothing_that_fits_is_an_empty_answer(home, capsys, tmp_path) -> None:
    store = ["--store", str(home / "store"), "--where", "id=nowhere/*"]
    assert found(capsys, "a flower", "--html", "page.html", *store) == []
    assert "Nothing was found" in (tmp_path / "page.html").read_text()
    assert found(capsys, "a flower", "--dedup", *store) == []
    assert main.run(["retrieve", "a flower", *store, "--format", "table"]) == 0
    assert "Nothing to show" in capsys.readouterr().err


def test_prompts_and_raw_texts(home, capsys) -> None:
    store, name = ["--store", str(home / "store")], synthflora.species()[3].name
    scores = [
        found(capsys, name, *store, *more)[0]["score"]
        for more in ([], ["--raw"], ["--prompts", "name"], ["--prompts", "photo"])
    ]
    assert scores[0] not in scores[1:]  # the species' own texts have a say
    sentence = "a flower with oval leaves"
    assert found(capsys, sentence, *store) == found(capsys, sentence, *store, "--raw")


def test_a_store_brings_the_prompts_that_suit_it(home, capsys, tmp_path) -> None:
    name = synthflora.species()[3].name
    store = KeyStore.load(home / "store")
    assert store.prompts == "synthflora"
    store.prompts = ""  # as one of an earlier version
    store.save(tmp_path / "older")
    scores = [
        found(capsys, name, "--store", str(path), *more)[0]["score"]
        for path, *more in (
            (home / "store",),
            (tmp_path / "older", "--prompts", "synthflora"),
            (tmp_path / "older",),
            (home / "store", "--prompts", "general"),
        )
    ]
    assert scores[0] == scores[1] != scores[2] == scores[3]


def test_many_queries_come_grouped(home, capsys, tmp_path) -> None:
    (tmp_path / "queries.txt").write_text(
        "# two\na blue flower\n\nsynthflora:0/val/3\n" + "gone.jpg\na blue flower\n"
    )
    many = ["--queries", "queries.txt", "--store", str(home / "store"), "-k", "3"]
    rows = found(capsys, *many, code=3)
    assert [row["query"] for row in rows] == ["a blue flower"] * 3 + ["synthflora:0/val/3"] * 3
    assert rows[:3] == found(capsys, "a blue flower", "--store", str(home / "store"), "-k", "3")
    assert main.run(["retrieve", *many, "--format", "table", "--html", "page.html"]) == 3
    assert "Skipped" in capsys.readouterr().err
    assert (tmp_path / "page.html").read_text().count("<figure") == 7  # a photo was asked with
    assert main.run(["retrieve", "a flower", *many]) == 2
    assert "cannot be combined" in capsys.readouterr().err


def test_every_format(home, capsysbinary) -> None:
    command = ["retrieve", "a blue flower", "--store", str(home / "store"), "-k", "2", "--format"]
    assert main.run([*command, "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsysbinary.readouterr().out.decode())))
    assert main.run([*command, "json"]) == 0
    assert [r["id"] for r in json.loads(capsysbinary.readouterr().out)] == [r["id"] for r in rows]
    assert main.run([*command, "parquet"]) == 0
    table = pq.read_table(pa.BufferReader(capsysbinary.readouterr().out))
    assert table["id"].to_pylist() == [r["id"] for r in rows]


def test_images_deleted_since_do_not_cost_the_page(home, capsys, tmp_path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, colour in enumerate(("red", "green", "blue")):
        Image.new("RGB", (300, 200), colour).save(photos / f"<{number}>.png")
    assert main.run(["index", "build", "photos", "--store", "s", *FLORETTE]) == 0
    (photos / "<1>.png").unlink()
    (photos / "<2>.png").write_bytes(b"no longer an image")
    assert main.run(["retrieve", "a red flower", "--store", "s", "--html", "auto"]) == 0
    printed = capsys.readouterr()
    assert "2 images of the page could not be read" in printed.err
    (page,) = Path("runs").glob("retrieve-a-red-flower-*.html")
    text = page.read_text()
    assert text.count("<img") == 1
    assert text.count("no image") == 2
    assert "&lt;1&gt;.png" in text
    assert "<1>" not in text


def test_another_encoder_is_refused_by_name(home, capsys) -> None:
    command = ["retrieve", "a flower", "--store", str(home / "store"), "--precision", "bf16"]
    assert main.run(command) == 1
    said = capsys.readouterr().err
    assert "builtin:florette in fp32" in said
    assert "builtin:florette in bf16" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["a flower"], 2, "no images to search in"),
        (["--store", "STORE"], 2, "No query was given"),
        ([" ", "--store", "STORE"], 2, "No query was given"),
        (["gone.jpg", "--store", "STORE"], 1, "there is none"),
        (["a flower", "--store", "nowhere"], 1, "Expected a key store"),
        (["a flower", "--store", "STORE", "--weight", "2"], 2, "--weight must be at most 1"),
        (["a flower", "--store", "STORE", "--per-class", "0"], 2, "--per-class must be at least 1"),
        (["a flower", "--store", "STORE", "--duplicate", "7"], 2, "above 0"),
        (["a flower", "--store", "STORE", "--duplicate", "0"], 2, "above 0"),
        (["a flower", "--store", "STORE", "--not", ""], 2, "--not needs a text"),
        (["a flower", "--store", "STORE", "--where", "label=rose"], 2, "a class of the store"),
        (["--queries", "gone.txt", "--store", "STORE"], 2, "Cannot read the queries"),
        (["rose", "--store", "STORE", "--prompts", "nonesuch"], 2, "Expected a prompt set"),
    ],
)
def test_a_slip_is_one_sentence(home, capsys, arguments, code, said) -> None:
    given = [str(home / "store") if part == "STORE" else part for part in arguments]
    assert main.run(["retrieve", *given]) == code
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed


def test_a_configured_place_and_a_flag_that_wins(home, capsys, tmp_path) -> None:
    (tmp_path / "clipfg.toml").write_text(f'store = "{home / "store"}"\n')
    assert len(found(capsys, "a flower", "-k", "4")) == 4
    photos = found(capsys, "a flower", "--dataset", str(home / "photos"), *FLORETTE)
    assert len(photos) == 9


def test_from_python(home) -> None:
    run = clipfg.retrieve("a blue flower", store=home / "store", top_k=3, negated=["oval leaves"])
    assert len(run.rows()) == 3
    with pytest.raises(UsageError, match="no images to search"):
        clipfg.retrieve("a blue flower")


@pytest.mark.shared
def test_red_winged_blackbirds_among_real_birds(shared: Path, tmp_path: Path) -> None:
    """Their images beside as many of each of five other species: the first ten are right."""
    images = shared / "data" / "cub100" / "images"
    photos = tmp_path / "photos"
    for species in ("Red_winged_Blackbird", *sorted(p.name for p in images.iterdir())[::20]):
        (photos / species).mkdir(parents=True)
        for image in sorted((images / species).iterdir())[:12]:
            (photos / species / image.name).symlink_to(image)
    options = {"model": f"hf:{shared / 'models' / 'lit-birds'}", "precision": "fp32"}
    run = clipfg.retrieve("red-winged blackbird", dataset=photos, top_k=10, **options)
    assert [row["label"] for row in run.rows()] == ["Red winged Blackbird"] * 10
