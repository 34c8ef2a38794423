"""A curated dozen of encoders: what each costs, may be used for, and scored elsewhere.

Figures are others': zero-shot accuracy with the templates of OpenAI's CLIP, per data set, from
open_clip's `docs/openclip_results.csv`; licences from the model cards. None means: not verified.
"""

from collections.abc import Iterator
from dataclasses import dataclass

SOURCE = "open_clip, docs/openclip_results.csv"

DEFAULT_MODEL = "open_clip:ViT-B-16-SigLIP/webli"
"""The encoder for real images.

Of the ViT-B/16 models with 224-pixel inputs, which a laptop's CPU can bear, SigLIP is the best on
fine-grained names by published figures: 43.8 on Aircraft against 30.6 (MetaCLIP), 29.7 (DataComp),
24.7 (DFN) and 24.2 (OpenAI), and first on Flowers, Pets and Cars too. Its weights are Apache-2.0,
which DFN's and MetaCLIP's research licences are not. The larger SigLIP models score a few points
more for 2.7 to 16 times the arithmetic; DFN5B's ViT-H leads on Aircraft, for research only.
"""

DATASETS = ("flowers102", "oxford-pets", "stanford-cars", "fgvc-aircraft", "food101")


@dataclass(frozen=True)
class CatalogueEntry:
    """One encoder of the list.

    Parameters
    ----------
    name
        What `load_encoder` takes.
    parameters
        Of both towers, in millions, counted on the published configuration.
    image_size
        The side of its square input in pixels.
    dim
        The width of its embedding space.
    licence
        Of the weights, as the model card names it (SPDX where it is one).
    accuracy
        Published zero-shot top-1 in percent on `DATASETS`, in that order.
    note
        When to choose it, in one sentence.
    """

    name: str
    parameters: float
    image_size: int
    dim: int
    licence: str | None
    accuracy: tuple[float | None, ...]
    note: str

    @property
    def download_mb(self) -> int:
        """Its float32 weights in megabytes (10^6 bytes): four bytes a parameter."""
        return round(self.parameters * 4)

    @property
    def mean_accuracy(self) -> float | None:
        """The mean over `DATASETS`, or None where one is not published."""
        known = [value for value in self.accuracy if value is not None]
        return sum(known) / len(known) if len(known) == len(DATASETS) else None


CATALOGUE: tuple[CatalogueEntry, ...] = (
    CatalogueEntry(
        DEFAULT_MODEL,
        203.16,
        224,
        768,
        "Apache-2.0",
        (85.49, 94.20, 90.81, 43.77, 91.62),
        "The default: the best fine-grained accuracy of its cost, free to use.",
    ),
    CatalogueEntry(
        "open_clip:ViT-B-16-SigLIP-384/webli",
        203.45,
        384,
        768,
        "Apache-2.0",
        (86.24, 95.15, 92.45, 45.22, 93.62),
        "The default at a higher resolution, about three times the time for an image.",
    ),
    CatalogueEntry(
        "open_clip:ViT-L-16-SigLIP-256/webli",
        652.15,
        256,
        1024,
        "Apache-2.0",
        (88.27, 96.04, 93.86, 52.59, 94.63),
        "A clear step up where a GPU or patience is at hand.",
    ),
    CatalogueEntry(
        "open_clip:ViT-SO400M-14-SigLIP-384/webli",
        877.96,
        384,
        1152,
        "Apache-2.0",
        (91.14, 96.80, 95.21, 60.69, 96.35),
        "The most accurate one that is free to use; wants a GPU.",
    ),
    CatalogueEntry(
        "open_clip:ViT-B-16-SigLIP2/webli",
        375.19,
        224,
        768,
        "Apache-2.0",
        (None,) * 5,
        "SigLIP 2: many languages and better dense features, at the default's speed.",
    ),
    CatalogueEntry(
        "open_clip:ViT-B-32-256/datacomp_s34b_b86k",
        151.29,
        256,
        512,
        "MIT",
        (78.22, 91.15, 89.90, 36.45, 89.09),
        "The quick one: two fifths of the default's arithmetic, and not far behind.",
    ),
    CatalogueEntry(
        "open_clip:ViT-B-32/laion2b_s34b_b79k",
        151.28,
        224,
        512,
        None,
        (70.24, 90.76, 86.07, 24.53, 82.69),
        "The smallest ViT; much used, so good for comparison with others' results.",
    ),
    CatalogueEntry(
        "open_clip:ViT-B-16/datacomp_xl_s13b_b90k",
        149.62,
        224,
        512,
        "MIT",
        (77.01, 92.54, 88.83, 29.70, 90.47),
        "The usual ViT-B/16 trained on open data, with softmax scoring.",
    ),
    CatalogueEntry(
        "open_clip:ViT-L-14/datacomp_xl_s13b_b90k",
        427.62,
        224,
        768,
        "MIT",
        (82.62, 95.06, 93.05, 47.50, 94.52),
        "A large model trained on open data, with softmax scoring.",
    ),
    CatalogueEntry(
        "open_clip:ViT-B-16/dfn2b",
        149.62,
        224,
        512,
        "apple-amlr",
        (82.01, 93.72, 90.73, 24.73, 91.30),
        "Filtered data; its licence allows research only.",
    ),
    CatalogueEntry(
        "open_clip:ViT-H-14-378-quickgelu/dfn5b",
        986.71,
        378,
        1024,
        "apple-amlr",
        (89.35, 96.96, 95.98, 72.19, 96.23),
        "The most accurate of the list; a GPU, and research only.",
    ),
    CatalogueEntry(
        "open_clip:ViT-B-16-quickgelu/openai",
        149.62,
        224,
        512,
        None,
        (69.07, 88.86, 64.77, 24.21, 88.72),
        "The original CLIP, the baseline of most papers.",
    ),
)


def table() -> str:
    """The catalogue as a Markdown table, as docs/models.md shows it."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    heads = ("Flowers", "Pets", "Cars", "Aircraft", "Food", "mean")
    yield (
        "| name | parameters, M | input | width | download, MB | licence | "
        + " | ".join(heads)
        + " | |"
    )
    yield "|---|--:|--:|--:|--:|---|" + "--:|" * len(heads) + "---|"
    for entry in CATALOGUE:
        figures = " | ".join(
            "" if value is None else f"{value:.1f}"
            for value in (*entry.accuracy, entry.mean_accuracy)
        )
        yield (
            f"| `{entry.name}` | {entry.parameters:.0f} | {entry.image_size} | {entry.dim}"
            f" | {entry.download_mb} | {entry.licence or 'not verified'} | {figures}"
            f" | {entry.note} |"
        )
