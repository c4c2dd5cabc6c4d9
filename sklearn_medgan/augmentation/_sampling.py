"""Synthetic rows: samples of the generator, real ones moved, and rows near real ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._allocation import synthetic_counts
from .._base import caller_depth, warn_caller
from .._codecs import warn_of_range
from .._containers import Form, as_rows, join_labels, join_rows
from .._parameters import check_whole
from .._sklearn_compat import _safe_indexing
from .._validation import check_rows
from ._configuration import AUTO, resolve_resampling
from ._enlargement import enlarge
from ._labels import check_labels, codes_of, n_label_columns
from ._mixture import Mixture
from ._near_copies import MOST_COMPARED, ROUNDS, RealRows, told
from ._patch_learning import PatchSource
from ._resampling import resized

NEARNESS = 0.5  # share of the difference between two samples that a real row is changed by (docs/research_log.md)
INHERITED = 0.5  # strength of `augment` on rows for a classifier, of that in training
VALUES_AT_ONCE = 1 << 24  # of rows that are made at a time

DIRECTLY = 2  # depth of a caller of `fit_resample` that is not of this package
STARTED_FROM_REAL = (
    "Rows that were added start from real ones of their class (resampling) and show whose they are: they are for your "
    "classifier. To hand rows on, set resampling='sample'."
)

RandomState = int | np.random.RandomState | None
Encoded = Callable[[np.ndarray], np.ndarray]  # real rows, by their positions, as the networks take them


class Sampler:
    """What a fitted `GANAugmenter` does besides `transform`: it draws rows."""

    image_shape: tuple[int, ...] | None
    resampling: str
    sampling_strategy: Any
    ratio: float
    classes_: np.ndarray
    _form: Form
    _canvas: Any
    _detail: dict[str, Any]
    _dictionary: PatchSource | None
    _mixture: Mixture | None = None  # a file may be of before there were any
    history_: dict[str, list]
    _config: Any
    _state: Any
    _priors: np.ndarray
    _sampling_rng: np.random.RandomState
    _resampling_seed: int
    _moments: list
    n_features_in_: int
    image_shape_: tuple[int, int, int] | None
    _program: Any
    fit: Any

    def sample(
        self,
        n_samples: int = 1,
        *,
        y: Any = None,
        X: ArrayLike | None = None,
        min_distance: float = 0.5,
        random_state: RandomState = None,
    ) -> tuple[Any, np.ndarray | None]:
        """Draw synthetic rows; where they are to be handed on, none near those of `X`.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows; with an array `y`, its length counts.
        y : label or array-like of labels, default=None
            Class of every row, or of each row. Default: drawn from the class balance of the training rows.
        X : array-like, default=None
            Real rows of which no near-copy is to be drawn: those of `fit`, which a fitted model does not hold.
        min_distance : float, default=0.5
            How far from each row of `X` samples stay, by the median distance of its rows to their nearest other one:
            images by their values at `gan_size`, the columns of a table standardised. Nearer ones are drawn again, up
            to ten times; those that stay near are left out. 0: nothing is compared.
        random_state : int, RandomState instance or None, default=None
            With None, a repeated call draws anew (reproducibly, if `fit` had a `random_state`).

        Returns
        -------
        X_new : rows in the form of the rows that were fitted
            Container, shape, dtype and intensity range are theirs.
        y_new : ndarray of shape (n,) or None
            Labels; None after an unlabelled fit.

        Warns
        -----
        UserWarning
            Where samples came near rows of `X`: how many, and how many are left out. Where `X` can hardly be in the
            units seen at `fit`.

        Raises
        ------
        ValueError
            For labels not seen at `fit`, rows `X` that differ from those of `fit`, and where the generator was not
            trained (``adversarial_weight=0``).

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
        is_compared = check_distance(min_distance)
        rng = self._sampling_rng if random_state is None else check_random_state(random_state)
        codes = self._sample_codes(n_samples, y, rng)
        drawn = self._draw(self._one_hot(codes), rng)
        if X is not None and is_compared:
            drawn, codes = self._apart(drawn, codes, X, min_distance, rng)
        return self._restored(len(codes), lambda part: self._enlarged(drawn[part], rng)), self._labels_of(codes)

    def _apart(
        self, drawn: np.ndarray, codes: np.ndarray, X: ArrayLike, min_distance: float, rng: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return samples with their classes, near-copies of rows of X drawn again or left out."""
        rows = self._checked(as_rows(X))
        self._warn_of_units(rows[:MOST_COMPARED])  # in others nothing is near
        encoded = self._canvas.draw([rows])[:]
        spread: Any = 1.0
        if self._form.kind == "table":  # the model's own is rounded
            spread = encoded.std(0)
            spread[spread == 0] = 1.0
        real = RealRows.of(encoded / spread, min_distance)
        near = real.near(self._seen(drawn) / spread)
        n_near = int(near.sum())
        for _ in range(ROUNDS):
            again = np.flatnonzero(near)
            if not len(again):
                break
            drawn[again] = self._draw(self._one_hot(codes[again]), rng)
            near[again] = real.near(self._seen(drawn[again]) / spread)
        if n_near:
            warn_caller(told(len(codes), n_near, int(near.sum()), min_distance), UserWarning)
        return drawn[~near], codes[~near]

    def _checked(self, X: Any) -> Any:
        """Return rows of the form seen at fit; an error else."""
        return check_rows(self, X, image_shape=self.image_shape, reset=False)[0]

    def _warn_of_units(self, rows: Any) -> None:
        """Warn where images can hardly be in the units of fit; ends are means of five images, which others may pass."""
        if self._form.kind != "table":
            codec = self._canvas.codec
            warn_of_range(np.asarray(rows), codec.low, codec.high, type(self).__name__, outside=1.0)

    def _seen(self, drawn: np.ndarray) -> np.ndarray:
        """Return samples on the canvas as whoever gets them sees them: in the range, and on a table's levels."""
        if not self._canvas.is_whole:
            return np.clip(drawn, -1.0, 1.0)
        return self._canvas.codec.encode(self._canvas.codec.decode(drawn))

    def resample(
        self, X: ArrayLike, y: ArrayLike, *, labels: Any, random_state: RandomState = None
    ) -> tuple[Any, np.ndarray | None]:
        """Make rows for a classifier, in the way that `resampling` names; `fit_resample` without the fit.

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
            New rows only. Images start from rows of X unless ``resampling="sample"``: do not hand them on.
        y_new : ndarray of shape (n_new,)
            Their labels, `labels`.

        Warns
        -----
        UserWarning
            Where X, of which new images are made, can hardly be in the units seen at `fit`.

        Raises
        ------
        ValueError, TypeError
            For rows that differ from those of `fit`, labels not seen at `fit`, and labels of which y has no row; where
            the GAN is to make them and its generator was not trained (``adversarial_weight=0``).

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
        way = resolve_resampling(self.resampling, self._form.kind == "table")
        if np.ndim(labels) != 1:
            raise ValueError(f"labels must hold one label for each row to make; got {labels!r}. Pass a list of them.")
        if way == "sample" or not len(labels):
            return self.sample(y=labels, random_state=random_state)
        rng = self._sampling_rng if random_state is None else check_random_state(random_state)
        labels_known = check_labels(X, y, type(self).__name__)
        codes = self._sample_codes(len(labels), labels, rng, "labels")
        known = self._sample_codes(len(labels_known), labels_known, rng)
        X = as_rows(X)
        self._warn_of_units(self._checked(_safe_indexing(X, slice(MOST_COMPARED))))

        def encoded(origins: np.ndarray) -> np.ndarray:
            return self._canvas.codec.encode(self._checked(_safe_indexing(X, origins)))

        if way == "classical":
            rows_of = self._from_real_rows(encoded, known, codes, rng)
        else:
            rows_of = self._near_and_samples(encoded, known, codes, way == "mixed", rng)
        return self._restored(len(codes), rows_of), self._labels_of(codes)

    def _from_real_rows(
        self, encoded: Encoded, known: np.ndarray, codes: np.ndarray, rng: np.random.RandomState
    ) -> Callable[[slice], np.ndarray]:
        """Return what makes rows of real ones that are moved, without the GAN."""
        origins = real_origins(known, codes, self.classes_, rng)
        augment = self._config.augment or AUTO["conv"]["augment"]
        return lambda part: moved(encoded(origins[part]), augment, rng)

    def _near_and_samples(
        self, encoded: Encoded, known: np.ndarray, codes: np.ndarray, mixed: bool, rng: np.random.RandomState
    ) -> Callable[[slice], np.ndarray]:
        """Return what makes rows of the GAN: near real ones, every second of them a sample where they are mixed."""
        self._check_generator()
        one_hot = self._one_hot(codes)
        drawn = self._draw(one_hot, rng)
        near = every_second(codes) if mixed else np.ones(len(codes), bool)
        origins = real_origins(known, codes[near], self.classes_, rng)
        change = NEARNESS * (drawn[near] - self._draw(one_hot[near], rng))
        place = np.cumsum(near) - 1  # of a row near a real one, among all of these

        def rows_of(part: slice) -> np.ndarray:
            beside, which = near[part], place[part][near[part]]
            rows = np.empty((len(beside), *self._canvas.codec.network_shape), np.float32)
            rows[~beside] = self._enlarged(drawn[part][~beside], rng)
            if len(which):
                moves = change[which] if self._canvas.is_whole else resized(change[which], rows.shape[1:])
                rows[beside] = encoded(origins[which]) + moves
            return moved(rows, self._config.augment, rng)

        return rows_of

    def fit_resample(self, X: ArrayLike, y: ArrayLike, *, X_unlabeled: ArrayLike | None = None) -> tuple[Any, Any]:
        """Train on the rows, then append labelled ones, made in the way that `resampling` names.

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
            The original rows first, untouched, then those that were added, class by class.
        y_res : labels in the form of y
            Their labels.

        Warns
        -----
        UserWarning
            Where rows start from real ones (`resampling`), and no pipeline of this package asked for them.

        Raises
        ------
        ValueError, TypeError
            As in `fit`; without `y`; for a `sampling_strategy` that asks for fewer rows than there are.
        """
        if y is None:
            raise ValueError("fit_resample requires y: rows are added class by class; got y=None.")
        X = as_rows(X)
        counts = synthetic_counts(check_labels(X, y, type(self).__name__), self.sampling_strategy, self.ratio)
        self.fit(X, y, X_unlabeled=X_unlabeled)
        wanted = np.repeat(self.classes_, [counts.get(label, 0) for label in self.classes_.tolist()])
        if not len(wanted):
            return X, y
        X_new, y_new = self.resample(X, y, labels=wanted, random_state=self._resampling_seed)
        if resolve_resampling(self.resampling, self._form.kind == "table") != "sample" and caller_depth() == DIRECTLY:
            warn_caller(STARTED_FROM_REAL, UserWarning)
        return join_rows(X, X_new), join_labels(y, np.asarray(y_new))

    def _check_parts(self) -> None:
        """Raise ValueError where form, networks, classes and columns are not of one fit."""
        canvas, config, form = self._canvas, self._config, self._form
        shape = canvas.codec.padded_shape(self.n_features_in_) if form.kind == "table" else form.image_shape
        rows = (math.prod(form.row_shape), form.image_shape, shape, canvas.shape)
        if rows != (self.n_features_in_, self.image_shape_, canvas.codec.network_shape, config.shape):
            raise ValueError(f"networks of {config} do not take rows of {form}")
        classes = getattr(self, "classes_", np.zeros(0))
        if n_label_columns(len(classes)) != config.n_classes or len(classes) != len(getattr(self, "_priors", classes)):
            raise ValueError(f"networks of {config} do not know {len(classes)} classes")
        mixture = self._mixture
        if mixture is not None and mixture.size != (self.n_features_in_, max(1, len(classes))):
            raise ValueError(f"a mixture of {mixture.size} columns and classes does not draw rows of {form}")
        if any(not (mean.shape == weight.shape and mean.ndim == 1) for kind in self._moments for mean, weight in kind):
            raise ValueError("location and weight of the columns differ in length")

    def _check_generator(self) -> None:
        if self._config.adversarial is False:
            raise ValueError("Nothing to sample: with adversarial_weight=0 the generator was not trained. Raise it.")

    def _labels_of(self, codes: np.ndarray) -> np.ndarray | None:
        return self.classes_[codes] if hasattr(self, "classes_") else None

    def _one_hot(self, codes: np.ndarray) -> np.ndarray:
        """Return labels as the networks take them; zeros after an unlabelled fit."""
        labels = np.zeros((len(codes), self._config.n_classes), np.float32)
        if hasattr(self, "classes_"):
            labels[np.arange(len(codes)), codes] = 1.0
        return labels

    def _sample_codes(self, n_samples: int, y: Any, rng: np.random.RandomState, name: str = "y") -> np.ndarray:
        """Return positions in `classes_` of the rows to draw (zeros without labels)."""
        check_whole("n_samples", n_samples, 1)
        known = hasattr(self, "classes_")
        if y is None:
            return rng.choice(len(self._priors), n_samples, p=self._priors) if known else np.zeros(n_samples, int)
        if not known:
            raise ValueError(f"GANAugmenter was fitted without labels, so it cannot sample y={y!r}. Fit with y.")
        return codes_of(y, n_samples, self.classes_, name)

    def _restored(self, n: int, rows_of: Callable[[slice], np.ndarray]) -> Any:
        """Return rows in the form of those that were fitted, from encoded ones that are made some at a time."""
        step = max(1, VALUES_AT_ONCE // math.prod(self._canvas.codec.network_shape))
        parts = [slice(start, start + step) for start in range(0, max(n, 1), step)]
        return join_rows(*(self._form.restore(self._canvas.codec.decode(rows_of(part))) for part in parts))

    def _enlarged(self, drawn: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Return samples on the canvas at the size of the rows."""
        if self._canvas.is_whole:
            return drawn
        return enlarge(drawn, self._detail, self._canvas.codec.network_shape, rng)

    def _draw(self, labels: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Return encoded samples of one-hot labels: of the mixture, where a table has one, else of the generator."""
        if self._mixture is not None:
            rows = self._mixture.draw(labels.argmax(1), rng)
            return np.pad(rows, ((0, 0), (0, self._canvas.codec.network_shape[0] - rows.shape[1])))
        return self._generate(rng.standard_normal((len(labels), self._config.latent_dim)).astype(np.float32), labels)

    def _generate(self, noise: np.ndarray, labels: np.ndarray) -> np.ndarray:
        player = self._state.generator
        return self._program().generate(player.ema, player.buffers, np.concatenate([noise, labels], axis=1))


def check_distance(min_distance: float) -> bool:
    """Return whether there is a distance to keep; ValueError where it is none."""
    if not isinstance(min_distance, Real) or not 0 <= float(min_distance) < np.inf:
        raise ValueError(f"min_distance must be a number of at least 0; got {min_distance!r}. 0.5 is usual.")
    return float(min_distance) > 0


def moved(encoded: np.ndarray, augment: tuple[str, ...], rng: np.random.RandomState) -> np.ndarray:
    """Return encoded images moved as those of training were, less far, each with a tone curve of its own."""
    if not augment:
        return encoded
    from keras import ops

    from ..gan import augment as augmentation

    seed, images = rng.randint(np.iinfo(np.int32).max, size=2).astype(np.int32), ops.convert_to_tensor(encoded)
    if "contrast" in augment:
        images = augmentation.bend(images, seed)
    return ops.convert_to_numpy(augmentation.augment(images, augment, seed, INHERITED))


def every_second(codes: np.ndarray) -> np.ndarray:
    """Return a mask of every second row of each class, its first one included."""
    mask = np.zeros(len(codes), bool)
    for code in np.unique(codes):
        mask[np.flatnonzero(codes == code)[::2]] = True
    return mask


def check_classes(known: np.ndarray, codes: np.ndarray, classes: np.ndarray, name: str) -> None:
    """Raise ValueError where `codes`, those of the argument `name`, are of classes that no real row has."""
    missing = classes[np.setdiff1d(codes, known)].tolist()
    if missing:
        raise ValueError(f"{name} asks for rows of classes {missing}, of which y has none. Leave them out of {name}.")


def real_origins(known: np.ndarray, codes: np.ndarray, classes: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Return for each of `codes` the position in `known` of a row of that class: these in turn, in a random order."""
    check_classes(known, codes, classes, "labels")
    origins = np.empty(len(codes), int)
    for code in np.unique(codes):
        wanted = codes == code
        origins[wanted] = np.resize(rng.permutation(np.flatnonzero(known == code)), np.count_nonzero(wanted))
    return origins
