import pytest

from clipfg.icl.nearest import Nearest


@pytest.mark.parametrize("shots", [1, 4, 100])
def test_it_takes_the_largest_cosines(neighbours, shots) -> None:
    chosen = Nearest().choose(neighbours, shots).tolist()
    ranked = sorted(range(60), key=lambda i: -float(neighbours.similarities[i]))
    assert chosen == ranked[:shots]
