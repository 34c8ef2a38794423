import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipfg.errors import DataError
from clipfg.prompting import PromptSet, texts_for
from clipfg.prompting.prompt_set import readable
from clipfg.types import ClassList


def test_placeholders() -> None:
    prompts = PromptSet("x", ("a photo of a {}.", "{a} in flight", "{}: {text}"))
    assert prompts.render("albatross", ("a seabird", "long wings")) == (
        "a photo of a albatross.",
        "an albatross in flight",
        "albatross: a seabird",
        "albatross: long wings",
    )


def test_a_class_without_texts_skips_the_templates_that_ask_for_one() -> None:
    assert PromptSet("x", ("{}", "{text}")).render("rose") == ("rose",)


def test_a_class_left_with_no_sentence_is_an_error() -> None:
    with pytest.raises(DataError, match="'rose' has none; give it one"):
        PromptSet("x", ("{text}",)).render("rose")


@given(st.text(min_size=1).filter(lambda name: not any(c in name for c in "_") and name.split()))
def test_any_name_is_preserved(name) -> None:
    prose = " ".join(name.split())
    assert PromptSet("x", ("<{}>",)).render(name) == (f"<{prose}>",)


@pytest.mark.parametrize("name", ["{}", "{a}", "{0}", "{{x}}", "{text}", r"\1", "a {b"])
def test_braces_in_a_name_or_a_text_are_not_placeholders(name) -> None:
    assert PromptSet("x", ("<{}|{text}>",)).render(name, (name,)) == (f"<{name}|{name}>",)


def test_doubled_braces_are_literal() -> None:
    assert PromptSet("x", ("{{{}}}",)).render("rose") == ("{rose}",)


def test_underscores_read_as_spaces() -> None:
    assert readable("Black-footed_Albatross ") == "Black-footed Albatross"
    assert readable("_") == "_"


def test_descriptions_follow_the_classs_own_texts_and_match_any_spelling() -> None:
    described = {"Red-winged Blackbird": ("a red shoulder",), "red_winged_blackbird": ("black",)}
    prompts = PromptSet("x", ("{text}",), described)
    assert prompts.render("red winged blackbird", ("mine",)) == ("mine", "a red shoulder", "black")


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ((), "at least one template"),
        (("a photo",), "Expected a placeholder"),
        (("{{}}",), "Expected a placeholder"),
        (("a {name}",), r"got \{name\} in"),
        (("a {0}",), r"got \{0\} in"),
    ],
)
def test_templates_that_cannot_work_are_refused(templates, message) -> None:
    with pytest.raises(DataError, match=message):
        PromptSet("x", templates)


def test_descriptions_that_no_template_uses_are_refused() -> None:
    with pytest.raises(DataError, match="no template that uses them"):
        PromptSet("x", ("{}",), {"rose": ("red",)})


def test_texts_for_gives_every_sentence_its_class() -> None:
    classes = ClassList(("rose", "iris", "aster"), texts={"iris": ("blue", "tall")})
    texts, owners = texts_for(PromptSet("x", ("{a}", "{text}")), classes)
    assert texts == ["a rose", "an iris", "blue", "tall", "an aster"]
    assert owners.tolist() == [0, 1, 1, 1, 2]
