"""Forms that are easily misread in silence: each is read rightly, or doubted with what to type."""

from tests.data.forms.form import Form
from tests.data.forms.tables import BIRDS, Files, pictures, rows, three

NUMBERED = tuple(f"{n}.jpg" for n in range(1, 7))
KINDS = BIRDS * 2
AFTER = "^([^0-9].*?)[ _.(-]*[0-9]+[).]+[^.]+$"
BEFORE = "^[0-9]+[ _.-]+([^0-9]+?)[ _.(-]*[0-9]*[).]+[^.]+$"


def tree(*folders: str, files: tuple[str, ...] = ("1.jpg", "2.jpg", "3.jpg")) -> Files:
    return pictures(*(f"{folder}/" for folder in folders), files=files)


def called(pattern: str, *kinds: str, numbers: range = range(1, 5)) -> tuple[str, ...]:
    return tuple(pattern.format(kind, n) for kind in kinds for n in numbers)


def by_name(name: str, what: str, files: Files, pattern: str = AFTER, **splits: int) -> Form:
    return Form(name, what, files, splits=splits, doubt=f"--label-from-name '{pattern}'")


def taken(name: str, files: Files, labels: dict[str, str | None], *classes: str) -> Form:
    """What a doubt offers, taken."""
    options = {"label_from_name": BEFORE}
    what = "labels in names, as offered"
    return Form(name, what, files, classes=classes, labels=labels, options=options)


CATS = pictures("train/", files=called("{}.{}.jpg", "cat", "dog", numbers=range(12)))
TESTED = pictures("test1/", files=tuple(f"{n}.jpg" for n in range(1, 14)))
DASHED = pictures(files=called("{}-{}.jpg", "001-blue-jay", "002-mallard"))
BEFORE_NAMES = pictures(files=tuple(f"{n}_{k}.jpg" for k in ("Blue_Jay", "Owl") for n in (1, 2)))

NAMES = [
    by_name(
        "dogs-vs-cats-offered", "labels in names of one split", CATS | TESTED, train=24, test=13
    ),
    Form(
        "dogs-vs-cats-taken",
        "labels in names, as offered",
        CATS | TESTED,
        classes=("cat", "dog"),
        labels={"train/cat.10.jpg": "cat", "test1/12.jpg": None},
        splits={"test": 13, "train": 24},
        doubt="13 of 37 pictures have no label",
        options={"label_from_name": AFTER},
    ),
    by_name("names-flat", "labels in names", pictures(files=called("{}_{:04}.jpg", "Jay", "Owl"))),
    by_name("names-dashed", "numbers of the class before its name", DASHED, BEFORE),
    taken("dashed-taken", DASHED, {"001-blue-jay-1.jpg": "blue-jay"}, "blue-jay", "mallard"),
    by_name("names-after", "numbers before the class", BEFORE_NAMES, BEFORE),
    taken("before-taken", BEFORE_NAMES, {"2_Blue_Jay.jpg": "Blue Jay"}, "Blue Jay", "Owl"),
    *(
        Form(f"names-of-{name}", "names that cameras give", pictures(files=files), doubt="")
        for name, files in (
            ("cameras", called("{}_{:04}.jpg", "IMG", "DSC", "PXL")),
            ("frames", called("{}_{:04}.jpg", "frame", "video1_frame")),
            ("sites", called("{}_{:04}.jpg", "site1", "site2")),
            ("coco", called("COCO_{}_{:012}.jpg", "val2014", "train2014")),
            ("times", called("{}_{:06}.jpg", "20200131", "20200201")),
            ("ids", called("{}_{}.jpg", "1000268201", "1001773457")),
        )
    ),
]


def beside(name: str, what: str, folder: str, **rest: object) -> Form:
    """Splits, and what lies beside them with the same classes."""
    files = tree(*(f"{split}/{bird}" for split in ("train", "val", folder) for bird in BIRDS))
    rest.setdefault("splits", {"train": 9, "val": 9})
    return Form(name, what, files, items=18, classes=BIRDS, doubt="", **rest)  # type: ignore[arg-type]


PRODUCTS = ("gloves", "goggles", "helmets")
PARTS = [f"adenosis/{n}" for n in ("A1", "A2")] + [f"fibroma/{n}" for n in ("F1", "F2")]

FOLDERS = [
    *(
        beside(f"beside-{folder}", "another form of a split", folder, left_out=(f"{folder}/",))
        for folder in ("train_augmented", "val_crops", "train_small", "augmented")
    ),
    Form(
        "splits-in-forms",
        "splits in two forms each",
        tree(*(f"{s}_{f}/{b}" for s in ("train", "test") for f in ("rgb", "gray") for b in BIRDS)),
        refused="put one form of each split into a folder of its own",
    ),
    Form(
        "augmented-alone",
        "a split in one form",
        tree(*(f"{split}/{bird}" for split in ("train_augmented", "val") for bird in BIRDS)),
        classes=BIRDS,
        splits={"train-augmented": 9, "val": 9},
    ),
    Form(
        "called-masks",
        "a product that is called like a folder",
        tree(*PRODUCTS, "masks"),
        classes=PRODUCTS,
        doubt="--label-level 1 makes it one",
    ),
    Form(
        "masks-of-one-folder",
        "masks of all classes in a folder",
        {
            **{f"{bird}/{bird}{n}.jpg": None for bird in BIRDS for n in range(3)},
            **{f"masks/{bird}{n}.png": None for bird in BIRDS[:1] for n in range(3)},
        },
        classes=BIRDS,
        doubt="",
    ),
    Form(
        "kohya",
        "repeats before the names",
        tree("img/10_blue jay", "img/20_mallard"),
        classes=("10 blue jay", "20 mallard"),
        doubt="begin with numbers",
    ),
    Form(
        "pieces",
        "pieces of a class that are called by its letter",
        tree(*PARTS),
        classes=("A1", "A2", "F1", "F2"),
        doubt="may be pieces of 'adenosis'",
    ),
    Form(
        "models-of-makers",
        "models of makers",
        tree("Airbus/A310", "Airbus/A320", "Boeing/B737"),
        classes=("A310", "A320", "B737"),
        doubt="",
    ),
]

JOINED = [
    three(
        "open-images",
        "Open Images: what people saw, and what they did not",
        "ImageID,Source,LabelName,Confidence\n"
        + "".join(
            f"{n},verification,/m/0{k},{int(n % 3 == k)}\n" for n in range(1, 7) for k in range(3)
        ),
        files=pictures("img/", files=NUMBERED)
        | {"class-descriptions.csv": "".join(f"/m/0{k},{b}\n" for k, b in enumerate(BIRDS))},
        items=6,
        labels={"1": "Bobolink", "3": "Blue Jay"},
        doubt="12 of 18 rows say by column Confidence",
    ),
    three(
        "sure-or-not",
        "a picture a row, sure or not",
        rows("image,label,confidence", NUMBERED, KINDS, (0, 1) * 3),
        files=pictures("img/", files=NUMBERED),
        items=6,
        doubt="",
    ),
    three(
        "kaggle-test",
        "a table of test pictures without labels",
        rows("image,label", NUMBERED, KINDS),
        "train.csv",
        typed="",
        files=pictures("img/", files=(*NUMBERED, "7.jpg", "8.jpg"))
        | {"test.csv": "image\n7.jpg\n8.jpg\n"},
        items=6,
        doubt="test.csv names 2 pictures and no labels",
    ),
    three(
        "kaggle-answers",
        "answers to fill in beside test pictures",
        rows("image,label", NUMBERED, KINDS),
        "train.csv",
        typed="",
        files=pictures("train_images/", files=NUMBERED)
        | pictures("test_images/", files=("7.jpg", "8.jpg"))
        | {"sample_submission.csv": "image,label\n7.jpg,Mallard\n8.jpg,Mallard\n"},
        items=8,
        labels={"test_images/7.jpg": None},
        splits={"test": 2, "train": 6},
        doubt="",
    ),
    Form(
        "test-table",
        "class folders, and a table of the test pictures",
        tree(*BIRDS) | {"test.csv": rows("image", [f"{bird}/1.jpg" for bird in BIRDS])},
        classes=BIRDS,
        splits={"train": 6, "test": 3},
        doubt="",
    ),
    *(
        three(
            f"darwin-core-{name}",
            "Darwin Core: pictures in another table",
            rows(f"{core}\tscientificName", range(1001, 1007), KINDS, sep="\t"),
            "occurrence.txt",
            typed="",
            files=pictures("img/", files=NUMBERED)
            | {"multimedia.txt": rows(f"{link}\ttype\tidentifier", *linked, sep="\t")},
            items=6,
            doubt="",
        )
        for name, core, link, linked in (
            (
                "gbif",
                "gbifID",
                "gbifID",
                (range(1001, 1007), ["StillImage"] * 6, [f"https://x.org/{n}" for n in NUMBERED]),
            ),
            (
                "ipt",
                "id",
                "coreid",
                (
                    range(1001, 1007),
                    ["StillImage"] * 6,
                    [f"https://x.org/photos/{n}/original.jpg" for n in range(1, 7)],
                ),
            ),
        )
    ),
    Form(
        "darwin-core-several",
        "Darwin Core: two pictures of a row, a sound of another",
        pictures("img/", files=NUMBERED[:2])
        | {
            "occurrence.txt": rows("id\tspecies", (1, 2, 3), BIRDS, sep="\t"),
            "multimedia.txt": "coreid\ttype\tidentifier\n3\tStillImage\thttps://x.org/1.jpg\n"
            "3\t\thttps://x.org/2.jpg\n2\tSound\thttps://x.org/1.mp3\n",
        },
        items=2,
        classes=("Mallard",),
    ),
    *(
        three(
            f"list-of-each-{suffix}",
            "a list of each class",
            head + "\n".join(NUMBERED[::3]),
            f"lists/Blue_Jay.{suffix}",
            typed="",
            files=pictures("img/", files=NUMBERED)
            | {"stats.csv": "epoch,loss\n1,2\n"}
            | {f"lists/Bobolink.{suffix}": head + "\n".join(NUMBERED[1::3])}
            | {f"lists/Mallard.{suffix}": head + "\n".join(NUMBERED[2::3])},
            items=6,
            labels={"img/1.jpg": "Blue Jay", "img/6.jpg": "Mallard"},
            doubt="",
        )
        for suffix, head in (("txt", ""), ("csv", "image\n"))
    ),
    Form(
        "settings",
        "settings that name pictures",
        pictures("img/", files=NUMBERED)
        | {"config.yaml": "rate: 0.1\nshown:\n  - 1.jpg\n  - 2.jpg\nkept:\n  - 3.jpg\n"},
        items=6,
        doubt="config.yaml",
    ),
    Form(
        "lists-that-overlap",
        "lists of what pictures show, several of some",
        pictures("img/", files=NUMBERED[:3])
        | {"jay.txt": "1.jpg\n2.jpg\n", "snow.txt": "2.jpg\n3.jpg\n"},
        items=3,
        doubt="jay.txt",
    ),
]

FORMS = [*NAMES, *FOLDERS, *JOINED]
