"""scikit-learn's own checks, and its tools around heads."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import SkipTestWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from clipfg.errors import UsageError
from clipfg.heads import as_sklearn

CHECKED = ("gda", "class-mean", "knn", "tip-adapter")


@pytest.fixture(scope="module")
def data():
    """Directions of any length, of three classes called by text."""
    rng = np.random.default_rng(0)
    names = np.array(["Mallard", "Blue Jay", "Bobolink"])
    numbers = np.arange(60) % 3
    x = rng.normal(size=(3, 12))[numbers] + 0.6 * rng.normal(size=(60, 12))
    return x * rng.uniform(0.1, 9, (60, 1)), names[numbers]


@pytest.mark.parametrize("name", CHECKED)
def test_scikit_learn_finds_nothing(name) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        check_estimator(as_sklearn(name))


def test_its_tools_take_a_head(data) -> None:
    x, y = data
    made = as_sklearn("gda", shrinkage=0.4)
    assert clone(made).get_params()["shrinkage"] == 0.4
    assert cross_val_score(make_pipeline(StandardScaler(), made), x, y, cv=3).mean() > 0.9
    search = GridSearchCV(as_sklearn("gda"), {"shrinkage": [0.1, 0.9]}, cv=3).fit(x, y)
    assert search.best_params_["shrinkage"] in (0.1, 0.9)
    calibrated = CalibratedClassifierCV(made, cv=3).fit(x, y)
    np.testing.assert_allclose(calibrated.predict_proba(x).sum(axis=1), 1)


def test_it_is_linear_discriminant_analysis_on_directions(data) -> None:
    x, y = data
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.4).fit(unit, y)
    ours = as_sklearn("gda", shrinkage=0.4).fit(x, y)
    assert ours.classes_.tolist() == ["Blue Jay", "Bobolink", "Mallard"]
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(unit), atol=2e-3)
    again = pickle.loads(pickle.dumps(ours))
    assert (again.predict(x) == ours.predict(x)).all()
    assert type(again) is type(ours)


def test_what_it_cannot_make_is_refused() -> None:
    with pytest.raises(UsageError, match="zero-shot"):
        as_sklearn("zero-shot")
    with pytest.raises(UsageError, match="Did you mean 'shrinkage'"):
        as_sklearn("gda", shrinkge=0.5)


def test_without_scikit_learn_there_is_a_sentence() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from clipfg.errors import MissingError\n"
        "from clipfg.heads import as_sklearn\n"
        "try: as_sklearn('gda')\n"
        "except MissingError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install scikit-learn" in said.stdout
