"""Sentences: the classes' own texts and descriptions, and no bare template.

Source: Pratt et al. 2023, arXiv:2209.03320 (CuPL), where a language model wrote the sentences.
"""

from dataclasses import replace

from clipfg.errors import DataError
from clipfg.prompting.ensembling import EnsemblePart
from clipfg.prompting.prompt_set import PromptSet, asks_for_text
from clipfg.prompting.rendering import Sentences, check_texts
from clipfg.types import ClassList


def described_sentences(prompts: PromptSet, classes: ClassList, seed: int = 0) -> Sentences:  # noqa: ARG001
    """The sentences that templates with `{text}` make; all sentences for a class with no text.

    Raises `DataError` when no template has one, or no class a text.
    """
    check_texts(prompts, classes, "the ensemble 'sentences'")
    kept = _only_texts(prompts)
    if kept is None:
        raise DataError(
            f"Expected a template with {{text}} in prompt set {prompts.name!r} for the ensemble"
            " 'sentences', got none."
        )
    rows = []
    for owner, name in enumerate(classes.names):
        texts = classes.texts.get(name, ())
        made = kept.numbered(name, texts) or [
            (kept.size + position, text) for position, text in prompts.numbered(name, texts)
        ]
        rows += [(owner, position, text) for position, text in made]
    return Sentences.of(rows)


def _only_texts(prompts: PromptSet) -> PromptSet | None:
    also = tuple(kept for other in prompts.also if (kept := _only_texts(other)) is not None)
    templates = tuple(template for template in prompts.templates if asks_for_text(template))
    if templates:
        return replace(prompts, templates=templates, also=also)
    return replace(also[0], also=also[0].also + also[1:]) if also else None


PART = EnsemblePart(make=described_sentences)
