"""How far the distribution of synthetic rows is from that of real rows.

By hand: the packages that compute FID and KID bring PyTorch and one Inception network, and no other features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from .._parameters import check_whole
from ._rows import feature_rows

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]
SUBSET_ROWS = 1000  # at most, as in Binkowski et al. 2018


def frechet_distance(X_real: ArrayLike, X_synthetic: ArrayLike, *, features: Any = None) -> float:
    """Return the Frechet distance of real and synthetic rows, each taken as a Gaussian. Lower is better.

    On features of an Inception network this is the FID.

    Parameters
    ----------
    X_real, X_synthetic : array-like of shape (n, n_features) or (n, height, width[, channels]), any real dtype
        Rows, two or more of each; their numbers may differ. Images are flattened.
    features : callable or fitted transformer, default=None
        Maps rows, in the form in which they were passed, to an array (n, d); an object with `transform` is asked for
        that. None: the flattened values.

    Returns
    -------
    distance : float
        From 0, in squared units of the features.

    Raises
    ------
    ValueError
        If rows are too few, not finite, no numbers, or of different sizes.

    See Also
    --------
    kernel_distance : Without the bias that few rows cause here, and without assuming Gaussians.

    Notes
    -----
    Few rows make the distance larger: two samples of one distribution are not at 0. Compare figures only at equal
    numbers of rows, and read them beside the distance of two halves of the real rows.

    With centred rows ``A`` and ``B`` divided by ``sqrt(n - 1)``, the trace of the root of the product of the
    covariances ``A'A`` and ``B'B`` is the sum of the singular values of ``A B'``. It is computed so (after a QR
    factorisation where there are more rows than features): no root of a near-singular matrix, also with fewer rows than
    features.

    References
    ----------
    Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter, "GANs trained by a two time-scale update rule converge to a
    local Nash equilibrium", NeurIPS 2017 (arXiv 1706.08500), equation 6. Dowson and Landau, "The Frechet distance
    between multivariate normal distributions", Journal of Multivariate Analysis 12 (1982).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medgan.metrics import frechet_distance
    >>> X = np.random.default_rng(0).normal(size=(500, 3))
    >>> round(frechet_distance(X, X + 2.0), 6)  # the covariances agree: three times 2 squared
    12.0
    """
    real, synthetic = feature_rows({"X_real": X_real, "X_synthetic": X_synthetic}, features)
    shift = real.mean(axis=0) - synthetic.mean(axis=0)
    first, second = _root_covariance(real), _root_covariance(synthetic)
    overlap = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    return max(0.0, float(shift @ shift + np.sum(first**2) + np.sum(second**2) - 2.0 * overlap))


def _root_covariance(rows: np.ndarray) -> np.ndarray:
    """A matrix R of at most d rows with R'R the covariance of the rows."""
    centred = (rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r")) if len(centred) > centred.shape[1] else centred


def cubic_kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return ``(x'y / d + 1)**3`` of all pairs of rows, (n_first, n_second)."""
    return (first @ second.T / first.shape[1] + 1.0) ** 3


def kernel_distance(
    X_real: ArrayLike,
    X_synthetic: ArrayLike,
    *,
    features: Any = None,
    kernel: Kernel | None = None,
    n_subsets: int = 100,
    subset_size: int | None = None,
    return_std: bool = False,
    random_state: int | np.random.RandomState | None = 0,
) -> float | tuple[float, float]:
    """Return the squared maximum mean discrepancy of real and synthetic rows, without bias. Lower is better.

    On features of an Inception network and with the default kernel this is the KID.

    Parameters
    ----------
    X_real, X_synthetic : array-like of shape (n, n_features) or (n, height, width[, channels]), any real dtype
        Rows, two or more of each; their numbers may differ. Images are flattened.
    features : callable or fitted transformer, default=None
        Maps rows, in the form in which they were passed, to an array (n, d); an object with `transform` is asked for
        that. None: the flattened values.
    kernel : callable, default=None
        ``kernel(A, B)`` returns the matrix (n_A, n_B) of a positive definite kernel, such as
        :func:`sklearn.metrics.pairwise.rbf_kernel`. None: the cubic polynomial ``(x'y / d + 1)**3``.
    n_subsets : int, default=100
        The estimate is the mean over so many random subsets, each drawn without replacement.
    subset_size : int, default=None
        Real and synthetic rows of a subset. None: half of the rows of the smaller set, at most 1000.
    return_std : bool, default=False
        Whether to return the standard deviation between subsets too.
    random_state : int, RandomState instance or None, default=0
        Which rows make up the subsets.

    Returns
    -------
    distance : float
        About 0 for rows of one distribution, and then often slightly negative: the estimate has no bias.
    std : float
        Only with `return_std`: standard deviation of the subsets' estimates. Subsets share rows, so it is a guide to
        the spread at `subset_size` rows, no standard error of the mean.

    Raises
    ------
    ValueError
        If rows are too few for the subsets, not finite, no numbers or of different sizes, or the kernel's matrix has a
        wrong shape.

    See Also
    --------
    frechet_distance : In squared units of the features, but larger for fewer rows.

    Notes
    -----
    The polynomial kernel depends on the scale of the features: standardise them (``StandardScaler().fit(X_real)`` as
    `features`), or pixels in 0 to 255 give figures in the billions.

    References
    ----------
    Binkowski, Sutherland, Arbel and Gretton, "Demystifying MMD GANs", ICLR 2018 (arXiv 1801.01401), the kernel
    inception distance. Gretton, Borgwardt, Rasch, Scholkopf and Smola, "A kernel two-sample test", Journal of Machine
    Learning Research 13 (2012), equation 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medgan.metrics import kernel_distance
    >>> rng = np.random.default_rng(0)
    >>> real, alike, shifted = rng.normal(size=(400, 3)), rng.normal(size=(400, 3)), rng.normal(1.0, size=(400, 3))
    >>> abs(kernel_distance(real, alike)) < 0.05 < kernel_distance(real, shifted)
    True
    """
    real, synthetic = feature_rows({"X_real": X_real, "X_synthetic": X_synthetic}, features)
    n_subsets = check_whole("n_subsets", n_subsets, 2 if return_std else 1)
    size = _check_subset_size(subset_size, min(len(real), len(synthetic)))
    function = cubic_kernel if kernel is None else kernel
    rng = check_random_state(random_state)
    values = [_mmd2(_draw(real, size, rng), _draw(synthetic, size, rng), function) for _ in range(n_subsets)]
    mean = float(np.mean(values))
    return (mean, float(np.std(values, ddof=1))) if return_std else mean


def _draw(rows: np.ndarray, size: int, rng: np.random.RandomState) -> np.ndarray:
    return rows[rng.choice(len(rows), size, replace=False)]


def _check_subset_size(subset_size: int | None, n_rows: int) -> int:
    if subset_size is None:
        return min(SUBSET_ROWS, max(2, n_rows // 2))
    size = check_whole("subset_size", subset_size, 2)
    if size > n_rows:
        raise ValueError(f"subset_size must be at most the {n_rows} rows of the smaller set; got {size}. Lower it.")
    return size


def _mmd2(first: np.ndarray, second: np.ndarray, kernel: Kernel) -> float:
    """The unbiased estimate for equally many rows of each."""
    n = len(first)
    within = _gram(first, first, kernel), _gram(second, second, kernel)
    same = sum((gram.sum() - np.trace(gram)) / (n * (n - 1)) for gram in within)
    return same - 2.0 * _gram(first, second, kernel).mean()


def _gram(first: np.ndarray, second: np.ndarray, kernel: Kernel) -> np.ndarray:
    gram = np.asarray(kernel(first, second))
    if gram.shape != (len(first), len(second)):
        raise ValueError(
            f"kernel must return a matrix of shape {(len(first), len(second))} for as many rows; got {gram.shape}. "
            "Pass a function of two arrays, such as sklearn.metrics.pairwise.rbf_kernel."
        )
    return gram
