from collections import Counter

import pytest

from clipfg.errors import UsageError
from clipfg.icl import PromptWording, ask_choice, ask_name
from clipfg.icl.prompts import AMONG, CHOOSE, NAME
from clipfg.icl.questions import LETTERS, check_choices, draw_choices

NAMES = [f"species {i}" for i in range(60)]


def test_few_candidates_are_listed_and_many_are_not() -> None:
    few = ask_name([("a", 3)], "b", NAMES, [2, 5], PromptWording())
    assert few.turns[0].parts[0] == AMONG.replace("{names}", "species 2; species 5")
    assert (few.answers, few.labels) == (("species 2", "species 5"), (2, 5))
    assert few.turns[1].parts == ("species 3",)
    assert ask_name([], "b", NAMES, range(60), PromptWording()).turns[0].parts[0] == NAME


def test_custom_wording() -> None:
    wording = PromptWording("Pick from {names}.", "Which one?")
    asked = ask_name([("a", 0)], "b", NAMES, [0, 1], wording)
    assert asked.turns[0].parts[0] == "Pick from species 0; species 1."
    assert {turn.parts[-1] for turn in asked.turns if turn.role == "user"} == {"Which one?"}


def listed(text: str) -> dict[str, str]:
    return dict(line.split(". ") for line in text.splitlines()[1:])


def test_choices_look_alike_in_examples_and_question() -> None:
    choices = [7, 2, 9, 4]
    asked = ask_choice([("a", 9), ("b", 30)], "q", NAMES, choices, PromptWording(), [0, 1])
    assert asked.turns[0].parts[0] == CHOOSE
    assert listed(asked.turns[-1].parts[-1]) == {
        letter: NAMES[label] for letter, label in zip("ABCD", choices, strict=True)
    }
    assert (asked.answers, asked.labels) == (("A", "B", "C", "D"), (7, 2, 9, 4))
    for turn, label in ((0, 9), (2, 30)):
        own = listed(asked.turns[turn].parts[-1])
        assert own[asked.turns[turn + 1].parts[0]] == NAMES[label]
        assert len(set(own.values()) & {NAMES[c] for c in choices}) == (4 if label == 9 else 3)


def test_letters_of_examples_do_not_reveal_the_answer() -> None:
    letters = Counter(
        ask_choice([("a", 7)], "q", NAMES, [7, 2, 9, 4], PromptWording(), [seed, 1]).turns[1].parts
        for seed in range(400)
    )
    assert all(70 <= letters[(letter,)] <= 130 for letter in LETTERS[:4])


def test_choices_contain_the_true_class_once_at_a_uniform_position() -> None:
    places, others = Counter(), Counter()
    for seed in range(2000):
        drawn = draw_choices(3, 8, 4, [seed])
        assert len(set(drawn)) == 4
        assert set(drawn) <= set(range(8))
        places[drawn.index(3)] += 1
        others.update(set(drawn) - {3})
    assert all(430 <= places[place] <= 570 for place in range(4))  # 500 each, sd 19
    assert set(others) == {0, 1, 2, 4, 5, 6, 7}
    assert all(760 <= count <= 955 for count in others.values())  # 857 each, sd 22
    assert draw_choices(3, 8, 4, [5, 6]) == draw_choices(3, 8, 4, [5, 6])


def test_every_class_can_be_a_choice() -> None:
    assert sorted(draw_choices(0, 4, 4, [1])) == [0, 1, 2, 3]


@pytest.mark.parametrize(("count", "classes"), [(1, 10), (5, 4), (27, 200)])
def test_impossible_choices_are_refused(count, classes) -> None:
    with pytest.raises(UsageError, match="--choices must be from 2"):
        check_choices(count, classes)
