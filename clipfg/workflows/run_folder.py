"""The folder that a run leaves behind, and what is guaranteed of its files.

`config.json` (the resolved options), `results.json`, `predictions.parquet`, `failures.jsonl` and
`log.txt`. Everything is written to `NAME.part` and renamed when the run has come to its end,
`results.json` last: a file under its final name is whole, and a run that is killed leaves an
earlier run's results in the same folder as they were.
"""

import json
import logging
import re
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from clipfg import __version__
from clipfg.errors import UsageError
from clipfg.types import Failure

logger = logging.getLogger("clipfg")

SHOWN_FAILURES = 10
"""How many skipped items are named on the terminal; `failures.jsonl` has them all."""


def default_folder(command: str, data: str, model: str) -> Path:
    """`runs/zeroshot-flowers102-ViT-B-16-20260131-142500`, in the working folder."""
    parts = [re.sub(r"[^\w.]+", "-", Path(part).name or part).strip("-.") for part in (data, model)]
    stem = "-".join([command, *(part[:40] for part in parts if part)])
    base = Path("runs") / f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    path, again = base, 1
    while path.exists():
        again += 1
        path = base.with_name(f"{base.name}-{again}")
    return path


def file_name(name: str) -> str:
    """A prompt set's name as a part of file names: letters, digits, `+`, `.`, `_` and hyphens."""
    return re.sub(r"[^\w+.]+", "-", name).strip("-.") or "prompts"


class RunFolder:
    """An open run folder; use it as a context manager.

    Parameters
    ----------
    path
        The folder, made if need be.
    config
        What goes into `config.json`.

    Raises `UsageError` when `path` is a file, or a folder that holds other things than a run.
    """

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        if path.is_file():
            raise UsageError(f"Expected a folder for the run's results, got the file {path}.")
        if path.is_dir() and any(path.iterdir()) and not list(path.glob("config.json*")):
            raise UsageError(
                f"Expected a new folder, an empty one or an earlier run's, got {path}, which holds"
                " other things; try another --output."
            )
        self.path = path
        self.config = {"clipfg": __version__, **config}
        self.results: dict[str, Any] = {}
        self.failures = 0

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True, exist_ok=True)
        self._write("config.json", self.config)
        self._failures = self.part("failures.jsonl").open("w", encoding="utf-8")
        self._log = logging.FileHandler(self.path / "log.txt", encoding="utf-8")
        self._log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(self._log)
        return self

    def part(self, name: str) -> Path:
        """Where the file `name` is written until the run has come to its end."""
        return self.path / f"{name}.part"

    def fail(self, failure: Failure) -> None:
        """Record an item that could not be used."""
        self.failures += 1
        row = {
            "id": failure.id,
            "path": failure.uri,
            "stage": failure.stage,
            "reason": failure.reason,
        }
        self._failures.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._failures.flush()
        level = logging.WARNING if self.failures <= SHOWN_FAILURES else logging.INFO
        logger.log(level, "Skipped %s: %s", failure.id, failure.reason)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
        self.part(name).write_text(text + "\n", encoding="utf-8")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._failures.close()
            if kind is None:
                self._write("results.json", self.results)
                names = [part.name.removesuffix(".part") for part in self.path.glob("*.part")]
                for name in sorted(names, key=lambda name: name == "results.json"):
                    self.part(name).replace(self.path / name)
            else:
                said = {"file_only": True}  # the terminal gets the error itself
                logger.info("Ended early: %s: %s", kind.__name__, error, extra=said)
        finally:
            logger.removeHandler(self._log)
            self._log.close()
