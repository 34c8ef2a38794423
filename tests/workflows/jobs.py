"""A job as a command runs it: options resolved, a session opened and closed."""

from collections.abc import Callable
from typing import Any, TypeVar

from clipfg.options import JobOptions, resolve
from clipfg.workflows.session import Session

Kind = TypeVar("Kind", bound=JobOptions)
Done = TypeVar("Done")


def job(work: Callable[[Session[Kind]], Done], kind: type[Kind], **options: Any) -> Done:
    """What `work` returns with the options of its command."""
    with Session(resolve(kind, options)) as session:
        return work(session)
