"""What a job leaves behind: its run folder, its failures, and what it returns.

A run folder has `config.json` (the resolved options), `results.json`, `predictions.parquet`,
`failures.jsonl` and `log.txt`. Everything is written to `NAME.part` and renamed when the run has
come to its end, `results.json` last: a file under its final name is whole, and a run that is killed
leaves an earlier run's results in the same folder as they were. One run at a time has the folder.
"""

import errno
import itertools
import json
import logging
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from filelock import FileLock, Timeout

from clipfg import __version__
from clipfg.atomic import finished
from clipfg.errors import UsageError
from clipfg.printable import printable_lines
from clipfg.types import Failure

logger = logging.getLogger("clipfg")

LOCK = ".lock"
LOG = "log.txt"

SHOWN_FAILURES = 10
"""How many skipped images are named on the terminal; `failures.jsonl` has them all."""


@dataclass(frozen=True)
class Run:
    """What every job returns: rows, and how its images fared.

    `folder` is where its files are, None for jobs that leave none; `done` images were used, and
    `skipped` could not be.
    """

    folder: Path | None
    done: int
    skipped: int

    @property
    def exit_code(self) -> int:
        """0 when every image was used, 3 when some were skipped, 1 when none could be used."""
        if not self.skipped:
            return 0
        return 3 if self.done else 1

    def rows(self) -> list[dict[str, Any]]:
        """The result as rows that share their keys."""
        raise NotImplementedError


class Failures(list[Failure]):
    """Images that could not be used, logged as they come."""

    def add(self, failure: Failure) -> None:
        """Record one and log it."""
        self.append(failure)
        more = len(self) > SHOWN_FAILURES
        if len(self) == SHOWN_FAILURES + 1:
            said = "More images are skipped; failures.jsonl names them all."
            logger.warning(said, extra={"file_only": False})
        level = logging.INFO if more else logging.WARNING
        extra = {"file_only": more}
        logger.log(level, "Skipped %s: %s", failure.id, failure.reason, extra=extra)

    def write(self, path: Path) -> None:
        """List them in a file, one JSON object per line."""
        with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
            for one in self:
                row = {"id": one.id, "path": one.uri, "stage": one.stage, "reason": one.reason}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def replace(self, path: Path) -> None:
        """As `write`, but where there is none the file of an earlier job is removed."""
        if self:
            with finished(path) as partial:
                self.write(partial)
        else:
            path.unlink(missing_ok=True)


def default_folder(command: str, data: str, model: str) -> Path:
    """A new folder `runs/zeroshot-flowers102-ViT-B-16-20260131-142500`, which nobody else gets."""
    named = (command, data, model)
    parts = [re.sub(r"[^\w.]+", "-", Path(part).name or part).strip("-.") for part in named]
    stem = "-".join(part[:40] for part in parts if part)
    base = f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    names = itertools.chain([base], (f"{base}-{again}" for again in itertools.count(2)))
    return next(path for name in names if _made(path := Path("runs") / name))


def _made(path: Path) -> bool:
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def file_name(name: str) -> str:
    """A prompt set's name as a part of file names: letters, digits, `+`, `.`, `_` and hyphens."""
    return re.sub(r"[^\w+.]+", "-", name).strip("-.") or "prompts"


class RunFolder:
    """An open run folder; use it as a context manager.

    `config` goes into `config.json`, `failures` at the end into `failures.jsonl`, and into
    `results.json` the values of `remarks` and, under `reading`, how the data were understood
    (`data`). Raises `UsageError` when `path` is a file, or a folder that holds other things than a
    run or that another run is writing to.
    """

    def __init__(
        self,
        path: Path,
        config: dict[str, Any],
        failures: Failures,
        remarks: Mapping[str, str] = MappingProxyType({}),
        data: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        if path.is_file():
            raise UsageError(f"--output {path} is a file; name a folder for the results.")
        if path.is_dir() and any(path.iterdir()) and not list(path.glob("config.json*")):
            raise UsageError(
                f"--output {path} holds other things than a run; name a new or an empty folder."
            )
        self.path = path
        self.config = {"clipfg": __version__, **config}
        self.failures = failures
        self.remarks = remarks
        self.results: dict[str, Any] = {}
        self._data = data
        self._names: set[str] = set()
        self._lock = FileLock(path / LOCK, timeout=0)

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise UsageError(
                f"--output {self.path} is being written by another run; name another folder."
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):  # a file system without locks
                raise
        for left in (*self.path.glob("*.part"), *self.path.glob(".*.partial")):
            _remove(left)  # by a run that was killed
        self._write("config.json", self.config)
        self._before = _OPEN.set(self)
        self._log = _LogFile(self.path / LOG, encoding="utf-8", errors="backslashreplace")
        # Jobs in other threads have a log of their own; the job's own workers have no context.
        self._log.addFilter(lambda _: _OPEN.get() in (self, None))
        self._log.setFormatter(_Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(self._log)
        return self

    def part(self, name: str) -> Path:
        """Where the file or folder `name` is written until the run has come to its end."""
        self._names.add(name)
        return self.path / f"{name}.part"

    def write_text(self, name: str, text: str) -> None:
        r"""Write a file of text. What UTF-8 lacks becomes an escape that JSON reads: `\\udcf6`."""
        self.part(name).write_text(text, encoding="utf-8", errors="backslashreplace")

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self.write_text(name, json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")

    def _told(self) -> dict[str, Any]:
        """The results, with remarks and how the data were understood."""
        said = dict.fromkeys([*self.results.get("remarks", ()), *self.remarks.values()])
        more: dict[str, Any] = {"remarks": list(said)} if said else {}
        if self._data:
            more["reading"] = dict(self._data)
        return self.results | more

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        try:
            if kind is None:
                self.failures.write(self.part("failures.jsonl"))
                self._write("results.json", self._told())
                for name in sorted(self._names, key=lambda name: (name == "results.json", name)):
                    if self.part(name).is_dir() and (self.path / name).exists():
                        _remove(self.path / name)
                    self.part(name).replace(self.path / name)
                self._say_what_is_older()
            else:
                said = {"file_only": True}  # the terminal gets the error itself
                logger.info("Ended early: %s: %s", kind.__name__, error, extra=said)
        finally:
            logger.removeHandler(self._log)
            self._log.close()
            _OPEN.reset(self._before)
            self._lock.release()

    def _say_what_is_older(self) -> None:
        own = {*self._names, LOCK, LOG}
        older = sorted(path.name for path in self.path.iterdir() if path.name not in own)
        if older:
            logger.warning(
                f"{self.path} also holds {', '.join(older)}, which this run has not written:"
                " look there for nothing of it."
            )


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Go on without a log where the disk is full; only results have to be written."""

    def close(self) -> None:
        with suppress(OSError):
            super().close()


_OPEN: ContextVar[RunFolder | None] = ContextVar("open run folder", default=None)
