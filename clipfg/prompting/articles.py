"""The English indefinite article, by sound: "an albatross", "a ewe", "an F-16", "a 737"."""

import re

# Initial vowel letters pronounced as consonants: "a European robin", "a unicorn".
_CONSONANT_SOUND = re.compile(r"(eu|ew|u[bcfghjkqrst][aeiou]|uni(?!n|m|d)|one\b|once\b|uakari)")
# Silent initial consonants: "an hour". British English sounds the h of "a herb".
_VOWEL_SOUND = re.compile(r"(hour|honest|honou?r|heir)")
_ACRONYM = re.compile(r"[A-Z]{1,3}(?![A-Za-z])")  # read letter by letter: "an MD-80"
_VOWEL_NUMBER = re.compile(r"(8|11(?!\d)|18(?!\d))")  # eight, eighty, eleven, eighteen


def with_article(name: str) -> str:
    """`name` after "a" or "an", depending on its first sound.

    Plural and uncountable names get an article too; use the plain `{}` in templates for them.
    """
    return f"{'an' if _starts_with_vowel(name) else 'a'} {name}"


def _starts_with_vowel(name: str) -> bool:
    word = name.lstrip("\"'“‘([")
    if not word:
        return False
    if word[0].isdigit():
        return bool(_VOWEL_NUMBER.match(word))
    if _ACRONYM.match(word):
        return word[0] in "AEFHILMNORSX"
    word = word.lower()
    if _VOWEL_SOUND.match(word):
        return True
    return word[0] in "aeiouàáâäåæèéêëìíîïòóôöøùúûü" and not _CONSONANT_SOUND.match(word)
