"""From an options class to a command: flags, sources, logging, and the job with its progress."""

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_origin

import typer

from clipfg.errors import UsageError
from clipfg.options import JobOptions, Option, Options, declared, resolve

if TYPE_CHECKING:
    from clipfg.workflows.session import Session

Job = TypeVar("Job", bound=JobOptions)
Done = TypeVar("Done")
Command = Callable[..., int | None]

CONFIG = typer.Option(
    "--config", metavar="FILE", help="TOML file with any of these options.", rich_help_panel="Run"
)
QUIET = typer.Option("--quiet", "-q", help="Only errors on stderr.", rich_help_panel="Output")
VERBOSE = typer.Option("--verbose", "-v", help="More detail on stderr.", rich_help_panel="Output")
POSITIONAL = {
    "dataset": typer.Argument(metavar="DATA", help="The same as --dataset.", show_default=False),
    "store": typer.Argument(metavar="DIR", help="The same as --store.", show_default=False),
}


def command(
    kind: type[Options], *, data: bool = False, store: bool = False
) -> Callable[[Command], Command]:
    """Make a function of `options`, and of arguments of its own, a command for typer.

    `data` and `store` let `--dataset` and `--store` be given by position too.
    """
    positional = [name for name, wanted in (("dataset", data), ("store", store)) if wanted]

    def decorate(run: Command) -> Command:
        own = dict(inspect.signature(run).parameters)
        own.pop("options")
        places = [_parameter(f"_{n}", Annotated[str | None, POSITIONAL[n]]) for n in positional]
        flags = [_parameter(one.name, _annotation(one)) for one in declared(kind)]
        common = [
            _parameter("config", Annotated[Path | None, CONFIG]),
            _parameter("quiet", Annotated[bool, QUIET], False),
            _parameter("verbose", Annotated[bool, VERBOSE], False),
        ]

        @wraps(run)
        def invoke(**given: Any) -> int | None:
            from clipfg.cli.console import set_up_logging

            set_up_logging(quiet=given.pop("quiet"), verbose=given.pop("verbose"))
            config = given.pop("config")
            arguments = {name: given.pop(name) for name in own}
            for name in positional:
                given[name] = _either(name, given.pop(f"_{name}"), given[name])
            return run(resolve(kind, given, config, flags=True), **arguments)

        signature = [*own.values(), *places, *flags, *common]
        signature = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in signature]
        invoke.__doc__ = _paragraphs(run.__doc__ or "")
        invoke.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
        invoke.__annotations__ = {each.name: each.annotation for each in signature}
        return invoke

    return decorate


def perform(work: "Callable[[Session[Job]], Done]", options: Job) -> Done:
    """Run a job with its session and progress bars."""
    from clipfg.cli.console import progress_bars
    from clipfg.workflows.session import Session

    _settle_pandas()
    with progress_bars() as progress, Session(options, progress) as session:
        return work(session)


class _NoPandas(MetaPathFinder):
    @classmethod
    def find_spec(cls, name: str, *_: Any) -> None:
        """Finds no module, and lets none be found that is called pandas."""
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def _settle_pandas() -> None:
    """Have pyarrow look for pandas now, and not find it.

    It looks once, at the first list that it is given, to know a Series from one: half a second,
    where pandas is installed, for what no job hands it. `to_pandas` finds it all the same.
    """
    import pyarrow as pa

    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(_NoPandas)


def _either(name: str, by_position: str | None, by_flag: Any) -> Any:
    if by_position is not None and by_flag is not None:
        raise UsageError(f"--{name} {by_flag} and {by_position!r} cannot be combined: give one.")
    return by_flag if by_position is None else by_position


def _parameter(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def _annotation(option: Option) -> Any:
    """The option for typer; its default is None, which tells an omission from a value."""
    # An empty text is no path, but `Path("")` is the working folder.
    kind: Any = str if option.choices or option.kind is Path else option.kind
    if get_origin(kind) is tuple:
        kind = list[str]
    how = typer.Option(
        *option.flags,
        metavar=option.metavar
        or "|".join(option.choices)
        or ("PATH" if option.kind is Path else None),
        help=_help(option),
        rich_help_panel=option.panel,
        show_default=False,
    )
    return Annotated[kind | None, how]


def _help(option: Option) -> str:
    """The sentence on an option, with its default where that is plain text or a number."""
    if not option.default or not isinstance(option.default, str | int | float):
        return option.help
    if isinstance(option.default, bool) or str(option.default) in option.help:
        return option.help
    return f"{option.help.removesuffix('.')} (default: {option.default})."


def _paragraphs(doc: str) -> str:
    """A docstring whose paragraphs are lines, for the terminal to wrap."""
    return "\n\n".join(" ".join(part.split()) for part in doc.split("\n\n"))
