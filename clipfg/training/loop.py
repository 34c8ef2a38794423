"""The training loop: steps, validation and what is kept; stopped in any way, it goes on."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast
from torch import Tensor, nn

from clipfg.training.batches import Batch, Batches
from clipfg.training.gradients import Gradients
from clipfg.training.recipes.base import Recipe
from clipfg.training.state import check_room, load_state, save_state, state_size
from clipfg.training.student import DENSE
from clipfg.training.task import Task

logger = logging.getLogger("clipfg")

POINTS = 1000
"""Points of a curve, at most; of a longer run each is the mean over several steps."""
SAVE_SECONDS = 60.0
"""Between two states on disk, where no check comes between; what a kill costs at most."""
SAVING_SHARE = 0.05
"""Share of the time that writing states may take; of large models they come less often."""


@dataclass
class History:
    """What was seen on the way: losses, and the validation measure where it was taken."""

    every: int = 1
    """Steps that a row of `losses` is the mean over."""
    losses: list[dict[str, float]] = field(default_factory=list)
    """`step`, `loss`, each term, `lr` and `scale`."""
    checks: list[tuple[int, float]] = field(default_factory=list)
    """Steps done and what validation gave then; the first is of the base, after 0 steps."""
    stopped: str = ""
    """Why training ended early; empty where it did not."""
    diverged: bool = False
    """Whether that was a loss that is not finite."""

    def add(self, step: int, losses: dict[str, float]) -> None:
        """Take in the losses of a step, numbered from 0."""
        row = {"step": step + 1.0, **losses}
        done = step % self.every
        if not done:
            self.losses.append(row)
        else:
            mean = self.losses[-1]
            for name, value in row.items():
                mean[name] += (value - mean[name]) / (done + 1)


class Loop:
    """One training run of a task; `run` returns its history and leaves the best weights in place.

    Parameters
    ----------
    validate
        Measures the task as it is, higher is better; it decides which weights are kept, and when
        to stop. The base counts as one candidate.
    state
        File in which the run is kept, and from which it goes on; None keeps nothing.
    bf16
        Whether the towers compute in bf16.
    report
        Called after each step with its number, from 0, and losses.

    A loss that is not finite ends training: `History.stopped` says so, and the best weights of the
    checks before are left in place. Raises `DataError` where the disk has no room for the state.
    """

    def __init__(
        self,
        task: Task,
        batches: Batches,
        recipe: Recipe,
        validate: Callable[[], float],
        *,
        state: Path | None = None,
        bf16: bool = False,
        report: Callable[[int, dict[str, float]], None] | None = None,
    ) -> None:
        self.task, self.batches, self.recipe = task, batches, recipe
        self.validate, self.path, self.report = validate, state, report
        task.to(next(task.student.parameters()).device)
        self.steps = recipe.steps_for(batches.per_epoch)
        self.history = History(every=math.ceil(self.steps / POINTS))
        self.trained = task.trained()
        self.gradients = Gradients(task, recipe.micro_batch, bf16=bf16)
        self.processes = self.gradients.processes
        self.optimiser = _optimiser(self.trained.values(), recipe)
        self.average = self.weights()
        self.best = self.weights()
        self._saved, self._cost = time.monotonic(), 0.0

    def run(self) -> History:
        """Train to the end, or until validation no longer improves."""
        if self.path is not None:
            check_room(self.path, 5 * state_size(self.trained))  # with both moments of AdamW
        first = self._resume()
        self.processes.wait_for_everyone()  # all have read the state before one writes it
        self._remember()
        if not self.history.checks:
            self._check(0)
            self._save(0)
        for step, batch in ahead(self._load, range(first, self.steps)):
            losses = self._step(batch, step)
            if not math.isfinite(losses["loss"]):
                self.history.diverged = True
                self.history.stopped = (
                    f"the loss was {losses['loss']} at step {step + 1}, and the weights are those"
                    f" of a check before; lower lr, for example --set lr={self.recipe.lr / 10:g}"
                )
                break
            self.history.add(step, losses)
            if self.report is not None:
                self.report(step, losses)
            if checked := self._is_check(step + 1):
                self._check(step + 1)
            if checked or time.monotonic() > self._saved + max(
                SAVE_SECONDS, self._cost / SAVING_SHARE
            ):
                self._save(step + 1)
            if self.history.stopped:
                break
        self.put(self.best)
        return self.history

    def _remember(self) -> None:
        """Let frozen blocks see each image and text once, where steps see them more often."""
        how, examples, needs = self.batches.sampling, self.batches.examples, self.task.needs
        seen = self.steps * self.batches.size
        pixels = examples.pixels.images
        mirrored = how.mirror or "mirrored" in needs
        constant = "images" in examples.constants and not needs & DENSE
        if constant or how.crop < 1 or seen * how.views <= (1 + mirrored) * len(pixels):
            pixels = pixels[:0]
        texts = examples.texts if seen > len(examples.texts) else ()
        with self.gradients.autocast():
            self.task.student.remember(pixels, texts, mirrored=mirrored)

    def _load(self, step: int) -> Batch:
        """The batch of a step, with the pixels of this process unless they are taken in parts."""
        batch = self.batches(step)
        return batch if self.recipe.micro_batch else batch.loaded(self.gradients.own(len(batch)))

    def _step(self, batch: Batch, step: int) -> dict[str, float]:
        torch.manual_seed(self.batches.sampling.seed * 1_000_003 + step)
        rate = self.recipe.lr * schedule(step / self.steps, self.recipe.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        losses = {name: value.item() for name, value in self.gradients(batch).items()}
        if math.isfinite(losses["loss"]):
            nn.utils.clip_grad_norm_(list(self.trained.values()), self.recipe.gradient_clip)
            self.optimiser.step()
            self._settle()
        return {**losses, "lr": rate, "scale": self.task.student.scale.item()}

    def _settle(self) -> None:
        """Bound the scale, and move the average of the weights."""
        with torch.no_grad():
            scale = self.task.student.towers.logit_scale
            scale.clamp_(max=math.log(self.recipe.max_scale))  # type: ignore[operator]
            for name, weight in self.trained.items():
                self.average[name].lerp_(weight, 1 - self.recipe.ema)

    # Validation

    def _is_check(self, done: int) -> bool:
        every = max(1, self.steps // self.recipe.checks)
        return done == self.steps or (done % every == 0 and self.steps - done >= every)

    def _check(self, done: int) -> None:
        """Measure the averaged weights, and keep what is best so far."""
        current, candidate = self.weights(), _copy(self.average)
        self.put(candidate)
        value = self._agreed(self.validate() if self.processes.is_main_process else 0.0)
        self.put(current)
        before = max((seen for _, seen in self.history.checks), default=-math.inf)
        self.history.checks.append((done, value))
        if value > before:
            self.best = candidate
        # The base does not count: a rate that is right in the end may make it worse at first.
        tuned = [seen for _, seen in self.history.checks[1:]]
        if tuned and done < self.steps:
            since = len(tuned) - 1 - tuned.index(max(tuned))
            if since >= self.recipe.patience:
                self.history.stopped = f"validation did not improve in {since} checks"

    def _agreed(self, value: float) -> float:
        """The first process's value."""
        if self.processes.num_processes == 1:
            return value
        sent: Tensor = broadcast(torch.tensor(value, device=self.gradients.device))
        return sent.item()

    # Weights and state

    def weights(self) -> dict[str, Tensor]:
        """A copy of those that are trained, by name."""
        return _copy(self.trained)

    def put(self, weights: dict[str, Tensor]) -> None:
        """Set those that are trained."""
        with torch.no_grad():
            for name, weight in self.trained.items():
                weight.copy_(weights[name])

    def _save(self, done: int) -> None:
        if self.path is None or not self.processes.is_main_process:
            return
        started = time.monotonic()
        state: dict[str, Any] = {
            "done": done,
            "lr": self.recipe.lr,
            "weights": {name: w.detach() for name, w in self.trained.items()},
            "buffers": dict(self.task.terms.named_buffers()),
            "average": self.average,
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "history": vars(self.history),
        }
        save_state(self.path, state)
        self._saved = time.monotonic()
        self._cost = self._saved - started

    def _resume(self) -> int:
        """Go on from the state on disk, where there is one; the number of steps done."""
        kept = None if self.path is None else load_state(self.path)
        if kept is None:
            return 0
        self.put(kept["weights"])
        with torch.no_grad():
            for name, buffer in self.task.terms.named_buffers():
                buffer.copy_(kept["buffers"][name])
        for own, name in ((self.average, "average"), (self.best, "best")):
            for weight, value in kept[name].items():
                own[weight].copy_(value)
        self.optimiser.load_state_dict(kept["optimiser"])
        self.history = History(**kept["history"])
        logger.info(f"Resumed at step {kept['done']:,} of {self.steps:,}")
        return self.steps if self.history.stopped else int(kept["done"])


def _copy(weights: dict[str, Any]) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in weights.items()}


def _optimiser(weights: Iterable[nn.Parameter], recipe: Recipe) -> torch.optim.AdamW:
    """Only matrices decay, not scales and offsets."""
    own = list(weights)
    groups = [
        {"params": [w for w in own if w.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [w for w in own if w.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(recipe.beta1, recipe.beta2))


def schedule(done: float, warmup: float) -> float:
    """Learning rate factor after the share `done` of the steps: linear warm-up, then cosine."""
    if done < warmup:
        return (done + 1e-3) / (warmup + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))


def ahead(load: Callable[[int], Batch], steps: Iterable[int]) -> Iterator[tuple[int, Batch]]:
    """Each step with its batch, of which the next is loaded in a thread meanwhile."""
    with ThreadPoolExecutor(1) as thread:
        ready: tuple[int, Future[Batch]] | None = None
        for step in steps:
            following = step, thread.submit(load, step)
            if ready is not None:
                yield ready[0], ready[1].result()
            ready = following
        if ready is not None:
            yield ready[0], ready[1].result()
