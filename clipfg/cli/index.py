"""`clipfg index`: the key store."""

from typing import TYPE_CHECKING, Annotated

import typer

from clipfg.cli.command import command, perform
from clipfg.cli.output import chosen_format, print_rows, say
from clipfg.options import IndexAddOptions, IndexBuildOptions, IndexRemoveOptions, IndexShowOptions

if TYPE_CHECKING:
    from clipfg.workflows.index.run import IndexRun

SHOWN = 10
"""How many ids that have vanished are named."""

app = typer.Typer(
    help="The key store: embedded images, searched by cosine similarity.", no_args_is_help=True
)


@command(IndexBuildOptions, data=True)
def build(options: IndexBuildOptions) -> int:
    """Build a store that holds DATA and nothing else.

    All splits are indexed unless one is named. A store of the same encoder is replaced in one step,
    and nothing is embedded twice. Images that fail are listed in failures.jsonl in the store.
    """
    from clipfg.workflows.index.run import run_build

    return _report(perform(run_build, options))


@command(IndexAddOptions, data=True)
def add(options: IndexAddOptions) -> int:
    """Update the store with DATA: new items are added, changed ones updated.

    The encoder is the store's own unless --model names it again.
    """
    from clipfg.workflows.index.run import run_add

    return _report(perform(run_add, options))


@command(IndexRemoveOptions)
def remove(
    options: IndexRemoveOptions,
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Items.")] = None,
) -> int:
    """Remove items by id, or all that meet a condition."""
    from clipfg.workflows.index.run import run_remove

    return _report(run_remove(options, ids or []))


@command(IndexShowOptions, store=True)
def info(options: IndexShowOptions) -> None:
    """Show what the store holds, by which encoder, and how it is searched."""
    from clipfg.workflows.index.store import store_info

    facts, form = store_info(options), chosen_format(options.format)
    if form == "table":
        facts["splits"] = ", ".join(f"{name} {n:,}" for name, n in facts["splits"].items())
        print_rows([{"what": name, "value": value} for name, value in facts.items()], form)
    else:
        print_rows([facts], form)


@command(IndexShowOptions, store=True)
def verify(options: IndexShowOptions) -> int:
    """Read every byte of the store and report what is wrong; exit code 1 if anything is."""
    from clipfg.workflows.index.store import store_path, verify_store

    faults = verify_store(options)
    if not faults:
        say(f"{store_path(options)}: no faults found")
        return 0
    print_rows([{"fault": fault} for fault in faults], options.format)
    return 1


for each in (build, add, remove, info, verify):
    app.command(each.__name__)(each)


def _report(run: "IndexRun") -> int:
    names = ("added", "updated", "unchanged", "removed", "skipped")
    done = ", ".join(f"{n:,} {name}" for name in names if (n := getattr(run, name)))
    say(f"{run.folder}: {run.keys:,} keys ({done or 'nothing changed'})")
    if run.vanished:
        more = f" and {len(run.vanished) - SHOWN:,} more" if len(run.vanished) > SHOWN else ""
        say(
            f"No longer in the data, but still in the store: {', '.join(run.vanished[:SHOWN])}"
            f"{more}. Remove them with --prune."
        )
    return run.exit_code
