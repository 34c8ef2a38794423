"""How long a million rows of annotations take to read, and how much memory.

    python -m benchmarks.annotations [--rows 1000000] [--a-picture 10] [--forms coco,csv]

Each form is written into a temporary folder beside its pictures, hard links to drawn JPEGs, and
read in a process of its own by `load_dataset`: the file parsed, every picture found by name, its
header opened, boxes placed and checked. `CPU` is what the process computed of the seconds, `most
memory` is its peak less what it has after importing clipfg.
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

from PIL import Image

WIDTH, HEIGHT, CLASSES = 640, 480, 100
LINKS = 10_000
"""Hard links to one file: file systems allow 65,000."""

Write = Callable[[Path, list[str], int], Path]


def boxes(a_picture: int) -> Iterator[tuple[int, list[int]]]:
    """A class, and a corner with width and height, for each box of a picture."""
    for k in range(a_picture):
        yield k % CLASSES, [10 + 5 * k % 400, 20 + 3 * k % 300, 100, 80]


def coco(folder: Path, names: list[str], a_picture: int) -> Path:
    path = folder / "coco.json"
    images = [
        {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT}
        for number, name in enumerate(names)
    ]
    with path.open("w") as file:
        file.write('{"images": ' + json.dumps(images) + ', "annotations": [')
        for number in range(len(names)):
            for k, (label, box) in enumerate(boxes(a_picture)):
                row = {"id": number * a_picture + k, "image_id": number, "category_id": label}
                file.write((",\n" if number or k else "") + json.dumps(row | {"bbox": box}))
        kinds = [{"id": label, "name": f"class {label}"} for label in range(CLASSES)]
        file.write('], "categories": ' + json.dumps(kinds) + "}")
    return path


def megadetector(folder: Path, names: list[str], a_picture: int) -> Path:
    path = folder / "md.json"
    with path.open("w") as file:
        file.write('{"detection_categories": {"1": "animal"}, "images": [')
        for number, name in enumerate(names):
            found = [
                {
                    "category": "1",
                    "conf": 0.9,
                    "bbox": [x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT],
                }
                for _, (x, y, w, h) in boxes(a_picture)
            ]
            row = json.dumps({"file": name, "detections": found})
            file.write((",\n" if number else "") + row)
        file.write("]}")
    return path


def csv(folder: Path, names: list[str], a_picture: int) -> Path:
    path = folder / "boxes.csv"
    with path.open("w") as file:
        file.write("filename,width,height,class,xmin,ymin,xmax,ymax\n")
        for name in names:
            for label, (x, y, w, h) in boxes(a_picture):
                cells = (name, WIDTH, HEIGHT, f"class {label}", x, y, x + w, y + h)
                file.write(",".join(map(str, cells)) + "\n")
    return path


FORMS: dict[str, Write] = {"coco": coco, "megadetector": megadetector, "csv": csv}


def draw(folder: Path, count: int) -> list[str]:
    """The names of `count` pictures below `folder`."""
    names = [f"{number // 1000:04d}/{number:07d}.jpg" for number in range(count)]
    drawn = Image.new("RGB", (WIDTH, HEIGHT), "green")
    for number, name in enumerate(names):
        path = folder / name
        if number % 1000 == 0:
            path.parent.mkdir()
        if number % LINKS == 0:
            drawn.save(first := path)
        else:
            os.link(first, path)
    return names


def measure(path: Path) -> None:
    """Read a file; print rows, seconds, those of the processor, and mebibytes."""
    from clipfg.data.loading import load_dataset

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, busy = time.perf_counter(), time.process_time()
    manifest = load_dataset(str(path))
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(len(manifest), seconds, busy, (most - before) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--a-picture", type=int, default=10)
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure)
        return
    print(
        f"{'form':14}{'rows':>11}{'file, MiB':>11}{'seconds':>9}{'CPU':>7}{'most memory, MiB':>18}"
    )
    with TemporaryDirectory() as place:
        names = draw(Path(place), given.rows // given.a_picture)
        for form in given.forms.split(","):
            path = FORMS[form](Path(place), names, given.a_picture)
            command = [sys.executable, "-m", "benchmarks.annotations", "--measure", str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows, seconds, busy, memory = map(float, done.stdout.split())
            size = path.stat().st_size / 2**20
            print(
                f"{form:14}{int(rows):11,}{size:11.0f}{seconds:9.1f}{busy:7.1f}{memory:18.0f}",
                flush=True,
            )
            path.unlink()


if __name__ == "__main__":
    main()
