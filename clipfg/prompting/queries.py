"""What a person types into a search, as texts for the encoder."""

from clipfg.prompting.prompt_set import PromptSet, loose, readable
from clipfg.types import ClassList

LONGEST_NAME = 5
"""The most words that a name can have; anything longer is a sentence."""
_ARTICLES = frozenset({"a", "an", "the", "two", "three", "some", "many", "no"})
_LINKS = frozenset({"with", "without", "on", "in", "at", "under", "near", "beside", "behind"})


def query_texts(query: str, prompts: PromptSet, classes: ClassList | None = None) -> list[str]:
    """The texts for a query: a name is put into the prompt templates, a sentence is used as it is.

    For the name of a class, however it is spelt, the class's own texts are used too.
    """
    known = {loose(name): name for name in classes.names} if classes else {}
    name = known.get(loose(query))
    if name is None and is_sentence(query):
        return [query]
    texts = classes.texts.get(name, ()) if classes and name else ()
    return list(prompts.render(name or query, texts))


def is_sentence(query: str) -> bool:
    """Whether a query describes an image rather than naming a thing.

    Sentences begin with an article or a number, contain a preposition ("with", "on", ...), end in
    punctuation, or are longer than names are: "a heron in flight", but "great blue heron".
    """
    words = readable(query).casefold().split()
    return (
        len(words) > LONGEST_NAME
        or words[0] in _ARTICLES
        or not _LINKS.isdisjoint(words)
        or query.rstrip().endswith((".", "!", "?"))
    )
