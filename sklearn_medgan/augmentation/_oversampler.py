"""The augmenter as a sampler of imbalanced-learn, which is an extra: importing this module needs it."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

try:
    from imblearn.over_sampling.base import BaseOverSampler
    from imblearn.utils import check_target_type
except ImportError as error:
    raise ImportError(
        'GANOverSampler needs imbalanced-learn. Install it with: pip install "sklearn-medgan[imblearn]"'
    ) from error

from .._allocation import synthetic_counts
from .._sklearn_compat import _LinkToDocs
from .._validation import as_array_if_list, check_same_length, n_dimensions
from ._augmenter import GANAugmenter

# Of the augmenter's parameters, those that only matter to `transform` or to a second `fit`.
_NOT_OF_A_SAMPLER = {"representation", "n_patches", "score_weight", "pretrained", "warm_start", "checkpoint_dir"}
_NOT_OF_A_SAMPLER |= {"backbone", "cache_size_mb"}


class GANOverSampler(_LinkToDocs, BaseOverSampler):
    """Over-sample the small classes with rows that a GAN learned to draw, in imbalanced-learn's terms.

    A `GANAugmenter` without ``transform``, for `imblearn.pipeline.Pipeline` and everything else that takes a
    sampler. It is fitted anew on the rows given to each ``fit_resample``.

    Parameters
    ----------
    image_shape : tuple of int, default=None
        ``(height, width)`` or ``(height, width, channels)`` of flat images; None: a table, or an image stack.
    gan_size : "auto" or int, default="auto"
        Longest side of the images that the GAN works on, as in `GANAugmenter`.
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn: the classes to lift, or the count that each should reach.
    ratio : float, default=1.0
        Factor on the count that each class that `sampling_strategy` names, "auto" all, should reach; 1.0 balances only.
    resampling : {"auto", "classical", "mixed", "near", "sample"}, default="auto"
        How rows are made, as in `GANAugmenter`; but "auto" is "mixed" for images: whoever takes this class wants the
        GAN's rows, which on plain pixels teach no less than classical ones.
    architecture, loss, latent_dim, width, augment
        The networks and their objective, as in `GANAugmenter`.
    batch_size, max_iter, max_time, learning_rate, penalty_weight, adversarial_weight, class_head_weight, class_steps
        Their training, as in `GANAugmenter`.
    callbacks : list of keras.callbacks.Callback, default=None
        As in `GANAugmenter`.
    random_state : int, RandomState instance or None, default=None
        Decides training and the rows drawn.
    verbose : int, default=0
        As in `GANAugmenter`.

    Attributes
    ----------
    augmenter_ : GANAugmenter
        The model that drew the rows.
    sampling_strategy_ : OrderedDict of label to int
        Rows that each class was to get.
    n_features_in_ : int
        Features of a row; height x width x channels of an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if ``X`` has names that are all strings.

    See Also
    --------
    GANAugmenter : The transformer behind it, which `sklearn_medgan.Pipeline` takes.

    Notes
    -----
    Sparse input is made dense for training, and comes back sparse.

    Examples
    --------
    >>> from collections import Counter
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_medgan import GANOverSampler
    >>> X, y = make_classification(60, weights=[0.8], flip_y=0, random_state=0)
    >>> X_res, y_res = GANOverSampler(max_iter=2, random_state=0).fit_resample(X, y)
    >>> sorted(Counter(y_res.tolist()).items())
    [(0, 49), (1, 49)]
    """

    _parameter_constraints: ClassVar[dict] = {
        **{k: v for k, v in GANAugmenter._parameter_constraints.items() if k not in _NOT_OF_A_SAMPLER},
        "sampling_strategy": BaseOverSampler._parameter_constraints["sampling_strategy"],
    }

    sampling_strategy_: OrderedDict

    def __init__(
        self,
        *,
        image_shape: tuple[int, ...] | None = None,
        gan_size: int | str = "auto",
        sampling_strategy: Any = "auto",
        ratio: float = 1.0,
        resampling: str = "auto",
        architecture: str = "auto",
        loss: str = "relativistic",
        latent_dim: int = 64,
        width: int = 32,
        augment: str | Sequence[str] | None = "auto",
        batch_size: int = 64,
        max_iter: int = 300,
        max_time: float | None = None,
        learning_rate: float | str = "auto",
        penalty_weight: float | tuple[float, float] | str = "auto",
        adversarial_weight: float = 1.0,
        class_head_weight: float = 1.0,
        class_steps: int | str = "auto",
        callbacks: list | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.image_shape = image_shape
        self.gan_size = gan_size
        self.ratio = ratio
        self.resampling = resampling
        self.architecture = architecture
        self.loss = loss
        self.latent_dim = latent_dim
        self.width = width
        self.augment = augment
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.max_time = max_time
        self.learning_rate = learning_rate
        self.penalty_weight = penalty_weight
        self.adversarial_weight = adversarial_weight
        self.class_head_weight = class_head_weight
        self.class_steps = class_steps
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    def _check_X_y(self, X: Any, y: Any) -> tuple[Any, np.ndarray, bool]:
        X = as_array_if_list(X)
        if n_dimensions(X) <= 2:
            return super()._check_X_y(X, y)
        y, binarize_y = check_target_type(y, indicate_one_vs_all=True)
        check_same_length(X, y)
        X = np.asarray(X)
        self.n_features_in_ = math.prod(X.shape[1:])
        self.__dict__.pop("feature_names_in_", None)
        return X, y, binarize_y

    def _fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        counts = synthetic_counts(y, self.sampling_strategy, self.ratio)
        lifted = {label: n for label, n in counts.items() if n or label in self.sampling_strategy_}
        self.sampling_strategy_ = OrderedDict(lifted)
        parameters = self.get_params(deep=False)
        if self.resampling == "auto" and (self.image_shape is not None or n_dimensions(X) > 2):
            parameters["resampling"] = "mixed"
        self.augmenter_ = GANAugmenter(**parameters, n_patches=0, score_weight=0.0, backbone=None)
        if not sparse.issparse(X):
            return self.augmenter_.fit_resample(X, y)
        X_res, y_res = self.augmenter_.fit_resample(X.toarray(), y)
        X_new = type(X)(X_res[X.shape[0] :])
        return sparse.vstack([X, X_new], format=X.format), y_res
