"""Files of model hubs, from the hub's own cache (`HF_HOME`) or downloaded into it."""

import os
from collections.abc import Sequence
from pathlib import Path

from clipfg.errors import MissingError, UsageError

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
"""What a tokenizer may consist of; all that is there is hashed into the fingerprint."""

VOCABULARIES = (
    "tokenizer.json",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
"""Those of `TOKENIZER_FILES` of which a tokenizer needs one."""


def cached_file(repo: str, filename: str) -> Path | None:
    """Where the hub's cache keeps a file, or None; never touches the network."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, filename)
    return Path(found) if isinstance(found, str) else None


def fetch(
    repo: str, filenames: Sequence[str], *, name: str, offline: bool, mend: str = ""
) -> Path | None:
    """The first of `filenames` that `repo` has: from the cache, else downloaded.

    None when the repository was reached and has none of them. Raises `MissingError` when they are
    not in the cache and there is no network, or none is wanted; `UsageError` when the hub knows no
    such repository. `name` is the model's and `mend` what to do where there is a network, both for
    the message.
    """
    mend = mend or f"run `clipfg models pull {name}`; or give another --model"
    for filename in filenames:
        if (path := cached_file(repo, filename)) is not None:
            return path
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    if offline or constants.HF_HUB_OFFLINE:
        raise _not_on_disk(name, repo, filenames, "and this run is offline", mend)
    for filename in filenames:
        try:
            return Path(hf_hub_download(repo, filename))
        except (LocalEntryNotFoundError, OfflineModeIsEnabled):
            reason = "and the hub could not be reached"
            raise _not_on_disk(name, repo, filenames, reason, mend) from None
        except GatedRepoError:
            raise MissingError(
                f"The licence of {repo} has to be accepted on its hub page before {name} can be"
                " fetched; then log in with `hf auth login`."
            ) from None
        except EntryNotFoundError:
            continue
        except (RepositoryNotFoundError, HFValidationError):
            raise UsageError(
                f"Expected a model repository of the hub, got {repo!r}; or give a folder's path."
            ) from None
        except Exception as error:  # a full disk, or whatever the client's transport raises
            reason = f"and the download failed ({type(error).__name__}: {str(error)[:120]})"
            raise _not_on_disk(name, repo, filenames, reason, mend) from None
    return None


def fetch_tokenizer(repo: str, *, name: str, offline: bool, mend: str = "") -> list[Path]:
    """All tokenizer files of `repo`: those in the cache if a vocabulary is among them.

    Raises what `fetch` raises, and `MissingError` when the repository has no tokenizer.
    """
    cached = [path for file in TOKENIZER_FILES if (path := cached_file(repo, file))]
    if any(path.name in VOCABULARIES for path in cached):
        return cached
    found = [fetch(repo, [file], name=name, offline=offline, mend=mend) for file in TOKENIZER_FILES]
    paths = [path for path in found if path]
    if not any(path.name in VOCABULARIES for path in paths):
        raise MissingError(f"{repo} has no tokenizer (looked for {', '.join(VOCABULARIES)}).")
    return paths


def _not_on_disk(
    name: str, repo: str, filenames: Sequence[str], why: str, mend: str
) -> MissingError:
    home = os.environ.get("HF_HOME", "~/.cache/huggingface")
    return MissingError(
        f"{name} is not on disk {why}: looked for {' or '.join(filenames)} of {repo} under {home}."
        f" Where there is a network, {mend}."
    )
