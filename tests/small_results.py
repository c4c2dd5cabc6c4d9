"""What small fits give, as arrays in a file, to compare processes by: python tests/small_results.py OUT.npz"""

import sys
import warnings

import numpy as np

from sklearn_medgan import GANAugmenter, GANEnhancer
from sklearn_medgan.datasets import make_nodules

SMALL = {"backbone": None, "max_iter": 3, "width": 8, "latent_dim": 8, "random_state": 0}


def small_results():
    """Name and array of networks, columns, samples and restored rows, of images and of a table."""
    images, y = make_nodules(24, image_size=16, random_state=0, return_X_y=True)
    table = np.random.RandomState(0).normal(size=(24, 5))
    for kind, X, settings in [("images", images, {}), ("table", table, {"architecture": "dense"})]:
        gan = GANAugmenter(**SMALL, **settings).fit(X, y)
        yield f"{kind}: weights", np.concatenate([np.ravel(w) for w in gan.generator_.get_weights()])
        yield f"{kind}: transform", gan.transform(X)
        yield f"{kind}: sample", gan.sample(9, random_state=1)[0]
        yield f"{kind}: resample", gan.resample(X, y, labels=[0, 1, 1], random_state=2)[0]
        enhancer = GANEnhancer(degradation="noise", max_iter=3, width=8, random_state=0).fit(X)
        yield f"{kind}: enhance", enhancer.transform(X)
        yield f"{kind}: uncertainty", enhancer.uncertainty(X[:2])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    np.savez(sys.argv[1], **dict(small_results()))
