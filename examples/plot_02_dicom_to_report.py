"""
From a DICOM folder to a report
===============================

Your images lie in a folder, one subfolder a class, and you want to know what helps the diagnosis on them, in a form
that can be shown. Three calls do it: read, compare, write the report.

Research use; not a medical device.
"""

# %%
# A folder of DICOM files
# -----------------------
# Here it is made first, of simulated lung nodules in Hounsfield units, two images a patient. Yours is there
# already.

import tempfile
from pathlib import Path

import pydicom
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from sklearn_medgan.datasets import make_nodules

folder = Path(tempfile.mkdtemp()) / "chest"
nodules = make_nodules(160, image_size=32, prevalence=0.4, contrast=600, random_state=0)
for i, (image, label) in enumerate(zip(nodules.data, nodules.target, strict=True)):
    file = pydicom.Dataset()
    file.file_meta = pydicom.dataset.FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.SOPClassUID, file.SOPInstanceUID = pydicom.uid.CTImageStorage, generate_uid()
    file.Modality, file.PatientID = "CT", f"{('well', 'ill')[label]}-{(nodules.target[:i] == label).sum() // 2}"
    file.set_pixel_data(image + 1024, "MONOCHROME2", bits_stored=16)
    file.RescaleSlope, file.RescaleIntercept = 1, -1024
    path = folder / ("healthy", "nodule")[label] / f"{i:03}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(path, enforce_file_format=True)

# %%
# Read it
# -------
# Values come in Hounsfield units, classes from the subfolders, patients from the header: as numbers, so that no
# name or id goes any further.

from sklearn_medgan.datasets import load_images

scans = load_images(folder)
print(scans.data.shape, scans.data.dtype, scans.target_names, "patients:", len(set(scans.groups)))

# %%
# Compare
# -------
# Each way to prepare the images, an *arm*, is fitted on the training patients and tested on the others. To stay
# within seconds, this one has one seed, four arms and a GAN of 20 updates; the protocol has three seeds and all of
# ``benchmark.ARMS``.

from sklearn.decomposition import PCA

from sklearn_medgan import GANAugmenter
from sklearn_medgan.benchmark import ARMS, diagnostic_benchmark, gan_arms

short = gan_arms(GANAugmenter(width=16, batch_size=32, max_iter=20, backbone=None))
result = diagnostic_benchmark(
    scans.data,
    scans.target,
    groups=scans.groups,
    target_names=scans.target_names,
    arms={"PCA": ARMS["PCA"], "HOG": ARMS["HOG"], "GAN columns": short["GAN columns"], "ten components": PCA(10)},
    classifiers=["SVC"],
    seeds=[0],
)
print(result.summary())

# %%
# Each line is the difference in balanced accuracy to the pixels alone, with its 95 % interval. An interval that
# holds 0 shows neither a gain nor a loss. Here all four do: these patients and one seed are too few to tell.

from sklearn_medgan.plotting import IntervalDisplay

frame = result.to_frame()
frame[["difference", "low", "high"]] *= 100
IntervalDisplay.from_result(frame, reference="pixels")

# %%
# The report
# ----------
# One file that fetches nothing. In a notebook the result shows the beginning of it, as here.

report = folder.parent / "report.html"
result.to_html(report, title="Lung nodules")
print(f"{report.stat().st_size / 1000:.0f} kB")
result

# %%
# On the command line all of this is ``medgan benchmark --data chest --report report.html``.
