"""Images in and out: forms, dtypes, sizes, units, channels, enlargement."""

import copy

import numpy as np
import pytest
from enhancers import (
    COLOUR,
    FLOATS,
    RNG,
    STACK,
    TABLE,
    ends,
    enhancer,
    mean_psnr,
    smooth,
    untrained,
)
from sklearn.exceptions import ConvergenceWarning


@pytest.mark.parametrize("channels", [None, 1, pytest.param(2, marks=pytest.mark.slow), 3, 4])
def test_stacks_keep_their_channels(channels):
    shape = (6, 16, 19) if channels is None else (6, 16, 19, channels)
    X = np.random.RandomState(0).uniform(size=shape).astype(np.float32)
    model = enhancer(max_iter=1).fit(X)
    assert model.image_shape_ == (16, 19, channels or 1)
    assert model.n_features_in_ == 16 * 19 * (channels or 1)
    out = model.transform(X)
    assert (out.shape, out.dtype) == (X.shape, X.dtype)
    assert model.uncertainty(X).shape == X.shape
    assert model.sample(X[:2], 3).shape == (3, 2, *shape[1:])
    assert not np.array_equal(out, X)


UNITS = {
    "uint8": (0, 255),
    "uint16": (0, 60000),
    "int16": (-1024, 3071),  # Hounsfield units
    "int64": (0, 4000),
    "float32": (-3.0, 7.0),
    "float64": (1e6, 2e6),
    "float16": (0.0, 1.0),
}


@pytest.mark.parametrize("dtype", UNITS)
def test_dtype_and_units_come_back(dtype):
    """One image in several units: the network sees the same fractions of the scale."""
    low, high = UNITS[dtype]
    step = 1 if np.dtype(dtype).kind in "iu" else (high - low) / 1000
    X = (low + (high - low) * (FLOATS - FLOATS.min()) / np.ptp(FLOATS)).astype(dtype)
    model = enhancer().fit(X)
    out = model.transform(X)
    assert (out.shape, out.dtype) == (X.shape, X.dtype)
    fractions = (X.astype(np.float64) - low) / (high - low)
    expected = enhancer().fit(fractions).transform(fractions) * (high - low) + low
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        expected = np.clip(expected, limits.min, limits.max)
    np.testing.assert_allclose(out.astype(np.float64), expected, atol=step)
    assert out.std() > 0.1 * X.astype(float).std()


def test_booleans_stay_booleans():
    X = FLOATS > 0.5
    out = enhancer().fit(X).transform(X)
    assert (out.shape, out.dtype) == (X.shape, np.bool_)
    assert 0.1 < out.mean() < 0.9


def test_integers_are_rounded_and_clipped_not_wrapped(on_stack):
    exact = on_stack.transform(STACK.astype(np.float64))
    assert exact.max() > 255.5  # or there would be nothing to clip
    assert np.array_equal(on_stack.transform(STACK), np.clip(np.rint(exact), 0, 255).astype(np.uint8))


def test_scale_is_learned_at_fit_and_later_images_may_have_any_dtype(on_stack):
    expected = on_stack.transform(STACK.astype(np.float64))
    for dtype in (np.float32, np.int32, np.uint16):
        out = on_stack.transform(STACK.astype(dtype))
        assert out.dtype == dtype
        lowest = 0 if dtype is np.uint16 else -np.inf
        np.testing.assert_allclose(out, expected.clip(lowest, None), atol=0.51 if dtype is not np.float32 else 1e-3)
    darker = on_stack.transform(STACK / 2)  # not stretched again
    assert darker.mean() < 0.7 * expected.mean()


def test_flat_images_are_the_images(on_floats):
    flat = FLOATS.reshape(10, -1)
    expected = on_floats.transform(FLOATS).reshape(10, -1)
    for image_shape in ((18, 21), (18, 21, 1), [18, 21]):
        model = enhancer(image_shape=image_shape).fit(flat)
        assert np.array_equal(model.transform(flat), expected)
    assert model.image_shape_ == (18, 21, 1)
    assert np.array_equal(model.transform(FLOATS), on_floats.transform(FLOATS))  # a stack for a model of flat images
    assert model.uncertainty(flat).shape == flat.shape
    assert model.sample(flat, 2).shape == (2, *flat.shape)
    assert model.get_feature_names_out().tolist() == [f"x{i}" for i in range(18 * 21)]


def test_flat_colour_images_are_the_images():
    expected = enhancer().fit(COLOUR).transform(COLOUR)
    flat = COLOUR.reshape(8, -1)
    assert np.array_equal(enhancer(image_shape=(16, 20, 3)).fit(flat).transform(flat), expected.reshape(8, -1))


class Wrapped:
    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype=dtype)

    def __len__(self):
        return len(self.values)


def test_memory_maps_lists_and_array_likes_are_taken_and_not_written_to(on_stack, tmp_path):
    np.save(tmp_path / "stack.npy", STACK)
    mapped = np.load(tmp_path / "stack.npy", mmap_mode="r")
    expected = on_stack.transform(STACK)
    for X in (mapped, STACK.tolist(), Wrapped(STACK), STACK[::-1][::-1], np.asfortranarray(STACK)):
        model = enhancer().fit(X)
        out = model.transform(X)
        assert type(out) is np.ndarray
        assert np.array_equal(out.clip(0, 255), expected)  # numbers in a list have no type that ends at 255
    assert np.array_equal(np.load(tmp_path / "stack.npy"), STACK)


@untrained
@pytest.mark.parametrize("guard", [True, False])
@pytest.mark.parametrize("rows", [STACK, COLOUR, TABLE], ids=["stack", "colour", "table"])
def test_rows_are_never_modified(rows, guard):
    X = rows.copy()
    X.setflags(write=False)
    model = enhancer(guard=guard, max_iter=1).fit(X, np.arange(len(X)) % 2, target=X)
    out = model.transform(X)
    assert not np.shares_memory(out, X)
    model.sample(X, 2), model.uncertainty(X), model.uncertainty(X, 2), model.score(X), model.score(X, target=X)
    assert np.array_equal(X, rows)


def test_frame_of_pixels_keeps_names_and_dtypes():
    pandas = pytest.importorskip("pandas")
    names = [f"pixel {i}" for i in range(18 * 21)]
    X = pandas.DataFrame(STACK.reshape(10, -1), columns=names, index=range(5, 15))
    model = enhancer(image_shape=(18, 21)).fit(X)
    out = model.transform(X)
    assert list(out.columns) == names == model.get_feature_names_out().tolist()
    assert out.index.tolist() == list(range(5, 15))
    assert set(out.dtypes) == {np.dtype(np.uint8)}
    assert np.array_equal(out.to_numpy(), enhancer().fit(STACK).transform(STACK).reshape(10, -1))


def test_set_output_frames_flat_images_and_leaves_stacks_alone():
    pandas = pytest.importorskip("pandas")
    flat = FLOATS.reshape(10, -1)
    model = enhancer(image_shape=(18, 21)).set_output(transform="pandas").fit(flat)
    out = model.transform(flat)
    assert isinstance(out, pandas.DataFrame)
    assert out.columns.tolist() == model.get_feature_names_out().tolist()
    stack = enhancer().set_output(transform="pandas").fit(FLOATS)
    assert np.array_equal(stack.transform(FLOATS).reshape(10, -1), out.to_numpy())
    assert not hasattr(stack, "get_feature_names_out")


@pytest.mark.parametrize("size", [(8, 8), (9, 31), (18, 21), (64, 64), (65, 40), (100, 130)])
def test_images_of_other_sizes_come_back_in_theirs(on_floats, size):
    X = RNG.uniform(size=(2, *size)).astype(np.float32)
    out = on_floats.transform(X)
    assert (out.shape, out.dtype) == (X.shape, np.float32)
    assert np.isfinite(out).all()
    assert on_floats.image_shape_ == (18, 21, 1)


def test_images_of_eight_pixels_can_be_learned_from():
    X = RNG.uniform(size=(5, 8, 9))
    with pytest.warns(ConvergenceWarning, match="would do harm"):
        model = enhancer(guard=True, max_iter=1).fit(X)
    assert model.transform(X).shape == X.shape


def test_what_lies_far_away_does_not_matter(on_floats):
    """Small images go through the network in groups and large ones alone; within both, the same pixels result."""
    large = RNG.uniform(size=(1, 128, 128))
    part = on_floats.transform(large[:, :64, :64])
    np.testing.assert_allclose(part[:, :8, :8], on_floats.transform(large)[:, :8, :8], atol=1e-5)


@pytest.mark.parametrize("kind", ["small", "large", "table", "toned", "enlarged"])
def test_row_does_not_depend_on_the_rows_beside_it(on_floats, on_table, larger, kind):
    """To the bit: in a batch of any length, and in any order."""
    rng = np.random.RandomState(0)
    model, X = {
        "small": lambda: (on_floats, rng.uniform(size=(50, 18, 21))),
        "large": lambda: (on_floats, rng.uniform(size=(3, 70, 80))),
        "table": lambda: (on_table, TABLE[rng.randint(40, size=100)]),
        "toned": lambda: (
            enhancer(degradation={"low_contrast": 0.4}).fit(smooth(10)),
            smooth(5) * rng.uniform(0.3, 1, (5, 1, 1)).astype(np.float32),
        ),
        "enlarged": lambda: (larger, 255 * rng.uniform(size=(4, 12, 9))),
    }[kind]()
    together = model.transform(X)
    assert np.array_equal(together, np.concatenate([model.transform(X[i : i + 1]) for i in range(len(X))]))
    assert np.array_equal(together[::-1], model.transform(X[::-1]))
    assert np.array_equal(model.uncertainty(X)[1:2], model.uncertainty(X[1:2]))


@pytest.mark.parametrize("value", [0, pytest.param(17, marks=pytest.mark.slow)])
@untrained
def test_constant_images_give_finite_results(value):
    X = np.full((6, 16, 16), value, np.uint8)
    for guard in (True, False):
        model = enhancer(guard=guard).fit(X)
        assert np.array_equal(model.transform(X).shape, X.shape)
        for result in (model.transform(X.astype(float)), model.uncertainty(X), model.sample(X, 2), model.score(X)):
            assert np.isfinite(result).all()


def test_constant_image_among_others_is_finite(on_floats):
    X = np.full((2, 20, 20), 0.3)
    assert np.isfinite(on_floats.transform(X)).all()
    assert np.isfinite(on_floats.uncertainty(X)).all()


def test_contrast_of_a_constant_image_is_finite():
    model = enhancer(degradation="low_contrast").fit(smooth(10))
    assert model._restoration.tone is not None
    assert np.isfinite(model.transform(np.full((1, 16, 16), 0.5))).all()


def test_super_resolution_of_stacks(larger):
    for shape in ((2, 9, 11), (1, 40, 36)):
        X = RNG.randint(0, 256, shape).astype(np.uint8)
        out = larger.transform(X)
        assert (out.shape, out.dtype) == ((shape[0], 2 * shape[1], 2 * shape[2]), np.uint8)
        assert larger.uncertainty(X).shape == out.shape
        assert larger.sample(X, 2).shape == (2, *out.shape)
    # The block means of what comes out are close to what went in: nothing is moved.
    X = (255 * smooth(2, 16)).astype(np.uint8)
    means = larger.transform(X).astype(float).reshape(2, 16, 2, 16, 2).mean((2, 4))
    assert np.corrcoef(means.ravel(), X.ravel())[0, 1] > 0.95


def test_super_resolution_learns_from_images_larger_than_a_patch():
    model = enhancer(scale=2).fit(smooth(6, 40))
    assert model.transform(smooth(2, 20)).shape == (2, 40, 40)


def test_super_resolution_of_flat_images():
    X = STACK[:, :16, :16].reshape(10, -1)
    model = enhancer(scale=2, image_shape=(16, 16)).fit(X)
    out = model.transform(X)
    assert (out.shape, out.dtype) == ((10, 4 * 256), np.uint8)
    names = model.get_feature_names_out()
    assert len(set(names)) == len(names) == 1024
    stack = STACK[:, :16, :16]
    assert np.array_equal(out.reshape(10, 32, 32), enhancer(scale=2).fit(stack).transform(stack))


def test_super_resolution_of_frames():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(STACK[:, :16, :16].reshape(10, -1)).rename(columns=str)
    model = enhancer(scale=2, image_shape=(16, 16)).fit(X)
    out = model.transform(X)
    assert out.shape == (10, 1024)
    assert out.columns.tolist() == model.get_feature_names_out().tolist()
    assert set(out.dtypes) == {np.dtype(np.uint8)}


def test_super_resolution_from_pairs():
    good = smooth(6, 32)
    poor = good.reshape(6, 16, 2, 16, 2).mean((2, 4))
    model = enhancer(scale=2).fit(poor, target=good)
    assert model.transform(poor).shape == good.shape
    restored, peak = model.transform(poor), np.ptp(ends(good))
    assert model.score(poor, target=good) == pytest.approx(mean_psnr(restored, good, peak), abs=0.01)


def test_low_contrast_is_undone_by_a_global_change():
    """A tone mapping: two hundred steps of a tiny network could not know how much contrast was lost."""
    model = enhancer(degradation="low_contrast").fit(smooth(30))
    poor, good = 0.4 * smooth(5, seed=3) + 0.1, smooth(5, seed=3)
    assert mean_psnr(model.transform(poor), good) > mean_psnr(poor, good) + 3
    assert enhancer(degradation={"noise": 0.05}).fit(smooth(30))._restoration.tone is None


@untrained
@pytest.mark.parametrize("guard", [True, False])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_channel_that_was_opaque_stays_so(guard, scale):
    X = (255 * RNG.uniform(size=(8, 16, 16, 4))).astype(np.uint8)
    X[..., 3] = 255
    model = enhancer(guard=guard, scale=scale).fit(X)
    assert (model.transform(X)[..., 3] == 255).all()
    assert (model.sample(X, 2)[..., 3] == 255).all()
    assert (model.uncertainty(X)[..., 3] == 0).all()
    assert np.ptp(model.transform(X)[..., :3]) > 0
    translucent = X.copy()
    translucent[:, :8, :, 3] = 100
    assert scale > 1 or np.array_equal(model.transform(translucent)[..., 3], translucent[..., 3])


@pytest.mark.parametrize("method", ["transform", "sample", "uncertainty", "score"])
def test_images_of_other_units_are_told_of(on_stack, method):
    """Fractions where training saw 0 to 255: the results are returned all the same."""
    with pytest.warns(UserWarning, match=r"GANEnhancer was fitted .* from 0 to 254; .* to 0\.999\d+") as told:
        result = getattr(on_stack, method)(FLOATS)
    assert np.isfinite(result).all()
    assert told[0].filename == __file__


def test_fractions_and_signed_fractions_are_told_apart_but_noise_is_not(on_floats):
    with pytest.warns(UserWarning, match=r"from 0\.0007\S+ to 0\.99\S+; these range from -0\.99\S+ to 0\.99"):
        on_floats.transform(2 * FLOATS - 1)
    on_floats.transform(FLOATS + 0.2 * RNG.standard_normal(FLOATS.shape))  # warnings are errors


def test_fit_that_goes_on_tells_of_other_units(on_stack):
    model = copy.deepcopy(on_stack).set_params(warm_start=True)
    with pytest.warns(UserWarning, match="in the units of fit"):
        model.fit(FLOATS)
