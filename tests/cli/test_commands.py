"""The commands end to end, on the built-in data, drawn images and hostile files."""

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from clipfg.cli import main
from tests.hostile import make_hostile_folder

FLORETTE = ["--model", "builtin:florette", "--precision", "fp32"]


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("rose, wild\nlily\n", encoding="utf-8")
    return path


def test_zeroshot_on_the_built_in_data(
    working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["zeroshot", "--dataset", "synthflora", "--limit", "60", "-o", "run", "--html"]
    assert main.run([*command, "--format", "json"]) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert report["n"] == 60
    assert "builtin:florette" in printed.err
    run = working_folder / "run"
    kept = json.loads((run / "results.json").read_text())
    assert kept.pop("reading")["synthflora"]["classes"] == 200
    assert kept == report
    config = json.loads((run / "config.json").read_text())
    assert config["model"] == "builtin:florette"
    assert config["limit"] == 60
    rows = pq.read_table(run / "predictions.parquet").to_pylist()
    assert len(rows) == 60
    share = sum(row["correct"] for row in rows) / len(rows)
    assert share == pytest.approx(report["metrics"]["top1"]["value"])
    assert (run / "report.html").read_text().startswith("<!doctype html>")

    assert main.run(["report", "run", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == report
    assert main.run(["report", "run", "run", "--format", "csv"]) == 0
    assert len(list(csv.DictReader(io.StringIO(capsys.readouterr().out)))) == 2


def test_runs_of_several_kinds_are_a_table_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    data = ["--dataset", "synthflora", "--limit", "40", *FLORETTE]
    for prompts in ("general", "photo"):
        assert main.run(["zeroshot", *data, "--prompts", prompts, "-o", prompts]) == 0
    few = ["--head", "class-mean", "--shots", "1", "--seeds", "1"]
    assert main.run(["fewshot", *data, *few, "-o", "few"]) == 0
    capsys.readouterr()
    assert main.run(["report", "general", "photo", "few", "--format", "table"]) == 0
    printed = capsys.readouterr().out
    first, second = printed.split("learnt from")
    assert first.split("\n")[2].split()[:4] == ["run", "prompts", "n", "top1"]
    assert "data synthflora" in first
    assert "macro f1" in first
    assert "few  class-mean" in second
    assert main.run(["report", "general", "few", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["head"] is None
    assert rows[-1]["macro_f1"] is None


def test_a_second_run_embeds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["zeroshot", "--dataset", "synthflora", "--limit", "20", *FLORETTE]
    assert main.run([*command, "-o", "one"]) == 0
    assert main.run([*command, "-o", "two"]) == 0
    assert "20 from the cache" in capsys.readouterr().err
    assert Path("one/results.json").read_text() == Path("two/results.json").read_text()
    one, two = (pq.read_table(f"{run}/predictions.parquet") for run in ("one", "two"))
    assert one.equals(two)


def test_hostile_files_cost_themselves_and_nothing_else(
    working_folder: Path, names: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = working_folder / "hostile"
    folder.mkdir()
    expected = make_hostile_folder(folder)
    command = ["predict", "hostile", "--classes", str(names), *FLORETTE, "-o", "run"]
    assert main.run(command) == 3
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    named = {row["id"] for row in pq.read_table("run/predictions.parquet").to_pylist()}
    failed = [json.loads(line) for line in Path("run/failures.jsonl").read_text().splitlines()]
    assert named == {name for name, good in expected.items() if good}
    assert {row["id"] for row in failed} == {name for name, good in expected.items() if not good}
    assert all(row["reason"].startswith(("Expected", "Image is truncated")) for row in failed)
    assert {row["prediction"] for row in map(json.loads, printed.out.splitlines())} <= {
        "rose, wild",
        "lily",
    }


def test_strict_stops_at_the_first_failure(
    working_folder: Path, names: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = working_folder / "photos"
    folder.mkdir()
    (folder / "empty.jpg").touch()
    assert main.run(["predict", "photos", "--classes", str(names), *FLORETTE, "--strict"]) == 1
    assert "empty file" in capsys.readouterr().err


def test_no_usable_image_is_a_failure(working_folder: Path, names: Path) -> None:
    (working_folder / "photos").mkdir()
    (working_folder / "photos" / "empty.jpg").touch()
    assert main.run(["predict", "photos", "--classes", str(names), *FLORETTE]) == 1


def test_predict_the_drawn_flowers(
    working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["datasets", "draw", "photos", "-n", "3", "--size", "96"]) == 0
    capsys.readouterr()
    command = ["predict", "photos", "--classes", "photos/classes.csv", *FLORETTE]
    assert main.run([*command, "--prompts", "synthflora", "--format", "csv", "-k", "2"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 3
    assert all(len(json.loads(row["names"])) == 2 for row in rows)


@pytest.mark.parametrize("suffix", ["parquet", "npz", "safetensors"])
def test_features_go_out_and_come_back(suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = f"features.{suffix}"
    data = ["--split", "test", "--limit", "40", *FLORETTE]
    assert main.run(["embed", "synthflora", "-o", file, *data]) == 0
    capsys.readouterr()
    scored = ["--prompts", "synthflora", "--format", "csv"]
    assert (
        main.run(["zeroshot", "--dataset", "synthflora", "--limit", "40", *FLORETTE, *scored]) == 0
    )
    direct = capsys.readouterr().out
    classes = ["--classes", "photos/classes.csv"]
    assert main.run(["datasets", "draw", "photos", "-n", "1", "--size", "32"]) == 0
    capsys.readouterr()
    again = ["zeroshot", "--dataset", f"features:{file}", *FLORETTE, *scored, *classes]
    assert main.run(again) == 0
    assert capsys.readouterr().out == direct


def test_features_of_another_encoder_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--split", "test", "--limit", "4", "--model", "builtin:florette"]
    assert main.run(["embed", "synthflora", "-o", "f.npz", *command, "--precision", "bf16"]) == 0
    assert main.run(["zeroshot", "--dataset", "features:f.npz", *FLORETTE]) == 1
    assert "Expected features of builtin:florette in fp32" in capsys.readouterr().err


def test_an_output_of_unknown_kind_is_refused_before_the_work() -> None:
    assert main.run(["embed", "synthflora", "-o", "features.xlsx", *FLORETTE]) == 2


def test_a_model_that_is_not_on_disk_is_exit_4(
    working_folder: Path, names: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["datasets", "draw", "photos", "-n", "1", "--size", "32"]) == 0
    command = ["predict", "photos", "--classes", str(names), "--model", "hf:nobody/nothing"]
    assert main.run([*command, "--offline"]) == 4
    assert "clipfg models pull hf:nobody/nothing" in capsys.readouterr().err


def test_data_without_labels_point_to_predict(
    working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["datasets", "draw", "photos", "-n", "2", "--size", "32"]) == 0
    assert main.run(["zeroshot", "--dataset", "photos", *FLORETTE]) == 1
    assert "clipfg predict" in capsys.readouterr().err


def test_predict_wants_classes_or_a_head(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["datasets", "draw", "photos", "-n", "1", "--size", "32"]) == 0
    assert main.run(["predict", "photos"]) == 2
    assert "--classes" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [["models", "list"], ["datasets", "list"], ["prompts", "list"], ["heads", "list"], ["doctor"]],
)
def test_listings_are_rows(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(command) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows
    assert all(row.keys() == rows[0].keys() for row in rows)


def test_the_cache_shows_and_forgets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["zeroshot", "--dataset", "synthflora", "--limit", "5", *FLORETTE]) == 0
    capsys.readouterr()
    assert main.run(["cache", "info"]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["encoder"], row["images"]) == ("builtin:florette", 5)
    assert main.run(["cache", "clear", "--yes"]) == 0
    capsys.readouterr()
    assert main.run(["cache", "info"]) == 0
    assert capsys.readouterr().out == ""


def test_a_damaged_cache_is_a_sentence_and_can_be_cleared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "embeddings.sqlite").write_bytes(b"not a database at all" * 400)
    place = ["--cache-dir", "kept"]
    assert main.run(["zeroshot", "--dataset", "synthflora", "--limit", "5", *FLORETTE, *place]) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert main.run(["cache", "clear", "--yes", *place]) == 0
    assert "damaged" in capsys.readouterr().err
    assert main.run(["zeroshot", "--dataset", "synthflora", "--limit", "5", *FLORETTE, *place]) == 0


@pytest.mark.long
@pytest.mark.shared
def test_real_images_as_the_plain_loop_scores_them(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """cub100's test images with lit-birds: the plain transformers loop has 94.47."""
    command = ["zeroshot", "--dataset", str(shared / "data" / "cub100"), "--prompts", "photo"]
    model = ["--model", f"hf:{shared / 'models' / 'lit-birds'}", "--precision", "fp32"]
    assert main.run([*command, *model, "--format", "json"]) == 0
    top1 = json.loads(capsys.readouterr().out)["metrics"]["top1"]["value"]
    assert 100 * top1 == pytest.approx(94.47, abs=0.2)
