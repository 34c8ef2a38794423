import pytest

from clipfg.errors import DataError
from clipfg.icl.boundary import AnswerTokens, split_answers


def test_a_clean_boundary_leaves_the_prompt_unchanged() -> None:
    assert split_answers([1, 2, 3], [[1, 2, 3, 4], [1, 2, 3, 5, 6]]) == AnswerTokens(
        dropped=0, tails=[[4], [5, 6]], starts=[0, 0]
    )


def test_a_merged_token_belongs_to_the_answer() -> None:
    # The first answer merges with the prompt's last token, the second does not.
    split = split_answers([1, 2, 3], [[1, 2, 34, 5], [1, 2, 3, 7]])
    assert split == AnswerTokens(dropped=1, tails=[[34, 5], [3, 7]], starts=[0, 1])
    assert split.lengths == [2, 1]


def test_an_empty_answer_is_refused() -> None:
    with pytest.raises(DataError, match="at least one token"):
        split_answers([1, 2], [[1, 2, 3], [1, 2]])
