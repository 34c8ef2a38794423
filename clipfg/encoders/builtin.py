"""Models that ship in the package."""

from pathlib import Path
from typing import Unpack

from clipfg.encoders.base import Encoder
from clipfg.encoders.checkpoint import EncoderOptions
from clipfg.encoders.open_clip.encoder import OpenClipEncoder
from clipfg.encoders.open_clip.files import CONFIG, files_in_folder
from clipfg.errors import UsageError
from clipfg.registry import closest

PACKAGED = Path(__file__).parent


def load(rest: str, *, offline: bool, **options: Unpack[EncoderOptions]) -> Encoder:  # noqa: ARG001
    """A built-in model by its name; it is never downloaded. Raises `UsageError` for another."""
    known = sorted(path.parent.name for path in PACKAGED.glob(f"*/{CONFIG}"))
    if rest not in known:
        raise UsageError(
            f"Expected a built-in model ({', '.join(known) or 'none is installed'}),"
            f" got {rest!r}.{closest(rest, known)}"
        )
    return OpenClipEncoder(f"builtin:{rest}", files_in_folder(PACKAGED / rest), **options)
