"""A pretrained network trained on from its weights, with a softmax head: what a user would do instead of columns."""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np
from scipy.special import softmax
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
    """Classify images by a pretrained network (a copy of `backbone`) of which all layers are trained on.

    Its last map is averaged and goes to a softmax layer (Kornblith, Shlens and Le 2019, "Do better ImageNet models
    transfer better?", CVPR, section 4). Batches are balanced between classes; images are shifted, zoomed, turned and
    given another contrast, and half of them mirrored where anatomy allows it (`flip`). Adam's learning rate rises to
    `learning_rate`, then falls to 0 along a cosine. Batch normalisation keeps the statistics of the pretraining.

    `side` is the size to which images are brought, where the network takes any. `max_iter` batches take about as long
    as a default fit of `GANAugmenter`: one of 160 pixels a second on one core; after `max_time` seconds the training
    ends earlier, and the learning rate falls in time. `network_` maps RGB images of 0 to 255 to logits.
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
        """Train on images (n, height, width[, channels]) and labels (n,)."""
        rng = check_random_state(self.random_state)
        self.classes_, codes = np.unique(y, return_inverse=True)
        labels = np.eye(len(self.classes_), dtype=np.float32)[codes]
        self._codec = ImageCodec.learn([X], (*X.shape[1:], 1)[:3])
        self.network_, self._size = pretrained_classifier(self.backbone, self.side, len(labels[0]), self.flip, rng)
        chances = (1 / np.bincount(codes) / len(self.classes_))[codes]
        started, self.n_iter_ = time.perf_counter(), 0
        while (progress := self._progress(time.perf_counter() - started)) < 1:
            rows = rng.choice(len(X), self.batch_size, p=chances)
            self.network_.optimizer.learning_rate = self.learning_rate * rate_at(progress)
            self.network_.train_on_batch(self._pictures(X[rows]), labels[rows])
            self.n_iter_ += 1
        return self

    def _progress(self, seconds: float) -> float:
        in_time = 0.0 if self.max_time is None else seconds / self.max_time
        return max(self.n_iter_ / self.max_iter, in_time)

    def _pictures(self, X: np.ndarray) -> np.ndarray:
        """Return RGB images of 0 to 255, of the network's size."""
        return pictures(self._codec.encode(X), self._size)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities of the classes, (n, n_classes), float32."""
        # One image at a time: in a batch the last bit depends on the place in it.
        logits = [self.network_.predict_on_batch(self._pictures(X[i : i + 1])) for i in range(len(X))]
        return softmax(np.concatenate(logits), axis=1)

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.classes_[self.predict_proba(X).argmax(1)]


def pretrained_classifier(
    backbone: Any, side: int, n_classes: int, flip: bool, rng: np.random.RandomState
) -> tuple[Any, tuple[int, int]]:
    """Return a copy of a pretrained network with an untrained softmax layer (logits), and the images' size.

    In training it moves the images that it is given and changes their contrast.
    """
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
        image = keras.Input((*size, 3))
        x = moved(image, flip, rng)
        x = x if preprocess is None else keras.layers.Lambda(preprocess)(x)
        x = keras.layers.GlobalAveragePooling2D()(keras.Model(copy.input, maps)(x))
        x = keras.layers.Dropout(DROPPED, seed=seed_of(rng))(x)
        network = keras.Model(image, keras.layers.Dense(n_classes, kernel_initializer="zeros")(x))
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=SMOOTHING)
        network.compile(keras.optimizers.Adam(), loss, jit_compile=keras.backend.backend() == "jax")
        network.optimizer.build(network.trainable_variables)  # here, or the first step is traced twice
        return network, size


def moved(images: Any, flip: bool, rng: np.random.RandomState) -> Any:
    """Return images (n, height, width, 3), 0 to 255, after the random changes of the training."""
    from keras import layers

    edges = {"fill_mode": "nearest"}
    changes = [
        layers.RandomTranslation(SHIFT, SHIFT, **edges, seed=seed_of(rng)),
        layers.RandomZoom(ZOOM, **edges, seed=seed_of(rng)),
        layers.RandomRotation(ROTATION / 360, **edges, seed=seed_of(rng)),
        layers.RandomContrast((1 - CONTRAST[0], CONTRAST[1] - 1), seed=seed_of(rng)),
        *([layers.RandomFlip("horizontal", seed=seed_of(rng))] if flip else []),
    ]
    return functools.reduce(lambda image, change: change(image), changes, images)


def rate_at(progress: float) -> float:
    rising, falling = progress / WARM_UP, (progress - WARM_UP) / (1 - WARM_UP)
    return max(rising, 0.02) if rising < 1 else 0.5 * (1 + np.cos(np.pi * falling))


def seed_of(rng: np.random.RandomState) -> int:
    return int(rng.randint(2**31 - 1))
