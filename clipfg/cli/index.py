"""`clipfg index`: the key store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clipfg.cli import options

if TYPE_CHECKING:
    from clipfg.workflows.index.run import IndexRun

app = typer.Typer(help="The key store: embedded items, searched by cosine.", no_args_is_help=True)

DataName = Annotated[
    str, typer.Argument(metavar="DATA", help="A data name, a folder, a manifest or features:FILE.")
]
Prefix = Annotated[
    str,
    typer.Option(
        "--prefix",
        metavar="TEXT",
        help="Put before every id, where two folders use the same.",
        rich_help_panel=options.DATA,
    ),
]


@app.command("build")
def build(
    data: DataName,
    store: options.Store = None,
    factory: Annotated[
        str | None,
        typer.Option(
            "--factory",
            metavar="FAISS",
            help="How keys are searched: Flat (exact, the default), IVF1024,Flat, HNSW32, ...",
        ),
    ] = None,
    prefix: Prefix = "",
    data_root: options.DataRoot = None,
    split: options.Split = None,
    classes: options.Classes = None,
    limit: options.Limit = None,
    model: options.Model = None,
    device: options.Device = None,
    precision: options.Precision = None,
    batch_size: options.BatchSize = None,
    workers: options.Workers = None,
    seed: options.Seed = None,
    resume: options.Resume = None,
    offline: options.Offline = None,
    strict: options.Strict = None,
    cache_dir: options.CacheDir = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Make the store hold DATA and nothing else.

    All splits are taken unless one is named. A store of the same encoder is replaced in one step,
    and nothing is embedded twice. Images that fail are listed in failures.jsonl in the store.
    """
    given = dict(locals())
    given["dataset"] = given.pop("data")
    settings = options.resolve("index", given)

    from clipfg.cli.console import progress_bar
    from clipfg.workflows.index.run import run_build

    with progress_bar("Embedding") as progress:
        run = run_build(settings, factory=factory, prefix=prefix, progress=progress)
    return _say(run)


@app.command("add")
def add(
    data: DataName,
    store: options.Store = None,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Remove items of the same data that are no longer there."),
    ] = False,
    prefix: Prefix = "",
    data_root: options.DataRoot = None,
    split: options.Split = None,
    classes: options.Classes = None,
    limit: options.Limit = None,
    model: options.Model = None,
    device: options.Device = None,
    precision: options.Precision = None,
    batch_size: options.BatchSize = None,
    workers: options.Workers = None,
    resume: options.Resume = None,
    offline: options.Offline = None,
    strict: options.Strict = None,
    cache_dir: options.CacheDir = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Bring the store up to date with DATA: new items are added, changed ones updated.

    The encoder is the store's own unless --model names it again.
    """
    given = dict(locals())
    given["dataset"] = given.pop("data")
    settings = options.resolve("index", given)

    from clipfg.cli.console import progress_bar
    from clipfg.workflows.index.run import run_add

    with progress_bar("Embedding") as progress:
        run = run_add(settings, prune=prune, prefix=prefix, progress=progress)
    return _say(run)


@app.command("remove")
def remove(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Which items.")] = None,
    where: options.Where = None,
    store: options.Store = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Remove items by id, or all that meet a condition."""
    settings = options.resolve("index", dict(locals()))

    from clipfg.workflows.index.run import run_remove

    return _say(run_remove(settings, ids or [], where or []))


@app.command("info")
def info(
    store: options.Store = None,
    config: options.Config = None,
    format: options.Format = None,
) -> None:
    """What the store holds, by which encoder, and how it is searched."""
    from clipfg.cli.output import chosen_format, print_rows
    from clipfg.workflows.index.run import store_info

    settings = options.resolve("index", dict(locals()))
    facts, form = store_info(settings), chosen_format(settings.format)
    if form == "table":
        splits = ", ".join(f"{name} {count:,}" for name, count in facts["splits"].items())
        facts["splits"] = splits
        print_rows([{"what": name, "value": value} for name, value in facts.items()], form)
    else:
        print_rows([facts], form)


@app.command("verify")
def verify(
    store: options.Store = None,
    config: options.Config = None,
    format: options.Format = None,
) -> int:
    """Read every byte of the store and say what is wrong with it; exit code 1 if anything is."""
    from clipfg.cli.console import stderr
    from clipfg.cli.output import print_rows
    from clipfg.workflows.index.run import verify_store

    settings = options.resolve("index", dict(locals()))
    faults = verify_store(settings)
    if not faults:
        stderr().print(f"{settings.store}: all as it should be", soft_wrap=True)
        return 0
    print_rows([{"fault": fault} for fault in faults], settings.format)
    return 1


def _say(run: IndexRun) -> int:
    from clipfg.cli.console import stderr
    from clipfg.workflows.index.run import SHOWN

    counts = {
        "added": run.added,
        "updated": run.updated,
        "unchanged": run.unchanged,
        "removed": run.removed,
        "skipped": run.skipped,
    }
    done = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    say = stderr().print
    say(f"{run.path}: {run.rows:,} keys ({done or 'nothing changed'})", soft_wrap=True)
    if run.vanished:
        more = f" and {len(run.vanished) - SHOWN:,} more" if len(run.vanished) > SHOWN else ""
        say(
            f"No longer in the data, and still in the store: {', '.join(run.vanished[:SHOWN])}"
            f"{more}. Remove them with --prune.",
            soft_wrap=True,
        )
    return run.exit_code
