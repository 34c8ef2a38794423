"""A job as the command line runs it, for tests."""

from collections.abc import Callable
from typing import Any

from clipfg.options import Options, resolve
from clipfg.workflows.session import Session


def job(work: Callable[[Session[Any]], Any], kind: type[Options], **options: Any) -> Any:
    """Run `work` in a session of options."""
    with Session(resolve(kind, options)) as session:
        return work(session)
