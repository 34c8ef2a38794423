"""A head of prototypes from labelled flowers to its pages, as a person would go."""

import json
from inspect import signature

import pyarrow.parquet as pq
import pytest
import torch

from clipfg.cli import main
from clipfg.data import synthflora
from clipfg.errors import UsageError
from clipfg.heads import load_head
from clipfg.heads.patch_prototypes import PatchPrototypes
from clipfg.options import ExplainOptions, FewshotOptions, HeadShowOptions, PredictOptions
from clipfg.workflows.answers import confidence_of, groups_of
from clipfg.workflows.explain.run import run_explain
from clipfg.workflows.fewshot.run import run_fewshot
from clipfg.workflows.predict import run_predict
from clipfg.workflows.prototypes.saved import EXTRA, PrototypeHead
from clipfg.workflows.prototypes.show import run_show
from tests.workflows.jobs import job

FLORETTE = ["--model", "builtin:florette", "--precision", "fp32"]


@pytest.fixture(scope="module")
def flowers(tmp_path_factory):
    """Three species with six pictures each, four of them to learn from."""
    folder = tmp_path_factory.mktemp("flowers")
    manifest, rows = synthflora.load(), []
    for label in (0, 70, 140):
        for number in range(6):
            uri = f"synthflora:0/train/{16 * label + number}"
            name = f"{label}-{number}.png"
            flower = synthflora.locate(uri)
            synthflora.draw(flower, synthflora.IMAGE_SIZE).save(folder / name)
            split = "train" if number < 4 else "test"
            own = {"path": name, "label": manifest.classes.names[label], "split": split}
            own["plant"] = f"{label}-{number // 2}"
            rows.append(own | {"regions": synthflora.regions(flower)})
    (folder / "flowers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture(scope="module")
def few_steps():
    """Heads of few prototypes and few steps."""
    parameters = signature(PatchPrototypes).parameters
    own = {"prototypes": 16, "pretraining": 10, "steps": 20, "per_class": 4}
    defaults = tuple(own.get(name, one.default) for name, one in parameters.items())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PatchPrototypes.__init__, "__defaults__", defaults)
        yield


@pytest.fixture(scope="module")
def saved(few_steps, flowers, tmp_path_factory):
    """A saved head, of few steps."""
    folder = tmp_path_factory.mktemp("saved")
    command = ["fewshot", "--dataset", str(flowers / "flowers.jsonl"), *FLORETTE]
    command += ["--heads", "patch-prototypes", "--shots", "2,4", "--seeds", "1"]
    command += ["-o", str(folder / "run"), "--save", str(folder / "head.safetensors")]
    assert main.run([*command, "--format", "json"]) == 0
    results = json.loads((folder / "run" / "results.json").read_text())
    assert any("A class uses" in remark for remark in results["remarks"])
    return folder / "head.safetensors"


def test_the_file_knows_the_images_that_show_each_prototype(saved, flowers) -> None:
    known = PrototypeHead.load(saved)
    examples = known.examples
    assert set(examples.numbers) == set(known.head.examples_[..., 0].flatten().tolist())
    for number, uri in zip(examples.numbers, examples.uris, strict=True):
        # the support is in the order of the file: four images of each of the three species
        species = uri.rsplit("/", 1)[1].split("-")[0]
        assert species == ("0", "70", "140")[number // 4]
        assert int(uri.rsplit("-", 1)[1].removesuffix(".png")) < 4  # none of the test images


def predict(saved, flowers, tmp_path, **options):
    options |= {
        "head": saved,
        "dataset": str(flowers / "flowers.jsonl"),
        "output": tmp_path / "out",
    }
    run = job(run_predict, PredictOptions, split="test", **options)
    return pq.read_table(run.predictions).to_pylist(), run


def test_predict_takes_patches_and_switches_prototypes_off(saved, flowers, tmp_path) -> None:
    rows, _ = predict(saved, flowers, tmp_path / "whole")
    assert len(rows) == 6
    head = load_head(saved).head
    used = head.used.nonzero().flatten().tolist()[1:]
    off = ",".join(map(str, used))
    left, run = predict(saved, flowers, tmp_path / "left", without=off)
    changed = sum(a["prediction"] != b["prediction"] for a, b in zip(rows, left, strict=True))
    results = json.loads((run.folder / "results.json").read_text())
    assert results["without"] == {"off": used, "changed": changed}
    assert changed  # one is left to tell classes by


def test_a_saved_head_is_calibrated_and_what_is_left_of_it_is_not(saved, flowers, tmp_path) -> None:
    known = load_head(saved)
    confidence = confidence_of(known)
    assert len(confidence) == 12  # each image of the support, by a head without it
    unused = (~known.head.used).nonzero().flatten().tolist()
    rows, _ = predict(saved, flowers, tmp_path / "whole", prediction_set=0.7)
    left, _ = predict(saved, flowers, tmp_path / "left", without=str(unused[0]))
    for row, plain in zip(rows, left, strict=True):
        assert row["prediction"] == plain["prediction"]
        raw = torch.tensor(plain["probabilities"]).log()
        expected = (confidence.factor * raw).softmax(dim=0).tolist()
        assert row["probabilities"] == pytest.approx(expected, abs=1e-4)
        assert set(row["set"]) <= {*row["names"]}
    with pytest.raises(UsageError, match="cannot be combined with --without"):
        predict(saved, flowers, tmp_path / "both", without="0", target_error=0.1)


def test_the_pictures_of_a_plant_become_one_answer(few_steps, flowers, tmp_path) -> None:
    path = tmp_path / "head.safetensors"
    given = {"heads": "patch-prototypes", "shots": "4", "seeds": 1, "model": "builtin:florette"}
    given |= {"precision": "fp32", "dataset": str(flowers / "flowers.jsonl"), "group_by": "plant"}
    done = job(run_fewshot, FewshotOptions, save=path, output=tmp_path / "run", **given)
    assert done.curve.grouped.groups == 3
    assert done.curve.grouped.answers is not None
    assert len(groups_of(load_head(path)).confidence) == 6  # plants that were held out whole
    run = job(
        run_predict,
        PredictOptions,
        head=path,
        dataset=str(flowers / "flowers.jsonl"),
        split="test",
        group_by="plant",
        output=tmp_path / "plants",
    )
    assert [row["pictures"] for row in run.rows()] == [2, 2, 2]


def test_explain_shows_the_evidence_and_where_it_is(saved, flowers, tmp_path, capsys) -> None:
    photo = flowers / "70-5.png"
    command = ["explain", str(photo), "--method", "prototypes", "--head", str(saved)]
    assert main.run([*command, *FLORETTE, "-o", str(tmp_path / "why"), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows
    evidence = [row["evidence"] for row in rows]
    assert evidence == sorted(evidence, reverse=True)
    for row in rows:
        assert row["evidence"] == pytest.approx(row["presence"] * row["weight"])
        assert 0 <= row["x"] <= synthflora.IMAGE_SIZE
        assert (tmp_path / "why" / row["file"]).read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "why" / "explain.html").read_text()
    assert page.count('class="strip p') == len(rows)
    assert "CAM" in page


def test_a_head_is_drawn_class_by_class(saved, tmp_path, capsys) -> None:
    command = ["heads", "show", str(saved), "-o", str(tmp_path / "shown")]
    assert main.run([*command, "--format", "table"]) == 0
    table = capsys.readouterr().out
    known = PrototypeHead.load(saved)
    assert all(name.split()[-1] in table for name in known.classes.names)
    page = (tmp_path / "shown" / "prototypes.html").read_text()
    assert page.count("<h2>") == 3
    assert page.count('class="strip p') == int((known.head.weights_ > 0).sum())


def test_on_data_the_effect_of_switching_off_is_shown(saved, flowers, tmp_path) -> None:
    used = load_head(saved).head.used.nonzero().flatten().tolist()
    run = job(
        lambda session: run_show(session, saved),
        HeadShowOptions,
        dataset=str(flowers / "flowers.jsonl"),
        split="test",
        without=str(used[0]),
        output=tmp_path / "shown",
    )
    assert any(remark.startswith(f"Without {used[0]}: top-1") for remark in run.remarks)
    assert any("linear head on the same patches" in remark for remark in run.remarks)
    assert any("random places" in remark for remark in run.remarks)
    parts = {row["part"] for row in run.rows()}
    assert parts - {""}
    assert parts <= {"", "petals", "centre", "leaf", "leaves"}


def test_some_classes_are_drawn_alone(saved, flowers, tmp_path, capsys) -> None:
    names = PrototypeHead.load(saved).classes.names[1:]
    command = ["heads", "show", str(saved), "--within", ",".join(names), "-o", str(tmp_path / "s")]
    command += ["--dataset", str(flowers / "flowers.jsonl"), "--split", "test", "--format", "json"]
    assert main.run(command) == 0
    shown = capsys.readouterr()
    assert {row["class"] for row in json.loads(shown.out)} == set(names)
    assert "on 4 images" in shown.err
    assert main.run([*command[:4], names[0], *command[5:7], "--format", "json"]) == 0
    assert {row["class"] for row in json.loads(capsys.readouterr().out)} == {names[0]}
    assert main.run([*command[:4], names[0], *command[5:]]) == 2
    assert "at least two classes" in capsys.readouterr().err
    assert main.run([*command[:4], "no-such-flower"]) != 0
    assert "Expected a class or a group of classes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "prototypes"}, "name it by --head"),
        ({"head": "HEAD"}, "are for --method prototypes"),
        ({"method": "prototypes", "head": "HEAD", "phrases": "cub200"}, "--phrases cannot"),
        ({"method": "prototypes", "head": "HEAD", "without": "x"}, "such as 17,23, got 'x'"),
        ({"method": "prototypes", "head": "HEAD", "without": "999"}, "from 0 to 15, got 999"),
    ],
)
def test_what_does_not_go_together_is_said(saved, flowers, options, said) -> None:
    given = {key: saved if value == "HEAD" else value for key, value in options.items()}
    given["dataset"] = str(flowers / "flowers.jsonl")
    with pytest.raises(UsageError, match=said):
        job(run_explain, ExplainOptions, **given)


def test_other_heads_have_no_prototypes(tmp_path, flowers, saved) -> None:
    command = ["fewshot", "--dataset", str(flowers / "flowers.jsonl"), *FLORETTE, "--shots", "4"]
    path = tmp_path / "mean.safetensors"
    more = ["--heads", "class-mean", "--seeds", "1", "--save", str(path), "-o", str(tmp_path / "r")]
    assert main.run([*command, *more]) == 0
    with pytest.raises(UsageError, match="Expected a head of patch prototypes, got class-mean"):
        PrototypeHead.load(path)
    assert EXTRA in load_head(saved).extras
