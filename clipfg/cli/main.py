"""The `clipfg` command: its sub-commands, and how errors leave it.

Exit codes: 0 done; 1 failed; 2 usage; 3 done, some items skipped; 4 something needed is missing;
130 interrupted. A command is imported when it is run, and torch and friends inside of commands.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from clipfg import __version__
from clipfg.cli.streams import open_streams
from clipfg.errors import ClipfgError
from clipfg.printable import printable_lines

COMMANDS = (
    *("zeroshot", "predict", "fewshot", "embed", "retrieve", "finetune", "bags", "explain"),
    *("demos", "icl", "lint", "suggest", "report", "coreset", "index", "models", "datasets"),
    *("prompts", "heads", "recipes", "coresets", "cache", "doctor"),
)
"""In the order of `--help`: modules with a function of their name, or an `app` of several."""


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"clipfg {__version__}")
        raise typer.Exit


def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Fine-grained image recognition with CLIP-like encoders.

    Images are embedded once; every command works on the cached embeddings.
    """


def make_app(*names: str) -> typer.Typer:
    """The commands of these names, or all of them."""
    made = typer.Typer(
        name="clipfg",
        help="Fine-grained image recognition with CLIP-like encoders.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="First steps: clipfg zeroshot --dataset synthflora. Trouble: clipfg doctor.",
    )
    made.callback()(root)
    for name in names or COMMANDS:
        module = import_module(f"clipfg.cli.{name}")
        if hasattr(module, "app"):
            made.add_typer(module.app, name=name)
        else:
            made.command()(getattr(module, name))
    return made


def main(arguments: list[str] | None = None) -> None:
    """Run a command line and leave with its exit code."""
    code = run(arguments)
    gc.freeze()  # a search for cycles in all that was imported takes a tenth of a second
    sys.exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run a command line and return its exit code; no exception comes out."""
    open_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = typer.main.get_command(make_app(*(name for name in given[:1] if name in COMMANDS)))
    try:
        # Entered by hand: `app()` would turn interrupts and broken pipes into exits of its own.
        with command.make_context("clipfg", given) as context:
            result = command.invoke(context)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except typer.Exit as leave:
        return leave.exit_code
    except typer.Abort:
        _say("Cancelled; nothing was changed.")
        return 1
    except KeyboardInterrupt:
        afresh = " without --no-resume" if "--no-resume" in given else ""
        _say(f"Interrupted. Finished work is kept: run the same command again{afresh} to resume.")
        return 130
    except typer.TyperException as error:
        if hasattr(error, "show"):
            error.show()
        else:
            _say(f"Error: {error.format_message()}")
        return error.exit_code
    except ClipfgError as error:
        _say(f"Error: {error}")
        return error.exit_code
    except BrokenPipeError:
        # The reader of a pipe has left (`| head`); keep Python from complaining at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        _say(f"Error: {error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
        return 1
    except Exception as error:
        _say(f"Error: an unexpected {type(error).__name__}: {error}. {_keep_trace()}")
        return 1


def _say(message: str) -> None:
    with contextlib.suppress(OSError):
        print(printable_lines(message), file=sys.stderr)


def _keep_trace() -> str:
    """Write the traceback where it can be sent from, rather than at the user."""
    logging.getLogger("clipfg").debug("The trace:", exc_info=True)
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="clipfg-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            traceback.print_exc(file=file)
    except OSError:
        return "This is a bug in clipfg; please report it."
    return f"This is a bug in clipfg; please report it with {Path(file.name)}."
