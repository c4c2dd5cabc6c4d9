"""The size at which the GAN works, and rows of any size in and out."""

import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
from tiny import gan, random_images

from sklearn_medgan import load, save
from sklearn_medgan._codecs import ImageCodec
from sklearn_medgan.augmentation import _sampling
from sklearn_medgan.augmentation._canvas import Canvas, canvas_shape

LABELS = np.arange(12) % 2


@pytest.fixture(scope="module")
def images():
    return random_images(12, 96, 80)


@pytest.fixture(scope="module")
def model(images):
    return gan(gan_size=32, augment=None).fit(images, LABELS)


@pytest.mark.parametrize(
    ("sides", "longest", "expected"),
    [
        ((28, 28), 64, (28, 28)),
        ((64, 64), 64, (64, 64)),
        ((224, 224), 64, (56, 56)),
        ((256, 256), 64, (64, 64)),
        ((512, 512), 64, (64, 64)),
        ((300, 200), 64, (60, 40)),  # a fifth
        ((97, 97), 64, (64, 64)),  # no divisor
        ((66, 66), 64, (64, 64)),  # half of it would be much less than is allowed
        ((64, 8), 64, (64, 8)),
        ((512, 40), 64, (64, 8)),  # an eighth of 40 is less than the networks take
        ((64, 64), 32, (32, 32)),
    ],
)
def test_canvas_is_a_whole_part_of_the_image_where_one_exists(sides, longest, expected):
    assert canvas_shape((*sides, 3), longest) == (*expected, 3)


def test_canvas_holds_averages_over_blocks_of_pixels():
    rows = random_images(5, 96, 64, 2)
    canvas = Canvas.of(ImageCodec.learn([rows], (96, 64, 2)), 48, is_table=False)
    expected = rows.reshape(5, 48, 2, 32, 2, 2).mean((2, 4)) / 199 * 2 - 1
    np.testing.assert_allclose(canvas.draw([rows[:2], rows[2:]]), expected, atol=1e-6)
    np.testing.assert_array_equal(canvas.views(rows).whole, canvas.codec.encode(rows))


def test_drawing_takes_the_memory_of_the_canvas_whatever_the_size_of_the_images(tmp_path):
    rows = np.memmap(tmp_path / "rows", np.uint8, "w+", shape=(300, 224, 224))
    rows[0, 0, 0] = 255
    canvas = Canvas.of(ImageCodec.learn([rows], (224, 224, 1)), "auto", is_table=False)
    tracemalloc.start()
    drawn = canvas.draw([rows])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    whole = 4 * rows.size
    assert drawn.nbytes == whole // 16
    assert peak - drawn.nbytes < 0.5 * whole  # some rows at a time: 48 of 300, as float64 and as float32


@pytest.mark.filterwarnings("ignore:Rows that were added start")
def test_networks_work_on_the_canvas_and_rows_come_at_their_own_size(images, model):
    assert model.generator_.output_shape == (None, 32, 27, 1)
    drawn, labels = model.sample(5, random_state=0)
    assert (drawn.shape, drawn.dtype, labels.shape) == ((5, 96, 80), np.uint8, (5,))
    grown, _ = gan(gan_size=32, augment=None).fit_resample(images, LABELS)
    assert (grown.shape, grown.dtype) == ((24, 96, 80), np.uint8)
    np.testing.assert_array_equal(grown[:12], images)


def test_flat_images_and_frames_of_names_are_the_images(images, model):
    flat = gan(gan_size=32, augment=None, image_shape=(96, 80)).fit(images.reshape(12, -1), LABELS)
    np.testing.assert_array_equal(flat.transform(images.reshape(12, -1)), model.transform(images))
    np.testing.assert_array_equal(
        flat.sample(2, random_state=0)[0].reshape(2, 96, 80), model.sample(2, random_state=0)[0]
    )


def test_pixel_columns_are_those_of_the_canvas(images, model):
    model.set_params(representation="both")
    names = model.get_feature_names_out()
    pixels = model.transform(images)[:, [name.startswith("ganaugmenter_pixel") for name in names]]
    assert pixels.shape == (12, 32 * 27)
    assert len(names) == model.transform(images).shape[1]
    canvas = model._canvas.draw([images]).reshape(12, -1)
    assert np.corrcoef(pixels[:, 100], canvas[:, 100])[0, 1] == pytest.approx(1, abs=1e-5)
    assert model.set_params(representation="pixels").transform(images).shape == (12, 96 * 80)
    model.set_params(representation="auto")


def test_a_row_near_a_real_one_is_that_row_where_two_samples_agree(images, model, monkeypatch):
    monkeypatch.setattr(type(model), "_draw", lambda self, labels, rng: np.zeros((len(labels), 32, 27, 1), np.float32))
    model.set_params(resampling="near")
    rows, _ = model.resample(images, LABELS, labels=[0, 1, 1], random_state=0)
    model.set_params(resampling="auto")
    known = {image.tobytes() for image in images}
    assert all(row.tobytes() in known for row in rows)


def test_rows_do_not_depend_on_how_many_are_made_at_a_time(images, model, monkeypatch):
    monkeypatch.setattr(model, "resampling", "mixed")
    whole = model.sample(7, random_state=0)[0], model.resample(images, LABELS, labels=LABELS, random_state=0)[0]
    monkeypatch.setattr(_sampling, "VALUES_AT_ONCE", 2 * 96 * 80)
    np.testing.assert_array_equal(model.sample(7, random_state=0)[0], whole[0])
    np.testing.assert_array_equal(model.resample(images, LABELS, labels=LABELS, random_state=0)[0], whole[1])


def test_going_on_with_another_size_is_refused(images):
    model = gan(gan_size=32, warm_start=True).fit(images, LABELS)
    with pytest.raises(ValueError, match=r"fit, shape=\(32, 27, 1\); the parameters now .* shape=\(16, 13, 1\)\. Set"):
        model.set_params(gan_size=16).fit(images, LABELS)
    assert model.set_params(gan_size=32).fit(images, LABELS).n_iter_ == 4


@pytest.mark.parametrize("resampling", ["near", "mixed", "sample"])
def test_rows_of_a_table_have_no_canvas(resampling):
    table = np.random.RandomState(0).normal(size=(12, 5))
    rows, _ = gan(resampling=resampling).fit(table, LABELS).resample(table, LABELS, labels=[0, 1], random_state=0)
    assert rows.shape == (2, 5)


@pytest.mark.slow
def test_detail_is_learned_from_rows_without_a_label_too_and_is_saved(images, tmp_path):
    many = random_images(40, 96, 80, seed=1)
    model = gan(gan_size=32).fit(images[:3], LABELS[:3], X_unlabeled=many[3:])
    assert model._detail  # of three images nothing would be learned
    expected = model.sample(3, random_state=0)[0]
    save(model, tmp_path / "gan")
    for again in (load(tmp_path / "gan"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.sample(3, random_state=0)[0], expected)
    few = gan(gan_size=32, warm_start=True).fit(many[:39], np.arange(39) % 2)
    assert not few._detail  # of few it would hold what tells them from others
    assert few.fit(many, np.arange(40) % 2)._detail


def test_images_without_a_label_in_other_units_are_noticed(images):
    with pytest.warns(UserWarning, match="X has values from 0 to 1, X_unlabeled from 0 to 199"):
        gan(gan_size=32).fit(images / 199, LABELS, X_unlabeled=images)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gan(gan_size=32).fit(images, LABELS, X_unlabeled=images.astype(np.int16) + 10)


def test_sizes_that_no_network_takes_are_refused(images):
    with pytest.raises(ValueError, match="'gan_size' parameter of GANAugmenter must be an int in the range"):
        gan(gan_size=4).fit(images)


def test_a_table_has_neither_canvas_nor_trunk():
    table = np.random.RandomState(0).normal(size=(12, 5))
    np.testing.assert_array_equal(
        gan(gan_size=8, backbone="auto").fit(table, LABELS).transform(table), gan().fit(table, LABELS).transform(table)
    )
    with pytest.raises(ValueError, match=r"backbone='ResNet50' looks at images; got a table\. Set backbone='auto'"):
        gan(backbone="ResNet50").fit(table)


@pytest.mark.slow
def test_images_larger_than_are_tested_are_taken_and_their_cost_is_stated():
    images = np.zeros((3, 600, 520), np.uint8)
    images[:, ::7] = 200
    images[0] = 9
    with pytest.warns(
        UserWarning, match=r"Images of 600x520 are larger than 512x512.*read and resized all the same, 6 times"
    ):
        model = gan(max_iter=1).fit(images)
    assert model.sample(2)[0].shape == (2, 600, 520)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gan(max_iter=1, gan_size=16).fit(images[:, :512, :512])
