"""
======================================
A GAN in front of an SVC, line by line
======================================

The line this package is made for, ``Pipeline([("aug", GANAugmenter()), ("clf", SVC())])``, on real images that come
with scikit-image: patches of a stained tissue section and of a retina. It takes about a minute on two cores.

Research use; not a medical device.
"""

# ruff: noqa: E402

# %%
# Images and a split
# ------------------
# Patches of one image region share a group, and a group is never parted: neighbours look alike, and a split by row
# would reward recognising the neighbour.

from sklearn.model_selection import GroupShuffleSplit

from sklearn_medgan.datasets import load_tissue_patches

patches = load_tissue_patches()
X, y = patches.data, patches.target
train, test = next(GroupShuffleSplit(test_size=0.3, random_state=0).split(X, y, patches.groups))
print(f"{len(train)} images of {X.shape[1:]} to train on, {len(test)} to test on: {patches.target_names}")

# %%
# The SVC alone
# -------------
# It takes rows of pixels, standardised.

from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

alone = make_pipeline(StandardScaler(), SVC(C=10)).fit(X[train].reshape(len(train), -1), y[train])
predicted = alone.predict(X[test].reshape(len(test), -1))
print(f"SVC alone: balanced accuracy {balanced_accuracy_score(y[test], predicted):.3f}")

# %%
# The GAN in front
# ----------------
# At ``fit`` the augmenter trains a GAN on the training images and hands the SVC the pixels beside what its
# discriminator has learned to see. At ``predict`` it does the same to new images. No image is added or left out: that
# is the contract of scikit-learn's ``Pipeline``. 150 updates are fewer than the default, to save time.

from sklearn_medgan import GANAugmenter

pipe = Pipeline([("aug", GANAugmenter(max_iter=150, random_state=0)), ("clf", SVC(C=10))])
pipe.fit(X[train], y[train])
print(f"GAN in front: balanced accuracy {balanced_accuracy_score(y[test], pipe.predict(X[test])):.3f}")

# %%
# What the GAN learned
# --------------------
# The same object draws new labelled images. After so few updates they are blurred: look before you train on them.

from sklearn_medgan.plotting import SampleGridDisplay, TrainingHistoryDisplay

SampleGridDisplay.from_estimator(pipe, X[train], y[train], display_labels=patches.target_names)

# %%
# The discriminator's loss should stay below its dotted line, chance; the logit gap should not swing wildly; the spread
# of samples should come near that of the data, one.

TrainingHistoryDisplay.from_estimator(pipe)

# %%
# Rows added
# ----------
# In ``sklearn_medgan.Pipeline`` the same steps also add synthetic images of each class at ``fit``. To try it, change
# one import: ``from sklearn_medgan import Pipeline``. Whether rows help is a question to put to held-out data each
# time: ``medgan demo`` does so by cross-validation.

import matplotlib.pyplot as plt

plt.show()
