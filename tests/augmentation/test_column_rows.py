"""Rows drawn among columns follow the populations that the columns are of."""

import numpy as np
import pytest

from sklearn_medgan import GANAugmenter
from sklearn_medgan.augmentation._column_rows import draw_among


def test_a_rare_class_has_its_own_mean_and_the_spread_of_all():
    """Two Gaussians on a plane of 40 columns: five rows that lie close together have the spread of the 400 others."""
    rng = np.random.RandomState(0)
    basis = np.linalg.qr(rng.normal(size=(40, 2)))[0].T
    codes = np.repeat([0, 1], [400, 5])
    plane = rng.normal(size=(405, 2)) * np.where(codes, 0.1, 1.0)[:, None] + 8 * codes[:, None] * [1, 0]
    columns = (plane @ basis).astype(np.float32)
    drawn = draw_among(columns, codes, np.ones(2000, int), np.random.RandomState(1))
    assert drawn.dtype == np.float32
    in_plane = drawn @ basis.T
    assert in_plane.mean(0) == pytest.approx([8, 0], abs=1.5)
    assert in_plane[:, 1].std() == pytest.approx(1, abs=0.4)
    assert drawn == pytest.approx(in_plane @ basis, abs=1e-3)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (30, 8, 8), dtype=np.uint8), np.repeat(["a", "b"], [20, 10])


@pytest.fixture(scope="module")
def gan(images):
    return GANAugmenter(max_iter=2, width=4, n_patches=0, backbone=None, random_state=0).fit(*images)


@pytest.fixture
def added(gan, images):
    return gan.resample(*images, labels=["b", "b", "a", "b", "b"], random_state=0)


def test_every_second_added_row_of_a_class_is_drawn_among_the_columns(gan, images, added):
    columns = gan.training_columns(*images, *added)
    np.testing.assert_array_equal(columns[:30], gan.transform(images[0]))
    is_its_own = (columns[30:] == gan.transform(added[0])).all(1)
    assert is_its_own.tolist() == [True, False, True, True, False]
    np.testing.assert_array_equal(columns, gan.training_columns(*images, *added))


@pytest.mark.parametrize("parameters", [{"resampling": "classical"}, {"representation": "pixels"}])
def test_other_ways_have_columns_of_the_added_images(gan, images, added, parameters):
    before = {name: getattr(gan, name) for name in parameters}
    try:
        columns = gan.set_params(**parameters).training_columns(*images, *added)
        np.testing.assert_array_equal(columns, gan.transform(np.concatenate([images[0], added[0]])))
    finally:
        gan.set_params(**before)


def test_columns_come_in_the_container_of_transform(gan, images, added):
    arrays = gan.training_columns(*images, *added)
    gan.set_output(transform="pandas")
    try:
        frame = gan.training_columns(*images, *added)
        assert list(frame.columns) == list(gan.transform(images[0]).columns)
        np.testing.assert_array_equal(frame.to_numpy(), arrays)
    finally:
        gan.set_output(transform="default")


def test_labels_that_fit_did_not_see_are_named(gan, images, added):
    with pytest.raises(ValueError, match="y_new holds labels that were not seen at fit"):
        gan.training_columns(*images, added[0], ["c"] * 5)


def test_rows_and_labels_must_agree(gan, images, added):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        gan.training_columns(*images, added[0], added[1][:3])
    some = images[1] == "a"
    with pytest.raises(ValueError, match=r"y_new asks for rows of classes \['b'\], of which y has none"):
        gan.training_columns(images[0][some], images[1][some], *added)


def test_columns_that_are_all_alike_are_repeated():
    drawn = draw_among(
        np.full((4, 3), 2.0, np.float32), np.array([0, 0, 1, 1]), np.ones(5, int), np.random.RandomState(0)
    )
    np.testing.assert_array_equal(drawn, np.full((5, 3), 2.0))


def test_classes_without_a_real_row_do_not_disturb_the_others(gan, images, added):
    some = images[1] == "b"
    of_b = added[1] == "b"
    columns = gan.training_columns(images[0][some], images[1][some], added[0][of_b], added[1][of_b])
    assert np.isfinite(columns).all()
