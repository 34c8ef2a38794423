import json

import pytest
from open_clip import OPENAI_IMAGENET_TEMPLATES

from clipfg.errors import DataError, UsageError
from clipfg.prompting import list_prompts, load_prompts
from clipfg.prompting.articles import with_article


@pytest.mark.parametrize("name", list(list_prompts()))
def test_every_set_of_the_library_can_be_rendered(name) -> None:
    prompts = load_prompts(name)
    assert prompts.name == name
    assert prompts.about == list_prompts()[name]
    assert prompts.source
    sentences = prompts.render("great auk", ("a flightless seabird",))
    assert len(set(sentences)) == len(sentences) == len(prompts.templates)
    assert all("great auk" in s or "flightless" in s for s in sentences)
    assert not any("{" in s or "}" in s for s in sentences)


def test_openai_templates_are_open_clips() -> None:
    prompts = load_prompts("openai")
    assert prompts.render("a {b}") == tuple(t("a {b}") for t in OPENAI_IMAGENET_TEMPLATES)


def test_the_plain_baseline() -> None:
    assert load_prompts("photo").render("albatross") == ("a photo of a albatross.",)
    assert with_article("albatross") in load_prompts("general").render("albatross")[0]


TEMPLATES = ("a sketch of {a}.", "{}: {text}")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("my.yaml", 'templates: ["a sketch of {a}.", "{}: {text}"]'),
        ("my.yml", '- "a sketch of {a}."\n- "{}: {text}"'),
        ("my.json", json.dumps(TEMPLATES)),
        ("MY.JSON", json.dumps({"templates": TEMPLATES, "name": "my"})),
        ("my.txt", "\ufeff# mine\r\na sketch of {a}.\r\n\r\n{}: {text}\r\n"),
    ],
)
def test_one_set_in_every_format(tmp_path, file, content) -> None:
    path = tmp_path / file
    path.write_bytes(content.encode())
    prompts = load_prompts(path)
    assert (prompts.name, prompts.templates) == ("my", TEMPLATES)


def test_class_names_with_sentences_are_descriptions(tmp_path) -> None:
    path = tmp_path / "cupl.json"
    path.write_text(json.dumps({"rose": ["a red flower", "thorns"], "iris": "blue"}))
    assert load_prompts(str(path)).render("Rose") == ("a red flower", "thorns")
    assert load_prompts(str(path)).render("iris") == ("blue",)


@pytest.mark.shared
def test_a_published_descriptor_file_can_be_read(shared) -> None:
    prompts = load_prompts(shared / "data/formats/descriptors_cub_sample.json")
    assert prompts.render("Laysan_albatross")[0] == "a seabird"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("x.yaml", b"templates: [a {}", "line 1"),
        ("x.yaml", b"- {} in a field", r"line 1: .*put templates in quotes"),
        ("x.yaml", b"- {}: in a field", "put templates in quotes"),
        ("x.yaml", b"", "got NoneType"),
        ("x.yaml", b"42", "got int"),
        ("x.yaml", b"templates: ['{}']\ntemplate: x", "got template too"),
        ("x.yaml", b"templates: ['{text}']\ndescriptions: [a]", "map class names"),
        ("x.yaml", b"templates: []", "at least one template"),
        ("x.yaml", b"!!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("x.json", b"{", "line 1"),
        ("x.json", b'{"templates": [1]}', "list of sentences"),
        ("x.txt", b"no place", "Expected a placeholder"),
        ("x.txt", b"# only this", "at least one template"),
        ("x.txt", b"\xff\xfea\x00", "UTF-8"),
    ],
)
def test_bad_files_are_clear_errors(tmp_path, file, content, message) -> None:
    path = tmp_path / file
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_prompts(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("flower", "Did you mean 'flowers'"),
        ("nonsense-set", "Known: .*birds, "),
        ("missing.yaml", "does not exist"),
        ("", "Expected a prompt set"),
    ],
)
def test_unknown_names(name, message) -> None:
    with pytest.raises(UsageError, match=message):
        load_prompts(name)


def test_a_folder_named_like_a_file(tmp_path) -> None:
    (tmp_path / "x.yaml").mkdir()
    with pytest.raises(DataError, match="Could not read prompts"):
        load_prompts(tmp_path / "x.yaml")
