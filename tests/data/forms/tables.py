"""Tables of pictures as people have them, each with its right reading."""

from collections.abc import Sequence

from tests.data.forms.form import PICTURE, Form

BIRDS = ("Blue Jay", "Bobolink", "Mallard")
FILES = ("bluejay1.jpg", "bobolink1.jpg", "mallard1.jpg")
STEMS = tuple(file.removesuffix(".jpg") for file in FILES)
Files = dict[str, str | bytes | None]


def pictures(*prefixes: str, files: Sequence[str] = FILES) -> Files:
    return {f"{prefix}{file}": PICTURE for prefix in prefixes or ("",) for file in files}


def rows(header: str, *cells: Sequence[object], sep: str = ",") -> str:
    lines = [header, *(sep.join(map(str, row)) for row in zip(*cells, strict=True))]
    return "\n".join(lines) + "\n"


def three(
    name: str,
    what: str,
    table: str | bytes,
    at: str = "labels.csv",
    *,
    files: Files | None = None,
    **rest: object,
) -> Form:
    """A table whose right reading has the three birds as its classes."""
    rest.setdefault("classes", BIRDS)
    rest.setdefault("items", 3)
    place = str(rest.pop("typed", at))
    together = (pictures() if files is None else files) | {at: table}
    return Form(name, what, together, place, **rest)  # type: ignore[arg-type]


TAXA = [
    ("Aves", "Passeriformes", "Corvidae", "Cyanocitta", "cristata"),
    ("Aves", "Passeriformes", "Icteridae", "Dolichonyx", "oryzivorus"),
    ("Aves", "Anseriformes", "Anatidae", "Anas", "platyrhynchos"),
]
LATIN = tuple(f"{taxon[3]} {taxon[4]}" for taxon in TAXA)
IN_ORDER = ("Anas platyrhynchos", "Cyanocitta cristata", "Dolichonyx oryzivorus")
RANK_HEADER = "class,order,family,genus,species"
RANKED = [",".join(taxon) for taxon in TAXA]
NUMBERS = (0, 1, 2)
JSON_MAP = '{"0": "Blue Jay", "1": "Bobolink", "2": "Mallard"}'

TAXONOMIES = [
    three(
        "a01",
        "Wildlife Insights: ranks, epithets and common names",
        rows(
            f"project_id,deployment_id,image_id,filename,is_blank,{RANK_HEADER},common_name",
            *([1] * 3, ["D1"] * 3, ["i1", "i2", "i3"], FILES, [0] * 3, RANKED, BIRDS),
        ),
        "images.csv",
        doubt="",
    ),
    three(
        "ranks-only",
        "genus and epithet without common names",
        rows(f"filename,{RANK_HEADER}", FILES, RANKED),
        classes=IN_ORDER,
        labels={"bluejay1.jpg": "Cyanocitta cristata"},
    ),
    three(
        "inat-2021",
        "iNaturalist 2021: all ranks, binomials and category ids",
        rows(
            "file_name,category_id,kingdom,phylum,class,order,family,genus,specific_epithet,name,"
            "common_name",
            *(FILES, (4000, 77, 3), ["Animalia"] * 3, ["Chordata"] * 3, RANKED, LATIN, BIRDS),
        ),
    ),
    three(
        "gbif",
        "GBIF: Darwin Core over local pictures of its ids",
        rows(
            "gbifID\tidentifier\tscientificName\tvernacularName\tclass\torder\tfamily\tgenus\tspecies",
            *([71, 72, 73], [f"https://example.org/{n}/full.jpg" for n in (1, 2, 3)], LATIN, BIRDS),
            *([taxon[0] for taxon in TAXA], [taxon[1] for taxon in TAXA]),
            *([taxon[2] for taxon in TAXA], [taxon[3] for taxon in TAXA], LATIN),
            sep="\t",
        ),
        "multimedia.tsv",
        files=pictures("photos/", files=("71.jpg", "72.jpg", "73.jpg")),
    ),
    three(
        "class-is-label",
        "a column `class` that is no rank",
        rows("path,class,family", FILES, BIRDS, ["x", "y", "z"]),
    ),
    three(
        "class-of-life",
        "classes of animals are classes where there is no species",
        rows("path,class", FILES, ["Aves", "Aves", "Mammalia"]),
        classes=("Aves", "Mammalia"),
    ),
    three(
        "disease-and-crop",
        "a class beside the species of another question",
        rows("image,class,species", FILES, ["rust", "healthy", "rust"], ["apple", "apple", "pear"]),
        classes=("healthy", "rust"),
    ),
    three(
        "shared-common-names",
        "two species of one common name",
        rows("path,common_name,scientific_name", FILES, ["jay", "jay", "duck"], LATIN),
        classes=("duck", "jay (Cyanocitta cristata)", "jay (Dolichonyx oryzivorus)"),
    ),
    three(
        "latin-asked-for",
        "scientific names asked for",
        rows("path,common_name,scientific_name", FILES, BIRDS, LATIN),
        classes=IN_ORDER,
        options={"name_column": "scientific_name"},
    ),
    three(
        "gaps-in-common-names",
        "a species whose common name is missing in one row",
        rows(
            "path,common_name,species",
            *([*FILES, "bluejay2.jpg"], [*BIRDS, ""], [*LATIN, LATIN[0]]),
        ),
        files=pictures() | pictures(files=("bluejay2.jpg",)),
        items=4,
        labels={"bluejay2.jpg": "Blue Jay"},
    ),
]

CODES = [
    three(
        "breeds",
        "breeds within species",
        rows("image,species,breed", FILES, ["cat", "dog", "dog"], ["Manx", "Pug", "Boxer"]),
        classes=("Boxer", "Manx", "Pug"),
        doubt="--label-column species",
    ),
    three(
        "isic-2020",
        "numbers, and names in the column before",
        rows(
            "image_name,patient_id,benign_malignant,target",
            *(STEMS, ["p1", "p2", "p1"], ["benign", "malignant", "benign"], (0, 1, 0)),
        ),
        classes=("benign", "malignant"),
        labels={"bobolink1": "malignant"},
    ),
    three(
        "macaulay",
        "Macaulay Library: catalog numbers as names of pictures",
        rows(
            "ML Catalog Number,Format,Common Name,Scientific Name,eBird Species Code",
            *((701, 702, 703), ["Photo"] * 3, BIRDS, LATIN, ["blujay", "boboli", "mallar3"]),
        ),
        files=pictures(files=("701.jpg", "702.jpg", "703.jpg")),
    ),
    three(
        "fgvc-table",
        "names that are model numbers, and their numbers",
        rows("filename,Classes,Labels", FILES, ["707-320", "727-200", "A380"], (0, 1, 2)),
        classes=("707-320", "727-200", "A380"),
    ),
    three(
        "objects",
        "labels that are objects of a name",
        '{"image": "bluejay1.jpg", "label": {"id": 4, "name": "Blue Jay"}}\n'
        '{"image": "mallard1.jpg", "label": {"id": 2, "name": "Mallard"}}\n',
        "t.jsonl",
        items=2,
        classes=("Blue Jay", "Mallard"),
    ),
    three(
        "a10",
        "numbers, and names in the next column",
        rows("path,label,label_name", FILES, NUMBERS, BIRDS),
        doubt="",
    ),
    three(
        "codes-next-column",
        "numbers, and names in a column of any name",
        rows("path,class_id,vogel", FILES, (12, 4, 9), BIRDS),
    ),
    three(
        "birds-525",
        "Kaggle's birds: class id, filepaths, labels, data set",
        rows(
            "class id,filepaths,labels,data set,scientific name",
            *(NUMBERS, [f"train/{b}/{f}" for b, f in zip(BIRDS, FILES, strict=True)]),
            *([bird.upper() for bird in BIRDS], ["train"] * 3, [name.upper() for name in LATIN]),
        ),
        "birds.csv",
        files={f"train/{b.upper()}/{f}": PICTURE for b, f in zip(BIRDS, FILES, strict=True)},
        classes=("BLUE JAY", "BOBOLINK", "MALLARD"),
        splits={"train": 3},
    ),
    Form(
        "a07",
        "Kaggle: a table, a map of its numbers, and a flat test set",
        pictures("train_images/")
        | pictures("test_images/", files=("bluejay2.jpg", "bobolink2.jpg", "mallard2.jpg"))
        | {"train.csv": rows("image_id,label", FILES, NUMBERS)}
        | {"label_num_to_disease_map.json": JSON_MAP},
        items=6,
        classes=BIRDS,
        splits={"test": 3, "train": 3},
        labels={"bluejay1.jpg": "Blue Jay", "test_images/bluejay2.jpg": None},
    ),
    three(
        "a07-table",
        "the same by its table",
        rows("image_id,label", FILES, NUMBERS),
        "train.csv",
        files=pictures("train_images/") | {"label_num_to_disease_map.json": JSON_MAP},
    ),
    three(
        "map-with-a-gap",
        "numbers are identities: gaps shift nothing",
        rows("path,label", FILES, (1, 3, 7)),
        files=pictures()
        | {"names.json": '{"1": "Blue Jay", "2": "Gadwall", "3": "Bobolink", "7": "Mallard"}'},
    ),
    three(
        "floats",
        "numbers that pandas has made floats",
        rows("path,label", FILES, ("0.0", "1.0", "2.0")),
        files=pictures() | {"classes.txt": "Blue Jay\nBobolink\nMallard\n"},
    ),
    three(
        "synset-column",
        "synset ids and their words",
        rows("path,label", FILES, ("n01580077", "n01534433", "n01847000")),
        files=pictures()
        | {"words.txt": "n01580077\tBlue Jay\nn01534433\tBobolink\nn01847000\tMallard, drake\n"},
    ),
    three(
        "a18",
        "numbers from 1, the last class absent, and no names",
        rows("path,label", FILES[:2], (1, 2)),
        "one_based.csv",
        files=pictures(files=FILES[:2]),
        items=2,
        classes=("1", "2"),
        doubt="numbers",
    ),
    three(
        "maps-that-disagree",
        "two maps that disagree are not guessed between",
        rows("path,label", FILES, NUMBERS),
        files=pictures() | {"names.txt": "a\nb\nc\n", "classes.txt": "x\ny\nz\n"},
        classes=("0", "1", "2"),
        doubt="numbers",
    ),
    three(
        "cars",
        "Stanford Cars by Kaggle: no header, boxes, numbers from 1, names beside",
        rows("bluejay1.jpg,1,1,6,6,1", FILES[1:], [2] * 2, [1] * 2, [6] * 2, [6] * 2, (2, 3)),
        "anno_train.csv",
        files=pictures() | {"names.csv": "Blue Jay\nBobolink\nMallard\n"},
    ),
    three(
        "ham10000",
        "HAM10000: image_id and dx",
        rows(
            "lesion_id,image_id,dx,dx_type,age,sex,localization",
            *("abc", ("ISIC_1", "ISIC_2", "ISIC_3"), ("nv", "mel", "nv"), ["histo"] * 3),
            *((50.0, "", 60), ["male", "", "female"], ["back"] * 3),
        ),
        "HAM10000_metadata.csv",
        files={"HAM10000_images_part_1/ISIC_1.jpg": PICTURE}
        | {f"HAM10000_images_part_2/ISIC_{n}.jpg": PICTURE for n in (2, 3)},
        classes=("mel", "nv"),
        labels={"ISIC_1": "nv", "ISIC_2": "mel"},
    ),
]

SEVERAL = [
    Form(
        "a11",
        "several labels in a list",
        pictures()
        | {
            "metadata.jsonl": '{"file_name": "bluejay1.jpg", "label": ["Blue Jay", "snow"]}\n'
            '{"file_name": "bobolink1.jpg", "label": ["Bobolink"]}\n'
            '{"file_name": "mallard1.jpg", "label": ["Mallard"]}\n'
        },
        refused="several for 1 of 3",
    ),
    three(
        "lists-of-one",
        "lists of one label each",
        rows("path,label", FILES, [f"\"['{bird}']\"" for bird in BIRDS]),
    ),
    three(
        "a12",
        "several rows of a picture",
        rows(
            "path,label",
            [FILES[0], FILES[0], FILES[1], FILES[2], FILES[2]],
            [BIRDS[0], "snow", BIRDS[1], BIRDS[2], "snow"],
        ),
        "long.csv",
        refused="--several-labels first",
    ),
    three(
        "several-first",
        "the first of several labels, when asked for",
        rows("path,label", [FILES[0], *FILES], [BIRDS[0], "snow", *BIRDS[1:]]),
        classes=("Blue Jay", "Bobolink", "Mallard", "snow"),
        options={"several_labels": "first"},
        doubt="1 of 3",
    ),
    three(
        "several-skipped",
        "pictures of several labels left out, when asked for",
        rows("path,label", [FILES[0], *FILES], [BIRDS[0], "snow", *BIRDS[1:]]),
        items=2,
        classes=("Blue Jay", "Bobolink", "Mallard", "snow"),
        options={"several_labels": "skip"},
        doubt="left out",
    ),
    three(
        "plant-pathology",
        "labels in one cell, divided by spaces",
        rows(
            "image,labels",
            ["1.jpg", "2.jpg", "3.jpg", "4.jpg"],
            ["scab", "rust", "scab rust", "healthy"],
        ),
        files=pictures(files=("1.jpg", "2.jpg", "3.jpg", "4.jpg")),
        refused="several for 1 of 4",
    ),
    three(
        "nih-table",
        "labels in one cell, divided by bars",
        rows("Image Index,Finding Labels", FILES, ["Mass", "Mass|Hernia", "No Finding"]),
        refused="several for 1 of 3",
    ),
    three(
        "a17",
        "spellings that differ in case",
        rows("path,label", [*FILES, FILES[0]], ["Blue Jay", "bobolink", "MALLARD", "blue jay"]),
        "by_hand.csv",
        items=4,
        classes=("Blue Jay", "bobolink", "MALLARD"),
        doubt="several ways",
    ),
    three(
        "letters",
        "letters of both cases are classes of their own",
        rows("path,label", FILES, ("a", "A", "b")),
        classes=("A", "a", "b"),
    ),
    Form(
        "b07",
        "Roboflow: one column a class, with spaces before their names",
        pictures("test/")
        | {
            "test/_classes.csv": rows(
                "filename, Blue Jay, Bobolink, Mallard",
                *(FILES, (" 1", " 0", " 0"), (" 0", " 1", " 0"), (" 0", " 0", " 1")),
            )
        },
        items=3,
        classes=BIRDS,
        splits={"test": 3},
    ),
    three(
        "isic",
        "ISIC: one column a class, as floats, names without suffix",
        rows(
            "image,MEL,NV,BCC",
            *(STEMS, ("1.0", "0.0", "0.0"), ("0.0", "1.0", "0.0"), ("0.0", "0.0", "1.0")),
        ),
        classes=("BCC", "MEL", "NV"),
        labels={"bluejay1": "MEL"},
    ),
    three(
        "two-hot",
        "one column a class, two of them 1",
        rows("image,scab,rust", FILES, (1, 1, 0), (0, 1, 0)),
        refused="several for 1 of 3",
    ),
]

PLACES = [
    Form(
        "b01",
        "Kaggle's dogs: ids without suffix",
        pictures("train/") | {"test/1.jpg": PICTURE, "labels.csv": rows("id,breed", STEMS, BIRDS)},
        at="labels.csv",
        items=3,
        classes=BIRDS,
    ),
    Form(
        "b02",
        "a metadata file in each split",
        pictures("train/", "test/")
        | {f"{s}/metadata.csv": rows("file_name,label", FILES, BIRDS) for s in ("train", "test")},
        items=6,
        classes=BIRDS,
        splits={"test": 3, "train": 3},
    ),
    three(
        "b03",
        "the table beside the folder of its pictures",
        rows("filename,label", FILES, BIRDS),
        files=pictures("images/"),
    ),
    three(
        "b03-windows",
        "paths of Windows",
        rows("path,label", [f"images\\{file}" for file in FILES], BIRDS),
        "windows.csv",
        files=pictures("images/"),
    ),
    three(
        "b03-colab",
        "paths of another machine",
        rows("path,label", [f"/content/drive/MyDrive/birds/images/{f}" for f in FILES], BIRDS),
        "colab.csv",
        files=pictures("images/"),
    ),
    three(
        "folder-with-table",
        "the folder that holds a table and its pictures",
        rows("filename,label", FILES, BIRDS),
        files=pictures("images/"),
        typed="",
    ),
    three(
        "table-in-annotations",
        "the table in a folder of its own",
        rows("filename,label", FILES, BIRDS),
        "annotations/labels.csv",
        files=pictures("images/"),
    ),
    Form(
        "table-a-split",
        "a table for each split, by name",
        pictures("images/", files=(*FILES, "bluejay2.jpg"))
        | {"train.csv": rows("image,label", FILES, BIRDS), "test.csv": "image,label\n"}
        | {"test.csv": "image,label\nbluejay2.jpg,Blue Jay\n"},
        items=4,
        classes=BIRDS,
        splits={"test": 1, "train": 3},
    ),
    Form(
        "same-names-in-splits",
        "Kaggle: the same names in train/ and test/",
        pictures("train/", "test/") | {"train.csv": rows("image,label", FILES, BIRDS)},
        at="train.csv",
        items=3,
        classes=BIRDS,
    ),
    three(
        "automl",
        "Google AutoML: no header, splits and addresses in a bucket",
        "".join(f"TRAIN,gs://bucket/birds/{f},{b}\n" for f, b in zip(FILES, BIRDS, strict=True)),
        "import.csv",
        files=pictures("photos/"),
        splits={"train": 3},
    ),
    three(
        "b17",
        "Timelapse: RelativePath and File",
        "RootFolder,File,RelativePath,DateTime,DeleteFlag,Species\n"
        "p,bluejay1.jpg,site1,2026-01-01 10:00:00,false,Blue Jay\n",
        "TimelapseData.csv",
        files={"site1/bluejay1.jpg": PICTURE},
        items=1,
        classes=("Blue Jay",),
    ),
    three(
        "timelapse-cameras",
        "Timelapse: pictures of two cameras with the same name",
        "File,RelativePath,Species\n"
        "IMG_1.JPG,site1,Blue Jay\nIMG_1.JPG,site2,Mallard\nIMG_2.JPG,site2,Bobolink\n",
        "TimelapseData.csv",
        files=pictures("site1/IMG_1.JPG", "site2/IMG_1.JPG", "site2/IMG_2.JPG", files=("",)),
        labels={"site1/IMG_1.JPG": "Blue Jay", "site2/IMG_1.JPG": "Mallard"},
    ),
    three(
        "none-there",
        "a table whose pictures are not there",
        rows("path,label", ["x/a.jpg", "x/b.jpg", "x/c.jpg"], BIRDS),
        files=pictures("images/"),
        refused="bluejay1.jpg",
    ),
    three(
        "one-missing",
        "a picture that is not there",
        rows("path,label", [*FILES[:2], "mallard9.jpg"], BIRDS),
        doubt="mallard9.jpg",
    ),
    three(
        "addresses",
        "addresses alone",
        rows("image_url,label", [f"https://example.org/{n}" for n in (1, 2, 3)], BIRDS),
        refused="img2dataset",
    ),
    three(
        "ambiguous",
        "a name that two pictures have",
        rows("path,label", ["1.jpg"], ["Blue Jay"]),
        files=pictures("a/", "b/", files=("1.jpg",)),
        refused="give more of the path",
    ),
]

WRITTEN = [
    three("b04", "a label column of another name", rows("path,common_name", FILES, BIRDS)),
    three(
        "unknown-label-column",
        "a label column that nobody knows",
        rows("path,vogelart", FILES, BIRDS),
        classes=(),
        doubt="--label-column",
    ),
    three(
        "named-label-column",
        "a label column by option",
        rows("path,label,vogelart", FILES, ["x", "y", "y"], BIRDS),
        options={"label_column": "Vogelart"},
    ),
    three(
        "named-columns",
        "columns for path and split by option",
        rows("a,b,c", FILES, BIRDS, ["one", "one", "two"]),
        splits={"one": 2, "two": 1},
        options={"path_column": "a", "label_column": "b", "split_column": "c"},
    ),
    three(
        "no-such-column",
        "an option for a column that is not there",
        rows("path,label", FILES, BIRDS),
        refused="Did you mean 'label'",
        options={"label_column": "lable"},
    ),
    three("no-header", "no header", rows("bluejay1.jpg,Blue Jay", FILES[1:], BIRDS[1:])),
    three("sep", "Excel's sep= line", "sep=;\r\n" + rows("path;label", FILES, BIRDS, sep=";")),
    three(
        "blank-lines", "blank lines before the header", "\n\n" + rows("path,label", FILES, BIRDS)
    ),
    three(
        "blank-rows",
        "blank rows, as a spreadsheet leaves them",
        rows("path,label", FILES, BIRDS).replace("\n", "\n,\n") + ",\n,\n",
    ),
    three(
        "r-row-names",
        "R's write.csv",
        rows('"","file","species"', *((f'"{v}"' for v in c) for c in ((1, 2, 3), FILES, BIRDS))),
    ),
    three(
        "r-write-table",
        "R's write.table, whose header lacks the row numbers",
        rows("file,species", (1, 2, 3), FILES, BIRDS),
    ),
    three(
        "trailing",
        "rows that end in a delimiter",
        rows("path,label", FILES, [f"{bird}," for bird in BIRDS]),
    ),
    three(
        "utf-16",
        "Excel's Unicode text",
        rows("path\tlabel", FILES, BIRDS, sep="\t").encode("utf-16"),
    ),
    three("bom", "a byte-order mark", rows("path,label", FILES, BIRDS).encode("utf-8-sig")),
    three(
        "cp1252",
        "Windows Latin and semicolons",
        rows("filename;species", FILES, ["Häher", "Bobolink", "Stockente"], sep=";").encode(
            "cp1252"
        ),
        classes=("Bobolink", "Häher", "Stockente"),
    ),
    three(
        "0x81",
        "a byte that Windows Latin does not have",
        rows("filename;species", FILES, BIRDS, sep=";").encode() + b"x\x81.jpg;Mallard\n",
        refused="save it as UTF-8",
    ),
    three(
        "open-quote",
        "a quote that is not closed",
        'path,label\nbluejay1.jpg,"Blue Jay\nbobolink1.jpg,Bobolink\nmallard1.jpg,Mallard\n',
        refused="quote",
    ),
    three(
        "nfd",
        "letters and accents apart",
        rows("path,label", FILES, ["cafe\u0301", "caf\u00e9", "the"]),
        classes=("caf\u00e9", "the"),
    ),
    three(
        "train-flags",
        "CUB: 1 for the training split",
        rows("path,is_training_image,label", FILES, (1, 0, 1), BIRDS),
        splits={"test": 1, "train": 2},
    ),
    three(
        "split-numbers",
        "0 and 1 in a column split, of which nobody knows which is for training",
        rows("path,split,label", FILES, (0, 0, 1), BIRDS),
        splits={"0": 2, "1": 1},
    ),
    three(
        "test-flags",
        "1 for the test split",
        rows("path,test,label", FILES, (1, 0, 0), BIRDS),
        splits={"test": 1, "train": 2},
    ),
    three(
        "split-words",
        "splits in short and in German",
        rows("path,partition,label", FILES, ("TRN", "Validierung", "tst"), BIRDS),
        splits={"train": 1, "val": 1, "test": 1},
    ),
    three(
        "not-labelled",
        "words for a label that nobody gave",
        rows("path,label", [*FILES, "4.jpg", "5.jpg"], [*BIRDS, "unlabeled", "TODO"]),
        files=pictures(files=[*FILES, "4.jpg", "5.jpg"]),
        items=5,
        labels={"4.jpg": None, "5.jpg": None},
        doubt="'unlabeled'",
    ),
    Form(
        "unknown-column",
        "a folder with a table whose column of classes nobody knows",
        {
            **pictures("images/"),
            "log.csv": rows("datei;gewicht;vogel", STEMS, "123", BIRDS, sep=";"),
        },
        items=3,
        doubt="log.csv names these pictures",
    ),
    Form(
        "two-tables",
        "two tables of the same pictures in one folder",
        {
            **pictures("images/"),
            "labels_new.csv": rows("file,label", FILES, BIRDS),
            "labels_old.csv": rows("file,label", FILES, [BIRDS[0], BIRDS[0], BIRDS[2]]),
        },
        items=3,
        classes=BIRDS,
        doubt="labels_old.csv",
    ),
    three(
        "in-lists",
        "a table in a folder of lists beside the pictures",
        rows("image,label", [f"images/{file}" for file in FILES], BIRDS),
        "lists/labels.csv",
        files=pictures("images/"),
        typed="",
    ),
    three(
        "text-called-xls",
        "text that a database calls a spreadsheet",
        rows("Bild\tArt", FILES, BIRDS, sep="\t"),
        "export.xls",
        files=pictures("images/"),
    ),
    three(
        "german-ranks",
        "ranks of a taxonomy in German, of which the class is Aves",
        rows(
            "Bild,Klasse,Gattung,Art",
            FILES,
            ["Aves"] * 3,
            ["Cyanocitta", "Dolichonyx", "Anas"],
            ["cristata", "oryzivorus", "platyrhynchos"],
        ),
        classes=("Anas platyrhynchos", "Cyanocitta cristata", "Dolichonyx oryzivorus"),
    ),
    three(
        "label-before-class-name",
        "label before class_name, and the other is a synonym",
        rows("path,class_name,label", FILES, ["jay", "blackbird", "duck"], BIRDS),
    ),
    Form(
        "b21",
        "labels in the names of files",
        pictures(files=[f"{b.replace(' ', '_')}_{n}.jpg" for b in BIRDS for n in (101, 102, 103)]),
        items=9,
        classes=BIRDS,
        options={"label_from_name": r"(.+)_\d+"},
    ),
    three(
        "label-names",
        "names of numbers by option",
        rows("path,label", FILES, (5, 6, 9)),
        classes=("5", "6", "9"),
        doubt="numbers",
    ),
]

FORMS = [*TAXONOMIES, *CODES, *SEVERAL, *PLACES, *WRITTEN]
