"""From class names to texts and class weights: prompt sets, descriptions, ensembles."""

from clipfg.prompting.loading import list_prompts, load_prompts
from clipfg.prompting.prompt_set import PromptSet
from clipfg.prompting.rendering import Sentences, sentences_for, texts_for

__all__ = ["PromptSet", "Sentences", "list_prompts", "load_prompts", "sentences_for", "texts_for"]
