from pathlib import Path

import pytest
import typer

from clipfg.cli.main import app
from clipfg.errors import UsageError
from clipfg.settings import COMMANDS, Settings, user_file


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_source_wins_over_those_below_it(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings.resolve().batch_size == 32

    user_file().parent.mkdir(parents=True, exist_ok=True)
    user_file().write_text("batch-size = 2\n")
    assert Settings.resolve().batch_size == 2

    (working_folder / "clipfg.toml").write_text("batch_size = 3\n")
    assert Settings.resolve().batch_size == 3

    config = working_folder / "mine.toml"
    config.write_text("batch_size = 4\n")
    assert Settings.resolve(config).batch_size == 4

    monkeypatch.setenv("CLIPFG_BATCH_SIZE", "5")
    assert Settings.resolve(config).batch_size == 5
    assert Settings.resolve(config, batch_size=6).batch_size == 6


def test_a_table_is_for_its_command_alone(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_file().parent.mkdir(parents=True, exist_ok=True)
    user_file().write_text("[suggest]\nstrategy = 'badge'\nseed = 7\n")
    (working_folder / "clipfg.toml").write_text(
        "strategy = 'random'\nseed = 1\n[suggest]\nstrategy = 'margin'\n"
        "[coreset]\nstrategy = 'k-means'\n"
    )
    chosen = {c: Settings.resolve(command=c).strategy for c in (None, "suggest", "coreset", "icl")}
    assert chosen == {None: "random", "suggest": "margin", "coreset": "k-means", "icl": "random"}
    assert Settings.resolve(command="suggest").seed == 1  # a nearer file wins, table or not
    monkeypatch.setenv("CLIPFG_STRATEGY", "entropy")
    assert Settings.resolve(command="suggest").strategy == "entropy"


def test_only_commands_may_have_a_table() -> None:
    assert set(COMMANDS) <= set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_a_false_flag_is_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPFG_STRICT", "true")
    assert Settings.resolve().strict
    assert not Settings.resolve(strict=False).strict


def test_the_hubs_own_switch_means_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert not Settings.resolve().offline
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert Settings.resolve().offline
    assert not Settings.resolve(offline=False).offline


def test_a_bad_value_names_its_source(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="'batch_size' in the command line, got 0"):
        Settings.resolve(batch_size=0)
    monkeypatch.setenv("CLIPFG_PRECISION", "fp8")
    with pytest.raises(UsageError, match="'precision' in the environment, got 'fp8'"):
        Settings.resolve()


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("bacth_size = 3", "Did you mean 'batch_size'"),
        ("[suggest]\nbacth_size = 3", "Did you mean 'batch_size'"),
        ("[sugest]\nbatch_size = 3", "Did you mean 'suggest'"),
        ("batch_size = ", "Expected TOML"),
    ],
)
def test_a_bad_file_is_one_sentence(working_folder: Path, text: str, answer: str) -> None:
    (working_folder / "clipfg.toml").write_text(text)
    with pytest.raises(UsageError, match=answer):
        Settings.resolve()


def test_a_config_file_that_is_not_there(working_folder: Path) -> None:
    with pytest.raises(UsageError, match="Expected a configuration file"):
        Settings.resolve(working_folder / "none.toml")
