"""Folders of pictures as people have them, each with its right reading."""

from collections.abc import Sequence

from tests.data.forms.form import PICTURE, Form

JAY, BOBOLINK, MALLARD = BIRDS = ("Blue Jay", "Bobolink", "Mallard")
Files = dict[str, str | bytes | None]


def tree(*prefixes: str, suffix: str = "", count: int = 1, names: Sequence[str] = BIRDS) -> Files:
    """`count` pictures of each class below each prefix: `PREFIX/CLASS/SUFFIX/1.jpg`."""
    return {
        f"{prefix}{name}/{suffix}{number}.jpg": PICTURE
        for prefix in prefixes or ("",)
        for name in names
        for number in range(1, count + 1)
    }


def pictures(*paths: str) -> Files:
    return dict.fromkeys(paths, PICTURE)


def birds(
    name: str, what: str, *files: Files, labels: dict[str, str | None] | None = None, **rest: object
) -> Form:
    """A form whose right reading has the three birds as its classes."""
    together = {path: content for part in files for path, content in part.items()}
    rest.setdefault("classes", BIRDS)
    return Form(name, what, together, labels=labels or {}, **rest)  # type: ignore[arg-type]


BOTH = {"train": 3, "test": 3}
SYNSETS = {"n01534433": "Bobolink", "n01580077": "Blue Jay", "n01847000": "Mallard"}
WORDS = "".join(f"{code}\t{name}\n" for code, name in SYNSETS.items())
INDEX = """{"0": ["n01534433", "Bobolink"], "1": ["n01580077", "Blue_Jay"],
 "2": ["n01847000", "Mallard"]}"""
RUN = {"config.json": "{}", "results.json": "{}", "curve.png": PICTURE}

PLAIN = [
    birds("plain", "a folder per class", tree(count=2), items=6, doubt=""),
    birds("splits", "train/ and test/", tree("train/", "test/"), splits=BOTH, items=6, doubt=""),
    birds("capitals", "Training/ and Test/", tree("Training/", "Test/"), splits=BOTH, doubt=""),
    birds("upper", "TRAIN/ and TEST/", tree("TRAIN/", "TEST/"), splits=BOTH, doubt=""),
    birds("train-set", "train-set/, test-set/", tree("train-set/", "test-set/"), splits=BOTH),
    birds("training_set", "Keras", tree("training_set/", "test_set/"), splits=BOTH),
    birds("trainset", "trainset/, testset/", tree("trainset/", "testset/"), splits=BOTH),
    birds(
        "2017",
        "train2017/, val2017/",
        tree("train2017/", "val2017/"),
        splits={"train": 3, "val": 3},
    ),
    birds("trainval", "trainval/ and test/", tree("trainval/", "test/"), splits=BOTH),
    birds("train_val", "train_val/ and test/", tree("train_val/", "test/"), splits=BOTH),
    birds("suffix", "birds_train/, birds_test/", tree("birds_train/", "birds_test/"), splits=BOTH),
    birds("dev", "train/ and dev/", tree("train/", "dev/"), splits={"train": 3, "val": 3}),
    birds("eval", "train/ and eval/", tree("train/", "eval/"), splits={"train": 3, "val": 3}),
    birds("one", "only train/", tree("train/"), splits={"train": 3}, items=3),
    birds(
        "holdout",
        "a split of another name holds the same classes",
        tree("train/", "val/", "holdout/"),
        splits={"train": 3, "val": 3, "holdout": 3},
    ),
    birds("unseen", "one known split", tree("train/", "unseen/"), splits={"train": 3, "unseen": 3}),
    birds(
        "folds", "fold_1/, fold_2/", tree("fold_1/", "fold_2/"), splits={"fold-1": 3, "fold-2": 3}
    ),
]

WRAPPED = [
    birds(
        "a04",
        "a wrapper above train/ and test/",
        tree("dataset/train/", count=2),
        tree("dataset/test/"),
        splits={"train": 6, "test": 3},
        items=9,
    ),
    birds("wrapper", "a wrapper by a name", tree("birds/train/", "birds/test/"), splits=BOTH),
    birds(
        "two-wrappers",
        "archive/birds",
        tree("archive/birds/train/", "archive/birds/test/"),
        splits=BOTH,
    ),
    birds("again", "birds/birds/CLASS", tree("birds/birds/"), items=3),
    birds("images", "images/CLASS", tree("images/"), items=3, doubt=""),
    birds("raw", "data/raw/CLASS", tree("data/raw/"), items=3, doubt=""),
    birds("by_class", "by_class/CLASS", tree("by_class/"), items=3),
    birds("JPEGImages", "JPEGImages/CLASS", tree("JPEGImages/"), items=3),
    birds("images-split", "images/train/CLASS", tree("images/train/", "images/test/"), splits=BOTH),
    birds("split-images", "train/images/CLASS", tree("train/images/", "test/images/"), splits=BOTH),
    birds(
        "dataset-images",
        "dataset/images/train/CLASS",
        tree("dataset/images/train/"),
        splits={"train": 3},
    ),
    birds(
        "intel",
        "Intel image classification: seg_train/seg_train/CLASS",
        tree("seg_train/seg_train/", "seg_test/seg_test/"),
        pictures("seg_pred/seg_pred/1.jpg"),
        splits={"train": 3, "test": 3, "pred": 1},
        labels={"seg_pred/seg_pred/1.jpg": None},
    ),
    birds(
        "chest_xray",
        "chest_xray with __MACOSX",
        tree("chest_xray/train/", "chest_xray/test/", names=("NORMAL", "PNEUMONIA")),
        pictures("__MACOSX/chest_xray/train/NORMAL/1.jpg", "chest_xray/__MACOSX/1.jpg"),
        classes=("NORMAL", "PNEUMONIA"),
        splits={"train": 2, "test": 2},
        left_out=("__MACOSX",),
    ),
    birds(
        "numbers",
        "flowers/train/<id>",
        tree("flowers/train/", "flowers/valid/", names=("1", "2")),
        classes=("1", "2"),
        splits={"train": 2, "val": 2},
        doubt="number",
    ),
    birds(
        "beside-readme",
        "a wrapper, a licence and a cover beside it",
        tree("birds/"),
        pictures("cover.jpg"),
        {"LICENSE": "free", "README.md": "x"},
        items=3,
        left_out=("cover.jpg", "README.md"),
    ),
]

BESIDE = [
    birds(
        "a05",
        "a stranger beside train/ and test/",
        tree("train/", count=2),
        tree("test/"),
        pictures("unsorted/x.jpg"),
        splits={"train": 6, "test": 3},
        items=9,
        left_out=("unsorted/",),
    ),
    birds(
        "a05b",
        "strangers",
        tree("train/", "test/"),
        pictures("new/x.jpg", "misc/y.jpg"),
        splits=BOTH,
        items=6,
        left_out=("new", "misc"),
    ),
    birds(
        "a05c",
        "a wrapper and a stranger",
        tree("data/train/", "data/test/"),
        pictures("extra/x.jpg"),
        splits=BOTH,
        items=6,
        left_out=("extra/",),
    ),
    birds(
        "a06",
        "Kaggle: train_images/CLASS, flat test_images/",
        tree("train_images/", count=3),
        pictures("test_images/200001.jpg"),
        splits={"train": 9, "test": 1},
        labels={"test_images/200001.jpg": None},
    ),
    birds(
        "b06",
        "a flat test/",
        tree("train/", count=3),
        pictures("test/1.jpg"),
        splits={"train": 9, "test": 1},
        labels={"test/1.jpg": None, "train/Mallard/1.jpg": MALLARD},
    ),
    birds(
        "a13",
        "_unlabeled and no_label beside classes",
        tree(count=3),
        pictures("_unlabeled/1.jpg", "no_label/2.jpg"),
        items=11,
        labels={"_unlabeled/1.jpg": None, "no_label/2.jpg": None},
    ),
    birds(
        "unlabelled",
        "unlabelled beside train/ and test/",
        tree("train/", "test/"),
        pictures("unlabeled/1.jpg"),
        splits={**BOTH, "unlabeled": 1},
        labels={"unlabeled/1.jpg": None},
    ),
    birds(
        "b05",
        "a picture beside the class folders",
        tree(count=3),
        pictures("cover.jpg"),
        items=9,
        left_out=("cover.jpg",),
    ),
    birds(
        "b05b",
        "two pictures beside",
        tree(),
        pictures("a.jpg", "b.png"),
        items=3,
        left_out=("a.jpg",),
    ),
    birds(
        "b05c",
        "a picture in train/",
        tree("train/", "test/"),
        pictures("train/cover.jpg"),
        splits=BOTH,
        items=6,
        left_out=("train/cover.jpg",),
    ),
    birds(
        "b18",
        "a table of something else",
        tree(count=3),
        {"metadata.csv": "camera,firmware\nC1,1.2\n"},
        items=9,
        left_out=("metadata.csv",),
    ),
    birds(
        "b18b",
        "tables beside",
        tree(),
        {"stats.csv": "a,b\n1,2\n", "notes.xlsx": b"PK"},
        items=3,
        left_out=("stats.csv", "notes.xlsx"),
    ),
    birds(
        "b19",
        "a packed archive",
        tree(count=3),
        {"birds.tgz": b"\x1f\x8b"},
        items=9,
        left_out=("birds.tgz",),
    ),
    birds(
        "b20",
        "an archive",
        tree(count=3),
        {"birds.tar": b"ustar"},
        items=9,
        left_out=("birds.tar",),
    ),
    birds("zip", "a zip", tree(), {"birds.zip": b"PK"}, items=3, left_out=("birds.zip",)),
    birds(
        "hidden-tar",
        "a tar in a hidden folder",
        tree(),
        {".cache/x.tar": b"ustar"},
        items=3,
        doubt="",
    ),
    birds(
        "tar-in-class",
        "a tar in a class",
        tree(),
        {"Mallard/more.tar": b"x"},
        items=3,
        left_out=("more.tar",),
    ),
    birds(
        "own-output",
        "runs of clipfg",
        tree(),
        {f"runs/zeroshot-1/{k}": v for k, v in RUN.items()},
        {f"base-run/{k}": v for k, v in RUN.items()},
        items=3,
        left_out=("runs/zeroshot-1/", "base-run/"),
    ),
    birds(
        "own-store",
        "a store of clipfg",
        tree(),
        {"store/store.json": "{}", "store/x.png": PICTURE},
        items=3,
        left_out=("store/",),
    ),
    birds(
        "runs",
        "charts in runs/",
        tree(),
        pictures("runs/detect/exp1/F1.png"),
        items=3,
        left_out=("runs/",),
    ),
    birds(
        "masks",
        "images/CLASS, masks/CLASS",
        tree("images/", "masks/"),
        items=3,
        left_out=("masks/",),
    ),
    birds(
        "class-masks",
        "CLASS/images, CLASS/masks",
        tree(suffix="images/"),
        tree(suffix="masks/"),
        items=3,
        left_out=("masks/",),
    ),
    birds(
        "thumbs",
        "thumbnails beside classes",
        tree(),
        pictures("thumbnails/1.jpg"),
        items=3,
        left_out=("thumbnails/",),
    ),
    birds(
        "train-masks",
        "train_images/ and train_masks/",
        tree("train_images/", "train_masks/"),
        splits={"train": 3},
        items=3,
        left_out=("train_masks/",),
    ),
    birds(
        "annotations",
        "Pets: images, annotations/trimaps",
        tree("images/"),
        pictures("annotations/trimaps/1.png"),
        items=3,
        left_out=("annotations/",),
    ),
    birds(
        "loose-images",
        "images/ beside classes",
        tree(),
        pictures("images/1.jpg"),
        items=3,
        left_out=("images/",),
    ),
]

DEEPER = [
    birds(
        "a15",
        "CLASS/year",
        pictures(*(f"Blue Jay/2021/{n}.jpg" for n in range(3))),
        pictures(*(f"Bobolink/2022/{n}.jpg" for n in range(3))),
        pictures(*(f"Mallard/2023/{n}.jpg" for n in range(3))),
        items=9,
        doubt="",
    ),
    birds(
        "years",
        "CLASS/year, several",
        tree(suffix="2021/"),
        tree(suffix="2022/"),
        items=6,
        doubt="",
    ),
    birds(
        "dates", "CLASS/2021-05-03", tree(suffix="2021-05-03/"), tree(suffix="2021-06-01/"), items=6
    ),
    birds("sites", "CLASS/site_1", tree(suffix="site_1/"), tree(suffix="site_2/"), items=6),
    birds("individuals", "CLASS/ind_01", tree(suffix="ind_01/"), tree(suffix="ind_02/"), items=6),
    birds("cameras", "CLASS/cam3", tree(suffix="cam3/"), items=3),
    birds("sexes", "CLASS/male", tree(suffix="male/"), tree(suffix="female/"), items=6),
    birds("lone", "CLASS/images", tree(suffix="images/"), items=3, doubt=""),
    birds("twice", "CLASS/CLASS", {f"{b}/{b}/1.jpg": PICTURE for b in BIRDS}, items=3),
    birds(
        "ucf",
        "UCF101: CLASS/v_CLASS_g01_c01/frame",
        {f"{c}/v_{c}_g0{g}_c01/1.jpg": PICTURE for c in ("Archery", "Bowling") for g in (1, 2)},
        classes=("Archery", "Bowling"),
        items=4,
    ),
    birds(
        "frames",
        "CLASS/video_001/frame",
        tree(suffix="video_001/"),
        tree(suffix="video_002/"),
        items=6,
    ),
    birds(
        "mixed",
        "pictures and folders in a class",
        tree(),
        tree(suffix="more/"),
        tree(suffix="best of/"),
        items=9,
    ),
    birds(
        "inside",
        "CLASS/train, CLASS/test",
        tree(suffix="train/"),
        tree(suffix="test/"),
        splits=BOTH,
        items=6,
    ),
    birds(
        "inside-some",
        "CLASS/train, one without test",
        tree(suffix="train/"),
        pictures("Mallard/val/1.jpg"),
        splits={"train": 3, "val": 1},
    ),
    birds(
        "a14",
        "tiny-imagenet",
        {f"train/{code}/images/1.JPEG": PICTURE for code in SYNSETS},
        pictures("val/images/val_0.JPEG"),
        {"words.txt": WORDS},
        classes=tuple(SYNSETS.values()),
        splits={"train": 3, "val": 1},
        labels={"val/images/val_0.JPEG": None},
    ),
    birds(
        "a14b",
        "tiny-imagenet from train/",
        {f"train/{code}/images/1.JPEG": PICTURE for code in SYNSETS},
        {"words.txt": WORDS},
        at="train",
        classes=tuple(SYNSETS.values()),
    ),
    birds(
        "synsets",
        "synsets and LOC_synset_mapping.txt",
        {f"train/{code}/1.JPEG": PICTURE for code in SYNSETS},
        {"LOC_synset_mapping.txt": "".join(f"{c} {n}, x y\n" for c, n in SYNSETS.items())},
        classes=tuple(SYNSETS.values()),
        splits={"train": 3},
    ),
    birds(
        "class-index",
        "synsets and imagenet_class_index.json",
        {f"{code}/1.JPEG": PICTURE for code in SYNSETS},
        {"imagenet_class_index.json": INDEX},
        classes=tuple(SYNSETS.values()),
    ),
    birds(
        "no-names",
        "synsets without names",
        {f"{code}/1.JPEG": PICTURE for code in SYNSETS},
        classes=tuple(SYNSETS),
        doubt="--classes",
    ),
    birds(
        "cat_to_name",
        "ids with a map that has more",
        tree("train/", "valid/", names=("1", "2", "10")),
        {"cat_to_name.json": '{"10": "Gadwall", "2": "Bobolink", "1": "Blue Jay", "3": "Mallard"}'},
        classes=("Blue Jay", "Bobolink", "Gadwall"),
        splits={"train": 3, "val": 3},
    ),
    birds(
        "short-map",
        "ids with a map that lacks one",
        tree(names=("1", "2", "3")),
        {"cat_to_name.json": '{"1": "Blue Jay", "2": "Bobolink"}'},
        classes=("1", "2", "3"),
        doubt="--classes",
    ),
    birds(
        "taxonomy",
        "family/species",
        pictures("Corvidae/Blue_Jay/1.jpg", "Corvidae/Crow/1.jpg", "Laridae/Gull/1.jpg"),
        classes=("Blue Jay", "Crow", "Gull"),
        doubt="",
    ),
    birds(
        "inat",
        "iNaturalist 2021",
        pictures(
            "00000_Animalia_Arthropoda_Insecta_Diptera_Culicidae_Aedes_aegypti/1.jpg",
            "00007_Animalia_Chordata_Aves_Anseriformes_Anatidae_Anas_acuta/1.jpg",
        ),
        classes=("Aedes aegypti", "Anas acuta"),
    ),
    birds(
        "caltech256",
        "001.ak47",
        tree(names=("001.ak47", "002.american-flag")),
        classes=("ak47", "american-flag"),
    ),
    birds(
        "places",
        "CLASS/some place",
        pictures("Blue Jay/backyard/1.jpg", "Bobolink/prairie/1.jpg", "Mallard/pond/1.jpg"),
        doubt="--label-level",
    ),
    birds(
        "families",
        "families with a species each",
        pictures("Corvidae/Crow/1.jpg", "Laridae/Gull/1.jpg"),
        classes=("Crow", "Gull"),
        doubt="",
    ),
    birds(
        "models",
        "model numbers",
        tree(names=("737-200", "747-100")),
        classes=("737-200", "747-100"),
    ),
    birds(
        "copies",
        "Blue_Jay (2)",
        pictures("Blue_Jay/1.jpg", "Blue_Jay (2)/1.jpg", "Blue_Jay (3)/1.jpg", "Mallard/1.jpg"),
        classes=("Blue Jay", "Mallard"),
        items=4,
    ),
    birds(
        "level-1", "--label-level", tree(suffix="backyard/"), options={"label_level": 1}, items=3
    ),
    birds("level-3", "--label-level below", tree("a/b/"), options={"label_level": 3}),
    birds(
        "level-9",
        "--label-level too deep",
        tree("a/"),
        options={"label_level": 9},
        refused="from 0 to 2",
    ),
    birds("level-0", "--label-level 0", tree(), options={"label_level": 0}, classes=(), items=3),
]

ABOVE = [
    birds("year-above", "2021/CLASS", tree("2021/", "2022/"), items=6, doubt=""),
    birds("site-above", "site_a/CLASS", tree("site_a/", "site_b/"), items=6, doubt=""),
    birds("camera-above", "cam01/CLASS", tree("cam01/", "cam02/"), items=6),
    birds("batch-above", "batch_1/CLASS", tree("batch_1/", "batch_2/"), items=6),
    birds(
        "office31",
        "domain/images/CLASS",
        tree("amazon/images/", "dslr/images/", "webcam/images/"),
        items=9,
    ),
    birds("pacs", "photo/CLASS, sketch/CLASS", tree("photo/", "sketch/", "cartoon/"), items=9),
    birds(
        "plantvillage",
        "color, grayscale, segmented",
        tree("color/", "grayscale/", "segmented/"),
        refused="name one of them",
    ),
    birds(
        "augmented",
        "original and augmented",
        tree("original/", "augmented/"),
        refused="name one of them",
    ),
    birds(
        "variants-below",
        "a wrapper",
        tree("raw/color/", "raw/grayscale/"),
        refused="name one of them",
    ),
    birds("lakes", "lake/CLASS, sea/CLASS", tree("lake/", "sea/"), items=6, doubt="--label-level"),
    birds("lakes-2", "as said", tree("lake/", "sea/"), options={"label_level": 2}, items=6),
    birds("seen", "seen/, unseen/", tree("seen/", "unseen/"), splits={"seen": 3, "unseen": 3}),
    birds(
        "fresh",
        "apple/fresh, apple/rotten: either may be the class",
        tree("apple/", "pear/", names=("fresh", "rotten")),
        classes=("apple/fresh", "apple/rotten", "pear/fresh", "pear/rotten"),
        doubt="--label-level",
    ),
    birds(
        "folds-splits",
        "fold1/train/CLASS",
        tree("fold1/train/", "fold1/test/", "fold2/train/", "fold2/test/"),
        splits={"train": 6, "test": 6},
    ),
    birds(
        "batches-in-train",
        "train/batch1/CLASS, test/CLASS",
        tree("train/batch1/", "train/batch2/", "test/"),
        splits={"train": 6, "test": 3},
    ),
]

AGAIN = [
    birds(
        "copy-inside",
        "a folder that holds all again: brain_tumor_dataset/yes",
        tree("", "both/", names=("no", "yes")),
        classes=("no", "yes"),
        items=2,
        left_out=("both/",),
    ),
    birds(
        "hyper-kvasir",
        "labelled, unlabelled and segmented pictures",
        {f"labeled-images/tract/{n}/1.jpg": PICTURE for n in BIRDS},
        pictures("unlabeled-images/images/1.jpg"),
        pictures("segmented-images/images/1.jpg", "segmented-images/masks/1.jpg"),
        items=4,
        labels={"unlabeled-images/images/1.jpg": None},
        left_out=("segmented-images/",),
    ),
    birds(
        "fruits-360",
        "Training, Test and folders of something else",
        tree("fruits-360/Training/", "fruits-360/Test/"),
        pictures("fruits-360/test-multiple_fruits/1.jpg", "fruits-360/papers/1.jpg"),
        splits=BOTH,
        left_out=("test-multiple_fruits/", "papers/"),
    ),
    birds(
        "sports",
        "pictures to predict",
        tree("train/", "valid/"),
        pictures("images to predict/1.jpg"),
        {"sports.csv": "a,b\n1,2\n", "model.h5": b"x"},
        splits={"train": 3, "val": 3, "predict": 1},
        left_out=("sports.csv", "model.h5"),
    ),
    birds(
        "gtsrb",
        "numbered classes, a flat Test/ and Meta/",
        tree("Train/", names=("0", "1", "14")),
        pictures("Test/00000.png", "Meta/0.png"),
        classes=("0", "1", "14"),
        splits={"train": 3, "test": 1},
        left_out=("Meta/",),
        doubt="--classes",
    ),
    birds(
        "dogs",
        "synset ids before the names",
        tree("images/Images/", names=("n02085620-Chihuahua", "n02088094-Afghan_hound")),
        classes=("Chihuahua", "Afghan hound"),
    ),
    birds(
        "spelt",
        "classes spelt in two ways",
        tree("train/"),
        tree("test/", names=("blue_jay", "bobolink", "MALLARD")),
        splits=BOTH,
        items=6,
    ),
    birds(
        "some-loose",
        "many pictures beside, fewer than in the folders",
        tree(count=10),
        pictures(*(f"{n}.jpg" for n in range(12))),
        items=42,
        labels={"0.jpg": None, "Mallard/1.jpg": MALLARD},
    ),
    birds("site-camera", "site/camera/CLASS", tree("s/site1/cam1/", "s/site1/cam2/"), items=6),
    birds("cats-dogs", "nested twice", tree("train/train/", "test1/test1/"), splits=BOTH),
]

UNLABELLED = [
    Form(
        "cyclegan",
        "trainA, trainB",
        pictures("trainA/1.jpg", "trainB/1.jpg", "testA/1.jpg"),
        items=3,
        splits={"train": 2, "test": 1},
    ),
    Form(
        "buckets",
        "folders by the first digits of an id",
        pictures("0/1/a/01a3.jpg", "0/2/b/02b3.jpg", "f/1/a/f1a3.jpg", "f/1/c/f1c3.jpg"),
        items=4,
        doubt="--label-level",
    ),
    Form(
        "dogs-vs-cats",
        "flat, nested twice",
        pictures("train/train/dog.0.jpg", "test1/test1/1.jpg"),
        items=2,
        splits={"train": 1, "test": 1},
    ),
    Form("heap", "pictures alone", pictures("1.jpg", "2.jpg"), items=2),
    Form(
        "ham",
        "HAM10000: parts",
        pictures("HAM10000_images_part_1/1.jpg", "HAM10000_images_part_2/2.jpg"),
        items=2,
    ),
    Form(
        "nih",
        "images_001, images_002",
        pictures("images_001/images/1.png", "images_002/images/2.png"),
        items=2,
    ),
    Form(
        "flat-splits",
        "flat splits",
        pictures("train/1.jpg", "test/1.jpg"),
        items=2,
        splits={"train": 1, "test": 1},
    ),
    Form(
        "coco",
        "COCO's folders",
        pictures("train2017/1.jpg", "val2017/2.jpg"),
        items=2,
        splits={"train": 1, "val": 1},
    ),
    Form(
        "yolo",
        "YOLO's folders",
        pictures("images/train/1.jpg", "images/val/2.jpg"),
        items=2,
        splits={"train": 1, "val": 1},
    ),
    Form(
        "kaggle-flat",
        "train_images, test_images",
        pictures("train_images/1.jpg", "test_images/2.jpg"),
        items=2,
        splits={"train": 1, "test": 1},
    ),
    Form(
        "dates-flat",
        "years and months",
        pictures("2021/01/1.jpg", "2021/02/1.jpg", "2022/01/1.jpg"),
        items=3,
    ),
    Form(
        "years-flat", "years", pictures("2021/1.jpg", "2022/1.jpg"), items=2, doubt="--label-level"
    ),
    Form(
        "dcim", "a camera's card", pictures("DCIM/100CANON/1.jpg", "DCIM/101CANON/2.jpg"), items=2
    ),
    Form(
        "traps",
        "camera traps",
        pictures("site1/1.jpg", "site2/2.jpg"),
        items=2,
        doubt="--label-level",
    ),
    Form(
        "album",
        "an album beside loose pictures",
        pictures(*(f"{n}.jpg" for n in range(9)), "Italy/1.jpg", "Spain/1.jpg"),
        items=11,
        doubt="--label-level",
    ),
    Form(
        "segmentation",
        "images and masks",
        pictures("images/1.jpg", "masks/1.png"),
        items=1,
        left_out=("masks/",),
    ),
]

NAMES_LIKE_WORDS = [
    birds(
        "vehicles",
        "a class called train",
        tree(names=("bus", "car", "train")),
        classes=("bus", "car", "train"),
        doubt="",
    ),
    birds(
        "tubes",
        "a class called test tube",
        tree(names=("beaker", "test tube")),
        classes=("beaker", "test tube"),
        doubt="",
    ),
    birds(
        "trains",
        "train station",
        tree(names=("airport", "train station")),
        classes=("airport", "train station"),
        doubt="",
    ),
    birds(
        "masks-worn",
        "with_mask",
        tree(names=("with_mask", "without_mask")),
        classes=("with mask", "without mask"),
    ),
    birds(
        "may",
        "mayfly, marigold",
        tree(names=("mayfly", "marigold")),
        classes=("marigold", "mayfly"),
    ),
    birds(
        "marks",
        "A310, A320",
        pictures("Airbus/A310/1.jpg", "Airbus/A320/1.jpg", "Boeing/B737/1.jpg"),
        classes=("A310", "A320", "B737"),
    ),
    birds(
        "marks-again",
        "the maker's name before the model's",
        pictures("Boeing/Boeing_737-200/1.jpg", "Boeing/Boeing_747-100/1.jpg", "Airbus/A310/1.jpg"),
        classes=("A310", "Boeing 737-200", "Boeing 747-100"),
        doubt="",
    ),
    birds("day-night", "day and night", tree(names=("day", "night")), classes=("day", "night")),
    birds("colours", "gray, red", tree(names=("gray", "red")), classes=("gray", "red")),
    birds(
        "photo-drawing",
        "drawing, photo",
        tree(names=("drawing", "painting", "sketch")),
        classes=("drawing", "painting", "sketch"),
    ),
]

FORMS = [*PLAIN, *WRAPPED, *BESIDE, *DEEPER, *ABOVE, *AGAIN, *UNLABELLED, *NAMES_LIKE_WORDS]
