import pytest

from clipfg.errors import DataError
from clipfg.prompting import PromptSet
from clipfg.prompting.ensembling import make_ensemble
from clipfg.types import ClassList

CLASSES = ClassList(("rose", "iris"))
DESCRIBED = PromptSet("d", ("{}: {text}",), {"rose": ("petals red.", "stem thorny")})


def test_every_template_with_every_text() -> None:
    prompts = PromptSet("x", ("a photo of {a}.", "{text}", "{} in bloom"), also=(DESCRIBED,))
    made = make_ensemble("product").sentences(prompts, CLASSES)
    assert made.texts == (
        "a photo of a rose, petals red.",
        "a photo of a rose, stem thorny.",
        "rose in bloom, petals red.",
        "rose in bloom, stem thorny.",
        "a photo of an iris.",
        "iris in bloom",
    )
    assert made.owners.tolist() == [0, 0, 0, 0, 1, 1]
    assert made.templates.tolist() == [0, 0, 2, 2, 0, 2]


def test_it_takes_plain_templates_and_texts() -> None:
    with pytest.raises(DataError, match=r"without \{text\}"):
        make_ensemble("product").sentences(DESCRIBED, CLASSES)
    with pytest.raises(DataError, match=r"Expected classes with texts.*got none"):
        make_ensemble("product").sentences(PromptSet("x", ("{}",)), CLASSES)
