import pytest
from jinja2 import UndefinedError

from clipfg.errors import DataError
from clipfg.pages import image_source, render
from clipfg.pages.rendering import _environment

HOSTILE = "<script>alert('x')</script> {{ 7 * 7 }} \"&"
PAGE = {"title": HOSTILE, "kicker": HOSTILE, "lead": HOSTILE, "groups": ()}


def test_a_page_says_what_it_may_load_and_has_its_style() -> None:
    page = render("gallery.html", **PAGE, facts=(), notes=())
    assert page.startswith("<!doctype html>")
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"" in page
    assert "--ground: #fbfaf7;" in page
    assert "<dl>" not in page


def test_every_text_is_escaped_once_and_never_run() -> None:
    page = render(
        "gallery.html", **PAGE, facts=[(HOSTILE, HOSTILE), ("empty", "")], notes=[HOSTILE]
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; {{ 7 * 7 }} &#34;&amp;") == 7
    assert "empty" not in page


@pytest.mark.parametrize("name", _environment().list_templates(extensions=["html"]))
def test_every_template_escapes(name) -> None:
    assert _environment().autoescape is True
    assert _environment().get_template(name).name == name


def test_a_value_that_lacks_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("gallery.html", title="x", kicker="x")


def test_images_as_data_urls() -> None:
    assert image_source(b"\xff\xd8\xff\xe0") == "data:image/jpeg;base64,/9j/4A=="
    assert image_source(b"\x89PNG\r\n\x1a").startswith("data:image/png;base64,")
    assert image_source(b"RIFF....WEBP").startswith("data:image/webp;base64,")
    with pytest.raises(DataError, match="JPEG, PNG or WebP"):
        image_source(b"<svg/>")
