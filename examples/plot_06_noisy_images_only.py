"""
Noisy images, and nothing else
==============================

No good image exists: every one you have is noisy, as in low-dose imaging or fluorescence. With
``supervision="self"`` the enhancer learns from the noisy images alone.

Research use; not a medical device.
"""

# %%
# Noisy images
# ------------
# The retina in patches, with noise of 25 grey levels. The clean images are kept for one purpose, to see what was
# gained; the enhancer never gets them.

import numpy as np

from sklearn_medgan.datasets import load_tissue_patches

clean = load_tissue_patches(source="retina", patch_size=64).data
noisy = clean + np.random.default_rng(0).normal(0, 25, clean.shape)

# %%
# Learn from them
# ---------------
# The level of the noise is found in the images. The training begins with weights that ship with the package, so 200
# steps do something; the default is 4,000. It cannot know how sure it is, because it never saw a good image:
# ``uncertainty`` is refused, and so is ``score`` without the truth.

from sklearn_medgan import GANEnhancer

enhancer = GANEnhancer(supervision="self", max_iter=200, random_state=0).fit(noisy)
restored = enhancer.transform(noisy)
print("noise found:", enhancer.guard_report_["noise"])
print("chosen:", enhancer.guard_report_["chosen"])

# %%
# What was gained
# ---------------
# In decibels; 6 dB more is half the error. Total variation is a common filter, with the strength that serves best
# in hindsight: for that one has to know the clean images.

from skimage.restoration import denoise_tv_chambolle

from sklearn_medgan.metrics import psnr

filtered = [
    np.stack([255 * denoise_tv_chambolle(image / 255, weight=weight) for image in noisy])
    for weight in (0.05, 0.1, 0.15, 0.2)
]
best = max(filtered, key=lambda images: psnr(clean, images, data_range=255))
for name, images in {"noisy": noisy, "total variation": best, "restored": restored}.items():
    print(f"{name}: {psnr(clean, images, data_range=255):.1f} dB")

# %%
# Look at them
# ------------
# The last column is what was taken away. It should look like noise: where it shows a vessel, that vessel was
# harmed.

from sklearn_medgan.plotting import EnhancementDisplay

EnhancementDisplay.from_estimator(enhancer, noisy, n_images=4)
