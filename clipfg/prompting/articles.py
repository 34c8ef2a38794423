"""The English indefinite article, by sound: "an albatross", "a ewe", "an F-16", "a 737"."""

import re

# Vowel letters that sound as consonants: "a European robin", "a unicorn", "a one-eyed cat".
_CONSONANT_SOUND = re.compile(r"(eu|ew|u[bcfghjkqrst][aeiou]|uni(?!n|m|d)|one\b|once\b|uakari)")
# Consonant letters that are silent: "an hour". British English sounds the h of "a herb".
_VOWEL_SOUND = re.compile(r"(hour|honest|honou?r|heir)")
_SPELT_OUT = re.compile(
    r"[A-Z]{1,3}(?![A-Za-z])"
)  # an acronym is read letter by letter: "an MD-80"
_VOWEL_NUMBER = re.compile(r"(8|11(?!\d)|18(?!\d))")  # eight, eighty, eleven, eighteen


def with_article(name: str) -> str:
    """`name` after "a" or "an", whichever its first sound asks for.

    Names that are plural or cannot be counted get one all the same; a template for such classes
    should use the plain `{}`.
    """
    return f"{'an' if _starts_with_vowel(name) else 'a'} {name}"


def _starts_with_vowel(name: str) -> bool:
    word = name.lstrip("\"'“‘([")
    if not word:
        return False
    if word[0].isdigit():
        return bool(_VOWEL_NUMBER.match(word))
    if _SPELT_OUT.match(word):
        return word[0] in "AEFHILMNORSX"
    word = word.lower()
    if _VOWEL_SOUND.match(word):
        return True
    return word[0] in "aeiouàáâäåæèéêëìíîïòóôöøùúûü" and not _CONSONANT_SOUND.match(word)
