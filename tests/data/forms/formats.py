"""Annotation formats as people have them, each with its right reading."""

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.data.forms.exports import EXPORTS
from tests.data.forms.form import PICTURE, Form

JAY, BOBOLINK, MALLARD = BIRDS = ("Blue Jay", "Bobolink", "Mallard")
WIDE, HIGH = 90, 50
CORNERS = ((2, 3, 24, 25), (33, 24, 55, 46), (65, 12, 87, 34))
"""The boxes of three birds in a scene."""

IDS = tuple(f"scene1.jpg#{','.join(map(str, box))}" for box in CORNERS)


def scene(width: int = WIDE, height: int = HIGH, turn: int = 1) -> bytes:
    """A picture of a size, with an EXIF orientation."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.new("RGB", (width, height), (90, 120, 80)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


SCENE = scene()


def xywh(box: tuple[int, int, int, int]) -> list[int]:
    x0, y0, x1, y1 = box
    return [x0, y0, x1 - x0, y1 - y0]


def shares(box: tuple[int, int, int, int], whole: float = 1.0) -> list[float]:
    x, y, w, h = xywh(box)
    return [whole * x / WIDE, whole * y / HIGH, whole * w / WIDE, whole * h / HIGH]


def centre(box: tuple[int, int, int, int]) -> list[float]:
    x, y, w, h = shares(box)
    return [x + w / 2, y + h / 2, w, h]


def ids(prefix: str = "") -> dict[str, str | None]:
    return dict(zip((prefix + one for one in IDS), BIRDS, strict=True))


def boxed(name: str, what: str, files: dict[str, Any], prefix: str = "", **rest: Any) -> Form:
    """A form that holds three boxes of three birds in one scene."""
    rest = {"items": 3, "classes": BIRDS, "labels": ids(prefix), **rest}
    return Form(name, what, {f"{prefix}scene1.jpg": SCENE} | files, **rest)


def named(name: str, what: str, files: dict[str, Any], *pictures: str, **rest: Any) -> Form:
    """A form that holds three pictures of three birds."""
    labels = dict(zip(pictures, BIRDS, strict=True))
    rest = {"items": 3, "classes": BIRDS, "labels": labels, **rest}
    return Form(name, what, dict.fromkeys(pictures, PICTURE) | files, **rest)


def coco(*images: dict[str, Any], categories: tuple[str, ...] = BIRDS, **more: Any) -> str:
    """A COCO file with the three boxes in each image."""
    listed = [{"id": k, "width": WIDE, "height": HIGH, **one} for k, one in enumerate(images, 1)]
    marked = [
        {"id": 10 * image["id"] + k, "image_id": image["id"], "category_id": k, "bbox": xywh(box)}
        for image in listed
        for k, box in enumerate(CORNERS, 1)
    ]
    kinds = [{"id": k, "name": one} for k, one in enumerate(categories, 1)]
    return json.dumps({"images": listed, "annotations": marked, "categories": kinds} | more)


def table(header: str, rows: list[list[Any]], between: str = ",") -> str:
    lines = [between.join(str(cell) for cell in row) for row in rows]
    return "\n".join([header, *lines]) + "\n"


PAIRS = list(zip(BIRDS, CORNERS, strict=True))
YOLO = "".join(
    f"{k} {' '.join(f'{v:.6f}' for v in centre(box))}\n" for k, box in enumerate(CORNERS)
)
YAML = "train: images/train\nval: images/val\nnames:\n  0: Blue Jay\n  1: Bobolink\n  2: Mallard\n"
ROBOFLOW_YAML = (
    "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 3\n"
    "names: ['Blue Jay', 'Bobolink', 'Mallard']\n"
)
ROBOFLOW = "filename,width,height,class,xmin,ymin,xmax,ymax"
ROBOFLOW_ROWS = [["scene1.jpg", WIDE, HIGH, name, *box] for name, box in PAIRS]

TABLES = [
    boxed(
        "boxes-defects",
        "places in columns x and y, which is no class, and a class called defect",
        {
            "log.csv": table(
                "image,defect,x,y,width,height",
                [["scene1.jpg", name, *xywh(box)] for name, box in PAIRS],
            )
        },
        labels=ids(),
    ),
    boxed(
        "boxes-commas",
        "decimal commas, and a column of classes that nobody knows",
        {
            "log.csv": table(
                "Datei;Vogel;xmin;ymin;xmax;ymax",
                [["scene1.jpg", name, *(f"{v},0" for v in box)] for name, box in PAIRS],
                ";",
            )
        },
        labels=ids(),
        options={"label_column": "Vogel"},
    ),
    Form(
        "boxes-unknown-class",
        "boxes whose column of classes nobody knows",
        {
            "scene1.jpg": SCENE,
            "log.csv": table(
                "image,vogel,x_center,y_center,w,h",
                [["scene1.jpg", name, *centre(box)] for name, box in PAIRS],
            ),
        },
        items=3,
        doubt="(vogel); name it by --label-column",
    ),
    Form(
        "yolo-without-names",
        "YOLO labels without a data.yaml",
        {"train/images/scene1.jpg": SCENE, "train/labels/scene1.txt": YOLO},
        splits={"train": 1},
        doubt="lacks the names of its classes",
    ),
    boxed(
        "a02",
        "boxes under clipfg's own names",
        {"boxes.csv": table("path,label,x0,y0,x1,y1", [["scene1.jpg", n, *b] for n, b in PAIRS])},
        doubt="",
    ),
    boxed(
        "a02-file",
        "the same, named itself",
        {"boxes.csv": table("path,label,x0,y0,x1,y1", [["scene1.jpg", n, *b] for n, b in PAIRS])},
        at="boxes.csv",
    ),
    boxed(
        "a03",
        "Roboflow's _annotations.csv",
        {"test/_annotations.csv": table(ROBOFLOW, ROBOFLOW_ROWS)},
        "test/",
        splits={"test": 3},
        doubt="",
    ),
    boxed(
        "a03-file",
        "the same, named itself",
        {"test/_annotations.csv": table(ROBOFLOW, ROBOFLOW_ROWS)},
        "test/",
        at="test/_annotations.csv",
        labels=ids(),
        splits={"test": 3},
    ),
    boxed(
        "corner-and-size",
        "x, y, w, h",
        {"b.csv": table("image,class,x,y,w,h", [["scene1.jpg", n, *xywh(b)] for n, b in PAIRS])},
    ),
    boxed(
        "centres",
        "x_center, y_center, width, height as shares",
        {
            "b.csv": table(
                "image,class,x_center,y_center,width,height",
                [["scene1.jpg", n, *centre(b)] for n, b in PAIRS],
            )
        },
    ),
    boxed(
        "shares",
        "corners as shares",
        {
            "b.csv": table(
                "image,class,xmin,ymin,xmax,ymax",
                [
                    ["scene1.jpg", n, b[0] / WIDE, b[1] / HIGH, b[2] / WIDE, b[3] / HIGH]
                    for n, b in PAIRS
                ],
            )
        },
    ),
    boxed(
        "bbox-column",
        "a column bbox that can only be x, y, w, h",
        {
            "b.csv": table(
                "image;class;bbox", [["scene1.jpg", n, xywh(b)] for n, b in PAIRS], between=";"
            )
        },
    ),
    Form(
        "bbox-unclear",
        "a column bbox that may be corners, or a corner and a size",
        {
            "scene1.jpg": SCENE,
            "b.csv": 'image,class,bbox\nscene1.jpg,Blue Jay,"[10, 10, 20, 20]"\n',
        },
        at="b.csv",
        refused="--box-format",
    ),
    Form(
        "bbox-settled",
        "the same, with --box-format",
        {
            "scene1.jpg": SCENE,
            "b.csv": 'image,class,bbox\nscene1.jpg,Blue Jay,"[10, 10, 20, 20]"\n',
        },
        items=1,
        classes=(JAY,),
        labels={"scene1.jpg#10,10,30,30": JAY},
        options={"box_format": "xywh"},
    ),
    Form(
        "wrong-corners",
        "corner and size under the names of corners",
        {
            "scene1.jpg": SCENE,
            "b.csv": table(
                "path,label,x0,y0,x1,y1", [["scene1.jpg", n, *xywh(b)] for n, b in PAIRS]
            ),
        },
        refused="xywh",
    ),
    boxed(
        "more-columns",
        "a row without a box is no item of a picture with boxes",
        {
            "b.csv": table(
                "path,label,x0,y0,x1,y1,confidence",
                [*(["scene1.jpg", n, *b, 0.9] for n, b in PAIRS), ["scene1.jpg", JAY, *[""] * 5]],
            )
        },
    ),
]

COCO = [
    Form(
        "a09",
        "COCO as published: train2017/, val2017/, annotations/",
        {
            "train2017/scene1.jpg": SCENE,
            "val2017/scene2.jpg": SCENE,
            "annotations/instances_train2017.json": coco({"file_name": "scene1.jpg"}),
        },
        items=3,
        classes=BIRDS,
        labels=ids("train2017/"),
        splits={"train": 3},
        left_out=("val2017/scene2.jpg",),
    ),
    Form(
        "coco-splits",
        "two splits, key points and captions beside them, the same names in both",
        {
            "train2017/scene1.jpg": SCENE,
            "val2017/scene1.jpg": SCENE,
            "annotations/instances_train2017.json": coco({"file_name": "scene1.jpg"}),
            "annotations/instances_val2017.json": coco({"file_name": "scene1.jpg"}),
            "annotations/person_keypoints_val2017.json": coco({"file_name": "scene1.jpg"}),
            "annotations/captions_val2017.json": json.dumps(
                {"images": [{"id": 1}], "annotations": [{"image_id": 1, "caption": "a bird"}]}
            ),
        },
        items=6,
        classes=BIRDS,
        labels=ids("train2017/") | ids("val2017/"),
        splits={"train": 3, "val": 3},
        doubt="",
    ),
    Form(
        "coco-roboflow",
        "Roboflow: a file in each split, and a category above the others",
        {
            f"{split}/{name}": content
            for split in ("train", "valid")
            for name, content in {
                f"{split}1.jpg": SCENE,
                "_annotations.coco.json": json.dumps(
                    {
                        "images": [
                            {"id": 0, "file_name": f"{split}1.jpg", "width": 90, "height": 50}
                        ],
                        "categories": [
                            {"id": 0, "name": "birds", "supercategory": "none"},
                            {"id": 1, "name": "Bobolink", "supercategory": "birds"},
                            {"id": 2, "name": "Blue Jay", "supercategory": "birds"},
                        ],
                        "annotations": [
                            {"id": 0, "image_id": 0, "category_id": 1, "bbox": [2, 3, 22, 22]},
                            {"id": 1, "image_id": 0, "category_id": 2, "bbox": [33, 24, 22, 22]},
                        ],
                    }
                ),
            }.items()
        },
        items=4,
        classes=(BOBOLINK, JAY),
        labels={"train/train1.jpg#2,3,24,25": BOBOLINK},
        splits={"train": 2, "val": 2},
    ),
    boxed(
        "coco-fiftyone",
        "FiftyOne: data/ and labels.json",
        {"labels.json": coco({"file_name": "scene1.jpg"}, info={"year": ""})},
        "data/",
    ),
    boxed(
        "coco-wrapped",
        "the same in an unpacked archive",
        {"birds/export/labels.json": coco({"file_name": "scene1.jpg"})},
        "birds/export/data/",
    ),
    Form(
        "coco-crowd",
        "a crowd, a picture without marks, and one that is not on disk",
        {
            "scene1.jpg": SCENE,
            "empty.jpg": SCENE,
            "coco.json": coco(
                {"file_name": "scene1.jpg"},
                annotations=[
                    {"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 3, 22, 22]},
                    {"id": 2, "image_id": 1, "category_id": 2, "bbox": [1, 1, 9, 9], "iscrowd": 1},
                ],
                images=[
                    {"id": 1, "file_name": "scene1.jpg"},
                    {"id": 2, "file_name": "empty.jpg"},
                    {"id": 3, "file_name": "gone.jpg"},
                ],
            ),
        },
        items=1,
        classes=BIRDS,
        labels={IDS[0]: JAY},
        left_out=("annotation 2", "empty.jpg", "gone.jpg"),
    ),
    named(
        "cct",
        "COCO Camera Traps: labels of pictures; category 0 is empty",
        {
            "empty.jpg": PICTURE,
            "cct.json": json.dumps(
                {
                    "info": {"version": "1.0"},
                    "categories": [
                        {"id": k, "name": name}
                        for k, name in enumerate(("empty", "blue_jay", "bobolink", "mallard"))
                    ],
                    "images": [
                        {"id": f"i{k}", "file_name": name, "location": "L1"}
                        for k, name in enumerate(
                            ("empty.jpg", "images/a.jpg", "images/b.jpg", "images/c.jpg")
                        )
                    ],
                    "annotations": [
                        {"id": str(k), "image_id": f"i{k}", "category_id": k} for k in range(4)
                    ],
                }
            ),
        },
        "images/a.jpg",
        "images/b.jpg",
        "images/c.jpg",
        classes=("blue jay", "bobolink", "mallard"),
        labels={"images/a.jpg": "blue jay", "images/c.jpg": "mallard"},
        left_out=("empty.jpg",),
    ),
    named(
        "b09",
        "COCO Camera Traps without an empty picture",
        {
            "cct.json": json.dumps(
                {
                    "categories": [
                        {"id": k, "name": name}
                        for k, name in enumerate(("empty", "blue_jay", "bobolink", "mallard"))
                    ],
                    "images": [
                        {"id": stem, "file_name": f"images/{stem}.jpg", "seq_id": "s1"}
                        for stem in "abc"
                    ],
                    "annotations": [
                        {"id": str(k), "image_id": stem, "category_id": k}
                        for k, stem in enumerate("abc", 1)
                    ],
                }
            )
        },
        "images/a.jpg",
        "images/b.jpg",
        "images/c.jpg",
        classes=("blue jay", "bobolink", "mallard"),
        labels={"images/a.jpg": "blue jay", "images/c.jpg": "mallard"},
        doubt="",
    ),
    Form(
        "coco-thumbnails",
        "boxes of pictures twice as large",
        {
            "scene1.jpg": SCENE,
            "c.json": coco({"file_name": "scene1.jpg", "width": 180, "height": 100}),
        },
        items=3,
        classes=BIRDS,
        labels={"scene1.jpg#1,2,12,12": JAY},
        doubt="another size",
    ),
    Form(
        "coco-other-pictures",
        "boxes of pictures of another shape",
        {"scene1.jpg": scene(60, 60), "c.json": coco({"file_name": "scene1.jpg"})},
        refused="90 x 50",
    ),
    boxed(
        "coco-turned",
        "marked as stored, and shown turned by its EXIF orientation",
        {"scene1.jpg": scene(WIDE, HIGH, 6), "c.json": coco({"file_name": "scene1.jpg"})},
        labels={"scene1.jpg#25,2,47,24": JAY, "scene1.jpg#16,65,38,87": MALLARD},
    ),
    boxed(
        "coco-upright",
        "marked upright, and shown turned by its EXIF orientation",
        {"scene1.jpg": scene(HIGH, WIDE, 6), "c.json": coco({"file_name": "scene1.jpg"})},
    ),
]

YOLOS = [
    Form(
        "a08",
        "YOLO: images/train, labels/train and data.yaml",
        {
            "images/train/scene1.jpg": SCENE,
            "images/val/scene2.jpg": SCENE,
            "labels/train/scene1.txt": YOLO,
            "labels/val/scene2.txt": YOLO,
            "data.yaml": YAML,
        },
        items=6,
        classes=BIRDS,
        labels=ids("images/train/"),
        splits={"train": 3, "val": 3},
        doubt="",
    ),
    Form(
        "yolo-roboflow",
        "Roboflow: train/images, train/labels, paths that lead out, no test/",
        {
            "train/images/scene1.jpg": SCENE,
            "valid/images/scene2.jpg": SCENE,
            "train/labels/scene1.txt": YOLO,
            "valid/labels/scene2.txt": "",
            "data.yaml": ROBOFLOW_YAML,
        },
        items=3,
        classes=BIRDS,
        labels=ids("train/images/"),
        splits={"train": 3},
        left_out=("valid/images/scene2.jpg", "../test/images"),
    ),
    Form(
        "yolo-shapes",
        "polygons and confidences",
        {
            "images/scene1.jpg": SCENE,
            "labels/scene1.txt": "0 0.1 0.1 0.3 0.1 0.3 0.5 0.1 0.5\n1 0.5 0.5 0.2 0.4 0.7\n",
            "classes.txt": "Blue Jay\nBobolink\n",
        },
        items=2,
        classes=(JAY, BOBOLINK),
        labels={"images/scene1.jpg#9,5,27,25": JAY, "images/scene1.jpg#36,15,54,35": BOBOLINK},
    ),
    Form(
        "yolo-unknown",
        "a class that data.yaml lacks",
        {
            "images/train/scene1.jpg": SCENE,
            "labels/train/scene1.txt": "7 0.5 0.5 0.2 0.2\n",
            "data.yaml": YAML,
        },
        refused="class 7",
    ),
]


def detections(*images: dict[str, Any], **more: Any) -> str:
    """MegaDetector's JSON."""
    kinds = {"1": "animal", "2": "person", "3": "vehicle"}
    info = {"format_version": "1.3", "detector": "md_v5a.0.0.pt"}
    return json.dumps({"info": info, "detection_categories": kinds, "images": images} | more)


FOUND = [
    {"category": "1", "conf": conf, "bbox": shares(box)}
    for conf, box in zip((0.93, 0.91, 0.88), CORNERS, strict=True)
]
SEEN = {
    "file": "scene1.jpg",
    "detections": [*FOUND, {"category": "2", "conf": 0.9, "bbox": [0, 0, 0.1, 0.1]}],
}
UNSURE = [*FOUND[:2], {**FOUND[2], "conf": 0.18}]
UNLABELLED: dict[str, str | None] = dict.fromkeys(IDS)
ELSE = (
    {"file": "empty.jpg", "detections": []},
    {"file": "bad.jpg", "failure": "Failure image access", "detections": None},
)

DETECTORS = [
    boxed(
        "b08",
        "MegaDetector: animals only; null is a failure, [] is empty",
        {"md.json": detections(SEEN, *ELSE), "empty.jpg": SCENE, "bad.jpg": SCENE},
        at="md.json",
        classes=(),
        labels=UNLABELLED,
        left_out=("bad.jpg", "empty.jpg"),
    ),
    boxed(
        "md-unsure",
        "an animal below the default threshold",
        {"md.json": detections({"file": "scene1.jpg", "detections": UNSURE})},
        at="md.json",
        items=2,
        classes=(),
        labels={IDS[0]: None, IDS[1]: None},
        left_out=(IDS[2],),
    ),
    boxed(
        "md-sure",
        "the same with --min-confidence: ids stay",
        {"md.json": detections(SEEN)},
        at="md.json",
        items=1,
        classes=(),
        labels={IDS[0]: None},
        options={"min_confidence": 0.92},
    ),
    boxed(
        "md-last",
        "an older file, which explains its categories at the end",
        {
            "md.json": json.dumps(
                {"images": [SEEN], "detection_categories": {"1": "animal", "2": "person"}}
            )
        },
        at="md.json",
        classes=(),
        labels=UNLABELLED,
    ),
    boxed(
        "microsoft",
        "Microsoft's list: corners in pixels",
        {
            "md.json": json.dumps(
                [
                    {
                        "file": "photos/scene1.jpg",
                        "detections": [
                            {"category": "animal", "confidence": 0.93, "bbox": CORNERS[0]},
                            {"category": "vehicle", "confidence": 0.93, "bbox": CORNERS[1]},
                        ],
                    }
                ]
            )
        },
        at="md.json",
        items=1,
        classes=(),
        labels={IDS[0]: None},
    ),
    boxed(
        "speciesnet",
        "SpeciesNet: a taxon for the picture; a blank one is none",
        {
            "blank.jpg": SCENE,
            "s.json": json.dumps(
                {
                    "predictions": [
                        {
                            "filepath": "scene1.jpg",
                            "detections": [{**FOUND[0], "label": "animal"}],
                            "prediction": "u;aves;passeriformes;corvidae;cyanocitta;cristata;"
                            "blue jay",
                            "prediction_score": 0.9,
                        },
                        {
                            "filepath": "blank.jpg",
                            "detections": [],
                            "prediction": "f1;;;;;;blank",
                        },
                    ]
                }
            ),
        },
        at="s.json",
        items=1,
        classes=("blue jay",),
        labels={IDS[0]: "blue jay"},
        doubt="SpeciesNet",
    ),
    boxed(
        "md-classified",
        "MegaDetector with classifications, as Timelapse and EcoAssist have it",
        {
            "md.json": detections(
                {
                    "file": "scene1.jpg",
                    "detections": [
                        {**FOUND[0], "classifications": [["1", 0.2], ["0", 0.8]]},
                        {**FOUND[1], "classifications": [["2", 0.9]]},
                    ],
                },
                classification_categories={"0": "Blue Jay", "1": "Bobolink", "2": "person"},
            )
        },
        at="md.json",
        items=1,
        classes=(JAY,),
        labels={IDS[0]: JAY},
    ),
    Form(
        "md-folders",
        "class folders with MegaDetector's file: labels of the folders, boxes of the file",
        {
            "Blue Jay/1.jpg": SCENE,
            "Bobolink/2.jpg": SCENE,
            "Bobolink/3.jpg": SCENE,
            "md.json": detections(
                {"file": "Blue Jay/1.jpg", "detections": FOUND[:2]},
                {"file": "Bobolink/2.jpg", "detections": []},
            ),
        },
        items=3,
        classes=(JAY, BOBOLINK),
        labels={
            "Blue Jay/1.jpg#2,3,24,25": JAY,
            "Blue Jay/1.jpg#33,24,55,46": JAY,
            "Bobolink/3.jpg": BOBOLINK,
        },
        left_out=("Bobolink/2.jpg",),
        doubt="used whole",
    ),
]


DETECTORS += [
    Form(
        "boxes-without-labels",
        "class folders with a table of boxes that has no labels",
        {
            "Blue Jay/1.jpg": SCENE,
            "Bobolink/2.jpg": SCENE,
            "boxes.csv": "path,xmin,ymin,xmax,ymax\nBlue Jay/1.jpg,2,3,24,25\n2.jpg,33,24,55,46\n",
        },
        items=2,
        classes=(JAY, BOBOLINK),
        labels={"Blue Jay/1.jpg#2,3,24,25": JAY, "Bobolink/2.jpg#33,24,55,46": BOBOLINK},
        doubt="",
    ),
    Form(
        "md-table",
        "a table of labels with MegaDetector's file",
        {
            "images/1.jpg": SCENE,
            "images/2.jpg": SCENE,
            "labels.csv": "path,label\n1.jpg,Blue Jay\n2.jpg,Bobolink\n",
            "md.json": detections(
                {"file": "images/1.jpg", "detections": FOUND[:2]},
                {"file": "images/2.jpg", "detections": FOUND[2:]},
            ),
        },
        items=3,
        classes=(JAY, BOBOLINK),
    ),
    Form(
        "foreign-beside",
        "photos with a list of class numbers",
        {"a.jpg": PICTURE, "b.jpg": PICTURE, "default.txt": "a.jpg 0\nb.jpg 1\n"},
        items=2,
        classes=(),
        doubt="no class names",
    ),
    boxed(
        "wheat",
        "Kaggle: image_id without suffix, bbox, no labels",
        {
            "train.csv": table(
                "image_id,width,height,bbox,source",
                [["scene1", WIDE, HIGH, f'"{xywh(b)}"', "x"] for b in CORNERS],
            )
        },
        "train/",
        classes=(),
        labels=dict.fromkeys(f"train/{one}" for one in IDS),
        splits={"train": 3},
    ),
]


def voc(name: str, count: int = 3) -> str:
    """A Pascal VOC file."""
    sides = ("xmin", "ymin", "xmax", "ymax")
    things = "".join(
        f"<object><name>{bird}</name><bndbox>"
        + "".join(f"<{side}>{value}</{side}>" for side, value in zip(sides, box, strict=True))
        + "</bndbox></object>"
        for bird, box in PAIRS[:count]
    )
    size = f"<size><width>{WIDE}</width><height>{HIGH}</height><depth>3</depth></size>"
    return f"<annotation><filename>{name}</filename>{size}{things}</annotation>"


LABELME = {"version": "5.2.1", "imageData": None, "imageHeight": HIGH, "imageWidth": WIDE}
EACH = [
    boxed(
        "b11",
        "Pascal VOC",
        {"Annotations/scene1.xml": voc("scene1.jpg", 2)},
        "JPEGImages/",
        items=2,
        classes=(JAY, BOBOLINK),
        labels={f"JPEGImages/{IDS[0]}": JAY, f"JPEGImages/{IDS[1]}": BOBOLINK},
        doubt="",
    ),
    boxed(
        "voc-annotations",
        "its folder of annotations",
        {"Annotations/scene1.xml": voc("scene1.jpg")},
        "JPEGImages/",
        at="Annotations",
    ),
    boxed(
        "voc-splits",
        "Pascal VOC with ImageSets",
        {
            "Annotations/scene1.xml": voc("scene1.jpg"),
            "ImageSets/Main/train.txt": "",
            "ImageSets/Main/val.txt": "scene1\n",
            "ImageSets/Main/Blue Jay_val.txt": "scene1 1\n",
        },
        "JPEGImages/",
        splits={"val": 3},
    ),
    Form(
        "voc-roboflow",
        "Roboflow: XML files beside the pictures of each split",
        {
            f"{split}/{name}": content
            for split in ("train", "test")
            for name, content in {"1.jpg": SCENE, "1.xml": voc("1.jpg")}.items()
        },
        items=6,
        classes=BIRDS,
        labels={"train/1.jpg#2,3,24,25": JAY, "test/1.jpg#2,3,24,25": JAY},
        splits={"train": 3, "test": 3},
    ),
    Form(
        "voc-entities",
        "XML with entities",
        {
            "scene1.jpg": SCENE,
            "scene1.xml": '<!DOCTYPE a [<!ENTITY x "boom">]><annotation>&x;</annotation>',
        },
        refused="entities",
    ),
    named(
        "labelme-flags",
        "LabelMe flags of each picture",
        {
            f"{stem}.json": json.dumps(
                LABELME
                | {
                    "imagePath": f"{stem}.jpg",
                    "flags": {bird: True, "blurred": False},
                    "shapes": [],
                }
                | {"imageWidth": 8, "imageHeight": 8}
            )
            for stem, bird in zip("abc", BIRDS, strict=True)
        },
        "a.jpg",
        "b.jpg",
        "c.jpg",
        doubt="",
    ),
    Form(
        "b12",
        "LabelMe flags of one picture of three",
        {
            "a.jpg": PICTURE,
            "b.jpg": PICTURE,
            "c.jpg": PICTURE,
            "a.json": json.dumps(
                LABELME
                | {"imagePath": "a.jpg", "flags": {JAY: True, BOBOLINK: False}, "shapes": []}
                | {"imageWidth": 8, "imageHeight": 8}
            ),
        },
        items=1,
        classes=(JAY,),
        labels={"a.jpg": JAY},
    ),
    boxed(
        "labelme-shapes",
        "LabelMe rectangles in any order, polygons and circles",
        {
            "scene1.json": json.dumps(
                LABELME
                | {
                    "imagePath": "scene1.jpg",
                    "flags": {},
                    "shapes": [
                        {"label": JAY, "shape_type": "rectangle", "points": [[24, 3], [2, 25]]},
                        {
                            "label": BOBOLINK,
                            "shape_type": "polygon",
                            "points": [[33, 30], [55, 24], [40, 46]],
                        },
                        {"label": MALLARD, "shape_type": "circle", "points": [[76, 23], [87, 23]]},
                    ],
                }
            )
        },
    ),
]


def task(number: int, picture: str, *results: dict[str, Any], **more: Any) -> dict[str, Any]:
    done = [{"id": number, "was_cancelled": False, "result": list(results)}]
    return {"id": number, "data": {"image": picture}, "annotations": done} | more


def choice(*names: str) -> dict[str, Any]:
    return {"type": "choices", "from_name": "c", "to_name": "image", "value": {"choices": names}}


def rectangle(bird: str, box: tuple[int, int, int, int]) -> dict[str, Any]:
    sides = zip(("x", "y", "width", "height"), shares(box, 100), strict=True)
    size = {"original_width": WIDE, "original_height": HIGH, "image_rotation": 0}
    value = {**dict(sides), "rotation": 0, "rectanglelabels": [bird]}
    return {"type": "rectanglelabels", "to_name": "image", **size, "value": value}


UPLOADS = ("media/0a1b2c3d-a.jpg", "media/0a1b2c3d-b.jpg", "media/0a1b2c3d-c.jpg")
ADDRESSES = (
    "/data/upload/1/0a1b2c3d-a.jpg",
    "/data/upload/1/0a1b2c3d-b.jpg",
    "/data/local-files/?d=media/0a1b2c3d-c.jpg",
)
TASKS = list(zip(ADDRESSES, BIRDS, strict=True))

LABEL_STUDIO = [
    named(
        "b10",
        "Label Studio: choices, an upload's prefix, a local file",
        {
            "project.json": json.dumps(
                [task(k, at, choice(name)) for k, (at, name) in enumerate(TASKS)]
            )
        },
        *UPLOADS,
        at="project.json",
    ),
    named(
        "label-studio-plain",
        "the same on pictures without the prefix",
        {"p.json": json.dumps([task(k, at, choice(name)) for k, (at, name) in enumerate(TASKS)])},
        "photos/a.jpg",
        "photos/b.jpg",
        "photos/c.jpg",
    ),
    boxed(
        "label-studio-boxes",
        "rectangles in per cent; a cancelled task",
        {
            "boxes.json": json.dumps(
                [
                    task(1, "/data/upload/1/0a1b2c3d-scene1.jpg", *(rectangle(*p) for p in PAIRS)),
                    {
                        "id": 2,
                        "data": {"image": "other.jpg"},
                        "annotations": [{"was_cancelled": True, "result": [choice("No")]}],
                    },
                ]
            )
        },
        left_out=("other.jpg",),
    ),
    named(
        "label-studio-min",
        "JSON-MIN",
        {
            "min.json": json.dumps(
                [
                    {"image": at, "id": k, "choice": name, "annotator": 1, "lead_time": 2.5}
                    for k, (at, name) in enumerate(TASKS)
                ]
            )
        },
        *UPLOADS,
    ),
    boxed(
        "label-studio-min-boxes",
        "JSON-MIN with rectangles",
        {
            "min.json": json.dumps(
                [
                    {
                        "id": 1,
                        "annotator": 1,
                        "image": "/data/upload/1/0a1b2c3d-scene1.jpg",
                        "label": [
                            rectangle(*pair)["value"]
                            | {"original_width": WIDE, "original_height": HIGH}
                            for pair in PAIRS
                        ],
                    }
                ]
            )
        },
    ),
    named(
        "label-studio-csv",
        "CSV",
        {
            "e.csv": table(
                "annotation_id,annotator,choice,created_at,id,image,lead_time,updated_at",
                [[k, 1, name, "2026-01-01", k, at, 2.1, ""] for k, (at, name) in enumerate(TASKS)],
            )
        },
        *UPLOADS,
    ),
    named(
        "label-studio-several",
        "two annotators who disagree, and a choice of two",
        {
            "p.json": json.dumps(
                [
                    task(1, "a.jpg", choice(JAY)) | {"id": 1},
                    {
                        "id": 2,
                        "data": {"image": "b.jpg"},
                        "annotations": [
                            {"result": [choice(MALLARD)]},
                            {"result": [choice(BOBOLINK)], "ground_truth": True},
                        ],
                    },
                    task(3, "c.jpg", choice(JAY, MALLARD)),
                ]
            )
        },
        "a.jpg",
        "b.jpg",
        "c.jpg",
        items=2,
        classes=(JAY, BOBOLINK),
        labels={"a.jpg": JAY, "b.jpg": BOBOLINK},
        left_out=("c.jpg",),
        doubt="disagree",
        options={"several_labels": "skip"},
    ),
]


def sidecar(keyword: str) -> str:
    """An XMP sidecar as clipfg writes it."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="clipfg"><rdf:RDF'
        ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        ' xmlns:lr="http://ns.adobe.com/lightroom/1.0/"><lr:hierarchicalSubject><rdf:Bag>'
        f"<rdf:li>{keyword}</rdf:li></rdf:Bag></lr:hierarchicalSubject></rdf:Description>"
        "</rdf:RDF></x:xmpmeta>"
    )


def shard(names: tuple[str, ...]) -> bytes:
    """A Parquet file as the hub's `datasets` writes it, with class names in its metadata."""
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = {
        "image": {"_type": "Image"},
        "label": {"names": list(BIRDS), "_type": "ClassLabel"},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    kinds = pa.schema([("image", image), ("label", pa.int64())], metadata=metadata)
    cells = [{"bytes": SCENE, "path": None} for _ in names]
    labels = [BIRDS.index(name) for name in names]
    buffer = io.BytesIO()
    pq.write_table(pa.table({"image": cells, "label": labels}, schema=kinds), buffer)
    return buffer.getvalue()


OTHERS = [
    named(
        "b13",
        "FiftyOne classification",
        {"labels.json": json.dumps({"classes": BIRDS, "labels": {"a": 0, "b": 1, "c": 2}})},
        "data/a.jpg",
        "data/b.jpg",
        "data/c.jpg",
        doubt="",
    ),
    boxed(
        "fiftyone-boxes",
        "FiftyOne detection",
        {
            "labels.json": json.dumps(
                {
                    "classes": BIRDS,
                    "labels": {
                        "scene1": [
                            {"label": k, "bounding_box": shares(box)}
                            for k, box in enumerate(CORNERS)
                        ]
                    },
                }
            )
        },
        "data/",
    ),
    named(
        "json-map",
        "a map from pictures to labels",
        {"labels.json": json.dumps({"a.jpg": JAY, "b.jpg": BOBOLINK, "c.jpg": MALLARD})},
        "p/a.jpg",
        "p/b.jpg",
        "p/c.jpg",
    ),
    named(
        "json-list",
        "a list of objects",
        {
            "data.json": json.dumps(
                [
                    {"file_name": f"{stem}.jpg", "label": name, "split": "train"}
                    for stem, name in zip("abc", BIRDS, strict=True)
                ]
            )
        },
        "a.jpg",
        "b.jpg",
        "c.jpg",
        splits={"train": 3},
    ),
    named(
        "json-pairs",
        "a list of pairs",
        {"data.json": json.dumps([["a.jpg", JAY], ["b.jpg", BOBOLINK], ["c.jpg", MALLARD]])},
        "a.jpg",
        "b.jpg",
        "c.jpg",
    ),
    named(
        "camtrap-dp",
        "Camtrap DP: an observation of a medium, of an event, of people, of nothing",
        {
            "datapackage.json": json.dumps({"profile": "https://x/camtrap-dp/1.0/p.json"}),
            "deployments.csv": "deploymentID,latitude\nd1,1.0\n",
            "media.csv": table(
                "mediaID,deploymentID,timestamp,filePath,fileMediatype",
                [
                    [f"m{k}", "d1", f"2026-01-01T10:0{k}:00Z", f"media/{stem}.jpg", "image/jpeg"]
                    for k, stem in enumerate("abcde")
                ],
            ),
            "observations.csv": table(
                "observationID,deploymentID,mediaID,eventStart,eventEnd,observationType,"
                "scientificName",
                [
                    ["o1", "d1", "m0", "", "", "animal", JAY],
                    [
                        "o2",
                        "d1",
                        "",
                        "2026-01-01T10:01:00Z",
                        "2026-01-01T10:01:30Z",
                        "animal",
                        BOBOLINK,
                    ],
                    ["o3", "d1", "m2", "", "", "animal", MALLARD],
                    ["o4", "d1", "m3", "", "", "human", "Homo sapiens"],
                    ["o5", "d1", "m4", "", "", "blank", ""],
                ],
            ),
            "media/d.jpg": PICTURE,
            "media/e.jpg": PICTURE,
        },
        "media/a.jpg",
        "media/b.jpg",
        "media/c.jpg",
        left_out=("o4", "media/d.jpg"),
    ),
    Form(
        "xmp",
        "sidecars that clipfg wrote, and another program's",
        {
            "a/1.jpg": PICTURE,
            "2.jpg": PICTURE,
            "3.jpg": PICTURE,
            "a/1.jpg.xmp": sidecar("Corvidae|Blue Jay"),
            "2.jpg.xmp": sidecar("Bobolink"),
        },
        items=2,
        classes=(JAY, BOBOLINK),
        labels={"a/1.jpg": JAY, "2.jpg": BOBOLINK},
        left_out=("3.jpg",),
    ),
    named(
        "cvat",
        "CVAT for images: tags",
        {
            "annotations.xml": '<?xml version="1.0"?><annotations><version>1.1</version>'
            + "".join(
                f'<image id="{k}" name="{stem}.jpg" width="8" height="8">'
                f'<tag label="{name}"/></image>'
                for k, (stem, name) in enumerate(zip("abc", BIRDS, strict=True))
            )
            + "</annotations>"
        },
        "images/a.jpg",
        "images/b.jpg",
        "images/c.jpg",
    ),
    Form(
        "b14",
        "CVAT for images: a tag of one picture, and a list of numbers beside it",
        {
            "images/a.jpg": PICTURE,
            "images/b.jpg": PICTURE,
            "annotations.xml": '<?xml version="1.0"?><annotations><version>1.1</version>'
            '<image id="0" name="a.jpg" width="8" height="8"><tag label="Blue Jay"/></image>'
            "</annotations>",
            "default.txt": "images/a.jpg 0\nimages/b.jpg 1\n",
        },
        items=1,
        classes=(JAY,),
        labels={"images/a.jpg": JAY},
    ),
    Form(
        "b14-numbers",
        "a list of pictures and class numbers",
        {"a.jpg": PICTURE, "default.txt": "images/a.jpg 0\nimages/b.jpg 1\n"},
        at="default.txt",
        refused="no class names",
    ),
    named(
        "b15",
        "Vertex AI's import CSV, and the pictures beside it",
        {
            "import.csv": "".join(
                f"{use},gs://bucket/{stem}.jpg,{name}\n"
                for use, stem, name in zip(
                    ("TRAINING", "VALIDATION", "TEST"), "abc", BIRDS, strict=True
                )
            )
        },
        "a.jpg",
        "b.jpg",
        "c.jpg",
        at="import.csv",
        splits={"train": 1, "val": 1, "test": 1},
    ),
    Form(
        "automl-elsewhere",
        "the same without pictures",
        {"d.jpg": PICTURE, "import.csv": "TRAINING,gs://bucket/a.jpg,Blue Jay\n"},
        refused="download",
    ),
    named(
        "vertex",
        "Vertex AI's JSON lines",
        {
            "v.jsonl": "".join(
                json.dumps(
                    {
                        "imageGcsUri": f"gs://bucket/{stem}.jpg",
                        "classificationAnnotation": {"displayName": name},
                        "dataItemResourceLabels": {"aiplatform.googleapis.com/ml_use": "training"},
                    }
                )
                + "\n"
                for stem, name in zip("abc", BIRDS, strict=True)
            )
        },
        "a.jpg",
        "b.jpg",
        "c.jpg",
        splits={"train": 3},
    ),
    named(
        "sagemaker",
        "a SageMaker manifest",
        {
            "output.manifest": "".join(
                json.dumps(
                    {
                        "source-ref": f"s3://bucket/{stem}.jpg",
                        "species": k,
                        "species-metadata": {"class-name": name, "confidence": 0.9},
                    }
                )
                + "\n"
                for k, (stem, name) in enumerate(zip("abc", BIRDS, strict=True))
            )
        },
        "a.jpg",
        "b.jpg",
        "c.jpg",
    ),
    named(
        "azure",
        "Azure ML's JSON lines",
        {
            "azure.jsonl": "".join(
                json.dumps({"image_url": f"azureml://x/paths/{stem}.jpg", "label": name}) + "\n"
                for stem, name in zip("abc", BIRDS, strict=True)
            )
        },
        "a.jpg",
        "b.jpg",
        "c.jpg",
    ),
    boxed(
        "create-ml",
        "Create ML: centres in pixels",
        {
            "c.json": json.dumps(
                [
                    {
                        "image": "scene1.jpg",
                        "annotations": [
                            {
                                "label": name,
                                "coordinates": {
                                    "x": (box[0] + box[2]) / 2,
                                    "y": (box[1] + box[3]) / 2,
                                    "width": box[2] - box[0],
                                    "height": box[3] - box[1],
                                },
                            }
                            for name, box in PAIRS
                        ],
                    }
                ]
            )
        },
    ),
    Form(
        "two-formats",
        "COCO and YOLO of the same pictures",
        {
            "images/scene1.jpg": SCENE,
            "labels/scene1.txt": YOLO,
            "classes.txt": "Blue Jay\nBobolink\nMallard\n",
            "coco.json": coco({"file_name": "scene1.jpg"}),
        },
        refused="name the one to use",
    ),
    Form(
        "elsewhere",
        "annotations of other pictures",
        {"other.jpg": SCENE, "coco.json": coco({"file_name": "scene1.jpg"})},
        refused="--boxes",
    ),
    Form(
        "tfrecord",
        "a TFRecord",
        {"a.jpg": PICTURE, "birds.tfrecord": b"\0\1\2"},
        at="birds.tfrecord",
        refused="TFRecord",
    ),
    boxed(
        "hub-objects",
        "a hub folder: metadata.jsonl with objects in a split",
        {
            "train/metadata.jsonl": json.dumps(
                {
                    "file_name": "scene1.jpg",
                    "objects": {"bbox": [*map(xywh, CORNERS)], "categories": BIRDS},
                }
            )
            + "\n"
        },
        "train/",
        splits={"train": 3},
    ),
    named(
        "picture-list",
        "a picture and its class in each line",
        {"labels.txt": "".join(f"{n}.jpg {bird}\n" for n, bird in enumerate(BIRDS))},
        *("0.jpg", "1.jpg", "2.jpg"),
    ),
    named(
        "picture-list-numbers",
        "lists of splits with numbers, and their names beside",
        {
            "train.txt": "i/0.jpg 0\ni/2.jpg 2\n",
            "val.txt": "i/1.jpg 1\n",
            "classes.txt": "\n".join(BIRDS) + "\n",
        },
        *("i/0.jpg", "i/1.jpg", "i/2.jpg"),
        splits={"train": 2, "val": 1},
    ),
    boxed(
        "openimages-boxes",
        "Open Images: shares, codes, and their names beside",
        {
            "boxes.csv": "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax\n"
            + "".join(
                f"scene1,x,/m/0{n},1,{x0 / WIDE},{x1 / WIDE},{y0 / HIGH},{y1 / HIGH}\n"
                for n, (x0, y0, x1, y1) in enumerate(CORNERS, 1)
            ),
            "class-descriptions.csv": "".join(f"/m/0{n},{b}\n" for n, b in enumerate(BIRDS, 1)),
        },
    ),
    boxed(
        "yolo-darknet",
        "Darknet: obj.names, and labels beside the pictures",
        {
            "obj.names": "\n".join(BIRDS) + "\n",
            "scene1.txt": "".join(
                f"{n} {' '.join(map(str, centre(box)))}\n" for n, box in enumerate(CORNERS)
            ),
        },
    ),
    boxed(
        "via",
        "VIA: rectangles, polygons and circles, a text and a choice",
        {
            "via.json": json.dumps(
                {
                    "scene1.jpg123": {
                        "filename": "scene1.jpg",
                        "size": 123,
                        "file_attributes": {},
                        "regions": [
                            {
                                "shape_attributes": {
                                    "name": "rect",
                                    **dict(
                                        zip(
                                            ("x", "y", "width", "height"),
                                            xywh(CORNERS[0]),
                                            strict=True,
                                        )
                                    ),
                                },
                                "region_attributes": {"species": JAY, "sure": "yes"},
                            },
                            {
                                "shape_attributes": {
                                    "name": "polygon",
                                    "all_points_x": [33, 55, 40],
                                    "all_points_y": [30, 24, 46],
                                },
                                "region_attributes": {"species": {BOBOLINK: True, MALLARD: False}},
                            },
                            {
                                "shape_attributes": {"name": "circle", "cx": 76, "cy": 23, "r": 11},
                                "region_attributes": {"species": MALLARD},
                            },
                        ],
                    }
                }
            )
        },
    ),
    Form(
        "via-csv",
        "VIA's CSV, not read",
        {"a.jpg": PICTURE, "via.csv": "filename,file_size,region_shape_attributes\na.jpg,1,{}\n"},
        at="via.csv",
        refused="as JSON",
    ),
    Form(
        "parquet-shards",
        "a clone of a hub repository: README.md and shards with images inside",
        {
            "README.md": "---\nlicense: mit\n---\n",
            "data/train-00000-of-00002.parquet": shard((JAY, BOBOLINK)),
            "data/train-00001-of-00002.parquet": shard((MALLARD,)),
            "data/test-00000-of-00001.parquet": shard((JAY,)),
        },
        items=4,
        classes=BIRDS,
        splits={"train": 3, "test": 1},
    ),
]

FORMS = [*TABLES, *COCO, *YOLOS, *DETECTORS, *EACH, *LABEL_STUDIO, *EXPORTS, *OTHERS]
