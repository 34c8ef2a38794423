"""How fast images become features, against what people use today, and what binds it.

    python benchmarks/embed.py                     the comparison
    python benchmarks/embed.py --avx2              float32 and int8, all libraries held to AVX2
    python benchmarks/embed.py --sweep             threads against processes, torch's own threads
    python benchmarks/embed.py --cached 5000       a second run over images already embedded
    python benchmarks/embed.py --rows 100000       memory while many rows stream

ViT-B-32 with random weights (speed does not depend on them) on real JPEGs: the images of
`--images`, by default those of CUB-200-2011 beside the checkout. Each contender runs in a process
of its own, in turns; the median of the rounds counts. Loading a model is not timed, starting the
DataLoader's workers and writing the cache is. Processor seconds are those of all threads and
processes, and wait for nobody on a busy machine.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
IMAGES = HERE.parents[1] / "shared" / "data" / "CUB_200_2011" / "images"
SLOW = "transformers pipeline"
HOLD = HERE / "hold_to_avx2.c"
WITHOUT_BF16 = ["clipfg fp32", "clipfg int8", "open_clip loop"]
WITHOUT_BF16 += ["encode only fp32", "encode only int8"]
WITHOUT_BF16 += ["products only fp32", "products only int8"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, default=IMAGES, help="a folder of JPEGs")
    parser.add_argument("--limit", type=int, default=300, help="images embedded in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="names of contenders")
    parser.add_argument("--avx2", action="store_true", help="hold all libraries to AVX2")
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--cached", type=int, metavar="N")
    parser.add_argument("--rows", type=int, metavar="N")
    chosen = parser.parse_args()
    print(machine())
    with TemporaryDirectory() as folder:
        if chosen.cached or chosen.rows:
            from benchmarks import embed_scale

            if chosen.cached:
                embed_scale.cached(Path(folder), chosen.cached)
            if chosen.rows:
                embed_scale.stream(Path(folder), chosen.rows)
            return
        compare(Path(folder), chosen)


def machine() -> str:
    """What the figures belong to."""
    import torch

    from clipfg.encoders.precision import cpu_name

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    known = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
    sets = " ".join(flag for flag in known if flag in flags.split()) or "instruction sets unknown"
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{when}, {cpu_name()}, {cores} cores ({sets}), torch {torch.__version__},"
        f" Python {platform.python_version()}, load before {load:.1f}"
    )


def compare(folder: Path, chosen: argparse.Namespace) -> None:
    """Every contender in turn, `rounds` times, and the table."""
    from benchmarks.embed_contenders import CONTENDERS, SWEEP, make_model

    model = folder / "model"
    model.mkdir()
    make_model(model)
    images = sorted(chosen.images.rglob("*.jp*g"))[: chosen.limit] or drawings(folder)
    listing = folder / "images.txt"
    listing.write_text("\n".join(map(str, images)))
    bounds = hold_to_avx2(folder) if chosen.avx2 else {}
    known = WITHOUT_BF16 if chosen.avx2 else SWEEP if chosen.sweep else CONTENDERS
    names = chosen.only or list(known)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for turn in range(chosen.rounds):
        for name in names:
            if name == SLOW and turn:
                continue
            runs[name].append(run(name, model, listing, bounds))
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(f"{len(images)} images, median of {chosen.rounds} rounds in turns\n")
    show(runs)


def hold_to_avx2(folder: Path) -> dict[str, str]:
    """The environment that holds a program and its libraries to AVX2."""
    library = folder / "hold.so"
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, HOLD], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"Expected a C compiler called cc that can build {HOLD.name}: {error}")
    return {"LD_PRELOAD": str(library)}


def run(name: str, model: Path, listing: Path, bounds: dict[str, str]) -> dict[str, float]:
    """One contender in a process of its own."""
    done = subprocess.run(
        [sys.executable, HERE / "embed_contenders.py", name, model, listing],
        capture_output=True,
        text=True,
        env={**os.environ, **bounds, "PYTHONPATH": str(HERE.parent), "HF_HUB_OFFLINE": "1"},
    )
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def show(runs: dict[str, list[dict[str, float]]]) -> None:
    """The table, rates beside the open_clip loop's."""
    rates, costs = (
        {
            name: statistics.median(run["images"] / run[measure] for run in rounds)
            for name, rounds in runs.items()
        }
        for measure in ("seconds", "processor")
    )
    loop = "open_clip loop"
    width = max(map(len, rates))
    print(f"{'':{width}}  images/s  of open_clip's  a processor second  of its  peak MiB")
    for name in rates:
        peak = statistics.median(run["peak_mib"] for run in runs[name])
        ratios = [f"{of[name] / of[loop]:.2f} x" if loop in of else "" for of in (rates, costs)]
        print(
            f"{name:{width}}  {rates[name]:8.1f}  {ratios[0]:>13}  {costs[name]:18.1f}"
            f"  {ratios[1]:>6}  {peak:8.0f}"
        )


def drawings(folder: Path) -> list[Path]:
    """JPEGs of the built-in drawings, where there are no photographs."""
    from PIL import Image, ImageDraw

    print("No JPEGs there: drawn ones are used, 500 x 375 pixels as in CUB-200-2011.")
    paths = []
    for number in range(300):
        image = Image.new("RGB", (500, 375), (number % 256, 120, 90))
        pen = ImageDraw.Draw(image)
        for ring in range(40, 4, -2):
            box = (250 - 6 * ring, 180 - 4 * ring, 250 + 6 * ring, 180 + 4 * ring)
            pen.ellipse(box, fill=(ring * 6, number % 200, (ring * number) % 256))
        paths.append(folder / f"{number:03}.jpg")
        image.save(paths[-1], quality=92)
    return paths


if __name__ == "__main__":
    main()
