"""
Images of another scanner
=========================

A classifier from one hospital meets images of another, which are darker, softer and noisier. You have images of
both, of different patients, and no labels for the new ones: ``reference=`` learns the shift and undoes it.

Research use; not a medical device.
"""

# %%
# Two sites
# ---------
# The second site is simulated: the same kind of images with another tone, some blur and some noise. Its regions are
# none of the first site's.

import numpy as np
from scipy.ndimage import gaussian_filter

from sklearn_medgan.datasets import load_tissue_patches

patches = load_tissue_patches()
X, y, of_site = patches.data, patches.target, patches.groups % 2
good, good_y = X[of_site == 0], y[of_site == 0]
truth, poor_y = X[of_site == 1], y[of_site == 1]
blurred = gaussian_filter(255 * (truth / 255.0) ** 1.8, (0, 0.7, 0.7))
poor = np.clip(blurred + np.random.default_rng(0).normal(0, 8, truth.shape), 0, 255).astype(np.uint8)

# %%
# Learn the shift
# ---------------
# Half of the new site's regions is used to learn from, and the other half to test on. No pair of images is needed
# and no label. Tone and shading are undone by their inverse; noise and blur by a network that learns from good
# images made poor in the same way. 150 steps are few; the default is 4,000.

from sklearn_medgan import GANEnhancer

learned = patches.groups[of_site == 1] % 4 == 1
enhancer = GANEnhancer(max_iter=150, random_state=0).fit(poor[learned], reference=good)
restored = enhancer.transform(poor[~learned])
print(enhancer.guard_report_["evidence"])
print("chosen:", enhancer.guard_report_["chosen"])

# %%
# The classifier of the first site
# --------------------------------
# It stays as it is. Last comes what it would reach had these images been taken at the first site.

from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

classifier = make_pipeline(StandardScaler(), SVC(C=10)).fit(good.reshape(len(good), -1), good_y)
for name, images in {"new site": poor[~learned], "restored": restored, "first site": truth[~learned]}.items():
    predicted = classifier.predict(images.reshape(len(images), -1))
    print(f"{name}: balanced accuracy {balanced_accuracy_score(poor_y[~learned], predicted):.3f}")

# %%
# Look at them
# ------------
# Uncertainty rests on the shift that was learned: what that misses, it does not show.

from sklearn_medgan.plotting import EnhancementDisplay

EnhancementDisplay.from_estimator(enhancer, poor[~learned], target=truth[~learned], n_images=4)
