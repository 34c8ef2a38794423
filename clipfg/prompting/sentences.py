"""Sentences: those made of texts and descriptions of the classes, and no bare template.

Source: Pratt et al. 2023, arXiv:2209.03320 (CuPL), where a language model wrote the sentences.
"""

from clipfg.errors import DataError
from clipfg.prompting.ensembling import EnsemblePart
from clipfg.prompting.prompt_set import PromptSet, asks_for_text
from clipfg.prompting.rendering import Sentences, check_texts
from clipfg.types import ClassList


def described_sentences(prompts: PromptSet, classes: ClassList, seed: int = 0) -> Sentences:  # noqa: ARG001
    """Sentences of templates with `{text}`; all for a class without texts. Raises `DataError`s."""
    check_texts(prompts, classes, "the ensemble 'sentences'")
    if not prompts.uses_texts:
        raise DataError(
            f"Expected a template with {{text}} in prompt set {prompts.name!r} for the ensemble"
            " 'sentences', got none."
        )
    described = [asks_for_text(template) for template in prompts.numbered_templates]
    rows = []
    for owner, name in enumerate(classes.names):
        made = prompts.numbered(name, classes.texts.get(name, ()))
        kept = [(position, text) for position, text in made if described[position]] or made
        rows += [(owner, position, text) for position, text in kept]
    return Sentences.of(rows)


PART = EnsemblePart(make=described_sentences)
