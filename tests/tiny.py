"""Estimators and images that are fitted in an instant."""

import numpy as np

from sklearn_medgan import GANAugmenter, GANEnhancer


def gan(**parameters):
    return GANAugmenter(
        **{
            "backbone": None,
            "max_iter": 2,
            "width": 4,
            "latent_dim": 4,
            "batch_size": 8,
            "n_patches": 16,
            "random_state": 0,
            **parameters,
        }
    )


def flat_classes(dtype=np.uint8, levels=(10, 200), n=6, side=8, channels=()):
    """Images of one level each: class k holds levels[k], so a picture tells which class it shows."""
    y = np.repeat(np.arange(len(levels)), n)
    X = np.broadcast_to(
        np.asarray(levels, dtype)[y].reshape(-1, 1, 1, *(1,) * len(channels)), (len(y), side, side, *channels)
    )
    return X.copy(), y


def enhancer_of(good, **parameters):
    small = {"degradation": "noise", "max_iter": 3, "width": 4, "depth": 2, "patch_size": 16, "guard": False}
    return GANEnhancer(**{**small, "random_state": 0, **parameters}).fit(good)


def random_images(*shape, low=0, high=200, seed=0):
    images = np.random.default_rng(seed).integers(low, high, shape).astype(np.uint8)
    images[0].flat[:2] = low, high - 1  # so that the scale learned at fit is known
    return images
