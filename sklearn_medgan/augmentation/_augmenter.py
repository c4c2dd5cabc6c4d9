"""GANAugmenter: a transformer whose columns are a discriminator's features, and that can sample labelled rows."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from .._allocation import synthetic_counts
from .._base import NetworkEstimator, warn_caller
from .._codecs import learn_codec, warn_of_range
from .._containers import as_rows, join_labels, join_rows
from .._sklearn_compat import Interval, StrOptions, _check_feature_names_in, _check_y, _fit_context, _safe_indexing
from .._validation import check_rows, check_same_length
from ._class_scores import ClassScores
from ._patch_learning import learn_patches
from ._patches import PatchDictionary, load_dictionary

LOSSES = {"relativistic", "minimax", "non-saturating", "hinge", "least-squares", "wasserstein"}
AUGMENTATIONS = ("shift", "flip", "contrast", "cutout")
FAMILIES = {"image": {"auto": "conv", "conv": "conv", "dcgan": "dcgan"}, "table": {"auto": "dense", "dense": "dense"}}
# What "auto" stands for. The classic DCGAN trains as its article did: no penalty, no augmentation, beta_1 of 0.5.
AUTO = {
    "conv": {
        "learning_rate": 1e-3,
        "penalty_weight": 0.02,
        "augment": ("shift", "contrast"),
        "beta_1": 0.0,
        "class_steps": 4,
    },
    "dense": {"learning_rate": 1e-3, "penalty_weight": 0.1, "augment": (), "beta_1": 0.0, "class_steps": 0},
    "dcgan": {"learning_rate": 2e-4, "penalty_weight": 0.0, "augment": (), "beta_1": 0.5, "class_steps": 0},
}
# Objectives that want other values than AUTO's: (factor on the learning rate, factor on the penalty weight). Minimax
# and least-squares collapse at the full rate; the Wasserstein loss has no other bound than its penalty.
OBJECTIVE_FACTORS = {"minimax": (0.5, 1.0), "least-squares": (0.3, 5.0), "wasserstein": (1.0, 50.0)}
REFERENCE_VALUES = 32 * 32  # penalty_weight is stated for images of this many values
EMA_DECAY = 0.99
JUDGED_FROM = 100  # steps: before that, being at chance says nothing
CHANCE_MARGIN = 0.02
NEARNESS = 0.5  # share of the difference between two samples that a real row is changed by (docs/research_log.md)
INHERITED = 0.5  # strength of `augment` on rows for a classifier, of that in training
SMALLEST_SPREAD, LARGEST_SPREAD = 0.1, 10.0  # of the data's: below, samples have collapsed; above, they run away


class GANAugmenter(NetworkEstimator):
    """Learn a class-conditional GAN from images or a table: columns for a classifier, and labelled synthetic rows.

    As a transformer it hands the classifier the pixels and what the GAN's discriminator has learned to see; no row is
    added, so it works in scikit-learn's own ``Pipeline``. As a sampler (`sample`, `fit_resample`) it makes new labelled
    rows. `sklearn_medgan.Pipeline` and `AugmentedClassifier` do both.

    Parameters
    ----------
    image_shape : tuple (height, width) or (height, width, channels), default=None
        Shape of an image where rows are flat, (n, height x width x channels). Image stacks need none; flat rows without
        it are a table. Sides from 8 pixels, 1 to 4 channels.
    representation : {"both", "features", "pixels"}, default="both"
        Columns of `transform`. "features": every map of the discriminator, averaged down to the coarsest one's size,
        by the root of its values (its dense layers, for a table), then which patches an image holds; "pixels": the
        flattened input as it came; "both": pixels and features. Columns are standardised on the training rows, and
        scaled so that pixels, maps and patches have the same weight in a distance; so have the blocks among the maps
        and among the patches.
    n_patches : int, default=200
        Typical small patches that `fit` learns from the training images, those of `X_unlabeled` included (fewer where
        these are few). Which of them an image and its mirror image hold, and where, are further blocks of columns;
        tables have none. Images are averaged to 32x32 and standardised one by one, each channel by itself. 0: no such
        columns.
    score_weight : float, default=1.0
        After a fit with `y` and `X_unlabeled`, "both" and "features" end with a block of scores, one for each class,
        learned from the rows without a label (see Notes). Its weight, where every other group has 1; 0 leaves it out.
    pretrained : "medical", str or None, default=None
        Typical patches of other images in place of those that `fit` learns. "medical": a dictionary that ships
        (``sklearn_medgan/weights/README.md`` lists the images; a result on images of these sources is flattered);
        another string is the path of a file that ``examples/pretraining/dictionary.py`` made.
    sampling_strategy : str, float, dict or callable, default="auto"
        Target count of each class in `fit_resample`, as in imbalanced-learn ("auto", "minority", "not minority",
        "not majority", "all", ...); "auto" is the count of the largest class.
    ratio : float, default=2.0
        Each class is lifted to ``round(ratio * target)`` rows; 1.0 balances only.
    resampling : {"auto", "mixed", "near", "sample"}, default="auto"
        How `fit_resample`, `resample` and `AugmentedClassifier` make rows; see Notes. "near": each from a real row of
        its class; "sample": as `sample` does; "mixed": every second row of a class "near", the others samples that are
        moved as those are. "auto": "mixed" for images, "sample" for tables.
    architecture : {"auto", "conv", "dense", "dcgan"}, default="auto"
        Networks. "auto": strided convolutions for images, dense layers for tables. "dcgan" (images): the classic
        network with batch normalisation; with ``loss="minimax"`` the classic training too.
    loss : str, default="relativistic"
        Adversarial objective: "relativistic", "minimax", "non-saturating", "hinge", "least-squares" or "wasserstein".
    latent_dim : int, default=64
        Length of the noise vector.
    width : int, default=32
        Channels of the third-coarsest map (others follow), or a quarter of the units of a dense layer.
    augment : "auto", None, or list of {"shift", "flip", "contrast", "cutout"}, default="auto"
        Differentiable augmentation of what the discriminator sees. "auto" leaves flips out, because anatomy has sides;
        add "flip" where it has none. Tables take none. What `sample` draws is moved like that, too. With None it is
        not, at a higher risk that training rows are memorised.
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
        number of values. "auto": 0.02 for "conv", 0.1 for "dense" (not scaled), 50 times as much for "wasserstein",
        whose loss nothing else bounds, and 5 times for "least-squares"; 0 for "dcgan".
    adversarial_weight : float, default=1.0
        Weight of the adversarial part of the discriminator's loss. 0 trains the class head alone: the generator learns
        nothing and cannot be sampled from.
    class_head_weight : float, default=1.0
        Weight of the cross-entropy of the discriminator's class head on real labelled rows.
    class_steps : int or "auto", default="auto"
        Further updates of the discriminator by its class head alone after each update of both networks, on half of
        `batch_size` rows; each costs about a seventh of it. "auto": 4 for "conv", else 0. Without `y` there are none.
    warm_start : bool, default=False
        Whether `fit` goes on from the earlier fit, with `max_iter` more steps; scale, classes and typical patches stay
        as learned then.
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
    n_features_in_ : int
        Height x width x channels, or the number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, where a DataFrame with string names was fitted.
    image_shape_ : tuple (height, width, channels) or None
        Shape of an image; None for a table.
    history_ : dict of list
        Means over every 10 steps: `step`, `generator_loss`, `discriminator_loss`, `penalty` (weighted), `class_loss`,
        `logit_gap` (mean logit of real less fake rows: oscillation shows here), `sample_spread` (standard deviation of
        samples relative to the data's: near 0 is collapse).
    n_iter_ : int
        Updates of the generator so far.

    Notes
    -----
    Class scores: a teacher, learned from the blocks of the labelled rows, guesses the classes of the rows without a
    label, and a linear student learns these guesses from the latter alone; only the student's weights are kept.

    Training copies the rows to float32 once. Each typical patch is the mean of at least 10 patches of at least 5
    images, so that none is a single image's. The networks' compiled step is cached in the process by configuration and
    shape (the 32 used last), so a second fit of the same shape starts at once. Research use; not a medical device.

    *Rows near real ones.* Where a class has few rows, its samples tend to their average; what two samples of a class
    differ by still holds what the generator has learned, from all classes, about how images vary. So half of such a
    difference is added to a real row, and the sum is moved by `augment` at half the strength that it has in training;
    where "contrast" is in it, each row gets a tone curve of its own, too (an exponent between 0.7 and 1.4). Real rows
    of a class are taken in turn. Such a row shows much of the real one that it was made from, and a sample that
    `sample` draws does not: to hand rows on to others, use `sample`.

    References
    ----------
    Huang et al. 2024, "The GAN is dead; long live the GAN!", arXiv 2501.05441, eq. 2 and 3 (objective, penalties).
    Radford et al. 2016, arXiv 1511.06434, section 5 (a discriminator's features in front of a linear SVM).
    Coates, Ng and Lee 2011, "An analysis of single-layer networks in unsupervised feature learning", AISTATS, section
    3.2 (`n_patches`: whitened patches, k-means, triangle activation, averages over parts of the image).
    Hinton et al. 2015, arXiv 1503.02531, section 2 (`score_weight`: learning from another model's guesses).
    Zhao et al. 2020, arXiv 2006.10738, eq. 4 and 5 (augmentation of both real and synthetic rows).
    Isensee et al. 2021, "nnU-Net", Nature Methods 18, doi 10.1038/s41592-020-01008-z (tone curves).
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

    _parameter_constraints: ClassVar[dict] = {
        "image_shape": [tuple, list, None],
        "representation": [StrOptions({"both", "features", "pixels"})],
        "n_patches": [Interval(Integral, 0, None, closed="left")],
        "score_weight": [Interval(Real, 0, None, closed="left")],
        "pretrained": [str, None],
        "sampling_strategy": [str, Interval(Real, 0, 1, closed="right"), Mapping, callable],
        "ratio": [Interval(Real, 0, None, closed="neither")],
        "resampling": [StrOptions({"auto", "mixed", "near", "sample"})],
        "architecture": [StrOptions({"auto", "conv", "dense", "dcgan"})],
        "loss": [StrOptions(LOSSES)],
        "latent_dim": [Interval(Integral, 1, None, closed="left")],
        "width": [Interval(Integral, 1, None, closed="left")],
        "augment": [StrOptions({"auto"}), list, tuple, None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "penalty_weight": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"}), tuple, list],
        "adversarial_weight": [Interval(Real, 0, None, closed="left")],
        "class_head_weight": [Interval(Real, 0, None, closed="left")],
        "class_steps": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        image_shape=None,
        representation="both",
        n_patches=200,
        score_weight=1.0,
        pretrained=None,
        sampling_strategy="auto",
        ratio=2.0,
        resampling="auto",
        architecture="auto",
        loss="relativistic",
        latent_dim=64,
        width=32,
        augment="auto",
        batch_size=64,
        max_iter=300,
        max_time=None,
        learning_rate="auto",
        penalty_weight="auto",
        adversarial_weight=1.0,
        class_head_weight=1.0,
        class_steps="auto",
        warm_start=False,
        callbacks=None,
        random_state=None,
        verbose=0,
    ):
        self.image_shape = image_shape
        self.representation = representation
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
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, X_unlabeled=None):
        """Train the GAN on these rows.

        Parameters
        ----------
        X : array-like of shape (n, height, width), (n, height, width, channels) or (n, n_features)
            Training rows, any real dtype and range.
        y : array-like of shape (n,), default=None
            Class labels. Without them the GAN is unconditional.
        X_unlabeled : array-like like X, default=None
            Further rows without a label that the GAN also learns from. With `y`, they also give `transform` class
            scores (see `score_weight`).

        Returns
        -------
        self : GANAugmenter

        Raises
        ------
        ValueError, TypeError
            For rows, labels or parameters that cannot be used; an earlier fit is then still intact.
        """
        with self._all_or_nothing():
            return self._fit(X, y, X_unlabeled)

    def _fit(self, X, y, X_unlabeled):
        goes_on = self.warm_start and self.__sklearn_is_fitted__()
        rows, form = check_rows(self, X, image_shape=self.image_shape, reset=not goes_on)
        self._form, self.image_shape_ = form, form.image_shape
        classes, labels = self._check_labels(X, y, goes_on)
        if X_unlabeled is not None:
            rows = np.concatenate([rows, self._check_unlabeled(X_unlabeled, form)])
        codec = self._codec if goes_on else learn_codec(rows, form)
        config, hyper = self._configure(form, codec, labels.shape[1], classes is not None)
        if goes_on and config != self._config:
            raise ValueError(
                f"warm_start=True goes on with the networks of the earlier fit, {self._config}; the parameters now ask "
                f"for {config}. Set warm_start=False, or the parameters back."
            )
        encoded = codec.encode(rows)
        self._dictionary = self._choose_dictionary(form, encoded, goes_on)
        self._codec, self._config = codec, config
        self.__dict__.pop("classes_", None)
        if classes is not None:
            self.classes_ = classes
            self._priors = labels[:, : len(classes)].mean(0, dtype=np.float64)
        self._train(encoded, labels, hyper, goes_on)
        self._learn_columns(encoded, labels)
        return self

    def _choose_dictionary(self, form, encoded, goes_on: bool) -> dict[str, np.ndarray] | tuple[str, str, int] | None:
        """The arrays of the patches learned here; or source, fingerprint and number of blocks of those in a file."""
        if form.kind == "table":
            return None
        if self.pretrained is not None:
            dictionary = load_dictionary(self.pretrained)
            return self.pretrained, dictionary.fingerprint, len(dictionary.sides)
        if self.n_patches == 0:
            return None
        if goes_on and isinstance(self._dictionary, dict):
            return self._dictionary
        return learn_patches(encoded, int(self.n_patches), check_random_state(self.random_state))

    def _check_labels(self, X, y, goes_on: bool):
        """Classes, and one-hot labels padded for tables; (None, a column of zeros) without labels."""
        from .._validation import n_rows

        if y is None:
            if goes_on and hasattr(self, "classes_"):
                raise ValueError(
                    "warm_start=True: the earlier fit had labels; got y=None. Pass y, or set warm_start=False."
                )
            return None, np.zeros((n_rows(X), 1), np.float32)
        y = check_labels(X, y, type(self).__name__)
        classes, codes = np.unique(y, return_inverse=True)
        if goes_on:
            known = getattr(self, "classes_", None)
            if known is None or not np.isin(classes, known).all():
                raise ValueError(
                    f"warm_start=True: the earlier fit had classes {known!r}; got {classes!r}. Set warm_start=False."
                )
            codes, classes = np.searchsorted(known, y), known
        n_columns = max(2, 1 << (len(classes) - 1).bit_length())  # a power of two: fewer shapes to compile
        return classes, np.eye(n_columns, dtype=np.float32)[codes]

    def _check_unlabeled(self, X_unlabeled, form) -> np.ndarray:
        try:
            rows, other = check_rows(self, X_unlabeled, image_shape=self.image_shape, reset=False)
        except (ValueError, TypeError) as error:
            raise type(error)(f"X_unlabeled: {error}") from error
        if other.row_shape != form.row_shape:
            raise ValueError(
                f"X_unlabeled has rows of shape {other.row_shape}; X has {form.row_shape}. Pass them alike."
            )
        return rows

    def _configure(self, form, codec, n_label_columns: int, labelled: bool):
        """The compile-cache key and the numbers of this fit."""
        from ..gan.training import Configuration, Hyper

        family = "table" if form.kind == "table" else "image"
        if self.architecture not in FAMILIES[family]:
            raise ValueError(
                f"architecture={self.architecture!r} does not fit a{'n image' if family == 'image' else ' ' + family}; "
                f"use one of {sorted(FAMILIES[family])}. Flat images need image_shape."
            )
        architecture = FAMILIES[family][self.architecture]
        auto = AUTO[architecture]
        names = resolve_augment(self.augment, family, auto["augment"])
        factors = OBJECTIVE_FACTORS.get(self.loss, (1.0, 1.0)) if architecture != "dcgan" else (1.0, 1.0)
        auto_rate, auto_penalty = auto["learning_rate"] * factors[0], auto["penalty_weight"] * factors[1]
        r1, r2 = resolve_penalty(auto_penalty if self.penalty_weight == "auto" else self.penalty_weight)
        scale = 1.0 if family == "table" else np.prod(codec.network_shape) / REFERENCE_VALUES
        classified = labelled and self.class_head_weight > 0
        class_steps = auto["class_steps"] if self.class_steps == "auto" else int(self.class_steps)
        config = Configuration(
            architecture=architecture,
            shape=codec.network_shape,
            n_classes=n_label_columns,
            loss=self.loss,
            latent_dim=int(self.latent_dim),
            width=int(self.width),
            augment=names,
            batch_size=int(self.batch_size),
            adversarial=self.adversarial_weight > 0,
            penalised=r1 > 0 or r2 > 0,
            classified=classified,
            class_steps=class_steps if classified else 0,
            beta_1=auto["beta_1"],
        )
        rate = auto_rate if self.learning_rate == "auto" else self.learning_rate
        return config, Hyper(rate, r1 * scale, r2 * scale, self.adversarial_weight, self.class_head_weight, EMA_DECAY)

    def _train(self, encoded, labels, hyper, goes_on: bool) -> None:
        from ..gan.loop import Run
        from ..gan.training import Data, train

        rng = check_random_state(self.random_state)
        seed, sampling, resampling = rng.randint(np.iinfo(np.int32).max, size=3)
        program = self._program()
        labels = np.concatenate([labels, np.zeros((len(encoded) - len(labels), labels.shape[1]), np.float32)])
        run = Run(int(self.max_iter), self.max_time, self.verbose, self.callbacks, self.history_ if goes_on else {})
        state = self._state if goes_on else program.initial_state(rng)
        data = Data(encoded, labels, drawing_probabilities(labels))
        outcome = train(program, state, data, hyper, int(seed), run)
        self._keep(outcome, f"with loss={self.loss!r}", "Lower learning_rate or raise penalty_weight.")
        self._sampling_rng, self._resampling_seed = np.random.RandomState(sampling), int(resampling)
        self._judge()

    def _judge(self) -> None:
        """Warn where training never left chance, or samples have collapsed."""
        from ..gan.losses import OBJECTIVES

        if self.n_iter_ < JUDGED_FROM or self.adversarial_weight == 0:
            return
        chance = OBJECTIVES[self.loss].chance
        margin = CHANCE_MARGIN * max(chance, 1.0)
        advice = None
        excess = np.subtract(self.history_["discriminator_loss"], chance)
        told_apart = (excess[len(excess) // 4 :] < -margin).any()  # an equilibrium is at chance too, but was below it
        if np.abs(excess[-10:]).max() < margin and not told_apart:
            advice = (
                f"is at chance: the discriminator's loss stays at {chance:.3f}, so neither network learns. Lower "
                "penalty_weight, or raise learning_rate or max_iter"
            )
        elif np.mean(self.history_["sample_spread"][-10:]) < SMALLEST_SPREAD:
            advice = (
                "has collapsed: samples vary less than a tenth as much as the data. Raise penalty_weight, lower "
                "learning_rate, or try another loss"
            )
        elif np.mean(self.history_["sample_spread"][-10:]) > LARGEST_SPREAD:
            advice = (
                "has run away: samples vary more than ten times as much as the data. Lower penalty_weight or "
                "learning_rate"
            )
        if advice:
            warn_caller(f"GAN training {advice}.")

    def _blocks(self, encoded: np.ndarray) -> list[np.ndarray]:
        """Pixels, the discriminator's blocks and those of the typical patches."""
        of_network = self._represent(encoded)
        if self._form.kind != "table":
            of_network = [signed_root(block) for block in of_network]
        blocks = [self._pixels(encoded), *of_network]
        if self._dictionary is None:
            return blocks
        if isinstance(self._dictionary, dict):
            return [*blocks, *PatchDictionary(self._dictionary).blocks(encoded)]
        source, fingerprint, _ = self._dictionary
        return [*blocks, *load_dictionary(source, fingerprint).blocks(encoded)]

    def _n_blocks_of_patches(self) -> int:
        if self._dictionary is None:
            return 0
        return len(self._dictionary["sides"]) if isinstance(self._dictionary, dict) else self._dictionary[2]

    def _represent(self, encoded: np.ndarray) -> list[np.ndarray]:
        """The discriminator's blocks for encoded rows, in batches of one fixed shape."""
        from ..gan.training import INFERENCE_BATCH

        represent, player = self._program().represent, self._state.discriminator
        parts = []
        for start in range(0, len(encoded), INFERENCE_BATCH):
            batch = encoded[start : start + INFERENCE_BATCH]
            padding = [(0, INFERENCE_BATCH - len(batch))] + [(0, 0)] * (batch.ndim - 1)
            _, blocks = represent(player.ema, player.buffers, np.pad(batch, padding))
            parts.append([block.numpy()[: len(batch)] for block in blocks])
        return [np.concatenate(block) for block in zip(*parts, strict=True)]

    def _pixels(self, encoded: np.ndarray) -> np.ndarray:
        return encoded.reshape(len(encoded), -1)[:, : self.n_features_in_]

    def _learn_columns(self, encoded: np.ndarray, labels: np.ndarray) -> None:
        """All that `transform` applies to the blocks; `labels` are one-hot, of the first rows."""
        blocks = self._blocks(encoded)
        self._learn_moments(blocks)
        self._class_scores = None
        n_classes = len(getattr(self, "classes_", ()))
        if self.score_weight > 0 and n_classes > 1 and len(labels) < len(encoded):
            columns = np.concatenate(self._standardise(blocks), axis=1)
            self._class_scores = ClassScores.learn(columns, labels[:, :n_classes], self.score_weight)

    def _learn_moments(self, blocks: list[np.ndarray]) -> None:
        """Location and scale of every column on the training rows.

        Pixels, the discriminator's blocks together and those of the patches together end at unit total variance.
        """
        self._moments = []
        n_of_patches = self._n_blocks_of_patches()
        n_of_network = len(blocks) - 1 - n_of_patches
        n_beside = [1] + [n_of_network] * n_of_network + [n_of_patches] * n_of_patches
        for block, n in zip(blocks, n_beside, strict=True):
            spread = block.std(0, dtype=np.float64)
            spread[spread < 1e-6 * max(spread.max(initial=0.0), 1e-30)] = np.inf  # a constant column carries nothing
            weight = 1.0 / (spread * np.sqrt(n * block.shape[1]))
            self._moments.append((block.mean(0, dtype=np.float64).astype(np.float32), weight.astype(np.float32)))

    def transform(self, X):
        """Columns for a classifier, one row per input row.

        Parameters
        ----------
        X : array-like
            Rows of the shape and units seen at `fit`, any numeric dtype.

        Returns
        -------
        X_out : ndarray of shape (n, n_features_out), float32
            See `representation`; "pixels" keep a dtype that float32 does not hold, so that large numbers stay apart. A
            row's result does not depend on the rows beside it.
        """
        check_is_fitted(self)
        rows, _ = check_rows(self, X, image_shape=self.image_shape, reset=False)
        if self._form.kind != "table":
            warn_of_range(rows, self._codec.low, self._codec.high, type(self).__name__)
        if self.representation == "pixels":
            exact = np.result_type(rows.dtype, np.float32) == np.float32
            return rows.reshape(len(rows), -1).astype(np.float32 if exact else rows.dtype)
        scaled = self._standardise(self._blocks(self._codec.encode(rows)))
        if self._class_scores is not None:
            scaled.append(self._class_scores(np.concatenate(scaled, axis=1)))
        return np.concatenate(scaled if self.representation == "both" else scaled[1:], axis=1)

    def _standardise(self, blocks: list[np.ndarray]) -> list[np.ndarray]:
        """Blocks at zero mean and unit total variance over the training rows."""
        return [(block - mean) * weight for block, (mean, weight) in zip(blocks, self._moments, strict=True)]

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of `transform`.

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
        widths = [len(mean) for mean, _ in self._moments[1:]]
        n_of_patches = self._n_blocks_of_patches()
        blocks = [f"layer{depth}" for depth in range(len(widths) - n_of_patches)]
        blocks += [f"patches{i}" for i in range(n_of_patches)]
        names = [f"ganaugmenter_{block}_{i}" for block, width in zip(blocks, widths, strict=True) for i in range(width)]
        if self._class_scores is not None:
            names += [f"ganaugmenter_score_{i}" for i in range(len(self.classes_))]
        return np.asarray([*pixels, *names] if self.representation == "both" else names, dtype=object)

    def sample(self, n_samples=1, *, y=None, random_state=None):
        """Draw synthetic rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows; with an array `y`, its length counts.
        y : label or array-like of labels, default=None
            Class of every row, or of each row. Default: drawn from the class balance of the training rows.
        random_state : int, RandomState instance or None, default=None
            With None, a repeated call draws anew (reproducibly, if `fit` had a `random_state`).

        Returns
        -------
        X_new : rows in the form of the rows that were fitted
            Container, shape, dtype and intensity range are theirs.
        y_new : ndarray of shape (n,) or None
            Labels; None after an unlabelled fit.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_medgan import GANAugmenter
        >>> X, y = np.random.RandomState(0).normal(size=(20, 3)), np.repeat(["a", "b"], 10)
        >>> gan = GANAugmenter(max_iter=2, random_state=0).fit(X, y)
        >>> gan.sample(y=["b", "a"])[1]
        array(['b', 'a'], dtype='<U1')
        """
        check_is_fitted(self)
        self._check_generator()
        rng = self._sampling_rng if random_state is None else check_random_state(random_state)
        codes = self._sample_codes(n_samples, y, rng)
        X_new = self._form.restore(self._codec.decode(self._draw(self._one_hot(codes), rng)))
        return X_new, self._labels_of(codes)

    def resample(self, X, y, *, labels, random_state=None):
        """Draw synthetic rows for a classifier, in the way that `resampling` names; `fit_resample` without the fit.

        Parameters
        ----------
        X : array-like
            Real rows of the shape and units seen at `fit`.
        y : array-like of shape (n,)
            Their labels.
        labels : array-like of shape (n_new,)
            The labels of the rows to draw, each among those of y.
        random_state : int, RandomState instance or None, default=None
            With None, a repeated call draws anew (reproducibly, if `fit` had a `random_state`).

        Returns
        -------
        X_new : rows in the form of the rows that were fitted
            Synthetic rows only.
        y_new : ndarray of shape (n_new,)
            Their labels, `labels`.

        Raises
        ------
        ValueError, TypeError
            For rows that differ from those of `fit`, labels not seen at `fit`, and labels of which y has no row.

        Examples
        --------
        >>> from sklearn_medgan import GANAugmenter
        >>> from sklearn_medgan.datasets import make_nodules
        >>> X, y = make_nodules(60, image_size=16, random_state=0, return_X_y=True)
        >>> gan = GANAugmenter(max_iter=2, random_state=0).fit(X, y)
        >>> X_new, y_new = gan.resample(X, y, labels=[1, 1, 0])
        >>> X_new.shape, y_new
        ((3, 16, 16), array([1, 1, 0]))
        """
        check_is_fitted(self)
        way = self.resampling
        if way == "auto":
            way = "sample" if self._form.kind == "table" else "mixed"
        if way == "sample" or not len(labels):
            return self.sample(y=labels, random_state=random_state)
        self._check_generator()
        rng = self._sampling_rng if random_state is None else check_random_state(random_state)
        codes = self._sample_codes(len(labels), labels, rng)
        known = self._sample_codes(len(y), check_labels(X, y, type(self).__name__), rng)
        one_hot = self._one_hot(codes)
        drawn = self._draw(one_hot, rng)
        near = every_second(codes) if way == "mixed" else np.ones(len(codes), bool)
        rows = _safe_indexing(as_rows(X), real_origins(known, codes[near], self.classes_, rng))
        rows, _ = check_rows(self, rows, image_shape=self.image_shape, reset=False)
        drawn[near] = self._codec.encode(rows) + NEARNESS * (drawn[near] - self._draw(one_hot[near], rng))
        return self._form.restore(self._codec.decode(self._inherit(drawn, rng))), self._labels_of(codes)

    def _check_generator(self) -> None:
        if self._config.adversarial is False:
            raise ValueError("Nothing to sample: with adversarial_weight=0 the generator was not trained. Raise it.")

    def _one_hot(self, codes: np.ndarray) -> np.ndarray:
        """Labels as the networks take them; zeros after an unlabelled fit."""
        labels = np.zeros((len(codes), self._config.n_classes), np.float32)
        if hasattr(self, "classes_"):
            labels[np.arange(len(codes)), codes] = 1.0
        return labels

    def _labels_of(self, codes: np.ndarray):
        return self.classes_[codes] if hasattr(self, "classes_") else None

    def _draw(self, labels: np.ndarray, rng) -> np.ndarray:
        """Encoded samples of one-hot labels."""
        return self._generate(rng.standard_normal((len(labels), self._config.latent_dim)).astype(np.float32), labels)

    def _inherit(self, encoded: np.ndarray, rng) -> np.ndarray:
        """Encoded images moved as those of training were, less far, each with a tone curve of its own."""
        if not self._config.augment:
            return encoded
        from ..gan.augment import augment, bend

        seed = rng.randint(np.iinfo(np.int32).max, size=2).astype(np.int32)
        if "contrast" in self._config.augment:
            encoded = bend(encoded, seed)
        return augment(encoded, self._config.augment, seed, INHERITED).numpy()

    def _sample_codes(self, n_samples, y, rng) -> np.ndarray:
        """Positions in `classes_` of the rows to draw (zeros without labels)."""
        if isinstance(n_samples, bool) or not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(f"n_samples must be an integer of at least 1; got {n_samples!r}.")
        if y is None:
            known = hasattr(self, "classes_")
            return rng.choice(len(self._priors), n_samples, p=self._priors) if known else np.zeros(n_samples, int)
        if not hasattr(self, "classes_"):
            raise ValueError(f"GANAugmenter was fitted without labels, so it cannot sample y={y!r}. Fit with y.")
        wanted = np.asarray(y)
        if wanted.ndim > 1 or (wanted.ndim == 1 and n_samples not in (1, len(wanted))):
            raise ValueError(
                f"y must be one label, or an array of as many labels as rows; got shape {wanted.shape} with "
                f"n_samples={n_samples}."
            )
        wanted = np.full(n_samples, wanted) if wanted.ndim == 0 else wanted
        position = {label: i for i, label in enumerate(self.classes_.tolist())}
        unknown = sorted({str(label) for label in wanted.tolist() if label not in position})
        if unknown:
            raise ValueError(f"y holds labels that were not seen at fit: {unknown}. Known: {self.classes_.tolist()}.")
        return np.array([position[label] for label in wanted.tolist()], dtype=int)

    def _generate(self, noise: np.ndarray, labels: np.ndarray) -> np.ndarray:
        from ..gan.training import INFERENCE_BATCH

        generate, player = self._program().generate, self._state.generator
        parts = [np.zeros((0, *self._config.shape), np.float32)]
        for start in range(0, len(noise), INFERENCE_BATCH):
            batch = slice(start, start + INFERENCE_BATCH)
            n = len(noise[batch])
            padding = [(0, INFERENCE_BATCH - n), (0, 0)]
            rows = generate(player.ema, player.buffers, np.pad(noise[batch], padding), np.pad(labels[batch], padding))
            parts.append(rows.numpy()[:n])
        return np.concatenate(parts)

    def fit_resample(self, X, y, *, X_unlabeled=None):
        """Train on the rows, then append labelled synthetic ones.

        Parameters
        ----------
        X : array-like
            Training rows, as in `fit`.
        y : array-like of shape (n,)
            Class labels.
        X_unlabeled : array-like like X, default=None
            As in `fit`; not part of the result.

        Returns
        -------
        X_res : rows in the form of X
            The original rows first, untouched, then the synthetic ones, class by class.
        y_res : labels in the form of y
            Their labels.
        """
        if y is None:
            raise ValueError("fit_resample requires y: synthetic rows are made class by class; got y=None.")
        X = as_rows(X)
        counts = synthetic_counts(check_labels(X, y, type(self).__name__), self.sampling_strategy, self.ratio)
        self.fit(X, y, X_unlabeled=X_unlabeled)
        wanted = np.repeat(self.classes_, [counts[label] for label in self.classes_.tolist()])
        if not len(wanted):
            return X, y
        X_new, y_new = self.resample(X, y, labels=wanted, random_state=self._resampling_seed)
        return join_rows(X, X_new), join_labels(y, y_new)

    @property
    def generator_(self):
        """Keras model, [noise, one-hot labels] to encoded rows."""
        return self._keras_model("generator_", 0)

    @property
    def discriminator_(self):
        """Keras model, [encoded rows, one-hot labels] to logit, class logits and feature blocks."""
        return self._keras_model("discriminator_", 1)

    def _program(self):
        from ..gan.training import compiled_program

        return compiled_program(self._config)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_moments")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def signed_root(values: np.ndarray) -> np.ndarray:
    """Square root of each value's size, with its sign: a few large ones then say less of how alike two rows are."""
    return np.copysign(np.sqrt(np.abs(values)), values)


def check_labels(X, y, name: str) -> np.ndarray:
    """Class labels, one a row of X."""
    if np.ma.is_masked(y):
        raise ValueError("y contains masked values. Expected a label for each row; leave the others out.")
    y = _check_y(y, estimator=name)
    check_same_length(X, y)
    check_classification_targets(y)
    return y


def every_second(codes: np.ndarray) -> np.ndarray:
    """Mask of every second row of each class, its first one included."""
    mask = np.zeros(len(codes), bool)
    for code in np.unique(codes):
        mask[np.flatnonzero(codes == code)[::2]] = True
    return mask


def real_origins(known: np.ndarray, codes: np.ndarray, classes: np.ndarray, rng) -> np.ndarray:
    """For each of `codes` the position in `known` of a row of that class: these in turn, in a random order."""
    missing = classes[np.setdiff1d(codes, known)].tolist()
    if missing:
        raise ValueError(f"labels asks for rows of classes {missing}, of which y has none. Leave them out of labels.")
    origins = np.empty(len(codes), int)
    for code in np.unique(codes):
        wanted = codes == code
        origins[wanted] = np.resize(rng.permutation(np.flatnonzero(known == code)), np.count_nonzero(wanted))
    return origins


def resolve_augment(augment, family: str, auto: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the transforms to apply."""
    if augment == "auto":
        return auto
    names = tuple(augment or ())
    unknown = [name for name in names if name not in AUGMENTATIONS]
    if unknown:
        raise ValueError(f"augment holds unknown transforms {unknown}. Known: {list(AUGMENTATIONS)}.")
    if names and family == "table":
        raise ValueError(
            f"augment={list(names)} transforms images; got a table. Set augment='auto' or pass image_shape."
        )
    return names


def resolve_penalty(weight) -> tuple[float, float]:
    """Weights of R1 and R2."""
    pair = tuple(weight) if isinstance(weight, tuple | list) else (weight, weight)
    if len(pair) != 2 or not all(isinstance(w, Real) and 0 <= w < np.inf for w in pair):
        raise ValueError(f"penalty_weight must be 'auto', a number of at least 0 or a pair (R1, R2); got {weight!r}.")
    return float(pair[0]), float(pair[1])


def drawing_probabilities(labels: np.ndarray) -> np.ndarray:
    """Cumulative probability of each row: classes equally often, rows without a label at most every second draw."""
    counts = labels.sum(0)
    n_unlabeled = int((labels.sum(1) == 0).sum())
    share = 1.0 if not counts.any() else min(0.5, n_unlabeled / len(labels))
    present = np.maximum((counts > 0).sum(), 1)
    weights = (labels / np.maximum(counts, 1)).sum(1, dtype=np.float64) * (1.0 - share) / present
    weights[labels.sum(1) == 0] = share / max(n_unlabeled, 1)
    return np.cumsum(weights / weights.sum()).astype(np.float32)
