import hashlib
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clipfg.errors import DataError, UsageError
from clipfg.types import (
    ClassList,
    Features,
    Manifest,
    Patches,
    Regions,
    content_hash,
    drawn,
    equal_rows,
    unit_norm,
)

CLASSES = ClassList(("rose", "lily"))


class TestClassList:
    def test_index_is_the_position(self) -> None:
        assert [CLASSES.index(name) for name in CLASSES.names] == [0, 1]

    def test_an_unknown_name_gets_a_hint(self) -> None:
        with pytest.raises(DataError, match="Did you mean 'rose'"):
            CLASSES.index("rosa")

    @pytest.mark.parametrize("names", [(), ("rose", "rose"), ("rose", " ")])
    def test_refuses_missing_duplicate_and_blank_names(self, names: tuple[str, ...]) -> None:
        with pytest.raises(DataError):
            ClassList(names)

    def test_lineage_climbs_to_the_top(self) -> None:
        classes = ClassList(("rubra",), parents={"rubra": "Rosa", "Rosa": "Rosaceae"})
        assert classes.lineage("rubra") == ("Rosa", "Rosaceae")

    def test_a_taxonomy_with_a_cycle_is_refused(self) -> None:
        with pytest.raises(DataError, match="cycle"):
            ClassList(("a",), parents={"a": "b", "b": "c", "c": "b"})

    def test_texts_of_an_unknown_class_are_refused(self) -> None:
        with pytest.raises(DataError, match="not a class"):
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

    def test_an_unknown_split_lists_the_known_ones(self) -> None:
        with pytest.raises(UsageError, match="test, train"):
            self.build().select("tset")

    def test_a_duplicate_id_is_refused(self) -> None:
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


class TestDense:
    """Patches, regions and bags go with the rows that they belong to."""

    def features(self) -> Features:
        rng = np.random.default_rng(0)
        grids = np.array([[1, 2], [3, 1], [2, 2], [1, 1], [2, 1]])
        patches = Patches(rng.normal(size=(12, 4)).astype(np.float16), grids)
        regions = Regions(
            values=unit_norm(rng.normal(size=(6, 4))),
            boxes=rng.random((6, 4)).astype(np.float32),
            offsets=np.array([0, 2, 2, 3, 6, 6]),
            phrases=("a", "b", None, "d", "e", "f"),
        )
        return Features(
            tuple("vwxyz"),
            rng.normal(size=(5, 4)).astype(np.float32),
            np.arange(5),
            patches=patches,
            regions=regions,
            bag_offsets=np.array([0, 2, 5]),
        )

    @pytest.mark.parametrize("which", [[], [0, 1], [4, 2], [1, 2], [0, 1, 2, 3, 4], [3, -1]])
    def test_rows_take_their_patches_and_regions_along(self, which: list[int]) -> None:
        whole = self.features()
        part = whole.rows(which)
        assert part.ids == tuple("vwxyz"[i] for i in which)
        assert part.patches is not None
        assert part.regions is not None
        for row, origin in enumerate(i % 5 for i in which):
            assert np.array_equal(part.patches[row], whole.patches[origin])
            assert np.array_equal(part.regions[row], whole.regions[origin])
        starts = whole.regions.offsets
        expected = [
            p for i in which for p in whole.regions.phrases[starts[i] :][: len(whole.regions[i])]
        ]
        assert list(part.regions.phrases) == expected

    @pytest.mark.parametrize(
        ("which", "offsets"),
        [
            ([0, 1, 2, 3, 4], [0, 2, 5]),
            ([0, 1], [0, 2]),
            ([1, 3, 4], [0, 1, 3]),
            ([4, 2, 0], [0, 2, 3]),
            ([], [0]),
        ],
    )
    def test_bags_keep_the_rows_that_are_selected(
        self, which: list[int], offsets: list[int]
    ) -> None:
        assert self.features().rows(which).bag_offsets.tolist() == offsets
        if which == sorted(which):
            mask = np.isin(np.arange(5), which)
            assert self.features().rows(mask).bag_offsets.tolist() == offsets

    def test_rows_of_a_bag_must_stay_together(self) -> None:
        with pytest.raises(DataError, match="rows of each bag together"):
            self.features().rows([0, 2, 1])

    def test_whole_bags_are_selected(self) -> None:
        part = self.features().bags([1, 0])
        assert part.ids == tuple("xyzvw")
        assert part.bag_offsets.tolist() == [0, 3, 5]
        assert part.bags(np.array([False, True])).ids == ("v", "w")
        assert self.features().bags([0, 1, 0]).bag_offsets.tolist() == [0, 2, 5, 7]
        with pytest.raises(DataError, match="items in bags"):
            replace(part, bag_offsets=None).bags([0])

    def test_concat_is_the_inverse_of_rows(self) -> None:
        whole = self.features()
        rows = [np.arange(2), np.arange(2, 5)]
        patches = Patches.concat([whole.patches.rows(part) for part in rows])
        regions = Regions.concat([whole.regions.rows(part) for part in rows])
        assert np.array_equal(patches.values, whole.patches.values)
        assert np.array_equal(patches.offsets, whole.patches.offsets)
        assert np.array_equal(regions.offsets, whole.regions.offsets)
        assert regions.phrases == whole.regions.phrases

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"bag_offsets": np.array([0, 3])}, "rise from 0 to 5"),
            ({"bag_offsets": np.array([1, 5])}, "rise from 0 to 5"),
            ({"bag_offsets": np.array([0, 4, 2, 5])}, "rise from 0 to 5"),
            ({"bag_offsets": np.array([0, 2, 2, 5])}, "rise from 0 to 5"),
            ({"ids": ("v",)}, "5 ids"),
            ({"splits": ("v",)}, "5 splits"),
            ({"patches": Patches(np.ones((2, 4)), np.array([[1, 2]]))}, "5 sets of patches"),
        ],
    )
    def test_lengths_must_agree(self, change: dict[str, object], message: str) -> None:
        with pytest.raises(DataError, match=message):
            replace(self.features(), **change)

    def test_grids_and_offsets_must_add_up(self) -> None:
        with pytest.raises(DataError, match="Expected 6 patches"):
            Patches(np.ones((5, 4)), np.array([[2, 3]]))
        with pytest.raises(DataError, match="for 2 regions"):
            Regions(np.ones((2, 3)), np.ones((2, 4)), np.array([0, 1]))


class TestBags:
    def test_bags_are_numbered_in_their_order(self) -> None:
        bags = ["b", "b", "a", "c", "c"]
        manifest = Manifest.build("m", {"uri": list("12345"), "bag": bags})
        assert manifest.bags.tolist() == [0, 0, 1, 2, 2]
        assert manifest.select(limit=3).bags.tolist() == [0, 0, 1]
        assert Manifest.build("m", {"uri": ["1"]}).bags is None

    @pytest.mark.parametrize(
        ("bags", "message"), [("aba", "together"), (["a", None], "every item")]
    )
    def test_a_bag_in_two_places_is_refused(self, bags: list[str], message: str) -> None:
        manifest = Manifest.build(
            "m", {"uri": [str(i) for i in range(len(bags))], "bag": list(bags)}
        )
        with pytest.raises(DataError, match=message):
            _ = manifest.bags


class TestIdentity:
    def test_equal_rows_point_to_the_first(self) -> None:
        rows = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)[[0, 1, 0, 2, 1, 0]]
        assert equal_rows(rows).tolist() == [0, 1, 0, 3, 1, 0]
        rows[2, 5] = np.nextafter(rows[2, 5], np.inf)
        assert equal_rows(rows).tolist() == [0, 1, 2, 3, 1, 0]
        assert equal_rows(np.asfortranarray(rows)).tolist() == [0, 1, 2, 3, 1, 0]
        assert equal_rows(rows[:0]).tolist() == []

    def test_the_content_hash_is_the_one_that_caches_hold(self) -> None:
        assert (
            content_hash(b"clipfg").hex() == hashlib.blake2b(b"clipfg", digest_size=16).hexdigest()
        )


@given(
    arrays(np.float32, (4, 6), elements=st.floats(-1e3, 1e3, width=32)).filter(
        lambda a: bool((np.abs(a).max(axis=1) > 1e-3).all())
    )
)
def test_unit_norm_is_idempotent_to_the_bit(rows: np.ndarray) -> None:
    once = unit_norm(rows)
    np.testing.assert_allclose(np.linalg.norm(once.astype(np.float64), axis=1), 1, atol=1e-6)
    assert np.array_equal(unit_norm(once), once)


class TestDraw:
    def test_every_class_has_its_share(self) -> None:
        labels = [0] * 40 + [1] * 20 + [2] * 10 + [None] * 10
        uris = [str(i) for i in range(80)]
        classes = ClassList(("a", "b", "c"))
        manifest = Manifest.build("m", {"uri": uris, "label": labels}, classes)
        part = manifest.draw(16, seed=3)
        assert np.bincount(part.labels + 1).tolist() == [2, 8, 4, 2]
        assert list(map(int, part.uris)) == sorted(map(int, part.uris))
        assert manifest.draw(16, seed=3).uris == part.uris != manifest.draw(16, seed=4).uris
        assert len(manifest.draw(99, seed=0)) == 80

    @given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 5))
    def test_as_many_as_asked_each_once(self, n, count, seed) -> None:
        found = drawn(np.arange(n) % 4, min(n, count), seed)
        assert len(set(found.tolist())) == min(n, count)
        assert set(found.tolist()) <= set(range(n))
        assert found.tolist() == sorted(found)

    def test_bags_stay_whole(self) -> None:
        manifest = Manifest.build("m", {"uri": ["a", "b", "c"], "bag": ["1", "1", "2"]})
        assert manifest.draw(2, seed=0).uris == ["a", "b"]
