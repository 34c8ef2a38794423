"""What can go wrong and be fixed by the person at the keyboard.

Every error that a user can meet derives from `ClipfgError` and reads as one sentence: what was
expected, what was got, what to try. The command line catches these and nothing else; each class
carries the exit code that it ends with.
"""

from typing import ClassVar


class ClipfgError(Exception):
    """Base of all errors that a user can fix. Exit code 1."""

    exit_code: ClassVar[int] = 1


class UsageError(ClipfgError):
    """A wrong option, name or combination of options. Exit code 2."""

    exit_code = 2


class DataError(ClipfgError):
    """A data set, class list, manifest or feature file that cannot be read as what it claims."""


class ItemError(ClipfgError):
    """One image that cannot be used; the run records it and goes on unless it is strict."""


class MissingError(ClipfgError):
    """Something needed is not here: an extra, weights or data while offline. Exit code 4."""

    exit_code = 4


class StoreError(ClipfgError):
    """A cache or key store that is damaged, or was built by another encoder."""


class StoreVersionError(StoreError):
    """A key store that another version of clipfg wrote."""
