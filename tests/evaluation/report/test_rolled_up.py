from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from clipfg.evaluation.report.rolled_up import rolled_up
from clipfg.evaluation.statistics.intervals import proportion
from clipfg.types import ClassList

CLASSES = ClassList(
    ("robin", "wren", "owl"), {"robin": "songbird", "wren": "songbird", "songbird": "bird"}
)


def file_of(folder: Path, *rows: tuple[str | None, str | None]) -> Path:
    path = folder / "predictions.parquet"
    labels, answers = zip(*rows, strict=True)
    table = pa.table(
        {"label": pa.array(labels, pa.string()), "answer": pa.array(answers, pa.string())}
    )
    pq.write_table(table.append_column("id", pa.array(list(map(str, range(len(rows)))))), path)
    return path


def test_classes_and_groups_are_correct_where_they_hold_the_true_class(tmp_path) -> None:
    path = file_of(
        tmp_path,
        ("robin", "robin"),
        ("robin", "wren"),
        ("wren", "songbird"),
        ("wren", "bird"),
        ("wren", "songbird"),
        ("owl", "songbird"),
        ("owl", "robin"),
        ("owl", None),
        (None, "robin"),
        (None, None),
    )
    found = rolled_up(path, CLASSES, 0.8)
    assert (found.level, found.n) == (0.8, 8)
    assert (found.at_class, found.at_group) == (3 / 8, 4 / 8)
    assert found.right == proportion(4, 7)


def test_nothing_answered_and_nothing_labelled(tmp_path) -> None:
    found = rolled_up(file_of(tmp_path, ("robin", None), (None, "owl")), CLASSES, 0.9)
    assert (found.n, found.at_class, found.at_group, found.right) == (1, 0.0, 0.0, None)
    assert rolled_up(file_of(tmp_path, (None, "owl"), (None, None)), CLASSES, 0.9) is None
