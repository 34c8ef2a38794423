import pytest

from clipfg.errors import UsageError
from clipfg.registry import Registry


def registry() -> Registry[type]:
    parts: Registry[type] = Registry("part", "clipfg.no_such_group")
    parts.register("ordered", "collections:OrderedDict", "Keeps its order")
    return parts


def test_a_part_is_imported_when_it_is_asked_for() -> None:
    assert registry().get("ordered").__name__ == "OrderedDict"


def test_a_name_registered_twice_raises() -> None:
    parts = registry()
    with pytest.raises(ValueError, match="twice"):
        parts.register("ordered", "collections:Counter")


def test_an_unknown_name_is_answered_with_the_nearest_and_all() -> None:
    with pytest.raises(UsageError, match=r"Did you mean 'ordered'\? Known: ordered\."):
        registry().get("orderd")


def test_it_lists_and_contains_its_names() -> None:
    assert list(registry()) == ["ordered"]
    assert "ordered" in registry()
    assert "other" not in registry()


def test_a_summary_is_what_was_registered_or_the_first_line_of_the_docstring() -> None:
    parts = registry()
    assert parts.summary("ordered") == "Keeps its order"
    parts.register("plug-in", "collections:ChainMap")
    assert parts.summary("plug-in").startswith("A ChainMap groups multiple dicts")
    with pytest.raises(UsageError, match="Did you mean"):
        parts.summary("orderd")
