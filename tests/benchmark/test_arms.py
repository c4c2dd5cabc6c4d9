"""The classical arms of the protocol."""

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_medgan import benchmark
from sklearn_medgan.benchmark import ARMS


def test_row_arms_of_the_protocol():
    rng = np.random.RandomState(0)
    images, y = rng.rand(30, 16, 16), np.repeat([0, 1], [22, 8])
    fold = benchmark.Fold(images, y, np.arange(30), images[:4], ("all", 0, 0))
    plain = ARMS["none"].prepare(fold, None, SVC())
    assert np.allclose(plain.X, StandardScaler().fit_transform(images.reshape(30, -1)))
    for name, counts in (("random oversampling", [22, 22]), ("SMOTE", [22, 22]), ("classical augmentation", [44, 44])):
        columns = ARMS[name].prepare(fold, None, SVC())
        assert np.array_equal(columns.X[:30], plain.X), name
        assert np.bincount(columns.y).tolist() == counts, name
        assert np.array_equal(columns.X_test, plain.X_test), name
    assert ARMS["class weights"].prepare(fold, None, SVC()).classifier.class_weight == "balanced"
    weights = ARMS["class weights"].prepare(fold, None, GaussianNB()).fit_params["sample_weight"]
    assert [weights[y == k].sum() for k in (0, 1)] == pytest.approx([15, 15])
    with pytest.raises(TypeError, match="neither class_weight nor sample_weight"):
        ARMS["class weights"].prepare(fold, None, KNeighborsClassifier())


def test_classical_augmentation_shifts_by_at_most_two_pixels_and_mirrors_only_when_asked():
    image = np.zeros((1, 15, 15))
    image[0, 7, 4] = 1.0
    images = np.repeat(image, 300, axis=0)
    from sklearn_medgan.benchmark._arms import moved

    places = {np.unravel_index(i.argmax(), i.shape) for i in moved(images, np.random.RandomState(0))}
    assert places == {(row, column) for row in range(5, 10) for column in range(2, 7)}
    mirrored = {np.unravel_index(i.argmax(), i.shape)[1] for i in moved(images, np.random.RandomState(0), flip=True)}
    assert mirrored == {*range(2, 7), *range(8, 13)}


def test_column_arms_of_the_protocol():
    from skimage.feature import hog

    images = np.random.RandomState(0).rand(40, 16, 16)
    fold = benchmark.Fold(images, np.arange(40) % 2, np.arange(40), images[:4], ("all", 0, 0))
    gradients = np.stack([hog(i, 9, (8, 8), (2, 2)) for i in images])
    assert np.allclose(ARMS["HOG"].prepare(fold, None, None).X, StandardScaler().fit_transform(gradients))
    patches = ARMS["patches (no GAN)"].prepare(fold, None, None)
    # Pixels and patches, each of variance 1 in all but for constant columns.
    assert np.square(patches.X).sum(1).mean() == pytest.approx(2.0, rel=0.01)
    assert np.array_equal(patches.X[:4], patches.X_test)
    components = ARMS["PCA"].prepare(fold, None, None)
    assert components.X.shape == (40, 39)  # 50, but for so few rows
    variance = components.X.var(axis=0)
    assert (np.diff(variance) <= 1e-9).all()
    assert variance.sum() == pytest.approx(256)


def test_the_table_of_arms_has_the_protocol():
    assert list(ARMS) == [
        "none",
        "class weights",
        "random oversampling",
        "SMOTE",
        "classical augmentation",
        "GAN rows",
        "GAN rows, chosen dose",
        "pixels",
        "PCA",
        "HOG",
        "patches (no GAN)",
        "conv net (class head only)",
        "pretrained features",
        "pretrained features and pixels",
        "GAN columns",
    ]
