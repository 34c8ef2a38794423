"""How often 95 % intervals over few images hold the truth, in simulation.

    python -m benchmarks.intervals

A second classifier has right what the first has not in `gained` of all images, and the other way
round in `lost`. "Bootstrap" draws the images again; "t" is a paired t test. Both are what was used
before Tango's interval.
"""

import numpy as np
from scipy import stats

from clipfg.evaluation.statistics.intervals import percentile_interval, proportion
from clipfg.evaluation.statistics.paired import compare
from clipfg.evaluation.statistics.repeated import difference_over

DRAWS = 2_000


def paired(n: int, gained: float, lost: float) -> list[float]:
    """Coverage of the bootstrap, of t, of `compare` and of `difference_over`."""
    rng, held, truth = np.random.default_rng(0), np.zeros(4), gained - lost
    for _ in range(DRAWS):
        kind = rng.choice(3, n, p=[1 - gained - lost, gained, lost])
        first, second = kind == 2, kind == 1
        values = second.astype(float) - first
        draws = rng.choice(values, (500, n)).mean(axis=1)
        reach = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / n**0.5
        over = difference_over(first[None], second[None]).estimate
        own = compare(first, second).difference
        bounds = [
            percentile_interval(draws, float(values.mean())),
            (values.mean() - reach, values.mean() + reach),
            (own.low, own.high),
            (over.low, over.high),
        ]
        held += [low <= truth <= high for low, high in bounds]
    return (held / DRAWS).tolist()


def share(n: int, right: float) -> list[float]:
    """Coverage of the bootstrap and of `proportion`."""
    rng, held = np.random.default_rng(0), np.zeros(2)
    for count in rng.binomial(n, right, DRAWS).tolist():
        low, high = percentile_interval(rng.binomial(n, count / n, 500) / n, count / n)
        own = proportion(count, n)
        held += [low <= right <= high, own.low <= right <= own.high]
    return (held / DRAWS).tolist()


def main() -> None:
    print(
        f"{'paired difference':28}{'bootstrap':>12}{'t':>8}{'compare':>10}{'difference_over':>17}"
    )
    for n, gained, lost in (
        (30, 0.02, 0.01), (30, 0.05, 0.05), (100, 0.02, 0.01), (300, 0.1, 0.05)
    ):  # fmt: skip
        row = paired(n, gained, lost)
        name = f"{n} images, +{gained:.0%} -{lost:.0%}"
        print(f"{name:28}{row[0]:12.1%}{row[1]:8.1%}{row[2]:10.1%}{row[3]:17.1%}", flush=True)
    print(f"\n{'share':28}{'bootstrap':>12}{'proportion':>12}")
    for n, right in ((30, 0.97), (30, 0.9), (100, 0.98), (300, 0.7)):
        row = share(n, right)
        print(f"{f'{right:.0%} of {n} images':28}{row[0]:12.1%}{row[1]:12.1%}", flush=True)


if __name__ == "__main__":
    main()
