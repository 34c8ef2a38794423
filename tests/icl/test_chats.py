from clipfg.icl import CHATS
from clipfg.icl.prompts import Example, sources, turns, with_sources

SAID = turns(
    [Example("/photos/sea holly.jpg", "What is it?", "Sea holly")],
    "/photos/new.jpg",
    "What is it?",
    "Name the flower.",
)


def test_openai_messages_exactly() -> None:
    assert CHATS["openai"](SAID) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Name the flower."},
                {"type": "image_url", "image_url": {"url": "file:///photos/sea%20holly.jpg"}},
                {"type": "text", "text": "What is it?"},
            ],
        },
        {"role": "assistant", "content": "Sea holly"},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "file:///photos/new.jpg"}},
                {"type": "text", "text": "What is it?"},
            ],
        },
    ]


def test_transformers_messages_exactly() -> None:
    assert CHATS["transformers"](SAID) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Name the flower."},
                {"type": "image", "path": "/photos/sea holly.jpg"},
                {"type": "text", "text": "What is it?"},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "Sea holly"}]},
        {
            "role": "user",
            "content": [
                {"type": "image", "path": "/photos/new.jpg"},
                {"type": "text", "text": "What is it?"},
            ],
        },
    ]


def test_data_urls_are_unchanged() -> None:
    said = with_sources(SAID, lambda source: f"data:image/jpeg;base64,{len(source)}")
    assert sources(said) == ["data:image/jpeg;base64,21", "data:image/jpeg;base64,15"]
    assert CHATS["openai"](said)[2]["content"][0] == {
        "type": "image_url",
        "image_url": {"url": "data:image/jpeg;base64,15"},
    }
    assert CHATS["transformers"](said)[2]["content"][0] == {
        "type": "image",
        "url": "data:image/jpeg;base64,15",
    }


def test_without_examples_the_question_opens_with_the_instruction() -> None:
    (only,) = turns([], "a.jpg", "What?", "Name it.")
    assert only.role == "user"
    assert only.parts[0] == "Name it."
    assert only.parts[2] == "What?"
