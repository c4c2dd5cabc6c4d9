"""What synthetic rows teach a classifier."""

import numpy as np
import pytest
from pictures import uniform
from rows import rows
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier

from sklearn_medgan.metrics import train_on_synthetic_score


def labelled(seed, n=100, shift=2.0):
    y = np.arange(n) % 2
    return rows(seed, n) + shift * y[:, None], y


def test_training_on_as_good_rows_scores_as_much():
    model = LogisticRegression(C=3.0)
    test, real = labelled(1), labelled(2)
    scores = train_on_synthetic_score(model, *labelled(0), *test, X_real=real[0], y_real=real[1])
    assert min(scores.synthetic, scores.real) > 0.9
    assert scores.ratio == scores.synthetic / scores.real
    assert not hasattr(model, "coef_")  # a clone was fitted
    copy = train_on_synthetic_score(model, *real, *test, X_real=real[0], y_real=real[1])
    assert copy == (copy.real, copy.real, 1.0)


def test_score_is_that_of_scikit_learn():
    """Unequal classes: balanced accuracy, not accuracy."""
    X, y = labelled(0, shift=0.5)
    X_test, y_test = (part[np.r_[0:100:2, 1:20:2]] for part in labelled(1, shift=0.5))
    predicted = LogisticRegression().fit(X, y).predict(X_test)
    recalls = [np.mean(predicted[y_test == label] == label) for label in (0, 1)]
    scores = train_on_synthetic_score(LogisticRegression(), X, y, X_test, y_test)
    assert scores == (pytest.approx(np.mean(recalls)), None, None)
    accuracy = train_on_synthetic_score(LogisticRegression(), X, y, X_test, y_test, scoring="accuracy")
    assert accuracy.synthetic == pytest.approx(np.mean(predicted == y_test))
    own = train_on_synthetic_score(LogisticRegression(), X, y, X_test, y_test, scoring=None)
    assert own == accuracy
    regression = train_on_synthetic_score(Ridge(), X, X[:, 0], X_test, X_test[:, 0], scoring="r2")
    assert regression.synthetic > 0.9


def test_collapsed_classes_teach_nothing():
    """Both classes are the same synthetic row."""
    X, y = np.ones((100, 4)), labelled(0)[1]
    real, test = labelled(1), labelled(2)
    scores = train_on_synthetic_score(LogisticRegression(), X, y, *test, X_real=real[0], y_real=real[1])
    assert scores.synthetic == 0.5
    assert scores.ratio < 0.6


class Shapes(ClassifierMixin, BaseEstimator):
    """A classifier that remembers what came."""

    def fit(self, X, y):
        assert X.shape == (10, 128)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        assert X.shape == (6, 128)
        return np.full(len(X), self.classes_[0])


def test_images_are_flattened_and_labels_may_be_words():
    y = np.array(["healthy", "nodule"] * 5)
    scores = train_on_synthetic_score(Shapes(), uniform((10, 8, 8, 2)), y, uniform((6, 8, 8, 2), seed=1), y[:6])
    assert scores.synthetic == 0.5


def test_ratio_to_nothing_is_not_a_number():
    X, y = labelled(0)
    nearest = KNeighborsClassifier(1)
    scores = train_on_synthetic_score(nearest, X, y, X, y, X_real=X, y_real=1 - y)
    assert scores[:2] == (1.0, 0.0)
    assert np.isnan(scores.ratio)


X, Y = labelled(0, 20)
BAD_LABELLED = {
    "too few labels": ((X, Y[:-1], X, Y), {}, "y_synthetic must hold one label a row; got 19 labels for 20 rows"),
    "widths": ((X, Y, X[:, :3], Y), {}, "X_synthetic has 4, X_test has 3"),
    "no real labels": ((X, Y, X, Y), {"X_real": X}, "got no y_real"),
    "no real rows": ((X, Y, X, Y), {"y_real": Y}, "got no X_real"),
    "NaN": ((np.full_like(X, np.nan), Y, X, Y), {}, "X_synthetic must be finite"),
    "NaN labels": ((X, Y, X, np.full(20, np.nan)), {}, "y_test contains NaN"),
    "two columns of labels": ((X, np.c_[Y, Y], X, Y), {}, "1d array"),
    "empty": ((X[:0], Y[:0], X, Y), {}, r"at least 1 row\(s\) of at least one value; got shape \(0, 4\)"),
}


@pytest.mark.parametrize("case", BAD_LABELLED.values(), ids=BAD_LABELLED)
def test_bad_labelled_rows(case):
    arguments, options, message = case
    with pytest.raises(ValueError, match=message):
        train_on_synthetic_score(LogisticRegression(), *arguments, **options)
