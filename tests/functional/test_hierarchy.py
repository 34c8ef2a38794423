import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clipfg.functional.hierarchy import Tree

NAMES = ("rose", "bramble", "iris", "crocus", "fern")
LINEAGES = (("Rosa", "Rosaceae"), ("Rubus", "Rosaceae"), ("Iridaceae",), ("Iridaceae",), ())
TREE = Tree.of(NAMES, LINEAGES)


def rolled(probabilities: list[float], level: float) -> tuple[str | None, float]:
    (node,), (share,) = TREE.roll_up(np.array([probabilities]), level)
    return (TREE.nodes[node] if node >= 0 else None), round(float(share), 4)


def test_nodes_and_their_classes() -> None:
    assert TREE.nodes == (*NAMES, "Rosa", "Rosaceae", "Rubus", "Iridaceae")
    assert TREE.sizes.tolist() == [1, 1, 1, 1, 1, 1, 2, 1, 2]
    assert TREE.heights.tolist() == [0, 0, 0, 0, 0, 1, 2, 1, 1]


def test_an_answer_climbs_until_it_is_likely_enough() -> None:
    assert rolled([0.9, 0.1, 0, 0, 0], 0.8) == ("rose", 0.9)
    assert rolled([0.5, 0.4, 0.1, 0, 0], 0.8) == ("Rosaceae", 0.9)
    assert rolled([0.1, 0.1, 0.5, 0.3, 0], 0.8) == ("Iridaceae", 0.8)
    assert rolled([0.4, 0.0, 0.4, 0, 0.2], 0.8) == (None, 1.0)


def test_a_group_of_one_class_is_that_class() -> None:
    assert rolled([0.85, 0.15, 0, 0, 0], 0.8)[0] == "rose"


def test_at_a_low_level_the_likeliest_class_is_taken() -> None:
    assert rolled([0.3, 0.5, 0.2, 0, 0], 0.2) == ("bramble", 0.5)


def test_a_class_that_is_a_group_too_belongs_to_itself() -> None:
    tree = Tree.of(("bird", "wren"), ((), ("bird",)))
    assert tree.paths.tolist() == [[0, 2], [1, 2]]
    assert tree.shares(np.array([[0.25, 0.75]])).tolist() == [[0.25, 0.75, 1.0]]


def test_groups_alone() -> None:
    assert TREE.groups.nodes == ("Rosa", "Rosaceae", "Rubus", "Iridaceae")
    assert TREE.groups.sizes.tolist() == [1, 2, 1, 2]
    shares = TREE.shares(np.array([[0.1, 0.2, 0.3, 0.3, 0.1]]))
    np.testing.assert_allclose(
        TREE.groups.shares(np.array([[0.1, 0.2, 0.3, 0.3, 0.1]])), shares[:, 5:]
    )
    np.testing.assert_allclose(shares[0, 5:], [0.1, 0.3, 0.2, 0.6], atol=1e-6)


def lca_height(a: int, b: int) -> int:
    """The shared group nearest to either, by walking the lineages."""
    if a == b:
        return 0
    shared = [g for g in LINEAGES[a] if g in LINEAGES[b]]
    heights = {"Rosaceae": 2, "Iridaceae": 1}
    return heights[shared[0]] if shared else 3


def test_distances_are_heights_of_common_ancestors() -> None:
    pairs = [(a, b) for a in range(5) for b in range(5)]
    got = TREE.distances(*(np.array(side) for side in zip(*pairs, strict=True)))
    assert got.tolist() == [lca_height(a, b) for a, b in pairs]
    means = [sum(lca_height(a, b) for b in range(5)) / 4 for a in range(5)]
    np.testing.assert_allclose(TREE.mean_distances, means)


@given(st.integers(0, 10_000), st.floats(0.51, 0.99))
def test_above_one_half_the_narrowest_sure_node_is_unique(seed, level) -> None:
    p = np.random.default_rng(seed).dirichlet(0.5 * np.ones(5))
    got, share = rolled(p.tolist(), level)
    sure = {}
    for i, name in enumerate(TREE.nodes):
        total = sum(p[k] for k in range(5) if name in (NAMES[k], *LINEAGES[k]))
        if total >= level:
            sure[name] = int(TREE.sizes[i])
    assert got is None if not sure else sure[got] == min(sure.values())
    assert got is None or share >= level - 1e-4
