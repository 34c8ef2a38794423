"""Which prompt sets a run is about: those named, or those of which one is to be chosen."""

from dataclasses import dataclass

from clipfg.errors import UsageError
from clipfg.options import ZeroshotOptions
from clipfg.prompting import PromptSet, load_prompts
from clipfg.prompting.loading import covering_descriptions
from clipfg.types import ClassList, Manifest

AUTO = "auto"


@dataclass(frozen=True)
class PromptChoice:
    """The prompt sets of a run, and whether one of them is to be chosen without labels."""

    sets: tuple[PromptSet, ...]
    auto: bool = False

    @property
    def name(self) -> str:
        """The sets by their names, as `--prompts` lists them."""
        return ("auto," if self.auto else "") + ",".join(each.name for each in self.sets)


def prompt_choice(options: ZeroshotOptions, manifest: Manifest, classes: ClassList) -> PromptChoice:
    """The sets of `--prompts`: one, several separated by commas, or `auto`.

    `auto` alone chooses among the set that suits the data, the same joined with every description
    file that knows all of its classes, `general` and `photo`; `auto,a,b` chooses among `a` and `b`.

    Raises `UsageError` for an unknown set, and one that is listed twice.
    """
    given = options.prompts or manifest.prompts
    names = [name.strip() for name in given.split(",") if name.strip()]
    auto = AUTO in names
    names = [name for name in names if name != AUTO]
    if auto and not names:
        own = manifest.prompts
        joined = [f"{own}+{name}" for name in covering_descriptions(classes.names)]
        names = list(dict.fromkeys([own, *joined, "general", "photo"]))
    if not names:
        raise UsageError(f"--prompts {given!r} names no prompt set; see `clipfg prompts list`.")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"Prompt set {twice!r} is listed twice.")
    return PromptChoice(tuple(map(load_prompts, names)), auto)
