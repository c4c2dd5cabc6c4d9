"""GANEnhancer: a transformer that restores poor images, learned from good ones."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Mapping
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from .._base import NetworkEstimator
from .._codecs import ImageScale, TableCodec
from .._containers import cast
from .._sklearn_compat import Interval, StrOptions, _check_feature_names_in, _fit_context
from .._validation import check_rows, check_same_length
from . import _guard
from ._images import ImageMedium
from ._restoration import Network, Treatment
from ._shrinkage import REACH, Doubted
from ._tables import TABLE_NOISE, TableMedium
from ._tiling import padded

# What "auto" stands for.
AUTO = {
    "image": {"learning_rate": 4e-3, "max_iter": 4000},
    "started": {"learning_rate": 2e-3, "max_iter": 4000},
    "table": {"learning_rate": 5e-3, "max_iter": 300},
}
# Which parameter of a degradation a level in a dict sets.
LEVEL_OF = {
    "noise": "sigma",
    "rician": "sigma",
    "poisson": "photons",
    "blur": "sigma",
    "motion_blur": "length",
    "downscale": "factor",
    "low_contrast": "gain",
    "jpeg": "quality",
    "low_dose_ct": "photons",
}
MOST_HELD_OUT = 16  # images that guard and calibration see and training does not; with labels, a quarter of the rows
MOST_LABELLED = 100


def _has_names(estimator) -> bool:
    """Image stacks have no columns, and bypass `set_output`."""
    form = getattr(estimator, "_form", None)
    return form is None or form.kind != "stack"


class GANEnhancer(NetworkEstimator):
    """Learn from good images of a modality to restore poor ones: noise, blur, low dose, low resolution, low contrast.

    `fit` degrades the good images itself (or takes pairs), and trains a residual network to undo it. `transform` works
    on images of any size. Before it is used, the network has to beat doing nothing and simple filters on training
    images that it did not see (`guard`).

    Parameters
    ----------
    image_shape : tuple (height, width) or (height, width, channels), default=None
        Shape of an image where rows are flat, (n, height x width x channels). Image stacks need none; flat rows without
        it are a table, for which this is a dense denoiser.
    degradation : str, list of str, dict, or callable, default="auto"
        How good images become poor: a name of `sklearn_medgan.degradations.DEGRADATIONS` ("noise", "poisson", "rician",
        "blur", "motion_blur", "downscale", "low_contrast", "jpeg", "low_dose_ct"), or a list of them applied in turn.
        Each image draws its own level from a wide range, so the network is blind: it needs no level at `transform`.
        A dict gives levels, a number or a pair (low, high): {"noise": 25} is a standard deviation of 25 in the units
        of the images, {"blur": (0, 2)} pixels. A callable ``f(images, rng)`` gets float images (n, height, width,
        channels) in fractions of the learned scale. "auto": a blind mix of noise and blur; with ``scale > 1`` the
        reduction alone; on a table, noise.
    scale : {1, 2, 3, 4}, default=1
        Enlargement: `transform` returns images `scale` times as high and wide (super-resolution).
    adversarial_weight : float, default=0.0
        Weight of a discriminator's judgement of patches beside the fidelity loss, in the last two fifths of training.
    width : int, default=32
        Channels of the network at half resolution (others follow), or a quarter of the units of a dense layer.
    depth : int, default=8
        Number of the network's residual convolutions; see `networks.image_restorer`.
    patch_size : int, default=48
        Sides of the training patches, in pixels; a multiple of 8.
    batch_size : int, default=8
        Patches (or rows of a table) a step.
    max_iter : int or "auto", default="auto"
        Training steps. "auto": 4000 for images, 300 for tables.
    max_time : float, default=None
        Seconds after which training stops, if `max_iter` has not been reached.
    learning_rate : float or "auto", default="auto"
        Step size of Adam after warm-up; it falls to zero along a cosine. "auto": 4e-3 for images, 5e-3 for tables.
    guard : bool, default=True
        Whether to compare the network, on training images held out from it, with doing nothing and with classical
        filters (median, total variation, non-local means, and wavelets where PyWavelets is installed): by PSNR, and
        where class labels `y` are given also by a linear classifier of the good images, which must not do worse (by
        more than a standard error) on poor images nor on good ones that come in as they are. Where the network would
        do harm, it warns, and `transform` does what was best instead. Images that are as good as the training images
        are left alone: filters fade out on them, and what the network would change hardly more than a good image comes
        back as it was.
    tile_size : int, default=512
        Largest side that goes through the network at once; larger images are cut into overlapping tiles.
    pretrained : "auto" or bool, default="auto"
        Whether training of images begins with weights that ship with the package instead of random ones. They learned
        to remove noise and blur from photographs and drawn images, none of them medical, and exist for ``width=32,
        depth=8``. "auto": where they exist; True: an error where they do not.
    warm_start : bool, default=False
        Whether `fit` goes on from the earlier fit with `max_iter` more steps; the scale stays as learned then.
    callbacks : list of keras.callbacks.Callback, default=None
        Told of each entry of `history_` as of an epoch; ``self.model.generator`` is current.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, patches, degradations and samples. No global seed is read or set.
    verbose : int, default=0
        1 shows a progress bar with step, losses and time left, by `max_iter` or `max_time`, whichever will end first.

    Attributes
    ----------
    generator_, discriminator_ : keras.Model
        The trained networks with averaged weights; `discriminator_` is None where ``adversarial_weight=0``.
    guard_report_ : dict
        `chosen` ("network" or the name of what is done instead), `psnr` and (with labels) `balanced_accuracy` of
        treatments on `n_held_out` images, `strength` of each filter as tuned on training images. `psnr_clean` and
        `balanced_accuracy_clean` are those where the same images come in undegraded; None with `target`, with
        ``scale > 1``, and where contrast is changed as a whole, since good images are then no input. `spared` is the
        change (root mean square over an image, in its units) up to which the network leaves an image as it is, or 0.
        `doubt` is the size (in these units) of corrections that are applied by half, or 0: much smaller ones, such as
        those of an empty background, are mostly the network's own errors, and hardly applied.
    n_features_in_ : int
        Height x width x channels, or the number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, where a DataFrame with string names was fitted.
    image_shape_ : tuple (height, width, channels) or None
        Shape of the training images; None for a table.
    history_ : dict of list
        Means over every 10 steps: `step`, `fidelity_loss`, `spread_loss`, `psnr` (of training patches, dB), `gain`
        (dB over the poor patches), `generator_loss`, `discriminator_loss`, `penalty`.
    n_iter_ : int
        Training steps so far.

    Notes
    -----
    The intensity scale (smallest to largest training value) is learned at `fit`. A saved estimator holds no training
    image. Restored images look more certain than they are: see `uncertainty`. Research use; not a medical device.

    References
    ----------
    Zhang et al. 2017, arXiv 1608.03981 (residual learning, blind noise); Zhang et al. 2021, arXiv 2008.13751 (residual
    U-Net); Mohan et al. 2020, arXiv 1906.05478 (no biases); Kendall and Gal 2017, arXiv 1703.04977, eq. 5 (the spread).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medgan import GANEnhancer
    >>> from sklearn_medgan.datasets import make_nodules
    >>> good, _ = make_nodules(20, image_size=32, random_state=0, return_X_y=True)
    >>> enhancer = GANEnhancer(degradation="noise", max_iter=5, guard=False, random_state=0).fit(good)
    >>> enhancer.transform(good[:2]).shape
    (2, 32, 32)
    """

    _parameter_constraints: ClassVar[dict] = {
        "image_shape": [tuple, list, None],
        "degradation": [str, list, tuple, Mapping, callable],
        "scale": [Interval(Integral, 1, 4, closed="both")],
        "adversarial_weight": [Interval(Real, 0, None, closed="left")],
        "width": [Interval(Integral, 1, None, closed="left")],
        "depth": [Interval(Integral, 2, None, closed="left")],
        "patch_size": [Interval(Integral, 16, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "guard": ["boolean"],
        "tile_size": [Interval(Integral, 64, None, closed="left")],
        "pretrained": [StrOptions({"auto"}), "boolean"],
        "warm_start": ["boolean"],
        "callbacks": [list, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        image_shape=None,
        degradation="auto",
        scale=1,
        adversarial_weight=0.0,
        width=32,
        depth=8,
        patch_size=48,
        batch_size=8,
        max_iter="auto",
        max_time=None,
        learning_rate="auto",
        guard=True,
        tile_size=512,
        pretrained="auto",
        warm_start=False,
        callbacks=None,
        random_state=None,
        verbose=0,
    ):
        self.image_shape = image_shape
        self.degradation = degradation
        self.scale = scale
        self.adversarial_weight = adversarial_weight
        self.width = width
        self.depth = depth
        self.patch_size = patch_size
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.max_time = max_time
        self.learning_rate = learning_rate
        self.guard = guard
        self.tile_size = tile_size
        self.pretrained = pretrained
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, target=None):
        """Learn to restore rows like these.

        Parameters
        ----------
        X : array-like of shape (n, height, width), (n, height, width, channels) or (n, n_features)
            Good images, any real dtype and range; with `target`, poor ones.
        y : array-like of shape (n,), default=None
            Class labels. Only `guard` looks at them, so the enhancer works ahead of a classifier.
        target : array-like, default=None
            The good version of each row of `X`, of the same form; its sides are `scale` times as long.

        Returns
        -------
        self : GANEnhancer

        Raises
        ------
        ValueError, TypeError
            For rows, targets or parameters that cannot be used; an earlier fit is then still intact.
        """
        with self._all_or_nothing():
            return self._fit(X, y, target)

    def _fit(self, X, y, target):
        goes_on = self.warm_start and self.__sklearn_is_fitted__()
        rows, form = check_rows(self, X, image_shape=self.image_shape, reset=not goes_on, any_size=goes_on)
        labels = self._check_labels(X, y)
        self._form, self.image_shape_ = form, form.image_shape
        rows = _as_images(rows, form)
        good = self._check_target(target, rows, form)
        config = self._configure(form)
        if goes_on and (config, self.scale) != (self._config, self._medium.scale):
            raise ValueError(
                f"warm_start=True goes on with the network of the earlier fit, {self._config} with "
                f"scale={self._medium.scale}; the parameters now ask for {config} with scale={self.scale}. Set "
                "warm_start=False, or the parameters back."
            )
        rng = check_random_state(self.random_state)
        seeds = rng.randint(np.iinfo(np.int32).max, size=4)
        held, kept = hold_out(len(rows), labels, np.random.RandomState(seeds[0]))
        medium = self._in_tiles(self._medium if goes_on else self._learn_medium(form, rows if good is None else good))
        degradation, reach = self._resolve_degradation(medium)
        part = functools.partial(_rows_of, rows, good)
        if not goes_on:
            medium = medium.learn(*part(kept), degradation, np.random.RandomState(seeds[1]))
        self._medium, self._config = medium, config
        pairs = medium.pairs(*part(kept), degradation, reach, int(self.patch_size), np.random.RandomState(seeds[2]))
        self._train(pairs, goes_on, rng)
        self._compare(part, kept, held, labels, degradation, np.random.RandomState(seeds[3]))
        self._sampling_rng = np.random.RandomState(rng.randint(np.iinfo(np.int32).max))
        return self

    def _check_labels(self, X, y):
        """Class labels that the guard may use, or None."""
        if y is None:
            return None
        check_same_length(X, y)
        labels = np.asarray(y)
        classes = labels.ndim == 1 and type_of_target(labels) in ("binary", "multiclass")
        return labels if classes else None

    def _check_target(self, target, rows, form):
        """Checked good images of paired training, or None."""
        if target is None:
            return None
        probe = GANEnhancer(image_shape=self._target_shape(form))
        try:
            good, other = check_rows(probe, target, image_shape=probe.image_shape, reset=True, fewest=1)
        except (ValueError, TypeError) as error:
            raise type(error)(f"target: {error}") from error
        good = _as_images(good, other)
        expected = rows.shape if form.kind == "table" else _enlarged(rows.shape, self.scale)
        if good.shape != expected:
            raise ValueError(
                f"target must hold the good version of each row of X, enlarged by scale={self.scale}: expected an "
                f"array of shape {expected}; got {good.shape}. Pass the same rows in the same order."
            )
        return good

    def _target_shape(self, form):
        return None if form.kind != "flat" else _enlarged((1, *form.image_shape), self.scale)[1:]

    def _configure(self, form):
        """The compile-cache key."""
        from ..gan.networks import STRIDE
        from ..gan.restoration import RestorerConfiguration

        if form.kind == "table":
            self._check_table_parameters()
            shape = TableCodec.padded_shape(form.row_shape[0])
            return RestorerConfiguration(shape, int(self.width), 2, int(self.batch_size), False)
        if self.patch_size % STRIDE or self.patch_size % self.scale:
            raise ValueError(
                f"patch_size must be a multiple of {STRIDE} and of scale={self.scale}; got {self.patch_size}."
            )
        patch = int(self.patch_size)
        shape = (patch, patch, form.image_shape[2])
        sizes = int(self.width), int(self.depth), int(self.batch_size)
        return RestorerConfiguration(shape, *sizes, self.adversarial_weight > 0)

    def _check_table_parameters(self) -> None:
        spatial = [name for name, absent in (("scale", 1), ("adversarial_weight", 0)) if getattr(self, name) != absent]
        degradation = self.degradation
        noise = degradation in ("auto", "noise", ["noise"], ("noise",)) or (
            isinstance(degradation, Mapping) and set(degradation) == {"noise"}
        )
        if spatial or not noise:
            what = f"{spatial[0]}={getattr(self, spatial[0])!r}" if spatial else f"degradation={degradation!r}"
            raise ValueError(
                f"{what} is for images; got a table, from which GANEnhancer removes noise (degradation='auto' or "
                "'noise'). Pass image stacks, or flat images with image_shape=(height, width)."
            )

    def _learn_medium(self, form, good):
        if form.kind == "table":
            return TableMedium(TableCodec.learn(good))
        from ..gan.networks import STRIDE, receptive_radius

        reach = receptive_radius(int(self.depth)) + REACH
        return ImageMedium(ImageScale.learn(good), int(self.scale), 0, reach, STRIDE)

    def _in_tiles(self, medium):
        """The medium of images with tiles of `tile_size`, or the smallest that are worth their margins."""
        if isinstance(medium, TableMedium):
            return medium
        smallest = padded(2 * medium.halo, medium.stride) + 8 * medium.stride
        return dataclasses.replace(medium, tile=max(padded(int(self.tile_size), medium.stride), smallest))

    def _resolve_degradation(self, medium):
        """What makes good rows poor, and its reach."""
        if isinstance(medium, TableMedium):
            level = self.degradation["noise"] if isinstance(self.degradation, Mapping) else TABLE_NOISE
            return check_level("noise", level), None
        from ..degradations import resolve

        degradation = self.degradation
        if isinstance(degradation, str) and degradation == "auto" and self.scale > 1:
            return None, 0
        if isinstance(degradation, Mapping):
            degradation = with_levels(degradation, medium.codec.span)
        return resolve(list(degradation) if isinstance(degradation, list | tuple) else degradation)

    def _train(self, pairs, goes_on: bool, rng) -> None:
        from ..gan.restoration import run_restorer
        from ..gan.training import Run

        program = self._program()
        weights = None if goes_on else self._pretrained_weights(program)
        started = goes_on or weights is not None
        kind = "table" if isinstance(self._medium, TableMedium) else "started" if started else "image"
        max_iter = AUTO[kind]["max_iter"] if self.max_iter == "auto" else int(self.max_iter)
        rate = AUTO[kind]["learning_rate"] if self.learning_rate == "auto" else float(self.learning_rate)
        run = Run(max_iter, self.max_time, self.verbose, self.callbacks)
        if goes_on:
            run.history = {name: list(values) for name, values in self.history_.items()}
        state = self._state if goes_on else program.initial_state(rng, weights)
        self._state = run_restorer(program, state, pairs, rate, float(self.adversarial_weight), run)
        self.__dict__.pop("_models", None)
        self.history_ = run.history
        self.n_iter_ = int(self._state.step)

    def _pretrained_weights(self, program):
        """Shipped initial weights, or None."""
        from ..gan.pretrained import restorer_weights

        if self.pretrained is False:
            return None
        weights = restorer_weights(self._config, program.generator.shapes)
        if weights is None and self.pretrained is True:
            raise ValueError(
                f"pretrained=True, but weights ship only for images with width=32 and depth=8; got {self._config}. Set "
                "these, or pretrained='auto' to begin at random where there are none."
            )
        return weights

    def _compare(self, part, kept, held, labels, degradation, rng) -> None:
        """Choose the treatment by what it does to held-out rows, and calibrate the spread of its errors there."""
        medium, network = self._medium, self._network()
        held_out = medium.held_out(part, kept, held, labels, degradation, rng, network, self.guard)
        report = held_out.report
        self.guard_report_ = report
        self._errors = held_out.errors
        if report["chosen"] == "network":
            return
        chosen, figures = report["chosen"], report["psnr"]
        accuracies = {
            "balanced accuracy": report["balanced_accuracy"],
            "of rows that were good already": report["balanced_accuracy_clean"],
        }
        accuracies = "; ".join(f"{what}: {found}" for what, found in accuracies.items() if found)
        warnings.warn(
            f"GANEnhancer would do harm: on {report['n_held_out']} held-out training rows {chosen!r} reached "
            f"{figures[chosen]:.2f} dB, the network {figures['network']:.2f} dB"
            + (f" ({accuracies})" if accuracies else "")
            + f". transform does {chosen!r} instead. Raise max_iter, pass more images, or name the degradation.",
            ConvergenceWarning,
            stacklevel=5,
        )

    def _network(self):
        return Network(self._program(), self._state.generator.ema)

    def _treatment(self) -> Treatment:
        """The chosen one."""
        report, medium = self.guard_report_, self._medium
        doubt, spared = (report[name] / medium.codec.span if report[name] else 0.0 for name in ("doubt", "spared"))
        chosen, network = report["chosen"], Doubted(self._network(), doubt)
        return Treatment(network, chosen, report["strength"].get(chosen, 0.0), spared)

    def transform(self, X):
        """Enhanced rows.

        Parameters
        ----------
        X : array-like
            Images of any size from 8 x 8 (rows of a table: as at `fit`), any numeric dtype, in the units seen at `fit`.

        Returns
        -------
        X_out : ndarray, or DataFrame for a DataFrame
            In the form and dtype of `X`; stacks and flat images are `scale` times as high and wide. Integers are
            rounded and clipped to their dtype. A row's result does not depend on the rows beside it.
        """
        check_is_fitted(self)
        rows, form = check_rows(self, X, image_shape=self.image_shape, reset=False, any_size=True)
        if form.container == "list" or self._form.container not in ("pandas", "polars"):  # a frame for a frame
            form = dataclasses.replace(form, container="numpy", dtypes=(str(rows.dtype),))
        restored = self._medium.treat(_as_images(rows, form), self._treatment())
        result = self._in_form_of(form, restored)
        if form.container == "pandas":
            result.index = X.index
        return result

    def _in_form_of(self, form, restored: np.ndarray):
        """Images (..., height, width, channels) or rows (..., columns) in the form of the input."""
        if form.kind == "table":
            return form.restore(restored)
        if form.kind == "stack":
            grey = len(form.row_shape) == 2
            return restored[..., 0] if grey else restored
        flat = restored.reshape(len(restored), -1)
        if form.container == "numpy":
            return flat
        columns = form.columns if self.scale == 1 else tuple(self.get_feature_names_out())
        dtypes = form.dtypes if self.scale == 1 else form.dtypes[:1] * len(columns)
        return dataclasses.replace(form, row_shape=flat.shape[1:], columns=columns, dtypes=dtypes).restore(flat)

    def _enhanced_and_spread(self, X):
        """Form, restored rows in network units as transform has them, and the scaled spread of their error."""
        check_is_fitted(self)
        rows, form = check_rows(self, X, image_shape=self.image_shape, reset=False, any_size=True)
        restored, spread, correction = self._medium.with_spread(_as_images(rows, form), self._treatment())
        return form, restored, self._errors.scaled(spread, correction)

    def sample(self, X, n_samples=1, *, random_state=None):
        """Different plausible enhancements of the same rows.

        Draws differ as much from `transform` as held-out good images did: by the spread that the network predicts for
        each pixel, corrected for how errors grew with it and with what was changed around the pixel, with the
        distribution and the correlation between neighbours that errors had there. So the central 90 % of many draws
        hold the true value for about 90 % of the pixels, of images and degradations such as `fit` saw, and over many
        images: in one image most may lie outside, where all of it is too dark.

        Parameters
        ----------
        X : array-like
            As in `transform`.
        n_samples : int, default=1
            Number of draws.
        random_state : int, RandomState instance or None, default=None
            With None, a repeated call draws anew (reproducibly, if `fit` had a `random_state`).

        Returns
        -------
        X_new : ndarray of shape (n_samples, *output_shape)
            Dtype and units of `X`.
        """
        check_is_fitted(self)
        _check_count(n_samples)
        rng = self._sampling_rng if random_state is None else check_random_state(random_state)
        form, draws = self._draws(X, n_samples, rng)
        dtype = np.dtype(form.dtypes[0]) if form.container not in ("pandas", "polars") else np.dtype(np.float64)
        return np.stack([cast(draw, dtype) for draw in draws])

    def _draws(self, X, n: int, rng):
        """The form of `X`, and `n` draws one by one, float64 in its units."""
        form, restored, spread = self._enhanced_and_spread(X)
        errors = (self._errors.draw(spread.shape, rng) * spread for _ in range(n))
        return form, (_in_shape_of(form, self._medium.decode_draw(restored + error)) for error in errors)

    def uncertainty(self, X, n_samples=16):
        """Standard deviation of the error of `transform`, for every pixel.

        Errors have heavier tails than a Gaussian distribution, and half of them may lie well within 0.67 deviations:
        for an interval, take quantiles of many draws of `sample`, not multiples of this.

        Parameters
        ----------
        X : array-like
            As in `transform`.
        n_samples : int, default=16
            Errors, at least 2, of which the deviation is taken at each pixel. They are drawn from the distribution of
            `sample`, evenly spread over it, the same for every row: 16 come within a tenth, more come nearer. None:
            the deviation of that distribution itself, without chance and in less time.

        Returns
        -------
        deviation : ndarray of the shape of transform's output, float32
            In the units of `X`. Calibrated on held-out training images; it does not know of degradations or anatomy
            that were not among them.
        """
        if n_samples is not None:
            _check_count(n_samples, at_least=2)
        form, _, spread = self._enhanced_and_spread(X)
        relative = self._errors.deviation
        if n_samples is not None:
            relative = self._errors.deviation_of_draws(spread.shape[1:], n_samples, np.random.RandomState(0))
        return _in_shape_of(form, self._medium.in_units(spread * relative).astype(np.float32))

    def score(self, X, y=None, *, target=None):
        """Mean peak signal-to-noise ratio of `transform`, in dB; the peak is the scale learned at `fit`.

        Parameters
        ----------
        X : array-like
            Poor rows; without `target`, good rows, which are degraded as at `fit` (always alike) and restored.
        y : None
            Ignored.
        target : array-like, default=None
            The good version of each row.

        Returns
        -------
        decibels : float
            Higher is better.
        """
        check_is_fitted(self)
        rows, form = check_rows(self, X, image_shape=self.image_shape, reset=False, any_size=True)
        images = _as_images(rows, form)
        good = self._check_target(target, images, form)
        degradation, _ = self._resolve_degradation(self._medium)
        poor, good = self._medium.examples(images, good, degradation, np.random.RandomState(0))
        restored = self._medium.treat_encoded(poor, self._treatment())
        return float(
            np.mean([_guard.psnr(*pair) for pair in zip(*map(self._medium.visible, (restored, good)), strict=True)])
        )

    @available_if(_has_names)
    def get_feature_names_out(self, input_features=None):
        """Names of the columns of `transform`, for flat images and tables.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input columns; default those seen at `fit`, or ``x0``, ``x1``, ...

        Returns
        -------
        names : ndarray of shape (n_features_out,), object
            The input's; ``ganenhancer0``, ... where images are enlarged.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        if self.scale == 1:
            return names
        return np.asarray([f"ganenhancer{i}" for i in range(self.scale**2 * len(names))], dtype=object)

    @property
    def generator_(self):
        """Keras model, encoded poor rows to [restored, raw spread]."""
        return self._keras_model("generator_", 0)

    @property
    def discriminator_(self):
        """Keras model of the adversary; None where there was none."""
        return self._keras_model("discriminator_", 1)

    def _program(self):
        from ..gan.restoration import compiled_restorer

        return compiled_restorer(self._config)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_errors")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _as_images(rows: np.ndarray, form) -> np.ndarray:
    """Stacks and flat rows as (n, height, width, channels); rows of a table as they are."""
    if form.kind == "table":
        return rows
    return rows.reshape(len(rows), *form.image_shape)


def _rows_of(rows, good, indices):
    """Some rows and their targets."""
    return rows[indices], None if good is None else good[indices]


def _enlarged(shape: tuple, scale: int) -> tuple:
    n, height, width, channels = shape
    return n, height * scale, width * scale, channels


def _in_shape_of(form, values: np.ndarray) -> np.ndarray:
    """Results as an array shaped like the rows that came."""
    if form.kind == "stack":
        return values[..., 0] if len(form.row_shape) == 2 else values
    return values.reshape(len(values), -1)


def with_levels(levels: Mapping, span: float) -> list:
    """Steps for `degradations.resolve` from {name: level}; noise comes in the units of the images, of range `span`."""
    unknown = sorted(set(levels) - set(LEVEL_OF))
    if unknown or not levels:
        raise ValueError(f"degradation gives levels for {unknown or 'nothing'}. Known: {sorted(LEVEL_OF)}.")
    steps = []
    for name, level in levels.items():
        low, high = check_level(name, level)
        if name in ("noise", "rician"):
            level = low / span, high / span
        steps.append((name, {LEVEL_OF[name]: level}))
    return steps


def check_level(name: str, level) -> tuple[float, float]:
    """(low, high) of a number or a pair."""
    pair = tuple(level) if isinstance(level, tuple | list) else (level, level)
    if len(pair) != 2 or not all(isinstance(part, Real) for part in pair) or not 0 <= pair[0] <= pair[1]:
        raise ValueError(f"The level of {name!r} must be a number or a pair (low, high), 0 or above; got {level!r}.")
    return pair


def _check_count(n_samples, at_least: int = 1) -> None:
    if isinstance(n_samples, bool) or not isinstance(n_samples, Integral) or n_samples < at_least:
        raise ValueError(f"n_samples must be an integer of at least {at_least}; got {n_samples!r}.")


def hold_out(n: int, labels, rng) -> tuple[np.ndarray, np.ndarray]:
    """Rows for guard and calibration, and rows for training; with labels, of each class alike."""
    order = rng.permutation(n)
    if labels is None:
        n_held = max(1, min(MOST_HELD_OUT, n // 5))
        return order[:n_held], order[n_held:]
    share = min(0.25, MOST_LABELLED / n)
    held = []
    for label in np.unique(labels):
        members = order[labels[order] == label]
        held.extend(members[: int(len(members) * share)])
    held = held or [order[0]]
    return np.array(held), np.setdiff1d(order, held)
