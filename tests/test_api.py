"""Jobs as functions: what a keyword, a path and a list of them may be."""

from pathlib import Path

import numpy as np
import pytest

import clipfg
from clipfg.data import synthflora
from clipfg.embedding.feature_files import write_features
from clipfg.types import ClassList, Features
from clipfg.workflows.suggest.simulate import SimulationRun

FLORETTE = {"model": "builtin:florette", "precision": "fp32"}


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def data(working_folder: Path) -> str:
    """Features of two classes, with ids from 0 to 15."""
    labels = np.arange(16) % 2
    noise = np.random.default_rng(0).normal(size=(16, 4)) * 0.1
    pooled = (np.eye(4)[labels] + noise).astype(np.float32)
    ids = tuple(map(str, range(16)))
    path = working_folder / "features.npz"
    write_features(
        Features(ids, pooled, labels, ClassList(("rose", "lily")), fingerprint="f" * 64), path
    )
    return f"features:{path}"


def test_a_text_is_one_id(data: str) -> None:
    clipfg.build_index(data, store="store")
    assert clipfg.remove_from_index("12", store="store").removed == 1
    assert clipfg.remove_from_index(["1", "2"], store="store").removed == 2
    assert clipfg.remove_from_index(where="label=lily", store="store").keys == 6


def test_what_every_job_takes_may_be_given_to_a_removal(data: str) -> None:
    clipfg.build_index(data, store="store")
    run = clipfg.remove_from_index("12", store="store", progress=print, session=None)
    assert run.removed == 1


@pytest.mark.parametrize(
    "function", [clipfg.index_info, clipfg.verify_index, clipfg.remove_from_index]
)
def test_a_misspelt_keyword_has_a_hint_where_there_is_no_job(function) -> None:
    with pytest.raises(clipfg.ClipfgError, match=r"no option 'sotre'. Did you mean 'store'"):
        function(sotre="store")


def test_photos_may_be_a_list_of_paths(working_folder: Path) -> None:
    synthflora.export(working_folder / "photos", n=3, size=96)
    (working_folder / "names.txt").write_text("rose\nlily\n")
    first, second, third = sorted((working_folder / "photos").rglob("*.png"))
    given = {"classes": "names.txt", **FLORETTE}
    assert len(clipfg.predict([first, str(second)], **given).rows()) == 2
    assert len(clipfg.predict(first, (second, third), **given).rows()) == 3


def test_a_query_may_be_a_list_of_texts(working_folder: Path) -> None:
    synthflora.export(working_folder / "photos", n=3, size=96)
    clipfg.build_index("photos", store="store", **FLORETTE)
    listed = clipfg.retrieve(["a rose", "a lily"], store="store").rows()
    assert listed == clipfg.retrieve("a rose", "a lily", store="store").rows()


def test_a_simulation_may_be_asked_for_by_a_file_or_in_words(
    data: str, working_folder: Path
) -> None:
    given = {"budget": 4, "seeds": 1, "strategy": "random"}
    with pytest.raises(clipfg.ClipfgError, match="Expected images without a label"):
        clipfg.suggest(data, simulate="false", **given)
    (working_folder / "clipfg.toml").write_text("[suggest]\nsimulate = true\n")
    assert isinstance(clipfg.suggest(data, **given), SimulationRun)


def test_data_is_named_once(data: str) -> None:
    with pytest.raises(clipfg.ClipfgError, match="'synthflora' and dataset='other' differ"):
        clipfg.zeroshot("synthflora", dataset="other")
    assert clipfg.embed(data, dataset=data).done == clipfg.embed(data, dataset=None).done == 16
