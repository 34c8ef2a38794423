"""How long readers take for a million rows, and how much memory: `python -m benchmarks.readers`.

Each reader runs in a process of its own; memory is the largest that the process had, less what it
had after its imports. Pictures are not there, as for a table that has come without them.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROWS = 1_000_000
CLASSES = 500


def write_csv(path: Path, rows: int) -> None:
    """Path, label and split, as most people have them."""
    with path.open("w", encoding="utf-8") as file:
        file.write("path,label,split\n")
        for i in range(rows):
            file.write(f"images/{i // 1000:04d}/{i:07d}.jpg,class {i % CLASSES},train\n")


def write_taxa_csv(path: Path, rows: int) -> None:
    """A wildlife export: ranks, epithets and common names."""
    with path.open("w", encoding="utf-8") as file:
        file.write("filename,class,order,family,genus,species,common_name\n")
        for i in range(rows):
            c = i % CLASSES
            taxon = f"Aves,Order {c % 20},Family {c % 100},Genus{c},epithet,Bird {c}"
            file.write(f"images/{i // 1000:04d}/{i:07d}.jpg,{taxon}\n")


def write_lines(path: Path, rows: int) -> None:
    """JSON lines with numbers as labels, and names beside."""
    names = {str(c): f"class {c}" for c in range(CLASSES)}
    (path.parent / "names.json").write_text(json.dumps(names), encoding="utf-8")
    with path.open("w", encoding="utf-8") as file:
        for i in range(rows):
            row = {"file_name": f"images/{i // 1000:04d}/{i:07d}.jpg", "label": i % CLASSES}
            file.write(json.dumps(row) + "\n")


FORMS: dict[str, tuple[str, Callable[[Path, int], None]]] = {
    "CSV": ("rows.csv", write_csv),
    "CSV of taxa": ("taxa.csv", write_taxa_csv),
    "JSON lines": ("rows.jsonl", write_lines),
}
"""Name to the file and what writes it."""


def measure(path: str, sender: "multiprocessing.connection.Connection") -> None:
    """Read a file, and send the rows, the classes, the seconds and the mebibytes."""
    from clipfg.data.loading import load_dataset

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    manifest = load_dataset(path)
    seconds = time.perf_counter() - started
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    classes = len(manifest.classes) if manifest.classes else 0
    sender.send((len(manifest), classes, seconds, memory))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    print("| form | MiB of file | rows | classes | seconds | MiB of memory |")
    print("|---|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for form, (name, write) in FORMS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            write(path, rows)
            size = path.stat().st_size / 2**20
            receiver, sender = context.Pipe()
            process = context.Process(target=measure, args=(str(path), sender))
            process.start()
            sender.close()
            read, classes, seconds, memory = receiver.recv()
            process.join()
            print(f"| {form} | {size:.0f} | {read:,} | {classes} | {seconds:.1f} | {memory:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
