"""A hub's cache drawn on disk; nothing here touches a network."""

import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from clipfg.encoders import load_encoder
from clipfg.encoders.hub import HubRepository
from clipfg.encoders.loading import is_on_disk, pull
from clipfg.errors import MissingError, UsageError


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def add(cache: Path, repo: str, files: dict[str, bytes]) -> None:
    home = cache / f"models--{repo.replace('/', '--')}"
    (home / "refs").mkdir(parents=True, exist_ok=True)
    (home / "refs" / "main").write_text("c0ffee")
    for name, content in files.items():
        path = home / "snapshots" / "c0ffee" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_a_tag_is_found_in_the_cache(cache) -> None:
    repo = "timm/vit_base_patch32_clip_224.openai"
    assert not is_on_disk("ViT-B-32/openai")
    add(cache, repo, {"open_clip_model.safetensors": b"any bytes"})
    encoder = load_encoder("ViT-B-32/openai", precision="fp32", device="cpu")
    assert encoder.name == pull("ViT-B-32/openai") == "open_clip:ViT-B-32/openai"
    assert is_on_disk("open_clip:ViT-B-32/openai")
    assert (encoder.dim, encoder.context_length, encoder.preprocessing.size) == (
        512,
        77,
        (224, 224),
    )
    assert encoder.files.model["quick_gelu"] is True  # as it was trained, whatever the arch says
    before = encoder.fingerprint
    add(cache, repo, {"open_clip_model.safetensors": b"other bytes"})
    assert load_encoder("ViT-B-32/openai", precision="fp32", device="cpu").fingerprint != before


def test_a_tag_needs_its_tokenizer_from_the_hub(cache) -> None:
    repo = "timm/ViT-B-16-SigLIP"
    add(cache, repo, {"open_clip_model.safetensors": b"any bytes"})
    with pytest.raises(MissingError, match=r"not on disk.*tokenizer\.json.*clipfg models pull"):
        load_encoder("ViT-B-16-SigLIP/webli")
    add(cache, repo, {"tokenizer.json": b"{}", "tokenizer_config.json": b"{}"})
    encoder = load_encoder("ViT-B-16-SigLIP/webli", precision="fp32", device="cpu")
    assert (encoder.scoring, encoder.context_length) == ("sigmoid", 64)
    assert encoder.preprocessing.resize == "squash"
    assert encoder.preprocessing.mean == (0.5, 0.5, 0.5)
    before = encoder.fingerprint
    add(cache, repo, {"tokenizer.json": b"{ }"})
    assert load_encoder(encoder.name, precision="fp32", device="cpu").fingerprint != before


def test_a_repository_is_found_in_the_cache(cache, folders) -> None:
    files = {path.name: path.read_bytes() for path in folders["siglip"].iterdir()}
    weights = files.pop("model.safetensors")
    add(cache, "someone/siglip", files)
    with pytest.raises(MissingError, match=r"hf:someone/siglip .*model\.safetensors"):
        load_encoder("hf:someone/siglip", offline=True)
    add(cache, "someone/siglip", {"model.safetensors": weights})
    encoder = load_encoder("hf:someone/siglip", precision="fp32", device="cpu")
    assert encoder.name == "hf:someone/siglip"
    in_folder = load_encoder(str(folders["siglip"]), precision="fp32", device="cpu")
    assert encoder.fingerprint == in_folder.fingerprint


@pytest.mark.parametrize("name", ["ViT-B-32/openai", "hf:someone/else"])
def test_missing_weights_offline_name_the_remedy(cache, name) -> None:
    with pytest.raises(MissingError, match=r"not on disk.*offline.*clipfg models pull") as caught:
        load_encoder(name, offline=True)
    assert caught.value.exit_code == 4
    assert name in str(caught.value)


def fail_with(error: Exception):
    def download(*_: object, **__: object) -> str:
        raise error

    return download


def response_of(status: int):
    """As much of an answer as the hub's errors look at, whichever client they come from."""
    return SimpleNamespace(status_code=status, headers={}, request=None)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        ("LocalEntryNotFoundError", MissingError, "could not be reached"),
        ("OSError", MissingError, r"download failed \(OSError: disk full\)"),
        ("ConnectError", MissingError, r"download failed \(ConnectError: reset by peer\)"),
        ("HfHubHTTPError", MissingError, "download failed"),
        ("RepositoryNotFoundError", UsageError, "repository of the hub"),
        ("GatedRepoError", MissingError, "licence"),
    ],
)
def test_failed_downloads_are_clear_errors(cache, monkeypatch, error, kind, words) -> None:
    import huggingface_hub
    from huggingface_hub import errors

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    if error == "OSError":
        raised: Exception = OSError("disk full")
    elif error == "ConnectError":  # of the client library, which is another in every version
        raised = type("ConnectError", (Exception,), {})("reset by peer")
    elif error == "LocalEntryNotFoundError":
        raised = errors.LocalEntryNotFoundError("no network")
    else:
        raised = getattr(errors, error)("sorry", response=response_of(404))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail_with(raised))
    with pytest.raises(kind, match=words):
        HubRepository("someone/else", "hf:someone/else").first("config.json")


def test_offline_never_reaches_for_the_network(cache, monkeypatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail_with(AssertionError("network")))
    repository = HubRepository("someone/else", "hf:someone/else", offline=True)
    with pytest.raises(MissingError, match="this run is offline"):
        repository.first("config.json")
    with pytest.raises(MissingError, match="this run is offline"):
        repository.tokenizer()


def test_a_repository_without_the_file_is_none(cache, monkeypatch) -> None:
    import huggingface_hub
    from huggingface_hub import errors

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    absent = errors.RemoteEntryNotFoundError("404", response=response_of(404))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail_with(absent))
    assert HubRepository("a/b", "hf:a/b").first("x", "y") is None


def test_unknown_names_are_usage_errors(cache) -> None:
    with pytest.raises(UsageError, match=r"Tags of ViT-B-16: .*dfn2b"):
        load_encoder("ViT-B-16/dfn3b")
    with pytest.raises(UsageError, match=r"Did you mean 'ViT-B-16/dfn2b'"):
        load_encoder("ViT-B16/dfn2b")
    with pytest.raises(UsageError, match="ARCH/TAG"):
        load_encoder("../../etc/passwd")


def test_the_table_of_tags_does_not_import_the_library() -> None:
    code = (
        "import sys; from clipfg.encoders.open_clip.files import pretrained_tables as t;"
        "tables = t(); assert 'open_clip' not in sys.modules and 'timm' not in sys.modules;"
        "mine = tables.list_pretrained(); import open_clip as full;"
        "assert mine == full.list_pretrained()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_fetched_is_said_and_retries_are_not(cache, monkeypatch, caplog) -> None:
    import huggingface_hub
    from huggingface_hub import errors

    client = logging.getLogger("huggingface_hub.utils._http")

    def download(*_, **__):
        client.warning("Retrying in 1s [Retry 1/5].")
        raise errors.LocalEntryNotFoundError("no network")

    caplog.set_level(logging.INFO)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(MissingError, match="could not be reached"):
        HubRepository("a/b", "hf:a/b").first("config.json")
    assert caplog.messages == ["Fetching config.json of a/b"]
    client.warning("after it the client may speak again")
    assert len(caplog.messages) == 2
