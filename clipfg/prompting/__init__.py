"""From class names to texts: prompt sets and the classifier that they build."""

from clipfg.prompting.loading import list_prompts, load_prompts
from clipfg.prompting.prompt_set import PromptSet, texts_for

__all__ = ["PromptSet", "list_prompts", "load_prompts", "texts_for"]
