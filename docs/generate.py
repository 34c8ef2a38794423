"""Write the pages that come from the code.

`python -m docs.generate` writes them; `--check` fails when one is out of date.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from clipfg.cli.main import app
from clipfg.workflows.datasets import dataset_notes, dataset_table

DOCS = Path(__file__).parent

COMMAND_LINE = """# The command line

Written by `python -m docs.generate` from the program's own `--help`.

Results go to stdout, all else to stderr. Exit codes: 0 done; 1 failed; 2 usage; 3 done, some items
skipped; 4 something needed is missing; 130 interrupted. A value comes from the flag, else from
`CLIPFG_*` (`CLIPFG_BATCH_SIZE=64`), else from the `--config` file, `clipfg.toml` in the working
folder, `clipfg.toml` in the user's configuration folder, else it is the default.

A run folder holds `config.json` (the options as resolved), `results.json` (the figures),
`predictions.parquet` (a row per picture), `failures.jsonl` (what was skipped, and why), `log.txt`
and, with `--html`, `report.html`. Files get their names when the run has come to its end.
"""


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every command below `command`, depth first, with its full name."""
    yield name, command
    for child, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, f"{name} {child}")


def command_line_page() -> str:
    """`docs/command-line.md`."""
    parts = [COMMAND_LINE]
    for name, command in commands(typer.main.get_command(app), "clipfg"):
        parts.append(f"\n## `{name}`\n\n{(command.help or '').strip()}\n")
        rows = list(_parameters(command))
        if rows:
            parts.append("\n| option | meaning |\n|---|---|\n" + "".join(rows))
    return "".join(parts)


def _parameters(command: Any) -> Iterator[str]:
    for parameter in command.params:
        if parameter.name == "help":
            continue
        if parameter.param_type_name == "argument":
            names = parameter.metavar or parameter.name.upper()
        else:
            names = ", ".join([*parameter.opts, *parameter.secondary_opts])
        yield f"| `{names}` | {' '.join((parameter.help or '').split())} |\n"


def data_page() -> str:
    """`docs/data.md`, its two lists of data sets written from the catalogue."""
    text = (DOCS / "data.md").read_text(encoding="utf-8")
    for mark, content in (("table", dataset_table()), ("notes", dataset_notes())):
        begin, end = f"<!-- {mark} of data sets -->\n", f"<!-- end of the {mark} -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{content}\n{end}{rest.partition(end)[2]}"
    return text


def pages() -> dict[Path, str]:
    """Every generated page: its path and what it should say."""
    return {DOCS / "command-line.md": command_line_page(), DOCS / "data.md": data_page()}


def main() -> int:
    """Write the pages, or with `--check` name those that are out of date."""
    stale = [
        path for path, text in pages().items() if not path.exists() or path.read_text() != text
    ]
    if "--check" in sys.argv:
        for path in stale:
            print(f"docs/{path.name} is out of date; run: python -m docs.generate")
        return 1 if stale else 0
    for path in stale:
        path.write_text(pages()[path], encoding="utf-8")
        print(f"Wrote docs/{path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
