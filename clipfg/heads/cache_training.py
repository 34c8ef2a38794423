"""Training a cache of images on its own support: what `tip-adapter-f` and `ape-t` share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from clipfg.heads.support import Support
from clipfg.heads.text_floor import TextFloor


@dataclass(eq=False)
class TrainedCache(TextFloor):
    """Minimises cross-entropy on the support by AdamW, in batches; the last step is kept.

    `learning_rate` falls to 0 along a cosine. Epochs and batch size are those of both papers, but
    there are never more steps than `most_steps`. `seed` is that of the order of batches.
    """

    learning_rate: float = 1e-3
    epochs: int = 20
    batch_size: int = 256
    most_steps: int = 150
    seed: int = 0

    def minimise(
        self, parameters: Sequence[Tensor], support: Support, logits: Callable[[Tensor], Tensor]
    ) -> int:
        """Train `parameters` in place; `logits` maps positions in the support to `[b, c]`.

        Returns the number of steps.
        """
        optimiser = torch.optim.AdamW(parameters, lr=self.learning_rate, eps=1e-4)
        each = -(-len(support) // self.batch_size)
        steps = min(self.epochs * each, self.most_steps)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
        generator = torch.Generator().manual_seed(self.seed)
        for step in range(steps):
            if step % each == 0:
                order = torch.randperm(len(support), generator=generator).to(support.labels.device)
            start = (step % each) * self.batch_size
            rows = order[start : start + self.batch_size]
            optimiser.zero_grad()
            cross_entropy(logits(rows), support.labels[rows]).backward()
            optimiser.step()
            schedule.step()
        return steps
