"""The phrases that describe classes, and their features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from clipfg.prompting import PromptSet
from clipfg.types import ClassList

HOW = (
    "Name descriptions by --phrases (`clipfg prompts list`, or YAML with lines `part: phrase`"
    " for each class), or give the classes texts of their own in a CSV with a column `text`."
)
"""What to do where there are no phrases."""


@dataclass(frozen=True)
class Phrases:
    """Descriptions of classes, without their names: "bill long and hooked".

    A class's name in a phrase would be seen wherever the class is, so that phrases are embedded
    alone. `embed` makes unit-norm features of texts.
    """

    prompts: PromptSet
    classes: ClassList
    embed: Callable[[Sequence[str]], Float[Tensor, "t d"]]

    def of(self, name: str) -> tuple[str, ...]:
        """The phrases of a class."""
        return self.prompts.texts_of(name, self.classes.texts.get(name, ()))

    def apart(self, first: str, second: str) -> tuple[list[str], list[str]]:
        """The phrases of each of two classes, less those that both have."""
        both = self.of(first), self.of(second)
        shared = set(both[0]) & set(both[1])
        one, other = ([text for text in side if text not in shared] for side in both)
        return one, other

    def features(self, texts: Sequence[str]) -> Float[Tensor, "t d"]:
        """Unit-norm features of phrases."""
        return self.embed(texts)
