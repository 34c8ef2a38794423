"""Standard streams that are closed, or in a code page that lacks letters."""

import os
import sys


def open_streams() -> None:
    """Let stdout and stderr take everything: what is closed goes nowhere, what a code page lacks is
    written as an escape.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
