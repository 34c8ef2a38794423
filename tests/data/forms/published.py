"""Published data sets and exports of programs, each with its right reading."""

from collections.abc import Iterable

from tests.data.forms.form import PICTURE, Form
from tests.data.forms.tables import BIRDS, FILES, LATIN, NUMBERS, STEMS, TAXA, rows, three

Files = dict[str, str | bytes | None]
SICK = ("Apple healthy", "Apple scab")
TWO = ("1.jpg", "2.jpg")


def drawn(*paths: str) -> Files:
    return dict.fromkeys(paths, PICTURE)


def tree(places: Iterable[str], names: Iterable[str] = BIRDS, count: int = 1) -> Files:
    """So many pictures in each folder of each place."""
    folders = [f"{place}{name}" for place in places for name in names]
    return drawn(*(f"{folder}/{n}.jpg" for folder in folders for n in range(1, count + 1)))


BOTH = {"test": 3, "train": 3}

FOLDERS = [
    Form(
        "plant-diseases",
        "a wrapper twice, and test/test beside it",
        tree(["A(B)/A(B)/train/", "A(B)/A(B)/valid/"], SICK) | drawn("test/test/AppleScab1.JPG"),
        items=5,
        classes=SICK,
        labels={"test/test/AppleScab1.JPG": None},
        splits={"test": 1, "train": 2, "val": 2},
        doubt="",
    ),
    Form(
        "cassava",
        "test/0: a folder that a split needs for pictures without labels",
        tree(["train/"]) | drawn("test/0/1.jpg", "test/0/2.jpg", "extraimages/1.jpg"),
        items=5,
        classes=BIRDS,
        labels={"test/0/1.jpg": None},
        splits={"test": 2, "train": 3},
        left_out=("extraimages/",),
    ),
    Form(
        "three-splits-inside",
        "train, val and test in each class",
        drawn(*(f"{bird}/{s}/1.jpg" for bird in BIRDS for s in ("train", "val", "test"))),
        items=9,
        classes=BIRDS,
        splits={"test": 3, "train": 3, "val": 3},
        doubt="",
    ),
    Form(
        "epithets",
        "genus/epithet",
        drawn("Poa/annua/1.jpg", "Rosa/canina/1.jpg", "Rosa/rugosa/1.jpg", "Rubus/idaeus/1.jpg"),
        items=4,
        classes=("Poa annua", "Rosa canina", "Rosa rugosa", "Rubus idaeus"),
        doubt="",
    ),
    Form(
        "magnifications",
        "each class in four magnifications",
        drawn(*(f"{bird}/{zoom}/1.png" for bird in BIRDS for zoom in ("40X", "100X", "200X"))),
        items=9,
        classes=BIRDS,
        doubt="",
    ),
    Form(
        "flights",
        "the same classes in each flight",
        tree(["flight_01/", "flight_02/"], BIRDS[:2]),
        items=4,
        classes=BIRDS[:2],
        doubt="",
    ),
    Form(
        "masks-beside",
        "masks in the folders of the pictures",
        drawn(*(f"{bird}/{n}{m}.png" for bird in BIRDS for n in (1, 2) for m in ("", "_mask"))),
        items=6,
        classes=BIRDS,
        left_out=("1_mask.png",),
    ),
    Form(
        "masks-of-classes",
        "a folder of masks for each class",
        tree(["data/"], ("healthy", "healthy_masks", "ill", "ill_masks")),
        items=2,
        classes=("healthy", "ill"),
        left_out=("healthy_masks/",),
    ),
    Form(
        "evaluation",
        "training, validation and evaluation",
        tree(["training/", "validation/", "evaluation/"]),
        items=9,
        classes=BIRDS,
        splits={"test": 3, "train": 3, "val": 3},
    ),
    Form(
        "key-value",
        "label=NAME, as Hive and Spark write",
        tree(["split=test/", "split=train/"], [f"label={bird}" for bird in BIRDS]),
        items=6,
        classes=BIRDS,
        splits=BOTH,
    ),
    Form(
        "split-lists",
        "class folders with lists of the splits, without suffixes",
        tree(["images/"], count=2)
        | {
            f"meta/{s}.txt": "".join(f"{b}/{n}\n" for b in BIRDS)
            for n, s in ((1, "train"), (2, "test"))
        },
        items=6,
        classes=BIRDS,
        splits=BOTH,
        labels={"images/Mallard/2.jpg": "Mallard"},
    ),
    Form(
        "split-tables",
        "class folders with tables that split them",
        tree(["EuroSAT/"], count=2)
        | {
            f"EuroSAT/{s}.csv": rows(",Filename,Label,ClassName", NUMBERS, at, NUMBERS, BIRDS)
            for n, s in ((1, "train"), (2, "test"))
            for at in [[f"{bird}/{n}.jpg" for bird in BIRDS]]
        },
        items=6,
        classes=BIRDS,
        splits=BOTH,
    ),
    Form(
        "plantclef",
        "folders of numbers, and a table with their names",
        drawn("images/1355/a.jpg", "images/1355/b.jpg", "images/1400/c.jpg")
        | {
            "train.csv": "image_name;image_path;species_id;species\n"
            "a.jpg;1355/a.jpg;1355;Rosa canina\nb.jpg;1355/b.jpg;1355;Rosa canina\n"
            "c.jpg;1400/c.jpg;1400;Poa annua\n"
        },
        items=3,
        classes=("Poa annua", "Rosa canina"),
        doubt="",
    ),
    Form(
        "patients",
        "BreaKHis: patients below the classes, whose numbers are doubted",
        drawn(
            *(
                f"breast/{kind}/SOB/{name}/{who}/{zoom}/1.png"
                for kind, name, who in (
                    ("benign", "adenosis", "SOB_B_A_14-22549AB"),
                    ("malignant", "papillary", "SOB_M_PC_14-15704"),
                )
                for zoom in ("40X", "100X")
            )
        ),
        items=4,
        classes=("SOB B A 14-22549AB", "SOB M PC 14-15704"),
        doubt="codes",
    ),
    Form(
        "class-yaml",
        "class folders with a data.yaml and no boxes",
        tree(["train/", "val/"])
        | {"data.yaml": "train: train\nval: val\nnames: [Blue Jay, Bobolink, Mallard]\n"},
        items=6,
        classes=BIRDS,
        splits={"train": 3, "val": 3},
    ),
]

TABLES = [
    Form(
        "gbif-archive",
        "Darwin Core: occurrence.txt and multimedia.txt",
        drawn("photos/71.jpg", "photos/72.jpg")
        | {
            "occurrence.txt": "gbifID\tscientificName\tclass\tgenus\tspecies\n"
            "71\tCyanocitta cristata (L.)\tAves\tCyanocitta\tCyanocitta cristata\n"
            "72\tAnas acuta L.\tAves\tAnas\tAnas acuta\n",
            "multimedia.txt": "gbifID\ttype\tformat\tidentifier\n71\tStillImage\timage/jpeg\thttps://x/1\n"
            "72\tStillImage\timage/jpeg\thttps://x/2\n",
        },
        items=2,
        classes=("Anas acuta", "Cyanocitta cristata"),
        labels={"72": "Anas acuta"},
        left_out=("multimedia.txt",),
    ),
    three(
        "no-suffix",
        "HAM10000 as Dataverse serves it: a table without a suffix",
        rows("lesion_id,image_id,dx,dx_type", "abc", STEMS, ["nv", "mel", "nv"], ["histo"] * 3),
        "HAM10000_metadata",
        classes=("mel", "nv"),
        typed="",
    ),
    three(
        "blanks",
        "Wildlife Insights: blanks and pictures that nobody has looked at",
        rows(
            "filename,is_blank,class,genus,species,common_name",
            *([*FILES, "b.jpg", "n.jpg"], (0, 0, 0, 1, 0), ["Aves"] * 3 + ["", "No CV Result"]),
            *(
                [*(t[3] for t in TAXA), "", "No CV Result"],
                [*(t[4] for t in TAXA), "", "No CV Result"],
            ),
            [*BIRDS, "Blank", "No CV Result"],
        ),
        files=drawn(*FILES, "b.jpg", "n.jpg"),
        items=5,
        labels={"b.jpg": None, "n.jpg": None},
        doubt="'Blank'",
    ),
    three(
        "words-for-nothing",
        "NA of R, #N/A of Excel, None of Python, ?",
        rows("file,species", [*FILES, *"abcd"], [*BIRDS, "NA", "#N/A", "None", "?"]),
        files=drawn(*FILES, *(f"{n}.jpg" for n in "abcd")),
        items=7,
        labels={"a": None, "d": None},
        doubt="'None'",
    ),
    three(
        "title",
        "a title above the header and a sum below",
        "Bird survey 2021,,\n,,\n" + rows("file,species,by", FILES, BIRDS, "abc") + "Total,3,\n",
        doubt="'Total'",
    ),
    three(
        "remark", "a remark above the header", "# exported\n" + rows("file,species", FILES, BIRDS)
    ),
    three("accents", "columns with accents", rows("Fichier,Espèce", FILES, BIRDS)),
    three(
        "validation-flags",
        "fastai: is_valid",
        rows("fname,labels,is_valid", FILES, BIRDS, ("False", "True", "False")),
        splits={"train": 2, "val": 1},
    ),
    three(
        "lost-zeros",
        "ids whose zeros a spreadsheet has eaten",
        rows("id,label", (1, "2.0", 3), BIRDS),
        files=drawn("i/0001.jpg", "i/0002.jpg", "i/0003.jpg"),
    ),
    three(
        "lila",
        "LILA BC: ids that are no names, and two addresses",
        rows(
            "image_id,url_gcp,url_aws,scientific_name,common_name",
            *([f"C : {n}" for n in NUMBERS], [f"https://g.org/a/{f}" for f in FILES]),
            *([f"https://a.org/a/{f}" for f in FILES], LATIN, BIRDS),
        ),
        files=drawn(*(f"a/{f}" for f in FILES)),
    ),
    three(
        "any-id",
        "pictures called by a column of any name",
        rows("md5hash,label,url", STEMS, BIRDS, ["https://x.org/p"] * 3),
    ),
    three(
        "subcategories",
        "a category and its parts",
        rows("image,category,subcategory", FILES, ["bird"] * 3, BIRDS),
    ),
    three(
        "tags",
        "Planet: words in a column of tags",
        rows("image_name,tags", STEMS, ["haze primary", "clear primary", "haze clear water"]),
        refused="several for 3 of 3",
    ),
    three(
        "counts",
        "DeepFaune: counts and predictions are no labels",
        rows("filename,prediction,count,humancount", FILES, BIRDS, (1, 0, 1), (0, 0, 1)),
        classes=(),
        doubt="--label-column",
    ),
    Form(
        "table-in-data",
        "a hub repository: data/metadata.csv, and names on its card",
        drawn(*(f"data/{file}" for file in FILES))
        | {
            "data/metadata.csv": rows("file_name,label", FILES, NUMBERS),
            "README.md": "---\ndataset_info:\n  features:\n  - name: label\n    dtype:\n"
            "      class_label:\n        names:\n"
            + "".join(f"          '{n}': {bird}\n" for n, bird in enumerate(BIRDS))
            + "---\n",
        },
        items=3,
        classes=BIRDS,
    ),
    Form(
        "attributes",
        "CelebA: attributes of -1 and 1 are no classes",
        drawn(*TWO) | {"list_attr.csv": "image_id,Smiling,Young\n1.jpg,-1,1\n2.jpg,1,1\n"},
        items=2,
        doubt="list_attr.csv",
    ),
]

UNREAD = [
    Form(
        "labelbox-empty",
        "Labelbox before anybody has answered",
        drawn(*TWO) | {"export.ndjson": '{"data_row": {"external_id": "1.jpg"}, "projects": {}}\n'},
        refused="nothing is marked in it",
    ),
    Form(
        "supervisely-empty",
        "Supervisely without sizes or answers",
        drawn("ds/img/1.jpg") | {"ds/ann/1.jpg.json": '{"tags": [], "objects": []}'},
        items=1,
        doubt="panlabel",
    ),
    Form(
        "json-of-classes",
        "a JSON file of a form of one's own",
        drawn(*TWO) | {"l.json": '{"jay": ["1.jpg"], "duck": ["2.jpg"]}'},
        at="l.json",
        refused="path and label",
    ),
    Form(
        "winoground-like",
        "a shard of the name that Winoground's has",
        drawn("images/1.jpg", "images/2.jpg")
        | {"examples.jsonl": '{"file_name": "images/1.jpg"}\n'},
        items=2,
        doubt=None,
    ),
]

FORMS = [*FOLDERS, *TABLES, *UNREAD]
