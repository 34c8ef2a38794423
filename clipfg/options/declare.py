"""How an option is declared: once, as a field of a frozen dataclass.

Its flag, its environment variable, its key in a configuration file, its keyword argument in Python
and its entry in `config.json` all follow from that field. Nothing heavy is imported here, since
every `--help` reads these declarations.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from types import NoneType, UnionType
from typing import (
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

PANELS = (
    *("Query", "Learning", "Coreset", "Demonstrations", "Store"),
    *("Data", "Model", "Confidence", "Run", "Output"),
)
"""The panels of `--help`, in the order in which they are shown."""


class Option(NamedTuple):
    """What is known of one option of a command.

    `kind` is its type without None; `least` and `most` bound it. A `shared` option means the same
    to every command that has it, so that one environment variable serves all.
    """

    name: str
    kind: Any
    default: Any
    help: str
    flags: tuple[str, ...]
    metavar: str | None
    least: float | None
    most: float | None
    panel: str
    shared: bool

    @property
    def flag(self) -> str:
        """The flag by which messages call it."""
        return self.flags[0].partition("/")[0]

    @property
    def choices(self) -> tuple[str, ...]:
        """The values of a `Literal`; nothing for other types."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()


def option(
    default: Any,
    help: str,
    *short: str,
    flag: str | None = None,
    metavar: str | None = None,
    least: float | None = None,
    most: float | None = None,
    shared: bool = False,
) -> Any:
    """A field of an options class; `help` is one sentence.

    `short` are further flags, such as `-d`; `flag` is for one that is not the field's name with
    hyphens. `metavar` stands for the value in `--help`. `least` and `most` are both allowed.
    `shared` is for a shared option in a command that does not take its whole group.
    """
    words = {"help": help, "short": short, "flag": flag, "metavar": metavar}
    bounds = {"least": least, "most": most}
    return field(default=default, metadata={**words, **bounds, "shared": shared})


@dataclass(frozen=True, kw_only=True)
class Options:
    """The base of all options classes: `panel` and `shared` are of the fields a class adds.

    Of `alternatives` only what the strongest source names counts: `--dataset` on the command line
    puts aside a `store` of the configuration file.
    """

    alternatives: ClassVar[tuple[str, ...]] = ()
    command: ClassVar[str] = ""
    panel: ClassVar[str] = ""
    shared: ClassVar[bool] = False


Kind = TypeVar("Kind", bound=Options)

COMMANDS: dict[str, list[type[Options]]] = {}
"""The options classes of each command; `index` and others have one for each sub-command."""


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(option,))
def options(
    panel: str = "", *, command: str = "", shared: bool = False
) -> Callable[[type[Kind]], type[Kind]]:
    """Make a class one of options: a group (`shared`), or all options of a `command`.

    `panel` is where the fields that it adds stand in `--help`.
    """

    def decorate(kind: type[Kind]) -> type[Kind]:
        kind.panel, kind.shared, kind.command = panel, shared, command
        made: type[Kind] = dataclass(frozen=True, kw_only=True)(kind)
        if command:
            COMMANDS.setdefault(command, []).append(made)
        return made

    return decorate


def declared(kind: type[Options]) -> list[Option]:
    """Every option of an options class, in the order of `--help`."""
    hints = get_type_hints(kind)
    lineage = [c for c in kind.__mro__ if issubclass(c, Options)]
    found = []
    for own in fields(kind):
        origin = next(
            c for c in reversed(lineage) if own.name in vars(c).get("__annotations__", ())
        )
        words: dict[str, Any] = dict(own.metadata)
        short, flag = words.pop("short"), words.pop("flag")
        type_ = _without_none(hints[own.name])
        name = own.name.replace("_", "-")
        flag = flag or (f"--{name}/--no-{name}" if type_ is bool else f"--{name}")
        words |= {"panel": origin.panel, "shared": origin.shared or words["shared"]}
        one = Option(own.name, type_, own.default, flags=(flag, *short), **words)
        found.append((PANELS.index(one.panel), lineage.index(origin), one))
    return [one for *_, one in sorted(found, key=lambda entry: entry[:2])]


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (UnionType, Union):
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    return hint
