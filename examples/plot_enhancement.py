"""
================================================
Restore poor images, and the diagnosis from them
================================================

``GANEnhancer`` learns from good images what poor ones were, on real images that come with scikit-image: patches of a
stained tissue section and of a retina. It takes about two minutes on two cores.

Research use; not a medical device.
"""

# ruff: noqa: E402

# %%
# Good images, and poor ones
# --------------------------
# The images to restore are of regions that no training image shows. They get noise with a standard deviation of 40 grey
# levels, as if taken in poor light.

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
# The enhancer degrades the training images itself, with noise of any strength up to 60 grey levels: it need not know
# how strong the noise of a new image is. Labels are only used to check that a classifier is not harmed.

from sklearn_medgan import GANEnhancer

enhancer = GANEnhancer(degradation={"noise": (0, 60)}, max_iter=1000, random_state=0).fit(X[train], y[train])
restored = enhancer.transform(poor)
report = enhancer.guard_report_
print(f"On held-out training images, {report['chosen']} did best:")
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
# The enhancer says for every pixel how far off it may be. An error brighter than the uncertainty was not foreseen.

from sklearn_medgan.plotting import EnhancementDisplay

EnhancementDisplay.from_estimator(enhancer, poor, target=X[test], n_images=4)

# %%
import matplotlib.pyplot as plt

plt.show()
