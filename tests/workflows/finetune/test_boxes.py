"""Fine-tuning on boxes: two things in every picture, which only their cut-outs tell apart."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

import clipfg
from clipfg.data import synthflora
from clipfg.embedding.framing import Framing
from clipfg.encoders import load_encoder
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.errors import DataError, UsageError
from clipfg.options import FewshotOptions, FinetuneOptions
from clipfg.types import Manifest
from clipfg.workflows.fewshot.items import load_images
from clipfg.workflows.fewshot.run import run_fewshot
from clipfg.workflows.finetune.job import Job
from clipfg.workflows.finetune.learning import Material, _taken_for, gather
from clipfg.workflows.finetune.run import FinetuneRun, run_finetune
from clipfg.workflows.finetune.sources import learnt_by, probe_of
from clipfg.workflows.finetune.training import state_of
from clipfg.workflows.finetune.watching import Watcher
from clipfg.workflows.session import Session
from tests.workflows.jobs import job

KINDS = {"sound": 0, "worn": 120}
"""Names that tell the base nothing, and the species that stand for them."""
SPLITS = ["train"] * 16 + ["val"] * 6 + ["test"] * 6
SIDE = 64
SMALL = {"model": "builtin:florette", "precision": "fp32", "prompts": "photo"}
STEPS = ("steps=8", "batch_size=16", "lr=1e-3", "checks=2")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two flowers side by side, of one class each, and a table of their boxes."""
    folder = tmp_path_factory.mktemp("scenes")
    lines = ["path,label,split,x0,y0,x1,y1"]
    for number, split in enumerate(SPLITS):
        scene = Image.new("RGB", (2 * SIDE, SIDE))
        for place, (name, kind) in enumerate(KINDS.items()):
            x = SIDE * ((place + number) % 2)
            flower = synthflora.flower_at(number // 16, "train", 16 * kind + number % 16)
            scene.paste(synthflora.draw(flower, SIDE), (x, 0))
            lines.append(f"{number}.png,{name},{split},{x},0,{x + SIDE},{SIDE}")
        scene.save(folder / f"{number}.png")
    table = folder / "parts.csv"
    table.write_text("\n".join(lines))
    return table


def finetune(table: Path, folder: Path, *changes: str, **options) -> FinetuneRun:
    given = SMALL | {"dataset": table, "recipe": "flyp", "cache_dir": folder / "cache"} | options
    given["output"] = folder / "run"
    run = job(run_finetune, FinetuneOptions, set=(*STEPS, *changes), **given)
    assert run is not None
    return run


def job_of(session: Session[FinetuneOptions], **changes: str) -> Job:
    options = replace(session.options, **changes)
    return Job.of(session.another(options))


@pytest.fixture(scope="module")
def finished(table: Path, tmp_path_factory: pytest.TempPathFactory) -> FinetuneRun:
    return finetune(table, tmp_path_factory.mktemp("finished"))


@pytest.fixture
def session(table: Path, tmp_path: Path):
    given = SMALL | {"dataset": str(table), "recipe": "flyp", "cache_dir": tmp_path}
    with Session(FinetuneOptions(**given)) as opened:
        yield opened


def test_what_boxes_hold_is_learnt_and_whole_pictures_cannot_tell(
    table: Path, finished: FinetuneRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = [row for row in finished.report.table if row.measure == "zero-shot, classes"]
    assert row.n == 12
    assert row.base.value <= 0.75
    assert row.kept.value >= 0.9

    monkeypatch.setenv("CLIPFG_CACHE_DIR", str(tmp_path / "cache"))

    def accuracy(name: str, model: str, **options: str) -> float:
        given = SMALL | {"model": model, "split": "test", "output": tmp_path / name} | options
        return clipfg.zeroshot(str(table), **given).report.metrics["top1"].value

    tuned = str(finished.model)
    assert accuracy("base", "builtin:florette") == row.base.value
    assert accuracy("tuned", tuned) == row.kept.value
    assert accuracy("whole", tuned, crop="whole") == 0.5  # one answer for the two of a picture
    with pytest.raises(DataError, match=r"as flyp is to see pictures whole, got boxes of several"):
        finetune(table, tmp_path, crop="whole")


def test_the_run_says_how_boxes_were_cut_out(table: Path, finished: FinetuneRun) -> None:
    square = {"crop": "square", "margin": 0.1}
    files = ("run/config.json", "run/model/provenance.json")
    for file in files:
        assert json.loads((finished.folder.parent / file).read_text())["framing"] == square
    results = json.loads((finished.folder / "results.json").read_text())
    assert results["context"]["items"] == "boxes, cut out (square)"
    with pytest.raises(UsageError, match=r"was tuned otherwise \(framing\)"):
        finetune(table, finished.folder.parent, crop="tight")


def test_a_stopped_run_goes_on_to_the_same_bits(
    table: Path, finished: FinetuneRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    step = Watcher.step

    def stopped(self: Watcher, number: int, losses: dict[str, float]) -> None:
        step(self, number, losses)
        if number == 5:  # the last state is that of the check after 4
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Watcher, "step", stopped)
        with pytest.raises(KeyboardInterrupt):
            finetune(table, tmp_path)
    with caplog.at_level(logging.INFO, logger="clipfg"):
        finetune(table, tmp_path, "steps=4", crop="tight")
        assert "Resumed" not in caplog.text
        (tmp_path / "run").rename(tmp_path / "other")
        again = finetune(table, tmp_path)
    assert "Boxes: 32 in 16 images, each cut out (square)" in caplog.text
    assert "Resumed at step 4 of 8" in caplog.text
    one, other = (load_encoder(str(run.model), precision="fp32") for run in (again, finished))
    for name, weight in one.model.state_dict().items():
        assert weight.equal(other.model.state_dict()[name])
    assert again.report.table == finished.report.table


def test_another_framing_is_another_run(session) -> None:
    first = job_of(session)
    learnt = Material(None, first.parts.train.manifest)
    ways = [first, *(job_of(session, crop=crop) for crop in ("tight", "square"))]
    square, tight, same = (state_of(one, learnt) for one in ways)
    assert square == same != tight


def plain(
    manifest: Manifest, preprocessing: Preprocessing, framing: Framing | None
) -> torch.Tensor:
    """Each item by itself: its window of the picture through the encoder's own preprocessing."""
    found = []
    for uri, box in zip(manifest.uris, manifest.column("box"), strict=True):
        with Image.open(uri) as image:
            window = framing and framing.frame(box, None).window(*image.size)
            found.append(preprocessing(image.convert("RGB"), window))
    return torch.stack(found)


def unit(job: Job, pixels: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(job.encoder.encode_images(pixels).pooled, dim=-1)


@pytest.mark.parametrize("crop", ["square", "tight"])
def test_all_that_looks_at_items_sees_their_cut_outs(session, crop: str) -> None:
    """Their pixels, and with a frozen image tower their features from the cache."""
    frozen = ("trains=texts", "losses=flyp", "lr=1e-3")
    job = job_of(session, crop=crop, set=frozen)
    assert job.framing == Framing(crop)
    student = job.student()
    learnt, remark = learnt_by(job, student)
    assert remark == ""
    test = probe_of(job, job.parts.test, student)
    for examples, part in ((learnt.examples, job.parts.train), (test.examples, job.parts.test)):
        wanted = plain(part.manifest, job.encoder.preprocessing, Framing(crop))
        assert examples.pixels.images.equal(wanted)
        assert not wanted.equal(plain(part.manifest, job.encoder.preprocessing, None))
        torch.testing.assert_close(
            examples.constants["images"], unit(job, wanted), atol=1e-5, rtol=0
        )
    assert test.pictures is not None
    assert test.pictures.tolist() == [row // 2 for row in range(12)]


def test_hard_negatives_are_of_classes_that_cut_outs_are_taken_for(session) -> None:
    job = job_of(session)
    train, needs = job.parts.train, frozenset({"captions"})
    found = gather(job.session, train, job.encoder, job.recipe, needs, job.framing)
    given = job.session, found.manifest, found.examples, job.encoder
    cut, whole = (_taken_for(*given, framing) for framing in (job.framing, None))
    assert cut is not None
    assert whole is not None
    torch.testing.assert_close(whole[0], whole[1])  # the same pictures for both classes
    assert (cut[0] - cut[1]).abs().max() > 0.1


def test_pictures_that_cannot_be_read_are_named_and_left_out(table: Path, tmp_path: Path) -> None:
    broken = table.with_name("broken.png")
    broken.write_bytes(table.with_name("0.png").read_bytes()[:1000])  # the header is whole
    more = table.with_name("more.csv")
    lines = (f"broken.png,{name},train,0,0,64,64" for name in KINDS)
    more.write_text("\n".join([table.read_text(), *lines]))
    run = finetune(more, tmp_path, "steps=1", "checks=1")
    assert run.skipped == 2
    failures = [
        json.loads(line) for line in (run.folder / "failures.jsonl").read_text().splitlines()
    ]
    assert [one["stage"] for one in failures] == ["decode", "decode"]
    assert all(one["id"].startswith("broken.png#") for one in failures)


def test_regions_of_whole_pictures_are_not_cut_out(table: Path, tmp_path: Path) -> None:
    for options in ({"crop": "tight"}, {"boxes_as": "crop"}):
        with pytest.raises(UsageError, match="distill learns from boxes as regions of the whole"):
            finetune(table, tmp_path, recipe="distill", **options)
    for options in ({"boxes_as": "region"}, {"views": "tiles"}):
        with pytest.raises(UsageError, match="cannot be combined with fine-tuning"):
            finetune(table, tmp_path, **options)


def test_several_classes_of_a_whole_picture_are_said(session, caplog) -> None:
    with caplog.at_level(logging.WARNING, logger="clipfg"):
        assert job_of(session, recipe="distill").framing is None
    assert "16 pictures have boxes of several classes, and distill is shown" in caplog.text


def test_heads_that_train_the_encoder_see_cut_outs_too(table: Path, tmp_path: Path) -> None:
    given = SMALL | {"dataset": str(table), "cache_dir": tmp_path, "heads": "flyp"}
    with Session(FewshotOptions(**given)) as few:
        train = few.whole().select("train")
        few.open_encoder(train)
        images = load_images(few, train, train.manifest.ids[::-1])
        assert few.encoder is not None
        wanted = plain(train.manifest, few.encoder.preprocessing, Framing())
        assert images.load().equal(wanted.flip(0))
    with (
        Session(FewshotOptions(**given, boxes_as="region", output=tmp_path / "run")) as few,
        pytest.raises(UsageError, match="is used as regions of a dense map"),
    ):
        run_fewshot(few)
