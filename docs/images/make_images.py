"""Make the user guide's pictures: `python docs/images/make_images.py` (default parameters, about two minutes)."""

from pathlib import Path

import matplotlib

from sklearn_medgan import GANAugmenter
from sklearn_medgan.datasets import load_tissue_patches
from sklearn_medgan.plotting import SampleGridDisplay, TrainingHistoryDisplay

matplotlib.use("Agg")
folder = Path(__file__).parent
patches = load_tissue_patches()
gan = GANAugmenter(random_state=0, verbose=1).fit(patches.data, patches.target)

grid = SampleGridDisplay.from_estimator(gan, patches.data, patches.target, display_labels=patches.target_names)
grid.figure_.savefig(folder / "tissue_samples.png", dpi=100, bbox_inches="tight")
curves = TrainingHistoryDisplay.from_estimator(gan)
curves.figure_.savefig(folder / "tissue_history.png", dpi=100, bbox_inches="tight")
