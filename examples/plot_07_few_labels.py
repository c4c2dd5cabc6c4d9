"""
Few labels and many images
==========================

Somebody labelled 20 images, and some 150 more lie there without a label. Hand those to ``fit`` as ``X_unlabeled``:
the GAN learns from them what images look like, and the columns get one score a class that is learned from them.

Research use; not a medical device.
"""

# %%
# Ten labels a class
# ------------------

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from sklearn_medgan.datasets import load_tissue_patches

patches = load_tissue_patches(source="retina")
X, y = patches.data, patches.target
train, test = next(GroupShuffleSplit(test_size=0.3, random_state=0).split(X, y, patches.groups))
shuffled = np.random.default_rng(0).permutation(train)
labelled = np.concatenate([shuffled[y[shuffled] == label][:10] for label in range(2)])
unlabelled = np.setdiff1d(train, labelled)
print(f"{len(labelled)} labelled images, {len(unlabelled)} without a label, {len(test)} to test on")

# %%
# With them and without
# ---------------------
# The last line has the labels of all: the most that could be hoped for. A GAN of half the default's width, 40
# updates instead of 300, one split: a difference of a point or two says nothing here.

from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from sklearn_medgan import GANAugmenter

ways = {
    "labelled alone": (labelled, {}),
    "and images without labels": (labelled, {"aug__X_unlabeled": X[unlabelled]}),
    "labels for all": (train, {}),
}
scores = {}
for name, (rows, more) in ways.items():
    aug = GANAugmenter(width=16, batch_size=32, max_iter=40, backbone=None, random_state=0)
    pipe = Pipeline([("aug", aug), ("clf", SVC(C=10))])
    predicted = pipe.fit(X[rows], y[rows], **more).predict(X[test])
    scores[name] = balanced_accuracy_score(y[test], predicted)
    print(f"{name}: balanced accuracy {scores[name]:.3f}")

# %%
# In general they gained 3 points on brain MRI with a tenth of the labels, and nothing on CT of lungs without the
# pretrained network. So compare on held-out patients.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 2.2), layout="constrained")
bars = ax.barh(list(scores), list(scores.values()), color=["0.6", "C0", "0.8"])
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.set(xlim=(0, 1), xlabel="balanced accuracy")
ax.invert_yaxis()
