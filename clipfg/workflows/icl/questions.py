"""What a vision-language model is asked about one image."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float
from torch import Tensor

from clipfg.icl import PromptWording, Question, ask_choice, ask_name, in_order
from clipfg.icl.questions import draw_choices
from clipfg.icl.selection import Order
from clipfg.options import DemosOptions, IclOptions
from clipfg.workflows.icl.demonstrations import Demonstration, DemonstrationFinder


@dataclass(frozen=True)
class QuestionBuilder:
    """Makes the question about an image from its demonstrations."""

    finder: DemonstrationFinder
    wording: PromptWording
    order: Order
    seed: int

    @classmethod
    def of(cls, options: DemosOptions | IclOptions, finder: DemonstrationFinder) -> Self:
        """The builder of the options."""
        wording = PromptWording(options.instruction, options.question)
        return cls(finder, wording, options.order, options.seed)

    def ask(
        self,
        identity: str,
        uri: str,
        query: Float[Tensor, " d"],
        shown: Sequence[Demonstration],
        zero_shot: Float[Tensor, " c"],
        truth: int | None = None,
    ) -> Question:
        """The question about the image `identity` at `uri`.

        A multiple-choice question offers `truth` and others at random; where the truth is not
        known, the classes that zero-shot puts first. Randomness depends on seed and id alone.
        """
        examples = [(one.uri, one.label) for one in in_order(shown, self.order)]
        names, count = self.finder.classes.names, self.finder.plan.choices
        if count is None:
            candidates = self._candidates(query, zero_shot)
            return ask_name(examples, uri, names, candidates, self.wording)
        digest = hashlib.blake2b(identity.encode(errors="surrogatepass"), digest_size=8).digest()
        seed = [self.seed, int.from_bytes(digest)]
        if truth is None:
            best = zero_shot.topk(count).indices.tolist()
            choices = np.random.default_rng(seed).permutation(best).tolist()
        else:
            choices = draw_choices(truth, len(names), count, seed)
        return ask_choice(examples, uri, names, choices, self.wording, seed)

    def _candidates(self, query: Tensor, zero_shot: Tensor) -> list[int]:
        """In the order of the class list, which does not show what is likely."""
        candidates, classes = self.finder.plan.candidates, len(self.finder.classes)
        if candidates.by == "all":
            return list(range(classes))
        count = min(candidates.count, classes)
        if candidates.by == "zero-shot":
            return sorted(zero_shot.topk(count).indices.tolist())
        return sorted(self.finder.nearest_classes(query, count))
