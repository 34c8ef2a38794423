"""clipfg: fine-grained image recognition with CLIP-like encoders, on features embedded once.

    import clipfg

    run = clipfg.zeroshot("synthflora")            # a report with intervals, and a run folder
    rows = clipfg.predict("photos/", classes="names.txt")
    features = clipfg.embed("photos/", model="builtin:florette")

Options are those of the command line, with underscores (`batch_size=64`).
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "ClassList": "clipfg.types",
    "ClipfgError": "clipfg.errors",
    "Features": "clipfg.types",
    "KeyStore": "clipfg.store",
    "Manifest": "clipfg.types",
    "embed": "clipfg.workflows.embed",
    "fewshot": "clipfg.workflows.fewshot.run",
    "load_dataset": "clipfg.data.loading",
    "load_encoder": "clipfg.encoders",
    "load_prompts": "clipfg.prompting",
    "predict": "clipfg.workflows.predict",
    "retrieve": "clipfg.workflows.retrieve.run",
    "zeroshot": "clipfg.workflows.zeroshot.run",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first used: `import clipfg` itself is instant."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'clipfg' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
