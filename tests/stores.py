"""A key store of synthetic flowers, and image files of others."""

from pathlib import Path

from clipfg.data.loading import load_dataset
from clipfg.data.sources import read
from clipfg.embedding.pipeline import collect
from clipfg.encoders import load_encoder
from clipfg.store import KeyStore
from clipfg.types import Manifest


def drawn(split: str, classes: int, per_class: int) -> Manifest:
    """The first images of the first classes of a split of the built-in data."""
    manifest = load_dataset("synthflora").select(split)
    labels = manifest.labels.tolist()
    first = list(dict.fromkeys(labels))[:classes]
    rows = [i for label in first for i in _of(labels, label)[:per_class]]
    return Manifest.build(
        "drawn", manifest.table.take(rows).to_pydict(), manifest.classes, prompts="synthflora"
    )


def _of(labels: list[int], label: int) -> list[int]:
    return [i for i, own in enumerate(labels) if own == label]


def store_of(manifest: Manifest, path: Path) -> KeyStore:
    """A store of its images by the built-in encoder, saved to `path`."""
    encoder = load_encoder("builtin:florette", precision="fp32", device="cpu")
    store = KeyStore.of(
        manifest.table.select(["id", "uri", "split", "label"]),
        collect(manifest, encoder, None).pooled,
        classes=manifest.classes,
        model=encoder.name,
        precision="fp32",
        fingerprint=encoder.fingerprint,
    )
    store.save(path)
    return store


def photos_of(manifest: Manifest, folder: Path) -> list[Path]:
    """Its images as files, in one folder per class."""
    assert manifest.classes is not None
    paths = []
    for number, (uri, label) in enumerate(zip(manifest.uris, manifest.labels, strict=True)):
        path = folder / manifest.classes.names[label] / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read(uri))
        paths.append(path)
    return paths
