"""XMP sidecars with hierarchical keywords, for pictures whose answer is sure.

`a/1.jpg` gets `a/1.jpg.xmp`, the name that digiKam and darktable use; nothing is written beside the
pictures. Keywords are `dc:subject` and `lr:hierarchicalSubject` (Family|Genus|Species).
https://developer.adobe.com/xmp/docs
"""

from pathlib import Path
from xml.sax.saxutils import escape

from clipfg.types import ClassList
from clipfg.workflows.answer_files.answers import AnswerFormat, Answers

TOOLKIT = "clipfg"

TEMPLATE = """\
<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="{toolkit}">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/">
   <dc:subject><rdf:Bag>{words}</rdf:Bag></dc:subject>
   <lr:hierarchicalSubject><rdf:Bag>{paths}</rdf:Bag></lr:hierarchicalSubject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""


def write(answers: Answers, folder: Path) -> None:
    """A sidecar for each picture with a sure answer, in folders as the pictures are."""
    for picture in answers:
        sure = dict.fromkeys(one.sure for one in picture.answers if one.sure)
        if not sure:
            continue
        chains = [_chain(answers.classes, name) for name in sure if name is not None]
        words = dict.fromkeys(word for chain in chains for word in chain)
        path = folder / f"{picture.inside}.xmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = TEMPLATE.format(
            toolkit=TOOLKIT,
            words=_items(list(words)),
            paths=_items(["|".join(part.replace("|", "/") for part in chain) for chain in chains]),
        )
        path.write_text(text, encoding="utf-8")


def _chain(classes: ClassList, name: str) -> list[str]:
    """A class or group below all that stands above it."""
    chain = [name]
    while (above := classes.parents.get(chain[0])) is not None:
        chain.insert(0, above)
    return chain


def _items(values: list[str]) -> str:
    return "".join(f"<rdf:li>{escape(value)}</rdf:li>" for value in values)


FORMAT = AnswerFormat("xmp/", write)
