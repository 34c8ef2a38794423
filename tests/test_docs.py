"""Documentation is run: links lead somewhere, commands parse, the Python in the README works."""

import re
import shlex
from pathlib import Path

import pytest
import typer

import clipfg
from clipfg.cli import main
from clipfg.cli.main import make_app
from docs import generate

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#([^)\s]*))?\)")
COMMAND = re.compile(r"^ {4}(clipfg .*)$", re.MULTILINE)


def commands() -> list[str]:
    return [line for page in PAGES for line in COMMAND.findall(page.read_text(encoding="utf-8"))]


def anchors(page: Path) -> set[str]:
    """What can follow `#` in a link to the page: its headings, as hosts of Markdown spell them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in anchors(page.parent / target), f"{target}#{anchor}"


def test_every_page_is_in_the_index() -> None:
    pages = ROOT / "docs"
    for index, listed in (("index.md", "*.md"), ("benchmarks/index.md", "benchmarks/*.md")):
        text = (pages / index).read_text(encoding="utf-8")
        linked = {((pages / index).parent / target).resolve() for target, _ in LINK.findall(text)}
        assert set(pages.glob(listed)) <= linked | {pages / index}


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_commands_in_the_docs_parse(line: str) -> None:
    arguments = shlex.split(line, comments=True)[1:]
    command = typer.main.get_command(make_app())
    while arguments and arguments[0] in getattr(command, "commands", {}):
        command = command.commands[arguments.pop(0)]  # type: ignore[attr-defined]
    assert not hasattr(command, "commands"), f"{line} names no command"
    with command.make_context("clipfg", arguments, resilient_parsing=False):
        pass


def test_generated_pages_are_up_to_date() -> None:
    for path, text in generate.pages().items():
        assert path.read_text(encoding="utf-8") == text, (
            f"run: python -m docs.generate ({path.name})"
        )


def test_the_python_of_the_docs_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main.run(["datasets", "draw", "photos", "-n", "6", "--size", "96"]) == 0
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "python.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "Estimate(value=" in printed
    assert "Did you mean 'batch_size'?" in printed
    documented = set(re.findall(r"clipfg\.(\w+)", text)) | set(re.findall(r"`(\w+)`", text))
    assert set(clipfg.__all__) - {"__version__"} <= documented
