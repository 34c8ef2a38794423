"""The training loop: batches to gradients, on one process or several, stopped and resumed."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather, reduce
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from clipfg.errors import DataError
from clipfg.training.batches import Batch, Batches
from clipfg.training.recipes.base import Recipe
from clipfg.training.state import load_state, save_state
from clipfg.training.student import Embeddings
from clipfg.training.task import Task

FEW_TOKENS = 256
"""Tokens of an image up to which attention is written out on a CPU."""


@dataclass
class History:
    """What was seen on the way: losses by step, and the validation measure where it was taken."""

    losses: list[dict[str, float]] = field(default_factory=list)
    """Of every step: `loss`, each term, `lr` and `scale`."""
    checks: list[tuple[int, float]] = field(default_factory=list)
    """Steps done and what validation gave then; the first is of the base, after 0 steps."""
    stopped: str = ""
    """Why training ended early; empty where it did not."""


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
        Called after each step with its number and losses.

    The gradient of a batch does not depend on how it is cut into parts (`micro_batch`, processes):
    losses see the embeddings of all of it. With several parts these are computed twice, first
    without and then with gradients (Gao et al. 2021, arXiv 2101.06983), so that memory is bounded
    by the part. Raises `DataError` for a loss that is not finite; the state is that of the last
    check then.
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
        self.validate, self.path, self.bf16, self.report = validate, state, bf16, report
        self.processes = PartialState()
        self.steps = recipe.steps_for(batches.per_epoch)
        self.history = History()
        self.trained = task.trained()
        decayed = [w for w in self.trained.values() if w.ndim > 1]
        others = [w for w in self.trained.values() if w.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.lr, betas=(recipe.beta1, recipe.beta2))
        self.average = {name: w.detach().clone() for name, w in self.trained.items()}
        self.best = {name: w.detach().clone() for name, w in self.trained.items()}

    def run(self) -> History:
        """Train to the end, or until validation no longer improves."""
        first = self._resume()
        if not self.history.checks:
            self._check(0)
        for step in range(first, self.steps):
            losses = self._step(self.batches(step), step)
            self.history.losses.append(losses)
            if self.report is not None:
                self.report(step, losses)
            if self._is_check(step + 1):
                self._check(step + 1)
                if self.history.stopped:
                    break
        self._put(self.best)
        return self.history

    # One step

    def _step(self, batch: Batch, step: int) -> dict[str, float]:
        torch.manual_seed(self.batches.sampling.seed * 1_000_003 + step)
        rate = self.recipe.lr * schedule(step / self.steps, self.recipe.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        losses = {name: value.item() for name, value in self.backward(batch).items()}
        if not math.isfinite(losses["loss"]):
            raise DataError(
                f"The loss is {losses['loss']} at step {step + 1}; lower lr, for example --set"
                f" lr={self.recipe.lr / 10:g}. The weights of the last check are kept."
            )
        nn.utils.clip_grad_norm_(list(self.trained.values()), self.recipe.gradient_clip)
        self.optimiser.step()
        with torch.no_grad():
            scale = self.task.student.towers.logit_scale
            scale.clamp_(max=math.log(self.recipe.max_scale))  # type: ignore[operator]
            for name, weight in self.trained.items():
                self.average[name].lerp_(weight, 1 - self.recipe.ema)
        return {**losses, "lr": rate, "scale": self.task.student.scale.item()}

    def backward(self, batch: Batch) -> dict[str, Tensor]:
        """Gradients of the whole batch in every process, and its losses."""
        own, parts = self._parts(len(batch))
        if len(parts) == 1 and self.processes.num_processes == 1:
            with self._autocast():
                made = self.task.embed(batch)
            losses = self.task.losses(made, batch)
            losses["loss"].backward()
            return losses
        with torch.no_grad(), self._autocast():
            pieces = [self.task.embed(batch[part]) for part in parts]
        leaves = {k: self._gathered(torch.cat([piece[k] for piece in pieces])) for k in pieces[0]}
        losses = self.task.losses(leaves, batch)
        losses["loss"].backward()
        for weight in self.trained.values():  # the same in every process, and to be summed
            if weight.grad is not None:
                weight.grad /= self.processes.num_processes
        for part in parts:
            self._send_back(batch[part], {k: leaf.grad for k, leaf in leaves.items()}, part)
        if self.processes.num_processes > 1:
            for weight in self.trained.values():
                weight.grad = reduce(
                    torch.zeros_like(weight) if weight.grad is None else weight.grad, "sum"
                )
        return losses

    def _parts(self, size: int) -> tuple[slice, list[slice]]:
        """This process's part of a batch, and the smaller parts that it is computed in."""
        count, index = self.processes.num_processes, self.processes.process_index
        start, stop = size * index // count, size * (index + 1) // count
        most = self.recipe.micro_batch or size
        return slice(start, stop), [
            slice(low, min(low + most, stop)) for low in range(start, stop, most)
        ]

    def _gathered(self, rows: Tensor) -> Tensor:
        """The rows of all processes, as a leaf whose gradient is wanted."""
        whole = gather(rows) if self.processes.num_processes > 1 else rows
        return whole.detach().requires_grad_(whole.is_floating_point())

    def _send_back(self, batch: Batch, gradients: dict[str, Tensor | None], part: slice) -> None:
        with self._autocast():
            made: Embeddings = self.task.embed(batch)
        wanted = [
            (value, gradients[name])
            for name, value in made.items()
            if value.requires_grad and gradients[name] is not None
        ]
        if wanted:
            values, grads = zip(*wanted, strict=True)
            torch.autograd.backward(values, [grad[part].to(v) for grad, v in zip(grads, values)])

    @contextmanager
    def _autocast(self) -> Iterator[None]:
        device = self.processes.device.type
        # With few tokens, attention written out is faster on a CPU than the fused kernel: florette's
        # 65 take 0.7 s a step against 1.2 (benchmarks/train.py).
        few = device == "cpu" and self.task.student.tokens <= FEW_TOKENS
        kernel = sdpa_kernel(SDPBackend.MATH) if few else nullcontext()
        with kernel, torch.autocast(device, torch.bfloat16, enabled=self.bf16):
            yield

    # Validation and state

    def _is_check(self, done: int) -> bool:
        every = max(1, self.steps // self.recipe.checks)
        return done == self.steps or (done % every == 0 and self.steps - done >= every)

    def _check(self, done: int) -> None:
        """Measure, keep what is best so far, and write the state."""
        current = {name: w.detach().clone() for name, w in self.trained.items()}
        candidate = {name: w.clone() for name, w in self.average.items()}
        self._put(candidate)
        value = self.validate()
        self._put(current)
        before = max((seen for _, seen in self.history.checks), default=-math.inf)
        self.history.checks.append((done, value))
        if value > before:
            self.best = candidate
        top = max(range(len(self.history.checks)), key=lambda i: self.history.checks[i][1])
        if len(self.history.checks) - 1 - top >= self.recipe.patience and done < self.steps:
            self.history.stopped = f"validation did not improve in {self.recipe.patience} checks"
        if self.path is not None and self.processes.is_main_process:
            save_state(self.path, self._state(done))

    def _put(self, weights: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, weight in self.trained.items():
                weight.copy_(weights[name])

    def _state(self, done: int) -> dict[str, Any]:
        return {
            "done": done,
            "weights": {name: w.detach() for name, w in self.trained.items()},
            "buffers": dict(self.task.terms.named_buffers()),
            "average": self.average,
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "history": vars(self.history),
        }

    def _resume(self) -> int:
        """Go on from the state on disk, where there is one; the number of steps done."""
        kept = None if self.path is None else load_state(self.path)
        if kept is None:
            return 0
        self._put(kept["weights"])
        self.task.terms.load_state_dict(kept["buffers"], strict=False)
        self.average, self.best = kept["average"], kept["best"]
        self.optimiser.load_state_dict(kept["optimiser"])
        self.history = History(**kept["history"])
        return self.steps if self.history.stopped else int(kept["done"])


def schedule(done: float, warmup: float) -> float:
    """Learning rate factor after the share `done` of the steps: linear warm-up, then cosine."""
    if done < warmup:
        return (done + 1e-3) / (warmup + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))
