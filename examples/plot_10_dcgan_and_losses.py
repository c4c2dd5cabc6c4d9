"""
The classic DCGAN, and its losses compared
==========================================

For those who know GANs and want to set one up themselves: ``architecture="dcgan"`` with ``loss="minimax"`` is the
classic conditional network and its training. The default is another: a network without batch normalisation, a
relativistic loss, and a penalty on gradients. Here the classic network learns with two losses.

Research use; not a medical device.
"""

# %%
# Two trainings
# -------------
# Stained tissue in patches of 32x32 pixels, two classes, 200 updates of narrow networks: far too few for good
# images, enough to see how they begin. The DCGAN's own step size is 2e-4; five times as much shows its way in so
# few updates.

import matplotlib.pyplot as plt

from sklearn_medgan import GANAugmenter
from sklearn_medgan.datasets import load_tissue_patches

patches = load_tissue_patches(source="microscopy")
X, y = patches.data, patches.target
dcgan = {"architecture": "dcgan", "learning_rate": 1e-3}
settings = {
    "DCGAN, minimax": {**dcgan, "loss": "minimax"},
    "DCGAN, non-saturating": {**dcgan, "loss": "non-saturating"},
}
small = {"width": 8, "batch_size": 16, "max_iter": 200, "n_patches": 0, "backbone": None, "random_state": 0}
gans = {name: GANAugmenter(**small, **more).fit(X, y) for name, more in settings.items()}

# %%
# What they draw
# --------------
# With the minimax loss the discriminator soon knows every drawn image, and a generator that is always found out
# learns nothing: noise. With the non-saturating loss it learns at least which tissue is light and which is dark.

from sklearn_medgan.plotting import SampleGridDisplay

for name, gan in gans.items():
    grid = SampleGridDisplay.from_estimator(gan, display_labels=patches.target_names)
    grid.figure_.suptitle(name)

# %%
# How they trained
# ----------------
# The *logit gap* is how far apart the discriminator holds real and drawn images. Where it grows without end, the
# discriminator has won. The *spread* of what is drawn should come near that of the images, 1; near 0 all drawn
# images are alike. Losses of different objectives cannot be compared with one another.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for ax, key in zip(axes, ("logit_gap", "sample_spread"), strict=True):
    for name, gan in gans.items():
        ax.plot(gan.history_["step"], gan.history_[key], label=name)
    ax.set(xlabel="update", ylabel=key.replace("_", " "))
axes[1].axhline(1, color="0.6", linestyle=":")
axes[0].legend(frameon=False)

# %%
# ``loss`` also takes "hinge", "least-squares" and "wasserstein", with either network. The default network does not
# get stuck like that with any of them.
