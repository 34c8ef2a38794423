"""Every options class, whoever adds one."""

from collections import defaultdict

import pytest
import typer

from clipfg.cli.main import make_app
from clipfg.options import COMMANDS, Options, declared
from clipfg.options.resolve import check

KINDS = sorted((kind for own in COMMANDS.values() for kind in own), key=lambda kind: kind.__name__)


def test_commands_with_options_are_commands() -> None:
    assert set(COMMANDS) <= set(typer.main.get_command(make_app()).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_flags_are_unique_and_explained(kind: type[Options]) -> None:
    flags = [part for one in declared(kind) for flag in one.flags for part in flag.split("/")]
    assert len(set(flags)) == len(flags)
    for one in declared(kind):
        assert one.help[0].isupper() or one.help[0] in "-`" or "=" in one.help, one.help
        assert one.help.endswith("."), one.help


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_defaults_are_values_that_the_option_may_have(kind: type[Options]) -> None:
    for one in declared(kind):
        if one.default is not None:
            assert check(one, one.default, one.name) == one.default


def test_one_word_has_one_type_wherever_it_is_shared() -> None:
    types = defaultdict(set)
    for kind in KINDS:
        for one in declared(kind):
            if one.shared:
                types[one.name].add((str(one.kind), one.flags))
    assert {name: found for name, found in types.items() if len(found) > 1} == {}
