"""Product: every plain template combined with every text of the class.

"a close-up photo of a wren, a bird" and "tail short and cocked" make "a close-up photo of a wren, a
bird, tail short and cocked". A class without texts keeps its plain sentences.
"""

from clipfg.errors import DataError
from clipfg.prompting.ensembling import EnsemblePart
from clipfg.prompting.prompt_set import PromptSet, asks_for_text
from clipfg.prompting.rendering import Sentences, check_texts
from clipfg.types import ClassList


def joined_sentences(prompts: PromptSet, classes: ClassList, seed: int = 0) -> Sentences:  # noqa: ARG001
    """Template times text, for every class; each sentence keeps the position of its template.

    Raises `DataError` when the set has no plain template, or no class has a text.
    """
    check_texts(prompts, classes, "the ensemble 'product'")
    rows = []
    for owner, name in enumerate(classes.names):
        plain = plain_sentences(prompts, name)
        if not plain:
            raise DataError(
                f"Expected a template without {{text}} in prompt set {prompts.name!r} for the"
                f" ensemble 'product', got none; add one, as in photo+{prompts.name}."
            )
        texts = prompts.texts_of(name, classes.texts.get(name, ()))
        for position, sentence in plain:
            stem = sentence.rstrip(" .")
            made = [f"{stem}, {text.rstrip(' .')}." for text in texts] or [sentence]
            rows += [(owner, position, text) for text in made]
    return Sentences.of(rows)


def plain_sentences(prompts: PromptSet, class_name: str) -> list[tuple[int, str]]:
    """The sentences of templates without `{text}`, each with the position of its template."""
    return [
        (position, sentence)
        for position, sentence in prompts.numbered(class_name)
        if not asks_for_text(prompts.numbered_templates[position])
    ]


PART = EnsemblePart(make=joined_sentences)
