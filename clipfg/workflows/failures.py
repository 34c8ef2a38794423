"""Images that could not be used, in jobs that leave a file rather than a run folder."""

import json
import logging
from pathlib import Path

from clipfg.types import Failure

logger = logging.getLogger("clipfg")


class Failures(list[Failure]):
    """Images that could not be used, logged as they come."""

    def add(self, failure: Failure) -> None:
        """Take one down."""
        self.append(failure)
        logger.warning(f"Skipped {failure.id}: {failure.reason}")

    def write(self, path: Path) -> None:
        """List them in a file; no failures, no file."""
        if not self:
            path.unlink(missing_ok=True)
            return
        lines = (json.dumps(vars(failure), ensure_ascii=False) + "\n" for failure in self)
        path.write_text("".join(lines), encoding="utf-8")
