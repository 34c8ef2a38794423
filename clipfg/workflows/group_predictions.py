"""`clipfg predict --group-by`: one answer for each group, from all its pictures."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, from_numpy

from clipfg.confidence import AnswerColumns
from clipfg.confidence.group_answers import GroupAnswers
from clipfg.evaluation.predictions import PredictionWriter
from clipfg.functional.group_logits import GroupLogits
from clipfg.functional.similarity import Scoring
from clipfg.types import ClassList, Manifest
from clipfg.workflows.run_folder import RunFolder

PREDICTIONS = "groups.parquet"
PICTURES = pa.field("pictures", pa.int32())
BLOCK = 1024


@dataclass(frozen=True)
class GroupPredictions:
    """Logits of groups as pictures come.

    `names` `[g]` are the groups', or the ids of pictures that stand alone, `uris` their first
    pictures; `numbers` `[n]` say which group each item is of.
    """

    file: ClassVar[str] = PREDICTIONS
    names: list[str]
    uris: list[str]
    numbers: NDArray[np.int64]
    rule: GroupAnswers
    logits: GroupLogits

    @classmethod
    def of(cls, manifest: Manifest, rule: GroupAnswers, classes: int) -> Self:
        """None taken in yet."""
        given = manifest.column("group") or [None] * len(manifest)
        places: dict[tuple[bool, str], int] = {}
        numbers, first = [], []
        for row, (group, identity) in enumerate(zip(given, manifest.ids, strict=True)):
            key = (group is None, identity if group is None else group)
            if key not in places:
                places[key] = len(places)
                first.append(row)
            numbers.append(places[key])
        uris = manifest.uris
        logits = rule.start(len(places), classes)
        names = [name for _, name in places]
        return cls(names, [uris[row] for row in first], np.array(numbers), rule, logits)

    def add(self, positions: NDArray[np.int64], logits: Float[Tensor, "b c"]) -> None:
        """Take in pictures at some positions of the manifest, with the head's own logits."""
        self.logits.add(self.rule.factor * logits, from_numpy(self.numbers[positions]))

    def write(
        self,
        folder: RunFolder,
        classes: ClassList,
        top_k: int,
        scoring: Scoring,
        answers: AnswerColumns | None,
    ) -> int:
        """Write `groups.parquet`, a row for each group of which a picture could be used."""
        counts, rows = self.logits.counts, self.logits.counts.nonzero().flatten()
        logits = self.logits.logits
        more = pa.schema([PICTURES, *(answers.columns if answers else ())])
        with PredictionWriter(folder.part(PREDICTIONS), classes, top_k, scoring, more) as writer:
            for some in rows.split(BLOCK):
                block = logits[some]
                # Of the columns only --unknown needs features, and that is told of pictures.
                none = block.new_empty(len(some), 0)
                own = answers.rows(none, block) if answers else [{}] * len(some)
                shown = answers.calibrated(block) if answers else block
                others = [
                    {**one, PICTURES.name: int(counts[i])}
                    for one, i in zip(own, some.tolist(), strict=True)
                ]
                names = [self.names[i] for i in some.tolist()]
                uris = [self.uris[i] for i in some.tolist()]
                writer.write(names, uris, shown, None, others)
        return writer.rows
