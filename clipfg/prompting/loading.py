"""Prompt sets by name or from a file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clipfg.errors import DataError, UsageError
from clipfg.paths import expanded
from clipfg.prompting.descriptions import Descriptions, read_descriptions
from clipfg.prompting.prompt_set import PromptSet
from clipfg.registry import closest
from clipfg.trees import parse_json, parse_yaml

OPENAI = "openai"
_OPENAI_ABOUT = "The 80 ImageNet templates published with CLIP, as open_clip has them."
DESCRIPTIONS = "descriptions"
SUFFIXES = (".yaml", ".yml", ".json", ".txt")
TEXTS = ("name", "about", "source", "note")


def library_folder() -> Path:
    """The folder of the library's YAML files, in the package or at the root of a checkout."""
    installed = Path(__file__).with_name("library")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "prompts"


def list_prompts() -> dict[str, str]:
    """Every set of the library: its name and one line on what it is for."""
    listed = {path.stem: _read(path).about for path in _files().values()}
    return dict(sorted((listed | {OPENAI: _OPENAI_ABOUT}).items()))


def load_prompts(name_or_file: str | Path) -> PromptSet:
    """A prompt set of the library by name, or from a file; `+` joins several.

    A file is YAML or JSON with `templates` and optionally `name`, `about`, `source`, `note` and
    `descriptions`; or a list of templates; or a map from class names to sentences; or structured
    descriptions, a map `classes` to parts to phrases. Or it is text with one template a line, where
    blank lines and lines that begin with `#` are skipped.

    Raises `UsageError` for a name that is neither, `DataError` for a file that is no prompt set.
    """
    given = str(name_or_file)
    names = [part.strip() for part in given.split("+")]
    if len(names) > 1 and not expanded(given).exists():
        first, *others = map(load_prompts, names)
        return replace(first, name="+".join(names), also=(*first.also, *others))
    if given == OPENAI:
        return _openai()
    if given in _files():
        return _read(_files()[given])
    path = expanded(given)
    if path.suffix.lower() in SUFFIXES:
        return _read(path)
    what = f"a prompt set or a file ending in {', '.join(SUFFIXES)}"
    raise _unknown(what, given, [*_files(), OPENAI])


def load_descriptions(name_or_file: str | Path) -> Descriptions:
    """Structured descriptions by the name of their data set, or from a file. Raises as above."""
    known, given = _described(), str(name_or_file)
    path = known.get(given) or Path(given)
    if path.suffix.lower() not in SUFFIXES:
        raise _unknown("the name or the file of descriptions", given, known)
    content = _content(path)
    if not isinstance(content, dict) or "classes" not in content:
        raise DataError(f"Expected `classes: {{name: {{part: phrase}}}}` in {str(path)!r}.")
    return read_descriptions(content, path.stem)


def covering_descriptions(class_names: Sequence[str]) -> list[str]:
    """The names of the library's description files that describe all of these classes."""

    def covers(name: str) -> bool:
        described = load_descriptions(name)
        return all(each in described for each in class_names)

    return list(filter(covers, _described()))


def _unknown(what: str, given: str, known: Iterable[str]) -> UsageError:
    names = sorted(known)
    return UsageError(
        f"Expected {what}, got {given!r}.{closest(given, names)} Known: {', '.join(names)}."
    )


def _described() -> dict[str, Path]:
    return {k: path for k, path in _files().items() if path.parent.name == DESCRIPTIONS}


def _files() -> dict[str, Path]:
    """Every YAML file of the library by its stem: templates and descriptions."""
    folder = library_folder()
    found = [*folder.glob("*.yaml"), *(folder / DESCRIPTIONS).glob("*.yaml")]
    return {path.stem: path for path in sorted(found)}


def _openai() -> PromptSet:
    from open_clip import OPENAI_IMAGENET_TEMPLATES  # takes two seconds

    # They are functions of the name; a name that no sentence contains marks its place.
    mark = "\x00"
    templates = tuple(
        template(mark).replace("{", "{{").replace("}", "}}").replace(mark, "{}")
        for template in OPENAI_IMAGENET_TEMPLATES
    )
    return PromptSet(OPENAI, templates, source="open_clip", about=_OPENAI_ABOUT)


def _read(path: Path) -> PromptSet:
    content = _content(path)
    return content if isinstance(content, PromptSet) else _build(content, path)


def _content(path: Path) -> Any:
    """The parsed content of a file; for a text file, a prompt set."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(
            f"Expected a prompt file, got {str(path)!r}, which does not exist."
        ) from None
    except UnicodeDecodeError:
        raise DataError(f"Expected {str(path)!r} to be UTF-8 text; save it as such.") from None
    except OSError as error:
        raise DataError(f"Could not read prompts from {str(path)!r}: {error.strerror}.") from None
    if path.suffix.lower() == ".txt":
        lines = (line.strip() for line in text.splitlines())
        return PromptSet(path.stem, tuple(x for x in lines if x and not x.startswith("#")))
    return _parse(text, path)


def _parse(text: str, path: Path) -> Any:
    is_json = path.suffix.lower() == ".json"
    try:
        return parse_json(text) if is_json else parse_yaml(text)
    except DataError as error:
        # The most common mistake: to YAML, a template that begins with a brace is a mapping.
        why = str(error) if is_json else f"{str(error).rstrip('.')}; put templates in quotes."
        raise DataError(f"Could not read prompts from {str(path)!r}: {why}") from None


def _build(content: Any, path: Path) -> PromptSet:
    if isinstance(content, list):
        content = {"templates": content}
    elif isinstance(content, dict) and isinstance(content.get("classes"), dict):
        return read_descriptions(content, path.stem).as_prompts()
    elif isinstance(content, dict) and content and "templates" not in content:
        content = {"templates": ["{text}"], "descriptions": content}
    if not isinstance(content, dict) or not content:
        raise DataError(
            f"Expected {str(path)!r} to hold `templates: [...]`, a list of templates, or class"
            f" names with sentences, got {type(content).__name__}."
        )
    if unknown := set(content) - {*TEXTS, "templates", "descriptions"}:
        raise DataError(
            f"Expected name, about, source, note, templates and descriptions in {str(path)!r},"
            f" got {', '.join(sorted(map(str, unknown)))} too."
        )
    descriptions = content.get("descriptions") or {}
    if not isinstance(descriptions, Mapping):
        raise DataError(
            f"Expected `descriptions` in {str(path)!r} to map class names to sentences."
        )
    own: dict[str, Any] = {field: str(content.get(field) or "") for field in TEXTS}
    own["name"] = own["name"] or path.stem
    own["templates"] = _sentences(content["templates"], "templates", path)
    own["descriptions"] = {
        str(name): _sentences(texts, f"the descriptions of {name!r}", path)
        for name, texts in descriptions.items()
    }
    return PromptSet(**own)


def _sentences(value: Any, what: str, path: Path) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        raise DataError(
            f"Expected {what} in {str(path)!r} to be a list of sentences; put each in quotes."
        )
    return tuple(item.strip() for item in values if item.strip())
