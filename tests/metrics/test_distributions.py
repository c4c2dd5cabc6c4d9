"""Frechet and kernel distance against their formulas."""

import numpy as np
import pytest
from rows import one_mode, rows
from scipy.linalg import sqrtm
from scipy.stats import ortho_group
from sklearn.metrics.pairwise import rbf_kernel

from sklearn_medgan.metrics import frechet_distance, kernel_distance


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
