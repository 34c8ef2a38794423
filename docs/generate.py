"""Write the pages and the images that come from the code.

`python -m docs.generate` writes the pages; `--check` fails when one is out of date; `--images`
draws the README's images again (it runs `clipfg zeroshot` on the built-in data).
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import typer

from clipfg.cli.main import make_app
from clipfg.encoders.catalogue import CATALOGUE
from clipfg.options import Option, Options, data, declared, groups
from clipfg.workflows.catalogue.datasets import dataset_notes, dataset_table

DOCS = Path(__file__).parent
SIDE, GAP = 200, 8  # pixels: of a flower in the README's strip, and between two

COMMAND_LINE = """# The command line

Written by `python -m docs.generate` from the program's own `--help`.

Results go to stdout, everything else to stderr. Exit codes: 0 done; 1 failed; 2 usage error; 3
done, some images skipped; 4 something needed is missing; 130 interrupted.

A run folder holds `config.json` (the resolved options), `results.json` (the figures),
`predictions.parquet` (a row per image), `failures.jsonl` (what was skipped, and why), `log.txt`
and, with `--html`, a page. Files get their names when the run is complete.

## Where a value comes from

From the flag, else the environment, else the `--config` file, else `clipfg.toml` in the working
folder, else `clipfg.toml` in the user's configuration folder, else it is the default. The shared
options below can be set for all commands at once (`CLIPFG_BATCH_SIZE=64`, or `batch_size = 64` at
the top of a file). Any option can be set for one command (`CLIPFG_SUGGEST_STRATEGY=margin`, or in a
table named after the command), which wins over the first:

    model = "open_clip:ViT-B-16-SigLIP/webli"
    [coreset]
    strategy = "discriminant"
    [suggest]
    strategy = "margin"

Every command also takes `--config FILE`, `--quiet` (`-q`), `--verbose` (`-v`) and `--help` (`-h`).

## Shared options
"""
COMMON = {"config", "quiet", "verbose", "help"}


def shared_options() -> dict[str, dict[str, Option]]:
    """Options that mean the same to several commands, by panel and name."""
    found: dict[str, dict[str, Option]] = {}
    for module in (data, groups):
        for group in vars(module).values():
            own = isinstance(group, type) and group.__module__ == module.__name__
            if own and issubclass(group, Options):
                for one in filter(lambda one: one.shared, declared(group)):
                    found.setdefault(one.panel, {})[one.name] = one
    return found


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every command below `command`, depth first, with its full name."""
    yield name, command
    for child, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, f"{name} {child}")


def command_line_page() -> str:
    """`docs/command-line.md`."""
    parts = [COMMAND_LINE]
    shared = shared_options()
    for panel, own in shared.items():
        rows = "".join(_row(", ".join(one.flags), one.help) for one in own.values())
        parts.append(f"\n### {panel}\n\n| option | meaning |\n|---|---|\n{rows}")
    parts.append("\n## Commands\n")
    for name, command in commands(typer.main.get_command(make_app()), "clipfg"):
        parts.append(f"\n### `{name}`\n\n{(command.help or '').strip()}\n")
        rows, used = _parameters(command, shared)
        if rows:
            parts.append(f"\n| option | meaning |\n|---|---|\n{''.join(rows)}")
        if used:
            parts.append(f"\nShared options: {'; '.join(used)}.\n")
    return "".join(parts)


def _parameters(command: Any, shared: dict[str, dict[str, Option]]) -> tuple[list[str], list[str]]:
    """Rows for what is a command's own, and which shared options it takes, by panel."""
    rows, used = [], dict[str, list[str]]()
    for parameter in command.params:
        if parameter.name in COMMON or parameter.name == "version":
            continue
        if parameter.param_type_name == "argument":
            rows.append(_row(parameter.metavar or parameter.name.upper(), parameter.help))
            continue
        same = [
            panel
            for panel, own in shared.items()
            if parameter.name in own and parameter.help.startswith(own[parameter.name].help[:-1])
        ]
        if same:
            used.setdefault(same[0], []).append(parameter.name)
        else:
            rows.append(
                _row(", ".join([*parameter.opts, *parameter.secondary_opts]), parameter.help)
            )
    lists = []
    for panel, names in used.items():
        whole = len(names) == len(shared[panel])
        flags = ", ".join(f"`{shared[panel][name].flag}`" for name in names)
        lists.append(f"all of {panel}" if whole else f"of {panel} {flags}")
    return rows, lists


def _row(names: str, meaning: str | None) -> str:
    return f"| `{names}` | {' '.join((meaning or '').split())} |\n"


def data_page() -> str:
    """`docs/data.md`, its two lists of data sets written from the catalogue."""
    page = filled(
        (DOCS / "data.md").read_text(encoding="utf-8"), "table of data sets", dataset_table()
    )
    return filled(page, "notes of data sets", dataset_notes())


def models_page() -> str:
    """`docs/models.md`, its tables of encoders written from the catalogue."""
    return filled(
        (DOCS / "models.md").read_text(encoding="utf-8"), "list of encoders", encoder_list()
    )


def filled(page: str, mark: str, content: str) -> str:
    """The page with new content between the comments that mark its begin and its end."""
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of the {mark.split()[0]} -->"
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.partition(end)[2]}"


def encoder_list() -> str:
    """The curated encoders in Markdown: what they cost, their accuracy, when to choose which."""
    cost = [  # float32 weights: four bytes per parameter
        (e.name, round(e.parameters), e.image_size, e.dim, round(4 * e.parameters), e.licence)
        for e in CATALOGUE
    ]
    accuracy = [
        (e.name, *e.accuracy, None if None in e.accuracy else fmean(filter(None, e.accuracy)))
        for e in CATALOGUE
        if any(e.accuracy) or not any(e.fgovd)
    ]
    regions = [(e.name, *e.fgovd) for e in CATALOGUE if None not in e.fgovd]
    notes = [f"- `{e.name.removeprefix('open_clip:')}`: {e.note}" for e in CATALOGUE]
    return "\n\n".join(
        [
            _table(("parameters, M", "input", "width", "download, MB", "licence"), cost),
            _table(("Flowers", "Pets", "Cars", "Aircraft", "Food", "mean"), accuracy),
            "FG-OVD, by difficulty, as the FG-CLIP authors give it (regions against phrases):",
            _table(("hard", "medium", "easy", "trivial"), regions),
            "\n".join(notes) + "\n",
        ]
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [f"| name | {' | '.join(heads)} |", "|---|" + "--:|" * len(heads)]
    for name, *cells in rows:
        shown = [f"{cell:.1f}" if isinstance(cell, float) else str(cell or "–") for cell in cells]
        lines.append(f"| `{name.removeprefix('open_clip:')}` | {' | '.join(shown)} |")
    return "\n".join(lines)


def pages() -> dict[Path, str]:
    """Every generated page: its path and what it should say."""
    return {
        DOCS / "command-line.md": command_line_page(),
        DOCS / "data.md": data_page(),
        DOCS / "models.md": models_page(),
    }


def draw_images(folder: Path) -> None:
    """`synthflora.jpg`, six drawn flowers, and `zeroshot.svg`, what the main job prints."""
    from PIL import Image
    from rich.console import Console

    from clipfg.api import zeroshot
    from clipfg.data import synthflora
    from clipfg.evaluation.terminal import render_terminal

    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        images = synthflora.export(Path(place) / "flowers", n=6, size=SIDE)
        strip = Image.new("RGB", (len(images) * (SIDE + GAP) - GAP, SIDE), "white")
        for column, path in enumerate(images):
            strip.paste(Image.open(path), (column * (SIDE + GAP), 0))
        strip.save(folder / "synthflora.jpg", quality=88)
        run = zeroshot("synthflora", output=Path(place) / "run", precision="fp32")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=88, file=nowhere)
        console.print(render_terminal(run.report, console.width))
    console.save_svg(
        str(folder / "zeroshot.svg"), title="clipfg zeroshot --dataset synthflora --precision fp32"
    )


def main() -> int:
    """Write the pages, or with `--check` name those that are out of date."""
    if "--images" in sys.argv:
        draw_images(DOCS / "images")
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
