import pytest

from clipfg.prompting import PromptSet
from clipfg.prompting.descriptions import Descriptions
from clipfg.prompting.linting import estimate_tokens, lint


def remarks(prompts: PromptSet, **more) -> str:
    return "\n".join(f"{x.level}: {x.where}: {x.what}" for x in lint(prompts, **more))


@pytest.mark.parametrize(
    ("templates", "expected"),
    [
        (("{a} here", "{a}, here!"), "says the same as"),
        (("a {} here", "{a}"), "reads wrong for some names; use {a}"),
        (("a old image of {a}", "{}"), "expected 'an old', got 'a old'"),
        (("{} ☃",), "U+2603"),
        (("{} " * 80,), "cut off"),
    ],
)
def test_problems_of_templates(templates, expected) -> None:
    assert expected in remarks(PromptSet("x", templates))


def test_a_good_set_has_no_problems() -> None:
    assert remarks(PromptSet("x", ("a photo of {a}.", "an old image of the {}."))) == ""


def test_classes_that_are_not_in_the_list_or_have_no_description() -> None:
    prompts = PromptSet("x", ("{text}",), {"rose": tuple("abcde"), "tulp": tuple("abcde")})
    found = remarks(prompts, classes=["Rose", "tulip"])
    assert "error: tulp: is not in the class list. Did you mean 'tulip'?" in found
    assert "error: tulip: has no description" in found
    assert "rose" not in found.lower()


def test_parts() -> None:
    parts = {
        "rose": {"petal": "a red one", "leaf": "green", "stem": "green", "size and shape": "tall"}
    }
    described = Descriptions("x", "flower", parts)
    found = remarks(described.as_prompts(), descriptions=described)
    for expected in ("4 parts, fewer than 5", "begins with 'a'", "same as 'leaf'", "begin with an"):
        assert expected in found


def test_texts_without_parts() -> None:
    found = remarks(PromptSet("x", ("{text}",), {"rose": ("red", "red")}))
    assert "1 texts, fewer than 5" in found
    assert "a duplicate text" in found


def test_tokens_are_counted_by_the_encoder_if_there_is_one() -> None:
    prompts = PromptSet("x", ("a photo of {a}.",))
    found = remarks(prompts, count=lambda texts: [9 for _ in texts], context=8)
    assert "is 9 tokens long; what is beyond 8" in found


def test_the_estimate_is_near_clips_own_tokenizer() -> None:
    from clipfg.encoders.open_clip.encoder import import_open_clip

    encode = import_open_clip().get_tokenizer("ViT-B-32").encode
    for text in [
        "a photo of a red-winged blackbird, a species of bird.",
        "a bird: bill long, heavy and hooked, pinkish with a grey tip",
        "Boeing 737-800, an aircraft: engines two high-bypass turbofans",
    ]:
        exact = len(encode(text)) + 2
        assert abs(estimate_tokens(text) - exact) <= 0.25 * exact
