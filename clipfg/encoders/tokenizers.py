"""Tokenizers in transformers' layout, loaded without executing anything of theirs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipfg.encoders.weights import damaged, read_config
from clipfg.errors import DataError, MissingError


def tokenizer_settings(folder: Path) -> dict[str, Any]:
    """The content of `tokenizer_config.json`, where there is one."""
    path = folder / "tokenizer_config.json"
    return read_config(path) if path.is_file() else {}


def load_tokenizer(name: str, folder: Path, files: Sequence[Path], **options: Any) -> Any:
    """The tokenizer of the encoder `name`, from its `files` in `folder`.

    Raises `DataError` for one that refers to code of its own or is damaged, `MissingError` where a
    package to read it is missing.
    """
    from transformers import AutoTokenizer

    if tokenizer_settings(folder).get("auto_map"):
        raise DataError(f"The tokenizer of {name} refers to custom code, which is never executed.")
    try:
        return AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **options
        )
    except ImportError:
        raise MissingError(
            f"The tokenizer of {name} comes in SentencePiece's format only; run"
            " `pip install sentencepiece protobuf`."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(files[0], error) from None
