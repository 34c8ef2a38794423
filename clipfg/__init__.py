"""clipfg: fine-grained image recognition with CLIP-like encoders, on features embedded once.

    import clipfg

    run = clipfg.zeroshot("synthflora")            # a report with intervals, and a run folder
    run = clipfg.predict("photos/", classes="names.txt")
    run.rows()                                     # a dictionary for each image
    features = clipfg.embed("photos/", model="builtin:florette").features

Functions and their options are those of the command line, with underscores (`batch_size=64`);
`clipfg.api` describes them.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_JOBS = (
    "add_to_index",
    "bags",
    "build_index",
    "coreset",
    "demos",
    "embed",
    "explain",
    "fewshot",
    "finetune",
    "icl",
    "index_info",
    "lint",
    "predict",
    "remove_from_index",
    "retrieve",
    "show_head",
    "suggest",
    "verify_index",
    "zeroshot",
)
_PUBLIC = {
    "ClassList": "clipfg.types",
    "ClipfgError": "clipfg.errors",
    "Features": "clipfg.types",
    "KeyStore": "clipfg.store",
    "Manifest": "clipfg.types",
    "Session": "clipfg.workflows.session",
    "load_dataset": "clipfg.data.loading",
    "load_encoder": "clipfg.encoders",
    "load_prompts": "clipfg.prompting",
    **dict.fromkeys(_JOBS, "clipfg.api"),
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first used: `import clipfg` itself is instant."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'clipfg' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
