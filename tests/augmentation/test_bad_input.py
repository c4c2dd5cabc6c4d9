"""Bad input: one clear error that says what was expected, what came and what to do; nothing is lost by it."""

import re

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from sklearn_medgan import GANAugmenter
from sklearn_medgan._validation import warn_of_rows

TINY = {"backbone": None, "max_iter": 2, "batch_size": 8, "width": 4, "latent_dim": 4, "random_state": 0}
RNG = np.random.RandomState(0)
STACK = RNG.randint(0, 256, (14, 9, 11)).astype(np.uint8)
TABLE = RNG.normal(size=(14, 5))
LABELS = np.arange(14) % 2


def gan(**changed):
    return GANAugmenter(**{**TINY, **changed})


def with_value(array, value):
    array = np.array(array, dtype=float)
    array.flat[7] = value
    return array


class Broken:
    def __array__(self, dtype=None, copy=None):
        raise ValueError("mine is broken")


# name -> (rows, error, what its message says)
ROWS = {
    "NaN in a table": (with_value(TABLE, np.nan), ValueError, "Input X contains NaN"),
    "NaN in a stack": (with_value(STACK, np.nan), ValueError, "Input X contains NaN"),
    "infinity in a table": (with_value(TABLE, np.inf), ValueError, "Input X contains infinity"),
    "infinity in a stack": (with_value(STACK, -np.inf), ValueError, "Input X contains infinity"),
    "too large for float64": (np.full((4, 2), 10**400, dtype=object), ValueError, "too large for float64.*Rescale"),
    "empty table": (TABLE[:0], ValueError, r"0 sample\(s\).*minimum of 2"),
    "table without columns": (TABLE[:, :0], ValueError, r"0 feature\(s\).*minimum of 1"),
    "empty stack": (STACK[:0], ValueError, r"0 sample\(s\).*minimum of 2.*Pass more images"),
    "one row": (TABLE[:1], ValueError, r"1 sample.*minimum of 2"),
    "one image": (STACK[:1], ValueError, r"1 sample\(s\).*minimum of 2.*Pass more images"),
    "ragged rows": ([[1.0, 2.0], [3.0]], ValueError, "ragged.*Make all rows equally large"),
    "ragged images": ([np.zeros((8, 8)), np.zeros((9, 8))], ValueError, "ragged.*resizing"),
    "one dimension": (TABLE[0], ValueError, "Expected 2D array, got 1D array"),
    "a number": (3.0, ValueError, "Expected 2D array, got scalar array"),
    "five dimensions": (np.zeros((2, 8, 8, 8, 1)), ValueError, r"shape \(2, 8, 8, 8, 1\).*Expected an image stack"),
    "a low stack": (np.zeros((4, 7, 20)), ValueError, "at least 8 pixels.*got 7x20.*Enlarge"),
    "a narrow stack": (np.zeros((4, 20, 5, 1)), ValueError, "at least 8 pixels.*got 20x5"),
    "five channels": (np.zeros((4, 8, 8, 5)), ValueError, "1 to 4 channels, last.*Move the channels"),
    "channels first": (
        np.zeros((4, 3, 32, 32)),
        ValueError,
        r"last axis.*\(4, 3, 32, 32\), whose channels come first.*moveaxis",
    ),
    "no channel": (np.zeros((4, 8, 8, 0)), ValueError, r"1 to 4 channels.*\(8, 8, 0\)"),
    "a complex table": (TABLE + 1j, ValueError, "Complex data not supported"),
    "a complex stack": (STACK + 1j, ValueError, "Complex data not supported.*numpy.abs"),
    "objects in a stack": (STACK.astype(object), ValueError, "images of numbers; got dtype object.*Convert"),
    "strings in a stack": (STACK.astype(str), ValueError, "images of numbers; got dtype <U.*Convert"),
    "words": (np.array([["a", "b"], ["c", "d"]]), ValueError, "not compatible with arrays of bytes/strings"),
    "dictionaries": (np.array([[{}, 1], [{}, 2]], dtype=object), TypeError, "must be a string or a real number"),
    "a sparse table": (sparse.csr_matrix(TABLE), TypeError, "Sparse data was passed.*dense"),
    "dates": (
        np.full((4, 2), "2024-01-01", "datetime64[D]"),
        TypeError,
        "columns of numbers; got dtype datetime64.*Convert",
    ),
    "dates in a stack": (np.zeros((4, 8, 8), "datetime64[D]"), ValueError, "images of numbers; got dtype datetime64"),
    "nothing": (None, (TypeError, ValueError), "None|scalar"),
    "a broken array": (Broken(), ValueError, "mine is broken"),
}

# name -> (parameters, rows, labels, error, message)
FITS = {
    "image_shape of another size": ({"image_shape": (10, 11)}, STACK.reshape(14, -1), None, ValueError,
                                    r"image_shape=\(10, 11\) needs 110 columns.*shape \(14, 99\)"),
    "image_shape against a stack": ({"image_shape": (11, 9)}, STACK, None, ValueError,
                                    r"has image_shape \(11, 9, 1\); got \(9, 11, 1\).*Resize"),
    "image_shape of one side": ({"image_shape": (99,)}, STACK, None, ValueError, r"\(height, width\) or .*got \(99,\)"),
    "image_shape of four sides": ({"image_shape": (9, 11, 1, 1)}, STACK, None, ValueError, r"image_shape must be"),
    "image_shape below zero": ({"image_shape": (-9, -11)}, STACK, None, ValueError, "at least 8 pixels"),
    "image_shape of floats": ({"image_shape": (9.0, 11.0)}, STACK, None, ValueError, "image_shape must be"),
    "image_shape of words": ({"image_shape": ("9", "11")}, STACK, None, ValueError, "image_shape must be"),
    "image_shape a number": ({"image_shape": 99}, STACK, None, ValueError, "'image_shape' parameter.*Got 99"),
    "labels too few": ({}, TABLE, LABELS[:9], ValueError, "inconsistent numbers of samples.*14.*9.*one label a row"),
    "labels of another shape": ({}, TABLE, np.zeros((14, 2)), ValueError, r"y should be a 1d array.*\(14, 2\)"),
    "continuous labels": ({}, TABLE, TABLE[:, 0], ValueError, "Unknown label type: continuous"),
    "NaN among labels": ({}, TABLE, with_value(LABELS, np.nan), ValueError, "Input y contains NaN"),
    "None among labels": ({}, TABLE, np.array([None, "a"] * 7), (TypeError, ValueError), "y|label"),
    "infinite labels": ({}, TABLE, with_value(LABELS, np.inf), ValueError, "Input y contains infinity"),
    "one label for all": ({}, TABLE, "a", (TypeError, ValueError), "y|array"),
    "unknown augmentation": ({"augment": ["shift", "spin"]}, STACK, None, ValueError,
                             r"unknown transforms \['spin'\].*Known: \['shift'"),
    "augmentation given as a word": ({"augment": "shift"}, STACK, None, ValueError, "'augment' parameter.*Got 'shift'"),
    "augmentation of a table": ({"augment": ["shift"]}, TABLE, None, ValueError, "images; got a table.*pass image"),
    "dcgan on a table": ({"architecture": "dcgan"}, TABLE, None, ValueError, "does not fit a table.*need image_shape"),
    "dense on images": ({"architecture": "dense"}, STACK, None, ValueError, "does not fit an image"),
    "three penalties": ({"penalty_weight": (1, 2, 3)}, TABLE, None, ValueError, r"a pair \(R1, R2\); got \(1, 2, 3\)"),
    "a penalty below zero": ({"penalty_weight": (0.1, -1)}, TABLE, None, ValueError, "at least 0"),
    "a penalty that is a word": ({"penalty_weight": ("a", "b")}, TABLE, None, ValueError, "at least 0 or a pair"),
    "a penalty that is NaN": ({"penalty_weight": (0.1, np.nan)}, TABLE, None, ValueError, "penalty_weight"),
    "a penalty that is infinite": ({"penalty_weight": (0.1, np.inf)}, TABLE, None, ValueError, "penalty_weight"),
    "no steps": ({"max_iter": 0}, TABLE, None, ValueError, "'max_iter' parameter"),
    "half a step": ({"max_iter": 1.5}, TABLE, None, ValueError, "'max_iter' parameter"),
    "no time": ({"max_time": 0}, TABLE, None, ValueError, "'max_time' parameter"),
    "an unknown loss": ({"loss": "mse"}, TABLE, None, ValueError, "'loss' parameter.*relativistic"),
    "an unknown representation": ({"representation": "all"}, TABLE, None, ValueError, "'representation' parameter"),
    "a negative rate": ({"learning_rate": -1.0}, TABLE, None, ValueError, "'learning_rate' parameter"),
    "a random state of another kind": ({"random_state": "a"}, TABLE, None, ValueError, "'random_state' parameter"),
}  # fmt: skip

UNLABELED = {
    "other columns": (TABLE[:, :4], ValueError, "X_unlabeled: X has 4 features.*5 features"),
    "a stack": (STACK, ValueError, "X_unlabeled: .*table of 5 columns; got an image stack"),
    "NaN": (with_value(TABLE, np.nan), ValueError, "X_unlabeled: .*NaN"),
    "empty": (TABLE[:0], ValueError, r"X_unlabeled: .*0 sample\(s\)"),
    "words": (np.array([["a"] * 5]), ValueError, "X_unlabeled"),
    "sparse": (sparse.csr_matrix(TABLE), TypeError, "X_unlabeled: .*[Ss]parse"),
}

LATER = {
    "another size": ("stack", STACK[:, :8], ValueError, r"images of shape \(9, 11, 1\); got \(8, 11, 1\).*Resize"),
    "turned": ("stack", STACK.transpose(0, 2, 1), ValueError, r"\(9, 11, 1\); got \(11, 9, 1\)"),
    "more channels": ("stack", np.repeat(STACK[..., None], 3, -1), ValueError, r"\(9, 11, 1\); got \(9, 11, 3\)"),
    "flattened": ("stack", STACK.reshape(14, -1), ValueError, r"stack.*shape \(14, 99\).*Reshape it to \(n, 9, 11\)"),
    "flattened lists": ("stack", STACK.reshape(14, -1).tolist(), ValueError, r"image stack.*\(14, 99\).*Reshape"),
    "one flat image": ("stack", STACK[0], ValueError, r"image stack.*\(9, 11\)"),
    "fewer columns": ("table", TABLE[:, :3], ValueError, "X has 3 features, but GANAugmenter is expecting 5 features"),
    "a stack for a table": ("table", STACK, ValueError, "fitted on a table of 5 columns; got an image stack"),
    "NaN": ("table", with_value(TABLE, np.nan), ValueError, "NaN"),
    "NaN in an image": ("stack", with_value(STACK, np.nan), ValueError, "NaN"),
    "no row": ("table", TABLE[:0], ValueError, r"0 sample\(s\).*minimum of 1"),
    "no image": ("stack", STACK[:0], ValueError, r"0 sample\(s\).*minimum of 1"),
    "one row unwrapped": ("table", TABLE[0], ValueError, "Expected 2D array, got 1D array"),
    "a sparse table": ("table", sparse.csr_matrix(TABLE), TypeError, "Sparse"),
}  # fmt: skip

SAMPLES = {
    "none": ({"n_samples": 0}, ValueError, "n_samples must be a whole number from 1 up; got 0"),
    "fewer than none": ({"n_samples": -2}, ValueError, "got -2"),
    "a fraction": ({"n_samples": 2.5}, ValueError, "got 2.5"),
    "true": ({"n_samples": True}, ValueError, "got True"),
    "a word": ({"n_samples": "3"}, ValueError, "got '3'"),
    "an unknown label": ({"y": 5}, ValueError, r"not seen at fit: \['5'\]. Known: \[0, 1\]"),
    "unknown labels": ({"y": [0, 3, "b"]}, ValueError, r"not seen at fit: \['.*'\]. Known: \[0, 1\]"),
    "labels of another number": ({"n_samples": 3, "y": [0, 1]}, ValueError, r"shape \(2,\) with n_samples=3"),
    "labels in two dimensions": ({"y": [[0], [1]]}, ValueError, r"shape \(2, 1\)"),
    "NaN as a label": ({"y": np.nan}, ValueError, "not seen at fit"),
    "a random state of another kind": ({"random_state": "a"}, ValueError, "cannot be used to seed"),
}

STRATEGIES = {
    "an unknown name": ("most", ValueError, "sampling_strategy must be one of .*got 'most'"),
    "an unknown label": ({7: 20}, ValueError, r"labels among \[0, 1\]; got \[7\]"),
    "fewer than there are": ({0: 3}, ValueError, "at least as many rows as a class has"),
    "half a row": ({0: 20.5}, TypeError, "whole numbers of rows; got 20.5"),
    "a callable that returns a number": (lambda y: 3, TypeError, "must return a mapping"),
    "a fraction above one": (1.5, ValueError, "sampling_strategy"),
    "a number of another kind": (None, TypeError, "must be a string, a float, .*got None"),
}


def cases(table):
    return pytest.mark.parametrize("case", list(table.values()), ids=list(table))


@pytest.fixture(scope="module")
def fitted():
    return {"stack": gan().fit(STACK, LABELS), "table": gan().fit(TABLE, LABELS), "plain": gan().fit(TABLE)}


@cases(ROWS)
def test_fit_refuses_rows(case):
    rows, error, message = case
    with pytest.raises(error, match=re.compile(message, re.S)):
        gan().fit(rows)


@cases(FITS)
def test_fit_refuses_parameters_and_labels(case):
    parameters, rows, labels, error, message = case
    with pytest.raises(error, match=re.compile(message, re.S)):
        gan(**parameters).fit(rows, labels)


@cases(UNLABELED)
def test_fit_refuses_unlabelled_rows(case):
    rows, error, message = case
    with pytest.raises(error, match=re.compile(message, re.S)):
        gan().fit(TABLE, LABELS, X_unlabeled=rows)


def test_unlabelled_images_must_be_stored_alike():
    model = gan(image_shape=(9, 11))
    with pytest.raises(ValueError, match=r"X_unlabeled has rows of shape \(9, 11\); X has \(99,\). Pass them alike"):
        model.fit(STACK.reshape(14, -1), LABELS, X_unlabeled=STACK)


@cases(LATER)
def test_transform_refuses_rows_of_another_kind(fitted, case):
    kind, rows, error, message = case
    with pytest.raises(error, match=re.compile(message, re.S)):
        fitted[kind].transform(rows)


@cases(SAMPLES)
def test_sample_refuses(fitted, case):
    arguments, error, message = case
    with pytest.raises(error, match=re.compile(message, re.S)):
        fitted["table"].sample(**arguments)


def test_sample_of_a_class_needs_labels_at_fit(fitted):
    with pytest.raises(ValueError, match=r"fitted without labels, so it cannot sample y=1\. Fit with y"):
        fitted["plain"].sample(y=1)


@cases(STRATEGIES)
def test_fit_resample_refuses_strategies(case):
    strategy, error, message = case
    with pytest.raises(error, match=re.compile(message, re.S)):
        gan(sampling_strategy=strategy).fit_resample(TABLE, LABELS)


def test_fit_resample_needs_labels():
    with pytest.raises(ValueError, match="requires y"):
        gan().fit_resample(TABLE, None)


def test_fraction_as_strategy_needs_two_classes():
    with pytest.raises(ValueError, match="exactly two classes; got 3"):
        gan(sampling_strategy=0.5).fit_resample(TABLE, np.arange(14) % 3)


def test_frames_with_other_columns_are_refused():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(TABLE, columns=list("abcde"))
    model = gan().fit(X, LABELS)
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(X.rename(columns={"a": "z"}))
    with pytest.raises(ValueError, match=r"NaN|missing"):
        gan().fit(X.astype("Float64").mask(X > 1), LABELS)
    with pytest.raises(TypeError, match=r"column 'a' holds text.*such as 'word'.*one-hot"):
        gan().fit(X.assign(a="word"), LABELS)


WARM = {
    "other classes": (TABLE, LABELS + 5, {}, r"classes array\(\[0, 1\]\); got array\(\[5, 6\]\)"),
    "no labels": (TABLE, None, {}, "the earlier fit had labels; got y=None"),
    "other columns": (TABLE[:, :3], LABELS, {}, "3 features"),
    "a stack": (STACK, LABELS, {}, "fitted on a table"),
    "another width": (TABLE, LABELS, {"width": 8}, "networks of the earlier fit.*Set warm_start=False"),
    "another loss": (TABLE, LABELS, {"loss": "hinge"}, "networks of the earlier fit"),
}


@cases(WARM)
def test_warm_start_refuses_another_kind_of_data(case):
    rows, labels, parameters, message = case
    model = gan(warm_start=True).fit(TABLE, LABELS)
    before = model.transform(TABLE)
    model.set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(rows, labels)
    assert np.array_equal(model.transform(TABLE), before)
    assert model.n_iter_ == 2


def test_warm_start_cannot_add_labels():
    model = gan(warm_start=True).fit(TABLE)
    with pytest.raises(ValueError, match=r"classes None; got array.*Set warm_start=False"):
        model.fit(TABLE, LABELS)


@pytest.mark.parametrize("method", ["transform", "sample", "get_feature_names_out"])
def test_unfitted_estimator_says_so(method):
    arguments = {"transform": [TABLE]}.get(method, [])
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(gan(), method)(*arguments)


BAD_FITS = {
    **{name: (rows, None, {}) for name, (rows, *_) in ROWS.items()},
    **{name: (rows, labels, parameters) for name, (parameters, rows, labels, *_) in FITS.items()},
    **{f"unlabelled: {name}": (TABLE, LABELS, {"X_unlabeled": rows}) for name, (rows, *_) in UNLABELED.items()},
}


@pytest.mark.parametrize("kind", ["stack", "table"])
def test_bad_input_loses_nothing(kind):
    """After every bad fit, transform and sample above an earlier fit is as it was."""
    X = {"stack": STACK, "table": TABLE}[kind]
    model = gan().fit(X, LABELS)
    before = {name: value for name, value in vars(model).items() if name.endswith("_")}
    expected, drawn = model.transform(X), model.sample(3, random_state=0)[0]
    for name, (rows, labels, arguments) in BAD_FITS.items():
        fit_arguments = {k: v for k, v in arguments.items() if k == "X_unlabeled"}
        model.set_params(**{k: v for k, v in arguments.items() if k != "X_unlabeled"})
        with pytest.raises((ValueError, TypeError)):
            model.fit(rows, labels, **fit_arguments)
        model.set_params(**gan().get_params())
        assert {k: v for k, v in vars(model).items() if k.endswith("_")}.keys() == before.keys(), name
        assert all(getattr(model, k) is v for k, v in before.items()), name
        assert np.array_equal(model.transform(X), expected), name
    assert np.array_equal(model.sample(3, random_state=0)[0], drawn)


@pytest.mark.parametrize("name", ROWS)
def test_failed_first_fit_leaves_the_estimator_unfitted(name):
    model = gan()
    with pytest.raises((ValueError, TypeError)):
        model.fit(ROWS[name][0])
    assert [attribute for attribute in vars(model) if attribute.endswith("_")] == []
    with pytest.raises(NotFittedError):
        model.transform(TABLE)


@pytest.mark.parametrize("value", [1e39, -1e39, 1e308])
def test_a_value_beyond_all_others_of_its_column_is_told(value):
    rows = np.random.RandomState(0).normal(100, 20, (40, 3))
    warn_of_rows(rows, "E", "table")
    warn_of_rows(np.random.RandomState(0).standard_cauchy((10_000, 2)), "E", "table")
    rows[3, 2] = value
    with pytest.warns(UserWarning, match=r"^E: column\(s\) 2 have values more than 1e\+09 interquartile ranges"):
        warn_of_rows(rows, "E", "table")
