"""Fine-tune an encoder, keep what validation favours, and say what changed."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipfg import __version__
from clipfg.embedding.texts import embed_texts
from clipfg.encoders.base import TextPath
from clipfg.encoders.catalogue import CATALOGUE
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.encoders.model_files import write_json
from clipfg.errors import ClipfgError, DataError, UsageError
from clipfg.evaluation.page import render_page
from clipfg.evaluation.serialization import to_json
from clipfg.evaluation.tuning.page import loss_png, validation_chart
from clipfg.evaluation.tuning.report import TuningReport
from clipfg.mining.negatives import Contest
from clipfg.mining.text_only import text_only
from clipfg.options import FinetuneOptions
from clipfg.prompting.rendering import Sentences
from clipfg.training.batches import Batches, Sampling
from clipfg.training.blending import Blender
from clipfg.training.leakage import find_leaks, leaks_said
from clipfg.training.loop import History, Loop
from clipfg.training.rates import choose_rate
from clipfg.training.recipes import RECIPES, Recipe, load_recipe
from clipfg.training.state import check_room, held, load_state, state_size
from clipfg.training.student import Student
from clipfg.training.task import Task, parse_terms
from clipfg.training.teacher import embedded
from clipfg.training.terms import TERMS
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.finetune.keeping import NAMES, choose_share, tuning_report
from clipfg.workflows.finetune.learning import Material, gather, mined
from clipfg.workflows.finetune.parts import Parts, open_parts
from clipfg.workflows.finetune.probe import HARD, EncodeTexts, Probe, objective_of
from clipfg.workflows.finetune.processes import together
from clipfg.workflows.finetune.watching import Board, Watcher, tensorboard
from clipfg.workflows.run_folder import Run, RunFolder
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

MODEL = "model"
"""The checkpoint's folder in the run folder."""
MOST_CONTESTS = 2000
"""Of captions and hard negatives on test images; their texts are most of what is measured."""
TRIAL = "synthflora-captions"
"""What is trained on where no data are named."""
PROVENANCE = "provenance.json"
"""Where a checkpoint says what it was made of."""


@dataclass(frozen=True)
class FinetuneRun(Run):
    """A finished fine-tuning run: its report, and the checkpoint, which `--model` takes."""

    report: TuningReport
    model: Path

    def rows(self) -> list[dict[str, Any]]:
        """A row for each measure."""
        return self.report.rows()


def recipe_of(options: FinetuneOptions) -> Recipe:
    """The recipe of `--distill` or `--recipe`, with its changes. Raises `UsageError`s."""
    name = options.recipe or ("distill" if options.distill else None)
    if name is None:
        raise UsageError(
            f"Expected --distill or --recipe NAME; there are {', '.join(RECIPES)}"
            " (`clipfg recipes list`)."
        )
    if options.distill and name != "distill":
        raise UsageError(f"--distill and --recipe {name} cannot be combined: give one.")
    return load_recipe(name, options.set)


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
            _prepared(session.another(session.options)).follow()
        return None


def _prepared(session: Session[FinetuneOptions]) -> "_Tuning":
    recipe = recipe_of(session.options)
    weights = parse_terms(recipe.losses)
    needs = frozenset().union(*(TERMS.get(name).needs for name in weights))
    parts = open_parts(session)
    encoder = session.open_encoder(*parts.each)
    if not isinstance(encoder, CheckpointEncoder):
        raise UsageError(f"{encoder.name} cannot be fine-tuned: its weights are in no checkpoint.")
    return _Tuning(session, recipe, weights, encoder, parts, needs)


def _lead(session: Session[FinetuneOptions]) -> FinetuneRun:
    options = session.options
    with tensorboard(options.tensorboard) as board:
        job = _prepared(session)
        facts = {"recipe": asdict(job.recipe), "manifest": job.parts.train.manifest.digest}
        with session.run_folder(job.parts.train.name, **facts) as folder:
            report = job.run(folder, board)
            folder.results = to_json(report)
            folder.part("losses.png").write_bytes(loss_png(report))
            folder.part("validation.png").write_bytes(validation_chart(report).to_png())
            if options.html:
                folder.write_text("report.html", render_page(report))
    logger.info(f"Checkpoint: --model {folder.path / MODEL}")
    done = sum(map(len, job.parts.each))
    return FinetuneRun(folder.path, done, len(session.failures), report, folder.path / MODEL)


@dataclass(frozen=True)
class _Tuning:
    """The steps of one run, and what they share."""

    session: Session[FinetuneOptions]
    recipe: Recipe
    weights: dict[str, float]
    """Of the terms of the loss."""
    encoder: CheckpointEncoder
    parts: Parts
    needs: frozenset[str]

    def run(self, folder: RunFolder, board: Board) -> TuningReport:
        """Train, choose, measure and save."""
        student = self._student()
        learnt, remark = self._learnt(student)
        remarks = [remark] if remark else []
        validation = self._probe(self.parts.validation, student)
        test = self._with_contests(self._probe(self.parts.test, student))
        check_room(folder.part(MODEL), state_size(student.towers.state_dict()))
        view = _View(student, self.bf16)
        state = self._state(learnt)
        with nullcontext() if state is None else held(state):
            before = test.measure(view.images, view.texts)
            base = {k: v.clone() for k, v in self.encoder.trainable().model.state_dict().items()}
            history, recipe = self._train(
                student,
                learnt,
                lambda: objective_of(
                    validation.measure(view.images, view.texts), self.recipe.objective
                ),
                board,
            )
            student.merged()
            with torch.no_grad():
                blender = Blender(student.towers, base)
                after = test.measure(view.images, view.texts) if blender.differs else before
                curve = blender.curve(lambda: validation.measure(view.images, view.texts))
                share = choose_share(curve, self.recipe)
                blender.put(share)
                ends = {0.0: before, 1.0: after}
                kept = ends.get(share) or test.measure(view.images, view.texts)
            self._save(student.encoder, folder, share)
        if len({one.item for one in test.contests}) > 1:
            remarks.append(f"{HARD[0].upper()}{HARD[1:]}: {text_only(test.contests).remark}")
        if history.stopped:
            remarks.insert(0, f"Training ended early: {history.stopped}.")
            logger.warning(remarks[0])
        return tuning_report(
            (before, after, kept),
            curve,
            share,
            history,
            recipe,
            self._context(),
            remarks,
            self.session.options.seed,
        )

    def follow(self) -> None:
        """Train with the first process, which alone measures and keeps anything."""
        student = self._student()
        learnt, _ = self._learnt(student)
        self._train(student, learnt, lambda: 0.0, lambda *_: None)

    def _student(self) -> Student:
        def frozen_texts(texts: Sequence[str], path: TextPath) -> Tensor:
            return embed_texts(texts, self.encoder, self.session.kept, path=path)

        return Student(
            self.encoder,
            self.recipe.trains,
            recompute=self.recipe.recompute,
            frozen_texts=frozen_texts,
            seed=self.session.options.seed,
        )

    @property
    def bf16(self) -> bool:
        """Whether the towers compute in bf16 while they are trained."""
        return self.encoder.precision == "bf16"

    def _learnt(self, student: Student) -> tuple[Material, str]:
        """What is trained on, without images that are also measured on."""
        train = self.parts.train
        leaks = [
            leak
            for part in (self.parts.validation, self.parts.test)
            for leak in find_leaks(train.manifest, part.manifest, cache=self.session.cache)
        ]
        remark = ""
        if leaks:
            remark = "Left out of training: " + leaks_said(
                leaks, train.manifest, self.parts.test.manifest
            )
            logger.warning(remark)
            out = {leak.row for leak in leaks}
            train = train.rows(np.array([r for r in range(len(train)) if r not in out], np.intp))
        found = gather(self.session, train, self.encoder, self.recipe, self.needs)
        if self.needs & {"views", "patches", "regions"}:  # the tower has to see the pixels anyway
            return found, remark
        return self._with_frozen(found, student), remark

    def _with_frozen(self, material: Material, student: Student) -> Material:
        """What a frozen image tower makes of unchanged images, from the cache."""
        if student.trains_images:
            return material
        progress = self.session.progress("Embedding images")
        seen = embedded(material.manifest, self.encoder, self.session.kept, progress)
        constants = {**material.examples.constants, "images": seen}
        return replace(material, examples=replace(material.examples, constants=constants))

    def _probe(self, data: Dataset, student: Student) -> Probe:
        found = gather(self.session, data, self.encoder, self.recipe, frozenset({"captions"}))
        found = self._with_frozen(found, student)
        return Probe(found.examples, (), self._class_weights(data), self.parts.unseen)

    def _with_contests(self, probe: Probe) -> Probe:
        """With contests of its captions, at most `MOST_CONTESTS` of them, drawn by the seed."""
        contests: list[Contest] = []
        with suppress(DataError):  # no caption states anything that could be changed
            contests = mined(self.session, probe.examples)
        order = np.random.default_rng(self.session.options.seed).permutation(len(contests))
        return replace(probe, contests=[contests[i] for i in np.sort(order[:MOST_CONTESTS])])

    def _class_weights(self, data: Dataset) -> Callable[[EncodeTexts], Tensor] | None:
        classes = data.manifest.classes
        if classes is None or not (data.manifest.labels >= 0).any():
            return None
        session, ensemble = self.session, self.session.ensemble()
        prompts = session.prompts(data.manifest)
        sentences: Sentences = ensemble.sentences(prompts, classes, session.options.seed)
        scale = self.encoder.logit_scale
        return lambda encode: ensemble.weights(encode(sentences.texts), sentences, None, scale)

    def _train(
        self, student: Student, learnt: Material, measure: Callable[[], float], board: Board
    ) -> tuple[History, Recipe]:
        """What was seen on the way, and the recipe with the learning rate that was used."""
        recipe = self.recipe
        sampling = Sampling.of(recipe, self.session.options.seed, self.needs)
        batches = Batches(learnt.examples, sampling)
        steps = recipe.steps_for(batches.per_epoch)

        def trial(rate: float, short: int) -> float:
            tried = replace(recipe, lr=rate, steps=short, checks=1)
            loop = self._loop(student, batches, tried, measure, None)
            start = loop.weights()
            history = loop.run()
            loop.put(start)
            return 0.0 if history.stopped else history.checks[-1][1]

        state = self._state(learnt)
        begun = None if state is None else load_state(state)
        rate = recipe.lr or (begun["lr"] if begun else 0.0)
        if not rate:
            rate = choose_rate(measure(), trial, steps, NAMES[recipe.objective])
        recipe = replace(recipe, lr=rate)
        progress = self.session.progress("Training")
        watcher = Watcher(steps, batches.size, NAMES[recipe.objective], progress, board)
        loop = self._loop(student, batches, recipe, watcher.watching(measure), state, watcher.step)
        started = time.monotonic()
        history = loop.run()
        trained = sum(w.numel() for w in loop.trained.values())
        logger.info(
            f"Trained {trained:,} weights for {history.checks[-1][0]:,} steps of {batches.size}"
            f" images in {time.monotonic() - started:.0f} s"
        )
        return history, recipe

    def _loop(
        self,
        student: Student,
        batches: Batches,
        recipe: Recipe,
        measure: Callable[[], float],
        state: Path | None,
        report: Callable[[int, dict[str, float]], None] | None = None,
    ) -> Loop:
        """A run of a recipe, with terms of its own."""
        task = Task.of(
            recipe, student, batches.examples, self._frozen_texts, self.session.options.seed
        )

        def validate() -> float:
            with torch.no_grad():
                return measure()

        return Loop(task, batches, recipe, validate, state=state, bf16=self.bf16, report=report)

    def _frozen_texts(self, texts: Sequence[str]) -> Tensor:
        return self.session.embed_texts(texts, "captions")

    def _state(self, learnt: Material) -> Path | None:
        """Where the run is kept while it goes on: by all that it depends on."""
        if not self.session.options.resume:
            return None
        facts = (
            self.encoder.fingerprint,
            learnt.manifest.digest,
            self.parts.validation.manifest.digest,
            asdict(self.recipe),
            self.session.options.seed,
        )
        name = blake2b(repr(facts).encode(), digest_size=16).hexdigest()
        return self.session.options.cache_dir / "training" / f"{name}.pt"

    def _save(self, encoder: CheckpointEncoder, folder: RunFolder, share: float) -> None:
        """The checkpoint, with where it comes from."""
        path = folder.part(MODEL)
        check_room(path, state_size(encoder.model.state_dict()))
        encoder.save(path)
        base = self.encoder
        entry = next((one for one in CATALOGUE if one.name == base.name), None)
        write_json(
            path / PROVENANCE,
            {
                "base": base.name,
                "base_fingerprint": base.fingerprint,
                "base_licence": entry.licence if entry else None,
                "data": self.parts.train.name,
                "data_digest": self.parts.train.manifest.digest,
                "recipe": {"name": self.recipe.name, **asdict(self.recipe)},
                "share_of_tuned_weights": share,
                "seed": self.session.options.seed,
                "clipfg": __version__,
            },
        )

    def _context(self) -> dict[str, str]:
        return {
            "data": self.parts.train.name,
            "model": self.encoder.name,
            "recipe": self.recipe.name,
        }


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

    def _autocast(self) -> torch.autocast:
        device = self.student.encoder.device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.bf16)
