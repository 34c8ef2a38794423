"""Package statistics: files, lines, dependencies between packages, and the code a command executes.

    python -m docs.structure                          # this checkout
    python -m docs.structure ../old                   # another one
    python -m docs.structure --follow zeroshot --dataset synthflora --limit 8

A package is a folder of clipfg, or a file at its top. It depends on every other package that it
imports, wherever the import stands. An import cycle is a set of files each of which reaches all
others by imports, including those that run late or for type checkers only: whoever reads one has to
read them all. `--follow` runs a command and counts, by package, the files whose functions it enters
and the lines of those functions.
"""

import argparse
import ast
import contextlib
import io
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

PACKAGE = "clipfg"


def modules(root: Path) -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: Mapping[str, Path]) -> set[str]:
    """The modules of the package that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else node.module for name in whole]
        found |= {name for name in names if name in known}
    return found


def package_of(module: str, known: Mapping[str, Path]) -> str:
    """The folder that a module lies in, or the module itself at the top of clipfg."""
    is_package = known[module].name == "__init__.py"
    parts = module.split(".")
    inside = parts[1:] if is_package else parts[1:-1]
    return "/".join(inside) if inside else parts[-1]


def import_cycles(dependencies: Mapping[str, set[str]]) -> list[set[str]]:
    """Sets of modules that reach each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in dependencies[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            group = set(stack[at:])
            del stack[at:]
            if len(group) > 1:
                found.append(group)

    for node in dependencies:
        if node not in index:
            visit(node)
    return found


def listing(root: Path) -> Iterator[str]:
    """What `python -m docs.structure` prints."""
    known = modules(root)
    dependencies = {name: imports(path, known) - {name} for name, path in known.items()}
    # A package's own __init__ stands above what it hands on; that is no cycle to a reader.
    inner = {
        n: {o for o in own if known[o].name != "__init__.py"} for n, own in dependencies.items()
    }
    packages = {name: package_of(name, known) for name in known}
    lines = {
        name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in known.items()
    }
    between = {(packages[a], packages[b]) for a, own in dependencies.items() for b in own}
    between = {pair for pair in between if pair[0] != pair[1]}
    top = {(a.split("/")[0], b.split("/")[0]) for a, b in between}
    cycles = import_cycles(inner)
    files, sizes = Counter(packages.values()), Counter[str]()
    for name, count in lines.items():
        sizes[packages[name]] += count
    yield f"{'package':32} {'files':>5} {'lines':>6} {'out':>4} {'in':>4}"
    for each in sorted(files):
        out, into = (sum(pair[end] == each for pair in between) for end in (0, 1))
        yield f"{each:32} {files[each]:5} {sizes[each]:6} {out:4} {into:4}"
    yield (
        f"{len(known)} files in {len(files)} packages, {sum(lines.values()):,} lines,"
        f" {len(between)} dependencies between packages ({len({p for p in top if p[0] != p[1]})}"
        f" between the top ones), {len(cycles)} import cycles"
    )
    for group in cycles:
        yield f"import cycle: {', '.join(sorted(group))}"


def follow(root: Path, command: list[str]) -> Iterator[str]:
    """Files whose functions a command enters, and the lines of those functions, by top package."""
    sys.path.insert(0, str(root))
    entered: dict[str, set[CodeType]] = {}
    inside = str(root / PACKAGE)

    def enter(frame: FrameType, event: str, arg: Any) -> None:  # noqa: ARG001
        code = frame.f_code
        # Bodies of modules and classes run when they are imported; functions alone are optimised.
        if code.co_filename.startswith(inside) and code.co_flags & CO_OPTIMIZED:
            entered.setdefault(code.co_filename, set()).add(code)

    from clipfg.cli import main

    threading.settrace(enter)
    sys.settrace(enter)
    with contextlib.redirect_stdout(io.StringIO()):
        status = main.run(command)
    sys.settrace(None)
    rows: dict[str, list[int]] = {}
    for name, codes in entered.items():
        read = {line for code in codes for *_, line in code.co_lines() if line is not None}
        read |= {code.co_firstlineno for code in codes}
        parts = Path(name).relative_to(inside).parts
        row = rows.setdefault(parts[0].removesuffix(".py"), [0, 0])
        row[0] += 1
        row[1] += len(read)
    yield f"{'package':32} {'files':>5} {'lines':>6}"
    for each in sorted(rows):
        yield f"{each:32} {rows[each][0]:5} {rows[each][1]:6}"
    files, lines = (sum(row[i] for row in rows.values()) for i in (0, 1))
    yield f"{files} files entered, {lines:,} lines of code in the functions entered (exit {status})"


def main() -> None:
    """Print the listing, or the code that a command executes."""
    parser = argparse.ArgumentParser(description="Package statistics.")
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--follow", nargs=argparse.REMAINDER, help="a command of clipfg")
    given = parser.parse_args()
    root = given.root.resolve()
    for line in follow(root, given.follow) if given.follow else listing(root):
        print(line)


if __name__ == "__main__":
    main()
