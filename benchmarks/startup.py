"""What a command costs before it does anything: wall and processor seconds of short cached runs.

    python benchmarks/startup.py                       this tree
    python benchmarks/startup.py --against PATH        and another, such as a checkout of before

The built-in model on drawn flowers; every command has run before, so that all embeddings are
cached. Commands take turns, those of both trees too, and run on one thread. The least of the rounds
is that which others on the machine disturbed least.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
MODEL = "builtin:florette"
HEAVY = (
    "torch",
    "transformers",
    "open_clip",
    "pandas",
    "scipy",
    "faiss",
    "PIL",
    "pyarrow",
    "numpy",
)
PARTS = {
    "python -c pass": "pass",
    "import typer, rich, numpy, pyarrow, PIL": "import typer, rich, numpy, pyarrow, PIL.Image",
    "import torch": "import torch",
}
WATCHED = """
import sys
from clipfg.cli.main import run
try:
    run(sys.argv[2:])
finally:
    loaded = [name for name in sys.argv[1].split(",") if name in sys.modules]
    print("loaded:", *loaded, file=sys.stderr)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, help="another checkout of clipfg")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    from benchmarks.embed import machine

    print(machine())
    trees = {"here": HERE.parent} | ({"against": chosen.against} if chosen.against else {})
    with TemporaryDirectory() as folder:
        prepare(Path(folder))
        jobs = commands(Path(folder))
        seen = {
            (name, tree): imported(Path(folder), path, jobs[name])
            for tree, path in trees.items()
            for name in jobs
            for _ in range(2)  # the first run fills the cache
        }
        seconds: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for _ in range(chosen.rounds):
            for name, code in PARTS.items():
                seconds.setdefault((name, "here"), []).append(
                    timed(Path(folder), trees["here"], ["-c", code])
                )
            for name, given in jobs.items():
                for tree, path in trees.items():
                    seconds.setdefault((name, tree), []).append(
                        timed(Path(folder), path, ["-m", "clipfg", *given])
                    )
    show(seconds, seen, chosen.rounds)


def prepare(folder: Path) -> None:
    """Photos, names of classes, a head and a store."""
    from clipfg.data import synthflora

    synthflora.export(folder / "photos", n=8, size=96)
    (folder / "names.txt").write_text("red rose\nwhite lily\nblue iris\nyellow daisy\n")
    for given in (
        ["fewshot", "synthflora", "--shots", "4", "--limit", "60", "--save", "head.safetensors"],
        ["index", "build", "photos", "--store", "store", "--model", MODEL],
    ):
        call(folder, HERE.parent, ["-m", "clipfg", *given, "-q"], check=True)


def commands(folder: Path) -> dict[str, list[str]]:
    """What is timed, by its name."""
    photo = str(
        next((folder / "photos").rglob("*.png"), None) or next((folder / "photos").rglob("*.jpg"))
    )
    model = ["--model", MODEL]
    return {
        "clipfg --version": ["--version"],
        "clipfg --help": ["--help"],
        "predict, one photo, names": [
            "predict",
            photo,
            "--classes",
            "names.txt",
            *model,
            "--output",
            "a",
        ],
        "predict, one photo, --head": [
            "predict",
            photo,
            "--head",
            "head.safetensors",
            "--output",
            "b",
        ],
        "retrieve, one text": ["retrieve", "red rose", "--store", "store"],
        "embed, 8 photos": ["embed", "photos", *model, "-o", "features.npz"],
        "zeroshot, 40 pictures": ["zeroshot", "synthflora", "--limit", "40", "--output", "c"],
    }


def call(folder: Path, tree: Path, arguments: list[str], *, check: bool = False) -> str:
    """One process, in the folder, with a cache for each tree; what it says on stderr."""
    cache = folder / f"cache-{tree.resolve().as_posix().replace('/', '-')}"
    own = {"PYTHONPATH": str(tree), "CLIPFG_CACHE_DIR": str(cache), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | own | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode:
        raise SystemExit(done.stderr)
    return done.stderr


def imported(folder: Path, tree: Path, given: list[str]) -> str:
    """Which heavy modules a command imports."""
    said = call(folder, tree, ["-c", WATCHED, ",".join(HEAVY), *given]).rpartition("loaded:")
    return ", ".join(said[2].split())


def timed(folder: Path, tree: Path, arguments: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of a process."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    call(folder, tree, arguments)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def show(
    seconds: dict[tuple[str, str], list[tuple[float, float]]],
    seen: dict[tuple[str, str], str],
    rounds: int,
) -> None:
    """The table in Markdown."""
    print(f"\nSeconds, median and least of {rounds} rounds in turns\n")
    print("| | tree | wall | least | processor | least | imports |")
    print("|---|---|--:|--:|--:|--:|---|")
    for (name, tree), runs in seconds.items():
        wall, own = ([run[part] for run in runs] for part in (0, 1))
        figures = (statistics.median(wall), min(wall), statistics.median(own), min(own))
        cells = " | ".join(f"{figure:.2f}" for figure in figures)
        print(f"| {name} | {tree} | {cells} | {seen.get((name, tree), '')} |")


if __name__ == "__main__":
    main()
