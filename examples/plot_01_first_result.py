"""
A first result in five lines
============================

Put ``GANAugmenter`` in front of a classifier when you have some hundred labelled images or fewer. The line to write
is ``Pipeline([("aug", GANAugmenter()), ("clf", SVC())])``; nothing else of scikit-learn changes. The images are
patches of a stained tissue section and of a retina, which come with scikit-image.

Research use; not a medical device.
"""

# %%
# Images and a split
# ------------------
# Patches of one image region share a group, and a group is never parted: neighbours look alike, so a split by image
# would reward recognising the neighbour. In your data a group is a patient.

from sklearn.model_selection import GroupShuffleSplit

from sklearn_medgan.datasets import load_tissue_patches

patches = load_tissue_patches()
X, y = patches.data, patches.target
train, test = next(GroupShuffleSplit(test_size=0.3, random_state=0).split(X, y, patches.groups))
print(f"{len(train)} images of {X.shape[1:]} to train on, {len(test)} to test on: {patches.target_names}")

# %%
# Five lines
# ----------
# At ``fit`` the augmenter trains a GAN on the training images and hands the SVC *image features*: what a network
# that was trained on photographs sees, which small patches an image holds, and what the GAN's discriminator has
# learned. At ``predict`` it does the same to new images. No image is added. To save time the network is half as
# wide as by default, with 40 updates instead of 300.

from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from sklearn_medgan import GANAugmenter

pipe = Pipeline([("aug", GANAugmenter(width=16, batch_size=32, max_iter=40, random_state=0)), ("clf", SVC(C=10))])
pipe.fit(X[train], y[train])
predicted = pipe.predict(X[test])

# %%
# Beside the SVC alone
# --------------------
# On the pixels, standardised. One split is a first look; whether it helps on your images is for several folds to
# say: see :ref:`sphx_glr_auto_examples_plot_02_dicom_to_report.py`.

from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

alone = make_pipeline(StandardScaler(), SVC(C=10)).fit(X[train].reshape(len(train), -1), y[train])
on_pixels = alone.predict(X[test].reshape(len(test), -1))
for name, labels in {"SVC on pixels": on_pixels, "GAN in front": predicted}.items():
    print(f"{name}: balanced accuracy {balanced_accuracy_score(y[test], labels):.3f}")

# %%
# Rows are true classes, columns what was said; the diagonal is right.

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay

figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained", sharey=True)
for ax, (name, labels) in zip(axes, {"SVC on pixels": on_pixels, "GAN in front": predicted}.items(), strict=True):
    ConfusionMatrixDisplay.from_predictions(
        y[test], labels, display_labels=patches.target_names, xticks_rotation=30, colorbar=False, cmap="Blues", ax=ax
    )
    ax.set_title(name)

# %%
# What else it can do
# -------------------
# The same object draws labelled synthetic images. After so little training they are blurred: look before you train
# a classifier on them.

from sklearn_medgan.plotting import SampleGridDisplay

SampleGridDisplay.from_estimator(pipe, X[train], y[train], display_labels=patches.target_names)
