"""What a split by pictures claims, and what a split by plants shows: `python -m benchmarks.groups`.

synthflora-plants has four pictures of each plant. Few-shot heads on half of the pictures, and on
half of the plants; then one answer for each plant from all its pictures.
"""

import argparse
import tempfile
from pathlib import Path

import torch

import clipfg

DATA = "synthflora-plants"
HEADS = ("knn", "class-mean", "whitened-mean", "auto")


def main() -> None:
    parser = argparse.ArgumentParser(description="Inflation by pictures of one plant.")
    parser.add_argument("--heads", nargs="+", default=HEADS)
    parser.add_argument("--shots", default="8")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(
        f"{DATA}, {args.shots} shots, {args.seeds} draws; accuracy in %, 95% intervals over plants"
    )
    print("| head | by pictures | by plants | one answer for each plant | rule |")
    print("|---|--:|--:|--:|---|", flush=True)
    for head in args.heads:
        with tempfile.TemporaryDirectory() as folder:
            found = clipfg.fewshot(
                DATA,
                group_by="group",
                heads=head,
                shots=args.shots,
                seeds=args.seeds,
                output=Path(folder) / "run",
            ).curve.grouped
        assert found is not None
        figures = (found.by_pictures, found.by_groups, found.answers)
        cells = [
            f"{100 * e.value:.1f} ({100 * e.low:.1f} – {100 * e.high:.1f})" if e else ""
            for e in figures
        ]
        print(f"| {' | '.join((head, *cells, found.rule))} |", flush=True)


if __name__ == "__main__":
    main()
