"""GANEnhancer: a transformer that restores poor images, learned from good ones."""

from __future__ import annotations

import dataclasses
import functools
import os
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._base import NetworkEstimator
from .._containers import Form
from .._parameters import check_goes_on
from .._sklearn_compat import _check_feature_names_in, _fit_context
from .._validation import check_rows, warn_of_rows
from ._advice import evidence, warn_of
from ._configuration import CONSTRAINTS, initial_weights, training_of
from ._filters import strength_of
from ._held_out import HeldOutRows
from ._pairs import PairSource
from ._restoration import Method
from ._sampling import ErrorSampler
from ._shrinkage import Restorer, Shrunk, averaged
from ._supervision import (
    check_labels,
    check_reference,
    check_reference_labels,
    check_target,
    restoration_of,
    supervision_of,
)

if TYPE_CHECKING:
    from numpy.random import RandomState

    from ..gan.restoration import RestorerConfiguration, RestorerProgram


def _has_names(estimator: GANEnhancer) -> bool:
    """Whether rows are flat: image stacks have no columns, and bypass `set_output`."""
    form = getattr(estimator, "_form", None)
    return form is None or len(form.row_shape) == 1


class GANEnhancer(ErrorSampler, NetworkEstimator):
    """Learn from good images of a modality to restore poor ones: noise, blur, low dose, low resolution, low contrast.

    As it comes this is no GAN: a residual network learns to undo what made images poor by the distance to the good ones
    alone. With ``adversarial_weight > 0`` it is the generator of a conditional GAN: a discriminator judges its patches
    as well. Where pairs of a poor and a good image can be made, no gain from that was measured.

    `fit` degrades the good images itself (or takes pairs); `transform` takes images of any size. Before it is used, the
    network has to beat doing nothing and simple filters on training images that it did not see (`guard`).

    Parameters
    ----------
    image_shape : tuple (height, width) or (height, width, channels), default=None
        Shape of an image where rows are flat, (n, height x width x channels). Image stacks need none; flat rows without
        it are a table, for which this is a dense denoiser.
    supervision : {"auto", "degradation", "paired", "unpaired", "self"}, default="auto"
        What there is to learn from. "auto" goes by what `fit` gets: with `target`, pairs ("paired"); with `reference`,
        poor images and good ones of others ("unpaired"); else good images, which are degraded here ("degradation").
        "self", only on request: noisy images alone, whose noise is independent from pixel to pixel. In the last two
        what made images poor is learned as well, so `degradation` and `scale` stay at their defaults.
    degradation : str, list of str, dict, or callable, default="auto"
        How good images become poor: a name of `sklearn_medgan.degradations.DEGRADATIONS` ("noise", "blur",
        "low_dose_ct", "speckle", ...), or a list of them applied in turn. Each image draws its own level from a wide
        range, so the network needs no level at `transform`. A dict gives levels, a number or a pair (low, high):
        {"noise": 25} is a standard deviation of 25 in the units of the images, {"blur": (0, 2)} pixels. A callable
        ``f(images, rng)`` gets float images (n, height, width, channels) in fractions of the learned scale. "auto":
        noise and blur; with ``scale > 1`` none; on a table, noise.
    scale : {1, 2, 3, 4}, default=1
        Enlargement: `transform` returns images `scale` times as high and wide (super-resolution).
    adversarial_weight : float, default=0.0
        Weight of a discriminator beside the fidelity loss, in the last two fifths of training; 0: there is none.
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
        with labels `y` by a linear classifier (of the good images, or of `X` in cross-validation where there are none),
        which must not do worse by more than a standard error on poor images nor on good ones. Where the network is not
        best, it warns, and `transform` does what was. Good images are left alone: filters fade out, and what would
        hardly change comes back as it was.
    tile_size : int, default=512
        Largest side of an image that goes through the network as a whole. Larger ones are cut into overlapping tiles
        of four fifths of it. Two images or tiles are under way at a time.
    n_views : {1, 2, 4, 8}, default=1
        Turned and mirrored views of an image that are restored and averaged, which takes so many times as long
        (self-ensemble; Timofte et al. 2016, arXiv 1511.02228, section 2.5).
    pretrained : "auto" or bool, default="auto"
        Whether training begins with weights that ship with the package, for images, ``width=32`` and ``depth=8``: they
        learned from photographs and drawn images, none medical. "auto": where they exist; True: else an error.
    warm_start : bool, default=False
        Whether `fit` goes on from the earlier fit with `max_iter` more steps; the scale stays as learned then.
    checkpoint_dir : path-like, default=None
        Folder of the file ``training.npz``, into which the training writes its state (no image, no patch). The same
        `fit`, begun again after the process was killed, goes on from there, and ends with the same bits. Another
        training that was cut short is an error, which names what differs; a finished one is written over. Needs an
        integer as `random_state`; `max_time` counts anew.
    callbacks : list of keras.callbacks.Callback, default=None
        Told of each entry of `history_` as of an epoch; ``self.model.generator`` is current.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, patches, degradations and samples. No global seed is read or set.
    verbose : int, default=0
        1 shows a progress bar with step, losses and time left, by `max_iter` or `max_time`, whichever will end first.

    Attributes
    ----------
    generator_, discriminator_ : keras.Model
        The trained networks with averaged weights: encoded poor rows to [restored, raw spread]; and the adversary, None
        where ``adversarial_weight=0``.
    guard_report_ : dict
        - `supervision` and `evidence`: what was learned from, and what methods were compared on, in words.
        - `chosen`: "network" or the name of what is done instead. Set it to another key of `strength`, and `transform`
          does that, while `uncertainty` stays that of the first.
        - `psnr` and (with labels) `balanced_accuracy` of methods on `n_held_out` images, `strength` of each filter as
          tuned on training images; `psnr_clean`, `balanced_accuracy_clean` where the same images come in undegraded
          (None where good images are no input: with `target`, ``scale > 1``, or contrast changed as a whole).
        - `spared`: the change (root mean square over an image, in its units) up to which the network leaves an image as
          it is; `shrinkage`: the size of corrections that are applied by half.
        - `on_poor`, with `reference`: of poor images after a method the kernel `distance` to good ones (0 to 2; less
          than `chance` is none), the share of gradients kept (`content`), with labels `balanced_accuracy` in
          cross-validation, and what speaks `against` it, in words. Where the sets are not `apart`, nothing is done.
    n_features_in_, feature_names_in_ : int, ndarray of str
        Height x width x channels, or the number of columns; their names, of a DataFrame with string names.
    image_shape_ : tuple (height, width, channels) or None
        Shape of the training images; None for a table.
    history_ : dict of list
        Means over every 10 steps: `step`, `fidelity_loss`, `spread_loss`, `psnr` (of training patches, dB), `gain`
        (dB over the poor patches), `generator_loss`, `discriminator_loss`, `penalty`, `learning_rate`.
    n_iter_ : int
        Training steps so far.

    Notes
    -----
    The intensity scale (smallest to largest training value) is learned at `fit`. A saved estimator holds no training
    image. Images may stay in a file, as a memory map or anything with `shape`, `dtype` and slices (h5py, zarr,
    `datasets.LazyImages`): training reads each image of a batch, and `transform` returns an array in memory. Restored
    images look more certain than they are: see `uncertainty`. Research use; not a medical device.

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

    _parameter_constraints: ClassVar[dict] = CONSTRAINTS
    _config: RestorerConfiguration
    guard_report_: dict[str, Any]

    def __init__(
        self,
        *,
        image_shape: tuple[int, ...] | None = None,
        supervision: str = "auto",
        degradation: Any = "auto",
        scale: int = 1,
        adversarial_weight: float = 0.0,
        width: int = 32,
        depth: int = 8,
        patch_size: int = 48,
        batch_size: int = 8,
        max_iter: int | str = "auto",
        max_time: float | None = None,
        learning_rate: float | str = "auto",
        guard: bool = True,
        tile_size: int = 512,
        n_views: int = 1,
        pretrained: bool | str = "auto",
        warm_start: bool = False,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        callbacks: list | None = None,
        random_state: int | RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.image_shape = image_shape
        self.supervision = supervision
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
        self.n_views = n_views
        self.pretrained = pretrained
        self.warm_start = warm_start
        self.checkpoint_dir = checkpoint_dir
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: Any = None, *, target: Any = None, reference: Any = None, reference_y: Any = None
    ) -> GANEnhancer:
        """Learn to restore rows like these.

        Parameters
        ----------
        X : array-like of shape (n, height, width), (n, height, width, channels) or (n, n_features)
            Good images, any real dtype and range; with `target` or `reference`, poor ones.
        y : array-like of shape (n,) or (n, 1), default=None
            Class labels of `X`. Only `guard` looks at them (but for `reference_y`), so it works ahead of a classifier.
        target : array-like, default=None
            The good version of each row of `X`, of the same form; its sides are `scale` times as long.
        reference : array-like, default=None
            Good images of other patients, another scanner or site: at least 8 of any size, with the channels of `X` and
            in its units, which are others where the central 99 % of the values of the two do not overlap, are over four
            times as wide in one, or go below 0 by a third of their width in one alone.
        reference_y : array-like, default=None
            Class labels of `reference`: with `y`, images are left out by chance until classes have the same shares in
            both sets, so that their mix is not taken for the scanner.

        Returns
        -------
        self : GANEnhancer

        Raises
        ------
        ValueError, TypeError
            For rows, targets or parameters that cannot be used; an earlier fit is then still intact.
        """
        with self._all_or_nothing():
            return self._fit(X, y, target, reference, reference_y)

    def _fit(self, X: ArrayLike, y: Any, target: Any, reference: Any, reference_y: Any) -> GANEnhancer:
        goes_on = self.warm_start and self.__sklearn_is_fitted__()
        rows, form = check_rows(self, X, image_shape=self.image_shape, reset=not goes_on, any_size=goes_on)
        labels = check_labels(X, y)
        supervision = supervision_of(self.supervision, target, reference)
        kind = restoration_of(supervision, form, self)
        self._form, self.image_shape_ = form, form.image_shape
        warn_of_rows(rows, type(self).__name__, form.kind)
        rows = kind.shaped(rows, form)
        good = check_target(self, target, rows, form), check_reference(self, reference, rows, form)
        others = check_reference_labels(reference, reference_y, labels)
        config = kind.network_for(self, form)
        if goes_on:
            earlier = {"supervision": supervision, **self.guard_report_, "scale": self._restoration.scale}
            asked = {"supervision": supervision, "scale": self.scale, **vars(config)}
            check_goes_on({**earlier, **vars(self._config)}, asked)
            self._restoration.warn_of_units(rows)
        rng = check_random_state(self.random_state)
        of_split, of_learning, of_pairs, of_assessment = map(np.random.RandomState, rng.randint(2**31 - 1, size=4))
        scaled_by = next((images for images in good if images is not None), rows)
        restoration = self._restoration if goes_on else kind.begin(scaled_by, self)
        restoration = restoration.adjusted(self)
        degrading = restoration.degrading(self)
        parts = HeldOutRows.split(rows, labels, good, degrading, of_split, of_assessment, others)
        if not goes_on:
            restoration = restoration.learn(parts, of_learning)
            parts = dataclasses.replace(parts, degrading=restoration.degrading(self))
        self._restoration, self._config = restoration, config
        pairs = restoration.pairs(parts, int(self.patch_size), of_pairs)
        self._train(pairs, goes_on, rng, (rows, labels, *good, others))
        report, self._error_model = restoration.assess(parts, self._network, self.guard)
        words = evidence(supervision, report, self.guard)
        self.guard_report_ = {"supervision": supervision, "evidence": words, **report}
        warn_of(self.guard_report_)
        self._sampling_rng = np.random.RandomState(rng.randint(np.iinfo(np.int32).max))
        return self

    def _train(self, pairs: PairSource, goes_on: bool, rng: RandomState, given: tuple) -> None:
        from ..gan.checkpoint import Checkpoint
        from ..gan.loop import Run
        from ..gan.restoration import train_restorer

        program = self._program()
        weights = None if goes_on else initial_weights(self, program)
        max_iter, rate = training_of(self, self._restoration.budget, started=goes_on or weights is not None)
        state = self._state if goes_on else program.initial_state(rng, weights)
        checkpoint = Checkpoint.of(self, program, state, *given)
        history = self.history_ if goes_on else {}
        run = Run(max_iter, self.max_time, self.verbose, self.callbacks, history, checkpoint)
        outcome = train_restorer(program, state, pairs.draw, rate, float(self.adversarial_weight), run)
        self._keep(outcome, "of the enhancer", "Lower learning_rate.")

    @property
    def _network(self) -> Restorer:
        return averaged(functools.partial(_run, self._program(), self._state.generator.ema), int(self.n_views))

    def _method(self) -> Method:
        """What the guard chose."""
        report = self.guard_report_
        size, spared = (report[name] / self._restoration.span for name in ("shrinkage", "spared"))
        return Method(Shrunk(self._network, size), report["chosen"], strength_of(report), spared)

    def _checked(self, X: ArrayLike) -> tuple[np.ndarray, Form]:
        check_is_fitted(self)
        rows, form = check_rows(self, X, image_shape=self.image_shape, reset=False, any_size=True)
        rows = self._restoration.shaped(rows, form)
        self._restoration.warn_of_units(rows)
        return rows, form

    def transform(self, X: ArrayLike) -> Any:
        """Return enhanced rows.

        Parameters
        ----------
        X : array-like
            Images of any size from 8 x 8 (rows of a table: as at `fit`), any numeric dtype, in the units seen at `fit`.

        Returns
        -------
        X_out : ndarray, or DataFrame for a DataFrame
            In the form and dtype of `X`; stacks and flat images are `scale` times as high and wide. Integers are
            rounded and clipped to their dtype. A row's result does not depend on the rows beside it.

        Warns
        -----
        UserWarning
            With both ranges, where 1 % of all values, or 10 % of an image's, lie beyond that of `fit` by a tenth of its
            width (0.6 of it where good images alone were seen), or all fill little of it, as 0 to 1 of 0 to 255.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            For rows of another kind or with other columns or channels than at `fit`, and for NaN or infinity.
        """
        rows, form = self._checked(X)
        if form.container == "list" or self._form.container not in ("pandas", "polars"):  # a frame for a frame
            form = dataclasses.replace(form, container="numpy", dtypes=(str(rows.dtype),))
        result = self._restoration.in_form(self._restoration.apply(rows, self._method()), form)
        if form.container == "pandas":
            result.index = X.index  # type: ignore[union-attr]
        return result

    @available_if(_has_names)
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the columns of `transform`, for flat images and tables.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input columns; default those seen at `fit`, or ``x0``, ``x1``, ...

        Returns
        -------
        names : ndarray of shape (n_features_out,), object
            The input's; ``ganenhancer0``, ... where images are enlarged.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For other names, or another number of them, than at `fit`.
        """
        check_is_fitted(self)
        return self._restoration.names_out(_check_feature_names_in(self, input_features))

    def _program(self) -> RestorerProgram:
        from ..gan.restoration import compiled_restorer

        return compiled_restorer(self._config)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _run(program: RestorerProgram, weights: np.ndarray, rows: np.ndarray, with_spread: bool) -> list[np.ndarray]:
    """Encoded rows as the network restores them; see `_shrinkage.Restorer`."""
    from keras import ops

    outputs = program.restore_with_spread(weights, rows) if with_spread else [program.restore(weights, rows)]
    return [ops.convert_to_numpy(output) for output in outputs]
