"""Are features in int8 right on every processor?

    python benchmarks/int8_agreement.py [--model NAME]

The lowest cosine to float32 over drawn flowers, with weights of 7 bits (for x86 without VNNI) and
of 8, on this processor as it is and held to AVX2, where sums of products of bytes saturate.
"""

import argparse
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.embed import hold_to_avx2, machine

IMAGES = 16
SETS = {7: {"avx2"}, 8: {"avx2", "avx512_vnni"}}
"""Instruction sets for which weights of so many bits are made."""


def lowest_cosines(model: str) -> None:
    """Print a line for each number of bits."""
    from clipfg.data import synthflora
    from clipfg.embedding.pipeline import collect
    from clipfg.encoders import load_encoder, quantised

    flowers = synthflora.load().select("val")
    flowers = replace(flowers, table=flowers.table.slice(0, IMAGES))
    expected = collect(flowers, load_encoder(model, precision="fp32"), None).pooled
    for bits, sets in SETS.items():
        quantised.cpu_flags = lambda sets=sets: sets
        found = collect(flowers, load_encoder(model, precision="int8"), None).pooled
        cosine = np.einsum("nd,nd->n", found, expected).min()
        print(f"  weights of {bits} bits: {np.floor(cosine * 1e4) / 1e4:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="builtin:florette")
    parser.add_argument("--here", action="store_true", help="on this processor as it is alone")
    chosen = parser.parse_args()
    if chosen.here:
        lowest_cosines(chosen.model)
        return
    print(machine())
    with TemporaryDirectory() as folder:
        for name, bounds in {"as it is": {}, "AVX2": hold_to_avx2(Path(folder))}.items():
            print(f"{name}, lowest cosine to float32 of {IMAGES} images", flush=True)
            command = [sys.executable, __file__, "--here", "--model", chosen.model]
            subprocess.run(command, env={**os.environ, **bounds}, check=True)


if __name__ == "__main__":
    main()
