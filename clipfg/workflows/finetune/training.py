"""The training of a run: the learning rate, the loop, and where its state is kept."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from hashlib import blake2b
from pathlib import Path

import torch
from torch import Tensor

from clipfg.training.batches import Batches, Sampling
from clipfg.training.loop import History, Loop
from clipfg.training.rates import choose_rate
from clipfg.training.recipes import Recipe
from clipfg.training.state import load_state
from clipfg.training.student import Student
from clipfg.training.task import Task
from clipfg.workflows.class_texts import session_texts
from clipfg.workflows.finetune.job import Job
from clipfg.workflows.finetune.keeping import NAMES
from clipfg.workflows.finetune.learning import Material
from clipfg.workflows.finetune.watching import Board, Watcher

logger = logging.getLogger("clipfg")

Report = Callable[[int, dict[str, float]], None]


def train(
    job: Job, student: Student, learnt: Material, measure: Callable[[], float], board: Board
) -> tuple[History, Recipe]:
    """Train a student to the end, or from where a run was stopped.

    `measure` is what validation gives for the student as it is. Returns what was seen on the way,
    and the recipe with the learning rate that was used.
    """
    recipe = job.recipe
    batches = Batches(learnt.examples, Sampling.of(recipe, job.seed, job.needs))
    steps = recipe.steps_for(batches.per_epoch)

    def loop_of(
        recipe: Recipe,
        measure: Callable[[], float],
        state: Path | None = None,
        report: Report | None = None,
    ) -> Loop:
        def frozen_texts(texts: Sequence[str]) -> Tensor:
            return torch.from_numpy(session_texts(job.session, texts, "captions"))

        task = Task.of(recipe, student, batches.examples, frozen_texts, job.seed)
        validate = torch.no_grad()(measure)
        return Loop(task, batches, recipe, validate, state=state, bf16=job.bf16, report=report)

    def trial(rate: float, short: int) -> tuple[float, float]:
        loop = loop_of(replace(recipe, lr=rate, steps=short, checks=1), measure)
        start = loop.weights()
        history = loop.run()
        loop.put(start)
        found = [value for _, value in history.checks]  # by the first process, for all
        return found[0], 0.0 if history.stopped else found[-1]

    state = state_of(job, learnt)
    begun = None if state is None else load_state(state)
    rate = recipe.lr or (begun["lr"] if begun else 0.0)
    recipe = replace(recipe, lr=rate or choose_rate(trial, steps, NAMES[recipe.objective]))
    progress = job.session.progress("Training")
    watcher = Watcher(steps, batches.size, NAMES[recipe.objective], progress, board)
    loop = loop_of(recipe, watcher.watching(measure), state, watcher.step)
    started = time.monotonic()
    history = loop.run()
    trained = sum(w.numel() for w in loop.trained.values())
    logger.info(
        f"Trained {trained:,} weights for {history.checks[-1][0]:,} steps of {batches.size}"
        f" images in {time.monotonic() - started:.0f} s"
    )
    return history, recipe


def state_of(job: Job, learnt: Material) -> Path | None:
    """Where the run is kept while it goes on: by all that it depends on; None with --no-resume."""
    if not job.session.options.resume:
        return None
    facts = (
        job.encoder.fingerprint,
        learnt.manifest.digest,
        job.parts.validation.manifest.digest,
        asdict(job.recipe),
        job.seed,
        job.framing,
    )
    name = blake2b(repr(facts).encode(), digest_size=16).hexdigest()
    return job.session.options.cache_dir / "training" / f"{name}.pt"
