import logging
from pathlib import Path

import numpy as np
import pytest

from clipfg.errors import UsageError
from clipfg.options import (
    CoresetOptions,
    DemosOptions,
    FewshotOptions,
    IndexBuildOptions,
    IndexRemoveOptions,
    LintOptions,
    PromptLintOptions,
    RetrieveOptions,
    SuggestOptions,
    ZeroshotOptions,
    resolve,
    to_json,
    user_file,
)


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def zeroshot(config: Path | None = None, **given) -> ZeroshotOptions:
    return resolve(ZeroshotOptions, given, config)


def test_each_source_wins_over_those_below_it(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert zeroshot().batch_size == 32

    user_file().parent.mkdir(parents=True, exist_ok=True)
    user_file().write_text("batch-size = 2\n")
    assert zeroshot().batch_size == 2

    (working_folder / "clipfg.toml").write_text("batch_size = 3\n")
    assert zeroshot().batch_size == 3

    config = working_folder / "mine.toml"
    config.write_text("batch_size = 4\n")
    assert zeroshot(config).batch_size == 4

    monkeypatch.setenv("CLIPFG_BATCH_SIZE", "5")
    assert zeroshot(config).batch_size == 5
    monkeypatch.setenv("CLIPFG_ZEROSHOT_BATCH_SIZE", "6")
    assert zeroshot(config).batch_size == 6
    assert resolve(LintOptions, {}, config).batch_size == 5
    assert zeroshot(config, batch_size=7).batch_size == 7


def test_a_table_belongs_to_its_command(working_folder: Path) -> None:
    user_file().parent.mkdir(parents=True, exist_ok=True)
    user_file().write_text("[suggest]\nstrategy = 'badge'\nseed = 7\n")
    (working_folder / "clipfg.toml").write_text(
        "seed = 1\n[suggest]\nstrategy = 'margin'\n[coreset]\nstrategy = 'k-means'\nseed = 2\n"
    )
    assert resolve(SuggestOptions, {}).strategy == "margin"
    assert resolve(SuggestOptions, {}).seed == 1  # a nearer file wins, table or not
    assert resolve(CoresetOptions, {}).strategy == "k-means"
    assert resolve(CoresetOptions, {}).seed == 2
    assert resolve(DemosOptions, {}).strategy == "nearest"


def test_a_word_that_differs_between_commands_is_set_for_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CLIPFG_STRATEGY", "margin")
    monkeypatch.setenv("CLIPFG_SUGGEST_STRATEGY", "entropy")
    with caplog.at_level(logging.WARNING, logger="clipfg"):
        assert resolve(CoresetOptions, {}).strategy is None
    assert "only CLIPFG_CORESET_STRATEGY sets --strategy" in caplog.text
    assert resolve(SuggestOptions, {}).strategy == "entropy"


def test_a_shared_word_is_set_for_commands_that_have_it_alone(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (working_folder / "clipfg.toml").write_text("model = 'm'\nclasses = 'c.txt'\ndevice = 'mps'\n")
    lint = resolve(PromptLintOptions, {})
    assert (lint.model, lint.classes) == ("m", Path("c.txt"))
    assert resolve(IndexRemoveOptions, {}).device == "mps"
    monkeypatch.setenv("CLIPFG_DEVICE", "cpu")
    monkeypatch.setenv("CLIPFG_ROLL_UP", "0.7")
    assert resolve(IndexRemoveOptions, {}).device == "cpu"
    assert zeroshot().roll_up == 0.7


def test_a_false_flag_is_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPFG_STRICT", "true")
    assert zeroshot().strict
    assert not zeroshot(strict=False).strict


def test_the_hubs_own_switch_means_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert not zeroshot().offline
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert zeroshot().offline
    assert not zeroshot(offline=False).offline


def test_python_gives_numbers_paths_and_lists_as_they_are(tmp_path: Path) -> None:
    options = resolve(
        FewshotOptions,
        {"shots": [1, 4], "dataset": tmp_path, "heads": ("gda", "knn"), "classes": "names.txt"},
    )
    assert (options.shots, options.dataset, options.heads) == ("1,4", str(tmp_path), "gda,knn")
    assert options.classes == Path("names.txt")
    assert resolve(FewshotOptions, {"shots": 4}).shots == "4"
    assert resolve(FewshotOptions, {"shots": np.int64(4)}).shots == "4"
    assert resolve(FewshotOptions, {"shots": [np.int64(1), 4]}).shots == "1,4"
    assert resolve(RetrieveOptions, {"where": "label=rose"}).where == ("label=rose",)
    assert resolve(RetrieveOptions, {"where": ["a=1", "b=2"]}).where == ("a=1", "b=2")


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (RetrieveOptions, {"where": 5}),
        (RetrieveOptions, {"where": [True]}),
        (RetrieveOptions, {"limit": True}),
        (RetrieveOptions, {"store": "~nobody-of-that-name/x"}),
        (RetrieveOptions, {"weight": True}),
        (FewshotOptions, {"shots": True}),
        (FewshotOptions, {"shots": [1, True]}),
        (FewshotOptions, {"shots": [[1, 2], 4]}),
    ],
)
def test_a_value_of_another_type_is_one_sentence(kind, given) -> None:
    (name,) = given
    with pytest.raises(UsageError, match=f"^{name} must be "):
        resolve(kind, given)


def test_a_truth_value_in_a_file_is_no_number(working_folder: Path) -> None:
    (working_folder / "clipfg.toml").write_text("limit = true\n")
    with pytest.raises(UsageError, match=r"clipfg.toml must be a whole number, got True"):
        zeroshot()


def test_paths_begin_at_home_where_they_say_so(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(working_folder))
    (working_folder / "clipfg.toml").write_text("store = '~/store'\n")
    options = resolve(RetrieveOptions, {"cache_dir": "~/x", "classes": Path("~/names.txt")})
    assert options.cache_dir == working_folder / "x"
    assert options.classes == working_folder / "names.txt"
    assert options.store == working_folder / "store"


@pytest.mark.parametrize(
    ("given", "by_flag", "by_name"),
    [
        ({"limit": -1}, "--limit must be at least 1, got -1.", "limit must be at least 1, got -1."),
        ({"top_k": 9999}, "--top-k must be at most 1000, got 9999.", None),
        ({"precision": "fp8"}, "--precision must be one of auto, fp32, bf16, fp16", None),
        ({"limit": "many"}, "--limit must be a whole number, got 'many'.", None),
        ({"roll_up": "half"}, "--roll-up must be a number, got 'half'.", None),
    ],
)
def test_a_bad_value_is_one_sentence(given, by_flag, by_name) -> None:
    with pytest.raises(UsageError) as error:
        resolve(ZeroshotOptions, given, flags=True)
    assert str(error.value).startswith(by_flag)
    if by_name is not None:
        with pytest.raises(UsageError, match=f"^{by_name}"):
            resolve(ZeroshotOptions, given)


def test_a_bad_value_names_its_source(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (working_folder / "clipfg.toml").write_text("[zeroshot]\nlimit = 0\n")
    with pytest.raises(UsageError, match=r"^limit in \[zeroshot\] of clipfg.toml must be at least"):
        zeroshot()
    monkeypatch.setenv("CLIPFG_LIMIT", "none")
    with pytest.raises(UsageError, match=r"^CLIPFG_LIMIT must be a whole number, got 'none'"):
        zeroshot()


def test_an_unknown_keyword_has_a_hint() -> None:
    with pytest.raises(UsageError, match=r"no option 'bacth_size'. Did you mean 'batch_size'"):
        zeroshot(bacth_size=3)


def test_of_alternatives_the_nearest_source_that_names_one_counts(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (working_folder / "clipfg.toml").write_text("store = 'birds'\ndataset = 'photos'\n")

    def searched(**given) -> tuple[str | None, Path | None]:
        options = resolve(RetrieveOptions, given)
        return options.dataset, options.store

    assert searched() == ("photos", Path("birds"))
    assert searched(dataset="flowers") == ("flowers", None)
    assert searched(store="other") == (None, Path("other"))
    assert searched(store="other", dataset="flowers") == ("flowers", Path("other"))
    monkeypatch.setenv("CLIPFG_STORE", "named")
    assert searched() == (None, Path("named"))
    assert searched(dataset="flowers") == ("flowers", None)
    assert resolve(IndexBuildOptions, {"dataset": "flowers"}).store == Path("named")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("bacth_size = 3", "Did you mean 'batch_size'"),
        ("[suggest]\nbacth_size = 3", "Did you mean 'batch_size'"),
        ("[zeroshot]\nbudget = 3", "unknown option 'budget'"),
        ("[sugest]\nbatch_size = 3", "Did you mean 'suggest'"),
        ("budget = 3", r"belongs in a table of one command, such as \[suggest\]"),
        ("batch_size = ", "is not valid TOML"),
    ],
)
def test_a_bad_file_is_one_sentence(working_folder: Path, text: str, answer: str) -> None:
    (working_folder / "clipfg.toml").write_text(text)
    with pytest.raises(UsageError, match=answer):
        zeroshot()


def test_a_config_file_that_is_not_there(working_folder: Path) -> None:
    with pytest.raises(UsageError, match="Cannot read the configuration file"):
        zeroshot(working_folder / "none.toml")


def test_options_go_into_json_and_come_back() -> None:
    options = resolve(RetrieveOptions, {"where": ["label=rose"], "classes": "names.txt"})
    plain = to_json(options)
    assert plain["classes"] == "names.txt"
    assert plain["where"] == ["label=rose"]
    assert resolve(RetrieveOptions, plain) == options


@pytest.mark.parametrize("name", ["seed", "limit", "top_k"])
def test_numbers_beyond_a_machine_word_are_refused(name) -> None:
    with pytest.raises(UsageError, match=f"{name} must be at most 9223372036854775807"):
        resolve(RetrieveOptions, {name: "9" * 20})
