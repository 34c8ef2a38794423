"""iNaturalist 2021: the official layout in miniature."""

import json
from pathlib import Path

import pytest

from clipfg.data.sets.inaturalist import read
from clipfg.errors import DataError
from tests.data.layouts import touch

WORM = "00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris"
GANNET = "03010_Animalia_Chordata_Aves_Suliformes_Sulidae_Morus_bassanus"
MULBERRY = "09900_Plantae_Tracheophyta_Magnoliopsida_Rosales_Moraceae_Morus_alba"


def lay_out(root: Path) -> Path:
    touch(root, f"val/{WORM}/a.jpg", f"val/{GANNET}/b.jpg", f"val/{MULBERRY}/c.jpg")
    touch(root, f"train_mini/{WORM}/d.jpg")
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    assert manifest.ids[0] == f"train_mini/{WORM}/d.jpg"
    assert manifest.labels.tolist() == [0, 0, 1, 2]
    assert manifest.splits == {"train": 1, "val": 3}
    classes = manifest.classes
    assert classes is not None
    assert classes.names == ("Lumbricus terrestris", "Morus bassanus", "Morus alba")
    # A bird's genus and a tree's have one name, and so has a class that nobody may mix up.
    assert classes.lineage("Morus bassanus")[:2] == ("Morus (Sulidae)", "Sulidae")
    assert classes.lineage("Morus alba")[:2] == ("Morus (Moraceae)", "Moraceae")
    worm = ("Lumbricus", "Lumbricidae", "Haplotaxida", "Clitellata", "Annelida", "Animalia")
    assert classes.lineage("Lumbricus terrestris") == worm


def test_categories_without_images_come_from_the_json(tmp_path: Path) -> None:
    lay_out(tmp_path)
    missing = "00001_Animalia_Annelida_Polychaeta_Sabellida_Sabellidae_Sabella_pavonina"
    names = [{"image_dir_name": name} for name in (WORM, missing, GANNET, MULBERRY)]
    (tmp_path / "val.json").write_text(json.dumps({"categories": names}))
    manifest = read(tmp_path)
    assert manifest.labels.tolist() == [0, 0, 2, 3]
    (tmp_path / "val.json").write_text("{}")
    with pytest.raises(DataError, match="image_dir_name"):
        read(tmp_path)


def test_other_folders(tmp_path: Path) -> None:
    touch(lay_out(tmp_path), "val/daisies/x.jpg")
    with pytest.raises(DataError, match="got 'daisies'"):
        read(tmp_path)
