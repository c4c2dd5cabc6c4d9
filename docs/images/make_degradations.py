"""Make the picture of the degradations: `python docs/images/make_degradations.py` (seconds; images of scikit-image)."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image
from skimage.color import hed2rgb, rgb2hed
from skimage.data import immunohistochemistry, shepp_logan_phantom
from skimage.transform import resize

from sklearn_medgan.degradations import DEGRADATIONS

mpl.use("Agg")
import matplotlib.pyplot as plt

head = resize(shepp_logan_phantom(), (192, 192), anti_aliasing=True)[..., None]
stains = rgb2hed(resize(immunohistochemistry()[:256, 256:], (192, 192), anti_aliasing=True))
tissue = hed2rgb(stains[..., [0, 2, 1]] * [1, 0.6, 0])  # eosin in place of diaminobenzidine
pictures = [
    ("phantom", head, None, {}),
    ("bias_field, 1", head, "bias_field", {"nonuniformity": 1.0}),
    ("ghosting, 0.15", head, "ghosting", {"intensity": 0.15, "period": 4, "axis": 0}),
    ("undersampling, 3", head, "undersampling", {"acceleration": 3, "axis": 0}),
    ("rings, 0.02", head, "rings", {"gain_error": 0.02}),
    ("streaks, 30 views", head, "streaks", {"n_views": 30}),
    ("low_dose_ct, 10000", head, "low_dose_ct", {"photons": 1e4}),
    ("speckle, 1 look, 60 dB", head, "speckle", {"looks": 1, "correlation_length": 1.2, "dynamic_range": 60}),
    ("tissue", tissue, None, {}),
    ("stain, 0.4", tissue, "stain", {"sigma": 0.4}),
    ("stain, 0.4", tissue, "stain", {"sigma": 0.4}),
    ("defocus, 4 pixels", tissue, "defocus", {"radius": 4.0}),
]
figure, axes = plt.subplots(3, 4, figsize=(8.4, 6.8), layout="constrained")
for seed, (ax, (title, image, name, levels)) in enumerate(zip(axes.flat, pictures, strict=True)):
    shown = image if name is None else DEGRADATIONS[name].function(image[None], seed, **levels)[0]
    ax.imshow(np.clip(shown, 0, 1), cmap="gray", vmin=0, vmax=0.7 if image is head else 1)
    ax.set_title(title, fontsize=9)
    ax.axis("off")
figure.savefig(file := Path(__file__).parent / "degradations.png", dpi=80)
Image.open(file).convert("RGB").quantize(256).save(file, optimize=True)
