"""In-context demonstrations: chosen, put into a prompt, and answered by a language model."""

from clipfg.icl.chats import CHATS
from clipfg.icl.lvlm import LVLM
from clipfg.icl.questions import Question, Shown, Wording, ask_choice, ask_name
from clipfg.icl.selection import DEMONSTRATIONS, Neighbours, Selection, in_order, vote

__all__ = [
    "CHATS",
    "DEMONSTRATIONS",
    "LVLM",
    "Neighbours",
    "Question",
    "Selection",
    "Shown",
    "Wording",
    "ask_choice",
    "ask_name",
    "in_order",
    "vote",
]
