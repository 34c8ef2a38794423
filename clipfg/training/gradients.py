"""Gradients of a whole batch, on one process or several, in the memory of a part of it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from accelerate import PartialState
from accelerate.utils import gather, reduce
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import pad

from clipfg.errors import UsageError
from clipfg.training.batches import Batch
from clipfg.training.student import Embeddings
from clipfg.training.task import Task

FEW_TOKENS = 100
"""Patches of an image up to which attention is written out on a CPU: 1.6 times as fast for
florette's 64, the same for the 49 of ViT-B-32, slower for the 196 of ViT-B-16
(`benchmarks/train.py --attention`)."""


class Gradients:
    """Adds the gradients of a batch to the weights of a task, and gives the batch's losses.

    They do not depend on how the batch is cut: losses see the embeddings of all of it. Where it is
    cut, into parts of `micro_batch` items (0 for one part) or over processes, embeddings are
    computed twice, first without and then with gradients (Gao et al. 2021, arXiv 2101.06983), so
    that memory is bounded by the part. Every process ends with the same gradients.
    """

    def __init__(self, task: Task, micro_batch: int = 0, *, bf16: bool = False) -> None:
        self.task, self.micro_batch, self.bf16 = task, micro_batch, bf16
        self.weights = list(task.trained().values())
        self.device = next(task.student.parameters()).device
        self.processes = PartialState(cpu=self.device.type == "cpu")
        self.index, self.count = self.processes.process_index, self.processes.num_processes

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """The losses, each by its name and their sum as `loss`.

        Raises `UsageError` for fewer items than processes.
        """
        with self._kernel():  # backward too: what is recomputed there has to be the same
            if self.count > 1 or 0 < self.micro_batch < len(batch):
                return self._in_parts(batch)
            return self._at_once(batch)

    def _at_once(self, batch: Batch) -> dict[str, Tensor]:
        losses = self.task.losses(self._embed(batch), batch)
        losses["loss"].backward()
        return losses

    def _in_parts(self, batch: Batch) -> dict[str, Tensor]:
        constants = {k: v.to(self.device) for k, v in batch.constants().items()}
        parts = list(self._parts(len(batch)))
        with torch.no_grad():
            pieces = [self._embed(batch[part]) for part in parts]
        leaves = {
            name: self._gathered(torch.cat([piece[name] for piece in pieces]), len(batch))
            for name in pieces[0]
            if name not in constants
        }
        losses = self.task.losses(constants | leaves, batch)
        losses["loss"].backward()
        for weight in self.weights:  # the same in every process so far, and summed below
            if weight.grad is not None:
                weight.grad /= self.count
        gradients = {k: leaf.grad for k, leaf in leaves.items() if leaf.grad is not None}
        for part in parts:
            made = self._embed(batch[part])
            wanted = [name for name in gradients if made[name].requires_grad]
            if wanted:
                torch.autograd.backward(
                    [made[name] for name in wanted],
                    [gradients[name][part].to(made[name]) for name in wanted],
                )
        self._sum_over_processes()
        return losses

    def _embed(self, batch: Batch) -> Embeddings:
        with self.autocast():
            return self.task.embed(batch)

    def autocast(self) -> torch.autocast:
        """The format in which the towers compute."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def own(self, size: int, index: int | None = None) -> slice:
        """The items of a batch that this process computes."""
        index = self.index if index is None else index
        return slice(size * index // self.count, size * (index + 1) // self.count)

    def _parts(self, size: int) -> Iterator[slice]:
        if size < self.count:
            raise UsageError(
                f"Expected at least as many images in a batch as processes, got {size} and"
                f" {self.count}; lower --processes."
            )
        own = self.own(size)
        step = self.micro_batch or size
        for low in range(own.start, own.stop, step):
            yield slice(low, min(low + step, own.stop))

    def _gathered(self, rows: Tensor, size: int) -> Tensor:
        """The rows of all processes, as a leaf whose gradient is wanted."""
        if self.count > 1:
            most = -(-size // self.count)
            filled = pad(rows, (0, 0) * (rows.ndim - 1) + (0, most - len(rows)))
            shares = gather(filled.contiguous()).split(most)
            counts = [self.own(size, index) for index in range(self.count)]
            pairs = zip(shares, counts, strict=True)
            rows = torch.cat([share[: own.stop - own.start] for share, own in pairs])
        return rows.detach().requires_grad_(rows.is_floating_point())

    def _sum_over_processes(self) -> None:
        if self.count == 1:
            return
        grads = [torch.zeros_like(w) if w.grad is None else w.grad for w in self.weights]
        whole = reduce(torch.cat([grad.flatten() for grad in grads]), "sum")
        pieces = whole.split([weight.numel() for weight in self.weights])
        for weight, piece in zip(self.weights, pieces, strict=True):
            weight.grad = piece.view_as(weight)

    def _kernel(self) -> AbstractContextManager[None]:
        few = self.device.type == "cpu" and 0 < self.task.student.tokens <= FEW_TOKENS
        return sdpa_kernel(SDPBackend.MATH) if few else nullcontext()
