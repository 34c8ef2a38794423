"""Noun phrases of a caption by rules, with what is said of each: "wings that are black".

No model and no tagger: English captions are short and plain, and closed classes of words
(`words.yaml`) with a few endings tell where a phrase begins and ends. It is meant for picking
phrases to learn from, where a miss costs little.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from clipfg.mining.words import Words, words

_TOKEN = re.compile(r"['’]s\b|[A-Za-z0-9]+(?:['’-][A-Za-z0-9]+)*|[^\sA-Za-z0-9]")
_SINGULAR = frozenset({"a", "an", "this", "one", "each", "every", "another"})


@dataclass(frozen=True)
class Token:
    """A word or mark of a text, in lower case, and where it stands."""

    word: str
    start: int
    end: int


@dataclass
class Phrase:
    """A noun phrase without its determiner."""

    tokens: list[Token]
    """The last one is the head: "long", "black", "bill"."""
    said: list[Token] = field(default_factory=list)
    """Words that a following clause says of it: "that is pointed"."""

    @property
    def head(self) -> str:
        """The noun itself."""
        return self.tokens[-1].word

    @property
    def text(self) -> str:
        """The phrase, with what is said of it before its head: "long pointed black bill"."""
        inner = [token.word for token in self.tokens[:-1]]
        return " ".join([*inner, *(token.word for token in self.said), self.head])


@lru_cache(maxsize=65_536)
def tokens_of(text: str) -> tuple[Token, ...]:
    """The words and marks of a text, in order."""
    return tuple(Token(m[0].lower(), m.start(), m.end()) for m in _TOKEN.finditer(text))


@lru_cache(maxsize=65_536)
def phrases_of(text: str) -> tuple[Phrase, ...]:
    """The noun phrases of a caption, in order."""
    chunker = _Chunker(tokens_of(text), words())
    return tuple(chunker.run())


class _Chunker:
    """One pass over the tokens: a phrase grows until a word that cannot belong to it."""

    def __init__(self, tokens: tuple[Token, ...], known: Words) -> None:
        self.tokens = tokens
        self.words = known
        self.found: list[Phrase] = []
        self.growing: list[Token] = []
        self.joined = False
        """Whether the last token joined two descriptions: "black and"."""
        self.subject: Phrase | None = None
        """Of the clause that we are in: its descriptions are said of this."""
        self.determiner = ""

    def run(self) -> list[Phrase]:
        sets = self.words.sets
        for place, token in enumerate(self.tokens):
            word = token.word
            if word in sets["determiners"] and not (word == "that" and self.growing):
                self._end()
                self.subject, self.determiner = None, word
            elif word in sets["joining"] or word == ",":
                self._join()
            elif word in sets["copulas"]:
                self._end()
                self.subject = self.found[-1] if self.found else None
            elif word == "that" or word in sets["pronouns"]:
                self._end()
                self.determiner = ""
            elif word in sets["adverbs"]:
                continue
            elif word in sets["prepositions"] or not word[0].isalnum() or word in sets["particles"]:
                self._end(before=word)
                self.subject, self.determiner = None, ""
            elif self._is_verb(place):
                self._end()
                self.subject, self.determiner = None, ""
            else:
                self._grow(token)
        self._end()
        return self.found

    def _grow(self, token: Token) -> None:
        self.joined = False
        if not self.words.modifies(token.word):
            self.growing.append(token)
            self.subject = None
        elif self.growing and not self._only_describes():
            self._end()  # a new phrase without a determiner: "bird yellow belly"
            self.growing.append(token)
        else:
            self.growing.append(token)

    def _join(self) -> None:
        """A comma or "and": descriptions go on, a phrase with its noun ends."""
        if self.growing and not self._only_describes():
            self._end()
            self.determiner = ""
        self.joined = True

    def _end(self, before: str = "") -> None:
        grown, self.growing, self.joined = self.growing, [], False
        if not grown:
            return
        if all(self.words.modifies(token.word) for token in grown):
            if self.subject is not None:
                self.subject.said.extend(grown)
            return
        empty = grown[-1].word in self.words.sets["empty"] and before == "of"
        if not empty:
            self.found.append(Phrase(grown))

    def _only_describes(self) -> bool:
        return all(self.words.modifies(token.word) for token in self.growing)

    def _is_verb(self, place: int) -> bool:
        word, sets = self.tokens[place].word, self.words.sets
        if word in sets["nouns"] or word in self.words.kinds:
            return False
        behind = self.tokens[place + 1].word if place + 1 < len(self.tokens) else "."
        ends = (
            behind in sets["prepositions"]
            or behind in sets["determiners"]
            or behind in sets["adverbs"]
            or not behind[0].isalnum()
        )
        after_noun = bool(self.growing) and not self._only_describes()
        before = self.tokens[place - 1].word if place else ""
        determined = before != "" and before == self.determiner
        if before in sets["pronouns"]:
            return True
        one = self.determiner in _SINGULAR
        if one and after_noun and word in self.words.plain_verbs:
            return False  # "a pillow fight"
        if word in self.words.verbs or (word.endswith("ing") and len(word) > 5):
            return after_noun or self.subject is not None or not (self.growing or determined)
        if word.endswith("ed") and len(word) > 4 and "-" not in word:
            return after_noun and behind in sets["prepositions"]
        third = word.endswith("s") and not word.endswith(("ss", "us"))
        plural = bool(self.growing) and self.growing[-1].word.endswith("s")
        return third and after_noun and one and ends and not plural
