"""A row per item in Parquet, streamed to disk; the file gets its name when it is complete."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clipfg.atomic import publish
from clipfg.errors import DataError
from clipfg.functional.array_similarity import as_array, probabilities, top_classes
from clipfg.types import BOX, ClassList

if TYPE_CHECKING:
    from clipfg.functional.similarity import Scoring

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("uri", pa.string()),
        ("label", pa.string()),
        ("correct", pa.bool_()),
        ("prediction", pa.string()),
        ("probability", pa.float32()),
        ("names", pa.list_(pa.string())),
        ("probabilities", pa.list_(pa.float32())),
    ]
)
"""`label` and `correct` are null where the class is unknown; `names` and `probabilities` are the
top k, best first, and `prediction` and `probability` the first of them. Further columns that a run
was asked for follow."""

_ROWS_PER_GROUP = 8192


class PredictionWriter:
    """Writes `predictions.parquet` in bounded memory; use it as a context manager.

    The rows go to a hidden file beside `path`, which is renamed when the block ends without an
    error and removed otherwise. A killed process leaves no file under the final name.

    `classes` are those that the logits' columns stand for, `top_k` says how many of them to keep
    for each item, and `scoring` how logits become probabilities (`Encoder.scoring`). `more` are
    columns beyond those of `SCHEMA`. With `boxes`, by id, there is a column `box` too.

    Raises `DataError` when the file cannot be written.
    """

    def __init__(
        self,
        path: Path | str,
        classes: ClassList,
        top_k: int = 5,
        scoring: "Scoring" = "softmax",
        more: pa.Schema | None = None,
        boxes: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.path = Path(path)
        self.classes = classes
        self.top_k = min(top_k, len(classes))
        self.scoring = scoring
        self.boxes = boxes
        own = [*SCHEMA, ("box", BOX)] if boxes else SCHEMA
        self.schema = pa.schema([*own, *(more or ())])
        self.rows = 0
        self._partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        self._waiting: list[pa.RecordBatch] = []
        with self._reporting():
            self._writer: Any = pq.ParquetWriter(self._partial, self.schema, compression="zstd")

    def write(
        self,
        ids: Sequence[str],
        uris: Sequence[str],
        logits: Any,
        labels: Sequence[int] | NDArray[Any] | None = None,
        more: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[dict[str, Any]]:
        """Add a batch and return its rows, with the columns of `schema`.

        `logits` is `[b, c]`, an array or a tensor; `labels` are class indices, -1 where unknown;
        `more` has a row of the further columns for each item.
        """
        logits = as_array(logits)
        best = top_classes(logits, self.top_k)
        shares = np.take_along_axis(probabilities(logits, self.scoring), best, axis=1)
        truth = [-1] * len(ids) if labels is None else [int(label) for label in labels]
        further: Sequence[Mapping[str, Any]] = [{}] * len(ids) if more is None else more
        rows = []
        for id_, uri, label, indices, values, others in zip(
            ids, uris, truth, best.tolist(), shares.tolist(), further, strict=True
        ):
            known = label >= 0
            names = [self.classes.names[i] for i in indices]
            rows.append(
                {
                    "id": id_,
                    "uri": uri,
                    "label": self.classes.names[label] if known else None,
                    "correct": indices[0] == label if known else None,
                    "prediction": names[0],
                    "probability": values[0],
                    "names": names,
                    "probabilities": values,
                    "box": self.boxes.get(id_) if self.boxes else None,
                    **others,
                }
            )
        batch = pa.RecordBatch.from_pylist(rows, schema=self.schema)
        self._waiting.append(batch)
        self.rows += len(batch)
        if sum(map(len, self._waiting)) >= _ROWS_PER_GROUP:
            self._flush()
        return batch.to_pylist()

    def _flush(self) -> None:
        if self._waiting:
            with self._reporting():
                self._writer.write_table(pa.Table.from_batches(self._waiting, self.schema))
        self._waiting = []

    def close(self) -> None:
        """Complete the file and rename it to `path`."""
        self._flush()
        with self._reporting():
            self._writer.close()
            publish(self._partial, self.path)

    def abandon(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(Exception):
            self._writer.close()
        self._partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _reporting(self) -> Any:
        try:
            yield
        except OSError as error:
            self._partial.unlink(missing_ok=True)
            raise DataError(
                f"Could not write {str(self.path)!r}: {error.strerror or error}."
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()
