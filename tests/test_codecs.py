"""Images to network units and back, and what hints at other units."""

import tracemalloc
import warnings

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sklearn_medgan._codecs import ImageCodec, ImageScale, TableCodec, warn_of_range


def test_a_channel_with_one_value_keeps_it():
    images = np.random.RandomState(0).randint(0, 200, (5, 8, 8, 4))
    images[..., 3] = 255
    codec = ImageCodec.learn([images], (8, 8, 4))
    drawn = codec.decode(np.random.RandomState(1).uniform(-1, 1, (3, 8, 8, 4))).reshape(3, 8, 8, 4)
    assert (drawn[..., 3] == 255).all()
    assert np.ptp(drawn[..., :3]) > 100


def test_encoding_takes_no_float64_copy_of_all_rows():
    images = np.zeros((3000, 32, 32), np.uint8)
    images[range(5), 0, range(5)] = 255  # one image alone makes no end of the range
    codec = ImageCodec.learn([images], (32, 32, 1))
    tracemalloc.start()
    encoded = codec.encode(images)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert encoded.nbytes == 4 * images.nbytes
    assert peak < 2.5 * encoded.nbytes  # the old way: 5
    assert (encoded[0, 0, 0, 0], encoded[1, 0, 0, 0]) == (1.0, -1.0)


def told(images, low, high):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_range(images, low, high, "GANEnhancer")
    return [str(w.message) for w in caught]


RAMP = np.linspace(0, 1, 256).reshape(1, 16, 16)


@pytest.mark.parametrize(
    ("images", "low", "high"),
    [
        (RAMP, 0, 255),  # as skimage.img_as_float makes of bytes
        (255 * RAMP, 0, 1),
        (255 * RAMP, 0, 4095),  # 8 bits where 12 were learned
        (11610 * RAMP, -1168, 161),
        (RAMP, -1024, 3000),
        ((255 * RAMP).astype(np.uint8), 0, 4095),
    ],
)
def test_images_in_other_units_are_told_of_with_both_ranges(images, low, high):
    (message,) = told(images, low, high)
    assert all(f"{end:g}" in message for end in (low, high, images.min(), images.max()))


def test_one_image_in_other_units_is_told_of_beside_any_number_of_others():
    assert told(np.concatenate([255 * RAMP] * 199 + [1000 * RAMP]), 0, 255)


@pytest.mark.parametrize(
    ("images", "low", "high"),
    [
        (255 * RAMP, 0, 255),
        (60 + 40 * RAMP, 0, 255),  # low contrast
        (np.concatenate([255 * RAMP] * 199 + [400 * RAMP]), 0, 255),  # a bright one
        (30 * RAMP, 0, 255),  # dark
        (np.where(RAMP == 1, 5000, 1000 * RAMP), -1024, 1500),  # one piece of metal
        (-1000 + 60 * RAMP, -1024, 3000),  # a slice of air
        (0 * RAMP, 0, 255),
        (280 * RAMP, 0, 255),
        (RAMP, 7, 7),
        ((12 * RAMP).astype(np.uint8), 0, 255),  # bytes have no other units
    ],
)
def test_usual_images_are_not(images, low, high):
    assert told(images, low, high) == []


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_statistics_of_a_table_are_numpy_s_however_wide_it_is(monkeypatch, dtype, order):
    rows = np.asarray(np.random.RandomState(0).normal(50, 20, (4000, 7)), dtype, order=order)
    whole = TableCodec.learn(rows)
    monkeypatch.setattr("sklearn_medgan._codecs.CHUNK_VALUES", 9000)
    parts = TableCodec.learn(rows)
    np.testing.assert_allclose(whole.scale, rows.std(0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(whole.mean, rows.mean(0, dtype=np.float64), atol=20 * 100 / 4000 / 2 * 1.1)
    for name in ("mean", "scale", "low", "high", "whole"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    np.testing.assert_array_equal(parts.encode(rows), whole.encode(rows))


def test_a_table_is_encoded_with_little_more_than_its_float32_copy():
    rows = np.random.RandomState(0).normal(size=(40_000, 64))
    tracemalloc.start()
    codec = TableCodec.learn(rows)
    encoded = codec.encode(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(encoded, (rows - rows.mean(0)) / rows.std(0), rtol=1e-4, atol=2e-3)
    assert peak < 4 * encoded.nbytes


def test_noise_is_no_other_unit_where_it_is_expected():
    noisy = RAMP + np.random.RandomState(0).normal(0, 0.3, RAMP.shape)
    assert len(told(noisy, 0, 1)) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_range(noisy, 0, 1, "GANEnhancer", outside=1.0)


# ------------------------------------------------------------------------------------------- ends that tell of nobody


def test_an_end_of_images_is_the_mean_of_five():
    images = np.full((8, 8, 8, 1), 100.0)
    images[:7, 0, 0, 0] = [9, 8, 7, 6, 5, 4, 3]
    codec = ImageCodec.learn([images[:3], images[3:]], (8, 8, 1))
    assert (codec.low, codec.high) == (np.mean([3, 4, 5, 6, 7]), 100.0)


def test_an_end_that_five_images_share_is_exact():
    images = np.random.RandomState(0).uniform(0.1, 0.9, (9, 8, 8, 1))
    images[:5, 0, 0, 0] = 0.0
    images[4:, 1, 1, 0] = 0.7 + 0.25
    codec = ImageCodec.learn([images], (8, 8, 1))
    assert (codec.low, codec.high) == (0.0, 0.7 + 0.25)


def test_a_scale_of_images_has_the_ends_of_five_and_bytes_that_reach_them_stay_as_they_were():
    images = np.random.RandomState(0).uniform(11, 89, (9, 8, 8, 1))
    scale = ImageScale.learn(images)
    assert scale.low == pytest.approx(np.sort(images.min((1, 2, 3)))[:5].mean())
    assert scale.high == pytest.approx(np.sort(images.max((1, 2, 3)))[-5:].mean())
    scans = np.random.RandomState(0).randint(0, 256, (9, 32, 32, 1)).astype(np.uint8)
    assert np.array_equal(ImageScale.learn(scans).encode(scans), scans.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e305])
def test_the_ends_of_few_images_are_rounded_outward(scale):
    images = scale * np.random.RandomState(0).uniform(11, 89, (4, 8, 8, 1))
    codec = ImageCodec.learn([images], (8, 8, 1))
    span = images.max() - images.min()
    assert images.min() - span / 4 <= codec.low < images.min()
    assert images.max() < codec.high <= images.max() + span / 4
    assert codec.low >= 0  # no sign that the values do not have


def test_an_end_of_a_column_is_the_mean_of_five_rows_or_rounded_of_few():
    rows = np.random.RandomState(0).normal(size=(40, 5))
    rows[7] = [9.25, 8.5, 7.75, 6.5, 5.5]
    codec = TableCodec.learn(rows)
    np.testing.assert_allclose(codec.high, np.sort(rows, axis=0)[-5:].mean(0))
    assert not np.isin(rows, [codec.low, codec.high]).any()
    pair = TableCodec.learn(rows[:2])
    assert not np.isclose(pair.mean, rows[:2].mean(0), atol=1e-3).any()
    assert (np.abs(pair.encode(rows[:2])) <= 2 + 2).all()
    few = TableCodec.learn(rows[:9])
    assert (few.low < rows[:9].min(0)).all()
    assert (few.high > rows[:9].max(0)).all()
    assert not np.isin(rows, [few.low, few.high]).any()


@pytest.mark.parametrize("n", [20, 40])
def test_kept_means_tell_less_of_members_and_the_network_sees_usual_numbers(n):
    """An attacker knows the population's means and spreads: each row is scored by how the kept means lean its way."""
    areas = []
    for seed in range(8):
        rng = np.random.RandomState(seed)
        members, others, offset = rng.normal(size=(n, 20)), rng.normal(size=(n, 20)), 9 * rng.normal(size=20)
        codec = TableCodec.learn(members + offset)
        leans = codec.mean - offset, members.mean(0)
        is_member, rows = np.repeat([1, 0], n), np.concatenate([members, others])
        areas.append([roc_auc_score(is_member, rows @ lean) for lean in leans])
        encoded = codec.encode(members + offset)[:, :20].astype(np.float64)
        assert np.abs(encoded.mean(0)).max() <= 1.01
        np.testing.assert_allclose(encoded.std(0), 1, rtol=1e-5)
        other = TableCodec.learn(1000 * (members + offset) + 273)  # in other units it is the same
        np.testing.assert_allclose(other.mean, 1000 * codec.mean + 273, rtol=1e-9)
    rounded, exact = np.mean(areas, axis=0) - 0.5
    assert exact > 0.1
    assert rounded < 0.6 * exact


def test_levels_are_codes_or_what_five_rows_have():
    n = 30
    columns = {
        "codes, one rare": np.r_[np.zeros(27), 1, 2, 2],
        "shared": np.repeat([10, 20, 35], 10),
        "one rare": np.r_[np.repeat([10, 20], 14), 77, 77],
        "people's own": np.r_[np.repeat(41, 27), 52, 63, 74],
        "two, one rare": np.r_[np.full(28, 0.5), 2.5, 2.5],
        "constant": np.full(n, 3.25),
    }
    codec = TableCodec.learn(np.column_stack(list(columns.values())))
    expected = [[0, 1, 2], [10, 20, 35], [10, 20], None, None, [3.25]]
    assert [None if found is None else found.tolist() for found in codec.levels] == expected
    drawn = codec.decode(np.random.RandomState(0).normal(size=(50, 16)).astype(np.float32) * 3)
    assert set(drawn[:, 0]) <= {0, 1, 2}
    assert set(drawn[:, 2]) == {10, 20}
    assert not {52, 63, 74}.intersection(codec.high)
