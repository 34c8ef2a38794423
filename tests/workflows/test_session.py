"""A session is opened once, serves many jobs, and is closed once."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clipfg.encoders import Encoder, loading
from clipfg.errors import ClipfgError, DataError, UsageError
from clipfg.options import FewshotOptions, LintOptions, SuggestOptions, ZeroshotOptions, resolve
from clipfg.workflows.class_texts import class_weights, named_ensemble
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.fewshot.run import run_fewshot
from clipfg.workflows.lint.run import run_lint
from clipfg.workflows.session import Session
from clipfg.workflows.suggest.run import run_suggest
from clipfg.workflows.zeroshot.run import run_zeroshot

DATA = {"dataset": "synthflora", "limit": 12, "precision": "fp32"}


def options(output: Path, **more) -> ZeroshotOptions:
    return resolve(ZeroshotOptions, {**DATA, "output": output, **more})


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of encoders as they are loaded."""
    names: list[str] = []
    load = loading.load_encoder

    def count(name: str, **how) -> Encoder:
        names.append(name)
        return load(name, **how)

    monkeypatch.setattr(loading, "load_encoder", count)
    return names


def test_jobs_of_a_session_share_its_encoder_and_cache(tmp_path: Path, loaded: list[str]) -> None:
    with Session(options(tmp_path / "1")) as first:
        one = run_zeroshot(first)
        with first.another(options(tmp_path / "2")) as second:
            two = run_zeroshot(second)
        assert second.cache is first.cache
        three = run_lint(first.another(resolve(LintOptions, {**DATA, "output": tmp_path / "3"})))
    assert loaded == ["builtin:florette"]
    assert one.report == two.report
    assert three.done == 12


def test_a_job_that_fails_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    for name in ("rose", "lily"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "empty.jpg").touch()
    with Session(options(tmp_path / "good")) as session:
        bad = session.another(
            options(tmp_path / "bad", dataset=tmp_path / "photos", model="builtin:florette")
        )
        with bad, pytest.raises(ClipfgError):
            run_zeroshot(bad)
        assert len(bad.failures) == 2
        done = run_zeroshot(session)
    assert done.skipped == 0
    assert (tmp_path / "good" / "failures.jsonl").read_text() == ""
    assert json.loads((tmp_path / "good" / "results.json").read_text())["n"] == 12


def test_jobs_run_in_threads(tmp_path: Path, loaded: list[str]) -> None:
    with Session(options(tmp_path / "first")) as session, ThreadPoolExecutor(4) as pool:
        folders = [tmp_path / str(i) for i in range(6)]
        jobs = [session.another(options(folder)) for folder in folders]
        reports = [run.report for run in pool.map(run_zeroshot, jobs)]
    assert loaded == ["builtin:florette"]
    assert all(report == reports[0] for report in reports)


def test_another_precision_is_another_encoder(tmp_path: Path, loaded: list[str]) -> None:
    with Session(options(tmp_path / "1")) as session:
        half = session.another(options(tmp_path / "2", precision="bf16"))
        assert session.open_encoder().precision == "fp32"
        assert half.open_encoder().precision == "bf16"
        assert session.open_encoder().precision == "fp32"
    assert len(loaded) == 2


def test_closing_a_job_leaves_the_session_open(tmp_path: Path) -> None:
    with Session(options(tmp_path / "1")) as session:
        with session.another(options(tmp_path / "2")) as job:
            run_zeroshot(job)
        assert session.cache.info()
    assert session._shared._cache is None


def test_what_made_the_features_is_taken_unless_named(tmp_path: Path) -> None:
    class Store:
        model, precision = "builtin:florette", "bf16"

    with Session(resolve(ZeroshotOptions, {"dataset": "photos"})) as session:
        assert session.open_encoder(like=Store()).precision == "bf16"
    with Session(resolve(ZeroshotOptions, {"dataset": "photos", "precision": "fp32"})) as session:
        assert session.open_encoder(like=Store()).precision == "fp32"


def test_features_of_another_encoder_are_refused(tmp_path: Path) -> None:
    with Session(options(tmp_path)) as session:
        data = session.dataset()
        session.open_encoder(data)
        features = session.features(data.manifest)
        own = Dataset(data.manifest, features)
        session.open_encoder(own)
        other = session.another(options(tmp_path, precision="bf16"))
        with pytest.raises(DataError, match="another encoder, precision or"):
            other.open_encoder(own)


def test_one_prompt_set_and_no_ensemble_that_needs_images(tmp_path: Path) -> None:
    with Session(options(tmp_path, prompts="photo,name", ensemble="weighted")) as session:
        data = session.dataset()
        session.open_encoder(data)
        with pytest.raises(UsageError, match="--prompts photo,name is for"):
            class_weights(session, data.manifest, data.classes)
        with pytest.raises(UsageError, match="--ensemble weighted needs all images"):
            named_ensemble(session.options)


@pytest.mark.parametrize(
    ("job", "kind"), [(run_fewshot, FewshotOptions), (run_suggest, SuggestOptions)]
)
@pytest.mark.parametrize("wrong", [{"prompts": "photos"}, {"ensemble": "means"}])
def test_a_misspelt_prompt_set_or_ensemble_costs_no_embedding(
    tmp_path: Path, job, kind, wrong: dict[str, str]
) -> None:
    given = resolve(kind, {**DATA, "output": tmp_path / "run", **wrong})
    with Session(given) as session, pytest.raises(UsageError, match="Did you mean"):
        job(session)
    assert not (tmp_path / "run").exists()


def test_without_resume_nothing_is_taken_from_the_cache(tmp_path: Path) -> None:
    with Session(options(tmp_path / "1")) as session:
        run_zeroshot(session)
        again = session.another(options(tmp_path / "2", resume=False))
        data = again.dataset()
        again.open_encoder(data)
        assert again.pool(data).reused == 0
        assert session.pool(data).reused == 12


def test_without_resume_what_is_embedded_is_kept(tmp_path: Path) -> None:
    with Session(options(tmp_path / "1", resume=False)) as session:
        run_zeroshot(session)
        assert session.pool(session.dataset()).reused == 12  # what this job has kept
    with Session(options(tmp_path / "2")) as session:
        data = session.dataset()
        session.open_encoder(data)
        assert session.pool(data).reused == 12


def test_without_resume_texts_are_embedded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Session(options(tmp_path / "1")) as session:
        run_zeroshot(session)
        seen: list[str] = []
        assert session.encoder is not None
        encode = session.encoder.encode_texts
        monkeypatch.setattr(
            session.encoder, "encode_texts", lambda texts: seen.extend(texts) or encode(texts)
        )
        run_zeroshot(session.another(options(tmp_path / "2")))
        assert not seen
        run_zeroshot(session.another(options(tmp_path / "3", resume=False)))
        assert len(seen) == 1000


def test_config_repeats_the_run(tmp_path: Path) -> None:
    prompts = tmp_path / "mine.yaml"
    prompts.write_text("templates:\n  - 'a {}'\n")
    with Session(options(tmp_path / "1", prompts=str(prompts))) as session:
        run_zeroshot(session)
    config = json.loads((tmp_path / "1" / "config.json").read_text())
    assert config["prompts"] == str(prompts)
