"""Fine-tune an encoder, keep what validation favours, and say what changed."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipfg.errors import ClipfgError
from clipfg.evaluation.page import render_page
from clipfg.evaluation.serialization import to_json
from clipfg.evaluation.tuning.page import loss_png, validation_chart
from clipfg.evaluation.tuning.report import TuningReport
from clipfg.mining.text_only import text_only
from clipfg.options import FinetuneOptions
from clipfg.training.blending import Blender
from clipfg.training.state import check_room, held, state_size
from clipfg.training.student import Student
from clipfg.workflows.finetune.job import Job
from clipfg.workflows.finetune.keeping import (
    check_no_other,
    choose_share,
    save_tuned,
    tuning_report,
)
from clipfg.workflows.finetune.probe import HARD, objective_of
from clipfg.workflows.finetune.processes import together
from clipfg.workflows.finetune.sources import learnt_by, probe_of, with_contests
from clipfg.workflows.finetune.training import state_of, train
from clipfg.workflows.finetune.watching import Board, tensorboard
from clipfg.workflows.run_folder import Run, RunFolder
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

MODEL = "model"
"""The checkpoint's folder in the run folder."""
TRIAL = "synthflora-captions"
"""What is trained on where no data are named."""


@dataclass(frozen=True)
class FinetuneRun(Run):
    """A finished fine-tuning run: its report, and the checkpoint, which `--model` takes."""

    report: TuningReport
    model: Path

    @property
    def exit_code(self) -> int:
        """1 where training ended at a loss that was not finite, else as for other jobs."""
        return 1 if self.report.diverged else super().exit_code

    def rows(self) -> list[dict[str, Any]]:
        """A row for each measure."""
        return self.report.rows()


def run_finetune(session: Session[FinetuneOptions]) -> FinetuneRun | None:
    """Train the encoder of `--model` on `--dataset` by a recipe, and measure what changed.

    What is kept is chosen on validation images between the base and the tuned weights; a run that
    makes them worse keeps the base. None in a process that follows another, as all but the first
    under `accelerate launch`. Raises `ClipfgError`s: an unknown recipe, data without what it needs,
    an encoder that cannot be trained.
    """
    if session.options.dataset is None:
        logger.info(f"No --dataset is named: the built-in {TRIAL} is used, and its model")
        session = session.another(replace(session.options, dataset=TRIAL), session.stages)
    with together(session.options) as leads:
        if leads:
            return _lead(session)
        with suppress(ClipfgError):  # the first process says it
            _follow(Job.of(session.another(session.options)))
        return None


def _lead(session: Session[FinetuneOptions]) -> FinetuneRun:
    options = session.options
    with tensorboard(options.tensorboard) as board:
        job = Job.of(session)
        if options.output is not None:
            check_no_other(job, options.output / MODEL)
        facts = {
            "recipe": asdict(job.recipe),
            "manifest": job.parts.train.manifest.digest,
            "framing": job.framing and asdict(job.framing),
        }
        with session.run_folder(job.parts.train.name, **facts) as folder:
            report = _tuned(job, folder, board)
            folder.results = to_json(report)
            folder.part("losses.png").write_bytes(loss_png(report))
            folder.part("validation.png").write_bytes(validation_chart(report).to_png())
            if options.html:
                folder.write_text("report.html", render_page(report))
    logger.info(f"Checkpoint: --model {folder.path / MODEL}")
    done = sum(map(len, job.parts.each))
    return FinetuneRun(folder.path, done, len(session.failures), report, folder.path / MODEL)


def _tuned(job: Job, folder: RunFolder, board: Board) -> TuningReport:
    """Train, choose, measure and save."""
    student = job.student()
    learnt, remark = learnt_by(job, student)
    remarks = [remark] if remark else []
    validation = probe_of(job, job.parts.validation, student)
    test = with_contests(job, probe_of(job, job.parts.test, student))
    check_room(folder.part(MODEL), state_size(student.towers.state_dict()))
    view = _View(student, job.bf16)
    view.remember(validation.examples.pixels.images, validation.gallery)  # measured many times

    def objective() -> float:
        return objective_of(validation.measure(view.images, view.texts), job.recipe.objective)

    state = state_of(job, learnt)
    with nullcontext() if state is None else held(state):
        before = test.measure(view.images, view.texts)
        base = {k: v.clone() for k, v in job.encoder.trainable().model.state_dict().items()}
        history, recipe = train(job, student, learnt, objective, board)
        student.merged()
        with torch.no_grad():
            blender = Blender(student.towers, base)
            after = test.measure(view.images, view.texts) if blender.differs else before
            curve = blender.curve(lambda: validation.measure(view.images, view.texts))
            share, doubt = choose_share(curve, recipe)
            blender.put(share)
            ends = {0.0: before, 1.0: after}
            kept = ends.get(share) or test.measure(view.images, view.texts)
        save_tuned(job, student.encoder, folder.part(MODEL), share)
    if len({one.item for one in test.contests}) > 1:
        remarks.append(f"{HARD[0].upper()}{HARD[1:]}: {text_only(test.contests).remark}")
    if doubt:
        logger.warning(doubt)
        remarks.insert(0, doubt)
    if history.stopped:
        remarks.insert(0, f"Training ended early: {history.stopped}.")
        logger.warning(remarks[0])
    context = {
        "data": job.parts.train.name,
        "model": job.encoder.name,
        "recipe": recipe.name,
    }
    if job.framing is not None:
        context["items"] = f"boxes, cut out ({job.framing.crop})"
    measured = (before, after, kept)
    return tuning_report(measured, curve, share, history, recipe, context, remarks, job.seed)


def _follow(job: Job) -> None:
    """Train with the first process, which alone measures and keeps anything."""
    student = job.student()
    learnt, _ = learnt_by(job, student)
    train(job, student, learnt, lambda: 0.0, lambda *_: None)


@dataclass(frozen=True)
class _View:
    """What a student makes of images and texts just now, for measurements."""

    student: Student
    bf16: bool

    def images(self, pixels: Tensor) -> Tensor:
        """Features of prepared pixels."""
        with torch.no_grad(), self._autocast():
            return self.student.encode_images(pixels)

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Features of texts."""
        with torch.no_grad(), self._autocast():
            return self.student.encode_texts(texts)

    def remember(self, pixels: Tensor, texts: Sequence[str]) -> None:
        """What is frozen computes features of these once."""
        with self._autocast():
            self.student.remember(pixels, texts)

    def _autocast(self) -> torch.autocast:
        device = self.student.encoder.device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.bf16)
