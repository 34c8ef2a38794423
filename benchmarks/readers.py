"""How long readers take for a million rows, and how much memory.

    python -m benchmarks.readers [--rows 1000000] [--a-picture 10] [--forms csv,coco]

Each form is written into a temporary folder and read in a process of its own by `load_dataset`:
tables of labels as if they had come without their pictures; annotations beside theirs, hard links
to one drawn JPEG, each found by name and its header opened, with `--a-picture` boxes. `CPU` is what
the process computed of the seconds, memory is its peak less what it has after its imports.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from PIL import Image

WIDTH, HEIGHT, CLASSES = 640, 480, 500
LINKS = 10_000
"""Hard links to one file: file systems allow 65,000."""


def name_of(number: int) -> str:
    """Pictures in folders of a thousand."""
    return f"images/{number // 1000:04d}/{number:07d}.jpg"


def csv(file: TextIO, rows: int) -> None:
    """Path, label and split, as most people have them."""
    file.write("path,label,split\n")
    for i in range(rows):
        file.write(f"{name_of(i)},class {i % CLASSES},train\n")


def taxa(file: TextIO, rows: int) -> None:
    """A wildlife export: ranks, epithets and common names."""
    file.write("filename,class,order,family,genus,species,common_name\n")
    for i in range(rows):
        c = i % CLASSES
        taxon = f"Aves,Order {c % 20},Family {c % 100},Genus{c},epithet,Bird {c}"
        file.write(f"{name_of(i)},{taxon}\n")


def lines(file: TextIO, rows: int) -> None:
    """JSON lines with numbers as labels, and names beside."""
    names = {str(c): f"class {c}" for c in range(CLASSES)}
    Path(file.name).with_name("names.json").write_text(json.dumps(names), encoding="utf-8")
    for i in range(rows):
        file.write(json.dumps({"file_name": name_of(i), "label": i % CLASSES}) + "\n")


def boxes(a_picture: int) -> Iterator[tuple[int, list[int]]]:
    """A class, and a corner with width and height, for each box of a picture."""
    for k in range(a_picture):
        yield k % 100, [10 + 5 * k % 400, 20 + 3 * k % 300, 100, 80]


def coco(file: TextIO, pictures: int, a_picture: int) -> None:
    images = [
        {"id": number, "file_name": name_of(number), "width": WIDTH, "height": HEIGHT}
        for number in range(pictures)
    ]
    file.write('{"images": ' + json.dumps(images) + ', "annotations": [')
    for number in range(pictures):
        for k, (label, box) in enumerate(boxes(a_picture)):
            row = {"id": number * a_picture + k, "image_id": number, "category_id": label}
            file.write((",\n" if number or k else "") + json.dumps(row | {"bbox": box}))
    kinds = [{"id": label, "name": f"class {label}"} for label in range(100)]
    file.write('], "categories": ' + json.dumps(kinds) + "}")


def megadetector(file: TextIO, pictures: int, a_picture: int) -> None:
    file.write('{"detection_categories": {"1": "animal"}, "images": [')
    for number in range(pictures):
        shares = (
            [x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT] for _, (x, y, w, h) in boxes(a_picture)
        )
        found = [{"category": "1", "conf": 0.9, "bbox": box} for box in shares]
        row = json.dumps({"file": name_of(number), "detections": found})
        file.write((",\n" if number else "") + row)
    file.write("]}")


def box_table(file: TextIO, pictures: int, a_picture: int) -> None:
    file.write("filename,width,height,class,xmin,ymin,xmax,ymax\n")
    for number in range(pictures):
        for label, (x, y, w, h) in boxes(a_picture):
            cells = (name_of(number), WIDTH, HEIGHT, f"class {label}", x, y, x + w, y + h)
            file.write(",".join(map(str, cells)) + "\n")


TABLES: dict[str, tuple[str, Callable[[TextIO, int], None]]] = {
    "csv": ("rows.csv", csv),
    "taxa": ("taxa.csv", taxa),
    "lines": ("rows.jsonl", lines),
}
"""By name, the file and what writes so many rows of labels."""
ANNOTATIONS: dict[str, tuple[str, Callable[[TextIO, int, int], None]]] = {
    "coco": ("coco.json", coco),
    "megadetector": ("md.json", megadetector),
    "boxes": ("boxes.csv", box_table),
}
"""By name, the file and what writes boxes of so many pictures, so many in each."""


def draw(folder: Path, count: int) -> None:
    """Pictures below `folder`."""
    drawn = Image.new("RGB", (WIDTH, HEIGHT), "green")
    for number in range(count):
        path = folder / name_of(number)
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        if number % LINKS == 0:
            drawn.save(first := path)
        else:
            os.link(first, path)


def measure(path: Path) -> None:
    """Read a file; print rows, classes, seconds, those of the processor, and mebibytes."""
    from clipfg.data.loading import load_dataset

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, busy = time.perf_counter(), time.process_time()
    manifest = load_dataset(str(path))
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    classes = len(manifest.classes) if manifest.classes else 0
    print(len(manifest), classes, seconds, busy, (most - before) / 1024)


def report(form: str, path: Path) -> None:
    """A row of the table."""
    command = [sys.executable, "-m", "benchmarks.readers", "--measure", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows, classes, seconds, busy, memory = map(float, done.stdout.split())
    size = path.stat().st_size / 2**20
    print(
        f"{form:14}{int(rows):11,}{int(classes):9}{size:11.0f}{seconds:9.1f}{busy:7.1f}"
        f"{memory:13.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--a-picture", type=int, default=10)
    parser.add_argument("--forms", default=",".join([*TABLES, *ANNOTATIONS]))
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure)
        return
    forms = given.forms.split(",")
    print(
        f"{'form':14}{'rows':>11}{'classes':>9}{'file, MiB':>11}{'seconds':>9}{'CPU':>7}"
        f"{'memory, MiB':>13}"
    )
    for form in (form for form in forms if form in TABLES):
        name, write = TABLES[form]
        with TemporaryDirectory() as folder:
            path = Path(folder) / name
            with path.open("w", encoding="utf-8") as file:
                write(file, given.rows)
            report(form, path)
    if annotated := [form for form in forms if form in ANNOTATIONS]:
        with TemporaryDirectory() as folder:
            pictures = given.rows // given.a_picture
            draw(Path(folder), pictures)
            for form in annotated:
                name, annotate = ANNOTATIONS[form]
                path = Path(folder) / name
                with path.open("w", encoding="utf-8") as file:
                    annotate(file, pictures, given.a_picture)
                report(form, path)
                path.unlink()


if __name__ == "__main__":
    main()
