"""In-context demonstrations: selected, put into a prompt, answered by a vision-language model."""

from clipfg.icl.chats import CHATS
from clipfg.icl.lvlm import LVLM
from clipfg.icl.questions import PromptWording, Question, ask_choice, ask_name
from clipfg.icl.selection import DEMONSTRATIONS, DemonstrationStrategy, Neighbours, in_order, vote

__all__ = [
    "CHATS",
    "DEMONSTRATIONS",
    "LVLM",
    "DemonstrationStrategy",
    "Neighbours",
    "PromptWording",
    "Question",
    "ask_choice",
    "ask_name",
    "in_order",
    "vote",
]
