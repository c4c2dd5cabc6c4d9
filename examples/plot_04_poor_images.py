"""
Poor images ahead of a classifier
=================================

Your classifier learned from good images, and new ones come noisy: at low dose, or in poor light. ``GANEnhancer``
learns from the good images what noise is, and restores the poor ones ahead of the classifier.

Research use; not a medical device.
"""

# %%
# Good images, and poor ones
# --------------------------
# The images to restore are of regions that no training image shows. They get noise with a standard deviation of 40
# grey levels.

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from sklearn_medgan.datasets import load_tissue_patches

patches = load_tissue_patches()
X, y = patches.data, patches.target
train, test = next(GroupShuffleSplit(test_size=0.3, random_state=0).split(X, y, patches.groups))
noise = np.random.default_rng(0).normal(0, 40, X[test].shape)
poor = np.clip(X[test] + noise, 0, 255).astype(np.uint8)

# %%
# Learn from the good ones
# ------------------------
# The enhancer makes the training images poor by itself, with noise of any strength up to 60 grey levels: how strong
# that of a new image is, it need not be told. Labels only serve to check that a classifier is not harmed. 600 steps
# are few (the default is 4,000, for some minutes), and more remove more noise.

from sklearn_medgan import GANEnhancer

enhancer = GANEnhancer(degradation={"noise": (0, 60)}, max_iter=600, random_state=0).fit(X[train], y[train])
restored = enhancer.transform(poor)
report = enhancer.guard_report_
print(f"On held-out training images, {report['chosen']} did best, in decibels:")
print({name: round(decibels, 1) for name, decibels in report["psnr"].items()})

# %%
# The diagnosis
# -------------
# A classifier of good images meets poor ones, and restored ones.

from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

classifier = make_pipeline(StandardScaler(), SVC(C=10)).fit(X[train].reshape(len(train), -1), y[train])
for name, images in {"good": X[test], "poor": poor, "restored": restored}.items():
    score = balanced_accuracy_score(y[test], classifier.predict(images.reshape(len(test), -1)))
    print(f"{name}: balanced accuracy {score:.3f}")

# %%
# Look at them
# ------------
# For every pixel the enhancer says how far off it may be. Both maps have one scale: an error that is brighter than
# the uncertainty was not foreseen.

from sklearn_medgan.plotting import EnhancementDisplay

EnhancementDisplay.from_estimator(enhancer, poor, target=X[test], n_images=4)
