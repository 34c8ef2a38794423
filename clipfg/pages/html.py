"""The shell of every HTML page: no script, no server, nothing loaded from anywhere.

All text goes through `escape`, and a content security policy forbids the rest, so that a class
called `<script>` is a class called `<script>`.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from clipfg.errors import DataError

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n": "image/png", b"RIFF": "image/webp"}


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page from ready parts; `title` is escaped here."""
    style = files("clipfg.pages").joinpath("page.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
{"".join(parts)}</main>
</body>
</html>
"""


def header(kicker: str, title: str, lead: str = "", facts: Sequence[tuple[str, str]] = ()) -> str:
    """What stands above the sections; facts without a value are left out. All is escaped here."""
    listed = "".join(
        f"<div><dt>{escape(key)}</dt><dd>{escape(value)}</dd></div>"
        for key, value in facts
        if value
    )
    return (
        f'<header>\n<p class="kicker">{escape(kicker)}</p>\n<h1>{escape(title)}</h1>\n'
        + (f'<p class="lead">{escape(lead)}</p>\n' if lead else "")
        + (f"<dl>{listed}</dl>\n" if listed else "")
        + "</header>\n"
    )


def section(title: str, body: str) -> str:
    """A card: an escaped heading over ready HTML."""
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>\n"


def table(columns: Sequence[str], rows: Iterable[str]) -> str:
    """Rows of ready cells under escaped headings."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def footer(notes: Iterable[str]) -> str:
    """Small print, a paragraph each, escaped here."""
    return f"<footer>{''.join(f'<p>{escape(note)}</p>' for note in notes)}</footer>\n"


def image_source(data: bytes) -> str:
    """The image itself as an address. Raises `DataError` for another format than these three."""
    kind = next((mime for magic, mime in _MAGIC.items() if data.startswith(magic)), None)
    if kind is None:
        raise DataError("Expected a thumbnail as JPEG, PNG or WebP, got another format.")
    return f"data:{kind};base64,{b64encode(data).decode()}"
