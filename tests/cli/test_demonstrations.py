"""`clipfg demos` and `clipfg icl` end to end: drawn flowers, a tiny language model, bad input."""

import base64
import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from clipfg.cli import main
from tests import lvlms
from tests.stores import drawn, photos_of, store_of


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("demos")
    store_of(photos(home), home / "store")
    photos_of(drawn("test", 3, 2), home / "photos")
    (home / "tiny").mkdir()
    lvlms.idefics3(home / "tiny")
    return home


def photos(home: Path):
    from clipfg.data.loading import load_dataset

    photos_of(drawn("train", 5, 3), home / "shown" / "train")
    return load_dataset(str(home / "shown"))


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photo(home) -> str:
    return str(sorted((home / "photos").rglob("*.png"))[0])


@pytest.fixture
def demos(home, photo, capsys):
    def run(*arguments: str, exit_code: int = 0, of: str = photo) -> tuple[str, str]:
        command = ["demos", of, "--store", str(home / "store"), "--precision", "fp32"]
        assert main.run([*command, *arguments]) == exit_code
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return printed.out, printed.err

    return run


def test_a_folder_as_output_is_refused_at_once(demos) -> None:
    _, said = demos("-o", ".", exit_code=2)
    assert "--output . is a folder" in said
    assert "Model:" not in said


def test_a_prompt_for_a_chat_server(demos, photo) -> None:
    out, _ = demos("--shots", "2", "--format", "json", "-o", "prompt.json")
    assert json.loads(Path("prompt.json").read_text()) == json.loads(out)
    made = json.loads(out)
    first, answer, _, _, last = made["messages"]
    assert [part["type"] for part in first["content"]] == ["text", "image_url", "text"]
    shown = made["demonstrations"]
    assert first["content"][1]["image_url"]["url"] == Path(shown[0]["uri"]).as_uri()
    assert answer == {"role": "assistant", "content": shown[0]["name"]}
    assert last["content"][0]["image_url"]["url"] == Path(photo).as_uri()
    assert shown[0]["similarity"] >= shown[1]["similarity"]
    assert made["vote"] in {row["name"] for row in shown}
    assert made["candidates"] == sorted(made["candidates"])
    assert "; ".join(made["candidates"]) in first["content"][0]["text"]


def test_the_most_similar_last_and_images_inside(demos) -> None:
    out, _ = demos(
        *("--shots", "3", "--order", "last", "--chat", "transformers", "--data-urls", "-f", "json")
    )
    made = json.loads(out)
    similarities = [row["similarity"] for row in made["demonstrations"]]
    assert similarities == sorted(similarities)
    images = [
        part["url"]
        for turn in made["messages"]
        for part in turn["content"]
        if part["type"] == "image"
    ]
    assert len(images) == 4
    head, _, body = images[-1].partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(body))) as image:
        assert image.size == (96, 96)


@pytest.mark.parametrize("strategy", ["nearest", "per-class", "diverse", "image-then-text"])
def test_every_strategy(demos, strategy) -> None:
    out, _ = demos("--strategy", strategy, "--shots", "4", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len({row["id"] for row in rows}) == 4
    if strategy == "per-class":
        assert len({row["name"] for row in rows}) == 4


@pytest.mark.parametrize(("shots", "left"), [(1, 1), (15, 14)])
def test_the_photo_itself_is_not_shown(demos, home, tmp_path, shots, left) -> None:
    source = sorted((home / "shown").rglob("*.png"))[0]
    copy = tmp_path / "another name.png"
    copy.write_bytes(source.read_bytes())
    out, _ = demos("--shots", str(shots), "--format", "json", of=str(copy))
    shown = [row["uri"] for row in json.loads(out)["demonstrations"]]
    assert str(source) not in shown
    assert len(shown) == left


def test_a_language_model_answers(demos, home) -> None:
    arguments = ["--lvlm", str(home / "tiny"), "--shots", "1", "--candidates", "retrieved:3"]
    out, _ = demos(*arguments, "--format", "json")
    made = json.loads(out)
    scores = [row["log_probability"] for row in made["answers"]]
    assert scores == sorted(scores, reverse=True)
    assert sorted(row["name"] for row in made["answers"]) == sorted(made["candidates"])
    table, _ = demos(*arguments, "--format", "table")
    assert made["answers"][0]["name"].split()[-1] in table
    assert "Vote of these labels" in table


def test_without_a_store_the_default_one_is_used(home, photo, capsys) -> None:
    command = ["demos", photo, "--precision", "fp32", "--shots", "1", "--format", "json"]
    assert main.run(command) == 2
    assert "none at .clipfg/store" in capsys.readouterr().err
    shutil.copytree(home / "store", ".clipfg/store")
    assert main.run(command) == 0
    assert len(json.loads(capsys.readouterr().out)["demonstrations"]) == 1


def test_a_missing_model_is_exit_code_4(demos) -> None:
    _, err = demos("--lvlm", "someone/no-such-model", "--offline", exit_code=4)
    assert "hf download someone/no-such-model" in err


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "empty file"), (b"\xff\xd8\xff\xe0 cut", "truncated or corrupt")]
)
def test_a_broken_photo_is_one_sentence(demos, tmp_path, content, words) -> None:
    (tmp_path / "broken.jpg").write_bytes(content)
    _, err = demos(of=str(tmp_path / "broken.jpg"), exit_code=1)
    assert err.splitlines()[-1].startswith("Error: ")
    assert words in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--chat", "claude"], "--chat must be one of openai, transformers"),
        (["--shots", "-1"], "--shots must be at least 0"),
        (["--order", "middle"], "--order must be one of"),
        (["--question", " "], "--question must not be blank"),
    ],
)
def test_bad_options_are_exit_code_2(demos, arguments, words) -> None:
    _, err = demos(*arguments, exit_code=2)
    assert words in err


def test_icl_end_to_end_with_a_broken_image(home, tmp_path, capsys) -> None:
    photos_of(drawn("test", 3, 2), tmp_path / "photos")
    broken = sorted((tmp_path / "photos").rglob("*.png"))[0]
    broken.write_bytes(broken.read_bytes()[:200])
    command = ["icl", "-d", "photos", "--store", str(home / "store"), "--precision", "fp32"]
    command += ["--shots", "1", "--lvlm", str(home / "tiny"), "-o", "run"]
    assert main.run([*command, "--format", "table"]) == 3
    printed = capsys.readouterr()
    assert "vote of 1 shown" in printed.out
    assert "33.3" in printed.out  # chance
    (failure,) = map(json.loads, Path("run/failures.jsonl").read_text().splitlines())
    assert failure["path"] == str(broken)
    assert len(Path("run/answers.jsonl").read_text().splitlines()) == 5
    config = json.loads(Path("run/config.json").read_text())
    assert (config["shots"], config["strategy"]) == (1, "nearest")

    assert main.run([*command, "--format", "json"]) == 3
    printed = capsys.readouterr()
    assert "5 images (5 from the cache)" in printed.err
    rows = json.loads(printed.out)
    assert [row["name"] for row in rows] == ["tiny", "vote of 1 shown", "zero-shot"]
    assert main.run(["report", "run", "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 3


def test_icl_without_a_store_says_how_to_make_one(capsys) -> None:
    assert main.run(["icl", "-d", "synthflora"]) == 2
    assert "clipfg index build" in capsys.readouterr().err


def test_a_store_that_is_not_there_is_one_sentence(demos, tmp_path) -> None:
    _, err = demos("--store", str(tmp_path / "nowhere"), exit_code=1)
    assert "nowhere" in err.splitlines()[-1]
