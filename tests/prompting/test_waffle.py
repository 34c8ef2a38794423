import re

from clipfg.prompting import PromptSet
from clipfg.prompting.ensembling import make_ensemble
from clipfg.prompting.waffle import PAIRS, WORDS, random_tails
from clipfg.types import ClassList

CLASSES = ClassList(("red rose", "blue iris", "old aster"))
PROMPTS = PromptSet("x", ("a photo of {a}.", "{}", "{text}"))


def tails(name: str, seed: int = 0) -> list[str]:
    made = make_ensemble("waffle").sentences(PROMPTS, CLASSES, seed)
    stem = f"a photo of {name}, which has "
    return [t.removeprefix(stem) for t in made.texts if t.startswith(stem)]


def test_thirty_sentences_a_class_with_the_same_noise_for_all() -> None:
    assert len(tails("a red rose")) == 2 * PAIRS == 30
    assert tails("a red rose") == tails("a blue iris") == tails("an old aster")
    assert len(set(tails("a red rose"))) == 30


def test_equal_seeds_make_equal_noise_and_different_seeds_different_noise() -> None:
    assert tails("a red rose", 3) == tails("a red rose", 3)
    assert not set(tails("a red rose", 3)) & set(tails("a red rose", 4))


def test_words_and_letters_alternate_and_are_as_long_as_names() -> None:
    made = random_tails(CLASSES, 0)
    for words, letters in zip(made[::2], made[1::2], strict=True):
        assert all(any(w.startswith(part) for w in WORDS) for part in words.split())
        assert all(len(part) <= 4 for part in words.split())
        assert re.fullmatch(r"[a-z]{4} [a-z]{4}", letters)
        assert len(words.split()) == 2


def test_noise_is_as_long_as_the_names_are() -> None:
    for names, words, letters in ((("violet", "daffodil"), 1, 7), (("a b c", "d e f"), 3, 1)):
        for tail in random_tails(ClassList(names), 0):
            assert len(tail.split()) == words
            assert max(map(len, tail.split())) <= letters
        assert all(len(word) == letters for word in tail.split())  # the last one is of letters


def test_each_tail_is_a_template_of_its_own() -> None:
    made = make_ensemble("waffle").sentences(PROMPTS, CLASSES)
    assert made.templates.tolist() == list(range(30)) * 3


def test_a_set_of_texts_alone_is_given_a_template() -> None:
    made = make_ensemble("waffle").sentences(PromptSet("x", ("{text}",)), CLASSES)
    assert made.texts[0].startswith("a photo of a red rose, which has ")
