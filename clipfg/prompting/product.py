"""Product: every plain template joined with every text of the class.

"a close-up photo of a wren, a bird" and "tail short and cocked" make "a close-up photo of a wren, a
bird, tail short and cocked". A class with no text keeps its plain sentences.
"""

from clipfg.errors import DataError
from clipfg.prompting.ensembling import EnsemblePart
from clipfg.prompting.prompt_set import PromptSet
from clipfg.prompting.rendering import Sentences, check_texts
from clipfg.types import ClassList


def joined_sentences(prompts: PromptSet, classes: ClassList, seed: int = 0) -> Sentences:  # noqa: ARG001
    """Template times text, for every class; a template's position is kept.

    Raises `DataError` when the set has no plain template, or no class a text.
    """
    check_texts(prompts, classes, "the ensemble 'product'")
    rows: list[tuple[int, int, str]] = []
    for owner, name in enumerate(classes.names):
        plain = plain_sentences(prompts, name)
        if not plain:
            raise DataError(
                f"Expected a template without {{text}} in prompt set {prompts.name!r} for the"
                f" ensemble 'product', got none; join one, such as photo+{prompts.name}."
            )
        texts = prompts.texts_of(name, classes.texts.get(name, ()))
        for position, sentence in plain:
            stem = sentence.rstrip(" .")
            made = [f"{stem}, {text.rstrip(' .')}." for text in texts] or [sentence]
            rows += [(owner, position, text) for text in made]
    return Sentences.of(rows)


def plain_sentences(prompts: PromptSet, class_name: str) -> list[tuple[int, str]]:
    """The sentences of templates that ask for no text, each with its template's position."""
    bare = PromptSet(prompts.name, prompts.templates)
    sentences = bare.numbered(class_name)
    offset = bare.size
    for other in prompts.also:
        sentences += [(offset + p, text) for p, text in plain_sentences(other, class_name)]
        offset += other.size
    return sentences


PART = EnsemblePart(make=joined_sentences)
