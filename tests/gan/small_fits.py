"""Fits that take no time, shared by the tests of the engine."""

import keras
import numpy as np

from sklearn_medgan import GANAugmenter, GANEnhancer

TINY = {"backbone": None, "batch_size": 8, "width": 4, "latent_dim": 4, "random_state": 0}
X = np.random.RandomState(0).normal(size=(40, 3))
y = np.arange(40) % 2


def fit(**changed):
    return GANAugmenter(**{**TINY, "architecture": "dense", "max_iter": 30, **changed}).fit(X, y)


def fit_enhancer(**changed):
    return GANEnhancer(
        **{"degradation": "noise", "guard": False, "max_iter": 30, "width": 4, "random_state": 0, **changed}
    ).fit(X)


class Stop(keras.callbacks.Callback):
    """Acts after `patience` entries of the history, and keeps what it was told."""

    def __init__(self, patience=None, error=None):
        super().__init__()
        self.patience, self.error, self.told, self.calls = patience, error, [], []

    def on_train_begin(self, logs=None):
        self.calls.append("begin")

    def on_train_end(self, logs=None):
        self.calls.append("end")

    def on_epoch_end(self, epoch, logs=None):
        self.told.append((epoch, dict(logs)))
        self.weights = self.model.generator.get_weights()
        if self.patience is not None and epoch + 1 >= self.patience:
            if self.error:
                raise self.error
            self.model.stop_training = True
