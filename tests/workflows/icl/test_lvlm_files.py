"""A vision-language model's files, in a folder and in a fake hub cache on disk."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from clipfg.embedding.cache import EmbeddingCache
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.workflows.icl.lvlm_files import open_lvlm
from tests import lvlms

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lvlm") / "tiny"
    folder.mkdir()
    return lvlms.idefics3(folder)


@pytest.fixture
def opened(tmp_path):
    with EmbeddingCache(tmp_path / "cache") as cache:

        def open_(name, **options):
            return open_lvlm(str(name), CPU, cache, precision="fp32", **options)

        yield open_


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    home = tmp_path / "hub" / "models--someone--tiny"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("c0ffee")
    return home / "snapshots" / "c0ffee"


def test_a_folder_is_opened_by_its_path(opened, folder) -> None:
    model, fingerprint = opened(folder)
    assert model.name == "tiny"
    assert model.model.config.model_type == "idefics3"
    assert model.processor.tokenizer is not None
    assert opened(folder)[1] == fingerprint


def test_a_fingerprint_does_not_change(opened, tmp_path) -> None:
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
    for name in ("config.json", "tokenizer.json", "chat_template.json", "merges.txt"):
        (tmp_path / name).write_text("{}")
    assert (
        opened(tmp_path)[1] == "de1e79056e02dd95451f8ad6f1041d95"
    )  # answers in people's caches are kept under it


def test_the_template_is_part_of_what_it_is(opened, folder, tmp_path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    assert opened(other)[1] == opened(folder)[1]  # wherever it lies
    (other / "chat_template.jinja").write_text("{{ messages }}")
    assert opened(other)[1] != opened(folder)[1]


def test_a_repository_is_found_in_the_cache(opened, folder, hub) -> None:
    with pytest.raises(MissingError, match=r"config\.json of someone/tiny.*hf download") as caught:
        opened("someone/tiny", offline=True)
    assert caught.value.exit_code == 4
    shutil.copytree(folder, hub)
    assert opened("hf:someone/tiny")[1] == opened("someone/tiny")[1] == opened(folder)[1]
    (hub / "model.safetensors").unlink()
    with pytest.raises(MissingError, match=r"offline.*model\.safetensors .*hf download"):
        opened("someone/tiny", offline=True)


def test_shards_are_all_needed(opened, folder, hub) -> None:
    shutil.copytree(folder, hub)
    weights = hub / "model.safetensors"
    shard = weights.rename(hub / "model-00001-of-00001.safetensors")
    index = {"metadata": {}, "weight_map": {"lm_head.weight": shard.name}}
    (hub / "model.safetensors.index.json").write_text(json.dumps(index))
    model, _ = opened("someone/tiny", offline=True)
    assert model.folder == hub
    shard.unlink()
    with pytest.raises(MissingError, match="00001-of-00001"):
        opened("someone/tiny", offline=True)
    with pytest.raises(MissingError, match="not in the folder"):
        opened(hub)


def test_pickles_and_damaged_files_are_refused(opened, folder, tmp_path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    content = (other / "model.safetensors").read_bytes()
    (other / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="damaged"):
        opened(other)
    (other / "model.safetensors").rename(other / "pytorch_model.bin")
    with pytest.raises(MissingError, match="pickled ones are not read"):
        opened(other)


def test_invalid_names(opened, tmp_path) -> None:
    with pytest.raises(UsageError, match="OWNER/NAME"):
        opened("tiny")
    with pytest.raises(UsageError, match="OWNER/NAME"):
        opened("./no/such")
    with pytest.raises(MissingError, match=r"config\.json"):
        opened(tmp_path)
