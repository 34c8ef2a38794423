import numpy as np
import pyarrow as pa
import pytest

from clipfg.errors import UsageError
from clipfg.store import parse_where
from tests.store.stores import clustered, store_of


@pytest.fixture
def store():
    items = pa.table(
        {
            "id": ["a/1.jpg", "a/2.jpg", "b/1.jpg", "b/[2].jpg", "c.png"],
            "uri": ["x"] * 5,
            "split": ["train", "train", "test", None, "test"],
            "label": pa.array([0, 1, 2, None, 0], pa.int32()),
        }
    )
    return store_of(items, clustered(5, 4, 0))


@pytest.mark.parametrize(
    ("conditions", "rows"),
    [
        ([], [0, 1, 2, 3, 4]),
        (["label=robin"], [0, 4]),
        (["label=robin", "label=blue tit"], [0, 2, 4]),
        (["label!=robin"], [1, 2, 3]),
        (["label!=robin", "label!=wren"], [2, 3]),
        (["split=train"], [0, 1]),
        (["split!=train"], [2, 3, 4]),
        (["label=robin", "split=test"], [4]),
        (["id=a/*"], [0, 1]),
        (["id=?/1.jpg"], [0, 2]),
        (["id=b/[[]2].jpg"], [3]),
        (["id!=*.jpg"], [4]),
        (["id=none*"], []),
        ([" label = robin "], [0, 4]),
    ],
)
def test_conditions(store, conditions, rows) -> None:
    mask = parse_where(conditions, store)
    assert mask.dtype == bool
    assert np.flatnonzero(mask).tolist() == rows


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("label=robbin", "class of the store, got 'robbin'. Did you mean 'robin'"),
        ("split=trian", "split of the store, got 'trian'. Did you mean 'train'.*It has: test"),
        ("lable=robin", "condition such as.*Did you mean 'label'"),
        ("robin", "condition such as"),
        ("", "condition such as"),
    ],
)
def test_an_unknown_name_gets_a_hint(store, condition, message) -> None:
    with pytest.raises(UsageError, match=message):
        parse_where([condition], store)
