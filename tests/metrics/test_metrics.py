"""Every metric against an independent reference, and its direction on a known collapse and a known copy."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import sqrtm
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist
from scipy.stats import ortho_group
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import KNeighborsClassifier

from sklearn_medgan.metrics import (
    _manifolds,
    frechet_distance,
    kernel_distance,
    membership_inference_auc,
    memorisation_ratio,
    precision_recall_density_coverage,
    psnr,
    ssim,
    train_on_synthetic_score,
)
from sklearn_medgan.metrics._images import decibels
from sklearn_medgan.metrics._neighbours import nearest_distances


def rows(seed, n=200, d=4, scale=1.0, shift=0.0):
    return scale * np.random.RandomState(seed).standard_normal((n, d)) + shift


def one_mode(n=200, d=4):
    """A generator that has collapsed: hardly any spread, about one real row."""
    return rows(0, d=d)[:1] + 0.01 * rows(9, n, d)


def images(seed, *shape, dtype=np.float64, top=1.0):
    return (top * np.random.RandomState(seed).uniform(size=shape)).astype(dtype)


# -- images -------------------------------------------------------------------

STACKS = {
    "float": (images(0, 3, 16, 12), images(1, 3, 16, 12)),
    "one grey image": (images(0, 16, 12), images(1, 16, 12)),
    "colour": (images(0, 2, 16, 12, 3), images(1, 2, 16, 12, 3)),
    "uint8": (images(0, 3, 16, 12, dtype=np.uint8, top=200), images(1, 3, 16, 12, dtype=np.uint8, top=200)),
    "int16": (images(0, 3, 16, 12, dtype=np.int16, top=3000), images(1, 3, 16, 12, dtype=np.int16, top=3000)),
    "mixed dtypes": (images(0, 3, 16, 12, dtype=np.uint8, top=200), images(1, 3, 16, 12, top=200)),
}
RANGES = {np.float64: None, np.uint8: 255.0, np.int16: 65535.0}


@pytest.mark.parametrize(("true", "other"), STACKS.values(), ids=STACKS)
def test_images_are_judged_as_by_scikit_image(true, other):
    data_range = RANGES[true.dtype.type] or np.ptp(true)
    stack = [a if a.ndim > 2 else a[None] for a in (true.astype(float), other.astype(float))]
    noise = [peak_signal_noise_ratio(a, b, data_range=data_range) for a, b in zip(*stack, strict=True)]
    authors = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": data_range}
    axis = -1 if stack[0].ndim == 4 else None
    alike = [structural_similarity(a, b, channel_axis=axis, **authors) for a, b in zip(*stack, strict=True)]
    np.testing.assert_allclose(psnr(true, other, per_image=True), noise)
    np.testing.assert_allclose(ssim(true, other, per_image=True), alike)
    assert psnr(true, other) == pytest.approx(np.mean(noise))
    assert ssim(true, other) == pytest.approx(np.mean(alike))
    assert type(psnr(true, other)) is type(ssim(true, other)) is float


def test_psnr_is_its_definition():
    true = np.zeros((2, 8, 8), np.uint8)
    other = true + np.uint8([[[5]], [[51]]])
    expected = [20 * np.log10(255 / 5), 20 * np.log10(5)]
    np.testing.assert_allclose(psnr(true, other, per_image=True), expected)
    np.testing.assert_allclose(psnr(true, other, data_range=510, per_image=True), np.add(expected, 20 * np.log10(2)))


def test_ssim_of_constant_images_is_the_luminance_term():
    """Equation 6 of the paper: no contrast and no structure, C1 = (0.01 L)**2."""
    dark, bright = np.full((1, 16, 16), 0.2), np.full((1, 16, 16), 0.6)
    c1 = 0.01**2
    assert ssim(dark, bright, data_range=1.0) == pytest.approx((2 * 0.2 * 0.6 + c1) / (0.2**2 + 0.6**2 + c1))


def test_decibels_take_arrays_of_any_shape_and_dtype():
    """What the guard and the pictures judge by: rows of tables and images alike, unsigned differences included."""
    true = np.uint8([[0, 200], [100, 7]])
    other = np.uint8([[3, 196], [100, 7]])
    assert decibels(true, other, 255.0) == pytest.approx(20 * np.log10(255 / 2.5))
    assert decibels(true.ravel(), other.ravel().astype(np.float32), 255.0) == decibels(true, other, 255.0)
    assert decibels(true, true, 1.0) == np.inf
    assert decibels(true, other, 0.0) == -np.inf


def test_identical_images():
    true = images(0, 3, 16, 16)
    assert psnr(true, true) == np.inf
    assert psnr(true, true, per_image=True).tolist() == [np.inf] * 3
    assert ssim(true, true) == pytest.approx(1.0)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_more_noise_is_worse(metric):
    true = np.random.RandomState(1).uniform(size=(2, 4, 4)).repeat(8, axis=1).repeat(8, axis=2)
    values = [metric(true, true + level * rows(2, 64, 32).reshape(2, 32, 32)) for level in (0.05, 0.1, 0.2, 0.4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]


def test_bool_images_range_from_zero_to_one():
    true = np.zeros((1, 16, 16), bool)
    other = true.copy()
    other[0, :4, :4] = True  # one pixel in 16
    assert psnr(true, other) == pytest.approx(10 * np.log10(16))


BAD_IMAGES = {
    "shapes": (np.zeros((2, 16, 16)), np.zeros((2, 16, 15)), {}, r"one shape; got \(2, 16, 16\) and \(2, 16, 15\)"),
    "one row": (np.zeros(16), np.zeros(16), {}, r"got shape \(16,\)"),
    "five axes": (np.zeros((1, 16, 16, 1, 1)),) * 2 + ({}, "Expected images"),
    "empty": (np.zeros((0, 16, 16)),) * 2 + ({}, "Expected images"),
    "one colour image": (images(0, 16, 16, 3),) * 2 + ({}, r"Pass it as image\[None\]"),
    "NaN": (np.full((1, 16, 16), np.nan),) * 2 + ({}, "y_true must be finite"),
    "complex": (np.ones((1, 16, 16), complex),) * 2 + ({}, "real numbers; got dtype complex128"),
    "words": (np.full((1, 16, 16), "a"),) * 2 + ({}, "real numbers; got dtype <U1"),
    "constant": (np.ones((1, 16, 16)),) * 2 + ({}, "constant .* Pass data_range"),
    "range of zero": (images(0, 1, 16, 16),) * 2 + ({"data_range": 0}, "positive number; got 0"),
    "range a word": (images(0, 1, 16, 16),) * 2 + ({"data_range": "uint8"}, "positive number; got 'uint8'"),
}


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize("case", BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_bad_images(metric, case):
    true, other, options, message = case
    with pytest.raises(ValueError, match=message):
        metric(true, other, **options)


def test_ssim_refuses_images_smaller_than_its_window():
    with pytest.raises(ValueError, match=r"windows of 11x11 pixels; got images of 10x16\. Use psnr"):
        ssim(images(0, 2, 10, 16), images(1, 2, 10, 16))
    assert np.isfinite(ssim(images(0, 2, 11, 11), images(1, 2, 11, 11)))


# -- Frechet distance ---------------------------------------------------------


def with_covariance(n, spread, mean=0.0, seed=0):
    """Rows whose sample mean and (diagonal) covariance are exactly these."""
    white = rows(seed, n, len(spread))
    white -= white.mean(axis=0)
    white = np.linalg.qr(white)[0] * np.sqrt(n - 1)
    return white * spread + mean


def test_frechet_distance_of_diagonal_gaussians():
    first, second = np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 0.5])
    expected = 3 * 0.5**2 + np.sum((first - second) ** 2)
    distance = frechet_distance(with_covariance(50, first), with_covariance(70, second, mean=0.5, seed=1))
    assert distance == pytest.approx(expected)


def test_frechet_distance_with_fewer_rows_than_features():
    """Turning both sets in a larger space changes no distance, and leaves covariances of rank 3 in 40 columns."""
    first, second = np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 0.5])
    turn = ortho_group.rvs(40, random_state=0)[:3]
    real, synthetic = with_covariance(20, first) @ turn, with_covariance(30, second, seed=1) @ turn
    assert frechet_distance(real, synthetic) == pytest.approx(np.sum((first - second) ** 2))
    assert frechet_distance(real, real) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("n", [8, 30, 200])
def test_frechet_distance_is_the_formula_of_the_paper(n):
    real, synthetic = rows(0, n, 10), rows(1, n + 5, 10, 1.5, 0.3) @ rows(2, 10, 10)
    covariances = np.cov(real.T), np.cov(synthetic.T)
    shift = real.mean(axis=0) - synthetic.mean(axis=0)
    root = np.real(np.trace(sqrtm(covariances[0] @ covariances[1] + 1e-14 * np.eye(10))))
    expected = shift @ shift + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * root
    assert frechet_distance(real, synthetic) == pytest.approx(expected, rel=1e-4)


def test_frechet_distance_sees_collapse_and_not_copying():
    real = rows(0, 300)
    alike = frechet_distance(real, rows(1, 300))
    assert frechet_distance(real, real) == pytest.approx(0.0, abs=1e-12)
    assert alike < 0.2 < 2.0 < frechet_distance(real, one_mode())
    constant = np.repeat(real.mean(axis=0)[None], 10, axis=0)
    assert frechet_distance(real, constant) == pytest.approx(np.trace(np.cov(real.T)))


def test_frechet_distance_is_larger_for_fewer_rows():
    few, many = (np.mean([frechet_distance(rows(s, n), rows(s + 50, n)) for s in range(5)]) for n in (20, 500))
    assert few > 5 * many


# -- kernel distance ----------------------------------------------------------


def loops(first, second, kernel):
    """Equation 3 of Gretton et al. 2012, term by term."""
    n = len(first)
    pairs = [(i, j) for i in range(n) for j in range(n)]
    within = sum(kernel(s[i], s[j]) for s in (first, second) for i, j in pairs if i != j) / (n * (n - 1))
    return within - 2 * sum(kernel(first[i], second[j]) for i, j in pairs) / n**2


def test_kernel_distance_is_the_unbiased_estimate():
    real, synthetic = rows(0, 12, 3), rows(1, 12, 3, 1.4, 0.5)
    options = {"n_subsets": 1, "subset_size": 12}
    expected = loops(real, synthetic, lambda x, y: (x @ y / 3 + 1) ** 3)
    assert kernel_distance(real, synthetic, **options) == pytest.approx(expected)
    expected = loops(real, synthetic, lambda x, y: np.exp(-0.5 * (x - y) @ (x - y)))
    value = kernel_distance(real, synthetic, kernel=lambda A, B: rbf_kernel(A, B, gamma=0.5), **options)
    assert value == pytest.approx(expected)


def test_kernel_distance_is_without_bias():
    """With a linear kernel it estimates the squared distance of the means, 0 and 4 * 0.5**2, also from few rows."""
    options = {"kernel": lambda A, B: A @ B.T, "n_subsets": 1, "subset_size": 10}
    alike = [kernel_distance(rows(s, 10), rows(s + 1000, 10), **options) for s in range(200)]
    apart = [kernel_distance(rows(s, 10), rows(s + 1000, 10, shift=0.5), **options) for s in range(200)]
    assert abs(np.mean(alike)) < 4 * np.std(alike) / np.sqrt(200)
    assert abs(np.mean(apart) - 1.0) < 4 * np.std(apart) / np.sqrt(200)


def test_kernel_distance_sees_collapse_and_not_copying():
    real = rows(0)
    assert abs(kernel_distance(real, rows(1))) < 0.1
    assert kernel_distance(real, real) < 0.1
    assert kernel_distance(real, one_mode()) > 1.0


def test_kernel_distance_of_subsets():
    real, synthetic = rows(0, 60), rows(1, 50, shift=0.3)
    value, spread = kernel_distance(real, synthetic, return_std=True)
    assert value == kernel_distance(real, synthetic)  # seeded by default
    assert value != kernel_distance(real, synthetic, random_state=1)
    assert spread > kernel_distance(real, synthetic, subset_size=45, return_std=True)[1] > 0
    assert type(value) is type(spread) is float


# -- precision, recall, density, coverage -------------------------------------


# Made once with prdc 0.2 (PyPI, of the authors of density and coverage): compute_prdc(real, synthetic, nearest_k).
PRDC = [
    ((0, 60, 3), (1, 50, 3, 0.7, 0.5), 3, (1.0, 0.55, 1.34, 0.6)),
    ((2, 200, 10), (3, 150, 10, 1.3), 5, (89 / 150, 0.975, 0.416, 0.745)),
    ((4, 80, 40), (5, 90, 40, 1.0, 0.4), 1, (16 / 90, 0.4, 24 / 90, 0.175)),
]


@pytest.mark.parametrize(("real", "synthetic", "n_neighbors", "expected"), PRDC)
def test_manifold_scores_are_those_of_prdc(real, synthetic, n_neighbors, expected):
    scores = precision_recall_density_coverage(rows(*real), rows(*synthetic), n_neighbors=n_neighbors)
    np.testing.assert_allclose(scores, expected)
    assert scores._fields == ("precision", "recall", "density", "coverage")


def test_manifold_scores_by_hand():
    """On a line, one neighbour: real rows 0, 1, 10 of radii 1, 1, 9; synthetic 0.5, 0.6, 30 of radii 0.1, 0.1, 29.4."""
    scores = precision_recall_density_coverage([[0.0], [1.0], [10.0]], [[0.5], [0.6], [30.0]], n_neighbors=1)
    # 0.5 lies in the balls of 0 and 1 only: 10 - 9 = 1. So does 0.6; 30 lies in none.
    assert scores.precision == pytest.approx(2 / 3)
    assert scores.density == pytest.approx(4 / 3)
    assert scores.coverage == pytest.approx(2 / 3)
    # 30 - 29.4 = 0.6: its ball holds 1 and 10; 0 lies in none.
    assert scores.recall == pytest.approx(2 / 3)


def test_manifold_scores_see_a_copy_and_a_collapse():
    real = rows(0)
    assert precision_recall_density_coverage(real, real) == (1.0, 1.0, 1.0, 1.0)
    copy = precision_recall_density_coverage(1e4 + real, 1e4 + real[::-1])  # far from the origin: rounding
    np.testing.assert_allclose(copy, 1.0)
    collapsed = precision_recall_density_coverage(real, one_mode())
    assert collapsed.precision == 1.0
    assert max(collapsed.recall, collapsed.coverage) < 0.1
    constant = precision_recall_density_coverage(real, np.repeat(real[:1], 200, axis=0))
    assert constant.precision == 1.0
    assert max(constant.recall, constant.coverage) < 0.1
    far = precision_recall_density_coverage(real, rows(1, shift=100.0))
    assert far == (0.0, 0.0, 0.0, 0.0)


def test_manifold_scores_of_alike_rows_are_as_the_paper_expects():
    """Lemmas 1 and 2 of Naeem et al.: density 1, coverage 1 - 2**-k for many rows."""
    values = [precision_recall_density_coverage(rows(s, 400), rows(s + 50, 400), n_neighbors=3) for s in range(8)]
    _, _, density, coverage = np.mean(values, axis=0)
    assert density == pytest.approx(1.0, abs=0.03)
    assert coverage == pytest.approx(1 - 2**-3, abs=0.02)


def test_duplicates_are_in_their_own_ball():
    """A table of two levels: every ball is a point."""
    real = np.repeat([[0.0], [1.0]], 20, axis=0)
    assert precision_recall_density_coverage(real, real)[:2] == (1.0, 1.0)
    scores = precision_recall_density_coverage(real, real[:20])
    assert (scores.precision, scores.recall, scores.coverage) == (1.0, 0.5, 0.5)


def test_distances_are_held_in_blocks(monkeypatch):
    """The whole matrix takes 32 MB."""
    real, synthetic = rows(0, 2000), rows(1, 2000)
    whole = precision_recall_density_coverage(real, synthetic)
    monkeypatch.setattr(_manifolds, "WORKING_MEMORY_MB", 1)
    tracemalloc.start()
    try:
        assert precision_recall_density_coverage(real, synthetic) == whole
        membership_inference_auc(real, real[::2], synthetic)
        memorisation_ratio(real, synthetic, real[::2])
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()


# -- train on synthetic, test on real -----------------------------------------


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
    scores = train_on_synthetic_score(Shapes(), images(0, 10, 8, 8, 2), y, images(1, 6, 8, 8, 2), y[:6])
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


# -- memorisation -------------------------------------------------------------


def test_memorisation_is_the_median_quotient_of_nearest_distances():
    train, synthetic, reference = rows(0, 40), rows(1, 30), rows(2, 40)
    to_train, to_reference = (cdist(synthetic, s).min(axis=1) for s in (train, reference))
    found = memorisation_ratio(train, synthetic, reference)
    assert found.ratio == pytest.approx(np.median(to_train / to_reference))
    assert found.share_nearer == pytest.approx(np.mean(to_train < to_reference))


def test_memorisation_without_reference_compares_the_two_nearest():
    train, synthetic = rows(0, 40), rows(1, 30)
    nearest = np.sort(cdist(synthetic, train), axis=1)
    found = memorisation_ratio(train, synthetic)
    assert found == (pytest.approx(np.median(nearest[:, 0] / nearest[:, 1])), None)
    assert memorisation_ratio(train, train).ratio == 0.0
    twice = np.repeat(train, 2, axis=0)  # every row and its duplicate: both distances are 0
    assert memorisation_ratio(twice, train).ratio == 0.0


@pytest.mark.parametrize("sizes", [(400, 400), (1000, 100), (300, 900)])
def test_memorisation_of_new_rows_is_about_one(sizes):
    values = [memorisation_ratio(rows(s, sizes[0]), rows(s + 50), rows(s + 90, sizes[1])) for s in range(8)]
    ratio, share = np.mean(values, axis=0)
    assert ratio == pytest.approx(1.0, abs=0.1)
    assert share == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("sizes", [(400, 400), (1000, 100), (300, 900)])
def test_memorisation_sees_copies_of_any_training_row(sizes):
    """Also where there are ten times as many training rows as reference rows."""
    train, reference = rows(0, sizes[0]), rows(1, sizes[1])
    assert memorisation_ratio(train, train[:200], reference) == (0.0, 1.0)
    near = memorisation_ratio(1e4 + train, 1e4 + train[:200] + 0.01 * rows(2), 1e4 + reference)
    assert near.ratio < 0.1
    assert near.share_nearer > 0.95
    half = memorisation_ratio(train, np.r_[train[:100], rows(2, 100)], reference)
    assert half.ratio < 0.9
    assert half.share_nearer == pytest.approx(0.75, abs=0.07)


def test_memorisation_of_one_mode_is_not_memorisation():
    """All synthetic rows alike, between the real ones: as near to either set."""
    middle = np.zeros((50, 4))
    ratios = [memorisation_ratio(rows(s), middle, rows(s + 50)).ratio for s in range(20)]
    assert np.median(ratios) == pytest.approx(1.0, abs=0.2)


def test_rows_that_all_sets_hold_are_no_copies():
    same = np.zeros((20, 4))
    assert memorisation_ratio(same, same, same) == (1.0, 0.5)
    assert memorisation_ratio(same, same, same[:10]) == (1.0, 0.5)
    assert memorisation_ratio(same + 1, same, same) == (np.inf, 0.0)


# -- membership inference -----------------------------------------------------


def test_membership_is_the_area_of_nearest_distances():
    members, others, synthetic = rows(0, 60), rows(1, 50, 4, 1.2), rows(2, 70)
    distances = cdist(np.r_[members, others], synthetic).min(axis=1)
    expected = roc_auc_score(np.arange(110) < 60, -distances)
    assert membership_inference_auc(members, others, synthetic) == pytest.approx(expected)


def test_membership_of_tied_rows_counts_by_half():
    members, others = [[0.0], [1.0], [2.0]], [[1.0], [2.0]]
    # Distances to 0: (0, 1, 2) against (1, 2). Of six pairs three are won, two tied.
    assert membership_inference_auc(members, others, [[0.0], [0.0]]) == pytest.approx(4 / 6)


def test_membership_sees_copies_and_no_collapse():
    members, others = rows(0), rows(1)
    assert membership_inference_auc(members, others, members) == 1.0
    assert membership_inference_auc(1e4 + members, 1e4 + others, 1e4 + members) == 1.0
    assert membership_inference_auc(others, members, members) == 0.0
    assert membership_inference_auc(members, others, rows(2)) == pytest.approx(0.5, abs=0.08)
    assert membership_inference_auc(members, others, np.zeros((50, 4))) == pytest.approx(0.5, abs=0.08)


def test_interval_covers_as_often_as_it_says():
    """Members and others alike: the area is 0.5 in truth."""
    held = []
    for seed in range(40):
        sets = rows(seed, 60, 2), rows(seed + 200, 60, 2), rows(seed + 400, 60, 2)
        area, (low, high) = membership_inference_auc(*sets, return_interval=True, n_bootstraps=100, confidence=0.8)
        assert low < area < high
        held.append(low <= 0.5 <= high)
    assert 0.65 < np.mean(held) < 0.95


def test_interval_is_seeded_and_widens_with_confidence():
    sets = rows(0, 50), rows(1, 50), rows(2, 50)
    area, (low, high) = membership_inference_auc(*sets, return_interval=True)
    assert (area, (low, high)) == membership_inference_auc(*sets, return_interval=True)
    assert (low, high) != membership_inference_auc(*sets, return_interval=True, random_state=1)[1]
    inner = membership_inference_auc(*sets, return_interval=True, confidence=0.5)[1]
    assert low < inner[0] < inner[1] < high


def test_privacy_of_many_columns_far_from_the_origin():
    """There a search by matrix products errs: by its neighbours, and by distances of copies above 0."""
    train, reference, near = rows(0, 60, 64), rows(1, 60, 64), rows(0, 60, 64) + 0.1 * rows(2, 60, 64)
    far = [1e8 + s for s in (train, near, reference)]
    assert not nearest_distances(rows(3, 400, 301), rows(3, 400, 301)).any()
    assert memorisation_ratio(far[0], far[0], far[2]) == (0.0, 1.0)
    assert memorisation_ratio(*far) == pytest.approx(memorisation_ratio(train, near, reference))
    assert membership_inference_auc(far[0], far[2], far[1]) == 1.0


# -- what all metrics of rows share -------------------------------------------

OF_ROWS = {
    "frechet": (frechet_distance, 2),
    "kernel": (kernel_distance, 2),
    "manifolds": (precision_recall_density_coverage, 2),
    "memorisation without reference": (memorisation_ratio, 2),
    "memorisation": (memorisation_ratio, 3),
    "membership": (membership_inference_auc, 3),
}
of_rows = pytest.mark.parametrize(("metric", "n_sets"), OF_ROWS.values(), ids=OF_ROWS)


def some(n_sets, n=30):
    return [rows(seed, n, 64) for seed in range(n_sets)]


@of_rows
def test_images_frames_and_lists_are_rows(metric, n_sets):
    sets = some(n_sets)
    expected = metric(*sets)
    for form in (lambda s: s.reshape(30, 8, 8), lambda s: s.reshape(30, 8, 4, 2), pd.DataFrame, np.ndarray.tolist):
        assert metric(*map(form, sets)) == pytest.approx(expected)
    whole = [np.round(10 * s).astype(np.int16) for s in sets]
    assert metric(*whole) == pytest.approx(metric(*(s.astype(float) for s in whole)))


@of_rows
def test_features_are_a_function_or_a_transformer(metric, n_sets):
    sets = some(n_sets)
    pca = PCA(3, random_state=0).fit(sets[0])
    expected = metric(*map(pca.transform, sets))
    assert metric(*sets, features=pca) == pytest.approx(expected)
    stacks = [s.reshape(30, 8, 8) for s in sets]
    assert metric(*stacks, features=lambda s: pca.transform(s.reshape(30, -1))) == pytest.approx(expected)
    frames = [pd.DataFrame(s).add_prefix("pixel") for s in sets]
    named = PCA(3, random_state=0).fit(frames[0])  # warns where names are lost
    assert metric(*frames, features=named) == pytest.approx(expected)


@of_rows
def test_rows_are_left_as_they_were(metric, n_sets):
    sets = some(n_sets)
    metric(*sets)
    for left, before in zip(sets, some(n_sets), strict=True):
        np.testing.assert_array_equal(left, before)


BAD_ROWS = {
    "NaN": (np.full((30, 64), np.nan), ValueError, "must be finite; got NaN or infinity"),
    "infinity": (np.full((30, 64), np.inf), ValueError, "must be finite; got NaN or infinity"),
    "one axis": (np.ones(64), ValueError, r"one row a sample.*got shape \(64,\)"),
    "a number": (3.0, ValueError, r"one row a sample.*got shape \(\)"),
    "empty": (np.ones((0, 64)), ValueError, r"at least \d row.*got shape \(0, 64\)"),
    "one row": (np.ones((1, 64)), ValueError, r"at least \d row.*got shape \(1, 64\)"),
    "no columns": (np.ones((30, 0)), ValueError, r"at least one value; got shape \(30, 0\)"),
    "another width": (np.ones((30, 63)), ValueError, "equally many values.* has 63.*Resize"),
    "ragged": ([[1.0, 2.0], [3.0]], ValueError, "all rows equally large"),
    "words": ([["a", "b"]] * 30, ValueError, "real numbers; got dtype <U1"),
    "objects": (np.full((30, 64), object()), ValueError, "array of numbers"),
    "complex": (np.ones((30, 64), complex), ValueError, "real numbers; got dtype complex128"),
    "sparse": (csr_matrix(np.ones((30, 64))), TypeError, r"dense array; got a sparse csr_matrix. Pass X_\w+.toarray"),
}


@of_rows
@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("case", BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_rows(metric, n_sets, place, case):
    sets = some(n_sets)
    sets[place], error, message = case
    with pytest.raises(error, match=message):
        metric(*sets)


BAD_FEATURES = {
    "no function": ("inception", TypeError, "function of rows or a fitted transformer; got 'inception'"),
    "three axes": (lambda s: s.reshape(30, 8, 8), ValueError, r"shape \(30, n_features\); got shape \(30, 8, 8\)"),
    "rows lost": (lambda s: s[:-1], ValueError, r"shape \(30, n_features\); got shape \(29, 64\)"),
    "NaN": (lambda s: s * np.nan, ValueError, "features of X_.* must be finite"),
    "other widths": (lambda s: s[:, : 1 + int(abs(s[0, 0]) * 9)], ValueError, "equally many values"),
}


@of_rows
@pytest.mark.parametrize("case", BAD_FEATURES.values(), ids=BAD_FEATURES)
def test_bad_features(metric, n_sets, case):
    features, error, message = case
    with pytest.raises(error, match=message):
        metric(*some(n_sets), features=features)


BAD_OPTIONS = {
    "rows for neighbours": (
        precision_recall_density_coverage,
        {"n_neighbors": 30},
        r"X_real must hold at least 31 row",
    ),
    "no neighbour": (precision_recall_density_coverage, {"n_neighbors": 0}, "n_neighbors must be a whole .* got 0"),
    "half a neighbour": (precision_recall_density_coverage, {"n_neighbors": 2.5}, "whole number.* got 2.5"),
    "no subset": (kernel_distance, {"n_subsets": 0}, "n_subsets must be a whole number, at least 1"),
    "spread of one": (kernel_distance, {"n_subsets": 1, "return_std": True}, "n_subsets .* at least 2"),
    "subset of one": (kernel_distance, {"subset_size": 1}, "subset_size must be a whole number, at least 2"),
    "large subset": (kernel_distance, {"subset_size": 31}, "at most the 30 rows of the smaller set; got 31"),
    "kernel of a pair": (kernel_distance, {"kernel": lambda A, B: A[0] @ B[0]}, r"kernel must .* got \(\)"),
    "sure": (membership_inference_auc, {"confidence": 1.0}, "between 0 and 1; got 1.0"),
    "no bootstrap": (membership_inference_auc, {"n_bootstraps": 0}, "n_bootstraps must be a whole number"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_bad_options(case):
    metric, options, message = case
    with pytest.raises(ValueError, match=message):
        metric(*some(3 if metric is membership_inference_auc else 2), **options)
