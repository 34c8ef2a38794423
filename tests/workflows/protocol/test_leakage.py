"""Test images that are in the support set are found by id, path and content."""

import numpy as np
import pytest
import torch

from clipfg.errors import DataError
from clipfg.workflows.pool import FeaturePool
from clipfg.workflows.protocol.leakage import without_copies, without_leaks


def pool(*names: str, folder: str = "support/") -> FeaturePool:
    """Images `id@path=content`; where not given, path and content are those of the folder."""
    ids, paths, rows = [], [], []
    for name in names:
        name, _, content = name.partition("=")
        id, _, path = name.partition("@")
        ids.append(id)
        paths.append(path or folder + id)
        rows.append(np.random.default_rng(list((content or folder + id).encode())).normal(size=3))
    features = torch.tensor(np.stack(rows)).float()
    return FeaturePool(features, ids, paths, np.zeros(len(ids)), None, 0, 0.0)


@pytest.mark.parametrize("same_ids", [True, False])
def test_a_test_image_is_excluded_by_id_path_or_content(same_ids) -> None:
    support = pool("a", "b", "c=same", "only here")
    test = pool("a", "1@support/b", "2=same", "3", "4", folder="test/")
    rows, (remark,) = without_leaks(support, test, same_ids)
    assert rows.tolist() == ([3, 4] if same_ids else [0, 3, 4])
    assert remark.startswith(f"{len(test) - len(rows)} test images are also in the support set")
    assert remark.endswith("a, 1, 2" if same_ids else "1, 2")
    assert without_leaks(support, pool("3", "4"), same_ids)[1] == []


def test_equal_ids_of_two_features_files_are_other_images() -> None:
    support, test = pool("0@0=own", "1@1=own too"), pool("0@0=test", "1@1=test too")
    assert without_leaks(support, test, same_ids=False) == (pytest.approx([0, 1]), [])


def test_a_copy_within_the_test_images_stays() -> None:
    rows, remarks = without_leaks(pool("a"), pool("x=1", "y=1"), same_ids=True)
    assert (rows.tolist(), remarks) == ([0, 1], [])


def test_the_first_of_each_content_stays() -> None:
    rows, (remark,) = without_copies(pool("z=1", "b=2", "a=1", "c", "d=2", "e=1"))
    assert rows.tolist() == [0, 1, 3]
    assert remark == "3 images are copies of others and are excluded: a, d, e"
    assert without_copies(pool("a", "b"))[1] == []


def test_a_test_set_of_copies_alone_is_refused() -> None:
    with pytest.raises(DataError, match="got 2 of which all are, by path or by content: x, y"):
        without_leaks(pool("a=1", "b=2"), pool("x=2", "y=1", folder="test/"), same_ids=True)


def test_a_copy_with_another_label_is_named() -> None:
    support, test = pool("a=1", "b=2", "c=3"), pool("x=1", "y=2", "z", folder="test/")
    support.labels[:], test.labels[:] = [0, 1, 2], [0, 2, 2]
    rows, remarks = without_leaks(support, test, same_ids=True)
    assert rows.tolist() == [2]
    assert remarks[1].startswith("1 of these have another label in the support set")
    assert remarks[1].endswith(": y")
    support.labels[1] = -1
    assert len(without_leaks(support, test, same_ids=True)[1]) == 1
