"""Writing a run's answers in the formats of `--to`, into its run folder."""

import shutil
from collections.abc import Mapping

from clipfg.errors import DataError
from clipfg.workflows.answer_files.answers import AnswerFormat, Answers
from clipfg.workflows.run_folder import RunFolder


def write_answers(
    formats: Mapping[str, AnswerFormat], answers: Answers, folder: RunFolder
) -> list[str]:
    """The names of the files and folders that were written. Raises `DataError` for a full disk."""
    written = []
    for form in formats.values():
        name = form.file.rstrip("/")
        part = folder.part(name)
        try:
            if form.file.endswith("/"):
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
            form.write(answers, part)
        except OSError as error:
            raise DataError(f"Could not write {part}: {error.strerror or error}.") from None
        written.append(name)
    return written
