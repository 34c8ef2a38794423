"""What the columns of a table are called, by convention, and what they then hold.

Names are compared without case, accents, spaces, underscores, hyphens and dots: `File_Name` is
`filename`.
Where several columns of a kind occur, the first of the list is taken, and the reading says so. The
names are those of Hugging Face, Kaggle, TensorFlow, Roboflow, Wildlife Insights, Timelapse,
Camtrap DP, Darwin Core (GBIF), iNaturalist, eBird, ISIC and CUB.
"""

import re
import unicodedata
from collections.abc import Sequence

PATHS = (
    *("path", "uri", "image", "file", "filename", "filepath", "imagepath", "imgpath", "imagefile"),
    *("imagename", "imgname", "imagefilename", "imagefilepath", "img", "picture", "picturepath"),
    *("photo", "photopath", "photofile", "photoname", "filenames", "filepaths", "imagepaths"),
    *("images", "relpath", "relativefilepath", "fullpath", "localpath", "imgfile", "fname"),
    *("relfname", "relativeimpath", "imfile", "src", "filelocation", "mediafile", "datei", "bild"),
    *("dateiname", "fichier", "archivo", "imageuri", "mediapath", "jpg", "thumbnail"),
)
IDS = (
    *("imageid", "imgid", "photoid", "pictureid", "isicid", "mediaid", "photouuid", "catalogid"),
    *("assetid", "gbifid", "fileid", "id", "uuid", "key", "occurrenceid", "observationid", "name"),
    *("diagnosticid", "idcode", "sampleid", "mlcatalognumber", "catalognumber", "assetnumber"),
)
"""What may be a picture's name without folder and suffix."""

ADDRESSES = ("imageurl", "url", "identifier", "location", "accessuri", "photourl", "mediaurl")
"""Where a picture was; its last part may be its name here."""

FOLDERS = ("relativepath", "folder", "directory", "dir", "subfolder", "imagefolder")
"""Folders of the files that another column names."""

LABELS = (
    *("label", "labelname", "truelabel", "class", "classname", "trueclass", "species"),
    *("subcategory", "subcategoryname", "category", "categoryname"),
    *(
        "labels",
        "classes",
        "target",
        "targetname",
        "breed",
        "breedname",
        "variety",
        "varietyname",
        "cultivar",
    ),
    *("commonname", "vernacularname", "diagnosis", "dx", "disease", "diseasename", "speciesname"),
    *("diagnose", "defect", "defecttype", "product", "productname"),
    *("scientificname", "primarylabel", "classlabel", "tag", "tags", "groundtruth", "gt"),
    *("finelabel", "finelabels", "variantname", "variant", "truth", "findinglabels", "finding"),
    *(
        "type",
        "modelname",
        "subspecies",
        "taxon",
        "taxonname",
        "birdname",
        "plantname",
        "flowername",
    ),
    *("dogbreed", "catbreed", "individual", "y", "klasse", "art", "classe", "espece", "especie"),
    *(
        "clase",
        "etiqueta",
        "etiquette",
        "rotulo",
        "categorie",
        "categoria",
        "kategorie",
        "diagnostic",
    ),
    *("类别", "标签", "物种", "分类", "種", "ラベル"),
    *("classid", "labelid", "categoryid", "speciesid", "targetid", "classidx", "labelidx"),
    *("classindex", "labelindex", "breedid", "varietyid", "taxonid", "labelnum", "labelcode"),
)
COMMON = (
    *("commonname", "vernacularname", "englishname", "nameen", "commonnameen", "primarycomname"),
    *("comname", "preferredcommonname", "taxoncommonname", "speciescommonname", "trivialname"),
    *("common", "english", "vernacular", "speciesguess"),
)
SCIENTIFIC = (
    *("scientificname", "latinname", "sciname", "binomial", "binomialname", "taxonname"),
    *("acceptedscientificname", "canonicalname", "speciesscientificname", "latin", "species"),
    *("preferredname", "verbatimscientificname", "taxon"),
)
FINER = ("breed", "breedname", "dogbreed", "catbreed", "variety", "varietyname", "cultivar")
"""Kinds within a species."""
EPITHETS = ("species", "specificepithet", "epithet", "speciesepithet", "art")
SYNONYM = re.compile(
    r"(synonyms?\d*|othernames?\d*|alias(es)?|(common|vernacular)?name[a-z]{2}"
    r"|(name|commonname|species|label)?"
    r"(german|deutsch|french|francais|spanish|espanol|italian|dutch|chinese|japanese|portuguese))"
)
"""Further names of a class: in other languages, and synonyms."""

RANKS = {
    "genus": ("genus", "genusname", "gattung"),
    "subfamily": ("subfamily",),
    "family": ("family", "familyname", "familie"),
    "order": ("order", "ordername", "taxonorder", "ordnung"),
    "class": ("class", "taxonclass", "classrank", "klasse"),
    "phylum": ("phylum", "division"),
    "kingdom": ("kingdom",),
}
"""Ranks of a taxonomy, nearest first, and what their columns are called."""

CLASSES_OF_LIFE = frozenset(
    {"aves", "mammalia", "reptilia", "amphibia", "insecta", "arachnida", "actinopterygii"}
    | {"chondrichthyes", "magnoliopsida", "liliopsida", "pinopsida", "polypodiopsida"}
    | {"gastropoda", "bivalvia", "cephalopoda", "malacostraca", "agaricomycetes", "bryopsida"}
    | {"actinopteri", "squamata", "lecanoromycetes", "teleostei", "anthozoa", "testudines"}
)
"""What a column `class` holds where it is the rank above the order."""

SPLITS = ("split", "set", "subset", "partition", "datasplit", "dataset", "phase", "usage", "fold")
TRAINING = ("istrain", "istraining", "istrainingimg", "istrainingimage", "train")
"""Columns that are 1 for the training split."""
HELD_OUT = {"isvalid": "val", "isval": "val", "isvalidation": "val", "istest": "test"}
HELD_OUT |= {"test": "test", "istesting": "test", "istestimage": "test"}
"""Columns that are 1 for another split."""

PRESENCE = ("confidence", "present", "presence")
"""Columns that are 0 where people looked and did not see it, as Open Images has them."""

NO_SPECIES = frozenset(
    {"blank", "empty", "nothing", "nothing here", "no animal", "no cv result", "none", "no species"}
)
"""What tables of animals and plants have for a species where a picture shows none."""

CARRIED: dict[str, tuple[str, ...]] = {
    "captions": ("captions", "caption", "text"),
    **{column: (column,) for column in ("id", "box", "regions", "bag", "view", "domain", "parent")},
}
"""Other columns of a manifest, and what they are called."""


def key_of(column: str) -> str:
    """A column's name for comparison."""
    apart = unicodedata.normalize("NFKD", column.casefold())
    return re.sub(r"[\W_]+", "", "".join(c for c in apart if not unicodedata.combining(c)))


def first_of(names: Sequence[str], columns: dict[str, str]) -> str | None:
    """The first of some names that is among the columns, by their keys."""
    return next((columns[name] for name in names if name in columns), None)
