"""What is written of bags: a row for each, and a row for each of their instances."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.confidence import AnswerColumns
from clipfg.evaluation.predictions import PredictionWriter
from clipfg.types import ClassList
from clipfg.workflows.bags.instances import BaggedData, Instances
from clipfg.workflows.classify import PREDICTIONS
from clipfg.workflows.run_folder import RunFolder

INSTANCES = "instances.parquet"
COUNT = pa.field("instances", pa.int32())
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("uri", pa.string()),
        ("bag", pa.string()),
        ("about", pa.string()),
        ("score", pa.float32()),
        ("rank", pa.int32()),
        ("scores", pa.list_(pa.float32())),
    ]
)
"""`about` is the likeliest class of the bag that has scores, `score` the instance's for it, `rank`
its place in the bag by that, from 1; `scores` are those for every class with scores."""


class BagRows:
    """Writes `predictions.parquet` and `instances.parquet`; a context manager.

    `evidence` are the classes that scores are about.
    """

    def __init__(
        self,
        folder: RunFolder,
        data: BaggedData,
        classes: ClassList,
        evidence: list[int],
        top_k: int,
        answers: AnswerColumns | None = None,
    ) -> None:
        self.data, self.classes, self.evidence, self.answers = data, classes, evidence, answers
        more = pa.schema([COUNT, *(answers.columns if answers else ())])
        self._ids, self._uris = data.items.manifest.ids, data.items.manifest.uris
        self._bags = PredictionWriter(folder.part(PREDICTIONS), classes, top_k, "softmax", more)
        self._path: Path = folder.part(INSTANCES)
        self._instances: Any = pq.ParquetWriter(self._path, SCHEMA, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._bags.__exit__(kind, *rest)
        self._instances.close()

    @property
    def bags(self) -> int:
        """How many are written."""
        return self._bags.rows

    def write(
        self,
        block: Instances,
        logits: Float[Tensor, "b c"],
        scores: Float[Tensor, "r k"],
        labelled: bool = False,
    ) -> None:
        """Bags with the head's own logits, and the scores of their instances."""
        sizes = block.sets.offsets.diff().tolist()
        answers = self.answers
        own = answers.rows(block.sets, logits) if answers else [{}] * len(logits)
        shown = answers.calibrated(logits) if answers else logits
        self._bags.write(
            [self.data.names[bag] for bag in block.bags],
            [self._uris[block.places(i)[0]] for i in range(len(sizes))],
            shown,
            self.data.labels[block.bags] if labelled else None,
            [{**one, COUNT.name: size} for one, size in zip(own, sizes, strict=True)],
        )
        about = logits[:, self.evidence].argmax(dim=1).tolist()
        tables = [
            self._instances_of(block, bag, part, about[bag])
            for bag, part in enumerate(scores.split(sizes))
        ]
        self._instances.write_table(pa.concat_tables(tables))

    def _instances_of(self, block: Instances, bag: int, scores: Tensor, about: int) -> pa.Table:
        rows = block.places(bag)
        order = scores[:, about].argsort(descending=True, stable=True)
        ranks = torch.empty_like(order)
        ranks[order] = torch.arange(1, len(order) + 1)
        values = pa.array(scores.float().flatten().numpy())
        width = scores.shape[1]
        columns = {
            "id": [self._ids[row] for row in rows],
            "uri": [self._uris[row] for row in rows],
            "bag": [self.data.names[block.bags[bag]]] * len(rows),
            "about": [self.classes.names[self.evidence[about]]] * len(rows),
            "score": scores[:, about].float().numpy(),
            "rank": ranks.int().numpy(),
            "scores": pa.ListArray.from_arrays(
                np.arange(0, len(values) + 1, width, dtype=np.int32), values
            ),
        }
        return pa.table(columns, schema=SCHEMA)
