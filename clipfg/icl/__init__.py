"""In-context demonstrations: chosen, put into a prompt, and answered by a language model."""

from clipfg.icl.chats import CHATS
from clipfg.icl.prompts import Example, Wording, turns
from clipfg.icl.selection import DEMONSTRATIONS, Neighbours, Selection, in_order, vote

__all__ = [
    "CHATS",
    "DEMONSTRATIONS",
    "Example",
    "Neighbours",
    "Selection",
    "Wording",
    "in_order",
    "turns",
    "vote",
]
