"""Checking prompt files against class lists and encoders."""

from pathlib import Path

from clipfg.data.readers.class_files import read_class_list
from clipfg.errors import ClipfgError
from clipfg.prompting.linting import PromptIssue, lint
from clipfg.prompting.loading import load_descriptions, load_prompts


def lint_prompts(
    name: str, classes: Path | None = None, model: str | None = None
) -> list[PromptIssue]:
    """All issues of a set or file; one that cannot be read is an error. Raises `ClipfgError`s."""
    try:
        prompts = load_prompts(name)
    except ClipfgError as error:
        return [PromptIssue("error", name, str(error))]
    try:
        descriptions = load_descriptions(name)
    except ClipfgError:
        descriptions = None  # templates, or sentences without parts
    known = read_class_list(classes) if classes else None
    names, texts = (known.names, known.texts) if known else ((), {})
    if model is None:
        return lint(prompts, descriptions, names, texts=texts)
    from clipfg.encoders import load_encoder

    encoder = load_encoder(model, precision="fp32", device="cpu")
    context = max(encoder.context_lengths.values())
    return lint(prompts, descriptions, names, encoder.count_tokens, context, texts)
