"""A pretrained network trained on from its weights, with a softmax head: what a user would do instead of columns."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state

from .._codecs import ImageCodec
from ..augmentation._trunk_columns import pictures

SIDE = 160  # pixels of images that go through the network: 224 takes twice the time a step
SHIFT, ZOOM, ROTATION = 0.06, 0.1, 10.0  # at most: of a side, of the size, degrees
CONTRAST = (0.8, 1.25)
WARM_UP = 0.1  # share of the training in which the learning rate rises
DROPPED = 0.2  # share of the averaged map
SMOOTHING = 0.1  # of labels


class FineTunedNetwork(ClassifierMixin, BaseEstimator):
    """Classify images by a pretrained network of which all layers are trained on.

    Its last map is averaged and goes to a softmax layer. Batches are balanced between classes; images are shifted,
    zoomed, turned and given another contrast. Adam's learning rate rises, then falls to 0 along a cosine. Batch
    normalisation keeps the statistics of the pretraining.

    Parameters
    ----------
    backbone : "auto", str or keras.Model, default="auto"
        As of `GANAugmenter`; it is copied and not changed.
    side : int, default=160
        Size to which images are brought, where the network takes any.
    max_iter : int, default=300
        Batches; these take about as long as a default fit of `GANAugmenter`: one of 160 pixels a second on one core.
    max_time : float, default=None
        Seconds after which the training ends, if that is before `max_iter`; the learning rate then falls in time.
    batch_size : int, default=16
        Images of a batch.
    learning_rate : float, default=2e-4
        The highest.
    flip : bool, default=False
        Whether half of the images are mirrored: only where anatomy allows it.
    random_state : int, RandomState instance or None, default=None
        Seed of batches, augmentation and dropout.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    network_ : keras.Model
        From RGB images of 0 to 255 to logits.
    n_iter_ : int
        Batches that were trained on.

    References
    ----------
    Kornblith, Shlens and Le 2019, "Do better ImageNet models transfer better?", CVPR, section 4.
    """

    def __init__(
        self,
        *,
        backbone: Any = "auto",
        side: int = SIDE,
        max_iter: int = 300,
        max_time: float | None = None,
        batch_size: int = 16,
        learning_rate: float = 2e-4,
        flip: bool = False,
        random_state: Any = None,
    ) -> None:
        self.backbone = backbone
        self.side = side
        self.max_iter = max_iter
        self.max_time = max_time
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.flip = flip
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray) -> FineTunedNetwork:
        """Train the network.

        Parameters
        ----------
        X : ndarray of shape (n, height, width) or (n, height, width, channels)
            Images.
        y : ndarray of shape (n,)
            Labels.

        Returns
        -------
        self
        """
        rng = check_random_state(self.random_state)
        self.classes_, codes = np.unique(y, return_inverse=True)
        shape = (*X.shape[1:], 1)[:3]
        self._codec = ImageCodec.learn([X], shape)
        self.network_, self._size = pretrained_classifier(self.backbone, self.side, len(self.classes_), seed_of(rng))
        step = training_step(self.network_)
        chances = (1 / np.bincount(codes) / len(self.classes_))[codes]
        started, self.n_iter_ = time.perf_counter(), 0
        while (progress := self._progress(time.perf_counter() - started)) < 1:
            rows = rng.choice(len(X), self.batch_size, p=chances)
            images = with_contrast(self._pictures(X[rows]), rng)
            moves = random_moves(self.batch_size, self._size, rng, self.flip)
            step(images, moves, codes[rows].astype(np.int32), np.float32(self.learning_rate * rate_at(progress)))
            self.n_iter_ += 1
        return self

    def _progress(self, seconds: float) -> float:
        """Return the share of the training that is done."""
        in_time = 0.0 if self.max_time is None else seconds / self.max_time
        return max(self.n_iter_ / self.max_iter, in_time)

    def _pictures(self, X: np.ndarray) -> np.ndarray:
        """Return RGB images of 0 to 255, of the network's size."""
        return pictures(self._codec.encode(X), self._size)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : ndarray of shape (n, height, width) or (n, height, width, channels)
            Images.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
        """
        import tensorflow as tf

        logits = tf.function(lambda images: self.network_(images, training=False), reduce_retracing=True)
        parts = [logits(self._pictures(X[i : i + 1])).numpy() for i in range(len(X))]
        return tf.nn.softmax(np.concatenate(parts)).numpy()

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the most probable class of each image.

        Parameters
        ----------
        X : ndarray of shape (n, height, width) or (n, height, width, channels)
            Images.

        Returns
        -------
        ndarray of shape (n,)
        """
        return self.classes_[self.predict_proba(X).argmax(1)]


def pretrained_classifier(backbone: Any, side: int, n_classes: int, seed: int) -> tuple[Any, tuple[int, int]]:
    """Return a copy of a pretrained network with an untrained softmax layer (logits), and the images' size."""
    import keras

    from ..backbones._efficientnet_lite import build_efficientnet_lite
    from ..backbones._resolve import lite0_weights, resolve_backbone
    from ..gan.environment import own_settings

    with own_settings():
        size, preprocess = (side, side), None
        if backbone == "auto":
            copy = build_efficientnet_lite(lite0_weights())
            maps = copy.output["head"]
        else:
            found = resolve_backbone(backbone)
            if found is None:
                raise ValueError("A network to be fine-tuned needs a backbone; got None.")
            copy = keras.models.clone_model(found.model)
            copy.set_weights(found.model.get_weights())
            maps, size, preprocess = copy.outputs[-1], found.size, found.preprocess
        for layer in copy.layers:
            layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
        trunk = keras.Model(copy.input, maps)
        image = keras.Input((*size, 3))
        x = image if preprocess is None else keras.layers.Lambda(preprocess)(image)
        x = keras.layers.GlobalAveragePooling2D()(trunk(x))
        x = keras.layers.Dropout(DROPPED, seed=seed)(x)
        return keras.Model(image, keras.layers.Dense(n_classes, kernel_initializer="zeros")(x)), size


def training_step(network: Any) -> Callable:
    """Return the compiled update ``step(images, moves, codes, rate)``."""
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam(0.0)
    loss_of = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=SMOOTHING)
    optimizer.build(network.trainable_variables)

    @tf.function
    def step(images: Any, moves: Any, codes: Any, rate: Any) -> Any:
        moved = keras.ops.image.affine_transform(images, moves, fill_mode="nearest", data_format="channels_last")
        with tf.GradientTape() as tape:
            logits = network(moved, training=True)
            loss = loss_of(tf.one_hot(codes, logits.shape[-1]), logits)
        optimizer.learning_rate.assign(rate)
        optimizer.apply(tape.gradient(loss, network.trainable_variables))
        return loss

    return step


def rate_at(progress: float) -> float:
    """Return the learning rate as a share of the highest."""
    rising, falling = progress / WARM_UP, (progress - WARM_UP) / (1 - WARM_UP)
    return max(rising, 0.02) if rising < 1 else 0.5 * (1 + np.cos(np.pi * falling))


def seed_of(rng: np.random.RandomState) -> int:
    """Return a seed drawn from a generator."""
    return int(rng.randint(2**31 - 1))


def with_contrast(images: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Return images (n, height, width, channels), 0 to 255, each with another contrast around its mean."""
    factors = rng.uniform(*CONTRAST, (len(images), 1, 1, 1)).astype(np.float32)
    means = images.mean((1, 2, 3), keepdims=True)
    return np.clip(means + factors * (images - means), 0, 255)


def random_moves(n: int, size: tuple[int, int], rng: np.random.RandomState, flip: bool) -> np.ndarray:
    """Return (n, 8) matrices of Keras' `affine_transform`: shift, zoom, turn about the middle, and mirror if asked."""
    turn, scale = np.radians(rng.uniform(-ROTATION, ROTATION, n)), np.exp(rng.uniform(-ZOOM, ZOOM, n))
    mirrored = np.where(flip & (rng.rand(n) < 0.5), -1.0, 1.0)
    a, b = scale * np.cos(turn), scale * np.sin(turn)
    middle = np.array([size[1] - 1, size[0] - 1]) / 2  # x, y
    shift = rng.uniform(-SHIFT, SHIFT, (n, 2)) * (size[1], size[0])
    matrices = np.stack([np.stack([a * mirrored, -b], 1), np.stack([b * mirrored, a], 1)], 1)
    offsets = middle + shift - matrices @ middle
    parts = [matrices[:, 0], offsets[:, :1], matrices[:, 1], offsets[:, 1:], np.zeros((n, 2))]
    return np.concatenate(parts, axis=1).astype(np.float32)
