"""What a person types into a search, as texts for the encoder."""

from clipfg.prompting.prompt_set import PromptSet, loose, readable
from clipfg.types import ClassList

LONGEST_NAME = 5
"""Words of a name at most; what is longer is a sentence."""
_ARTICLES = frozenset({"a", "an", "the", "two", "three", "some", "many", "no"})
_LINKS = frozenset({"with", "without", "on", "in", "at", "under", "near", "beside", "behind"})


def query_texts(query: str, prompts: PromptSet, classes: ClassList | None = None) -> list[str]:
    """The texts that stand for a query: a name goes through the prompts, a sentence is itself.

    The name of a class, however it is spelt, brings that class's own texts along.
    """
    known = {loose(name): name for name in classes.names} if classes else {}
    name = known.get(loose(query))
    if name is None and is_sentence(query):
        return [query]
    texts = classes.texts.get(name, ()) if classes and name else ()
    return list(prompts.render(name or query, texts))


def is_sentence(query: str) -> bool:
    """Whether a query says what is on the image, where a name would only name it.

    Sentences begin with an article or a number, join things ("with", "on", ...), end in a full
    stop, or are longer than names are: "a heron in flight", but "great blue heron".
    """
    words = readable(query).casefold().split()
    return (
        len(words) > LONGEST_NAME
        or words[0] in _ARTICLES
        or not _LINKS.isdisjoint(words)
        or query.rstrip().endswith((".", "!", "?"))
    )
