import pytest

from clipfg.icl.per_class import PerClass


@pytest.mark.parametrize("shots", [1, 5, 7, 12, 60])
def test_no_class_is_shown_twice_before_every_class_was_shown(neighbours, shots) -> None:
    labels = neighbours.labels.tolist()
    queues: dict[int, list[int]] = {}
    for position, label in enumerate(labels):  # the nearest of each class first
        queues.setdefault(label, []).append(position)
    expected: list[int] = []
    while any(queues.values()):
        expected += sorted(queue.pop(0) for queue in queues.values() if queue)
    assert PerClass().choose(neighbours, shots).tolist() == expected[:shots]


def test_it_needs_every_key() -> None:
    assert PerClass().reach(4) is None
