import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clipfg.errors import DataError, UsageError
from clipfg.types import ClassList, Features, Manifest, unit_norm

CLASSES = ClassList(("rose", "lily"))


class TestClassList:
    def test_index_is_the_position(self) -> None:
        assert [CLASSES.index(name) for name in CLASSES.names] == [0, 1]

    def test_a_label_outside_the_list_is_answered_with_the_nearest(self) -> None:
        with pytest.raises(DataError, match="Did you mean 'rose'"):
            CLASSES.index("rosa")

    @pytest.mark.parametrize("names", [(), ("rose", "rose"), ("rose", " ")])
    def test_refuses_no_names_double_names_and_blank_ones(self, names: tuple[str, ...]) -> None:
        with pytest.raises(DataError):
            ClassList(names)

    def test_lineage_climbs_to_the_top(self) -> None:
        classes = ClassList(("rubra",), parents={"rubra": "Rosa", "Rosa": "Rosaceae"})
        assert classes.lineage("rubra") == ("Rosa", "Rosaceae")

    def test_a_taxonomy_that_bites_its_tail_is_refused(self) -> None:
        with pytest.raises(DataError, match="circle"):
            ClassList(("a",), parents={"a": "b", "b": "c", "c": "b"})

    def test_texts_of_an_unknown_class_are_refused(self) -> None:
        with pytest.raises(DataError, match="no class"):
            ClassList(("rose",), texts={"lily": ("white",)})


class TestManifest:
    def build(self) -> Manifest:
        return Manifest.build(
            "m",
            {"uri": ["a", "b", "c"], "label": [0, None, 1], "split": ["train", "test", "test"]},
            CLASSES,
        )

    def test_missing_labels_are_minus_one(self) -> None:
        assert self.build().labels.tolist() == [0, -1, 1]

    def test_selects_a_split_then_a_limit(self) -> None:
        assert self.build().select("test", limit=1).ids == ["b"]

    def test_an_unknown_split_names_those_there_are(self) -> None:
        with pytest.raises(UsageError, match="test, train"):
            self.build().select("tset")

    def test_an_id_twice_is_refused(self) -> None:
        with pytest.raises(DataError, match="'a' more than once"):
            Manifest.build("m", {"uri": ["a", "b"], "id": ["a", "a"]})

    @pytest.mark.parametrize("label", [2, -1])
    def test_a_label_outside_the_classes_is_refused(self, label: int) -> None:
        with pytest.raises(DataError, match="labels from 0 to 1"):
            Manifest.build("m", {"uri": ["a"], "label": [label]}, CLASSES)

    def test_the_digest_changes_with_any_cell_and_with_nothing_else(self) -> None:
        one, same = self.build(), self.build()
        other = Manifest.build(
            "m",
            {"uri": ["a", "b", "c"], "label": [0, None, 0], "split": ["train", "test", "test"]},
            CLASSES,
        )
        assert one.digest == same.digest != other.digest
        # A slice of a table hashes as a table of those rows does.
        assert (
            one.select("train").digest
            == Manifest.build("m", {"uri": ["a"], "label": [0], "split": ["train"]}, CLASSES).digest
        )

    def test_takes_arrow_columns_as_they_are(self) -> None:
        uris = pa.array([str(i) for i in range(1000)])
        assert len(Manifest.build("m", {"uri": uris})) == 1000


class TestFeatures:
    def test_rows_are_normalised_once(self) -> None:
        raw = np.random.default_rng(0).normal(size=(5, 8))
        features = Features(tuple("abcde"), raw, np.zeros(5))  # type: ignore[arg-type]
        expected = raw / np.linalg.norm(raw, axis=1, keepdims=True)
        np.testing.assert_allclose(features.pooled, expected, atol=1e-7)
        again = Features(features.ids, features.pooled, features.labels)
        assert np.array_equal(again.pooled, features.pooled)

    @pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
    def test_a_zero_or_infinite_row_is_refused_by_number(self, bad: float) -> None:
        raw = np.ones((3, 4), dtype=np.float32)
        raw[1] = bad
        with pytest.raises(DataError, match="row 1"):
            Features(("a", "b", "c"), raw, np.zeros(3, dtype=np.int64))

    def test_lengths_must_agree(self) -> None:
        with pytest.raises(DataError, match="Expected 2 ids"):
            Features(("a",), np.ones((2, 4), dtype=np.float32), np.zeros(2, dtype=np.int64))

    def test_rows_by_mask_and_by_index(self) -> None:
        features = Features(
            ("a", "b", "c"),
            np.eye(3, dtype=np.float32),
            np.array([0, 1, 2]),
            splits=("x", "y", "z"),
        )
        assert features.rows(features.labels > 0).ids == ("b", "c")
        assert features.rows([2, 0]).splits == ("z", "x")


@given(
    arrays(np.float32, (4, 6), elements=st.floats(-1e3, 1e3, width=32)).filter(
        lambda a: bool((np.abs(a).max(axis=1) > 1e-3).all())
    )
)
def test_unit_norm_is_idempotent_to_the_bit(rows: np.ndarray) -> None:
    once = unit_norm(rows)
    np.testing.assert_allclose(np.linalg.norm(once.astype(np.float64), axis=1), 1, atol=1e-6)
    assert np.array_equal(unit_norm(once), once)
