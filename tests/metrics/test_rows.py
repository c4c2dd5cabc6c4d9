"""What all metrics of rows share: forms of rows, features, and what is said of the rest."""

import numpy as np
import pandas as pd
import pytest
from rows import rows
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA

from sklearn_medgan.metrics import (
    frechet_distance,
    kernel_distance,
    membership_inference_auc,
    memorisation_ratio,
    precision_recall_density_coverage,
)

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
    "no subset": (kernel_distance, {"n_subsets": 0}, "n_subsets must be a whole number from 1 up"),
    "spread of one": (kernel_distance, {"n_subsets": 1, "return_std": True}, "n_subsets .* from 2 up"),
    "subset of one": (kernel_distance, {"subset_size": 1}, "subset_size must be a whole number from 2 up"),
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
