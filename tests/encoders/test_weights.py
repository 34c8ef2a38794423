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


FACTS = {"model": {"width": 64, "layers": [2, 3]}, "precision": "fp32", "context": 77}
FILES = {"a.safetensors": b"first half, ", "b.safetensors": b"second half", "vocabulary": b"a b c"}


def fingerprint(folder, facts=FACTS, **changes) -> str:
    """Of `FILES` in a folder; `changes` are other contents by name, None to leave a file out."""
    folder.mkdir()
    contents = {name: content for name, content in (FILES | changes).items() if content is not None}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return fingerprint_of(facts, [folder / name for name in contents], file_digest)


OTHERS = {
    "two files swapped": {
        "a.safetensors": FILES["b.safetensors"],
        "b.safetensors": FILES["a.safetensors"],
    },
    "bytes moved to the next file": {
        "a.safetensors": b"first half",
        "b.safetensors": b", second half",
    },
    "all bytes in one file": {"a.safetensors": b"first half, second half", "b.safetensors": b""},
    "one file joined to another": {
        "a.safetensors": b"first half, second half",
        "b.safetensors": None,
    },
    "another name": {"vocabulary": None, "merges": FILES["vocabulary"]},
    "a vocabulary in another order": {"vocabulary": b"b a c"},
    "a file less": {"vocabulary": None},
    "a file more": {"tokenizer.json": b""},
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS.keys())
def test_a_fingerprint_says_which_bytes_are_in_which_file(tmp_path, changes) -> None:
    assert fingerprint(tmp_path / "one", **changes) != fingerprint(tmp_path / "two")


@pytest.mark.parametrize(
    "facts",
    [
        FACTS | {"precision": "bf16"},
        FACTS | {"context": 76},
        FACTS | {"model": {"width": 64, "layers": [3, 2]}},
        FACTS | {"model": {"width": 64, "layers": [2, 3], "bias": None}},
        {"model": {"width": 64}, "layers": [2, 3], "precision": "fp32", "context": 77},
        {name: value for name, value in FACTS.items() if name != "context"},
    ],
)
def test_a_fingerprint_changes_with_every_setting(tmp_path, facts) -> None:
    assert fingerprint(tmp_path / "one", facts) != fingerprint(tmp_path / "two")


def test_a_fingerprint_does_not_depend_on_the_order_of_files_or_settings(tmp_path) -> None:
    expected = fingerprint(tmp_path / "one")
    paths = sorted((tmp_path / "one").iterdir(), reverse=True)
    assert fingerprint_of(dict(reversed(FACTS.items())), paths, file_digest) == expected


def test_a_fingerprint_is_the_one_that_caches_were_filled_under(tmp_path) -> None:
    """If this value changes, every image that anyone has embedded is embedded again."""
    assert fingerprint(tmp_path / "one") == "30cf25027934f7c484801d3882c40322"


def test_the_digest_is_the_hash_of_all_bytes(tmp_path) -> None:
    import hashlib

    content = bytes(range(256)) * 40_000
    (tmp_path / "file").write_bytes(content)
    assert file_digest(tmp_path / "file") == hashlib.blake2b(content, digest_size=16).hexdigest()
