"""Templates -> the text of a page: no script, no server, nothing loaded from anywhere.

Jinja2 escapes every value, and the content security policy in `base.html` forbids the rest, so
that a class named `<script>` is a class named `<script>`.
"""

from base64 import b64encode
from functools import cache
from typing import TYPE_CHECKING, Any

from clipfg.errors import DataError
from clipfg.pages.formats import bounds, grouped, percent

if TYPE_CHECKING:
    from jinja2 import Environment

_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n": "image/png", b"RIFF": "image/webp"}


def render(template: str, **context: Any) -> str:
    """The text of the page that a file of `templates/` makes of `context`.

    Templates see the filters `percent`, `bounds`, `grouped` and `image_source`. Raises `DataError`
    as `image_source` does.
    """
    return _environment().get_template(template).render(context)


def image_source(data: bytes) -> str:
    """An image as a data URL. Raises `DataError` for anything but a JPEG, PNG or WebP."""
    kind = next((mime for magic, mime in _MAGIC.items() if data.startswith(magic)), None)
    if kind is None:
        raise DataError("Expected a thumbnail as JPEG, PNG or WebP, got another format.")
    return f"data:{kind};base64,{b64encode(data).decode()}"


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("clipfg.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for each in (percent, bounds, grouped, image_source):
        environment.filters[each.__name__] = each
    return environment
