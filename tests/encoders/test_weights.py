import pickle
import shutil

import pytest
import torch

from clipfg.encoders import load_encoder
from clipfg.encoders.weights import (
    check_readable,
    file_digest,
    fingerprint_of,
    read_config,
    read_scalars,
)
from clipfg.errors import DataError


@pytest.mark.parametrize("kind", ["open-clip-vit", "clip"])
@pytest.mark.parametrize("keep", [0, 5, 3000])
def test_a_truncated_checkpoint_is_a_clear_error(folders, tmp_path, kind, keep) -> None:
    folder = shutil.copytree(folders[kind], tmp_path / "model")
    weights = next(folder.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:keep])
    encoder = load_encoder(str(folder), device="cpu")  # its configuration is sound
    with pytest.raises(DataError, match=r"damaged.*fetch it again\.$"):
        _ = encoder.model
    with pytest.raises(DataError, match="damaged"):
        _ = encoder.logit_scale


class Trap:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_hostile_pickle_is_refused_and_not_executed(tmp_path, capsys, zipped) -> None:
    path = tmp_path / "model.bin"
    if zipped:
        torch.save({"weight": torch.zeros(2), "trap": Trap()}, path)
    else:
        path.write_bytes(pickle.dumps({"trap": Trap()}))
    with pytest.raises(DataError, match="never executes"):
        check_readable(path)
    assert "executed" not in capsys.readouterr().out


def test_a_file_that_is_no_pickle_is_damaged(tmp_path) -> None:
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(DataError, match="damaged"):
        check_readable(tmp_path / "model.bin")


@pytest.mark.parametrize("text", ["", "{", "[1]", '"name"'])
def test_a_configuration_must_be_a_json_object(tmp_path, text) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(DataError, match=r"config\.json"):
        read_config(tmp_path / "config.json")


def test_scalars_are_read_without_other_tensors(tmp_path) -> None:
    from safetensors.torch import save_file

    tensors = {"logit_scale": torch.tensor([1.5]), "other": torch.zeros(9)}
    save_file(tensors, tmp_path / "a.safetensors")
    assert read_scalars(tmp_path / "a.safetensors", ("logit_scale", "logit_bias")) == {
        "logit_scale": 1.5
    }


def test_fingerprints_depend_on_content_and_facts_only(tmp_path) -> None:
    first, second = tmp_path / "a" / "w", tmp_path / "b" / "w"
    for path in (first, second):
        path.parent.mkdir()
        path.write_bytes(b"weights")
    facts = {"model": {"x": 1, "_name_or_path": "here"}, "size": (2, 3)}
    moved = {"size": [2, 3], "model": {"_name_or_path": "there", "x": 1}}
    same = fingerprint_of(facts, [first], file_digest)
    assert fingerprint_of(moved, [second], file_digest) == same
    assert fingerprint_of(facts | {"size": (3, 2)}, [first], file_digest) != same
    second.write_bytes(b"weightz")
    assert fingerprint_of(facts, [second], file_digest) != same


def test_the_digest_is_the_hash_of_all_bytes(tmp_path) -> None:
    import hashlib

    content = bytes(range(256)) * 40_000
    (tmp_path / "file").write_bytes(content)
    assert file_digest(tmp_path / "file") == hashlib.blake2b(content, digest_size=16).hexdigest()
