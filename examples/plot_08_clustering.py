"""
Cases in clusters
=================

No labels at all: which cases belong together? ``GANAugmenter`` without ``y`` learns image features, and any
clustering of scikit-learn takes them.

Research use; not a medical device.
"""

# %%
# Cases without labels
# --------------------
# Four kinds of patches of tissue and retina. The kinds are used only at the end, to judge the clusters.

from sklearn_medgan.datasets import load_tissue_patches

patches = load_tissue_patches()
X = patches.data

# %%
# Cluster
# -------
# Principal components take away what is noise in the features. The GAN has 40 updates here and 300 by default.

from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_medgan import GANAugmenter

features = make_pipeline(
    GANAugmenter(width=16, batch_size=32, max_iter=40, random_state=0), PCA(20, random_state=0)
).fit_transform(X)
pixels = make_pipeline(StandardScaler(), PCA(20, random_state=0)).fit_transform(X.reshape(len(X), -1))
clusters = {
    name: KMeans(4, n_init=10, random_state=0).fit_predict(columns)
    for name, columns in {"pixels": pixels, "image features": features}.items()
}

# %%
# Do they mean something?
# -----------------------
# The adjusted Rand index compares clusters with the kinds: 1 is agreement, 0 is chance. Of real cases no kinds are
# known; there you look at what lies in each cluster.

from sklearn.metrics import adjusted_rand_score

for name, found in clusters.items():
    print(f"{name}: adjusted Rand index {adjusted_rand_score(patches.target, found):.2f}")

# %%
# Six cases of each cluster, a row a cluster: those nearest to its middle.

import matplotlib.pyplot as plt
import numpy as np

found = clusters["image features"]
figure, axes = plt.subplots(4, 6, figsize=(7, 5), layout="constrained")
for cluster, row in enumerate(axes):
    members = np.flatnonzero(found == cluster)
    distances = np.linalg.norm(features[members] - features[members].mean(axis=0), axis=1)
    for ax, case in zip(row, members[np.argsort(distances)], strict=False):
        ax.imshow(X[case], cmap="gray", vmin=0, vmax=255)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(f"cluster {cluster}\n{len(members)} cases")
