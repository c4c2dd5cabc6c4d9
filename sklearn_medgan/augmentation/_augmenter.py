"""GANAugmenter: a transformer whose columns are a discriminator's features, and that can sample labelled rows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._base import NetworkEstimator
from .._codecs import learn_codec
from .._parameters import check_goes_on
from .._sklearn_compat import _check_feature_names_in, _fit_context
from .._validation import check_more_rows, check_rows, warn_of_rows
from ._canvas import Canvas, warn_of_images
from ._column_rows import ColumnSampler
from ._configuration import CONSTRAINTS, configure, trunk_of
from ._labels import encode_labels
from ._patch_learning import choose_patches
from ._representation import Representation, has_pixels, learn_columns
from ._training import choose_detail, learn_mixture, train_gan, training_data

if TYPE_CHECKING:
    from ..gan.training import Hyper


class GANAugmenter(ColumnSampler, NetworkEstimator):
    """Learn a class-conditional GAN from images or a table: columns for a classifier, and labelled synthetic rows.

    As a transformer it hands a classifier the pixels, which typical patches an image holds, and what the GAN's
    discriminator has learned to see; no row is added, so it works in scikit-learn's own ``Pipeline``. As a sampler it
    makes labelled rows. `sklearn_medgan.Pipeline` and `AugmentedClassifier` do both.

    Parameters
    ----------
    image_shape : tuple (height, width) or (height, width, channels), default=None
        Shape of an image where rows are flat, (n, height x width x channels). Image stacks need none; flat rows without
        it are a table. Sides from 8 pixels, 1 to 4 channels.
    representation : {"auto", "both", "features", "pixels"}, default="auto"
        Columns of `transform`; see Notes for their weights. "features": what the discriminator's maps hold, which
        typical patches an image holds, and what a `backbone` sees; "pixels": the flattened input as it came; "both":
        pixels (at `gan_size`) and features; "auto": "features" beside a `backbone`, where pixels gain nothing, else
        "both".
    backbone : "auto", None, str or keras.Model, default="auto"
        A frozen pretrained network, the means of whose maps are columns of images. "auto": EfficientNet-Lite0, trained
        on ImageNet, installed with this package; a string: a network of `keras.applications`, whose weights Keras
        fetches; a model maps RGB images (n, height, width, 3), float32, 0 to 255, to one map (n, rows, columns,
        channels) or several. Images are brought to its size (224x224 for "auto"); of two channels the third colour is
        the mean, of four the first three are looked at. None: no such columns. Tables have none.
    gan_size : "auto" or int, default="auto"
        Longest side in pixels of the images that the GAN works on; larger ones are averaged down for it, for the
        typical patches and for the pixels in "both", and what `sample` draws is enlarged. "auto": 64.
    cache_size_mb : float or None, default=64
        Megabytes of the network's columns that the process keeps, so that folds which share images do not compute them
        twice; the oldest are dropped, nothing is saved. None: none is kept.
    n_patches : int, default=200
        Typical small patches that `fit` learns from the training images, at 32x32, those of `X_unlabeled` included.
        Which of them an image and its mirror image hold, and where, are columns. 0: no such columns. Tables have none.
    score_weight : float, default=1.0
        After a fit with `y` and `X_unlabeled`, "both" and "features" end with scores, one for each class: a linear
        student learns a teacher's guesses for the rows without a label. Their weight, as those of the kinds.
    pretrained : "auto", "medical", str or None, default="auto"
        What other images taught. "auto": the training of the GAN starts from networks that ship (of grey images; in
        colour all channels begin alike) where sides on the canvas of `gan_size` are 25 to 32 or 49 to 64, at the
        default `architecture`, `latent_dim` and `width`. "medical": patches, too, are those that ship. A result on the
        sources of either (``sklearn_medgan/weights/README.md``) is flattered. Another string: the path of a dictionary
        by ``examples/pretraining/dictionary.py``. With it, and with None, the GAN starts at random.
    sampling_strategy : str, float, dict or callable, default="auto"
        Target count of each class in `fit_resample`, as in imbalanced-learn ("auto", "minority", "not minority",
        "not majority", "all", ...); "auto" is the count of the largest class.
    ratio : float, default=2.0
        Classes named by `sampling_strategy`, of "auto" all, rise to ``round(ratio * target)`` rows; 1.0 balances only.
    resampling : {"auto", "classical", "mixed", "near", "sample"}, default="auto"
        How `fit_resample`, `resample` and `AugmentedClassifier` make rows; see Notes. "classical": real rows in turn,
        moved, without the GAN; "near": changed by it, too; "sample": as `sample` does; "mixed": every second one
        "near", the others samples, moved. "auto": "classical" for images (in pipelines half), "sample" for tables.
    architecture : {"auto", "conv", "dense", "dcgan"}, default="auto"
        "auto": strided convolutions for images, dense layers for tables, whose rows a mixture of Gaussians draws (see
        Notes); "dense": the GAN draws them. "dcgan": the classic network, and with ``loss="minimax"`` its training.
    loss : str, default="relativistic"
        Adversarial objective: "relativistic", "minimax", "non-saturating", "hinge", "least-squares" or "wasserstein".
    latent_dim : int, default=64
        Length of the noise vector.
    width : int, default=32
        Channels of the third-coarsest map (others follow), or a quarter of the units of a dense layer.
    augment : "auto", None, or list of {"shift", "flip", "contrast", "cutout"}, default="auto"
        Differentiable augmentation in training. "auto": "shift" and "contrast" for the class head and, where the GAN
        starts at random, for both players; a list is for all of them (add "flip" where anatomy has no sides). If both
        players see moved images, `sample` draws such; if not, training rows are memorised sooner. Tables take none.
    batch_size : int, default=64
        Real rows a step (and as many synthetic ones). Drawn with replacement, each class equally often.
    max_iter : int, default=300
        Updates of the generator.
    max_time : float, default=None
        Seconds after which training stops, if `max_iter` has not been reached.
    learning_rate : float or "auto", default="auto"
        Step size of Adam for both networks. "auto": 1e-3, half of it for "minimax" and 0.3 of it for "least-squares",
        which collapse otherwise; 2e-4 for "dcgan".
    penalty_weight : float, pair of float, or "auto", default="auto"
        Weight of the R1 and R2 gradient penalties (a pair: one each), stated for 32x32 grey images and scaled with the
        number of values. "auto": 0.02 for "conv", 0.1 for "dense" (not scaled) and for images from a start that ships;
        50 times 0.02 for "wasserstein", whose loss nothing else bounds, 5 times for "least-squares"; 0 for "dcgan".
    adversarial_weight : float, default=1.0
        Weight of the adversarial part of the discriminator's loss. 0 trains the class head alone: the generator learns
        nothing and cannot be sampled from.
    class_head_weight : float, default=1.0
        Weight of the cross-entropy of the discriminator's class head on real labelled rows.
    class_steps : int or "auto", default="auto"
        Further updates of the discriminator by its class head alone after each update of both networks, on half of
        `batch_size` rows; each costs about a seventh of it. "auto": 4 for "conv", else 0. Without `y` there are none.
    warm_start : bool, default=False
        Whether `fit` goes on from the earlier fit, with `max_iter` more steps; scale, classes, typical patches stay.
    checkpoint_dir : path-like, default=None
        Folder of a file from which the same `fit`, begun again after a kill, goes on to equal bits; see `GANEnhancer`.
    callbacks : list of keras.callbacks.Callback, default=None
        Told of each entry of `history_` as of an epoch; ``self.model.generator`` and ``.discriminator`` are current.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, batches, noise and samples. No global seed is read or set.
    verbose : int, default=0
        1 shows a progress bar with step, losses and time left, by `max_iter` or `max_time`, whichever will end first.

    Attributes
    ----------
    generator_, discriminator_ : keras.Model
        The trained networks with averaged weights. The generator maps [noise (n, latent_dim), one-hot labels] to
        encoded rows; the discriminator maps [encoded rows, one-hot labels] to logit, class logits and feature blocks.
    classes_ : ndarray of shape (n_classes,)
        Labels seen at `fit`; absent after an unlabelled fit.
    n_features_in_, feature_names_in_ : int, ndarray of str
        Height x width x channels, or the number of columns; their names, of a DataFrame with string names.
    image_shape_ : tuple (height, width, channels) or None
        Shape of an image; None for a table.
    history_ : dict of list
        Means over every 10 steps: `step`, `generator_loss`, `discriminator_loss`, `penalty` (weighted), `class_loss`,
        `logit_gap` (mean logit of real less fake rows: oscillation shows here), `sample_spread` (standard deviation of
        samples relative to the data's: near 0 is collapse), `learning_rate` (a tenth, once training had diverged).
    n_iter_ : int
        Updates of the generator so far.

    Notes
    -----
    Research use; not a medical device. Compiled steps stay in the process (the 32 used last).

    *Columns* are standardised on the training rows, of few roughly. Maps are averaged down to the coarsest one's size,
    by the root of their values; a table has dense layers instead. Each kind, and each block of a kind, has the same
    weight in a distance; beside a `backbone`, of weight 1, pixels have 0.3, maps and patches 0.6, and a last column is
    constant: an SVC widens its kernel by it. A typical patch is the mean of 10 or more patches of 5 or more images.

    *Memory.* Rows of a memory map, HDF5 data set or zarr array stay in their file. Training keeps rows as float32 at
    `gan_size` up to 2**25 values (134 MB); of more, it reads those of the next 10 steps, 40 bytes x (1 + `class_steps`
    / 2) x `batch_size` x values of a row. Columns are learned from at most 5,000 rows with and 5,000 without a label.

    *Rows from real ones* are moved by `augment` ("classical" with None: "shift" and "contrast") at half its strength,
    with "contrast" also by a tone curve (an exponent between 0.7 and 1.4; Isensee et al. 2021, doi
    10.1038/s41592-020-01008-z); "near" adds half of what two samples differ by. They are for your own classifier only.

    *Rows of a table* are of a mixture of Gaussians in normal scores, one covariance for all classes: it teaches more
    than the GAN (``architecture="dense"``). A row that a logistic regression gives to another class is drawn again. By
    ``resampling="auto"`` every second image that `Pipeline` and `AugmentedClassifier` add gives way to a row that such
    a mixture, on 100 principal axes, draws among the columns (`training_columns`).

    References
    ----------
    Huang et al. 2024, "The GAN is dead; long live the GAN!", arXiv 2501.05441, eq. 2 and 3 (objective, penalties).
    Radford et al. 2016, arXiv 1511.06434, section 5 (a discriminator's features in front of a linear SVM).
    Coates, Ng and Lee 2011, "An analysis of single-layer networks in unsupervised feature learning" (`n_patches`).
    Hinton et al. 2015, arXiv 1503.02531, section 2 (`score_weight`). Azadi et al. 2019, arXiv 1810.06758 (drawn again).
    Zhao et al. 2020, arXiv 2006.10738, eq. 4 and 5 (augmentation of both real and synthetic rows).
    Miyato and Koyama 2018, arXiv 1802.05637, eq. 3 (projection). Odena et al. 2017, arXiv 1610.09585 (class head).

    Examples
    --------
    >>> from sklearn.pipeline import Pipeline
    >>> from sklearn.svm import SVC
    >>> from sklearn_medgan import GANAugmenter
    >>> from sklearn_medgan.datasets import make_nodules
    >>> X, y = make_nodules(60, image_size=16, random_state=0, return_X_y=True)
    >>> pipe = Pipeline([("aug", GANAugmenter(max_iter=5, random_state=0)), ("clf", SVC())])
    >>> pipe.fit(X, y).predict(X[:4]).shape
    (4,)
    >>> X_new, y_new = pipe["aug"].sample(3, y=1)
    >>> X_new.shape, X_new.dtype == X.dtype, y_new
    ((3, 16, 16), True, array([1, 1, 1]))
    """

    _parameter_constraints: ClassVar[dict] = CONSTRAINTS

    def __init__(
        self,
        *,
        image_shape: tuple[int, ...] | None = None,
        representation: str = "auto",
        backbone: Any = "auto",
        gan_size: int | str = "auto",
        cache_size_mb: float | None = 64,
        n_patches: int = 200,
        score_weight: float = 1.0,
        pretrained: str | None = "auto",
        sampling_strategy: Any = "auto",
        ratio: float = 2.0,
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
        warm_start: bool = False,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        callbacks: list | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.image_shape = image_shape
        self.representation = representation
        self.backbone = backbone
        self.gan_size = gan_size
        self.cache_size_mb = cache_size_mb
        self.n_patches = n_patches
        self.score_weight = score_weight
        self.pretrained = pretrained
        self.sampling_strategy = sampling_strategy
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
        self.warm_start = warm_start
        self.checkpoint_dir = checkpoint_dir
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, *, X_unlabeled: ArrayLike | None = None) -> GANAugmenter:
        """Train the GAN on these rows.

        Parameters
        ----------
        X : array-like of shape (n, height, width), (n, height, width, channels) or (n, n_features)
            Training rows, any real dtype and range; images may be in a file: anything with `shape`, `dtype` and slices.
        y : array-like of shape (n,), default=None
            Class labels. Without them the GAN is unconditional.
        X_unlabeled : array-like like X, default=None
            Further rows without a label to learn from. With `y`, they also give class scores (see `score_weight`).

        Returns
        -------
        self : GANAugmenter

        Raises
        ------
        ValueError, TypeError
            For rows, labels or parameters that cannot be used; an earlier fit is then still intact.
        """
        with self._all_or_nothing():
            goes_on = self.warm_start and self.__sklearn_is_fitted__()
            rows, form = check_rows(self, X, image_shape=self.image_shape, reset=not goes_on)
            self._form, self.image_shape_ = form, form.image_shape
            known = getattr(self, "classes_", None) if goes_on else None
            classes, labels = encode_labels(X, y, len(rows), type(self).__name__, goes_on, known)
            parts = [rows] if X_unlabeled is None else [rows, check_more_rows(self, X_unlabeled, "X_unlabeled")]
            is_table = form.kind == "table"
            canvas = Canvas.of(self._canvas.codec if goes_on else learn_codec(parts, form), self.gan_size, is_table)
            hyper = self._configure(canvas.shape, labels.shape[1], classes is not None, goes_on)
            self._trunk = trunk_of(self, canvas, rows)
            warn_of_images(form.image_shape, parts)
            warn_of_rows(rows, type(self).__name__, form.kind)
            self._canvas, encoded = canvas, canvas.draw(parts)
            self._dictionary = choose_patches(self, encoded, goes_on)
            self._detail = choose_detail(self, parts, goes_on)
            self.__dict__.pop("classes_", None)
            if classes is not None:
                self.classes_, self._priors = classes, labels[:, : len(classes)].mean(0, dtype=np.float64)
            data = training_data(encoded, labels)
            del encoded  # a copy of it is in `data`
            train_gan(self, data, hyper, goes_on)
            del data
            labels = labels[:, : len(getattr(self, "classes_", ()))]
            self._mixture = learn_mixture(self, parts, labels)
            learned = learn_columns(self, parts, labels)
            self._moments, self._class_scores = learned.moments, learned.scores
        return self

    def _configure(self, shape: tuple[int, ...], n_label_columns: int, labelled: bool, goes_on: bool) -> Hyper:
        """Keep the compile-cache key of this fit, and return its numbers."""
        config, hyper = configure(self, self._form.kind == "table", shape, n_label_columns, labelled)
        if goes_on:
            check_goes_on(vars(self._config), vars(config))
        self._config = config
        return hyper

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return columns for a classifier, one row per input row.

        Parameters
        ----------
        X : array-like
            Rows of the shape and units seen at `fit`, any numeric dtype.

        Returns
        -------
        X_out : ndarray of shape (n, n_features_out), float32
            See `representation`; "pixels" keep a dtype that float32 does not hold, so that large numbers stay apart. A
            row's result does not depend on the rows beside it.

        Raises
        ------
        ValueError, TypeError
            For rows that differ from those of `fit`.
        """
        check_is_fitted(self)
        rows = self._checked(X)
        self._warn_of_units(rows)
        if self.representation == "pixels":
            exact = np.result_type(rows.dtype, np.float32) == np.float32
            return np.asarray(rows).reshape(len(rows), -1).astype(np.float32 if exact else rows.dtype)
        return Representation.of(self).transform(rows, self._canvas, has_pixels(self))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the columns of `transform`.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input columns; default those seen at `fit`, or ``x0``, ``x1``, ...

        Returns
        -------
        names : ndarray of shape (n_features_out,), object
            Input columns keep their names; features are ``ganaugmenter_layer0_0``, ..., ``ganaugmenter_layer1_0``, ...,
            those of the typical patches ``ganaugmenter_patches0_0``, ..., and class scores
            ``ganaugmenter_score_0``, ...
        """
        check_is_fitted(self)
        pixels = _check_feature_names_in(self, input_features)
        if self.representation == "pixels":
            return pixels
        names = Representation.of(self).names("ganaugmenter", has_pixels(self))
        return np.asarray([*pixels, *names] if has_pixels(self) and self._canvas.is_whole else names, dtype=object)

    def _program(self) -> Any:
        from ..gan.training import compiled_program

        return compiled_program(self._config)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_moments")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
