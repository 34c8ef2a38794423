"""What a head of patch prototypes promises: `python -m benchmarks.prototype_guarantees`

Sets and errors on test images of drawn flowers (every fourth species), or with `--cub` of birds of
CUB-200-2011, by heads that are calibrated on folds of their support.
"""

import argparse
from pathlib import Path

import platformdirs
import torch

from benchmarks.bag_guarantees import cells, kept_promises
from benchmarks.prototypes import learnt_and_tested
from clipfg.confidence import Confidence
from clipfg.encoders import load_encoder
from clipfg.heads.patch_prototypes import PatchPrototypes, mean_patches
from clipfg.heads.support import Support
from clipfg.workflows.protocol.support_sets import Shots, draw_supports

TARGETS = (0.05, 0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cub", type=Path)
    parser.add_argument("--model", default="builtin:florette")
    parser.add_argument("--shots", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--every", type=int, default=4, help="use every N-th species of flowers")
    parser.add_argument("--cache-dir", type=Path, default=platformdirs.user_cache_dir("clipfg"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    encoder = load_encoder(given.model, precision="fp32", device="cpu")
    names, splits = learnt_and_tested(given, encoder)
    (_, learnt, known), (_, tested, labels) = splits
    draws = draw_supports(known.numpy(), tuple(range(given.seeds)))
    found = []
    for seed in range(given.seeds):
        rows = torch.from_numpy(draws.rows(seed, Shots(given.shots)))
        own = learnt[rows]
        head = PatchPrototypes(seed=seed).fit(own, known[rows])
        support = Support(mean_patches(own), known[rows], len(names), patches=own)
        confidence = Confidence.fit(head, support, seed=seed)
        found.append(kept_promises(confidence, head.logits(tested), labels, TARGETS))
    columns = [key for key in found[0] if not key.startswith("over")]
    print(f"| {' | '.join(columns)} |\n|{'--:|' * len(columns)}")
    print(f"| {' | '.join(cells(found, columns))} |")


if __name__ == "__main__":
    main()
