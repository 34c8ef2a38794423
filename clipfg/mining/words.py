"""The words that rules about captions need, from `words.yaml`."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Words:
    """Closed classes of English words, and the values of attributes."""

    kinds: dict[str, str]
    """From a value ("red") to its kind ("colour")."""
    alike: dict[str, frozenset[str]]
    """From a value to those that may be said of the same thing, itself among them."""
    sets: dict[str, frozenset[str]]
    """The other classes of words, by their names in the file."""
    verbs: frozenset[str]
    """Every form of the verbs."""
    plain_verbs: frozenset[str]
    """The forms of the file, which follow a plural: "dogs run"."""

    def modifies(self, word: str) -> bool:
        """Whether a word describes a noun and is none."""
        if word in self.kinds or word in self.sets["adjectives"] or word in self.sets["adverbs"]:
            return True
        if word in self.sets["nouns"]:
            return False
        if word.isdecimal() or word.endswith("ly"):
            return True
        first, _, last = word.rpartition("-")
        ending = last.endswith(("ed", "shaped", "sized", "like")) and len(last) > 4
        return ending if first else word.endswith(("ish", "less", "ful")) or _participle(word)


def _participle(word: str) -> bool:
    return word.endswith(("ed", "ing")) and len(word) > 5


@cache
def words() -> Words:
    """The words of the file, read once."""
    content: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text())
    kinds: dict[str, str] = {}
    alike: dict[str, set[str]] = {}
    for kind, groups in content.pop("kinds").items():
        for group in (set(group.split()) for group in groups):
            for value in group:
                if kinds.setdefault(value, kind) != kind:
                    raise ValueError(f"{value!r} is a {kinds[value]} and a {kind}")
                alike.setdefault(value, set()).update(group)
    verbs = content.pop("verbs").split()
    return Words(
        kinds,
        {value: frozenset(others) for value, others in alike.items()},
        {name: frozenset(text.split()) for name, text in content.items()},
        frozenset(form for verb in verbs for form in _forms(verb)),
        frozenset(verbs) - {"has", "had", "does", "did"},
    )


def _forms(verb: str) -> set[str]:
    """Regular forms of a verb: play, plays, playing, played; run, running; ride, riding."""
    stem = verb.removesuffix("e")
    third = f"{verb}es" if verb.endswith(("s", "sh", "ch", "x", "o", "z")) else f"{verb}s"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        third, stem = f"{verb[:-1]}ies", verb
    doubled = stem + stem[-1] if stem == verb and verb[-1] not in "aeiouwxy" else stem
    past = f"{verb[:-1]}ied" if third.endswith("ies") else f"{stem}ed"
    return {verb, third, f"{stem}ing", f"{doubled}ing", past, f"{doubled}ed"}


def singular(noun: str) -> str:
    """A noun without the ending of its plural, roughly: one key for "petal" and "petals"."""
    if noun.endswith("ss") or len(noun) < 4:
        return noun
    if noun.endswith("ies"):
        return f"{noun[:-3]}y"
    if noun.endswith("ves"):
        return f"{noun[:-3]}f"
    return noun.removesuffix("s")


def normalised(text: str) -> str:
    """A text for comparison: lower case, words alone."""
    return " ".join(re.findall(r"[a-z0-9]+(?:['-][a-z0-9]+)*", text.lower()))
