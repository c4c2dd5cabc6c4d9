"""Use estimators that another backend fitted, and fit some for it: ``python exchange.py THEIRS OURS``, two folders."""

import pickle
import sys
from pathlib import Path

import numpy as np

X = np.random.RandomState(0).uniform(size=(24, 16, 16)).astype(np.float32)
y = np.arange(24) % 2
X[y == 1, 4:12, 4:12] += 1


def estimators():
    """Name -> fitted estimator."""
    from sklearn.linear_model import LogisticRegression

    from sklearn_medgan import AugmentedClassifier, GANAugmenter, GANEnhancer

    small = {"max_iter": 2, "width": 4, "batch_size": 8, "random_state": 0}
    augmenter = GANAugmenter(latent_dim=4, **small)
    yield "augmenter", augmenter.fit(X, y)
    yield "classifier", AugmentedClassifier(LogisticRegression(), augmenter, random_state=0).fit(X, y)
    yield "table", GANAugmenter(latent_dim=4, **small).fit(X.reshape(24, -1)[:, :5], y)
    enhancer = GANEnhancer(degradation="noise", guard=False, depth=2, patch_size=16, adversarial_weight=0.01, **small)
    yield "enhancer", enhancer.fit(X)


def results(name, estimator):
    """Name -> what an estimator makes of rows."""
    rows = X[:5].reshape(5, -1)[:, :5] if name == "table" else X[:5]
    if name == "classifier":
        return {"predict_proba": estimator.predict_proba(rows)}
    if name == "enhancer":
        return {"transform": estimator.transform(rows), "uncertainty": estimator.uncertainty(rows, 2)}
    drawn = estimator.sample(3, y=1, random_state=1)[0]
    return {"transform": estimator.transform(rows), "sample": drawn}


def fit(folder):
    """Fit, save in both ways and use."""
    from sklearn_medgan import save

    for name, estimator in estimators():
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(estimator))
        if name != "classifier":
            save(estimator, folder / f"{name}.medgan")
        np.savez(folder / f"{name}.npz", **results(name, estimator))


def use(folder, out):
    """Load what was saved in both ways, and use it."""
    from sklearn_medgan import load

    for path in sorted([*folder.glob("*.pickle"), *folder.glob("*.medgan")]):
        estimator = pickle.loads(path.read_bytes()) if path.suffix == ".pickle" else load(path)
        np.savez(out / f"{path.name}.npz", **results(path.stem, estimator))


def main(theirs, ours):
    """Fit in the folder `ours`, unless that was done, and use there what is in `theirs`."""
    if not list(Path(ours).iterdir()):
        fit(Path(ours))
    use(Path(theirs), Path(ours))


if __name__ == "__main__":
    main(*sys.argv[1:])
