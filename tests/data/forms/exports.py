"""What programs export: Labelbox, Custom Vision, V7 Darwin, Supervisely, pandas; and YAML."""

import json

from tests.data.forms.form import PICTURE, Form
from tests.data.forms.tables import BIRDS, FILES, pictures, three

PAIRS = [*zip(FILES, BIRDS, strict=True)]
TWICE = pictures("", "2")
BOX = {"top": 1, "left": 2, "height": 4, "width": 4}


def labelbox(name: str, bird: str, *others: str, boxed: bool = False) -> str:
    """A picture with the answer of each person."""
    marks = []
    for one in (bird, *others):
        answer = {"name": "species", "radio_answer": {"name": one, "value": one.lower()}}
        mark = {"objects": [], "classifications": [answer]}
        if boxed:
            mark = {"objects": [{"name": one, "bounding_box": BOX}], "classifications": []}
        marks.append({"annotations": mark})
    return json.dumps(
        {
            "data_row": {"id": "c1", "external_id": name, "row_data": f"https://x.org/{name}"},
            "media_attributes": {"height": 8, "width": 8},
            "projects": {"p1": {"name": "birds", "labels": marks}},
        }
    )


def darwin(name: str, bird: str) -> str:
    item = {"name": name, "path": "/", "slots": [{"type": "image", "width": 8, "height": 8}]}
    return json.dumps(
        {"version": "2.0", "item": item, "annotations": [{"id": "a", "name": bird, "tag": {}}]}
    )


def supervisely(tag: dict[str, object]) -> str:
    size = {"height": 8, "width": 8}
    return json.dumps({"description": "", "tags": [tag], "size": size, "objects": []})


EXPORTS = [
    three(
        "labelbox",
        "Labelbox: answers",
        "\n".join(labelbox(*pair) for pair in PAIRS),
        "export.ndjson",
        typed="",
    ),
    three(
        "labelbox-agreed",
        "Labelbox: people who agree",
        "\n".join(labelbox(name, bird, bird) for name, bird in PAIRS),
        "export.ndjson",
        typed="",
    ),
    three(
        "labelbox-disputed",
        "Labelbox: people who do not agree on a picture",
        "\n".join([labelbox(*PAIRS[0], BIRDS[1]), *(labelbox(*pair) for pair in PAIRS[1:])]),
        "export.ndjson",
        typed="",
        refused="--several-labels first",
    ),
    Form(
        "labelbox-boxes",
        "Labelbox: boxes",
        {
            **pictures("img/"),
            "export.ndjson": "\n".join(labelbox(*pair, boxed=True) for pair in PAIRS),
        },
        items=3,
        classes=BIRDS,
        labels={f"img/{FILES[0]}#2,1,6,5": BIRDS[0]},
    ),
    three(
        "custom-vision",
        "Azure Custom Vision: images with tags, by their addresses",
        json.dumps(
            [
                {"id": "x", "originalImageUri": f"https://x.org/{n}?sv=1", "tags": [{"tagName": b}]}
                for n, b in PAIRS
            ]
        ),
        "images.json",
        typed="",
    ),
    Form(
        "darwin",
        "V7 Darwin: a file a picture, with tags",
        {**pictures("img/"), **{f"annotations/{n}.json": darwin(*p) for n, p in enumerate(PAIRS)}},
        items=3,
        classes=BIRDS,
        labels={f"img/{FILES[0]}": BIRDS[0]},
    ),
    Form(
        "supervisely",
        "Supervisely: tags by picture, in two sets with the same names",
        {
            **{f"{split}/img/{name}": PICTURE for split in ("train", "val") for name in FILES},
            **{
                f"train/ann/{name}.json": supervisely({"name": bird, "value": None})
                for name, bird in PAIRS
            },
            **{
                f"val/ann/{name}.json": supervisely({"name": "species", "value": bird})
                for name, bird in zip(FILES, BIRDS[::-1], strict=True)
            },
            "meta.json": '{"classes": [], "tags": []}',
        },
        items=6,
        classes=BIRDS,
        labels={f"train/img/{FILES[0]}": BIRDS[0], f"val/img/{FILES[0]}": BIRDS[2]},
        splits={"train": 3, "val": 3},
    ),
    *(
        three(
            name, what, content, at, typed="", files=TWICE if "- 2" in content else None, items=None
        )
        for name, what, at, content in (
            (
                "pandas-columns",
                "a table as pandas writes JSON",
                "labels.json",
                json.dumps(
                    {
                        "path": {str(n): one for n, one in enumerate(FILES)},
                        "label": {str(n): one for n, one in enumerate(BIRDS)},
                    }
                ),
            ),
            (
                "yaml-pairs",
                "YAML from pictures to classes",
                "labels.yaml",
                "".join(f"{name}: {bird}\n" for name, bird in PAIRS),
            ),
            (
                "yaml-lists",
                "YAML from classes to lists of pictures",
                "labels.yaml",
                "".join(f"{bird}:\n  - {name}\n  - 2{name}\n" for name, bird in PAIRS),
            ),
            (
                "yaml-records",
                "YAML with a record for each picture",
                "labels.yml",
                "".join(f"- file: {name}\n  label: {bird}\n" for name, bird in PAIRS),
            ),
        )
    ),
]
