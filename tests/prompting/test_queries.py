import pytest

from clipfg.prompting import load_prompts
from clipfg.prompting.prompt_set import PromptSet
from clipfg.prompting.queries import is_sentence, query_texts
from clipfg.types import ClassList

PROMPTS = PromptSet("two", ("a photo of {a}.", "{text}"))


@pytest.mark.parametrize(
    "query",
    ["red-winged blackbird", "Bird of Paradise", "black and white warbler", "albatross", "F-16A"],
)
def test_names_are_put_into_the_prompts(query: str) -> None:
    assert not is_sentence(query)
    (text,) = query_texts(query, PROMPTS)
    assert text.startswith(("a photo of a", "a photo of an"))
    assert len(query_texts(query, load_prompts("general"))) > 5


@pytest.mark.parametrize(
    "query",
    [
        "a heron in flight",
        "An albatross",
        "petals with spots",
        "two birds",
        "bird, wings spread, seen from below, blue sky",
        "Small birds.",
    ],
)
def test_sentences_are_used_as_they_are(query: str) -> None:
    assert is_sentence(query)
    assert query_texts(query, PROMPTS) == [query]


def test_a_class_name_is_never_a_sentence_and_its_texts_are_used() -> None:
    name = "lady in the bath"
    classes = ClassList((name, "rose"), texts={name: ("pink hearts",)})
    assert is_sentence(name)
    assert query_texts("Lady-in-the-Bath", PROMPTS, classes) == [
        "a photo of a lady in the bath.",
        "pink hearts",
    ]
    assert query_texts("rose", PROMPTS, classes) == ["a photo of a rose."]
