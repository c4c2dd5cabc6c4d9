"""Columns of a pretrained network among the others: `GANAugmenter(backbone=...)`."""

import keras
import numpy as np
import pytest
from sklearn.base import clone
from tiny import gan, random_images

LABELS = np.arange(14) % 2
IMAGES = random_images(14, 20, 16)


@pytest.fixture(scope="module")
def brightness():
    """A network of two maps: the image itself and its negative, four channels."""
    image = keras.Input((32, 32, 3))
    mirrored = keras.layers.Concatenate()([image[..., :1], -image])
    return keras.Model(image, [image, mirrored])


@pytest.fixture(scope="module")
def model(brightness):
    return gan(backbone=brightness, representation="both").fit(IMAGES, LABELS)


def columns_named(model, X, word):
    return model.transform(X)[:, [word in name for name in model.get_feature_names_out()]]


def test_means_of_maps_are_columns_beside_the_others(model):
    means = columns_named(model, IMAGES, "trunk")
    assert means.shape == (14, 3 + 4)
    truth = IMAGES.mean((1, 2))  # enlarging by linear interpolation changes a mean little
    for column in means.T:
        assert abs(np.corrcoef(column, truth)[0, 1]) > 0.98
    assert model.transform(IMAGES).shape[1] == gan().fit(IMAGES, LABELS).transform(IMAGES).shape[1] + 7 + 1


def test_by_default_pixels_are_columns_where_there_is_no_network(brightness):
    model = gan(backbone=brightness).fit(IMAGES, LABELS)
    assert not [name for name in model.get_feature_names_out() if name.startswith("x")]
    np.testing.assert_array_equal(
        model.transform(IMAGES),
        clone(model).set_params(representation="features").fit(IMAGES, LABELS).transform(IMAGES),
    )
    model = gan().fit(IMAGES, LABELS)
    np.testing.assert_array_equal(
        model.transform(IMAGES), clone(model).set_params(representation="both").fit(IMAGES, LABELS).transform(IMAGES)
    )
    assert [name for name in model.get_feature_names_out() if name.startswith("x")] == [f"x{i}" for i in range(320)]


def test_they_weigh_more_than_the_other_kinds(model):
    shares = {word: columns_named(model, IMAGES, word).astype(np.float64).var(0).sum() for word in ("trunk0", "trunk1")}
    assert shares == pytest.approx({"trunk0": 1 / 2, "trunk1": 1 / 2}, rel=1e-4)
    names = model.get_feature_names_out()
    pixels = model.transform(IMAGES)[:, [name.startswith("x") for name in names]].astype(np.float64)
    assert pixels.var(0).sum() == pytest.approx(0.3**2, rel=1e-4)


def test_a_constant_column_doubles_what_a_radial_kernel_takes_for_the_spread(model):
    """SVC(gamma="scale") divides by n_columns x variance of all values; distances are as without the column."""
    names = model.get_feature_names_out()
    assert names[-1] == "ganaugmenter_constant"
    columns = model.transform(IMAGES)[:, [not name.startswith("x") for name in names]].astype(np.float64)
    assert np.ptp(columns[:, -1]) == 0
    columns[:, :-1] -= columns[:, :-1].mean(0)  # as it is of many rows
    live = columns[:, :-1].var(0).sum()  # below the sum of the squared weights: dead columns carry none
    whole = columns.shape[1] * columns.var()
    assert columns[0, -1] ** 2 == pytest.approx(0.6**2 + 0.6**2 + 1, rel=0.01)
    assert whole == pytest.approx(live + columns[0, -1] ** 2, rel=1e-3)


def test_a_row_is_the_same_whatever_lies_beside_it(model):
    np.testing.assert_array_equal(model.transform(IMAGES)[3:5], model.transform(IMAGES[3:5]))


def test_rows_without_a_label_are_scored_by_them_too(brightness):
    model = gan(backbone=brightness).fit(IMAGES[:8], LABELS[:8], X_unlabeled=IMAGES[8:])
    assert columns_named(model, IMAGES, "score").shape == (14, 2)
    model.set_params(representation="features")
    assert model.transform(IMAGES).shape == (14, len(model.get_feature_names_out()))


def test_another_network_without_weights_is_noticed(brightness):
    model = gan(backbone=brightness).fit(IMAGES, LABELS)
    image = keras.Input((32, 32, 3))
    brighter = keras.Model(image, [image, keras.layers.Concatenate()([image[..., :1], -2 * image])])
    with pytest.raises(ValueError, match="Fit again"):
        model.set_params(backbone=brighter).transform(IMAGES)
    model.set_params(backbone=keras.models.clone_model(brightness)).transform(IMAGES)  # the same by another name


def test_clones_share_the_network_and_give_the_same_columns(model):
    np.testing.assert_array_equal(clone(model).fit(IMAGES, LABELS).transform(IMAGES), model.transform(IMAGES))


@pytest.mark.parametrize(
    ("backbone", "error", "message"),
    [
        (3, TypeError, "backbone must be 'auto', None, the name of a network"),
        ("EfficientNetB00", ValueError, "did you mean 'EfficientNetB0'"),
    ],
)
def test_what_is_no_network_is_refused_before_training(model, backbone, error, message):
    refused = clone(model).set_params(backbone=backbone, max_iter=10**9)
    with pytest.raises(error, match=message):
        refused.fit(IMAGES, LABELS)
    assert not hasattr(refused, "n_iter_")


def test_pixels_alone_need_no_network():
    model = gan(backbone="EfficientNetB00", representation="pixels").fit(IMAGES, LABELS)
    np.testing.assert_array_equal(model.transform(IMAGES), IMAGES.reshape(14, -1))
    assert model._dictionary is None  # nor patches
    with pytest.raises(ValueError, match=r"it had representation='pixels'; now it is 'both'\. Fit again"):
        model.set_params(representation="both").transform(IMAGES)
    with pytest.raises(ValueError, match="it had backbone=None"):
        gan(backbone=None).fit(IMAGES, LABELS).set_params(backbone="auto").transform(IMAGES)


def test_functions_of_one_name_are_told_apart():
    """Keras writes a function in a layer by its name alone."""

    def model_of(function):
        image = keras.Input((32, 32, 3), name="image")
        return keras.Model(image, keras.layers.Activation(function, name="prepare")(image), name="mine")

    def halves():
        def prepare(x):
            return x / 2

        return prepare

    def roots():
        def prepare(x):
            return keras.ops.sqrt(x)

        return prepare

    found = [gan(backbone=model_of(make())).fit(IMAGES).transform(IMAGES) for make in (halves, roots)]
    assert not np.array_equal(*found)


def test_a_network_that_cannot_be_used_is_refused_before_training(brightness):
    image = keras.Input((32, 32, 3))
    broken = keras.Model(image, keras.layers.Rescaling(float("nan"))(image))
    refused = gan(backbone=broken, max_iter=10**9)
    with pytest.raises(ValueError, match="gives values that are not finite"):
        refused.fit(IMAGES, LABELS)
