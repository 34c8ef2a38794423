import pytest

from clipfg.errors import DataError
from clipfg.prompting import PromptSet
from clipfg.prompting.ensembling import make_ensemble
from clipfg.types import ClassList

CLASSES = ClassList(("rose", "iris", "aster"), texts={"iris": ("blue",)})
SET = PromptSet("x", ("{a}", "{}: {text}"), {"rose": ("red", "thorny")})


def made(prompts: PromptSet, classes: ClassList = CLASSES) -> list[tuple[int, str]]:
    sentences = make_ensemble("sentences").sentences(prompts, classes)
    return list(zip(sentences.owners.tolist(), sentences.texts, strict=True))


def test_only_texts_except_for_classes_without() -> None:
    assert made(SET) == [(0, "rose: red"), (0, "rose: thorny"), (1, "iris: blue"), (2, "an aster")]


def test_sets_that_are_joined() -> None:
    joined = PromptSet("y", ("<{}>",), also=(SET,))
    assert made(joined)[:2] == [(0, "rose: red"), (0, "rose: thorny")]


def test_no_texts_at_all_are_an_error() -> None:
    with pytest.raises(DataError, match=r"classes with texts.*got none.*join it"):
        made(PromptSet("x", ("{}", "{text}")), ClassList(("rose",)))
    with pytest.raises(DataError, match="a template with"):
        made(PromptSet("x", ("{}",)))
