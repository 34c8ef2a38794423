from dataclasses import replace

import pytest

from clipfg.errors import UsageError
from clipfg.icl.image_then_text import ImageThenText


def test_the_shortlist_is_by_image_and_its_order_by_text(neighbours) -> None:
    texts = neighbours.text_similarities.tolist()
    shortlist = sorted(range(12), key=lambda i: (-texts[i], i))  # one class: the nearer first
    assert ImageThenText(breadth=4).choose(neighbours, 3).tolist() == shortlist[:3]


def test_a_shortlist_of_as_many_as_shots_is_nearest_reordered(neighbours) -> None:
    assert sorted(ImageThenText(breadth=1).choose(neighbours, 5).tolist()) == [0, 1, 2, 3, 4]


def test_without_texts_it_suggests_another_strategy(neighbours) -> None:
    with pytest.raises(UsageError, match="--strategy nearest"):
        ImageThenText().choose(replace(neighbours, text_similarities=None), 2)
