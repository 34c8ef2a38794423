"""Files found in folders and in a hub's cache, and fingerprints that must never change."""

import json
from pathlib import Path

import pytest

from clipfg.encoders import load_encoder
from clipfg.encoders.hub import HubRepository, locate
from clipfg.encoders.model_files import VOCABULARIES, ModelFolder
from clipfg.errors import MissingError
from tests import checkpoints


def write(folder: Path, **files: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def open_clip_layout(folder: Path) -> Path:
    config = {"model_cfg": checkpoints.open_clip_config(), "preprocess_cfg": {"fill_color": 3}}
    write(folder, open_clip_config__json=config, open_clip_model__safetensors="weights")
    (folder / "bpe.txt.gz").write_bytes(b"merges")
    return folder


def transformers_layout(folder: Path) -> Path:
    return write(
        folder,
        config__json={"model_type": "siglip", "vision_config": {"hidden_size": 8}},
        preprocessor_config__json={"image_processor_type": "SiglipImageProcessor", "size": 32},
        tokenizer__json={"version": "1.0"},
        tokenizer_config__json={"model_max_length": 64},
        model__safetensors="weights",
    )


KNOWN = {
    ("builtin", "fp32"): "c7461e5ea8cd5b192f4b6bbfa7790982",
    ("builtin", "bf16"): "725987faaf2fe8c4a7e3234e6558ad6b",
    ("open_clip", "fp32"): "b72c99bf620b9dbfe1ef3171670481e9",
    ("transformers", "fp32"): "c14cfcf54b53d6935eae58c2179ae3c5",
}
"""Embeddings in people's caches and stores are kept under these."""


@pytest.mark.parametrize(("family", "precision"), KNOWN)
def test_fingerprints_do_not_change(tmp_path, family, precision) -> None:
    name = "builtin:florette"
    if family == "open_clip":
        name = str(open_clip_layout(tmp_path))
    elif family == "transformers":
        name = str(transformers_layout(tmp_path))
    encoder = load_encoder(name, precision=precision, device="cpu")
    assert encoder.fingerprint == KNOWN[family, precision]


def test_a_name_is_a_folder_a_repository_or_neither(tmp_path) -> None:
    assert locate(str(tmp_path), model="m") == ModelFolder(tmp_path)
    assert locate("owner/name", model="m") == HubRepository("owner/name", "m")
    for name in ("name", "./no/such", "/nowhere", "~nobody/x", "a/b/c"):
        assert locate(name, model="m") is None
    assert (ModelFolder(tmp_path).name, HubRepository("a/b", "m").name) == (tmp_path.name, "b")


def test_the_first_name_that_exists_counts(tmp_path) -> None:
    source = ModelFolder(write(tmp_path, b__json={}, c__json={}))
    assert source.first("a.json", "b.json", "c.json") == tmp_path / "b.json"
    assert source.first("a.json") is None
    with pytest.raises(MissingError, match=r"Expected a thing in .*looked for x or y\."):
        source.require("a thing", "x", "y")


@pytest.mark.parametrize("shard", ["../weights.safetensors", "gone.safetensors"])
def test_an_index_leads_to_files_of_the_folder_only(tmp_path, shard) -> None:
    (tmp_path / "weights.safetensors").touch()
    folder = write(tmp_path / "model", index__json={"weight_map": {"x": shard}})
    (folder / "index.json").rename(folder / "model.safetensors.index.json")
    with pytest.raises(MissingError, match="not in the folder"):
        ModelFolder(folder).weights("model.safetensors", "model.safetensors.index.json")


def test_the_settings_of_an_image_processor_may_be_in_either_file(tmp_path) -> None:
    folder = transformers_layout(tmp_path)
    before = load_encoder(str(folder), device="cpu").preprocessing
    write(folder, processor_config__json={"processor_class": "SiglipProcessor"})
    assert load_encoder(str(folder), device="cpu").preprocessing == before


def test_an_interrupted_download_of_a_tokenizer_is_resumed(tmp_path, monkeypatch) -> None:
    import huggingface_hub
    from huggingface_hub import constants, errors

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    home = tmp_path / "models--someone--tiny"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("c0ffee")
    there = {"tokenizer.json", "tokenizer_config.json", "merges.txt"}

    def download(_: str, name: str) -> str:
        if name not in there:
            raise errors.EntryNotFoundError(name)
        if len(fetched) in interruptions:
            interruptions.remove(len(fetched))
            raise KeyboardInterrupt
        fetched.append(name)
        return str(write(home / "snapshots" / "c0ffee", **{name.replace(".", "__"): "{}"}) / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    repository = HubRepository("someone/tiny", "hf:someone/tiny")
    fetched: list[str] = []
    interruptions = [1, 2]
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            repository.tokenizer()
    assert {path.name for path in repository.tokenizer()} == there
    assert fetched[-1] in VOCABULARIES
    interruptions = [3]
    assert {path.name for path in repository.tokenizer()} == there  # from the cache alone
    assert len(fetched) == 3
