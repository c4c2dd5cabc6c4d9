"""Fingerprints of what the package computes, to show that a change of its code changed no result.

    python examples/benchmarks/same_bytes.py > before.txt    # on one commit
    python examples/benchmarks/same_bytes.py > after.txt     # on the other, same machine and versions
    diff before.txt after.txt

Each line is a name and the first 16 digits of the SHA-256 of the bytes. It uses public names only, so that it runs on
either side of a move. One minute on two cores.
"""

from __future__ import annotations

import hashlib
import json
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sklearn_medgan import AugmentedClassifier, GANAugmenter, GANEnhancer, Pipeline, degradations
from sklearn_medgan.datasets import load_tissue_patches, make_nodules

TISSUE = load_tissue_patches()
NODULES, NODULE_LABELS = make_nodules(48, image_size=24, random_state=0, return_X_y=True)
TABLE, TABLE_LABELS = (part[:120] for part in load_breast_cancer(return_X_y=True))


def show(name: str, value) -> None:
    """Print the fingerprint of an array, or of plain values as JSON."""
    if isinstance(value, np.ndarray):
        data = str((value.dtype, value.shape)).encode() + np.ascontiguousarray(value).tobytes()
    else:
        data = json.dumps(value, sort_keys=True, default=float).encode()
    print(f"{name:45} {hashlib.sha256(data).hexdigest()[:16]}", flush=True)


def augmenters() -> None:
    """Columns, samples and rows of every kind of GANAugmenter."""
    tissue, labels = TISSUE.data[::4], TISSUE.target[::4]
    kinds = {
        "images": (GANAugmenter(max_iter=12), tissue, labels, None),
        "images, some unlabelled": (GANAugmenter(max_iter=6), tissue[:60], labels[:60], tissue[60:]),
        "images, no labels": (GANAugmenter(max_iter=6, augment=None), NODULES, None, None),
        "images, shipped patches": (GANAugmenter(max_iter=4, pretrained="medical"), NODULES, NODULE_LABELS, None),
        "class head alone": (GANAugmenter(max_iter=4, adversarial_weight=0), NODULES, NODULE_LABELS, None),
        "dcgan": (GANAugmenter(max_iter=4, architecture="dcgan", loss="minimax"), NODULES, NODULE_LABELS, None),
        "table": (GANAugmenter(max_iter=12), TABLE, TABLE_LABELS, None),
    }
    for name, (augmenter, X, y, more) in kinds.items():
        augmenter.set_params(random_state=0).fit(X, y, X_unlabeled=more)
        show(f"augmenter {name}: columns", augmenter.transform(X))
        show(f"augmenter {name}: history", augmenter.history_)
        if augmenter.adversarial_weight:
            show(f"augmenter {name}: samples", augmenter.sample(20, random_state=1)[0])
        if augmenter.adversarial_weight and y is not None:
            labels_new = np.unique(y)[[0, 1, 1, 0]]
            show(f"augmenter {name}: resampled", augmenter.resample(X, y, labels=labels_new, random_state=2)[0])
    grown, _ = GANAugmenter(max_iter=4, random_state=0).fit_resample(NODULES, NODULE_LABELS)
    show("augmenter: fit_resample", grown)
    goes_on = GANAugmenter(max_iter=4, warm_start=True, random_state=0).fit(NODULES, NODULE_LABELS)
    show("augmenter, warm start: columns", goes_on.fit(NODULES, NODULE_LABELS).transform(NODULES))


def enhancers() -> None:
    """Restored rows, draws and uncertainty of every kind of GANEnhancer."""
    poor = np.clip(NODULES + np.random.RandomState(3).normal(0, 20, NODULES.shape), NODULES.min(), NODULES.max())
    kinds = {
        "blind": (GANEnhancer(), NODULES, None),
        "noise": (GANEnhancer(degradation="noise"), NODULES, None),
        "low contrast": (GANEnhancer(degradation="low_contrast"), NODULES, None),
        "twice as large": (GANEnhancer(scale=2), NODULES, None),
        "given pairs": (GANEnhancer(), poor, NODULES),
        "with an adversary": (GANEnhancer(adversarial_weight=0.01), NODULES, None),
        "table": (GANEnhancer(degradation="noise"), TABLE, None),
    }
    for name, (enhancer, X, target) in kinds.items():
        enhancer.set_params(max_iter=8, random_state=0).fit(X, target=target)
        earlier = {"shrinkage": "doubt"}  # as it was called, so that fingerprints compare
        report = {earlier.get(k, k): v for k, v in enhancer.guard_report_.items() if "second" not in k}
        show(f"enhancer {name}: report", report)
        show(f"enhancer {name}: transform", enhancer.transform(X))
        show(f"enhancer {name}: sample", enhancer.sample(X[:4], 3, random_state=1))
        show(f"enhancer {name}: uncertainty", enhancer.uncertainty(X[:4]))
        show(f"enhancer {name}: score", enhancer.score(X[:8], target=None if target is None else target[:8]))
    judged = GANEnhancer(max_iter=4, random_state=0).fit(TISSUE.data, TISSUE.target)
    show("enhancer judged by a classifier: transform", judged.transform(TISSUE.data[:8]))


def pipelines() -> None:
    """What classifiers learn behind augmenters."""
    pipe = Pipeline([("aug", GANAugmenter(max_iter=4, random_state=0)), ("clf", LogisticRegression(max_iter=500))])
    show("pipeline: probabilities", pipe.fit(NODULES, NODULE_LABELS).predict_proba(NODULES))
    model = AugmentedClassifier(LogisticRegression(max_iter=500), GANAugmenter(max_iter=4), dose="cv", random_state=0)
    X = StandardScaler().fit_transform(TABLE)
    show("classifier, chosen dose: probabilities", model.fit(X, TABLE_LABELS).predict_proba(X))


def poor_images() -> None:
    """Every degradation."""
    images = (TISSUE.data[:6] / 255.0).reshape(6, *TISSUE.data.shape[1:3], -1)
    for name in sorted(degradations.DEGRADATIONS):
        function = degradations.DEGRADATIONS[name].function
        given = images.repeat(3, axis=-1) if name == "stain" else images  # it asks for colour
        show(f"degradation {name}", function(given, np.random.RandomState(0)))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        poor_images()
        pipelines()
        augmenters()
        enhancers()
