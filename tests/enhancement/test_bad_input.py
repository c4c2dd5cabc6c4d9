"""Bad input to GANEnhancer: one clear error that says what was expected, what came and what to do."""

import re

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from sklearn_medgan import GANEnhancer

TINY = {"max_iter": 1, "width": 4, "depth": 2, "patch_size": 16, "batch_size": 4, "guard": False, "random_state": 0}
RNG = np.random.RandomState(0)
STACK = RNG.randint(0, 256, (6, 16, 18)).astype(np.uint8)
FLAT = STACK.reshape(6, -1)
TABLE = RNG.normal(size=(14, 5))
MORE = RNG.randint(0, 256, (9, 16, 18)).astype(np.uint8)
OTHERS = RNG.randint(20, 200, (8, 20, 17)).astype(np.uint8)
LABELS = np.arange(9) % 2
HOUNSFIELD = RNG.randint(-1000, 1500, (8, 16, 18)).astype(np.int16)


def enhancer(**changed):
    return GANEnhancer(**{**TINY, **changed})


def with_value(array, value):
    array = np.array(array, dtype=float)
    array.flat[7] = value
    return array


def other_shape(images, rng):
    return images[:, ::2]


def not_finite(images, rng):
    return images * np.nan


def no_array(images, rng):
    return None


def complex_numbers(images, rng):
    return images + 1j


# name -> (parameters, rows, arguments of fit, error, what its message says)
FITS = {
    "NaN in a table": ({}, with_value(TABLE, np.nan), {}, ValueError, "Input X contains NaN"),
    "NaN in a stack": ({}, with_value(STACK, np.nan), {}, ValueError, "Input X contains NaN"),
    "infinity in a stack": ({}, with_value(STACK, np.inf), {}, ValueError, "Input X contains infinity"),
    "empty table": ({}, TABLE[:0], {}, ValueError, r"0 sample\(s\).*minimum of 2"),
    "empty stack": ({}, STACK[:0], {}, ValueError, r"0 sample\(s\).*minimum of 2.*Pass more images"),
    "one image": ({}, STACK[:1], {}, ValueError, r"1 sample\(s\).*minimum of 2.*Pass more images"),
    "ragged images": ({}, [np.zeros((8, 8)), np.zeros((9, 8))], {}, ValueError, "ragged.*resizing"),
    "one dimension": ({}, TABLE[0], {}, ValueError, "Expected 2D array, got 1D array"),
    "five dimensions": ({}, np.zeros((2, 8, 8, 8, 1)), {}, ValueError, r"\(2, 8, 8, 8, 1\).*Expected an image stack"),
    "a low stack": ({}, np.zeros((4, 7, 20)), {}, ValueError, "at least 8 pixels.*got 7x20.*Enlarge"),
    "a narrow flat image": ({"image_shape": (41, 7)}, np.zeros((4, 287)), {}, ValueError, "got 41x7"),
    "five channels": ({}, np.zeros((4, 8, 8, 5)), {}, ValueError, "1 to 4 channels, last.*Move the channels"),
    "complex images": ({}, STACK + 1j, {}, ValueError, "Complex data not supported.*numpy.abs"),
    "strings in a stack": ({}, STACK.astype(str), {}, ValueError, "images of numbers; got dtype <U.*Convert"),
    "a file's name": ({}, ["scan.png", "other.png"], {}, ValueError, "Expected 2D array, got 1D array"),
    "words": ({}, np.array([["a", "b"], ["c", "d"]]), {}, ValueError, "not compatible with arrays of bytes/strings"),
    "a sparse table": ({}, sparse.csr_matrix(TABLE), {}, TypeError, "Sparse data was passed.*dense"),
    "nothing": ({}, None, {}, (TypeError, ValueError), "None|scalar"),
    "image_shape of another size": ({"image_shape": (10, 11)}, FLAT, {}, ValueError,
                                    r"image_shape=\(10, 11\) needs 110 columns.*shape \(6, 288\).*Pass the"),
    "image_shape against a stack": ({"image_shape": (18, 16)}, STACK, {}, ValueError,
                                    r"has image_shape \(18, 16, 1\); got \(16, 18, 1\).*Resize"),
    "image_shape of one side": ({"image_shape": (288,)}, FLAT, {}, ValueError, r"\(height, width\) or.*\(288,\)"),
    "labels too few": ({}, STACK, {"y": [0, 1]}, ValueError, "inconsistent numbers of samples.*6.*2.*one label a row"),
    # pairs
    "target of fewer rows": ({}, STACK, {"target": STACK[:4]}, ValueError,
                             r"good version of each row of X.*\(6, 16, 18, 1\).*\(4, 16, 18, 1\).*same rows"),
    "target of another size": ({}, STACK, {"target": STACK[:, :, :16]}, ValueError,
                               r"target must hold.*expected.*\(6, 16, 18, 1\); got \(6, 16, 16, 1\)"),
    "target of the size of X with scale=2": ({"scale": 2}, STACK, {"target": STACK}, ValueError,
                                             r"enlarged by scale=2: expected.*\(6, 32, 36, 1\); got \(6, 16, 18, 1\)"),
    "flat target of the size of X with scale=2": ({"scale": 2, "image_shape": (16, 18)}, FLAT, {"target": FLAT},
                                                  ValueError, r"target: image_shape=\(32, 36, 1\) needs 1152 columns"),
    "target of other channels": ({}, STACK, {"target": np.repeat(STACK[..., None], 3, -1)}, ValueError,
                                 r"\(6, 16, 18, 1\); got \(6, 16, 18, 3\)"),
    "flat target of a stack": ({}, STACK, {"target": FLAT}, ValueError, r"expected.*\(6, 16, 18, 1\); got \(6, 288\)"),
    "NaN in the target": ({}, STACK, {"target": with_value(STACK, np.nan)}, ValueError, "target: Input .*contains NaN"),
    "words as target": ({}, STACK, {"target": STACK.astype(str)}, ValueError, "target: .*images of numbers"),
    "target of a table with fewer columns": ({}, TABLE, {"target": TABLE[:, :3]}, ValueError,
                                             r"target must hold.*expected.*\(14, 5\); got \(14, 3\)"),
    "sparse target": ({}, TABLE, {"target": sparse.csr_matrix(TABLE)}, TypeError, "target: Sparse"),
    # images of others
    "target and reference": ({}, MORE, {"target": MORE, "reference": OTHERS}, ValueError,
                             r"target= .*or reference= .*got both\. Leave one out"),
    "pairs without target": ({"supervision": "paired"}, STACK, {}, ValueError,
                             "'paired' needs target=.*got neither target= nor reference="),
    "unpaired with target": ({"supervision": "unpaired"}, MORE, {"target": MORE}, ValueError,
                             "'unpaired' needs reference=.*got target="),
    "good images with reference": ({"supervision": "degradation"}, MORE, {"reference": OTHERS}, ValueError,
                                   "'degradation' learns from good images alone.*got reference="),
    "noisy images alone with target": ({"supervision": "self"}, MORE, {"target": MORE}, ValueError,
                                       "'self' learns from noisy images alone.*got target="),
    "a noisy table alone": ({"supervision": "self"}, TABLE, {}, ValueError, "'self' is for images; got a table"),
    "a supervision of no name": ({"supervision": "none"}, STACK, {}, ValueError, "'supervision' parameter"),
    "reference of other channels": ({}, MORE, {"reference": np.repeat(OTHERS[..., None], 3, -1)}, ValueError,
                                    r"as many channels as X: expected 1; got 3.*Convert.*sizes may differ"),
    "flat reference of a stack": ({}, MORE, {"reference": FLAT}, ValueError, r"reference must be.*\(6, 288\)"),
    "NaN in the reference": ({}, MORE, {"reference": with_value(OTHERS, np.nan)}, ValueError, "reference: Input .*NaN"),
    "reference of few": ({}, MORE, {"reference": OTHERS[:7]}, ValueError, "at least 8 poor images and .*; got 9 and 7"),
    "few poor images": ({}, STACK, {"reference": OTHERS}, ValueError, "at least 8 poor images and .*; got 6 and 8"),
    "reference that is X": ({}, MORE, {"reference": MORE.astype(float)}, ValueError, "other images than .*among these"),
    "reference that is X in another order": ({}, MORE, {"reference": MORE[::-1]}, ValueError, "only such as are among"),
    "bytes and Hounsfield units": ({}, MORE, {"reference": HOUNSFIELD}, ValueError,
                                   "same units; the central 99 % of the values range from .* to .* and from -9"),
    "bytes and soft tissue": ({}, MORE, {"reference": HOUNSFIELD % 400 - 160}, ValueError, "far below 0.*nothing is"),
    "fractions and bytes": ({}, MORE / 255.0, {"reference": OTHERS}, ValueError, "same units.*4 times as wide"),
    "a constant reference": ({}, MORE, {"reference": np.full_like(OTHERS, 7)}, ValueError,
                             "several intensities; got 7 for nearly all of the values of reference. Leave"),
    "constant poor images": ({}, np.full_like(MORE, 9), {"reference": OTHERS}, ValueError, "got 9 .* the poor images"),
    "NaN among labels": ({}, STACK, {"y": [0.0, np.nan, *[1.0] * 4]}, ValueError, "y: Expected a class .*got NaN"),
    "labels of a reference alone": ({}, MORE, {"reference": OTHERS, "reference_y": np.zeros(8)}, ValueError,
                                    "needs reference= and class labels y; got no y"),
    "labels of no reference": ({}, MORE, {"y": LABELS, "reference_y": LABELS}, ValueError, "got no reference. Pass"),
    "labels of other classes": ({}, MORE, {"y": LABELS, "reference": OTHERS, "reference_y": np.full(8, 7)}, ValueError,
                                "y and reference_y must have a class in common; got only .* and only 7[.] Name"),
    "labels as words of numbers": ({}, MORE, {"y": np.zeros(9, int), "reference": OTHERS, "reference_y": ["0"] * 8},
                                   ValueError, "got only 0 and only '0'. Name classes alike"),
    "labels of few in common": ({}, MORE, {"y": np.arange(9) // 4, "reference": OTHERS, "reference_y": np.ones(8, int)},
                                ValueError, "at least 8 images .* these are 4 and 8. Pass more"),
    "numbers as labels": ({}, MORE, {"y": LABELS, "reference": OTHERS, "reference_y": np.linspace(0, 1, 8)}, ValueError,
                          "reference_y must be class labels, as y; got values that are continuous"),
    "labels of few": ({}, MORE, {"y": LABELS, "reference": OTHERS, "reference_y": np.zeros(7)}, ValueError,
                      "reference_y: .*reference has 8, reference_y has 7. Pass one label a row"),
    "reference of several sizes": ({}, MORE, {"reference": [*OTHERS, OTHERS[0][:9]]}, ValueError,
                                   "reference: The rows are ragged.*resizing"),
    "ranges apart": ({}, MORE, {"reference": MORE + 1000.0}, ValueError, "same units.*must overlap"),
    "reference with a table": ({}, TABLE, {"reference": TABLE}, ValueError, "'unpaired' is for images; got a table"),
    "reference and enlargement": ({"scale": 2}, MORE, {"reference": OTHERS}, ValueError, "scale=1; got 'auto' and 2"),
    "reference and a degradation": ({"degradation": "blur"}, MORE, {"reference": OTHERS}, ValueError, "got 'blur' and"),
    # degradations
    "an unknown degradation": ({"degradation": "nose"}, STACK, {}, ValueError,
                               "Unknown degradation 'nose'; did you mean 'noise'.*Known are.*'blur'.*'poisson'"),
    "unknown among several": ({"degradation": ["noise", "fog"]}, STACK, {}, ValueError,
                              "Unknown degradation 'fog'.*Known are.*'blur'"),
    "no degradation": ({"degradation": []}, STACK, {}, ValueError, r"at least one; got \[\].*Pass for example"),
    "a number as degradation": ({"degradation": 3}, STACK, {}, ValueError, "'degradation' parameter.*Got 3"),
    "a number among degradations": ({"degradation": ["noise", 3]}, STACK, {}, TypeError, "must be a name.*got 3.*Pass"),
    "levels of nothing": ({"degradation": {}}, STACK, {}, ValueError, "levels for nothing. Known: .*'blur'"),
    "levels of something unknown": ({"degradation": {"fog": 3}}, STACK, {}, ValueError,
                                    r"levels for \['fog'\]. Known: .*'blur'.*'noise'"),
    "a word as level": ({"degradation": {"noise": "strong"}}, STACK, {}, ValueError,
                        r"level of 'noise' must be a number or a pair.*got 'strong'"),
    "a level below zero": ({"degradation": {"noise": -3}}, STACK, {}, ValueError, "'noise'.*at least 0; got -3"),
    "levels the wrong way round": ({"degradation": {"blur": (2, 1)}}, STACK, {}, ValueError,
                                   r"pair \(low, high\).*got \(2, 1\)"),
    "three levels": ({"degradation": {"blur": (0, 1, 2)}}, STACK, {}, ValueError, r"a pair.*got \(0, 1, 2\)"),
    "half a factor": ({"degradation": {"downscale": 1.5}}, STACK, {}, ValueError, "factor must be a whole.*got 1.5"),
    "a callable that returns another shape": ({"degradation": other_shape}, STACK, {}, ValueError,
                                              r"other_shape must return.*\(1, 16, 18, 1\).*got.*\(1, 8, 18, 1\).*Keep"),
    "a callable that returns NaN": ({"degradation": not_finite}, STACK, {}, ValueError, "not_finite.*finite.*NaN"),
    "a callable that returns nothing": ({"degradation": no_array}, STACK, {}, TypeError, "no_array.*got NoneType"),
    "a callable that returns complex numbers": ({"degradation": complex_numbers}, STACK, {}, TypeError,
                                                "complex_numbers.*real numbers; got dtype complex"),
    # tables
    "blur of a table": ({"degradation": "blur"}, TABLE, {}, ValueError,
                        "degradation='blur' is for images; got a table.*Pass image stacks"),
    "levels of blur for a table": ({"degradation": {"blur": 1.0}}, TABLE, {}, ValueError, "for images; got a table"),
    "a callable for a table": ({"degradation": other_shape}, TABLE, {}, ValueError, "for images; got a table"),
    "enlargement of a table": ({"scale": 2}, TABLE, {}, ValueError, "scale=2 is for images; got a table"),
    "an adversary for a table": ({"adversarial_weight": 0.1}, TABLE, {}, ValueError, "adversarial_weight=0.1 is for"),
    # numbers
    "scale of five": ({"scale": 5}, STACK, {}, ValueError, "'scale' parameter"),
    "scale of one and a half": ({"scale": 1.5}, STACK, {}, ValueError, "'scale' parameter"),
    "a negative adversary": ({"adversarial_weight": -1.0}, STACK, {}, ValueError, "'adversarial_weight' parameter"),
    "a patch that is no multiple of 8": ({"patch_size": 20}, STACK, {}, ValueError,
                                         "patch_size must be a multiple of 8.*got 20"),
    "a patch that the scale does not divide": ({"patch_size": 16, "scale": 3}, STACK, {}, ValueError,
                                               "multiple of 8 and of scale=3; got 16"),
    "a tiny patch": ({"patch_size": 8}, STACK, {}, ValueError, "'patch_size' parameter"),
    "a tiny tile": ({"tile_size": 16}, STACK, {}, ValueError, "'tile_size' parameter"),
    "three views": ({"n_views": 3}, STACK, {}, ValueError, "'n_views' parameter"),
    "views of a table": ({"n_views": 8}, TABLE, {}, ValueError, "n_views=8 is for images; got a table"),
    "no depth": ({"depth": 0}, STACK, {}, ValueError, "'depth' parameter"),
    "no steps": ({"max_iter": 0}, STACK, {}, ValueError, "'max_iter' parameter"),
    "no time": ({"max_time": 0}, STACK, {}, ValueError, "'max_time' parameter"),
    "a negative rate": ({"learning_rate": -1.0}, STACK, {}, ValueError, "'learning_rate' parameter"),
    "a guard by name": ({"guard": "strict"}, STACK, {}, ValueError, "'guard' parameter"),
    "a random state of another kind": ({"random_state": "a"}, STACK, {}, ValueError, "'random_state' parameter"),
}  # fmt: skip

LATER = {
    "more channels": ("stack", np.repeat(STACK[..., None], 3, -1), ValueError,
                      r"fitted on images of 1 channel\(s\); got 3.*Convert the images or fit again"),
    "too small": ("stack", STACK[:, :7], ValueError, "at least 8 pixels.*got 7x18"),
    "flattened": ("stack", FLAT, ValueError, r"image stack.*shape \(6, 288\).*Reshape it to \(n, 16, 18\)"),
    "one image unwrapped": ("stack", STACK[0], ValueError, r"image stack.*\(16, 18\).*Reshape"),
    "flat images of another size": ("flat", FLAT[:, :240], ValueError, "X has 240 features.*expecting 288"),
    "fewer columns": ("table", TABLE[:, :3], ValueError, "X has 3 features, but GANEnhancer is expecting 5 features"),
    "a stack for a table": ("table", STACK, ValueError, "fitted on a table of 5 columns; got an image stack"),
    "NaN": ("table", with_value(TABLE, np.nan), ValueError, "NaN"),
    "NaN in an image": ("stack", with_value(STACK, np.nan), ValueError, "NaN"),
    "infinity in an image": ("stack", with_value(STACK, np.inf), ValueError, "infinity"),
    "no row": ("table", TABLE[:0], ValueError, r"0 sample\(s\).*minimum of 1"),
    "no image": ("stack", STACK[:0], ValueError, r"0 sample\(s\).*minimum of 1"),
    "complex": ("stack", STACK + 1j, ValueError, "Complex data not supported"),
    "a sparse table": ("table", sparse.csr_matrix(TABLE), TypeError, "Sparse"),
}  # fmt: skip


def cases(table):
    return pytest.mark.parametrize("case", list(table.values()), ids=list(table))


@pytest.fixture(scope="module")
def fitted():
    return {
        "stack": enhancer().fit(STACK),
        "flat": enhancer(image_shape=(16, 18)).fit(FLAT),
        "table": enhancer().fit(TABLE),
    }


@cases(FITS)
def test_fit_refuses(case):
    parameters, rows, arguments, error, message = case
    model = enhancer(**parameters)
    with pytest.raises(error, match=re.compile(message, re.S)):
        model.fit(rows, **arguments)
    assert [name for name in vars(model) if name.endswith("_")] == []
    with pytest.raises(NotFittedError):
        model.transform(STACK)


@cases(LATER)
@pytest.mark.parametrize("method", ["transform", "sample", "uncertainty", "score"])
def test_fitted_enhancer_refuses(fitted, case, method):
    kind, rows, error, message = case
    with pytest.raises(error, match=re.compile(message, re.S)):
        getattr(fitted[kind], method)(rows)


@pytest.mark.parametrize("level", ["strong", (0.1, 0.2, 0.3), -0.5, (0.5, 0.1)], ids=str)
def test_levels_of_noise_of_a_table_are_checked(level):
    with pytest.raises(ValueError, match=r"noise.*number or a pair"):
        enhancer(degradation={"noise": level}).fit(TABLE)


@pytest.mark.parametrize("n_samples", [0, -2, 2.5, True, "3"])
def test_sample_refuses_counts(fitted, n_samples):
    with pytest.raises(ValueError, match=f"n_samples must be a whole number from 1 up; got {n_samples!r}"):
        fitted["table"].sample(TABLE, n_samples)


def test_uncertainty_needs_two_draws(fitted):
    with pytest.raises(ValueError, match="n_samples must be a whole number from 2 up; got 1"):
        fitted["table"].uncertainty(TABLE, 1)


def test_sample_refuses_a_random_state_of_another_kind(fitted):
    with pytest.raises(ValueError, match="cannot be used to seed"):
        fitted["table"].sample(TABLE, random_state="a")


def test_score_refuses_a_target_of_other_rows(fitted):
    with pytest.raises(ValueError, match=r"target must hold.*\(6, 16, 18, 1\); got \(5, 16, 18, 1\)"):
        fitted["stack"].score(STACK, target=STACK[:5])


def test_frames_with_other_columns_are_refused():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(TABLE, columns=list("abcde"))
    model = enhancer().fit(X)
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(X.rename(columns={"a": "z"}))
    with pytest.raises(TypeError, match="column 'a' holds text"):
        enhancer().fit(X.assign(a="word"))


@pytest.mark.parametrize(
    ("parameters", "rows", "message"),
    [
        ({"width": 8}, STACK, "networks of the earlier fit.*Set warm_start=False"),
        ({"depth": 6}, STACK, "networks of the earlier fit"),
        ({"adversarial_weight": 0.1}, STACK, "networks of the earlier fit"),
        ({}, np.repeat(STACK[..., None], 3, -1), r"1 channel\(s\); got 3"),
        ({}, TABLE, "fitted on an image stack"),
    ],
    ids=str,
)
def test_warm_start_refuses_another_network_or_data(parameters, rows, message):
    model = enhancer(warm_start=True).fit(STACK)
    before = model.transform(STACK)
    with pytest.raises(ValueError, match=re.compile(message, re.S)):
        model.set_params(**parameters).fit(rows)
    assert np.array_equal(model.transform(STACK), before)
    assert model.n_iter_ == 1


@pytest.mark.parametrize("method", ["transform", "sample", "uncertainty", "score"])
def test_unfitted_enhancer_says_so(method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(enhancer(), method)(STACK)


@pytest.mark.parametrize("name", ["generator_", "discriminator_"])
def test_unfitted_enhancer_has_no_networks(name):
    with pytest.raises(AttributeError, match=f"{name} exists after fit"):
        getattr(enhancer(), name)
