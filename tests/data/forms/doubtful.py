"""Forms that are easily misread: each is read rightly, doubted, or refused."""

import json

from tests.data.forms.form import PICTURE, Form
from tests.data.forms.tables import BIRDS, FILES, Files, pictures, rows, three

TWELVE = tuple(f"{n}.jpg" for n in range(1, 13))
KINDS = BIRDS * 4
"""The classes of twelve pictures."""


def twelve(
    name: str, what: str, table: str | bytes, at: str = "labels.csv", **rest: object
) -> Form:
    """A table that gives twelve pictures the three birds in turn."""
    rest.setdefault("items", 12)
    rest.setdefault("files", pictures("img/", files=TWELVE))
    rest.setdefault("labels", {"1.jpg": "Blue Jay", "12.jpg": "Mallard"})
    return three(name, what, table, at, typed="", **rest)  # type: ignore[arg-type]


def tree(*folders: str, files: tuple[str, ...] = ("1.jpg", "2.jpg")) -> Files:
    return pictures(*(f"{folder}/" for folder in folders), files=files)


def garbled(name: str, language: str, words: tuple[str, str, str], encoding: str) -> Form:
    table = rows("path;label", FILES, words, sep=";").encode(encoding)
    return three(name, f"{language} in {encoding}", table, refused="save it as UTF-8")


ENCODINGS = [
    garbled("gbk", "Chinese", ("蓝松鸦", "刺歌雀", "绿头鸭"), "gbk"),
    garbled("shift-jis", "Japanese", ("アオカケス", "コメクイドリ", "マガモ"), "shift_jis"),
    garbled("cp1251", "Russian", ("Сойка", "Дрозд", "Кряква"), "cp1251"),
    garbled("cp1250", "Polish", ("Sójka", "Ryżojad", "Krzyżówka"), "cp1250"),
    garbled("mac-roman", "French", ("Mésange", "Grue", "Épervier"), "mac_roman"),
    garbled("cp850", "German", ("Zaunkönig", "Eichelhäher", "Grünfink"), "cp850"),
    three(
        "cp1252-header",
        "a header, quotes and dashes in Windows Latin",
        rows(
            "fichier;espèce", FILES, ("Grue×oie – l’oiseau", "Mésange", "Épervier"), sep=";"
        ).encode("cp1252"),
        classes=("Grue×oie – l’oiseau", "Mésange", "Épervier"),
    ),
    three(
        "utf8-twice",
        "UTF-8 that was saved as Windows Latin",
        rows("path,label", FILES, ("Ã‰pervier", "Grue", "Pie")),
        classes=("Grue", "Pie", "Ã‰pervier"),
        doubt="'Épervier'",
    ),
]

CELLS = [
    twelve(
        "minus-one",
        "-1 for no label",
        rows("path,label", TWELVE, [0, 1, 2, -1] * 3),
        files={**pictures("img/", files=TWELVE), "classes.txt": "\n".join(BIRDS)},
        labels={"4.jpg": None, "1.jpg": "Blue Jay"},
        doubt="'-1'",
    ),
    twelve(
        "no-width",
        "marks without a width",
        rows(
            "path,label",
            TWELVE,
            ["Blue Jay", "Bobolink\u200b", "Mallard", "Blue Jay", "Bobolink", "\u200eMallard"] * 2,
        ),
        doubt="",
    ),
    twelve(
        "crosses",
        "a cross in the column of the class",
        rows("path,Blue Jay,Bobolink,Mallard", TWELVE, ["x,,", ",x,", ",,x"] * 4),
    ),
    twelve(
        "semicolons-at-ends",
        "labels that end in a semicolon",
        rows("path,label", TWELVE, [f"{k};" for k in KINDS]),
    ),
    twelve(
        "half-joined",
        "jay;snow where snow is nowhere alone",
        rows("path,label", TWELVE, ["Blue Jay;snow", *KINDS[1:]]),
        refused="several for 1 of",
    ),
    twelve(
        "joined-by-plus",
        "labels joined by a plus",
        rows("path,label", TWELVE, ["Blue Jay + Mallard", *KINDS[1:]]),
        refused="several for 1 of",
    ),
    twelve(
        "perhaps-joined",
        "a comma that may join labels",
        rows("path;label", TWELVE, ["Mallard, female", *KINDS[1:]], sep=";"),
        classes=("Blue Jay", "Bobolink", "Mallard", "Mallard, female"),
        labels={},
        doubt="'Mallard, female'",
    ),
    twelve(
        "merged",
        "labels in the first cell of several",
        rows(
            "path,label",
            TWELVE,
            ["Blue Jay", "", "", "", "Bobolink", "", "", "", "Mallard", "", "", ""],
        ),
        labels={"2.jpg": None},
        doubt="cells of a spreadsheet were merged",
    ),
    twelve(
        "rejected",
        "Prodigy's rejected labels",
        "".join(
            json.dumps({"image": f, "label": k, "answer": a}) + "\n"
            for f, k, a in zip(TWELVE, KINDS, ["accept", "accept", "reject"] * 4, strict=True)
        ),
        "birds.jsonl",
        classes=(),
        labels={},
        doubt="rows of 'accept'",
    ),
    twelve(
        "hidden",
        "a word for labels that are hidden",
        rows(
            "path,label,split", TWELVE, [*KINDS[:9], *["hidden"] * 3], ["train"] * 9 + ["test"] * 3
        ),
        classes=("Blue Jay", "Bobolink", "hidden", "Mallard"),
        labels={},
        splits={"train": 9, "test": 3},
        doubt="'hidden'",
    ),
    twelve(
        "numbered-labels",
        "labels called as folders of CUB",
        rows("path,label", TWELVE, ["001.Blue_Jay", "002.Bobolink", "010.Mallard"] * 4),
    ),
    twelve(
        "arrows",
        "an arrow between picture and class",
        "".join(f"{f} -> {k}\n" for f, k in zip(TWELVE, KINDS, strict=True)),
        "labels.txt",
        labels={},
    ),
    twelve(
        "file-uris",
        "paths of another machine as URIs",
        rows("path,label", [f"file:/C:/x/{f}" for f in TWELVE], KINDS),
        labels={},
    ),
]

ROWS = [
    twelve(
        "units",
        "units below the header",
        "path;weight;label\n;(g);(name)\n"
        + rows("", TWELVE, "1" * 12, KINDS, sep=";").lstrip("\n"),
        doubt="first row names no picture",
    ),
    twelve(
        "remarks",
        "two remarks above the header",
        "# exported 2020\n# by me\n" + rows("path,label", TWELVE, KINDS),
        doubt="",
    ),
    twelve(
        "header-again",
        "the header again among the rows",
        rows("path,label", TWELVE[:6], KINDS[:6]) + rows("path,label", TWELVE[6:], KINDS[6:]),
        doubt="",
    ),
    twelve(
        "no-header-words",
        "no header, and two columns that may be the class",
        rows("1.jpg,here,Blue Jay", TWELVE[1:], ["there", "here"] * 5 + ["there"], KINDS[1:]),
        classes=("here", "there"),
        labels={},
        doubt="no header",
    ),
]

COLUMNS = [
    twelve(
        "corrected",
        "labels and their corrections",
        rows("path,label,label_corrected", TWELVE, KINDS[1:] + KINDS[:1], KINDS),
        labels={},
        doubt="--label-column label_corrected",
    ),
    twelve(
        "divided",
        "a column that divides the classes",
        rows("path,label,species", TWELVE, ["songbird", "songbird", "duck"] * 4, KINDS),
        classes=("duck", "songbird"),
        labels={},
        doubt="--label-column species",
    ),
    twelve(
        "left-right",
        "two pictures in a row",
        rows("left_image,right_image,label", TWELVE[:6], TWELVE[6:], KINDS[:6]),
        items=6,
        labels={},
        left_out=("7.jpg",),
        doubt="right_image",
    ),
    twelve(
        "any-split-column",
        "splits in a column of any name",
        rows("path,label,status", TWELVE, KINDS, ["train", "train", "query"] * 4),
        splits={"train": 8, "query": 4},
        doubt="All 4 pictures of split query",
    ),
    three(
        "genus-and-epithet",
        "a genus and an epithet by Darwin Core's name",
        rows(
            "file,genus,specificEpithet",
            FILES,
            ("Anas", "Aix", "Anas"),
            ("crecca", "sponsa", "acuta"),
        ),
        classes=("Aix sponsa", "Anas acuta", "Anas crecca"),
        labels={"bluejay1.jpg": "Anas crecca"},
    ),
    twelve(
        "row-numbers",
        "numbers of rows that are names of pictures by chance, or not",
        rows("id,species", range(1, 13), KINDS),
        labels={},
        doubt="Column id counts the rows",
    ),
    twelve(
        "mostly-missing",
        "a table most of whose pictures are elsewhere",
        rows("file,species", [f"x{f}" for f in TWELVE[:8]] + [*TWELVE[8:]], KINDS),
        classes=(),
        labels={},
        doubt="8 of 12 pictures are not there",
    ),
    twelve(
        "captions-beside",
        "a table of captions in a folder",
        rows("image,caption", TWELVE, KINDS),
        "captions.csv",
        classes=(),
        labels={},
        doubt="has captions",
    ),
    three(
        "photo-in-address",
        "the picture's number in the middle of its address",
        rows(
            "id,image_url,label",
            (1, 2, 3),
            [f"https://x.org/photos/{n}/medium.jpg" for n in (901, 902, 903)],
            BIRDS,
        ),
        typed="",
        files=pictures("img/", files=("901.jpg", "902.jpg", "903.jpg")),
    ),
]

SITES = ("north", "south")
TWO_SITES = pictures("north/", "south/", files=TWELVE[:3])

TABLES = [
    three(
        "site-and-file",
        "names that occur at each site, beside a column for it",
        rows(
            "site,file,species",
            ["north"] * 3 + ["south"] * 3,
            TWELVE[:3] * 2,
            [*BIRDS, *BIRDS[::-1]],
        ),
        typed="",
        files=TWO_SITES,
        items=6,
        labels={"north/1.jpg": "Blue Jay", "south/1.jpg": "Mallard"},
    ),
    three(
        "no-site",
        "names that occur at each site, and no column for it",
        rows("file,species", TWELVE[:3] * 2, [*BIRDS, *BIRDS[::-1]]),
        typed="",
        files=TWO_SITES,
        items=6,
        classes=SITES,
        doubt="Folders are read, and not their table",
    ),
    three(
        "table-a-site",
        "a table in the folder of each site",
        rows("file,species", TWELVE[:3], BIRDS),
        "north/labels.csv",
        typed="",
        files={**TWO_SITES, "south/labels.csv": rows("file,species", TWELVE[:3], BIRDS[::-1])},
        items=6,
        labels={"north/1.jpg": "Blue Jay", "south/1.jpg": "Mallard"},
    ),
    three(
        "table-a-class",
        "a table for each class",
        rows("file,species", TWELVE[:2], BIRDS[:1] * 2),
        "jays.csv",
        typed="",
        files={
            **pictures("img/", files=TWELVE[:4]),
            "mallards.csv": rows("file,species", TWELVE[2:4], BIRDS[2:] * 2),
        },
        items=4,
        classes=("Blue Jay", "Mallard"),
    ),
    three(
        "contradicted",
        "a table that says others than the folders",
        rows(
            "file,species",
            ("a.jpg", "b.jpg", "c.jpg", "d.jpg"),
            ("Blue Jay", "Mallard", "Mallard", "Mallard"),
        ),
        typed="",
        files={
            "Blue Jay/a.jpg": PICTURE,
            "Blue Jay/b.jpg": PICTURE,
            "Mallard/c.jpg": PICTURE,
            "Mallard/d.jpg": PICTURE,
        },
        items=4,
        classes=("Blue Jay", "Mallard"),
        doubt="1 of their pictures",
    ),
    three(
        "labelled-test",
        "tables that label a flat test split",
        rows("ClassId,Path", (0, 1), ("Train/0/1.png", "Train/1/2.png")),
        "Train.csv",
        typed="",
        files={
            "Train/0/1.png": PICTURE,
            "Train/1/2.png": PICTURE,
            "Test/3.png": PICTURE,
            "Test.csv": "ClassId,Path\n1,Test/3.png\n",
        },
        classes=("0", "1"),
        splits={"train": 2, "test": 1},
    ),
]

FOLDERS = [
    Form(
        "places-below-one",
        "one class divided by places",
        tree("Blue Jay", "Bobolink", "Mallard/Berlin", "Mallard/Ulm"),
        items=8,
        classes=("Blue Jay", "Bobolink", "Berlin", "Ulm"),
        doubt="Mallard/Berlin",
    ),
    Form(
        "genus-and-species",
        "pictures of a genus beside its species",
        tree("Anas", "Anas/Anas crecca", "Aix/Aix sponsa", "Aix/Aix galericulata"),
        items=8,
        classes=("Aix galericulata", "Aix sponsa", "Anas"),
        doubt="Anas/Anas crecca",
    ),
    Form(
        "depth-maps",
        "depth maps beside pictures",
        tree(*BIRDS, files=("1_rgb.png", "1_depth.png", "2_rgb.png", "2_depth.png")),
        items=6,
        classes=BIRDS,
        left_out=("1_depth.png",),
    ),
    Form(
        "gt-folders",
        "masks in a folder called after the class",
        tree(*(f"{b}/{b}" for b in BIRDS), *(f"{b}/{b} GT" for b in BIRDS)),
        items=6,
        classes=BIRDS,
        left_out=("GT",),
    ),
    Form(
        "called-photo",
        "a class that is called like a folder, beside others of its kind",
        tree("drawing", "painting", "photo", "sketch"),
        items=8,
        classes=("drawing", "painting", "photo", "sketch"),
        doubt="(photo)",
    ),
    Form(
        "testing-list",
        "a list of the test pictures alone",
        {**tree(*BIRDS), "testing_list.txt": "Bobolink/2.jpg\nMallard/2.jpg\n"},
        items=6,
        classes=BIRDS,
        splits={"train": 4, "test": 2},
    ),
    Form(
        "split-json",
        "splits in JSON",
        {
            **tree(*BIRDS),
            "split.json": json.dumps(
                {"train": [f"{b}/1.jpg" for b in BIRDS], "test": [f"{b}/2.jpg" for b in BIRDS]}
            ),
        },
        items=6,
        classes=BIRDS,
        splits={"train": 3, "test": 3},
    ),
    Form(
        "split-table",
        "splits in a table that names no classes",
        {
            **tree("img/Jay", "img/Owl"),
            "split.csv": rows(
                "path,split",
                [f"img/{c}/{n}.jpg" for c in ("Jay", "Owl") for n in (1, 2)],
                ["train", "test"] * 2,
            ),
        },
        items=4,
        classes=("Jay", "Owl"),
        splits={"train": 2, "test": 2},
    ),
    Form(
        "unread-split",
        "a list of a split with more columns",
        {**tree(*BIRDS), "Ebay_test.txt": "id path\n1 Bobolink/2.jpg\n"},
        items=6,
        classes=BIRDS,
        doubt="Ebay_test.txt",
    ),
    Form(
        "tiny-imagenet",
        "labels of one split in a list with boxes",
        {
            **tree("train/n01443537", "train/n01629819"),
            "val/images/3.jpg": PICTURE,
            "val/val_annotations.txt": "3.jpg\tn01443537\t0\t0\t9\t9\n",
        },
        items=5,
        classes=("n01443537", "n01629819"),
        labels={"val/images/3.jpg": None},
        splits={"train": 4, "val": 1},
        doubt="val_annotations.txt",
    ),
]

BY_CLASS = {bird: [f for f, k in zip(TWELVE, KINDS, strict=True) if k == bird] for bird in BIRDS}
PAIRS = [*zip(TWELVE, KINDS, strict=True)]
LEGEND = {"images": [*TWELVE], "labels": [*KINDS]}

JSON = [
    twelve(
        "class-to-files",
        "the pictures of each class",
        json.dumps(BY_CLASS),
        "labels.json",
        labels={},
    ),
    twelve(
        "splits-of-classes",
        "the pictures of each class by split",
        json.dumps(
            {
                "train": {b: own[:3] for b, own in BY_CLASS.items()},
                "test": {b: own[3:] for b, own in BY_CLASS.items()},
            }
        ),
        "splits.json",
        labels={},
        splits={"train": 9, "test": 3},
    ),
    twelve(
        "coop-of-ones-own",
        "triples by split, as CoOp has them",
        json.dumps(
            {
                "train": [[f, BIRDS.index(k), k] for f, k in PAIRS[:9]],
                "val": [],
                "test": [[f, BIRDS.index(k), k] for f, k in PAIRS[9:]],
            }
        ),
        "split_zhou.json",
        labels={},
        splits={"train": 9, "test": 3},
    ),
    twelve(
        "file-to-record",
        "an object for each picture",
        json.dumps({f: {"label": k, "split": "train"} for f, k in PAIRS}),
        "labels.json",
        labels={},
        splits={"train": 12},
    ),
    twelve(
        "records-under-a-key",
        "records below a version",
        json.dumps({"version": 1, "data": [{"image": f, "label": k} for f, k in PAIRS]}),
        "labels.json",
        labels={},
    ),
    twelve(
        "two-lists",
        "a list of pictures and one of labels",
        json.dumps(LEGEND),
        "data.json",
        classes=(),
        labels={},
        doubt="in no form that is read here",
    ),
]

UNREAD = [
    twelve(name, what, content, at, classes=(), labels={}, doubt=doubt)
    for name, what, content, at, doubt in (
        (
            "names-without-suffix",
            "Oxford's list",
            "#Image CLASS\n" + rows("", [f[:-4] for f in TWELVE], "123" * 4, sep=" "),
            "list.txt",
            "list.txt",
        ),
        ("in-order", "a label in each line", "\n".join(KINDS) + "\n", "labels.txt", "labels.txt"),
        ("packed", "a compressed table", b"\x1f\x8b", "labels.csv.gz", "labels.csv.gz"),
        ("sqlite", "a database", b"SQLite format 3\0..1.jpg..", "birds.db", "birds.db"),
        (
            "loc-solution",
            "ImageNet's classes with boxes",
            rows("ImageId,PredictionString", [f[:-4] for f in TWELVE], ["n01443537 1 1 9 9"] * 12),
            "LOC_val_solution.csv",
            "begins each PredictionString",
        ),
    )
]

FORMS = [*ENCODINGS, *CELLS, *ROWS, *COLUMNS, *TABLES, *FOLDERS, *JSON, *UNREAD]
