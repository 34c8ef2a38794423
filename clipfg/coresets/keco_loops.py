"""KeCO's loops over single samples, as in the paper, compiled by numba.

Which key a sample moves depends on how the samples before it have moved the keys of its class, so
there is little to vectorise. For 4,000 samples on one core, NumPy takes 8 to 18 times as long and a
plain loop 50 to 80 times (`python -m benchmarks.keco`); all classes side by side, padded to equal
size, took 6 to 8 times as long. That is why numba is a dependency of the package.

All arrays are contiguous, `keys` `[m, d]` and `features` `[n, d]` of one floating type. The keys of
class `c` are those at `members[first[c] : first[c + 1]]`. `owners` `[n]` are the classes of the
samples, `draws` `[n]` numbers from 0 to below 1 for random targets; `rate` is from 0 to 1. Nothing
is checked here: `keco.LoopArrays` makes valid arguments.

Source: Chen et al. 2025, arXiv:2504.14200.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

LEAST, MOST, RANDOM, PROTOTYPE = range(4)  # in the order of `keco.Target`

_ROUNDING = 1e-5  # of cosines in float32
_SHORTEST = 1e-12  # a key without a direction is similar to nothing
_OPTIONS: dict[str, Any] = {
    "fastmath": {"reassoc", "contract"},  # sums in any order, which lets products vectorise
    "error_model": "numpy",
}


def _compiled(loop: Callable[..., None]) -> Callable[..., None]:
    """`loop`, compiled on its first call, and cached for other processes where possible."""
    try:
        machine_code = njit(loop, cache=True, **_OPTIONS)
    except RuntimeError:  # no folder for the cache
        machine_code = njit(loop, **_OPTIONS)

    def run(*arguments: Any) -> None:
        try:
            machine_code(*arguments)
        except OSError:  # a full disk: compiled, but not cached, and nothing has moved yet
            machine_code(*arguments)

    return run


@njit(**_OPTIONS)
def _dot(a: Array, b: Array) -> Any:
    total = a.dtype.type(0)
    for t in range(len(a)):
        total += a[t] * b[t]
    return total


@njit(**_OPTIONS)
def _norm(key: Array) -> Any:
    return max(np.sqrt(_dot(key, key)), key.dtype.type(_SHORTEST))


@njit(**_OPTIONS)
def _prototype(keys: Array, norms: Array, own: Array) -> int:
    mean, top = np.zeros(keys.shape[1], keys.dtype), -np.inf
    for j in own:
        for t in range(keys.shape[1]):
            mean[t] += keys[j, t] / norms[j]
    norm = _norm(mean)
    for j in own:
        top = max(top, _dot(keys[j], mean) / (norms[j] * norm))
    place = 0
    while _dot(keys[own[place]], mean) / (norms[own[place]] * norm) < top - _ROUNDING:
        place += 1
    return own[place]  # the first of equally similar ones: two keys are equally near to their mean


@njit(**_OPTIONS)
def _choose(keys: Array, norms: Array, own: Array, x: Array, draw: float, target: int) -> int:
    """The key that a sample moves, of its class's `own`; of equally similar ones the first."""
    if target == RANDOM:
        return own[int(draw * len(own))]
    if target == PROTOTYPE:
        return _prototype(keys, norms, own)
    best, top = own[0], -np.inf
    for j in own:
        similar = _dot(keys[j], x) / norms[j]
        if target == LEAST:
            similar = -similar
        if similar > top:
            best, top = j, similar
    return best


@_compiled
def move_online(
    keys: Array,
    members: Array,
    first: Array,
    features: Array,
    owners: Array,
    draws: Array,
    target: int,
    rate: float,
) -> None:
    """`k <- (1 - a) k + a x` for each sample `x` in turn, in place."""
    keep = keys.dtype.type(1) - rate
    norms = np.empty(len(keys), keys.dtype)
    for j in range(len(keys)):
        norms[j] = _norm(keys[j])
    for i in range(len(features)):
        own = members[first[owners[i]] : first[owners[i] + 1]]
        j = _choose(keys, norms, own, features[i], draws[i], target)
        for t in range(keys.shape[1]):
            keys[j, t] = keep * keys[j, t] + rate * features[i, t]
        norms[j] = _norm(keys[j])


@_compiled
def move_offline(
    keys: Array,
    members: Array,
    first: Array,
    features: Array,
    owners: Array,
    order: Array,
    batch_size: int,
    draws: Array,
    target: int,
    rate: float,
) -> None:
    """`k <- k - a mean(k - x)` batch by batch, `x` the samples whose target is `k`, in place.

    `order` `[n]` is of one pass, and `draws` follow it.
    """
    keep = keys.dtype.type(1) - rate
    norms = np.empty(len(keys), keys.dtype)
    sums, counts = np.zeros_like(keys), np.zeros(len(keys), np.int64)
    for j in range(len(keys)):
        norms[j] = _norm(keys[j])
    for begin in range(0, len(order), batch_size):
        for place in range(begin, min(begin + batch_size, len(order))):
            i = order[place]
            own = members[first[owners[i]] : first[owners[i] + 1]]
            j = _choose(keys, norms, own, features[i], draws[place], target)
            counts[j] += 1
            for t in range(keys.shape[1]):
                sums[j, t] += features[i, t]
        for j in range(len(keys)):
            if counts[j] == 0:
                continue
            step = rate / keys.dtype.type(counts[j])
            for t in range(keys.shape[1]):
                keys[j, t] = keep * keys[j, t] + step * sums[j, t]
                sums[j, t] = 0
            norms[j] = _norm(keys[j])
            counts[j] = 0
