import pytest

from clipfg.errors import DataError
from clipfg.prompting import PromptSet, Sentences, load_prompts, sentences_for
from clipfg.types import ClassList

CLASSES = ClassList(("rose", "iris"), texts={"iris": ("blue", "tall")})


def test_every_sentence_knows_its_class_and_its_template() -> None:
    made = sentences_for(PromptSet("x", ("{a}", "{text}", "<{}>")), CLASSES)
    assert made.texts == ("a rose", "<rose>", "an iris", "blue", "tall", "<iris>")
    assert made.owners.tolist() == [0, 0, 1, 1, 1, 1]
    assert made.templates.tolist() == [0, 2, 0, 1, 1, 2]


def test_joined_sets_keep_their_descriptions_and_number_templates_consecutively() -> None:
    first = PromptSet("x", ("{a}", "{text}"), {"rose": ("red",)})
    joined = PromptSet("y", ("<{}>",), also=(first, PromptSet("z", ("{}!",))))
    made = sentences_for(joined, ClassList(("rose",)))
    assert made.texts == ("<rose>", "a rose", "red", "rose!")
    assert made.templates.tolist() == [0, 1, 2, 3]
    assert joined.numbered_templates == ("<{}>", "{a}", "{text}", "{}!")
    assert joined.uses_texts
    assert joined.texts_of("Rose") == ("red",)


def test_plus_joins_sets_of_the_library() -> None:
    joined = load_prompts("photo+cub200")
    assert joined.name == "photo+cub200"
    albatross = joined.render("black_footed albatross")
    assert albatross[0] == "a photo of a black footed albatross."
    assert albatross[1].startswith("black footed albatross, a bird: plumage sooty brown")


def test_a_file_with_a_plus_in_its_name_is_a_file(tmp_path) -> None:
    (tmp_path / "a+b.txt").write_text("{} once")
    assert load_prompts(tmp_path / "a+b.txt").templates == ("{} once",)


def test_a_class_without_any_sentence_is_named() -> None:
    with pytest.raises(DataError, match="'rose' has none"):
        sentences_for(PromptSet("x", ("{text}",)), CLASSES)


def test_joining_sentences_keeps_templates_apart() -> None:
    one = Sentences.of([(1, 0, "b"), (0, 0, "a")])
    two = Sentences.of([(0, 0, "c"), (1, 3, "d")])
    joined = Sentences.join((one, two))
    assert joined.texts == ("a", "c", "b", "d")
    assert joined.owners.tolist() == [0, 0, 1, 1]
    assert joined.templates.tolist() == [0, 1, 0, 4]
