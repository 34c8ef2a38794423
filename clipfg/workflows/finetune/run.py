"""Fine-tune an encoder, keep what validation favours, and say what changed."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipfg import __version__
from clipfg.encoders.catalogue import CATALOGUE
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.encoders.model_files import write_json
from clipfg.errors import UsageError
from clipfg.evaluation.page import render_page
from clipfg.evaluation.serialization import to_json
from clipfg.evaluation.tuning.page import loss_png, validation_chart
from clipfg.evaluation.tuning.report import TuningReport
from clipfg.options import FinetuneOptions
from clipfg.prompting.rendering import Sentences
from clipfg.training.batches import Batches, Sampling
from clipfg.training.blending import Blender
from clipfg.training.leakage import find_leaks, leaks_said
from clipfg.training.loop import History, Loop
from clipfg.training.recipes import RECIPES, Recipe, load_recipe
from clipfg.training.state import check_room, state_size
from clipfg.training.student import Student
from clipfg.training.task import Task, parse_terms
from clipfg.training.terms import TERMS, Context
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.finetune.keeping import choose_share, tuning_report
from clipfg.workflows.finetune.learning import Material, gather
from clipfg.workflows.finetune.parts import Parts, open_parts
from clipfg.workflows.finetune.probe import EncodeTexts, Probe, objective_of
from clipfg.workflows.run_folder import Run, RunFolder
from clipfg.workflows.session import BUILTIN_DATA, Session

logger = logging.getLogger("clipfg")

MODEL = "model"
"""The checkpoint's folder in the run folder."""
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


def run_finetune(session: Session[FinetuneOptions]) -> FinetuneRun:
    """Train the encoder of `--model` on `--dataset` by a recipe, and measure what changed.

    What is kept is chosen on validation images between the base and the tuned weights; a run that
    makes them worse keeps the base. Raises `ClipfgError`s: an unknown recipe, data without what it
    needs, an encoder that cannot be trained, a loss that is not finite.
    """
    if session.options.dataset is None:
        logger.info(f"No --dataset is named: the built-in {BUILTIN_DATA} is used, and its model")
        session = session.another(replace(session.options, dataset=BUILTIN_DATA), session.stages)
    options, recipe = session.options, recipe_of(session.options)
    weights = parse_terms(recipe.losses)
    needs = frozenset().union(*(TERMS.get(name).needs for name in weights))
    parts = open_parts(session)
    encoder = session.open_encoder(*parts.each)
    if not isinstance(encoder, CheckpointEncoder):
        raise UsageError(f"{encoder.name} cannot be fine-tuned: its weights are in no checkpoint.")
    facts = {"recipe": asdict(recipe), "manifest": parts.train.manifest.digest}
    with session.run_folder(parts.train.name, **facts) as folder:
        job = _Tuning(session, recipe, encoder, parts, needs)
        report = job.run(weights, folder)
        folder.results = to_json(report)
        folder.part("losses.png").write_bytes(loss_png(report))
        folder.part("validation.png").write_bytes(validation_chart(report).to_png())
        if options.html:
            folder.write_text("report.html", render_page(report))
    logger.info(f"Checkpoint: --model {folder.path / MODEL}")
    done = sum(map(len, parts.each))
    return FinetuneRun(folder.path, done, len(session.failures), report, folder.path / MODEL)


@dataclass(frozen=True)
class _Tuning:
    """The steps of one run, and what they share."""

    session: Session[FinetuneOptions]
    recipe: Recipe
    encoder: CheckpointEncoder
    parts: Parts
    needs: frozenset[str]

    def run(self, weights: dict[str, float], folder: RunFolder) -> TuningReport:
        """Train, choose, measure and save."""
        remarks = []
        learnt, remark = self._learnt()
        remarks += [remark] if remark else []
        validation, test = (self._probe(part) for part in (self.parts.validation, self.parts.test))
        student = Student(self.encoder, self.recipe.trains)
        view = _View(student, self.bf16)
        before = test.measure(view.images, view.texts)
        base = {k: v.clone() for k, v in self.encoder.trainable().model.state_dict().items()}
        history = self._train(student, view, weights, learnt, validation)
        student.merged()
        with torch.no_grad():
            blender = Blender(student.towers, base)
            after = test.measure(view.images, view.texts)
            curve = blender.curve(lambda: validation.measure(view.images, view.texts))
            share = choose_share(curve, self.recipe)
            blender.put(share)
            kept = {0.0: before, 1.0: after}.get(share) or test.measure(view.images, view.texts)
        self._save(student.encoder, folder, share)
        remarks += [f"Training ended early: {history.stopped}"] if history.stopped else []
        measured = (before, after, kept)
        return tuning_report(
            measured,
            curve,
            share,
            history,
            self.recipe,
            self._context(),
            remarks,
            self.session.options.seed,
        )

    @property
    def bf16(self) -> bool:
        """Whether the towers compute in bf16 while they are trained."""
        return self.encoder.precision == "bf16"

    def _learnt(self) -> tuple[Material, str]:
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
        return gather(self.session, train, self.encoder, self.recipe, self.needs), remark

    def _probe(self, data: Dataset) -> Probe:
        found = gather(
            self.session, data, self.encoder, self.recipe, frozenset({"captions", "negatives"})
        )
        return Probe(found.examples, found.contests, self._class_weights(data), self.parts.unseen)

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
        self,
        student: Student,
        view: "_View",
        weights: dict[str, float],
        learnt: Material,
        validation: Probe,
    ) -> History:
        recipe, options = self.recipe, self.session.options
        context = Context(recipe, learnt.examples, self.encoder.dim, self._frozen_texts)
        torch.manual_seed(options.seed)
        terms = {name: (weight, TERMS.get(name)(context)) for name, weight in weights.items()}
        sampling = Sampling(
            batch_size=recipe.batch_size,
            seed=options.seed,
            views=recipe.views,
            mirror=recipe.mirror,
            crop=recipe.crop,
            regions=recipe.regions if self.needs & {"regions", "phrases"} else 0,
            negatives=recipe.negatives if "negatives" in self.needs else 0,
        )
        batches = Batches(learnt.examples, sampling)
        progress = self.session.progress("Training")

        def validate() -> float:
            with torch.no_grad():
                found = validation.measure(view.images, view.texts)
            return objective_of(found, recipe.objective)

        def report(step: int, _: dict[str, float]) -> None:
            if progress is not None:
                progress(step + 1, loop.steps)

        loop = Loop(
            Task(student, terms),
            batches,
            recipe,
            validate,
            state=self._state(learnt),
            bf16=self.bf16,
            report=report,
        )
        started = time.monotonic()
        history = loop.run()
        trained = sum(w.numel() for w in loop.trained.values())
        logger.info(
            f"Trained {trained:,} weights for {len(history.losses):,} steps of {batches.size}"
            f" images in {time.monotonic() - started:.0f} s"
        )
        return history

    def _frozen_texts(self, texts: Sequence[str]) -> Tensor:
        return self.session.embed_texts(texts, "captions")

    def _state(self, learnt: Material) -> Path | None:
        """Where the run is kept while it goes on: by all that it depends on."""
        if not self.session.options.resume:
            return None
        facts = (
            self.encoder.fingerprint,
            learnt.manifest.digest,
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
