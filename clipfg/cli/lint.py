"""`clipfg lint`: what is likely wrong with data."""

from clipfg.cli.command import command, perform
from clipfg.options import LintOptions

SHOWN = 5
"""Findings of a kind that a table shows; the run folder has them all."""


@command(LintOptions, data=True)
def lint(options: LintOptions) -> int:
    """Find duplicates, leaks between splits, wrong labels, outliers and problematic classes.

    Unreadable images, the same image in two splits or with two labels, and duplicate class names
    are errors; near-duplicates, suspicious labels, outliers and everything else are warnings. Exit
    code 1 when there are errors, 0 for warnings alone.
    """
    from clipfg.cli.output import chosen_format, finish, print_rows, say
    from clipfg.workflows.lint.findings import KINDS
    from clipfg.workflows.lint.run import run_lint

    form = chosen_format(options.format)
    run = perform(run_lint, options)
    rows = run.rows()
    if form != "table":
        print_rows(rows, form)
    elif rows:
        counts = [{"found": n, "what": KINDS[kind]} for kind, n in run.counts.items()]
        print_rows(counts, form, title=f"{run.done:,} images")
        for kind, count in run.counts.items():
            worst = [row for row in rows if row["kind"] == kind][:SHOWN]
            shown = [{key: row[key] for key in ("id", "other", "what")} for row in worst]
            more = f", the worst {SHOWN} of {count:,}" if count > SHOWN else ""
            print_rows(shown, form, title=f"\n{KINDS[kind].capitalize()}{more}")
    else:
        say("No problems found.")
    return finish(run)
