"""Every annotation format: told by its content alone, and never a traceback for a damaged file."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from clipfg.data.loading import load_dataset
from clipfg.data.readers.formats.form import FORMS, Sample, recognise
from clipfg.errors import ClipfgError
from clipfg.types import Hints
from tests.data.forms.form import Form
from tests.data.forms.formats import FORMS as WRITTEN

ANNOTATION = (".json", ".xml", ".csv", ".jsonl", ".ndjson", ".manifest", ".yaml", ".txt", ".xmp")
READ = [form for form in WRITTEN if not form.refused]


def annotation_files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.suffix in ANNOTATION)


def test_every_format_has_a_form(tmp_path: Path):
    seen = set()
    for number, form in enumerate(WRITTEN):
        form.write(root := tmp_path / str(number))
        found = (recognise(Sample(path)) for path in annotation_files(root))
        seen |= {one.title for one in found if one is not None}
    assert seen == {FORMS.get(name).title for name in FORMS}


@pytest.mark.parametrize("form", READ, ids=lambda form: form.name)
def test_no_two_formats_claim_a_file(form: Form, tmp_path: Path):
    form.write(tmp_path)
    for path in annotation_files(tmp_path):
        claims = [name for name in FORMS if FORMS.get(name).accepts(Sample(path))]
        assert len(claims) <= 1, path


@pytest.mark.parametrize("form", READ, ids=lambda form: form.name)
def test_damaged_files_are_one_sentence(form: Form, tmp_path: Path):
    at = form.write(tmp_path)
    chance, said = random.Random(form.name), []
    for path in annotation_files(tmp_path):
        whole = path.read_bytes()
        for _ in range(4):
            cut = bytearray(whole[: chance.randrange(len(whole) + 1)])
            for _ in range(chance.randrange(4) if cut else 0):
                cut[chance.randrange(len(cut))] = chance.choice(b'{}[]",:<>/0 x\xff')
            path.write_bytes(cut)
            try:
                load_dataset(str(at))
            except ClipfgError as error:
                said.append(str(error))
        path.write_bytes(whole)
    assert not any("\n" in sentence for sentence in said)


@pytest.mark.parametrize("form", READ, ids=lambda form: form.name)
def test_items_of_a_picture_stand_together_on_one_side(form: Form, tmp_path: Path):
    manifest = load_dataset(str(form.write(tmp_path)), hints=Hints(**form.options))
    runs = [uri for k, uri in enumerate(manifest.uris) if k == 0 or manifest.uris[k - 1] != uri]
    assert len(runs) == len(set(runs))
    sides = set(zip(manifest.uris, manifest.column("split") or (), strict=True))
    assert len(sides) == len(runs)
    assert manifest.reading is not None
    assert manifest.reading.form


def swap(tree: Any, chance: random.Random) -> Any:
    """The tree with one value of it, at some depth, of another kind."""
    inside = list(tree.items() if isinstance(tree, dict) else enumerate(tree))
    if not inside:
        return tree
    key, value = chance.choice(inside)
    copy: Any = dict(tree) if isinstance(tree, dict) else list(tree)
    deeper = isinstance(value, dict | list) and value and chance.random() < 0.8
    odd = [None, 1, -1.5, "x", "", True, [], {}, [None], {"a": 1}, 1e300, [[1, 2]]]
    copy[key] = swap(value, chance) if deeper else chance.choice(odd)
    return copy


@pytest.mark.parametrize("form", READ, ids=lambda form: form.name)
def test_values_of_another_kind_are_one_sentence(form: Form, tmp_path: Path):
    at = form.write(tmp_path)
    chance, said = random.Random(form.name), []
    for path in (path for path in annotation_files(tmp_path) if path.suffix == ".json"):
        tree = json.loads(path.read_text(encoding="utf-8"))
        for _ in range(25):
            path.write_text(json.dumps(swap(tree, chance)), encoding="utf-8")
            try:
                load_dataset(str(at))
            except ClipfgError as error:
                said.append(str(error))
        path.write_text(json.dumps(tree), encoding="utf-8")
    assert not any("\n" in sentence for sentence in said)
