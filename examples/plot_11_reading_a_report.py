"""
Reading a report
================

A benchmark says *gain*, *loss* or *no evidence*. What do these words mean, and what do they not? Here is a
comparison that has some of each.

Research use; not a medical device.
"""

# %%
# A comparison
# ------------
# The pixels are the reference. Against them stand a single principal component, which has to lose; fifty of them;
# and the features of a network that was trained on photographs. Two seeds; the protocol has three.

from sklearn.decomposition import PCA

from sklearn_medgan.benchmark import ARMS, diagnostic_benchmark
from sklearn_medgan.datasets import load_tissue_patches

patches = load_tissue_patches(source="retina")
result = diagnostic_benchmark(
    patches.data,
    patches.target,
    groups=patches.groups,
    target_names=patches.target_names,
    arms={"one component": PCA(1), **{name: ARMS[name] for name in ("PCA", "pretrained features")}},
    classifiers=["SVC"],
    seeds=[0, 1],
)

# %%
# In words
# --------
# ``summary`` says what may be claimed, notes included. What is not listed as a gain or a loss has no evidence for
# either.

print(result.summary())

# %%
# In figures
# ----------
# ``difference`` is in balanced accuracy, in points, with its 95 % interval from ``low`` to ``high``. ``p_holm`` is
# the p-value after correction for the number of comparisons: with many arms, one of them looks good by chance.

frame = result.to_frame().set_index("arm")
points = (100 * frame[["balanced_accuracy", "difference", "low", "high"]]).round(1)
print(points.join(frame[["p_holm", "verdict"]].round(4)).to_string())

# %%
# In a picture
# ------------
# A triangle to the right is a gain, one to the left a loss, an open circle neither. Look at the *width*: an
# interval from -6 to +8 does not say that there is no difference, it says that the images are too few to tell.

from sklearn_medgan.plotting import IntervalDisplay

shown = result.to_frame()
shown[["difference", "low", "high"]] *= 100
IntervalDisplay.from_result(shown, reference="pixels")

# %%
# What it does not say
# --------------------
# All of it is about these images, split by these groups. Another hospital is not in the interval, nor are patients
# whose images lie on both sides because nobody told the groups. The page itself has ROC curves, the classes that
# fail, and the protocol: ``result.to_html("report.html")``. A notebook shows its beginning:

result
