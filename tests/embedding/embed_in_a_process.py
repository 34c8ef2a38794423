"""Embeds a folder into a cache, for tests that kill the process or run two of them.

Usage: embed_in_a_process.py IMAGES CACHE LOG DELAY OUTPUT
"""

import sys
from pathlib import Path

import numpy as np
import torch

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.pipeline import collect
from clipfg.types import Manifest
from tests.embedding.counting_encoder import CountingEncoder


def main(images: str, kept: str, log: str, delay: str, output: str) -> None:
    torch.set_num_threads(1)
    manifest = Manifest.build("images", {"uri": sorted(map(str, Path(images).iterdir()))})
    encoder = CountingEncoder(Path(log), "bf16", float(delay))
    print("ready", flush=True)
    with EmbeddingCache(kept) as cache:
        features = collect(manifest, encoder, cache, batch_size=8)
    np.save(output, features.pooled)


if __name__ == "__main__":
    main(*sys.argv[1:])
