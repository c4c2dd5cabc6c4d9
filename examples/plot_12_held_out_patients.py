"""
Choosing on held-out patients
=============================

How many images to add, and whether any: that is for patients to decide whom the model did not see. This
example shows first how much an image-wise split flatters, then lets held-out groups choose the dose.

Research use; not a medical device.
"""

# %%
# Split by patient
# ----------------
# These patches of a retina overlap within their region, as images of one patient look alike. Split by image, the
# classifier meets in the test what it has seen in training.

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_medgan.datasets import load_tissue_patches

patches = load_tissue_patches(source="retina", patch_size=128)
X = patches.data[:, ::4, ::4].clip(max=150)  # 32x32 pixels, to save time; brighter is the optic disc, in one region
y, groups = patches.target, patches.groups
pixels = make_pipeline(StandardScaler(), SVC(C=10))
for name, folds, given in (("image", StratifiedKFold, None), ("group", StratifiedGroupKFold, groups)):
    scores = [
        cross_val_score(
            pixels,
            X.reshape(len(X), -1),
            y,
            groups=given,
            cv=folds(5, shuffle=True, random_state=seed),
            scoring="balanced_accuracy",
        ).mean()
        for seed in range(5)
    ]
    print(f"split by {name}: balanced accuracy {np.mean(scores):.3f}")

# %%
# Let them choose the dose
# ------------------------
# ``dose="cv"`` trains the GAN on a part of the groups, the classifier with 0, 0.5, 1 and 2 added images (real ones,
# moved) per real one, and looks at the groups left out. The smallest dose within one standard error of the best is
# taken: 0 unless something speaks for more. The GAN is half as wide as by default, and has 60 updates instead of 300.

from sklearn_medgan import AugmentedClassifier, GANAugmenter

gan = GANAugmenter(width=16, batch_size=32, max_iter=60, backbone=None)
chooser = AugmentedClassifier(SVC(C=10), gan, dose="cv", cv=2, random_state=0).fit(X, y, groups=groups)
print("chosen dose:", chooser.dose_)

# %%
# Each point is the balanced accuracy on held-out groups, with its standard error. A dose of 0 is a result and no
# fault: then added images teach nothing here.

import matplotlib.pyplot as plt

tried = chooser.dose_scores_
figure, ax = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
ax.errorbar(tried["dose"], tried["balanced_accuracy"], tried["standard_error"], fmt="o", capsize=4)
ax.axvline(chooser.dose_, color="C1", linestyle=":", label="chosen")
ax.set(xlabel="added images per real one", ylabel="balanced accuracy")
ax.legend(frameon=False)

# %%
# The choice has looked at all groups that ``fit`` saw. What the whole is worth, only others tell: cross-validate
# ``chooser`` itself, by group.
