"""Indexes on GPUs, if FAISS finds one."""

import logging
from collections.abc import Callable
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger("clipfg")

MOST_WIDTH = 2048
"""The most neighbours that FAISS finds on a GPU."""


def on_gpu(source: Callable[[], Any], keys: NDArray[np.float32]) -> Any | None:
    """A copy of an index on the GPU, or sharded over several, filled with the keys `[n, d]`.

    None without a GPU, and for an index that FAISS cannot move there; the CPU searches then.
    """
    try:
        count = faiss.get_num_gpus() if hasattr(faiss, "StandardGpuResources") else 0
        if count == 0:
            return None
        if count == 1:
            index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, source())
        else:
            options = faiss.GpuMultipleClonerOptions()
            options.shard = True
            index = faiss.index_cpu_to_all_gpus(source(), options)
        index.reset()
        index.add(keys)
    except RuntimeError as error:
        logger.info(f"The index stays on the CPU: {str(error).splitlines()[0]}")
        return None
    return index
