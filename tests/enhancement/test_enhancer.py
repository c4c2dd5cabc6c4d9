"""GANEnhancer's behaviour: what goes in, what comes out, and what it learns."""

import copy
import pickle

import joblib
import keras
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from sklearn_medgan import GANAugmenter, GANEnhancer, load, save
from sklearn_medgan import make_pipeline as make_growing_pipeline

TINY = {"max_iter": 4, "width": 4, "depth": 2, "patch_size": 16, "batch_size": 4, "guard": False, "random_state": 0}
RNG = np.random.RandomState(0)
FLOATS = RNG.uniform(size=(10, 18, 21))  # sides that 8 does not divide
STACK = (255 * FLOATS).astype(np.uint8)
COLOUR = RNG.uniform(size=(8, 16, 20, 3)).astype(np.float32)
TABLE = RNG.normal(size=(40, 5)) * [1.0, 10.0, 0.1, 5.0, 1.0] + [0.0, 100.0, 0.0, -7.0, 1.0]
untrained = pytest.mark.filterwarnings("ignore:GANEnhancer would do harm")


def enhancer(**changed):
    return GANEnhancer(**{**TINY, **changed})


def smooth(n, size=24, seed=0):
    """Discs on a ramp in [0, 1]."""
    rng = np.random.RandomState(seed)
    rows, columns = np.mgrid[:size, :size] / size
    centres = rng.uniform(0.3, 0.7, (n, 2, 1, 1))
    discs = np.hypot(rows - centres[:, 0], columns - centres[:, 1]) < 0.25
    return (0.2 + 0.4 * rows + 0.4 * discs).astype(np.float32)


def noisy(images, sigma=0.1, seed=0):
    return (images + sigma * np.random.RandomState(seed).standard_normal(images.shape)).astype(images.dtype)


@pytest.fixture(scope="module")
def on_stack():
    return enhancer().fit(STACK)


@pytest.fixture(scope="module")
def on_floats():
    return enhancer().fit(FLOATS)


@pytest.fixture(scope="module")
def on_table():
    return enhancer().fit(TABLE)


@pytest.fixture(scope="module")
def larger():
    return enhancer(scale=2).fit(STACK[:, :16, :16])


# -- forms of input -----------------------------------------------------------


@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
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
        lowest = 0 if dtype is np.uint16 else None
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


def measurements(library, rows=30):
    module = pytest.importorskip(library)
    rng = np.random.RandomState(0)
    size = rng.normal(size=rows).astype(np.float32)
    columns = {"age": rng.randint(20, 90, rows), "size": size, "dose": np.ones(rows)}
    return module.DataFrame(columns)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_come_back_as_frames(library):
    X = measurements(library)
    model = enhancer().fit(X)
    out = model.transform(X)
    assert type(out) is type(X)
    assert list(out.columns) == list(X.columns)
    assert list(out.dtypes) == list(X.dtypes)
    assert model.feature_names_in_.tolist() == list(X.columns)
    plain = model.transform(X)
    assert np.array_equal(np.asarray(plain), np.asarray(out))


def test_index_of_pandas_is_kept():
    X = measurements("pandas")
    X.index = [f"patient {i}" for i in range(30)]
    out = enhancer().fit(X).transform(X[5:9])
    assert out.index.tolist() == ["patient 5", "patient 6", "patient 7", "patient 8"]


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


def test_frame_with_numbers_for_names_comes_back_as_a_frame():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(TABLE)
    assert isinstance(enhancer().fit(X).transform(X), pandas.DataFrame)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_sample_and_uncertainty_take_frames(library):
    X = measurements(library)
    model = enhancer().fit(X)
    assert model.sample(X, 2).shape == (2, 30, 3)
    assert model.uncertainty(X).shape == (30, 3)


def test_uncertainty_of_a_frame_by_draws():
    X = measurements("pandas")
    assert enhancer().fit(X).uncertainty(X, 3).shape == (30, 3)


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


# -- sizes --------------------------------------------------------------------


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


@pytest.mark.parametrize("value", [0, 17])
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


# -- determinism, copies, files -----------------------------------------------


@pytest.mark.parametrize("rows", [STACK, TABLE], ids=["stack", "table"])
def test_same_random_state_same_bytes(rows):
    first, same, other = (enhancer(random_state=seed).fit(rows) for seed in (0, 0, 1))
    assert first.transform(rows).tobytes() == same.transform(rows).tobytes()
    assert first.sample(rows, 2).tobytes() == same.sample(rows, 2).tobytes()
    assert first.history_ == same.history_
    assert first.transform(rows.astype(float)).tobytes() != other.transform(rows.astype(float)).tobytes()


def test_random_state_instance_and_none_are_taken():
    a, b = (enhancer(random_state=np.random.RandomState(3)).fit(STACK).transform(STACK) for _ in range(2))
    assert np.array_equal(a, b)
    assert enhancer(random_state=None).fit(STACK).transform(STACK).shape == STACK.shape


def equal_fits(a, b, rows):
    assert a.transform(rows).tobytes() == b.transform(rows).tobytes()
    assert a.uncertainty(rows).tobytes() == b.uncertainty(rows).tobytes()
    assert a.sample(rows, 2).tobytes() == b.sample(rows, 2).tobytes()
    assert a.get_params() == b.get_params()
    assert (a.n_iter_, a.history_, a.guard_report_) == (b.n_iter_, b.history_, b.guard_report_)


SAVED = {
    "stack": lambda: (enhancer().fit(STACK), STACK),
    "flat": lambda: (enhancer(image_shape=(18, 21)).fit(STACK.reshape(10, -1)), STACK.reshape(10, -1)),
    "table": lambda: (enhancer().fit(TABLE), TABLE),
    "adversarial": lambda: (enhancer(adversarial_weight=0.01).fit(STACK), STACK),
    "toned": lambda: (enhancer(degradation={"low_contrast": (0.3, 0.5)}).fit(smooth(10)), smooth(3)),
    "enlarged": lambda: (enhancer(scale=2).fit(STACK[:, :16, :16]), STACK[:, :9, :9]),
    "fallen back": lambda: (enhancer(guard=True).fit(smooth(12)), noisy(smooth(3))),
}


@untrained
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "adversarial" else ()) for name in SAVED]
)
def test_copies_and_files_work_as_the_original(name, tmp_path):
    model, rows = SAVED[name]()
    _ = model.generator_
    joblib.dump(model, tmp_path / "joblib")
    save(model, tmp_path / "file")
    others = pickle.loads(pickle.dumps(model)), copy.deepcopy(model), joblib.load(tmp_path / "joblib")
    for other in (*others, load(tmp_path / "file")):
        equal_fits(other, copy.deepcopy(model), rows)
    restored = load(tmp_path / "file").generator_
    for ours, theirs in zip(restored.get_weights(), model.generator_.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


def test_clone_is_unfitted_and_learns_the_same(on_stack):
    twin = clone(on_stack)
    assert not hasattr(twin, "history_")
    equal_fits(twin.fit(STACK), enhancer().fit(STACK), STACK)


def test_restored_enhancer_goes_on_training(on_stack, tmp_path):
    save(on_stack, tmp_path / "file")
    here, there = load(tmp_path / "file"), copy.deepcopy(on_stack)
    for model in (here, there):
        model.set_params(warm_start=True).fit(STACK)
        assert model.n_iter_ == 8
        assert model.history_["step"] == [4, 8]
    assert np.array_equal(here.transform(STACK), there.transform(STACK))
    assert not np.array_equal(here.transform(STACK), on_stack.transform(STACK))


def test_warm_start_keeps_the_scale_and_takes_other_sizes(on_stack):
    model = copy.deepcopy(on_stack).set_params(warm_start=True, random_state=5)
    model.fit(RNG.randint(0, 90, (5, 30, 16)).astype(np.uint8))
    assert model.n_iter_ == 8
    assert (model._restoration.codec.low, model._restoration.codec.high) == (STACK.min(), STACK.max())


def test_warm_start_takes_another_tile_size(on_stack):
    model = copy.deepcopy(on_stack).set_params(warm_start=True, tile_size=1024).fit(STACK)
    assert (on_stack._restoration.tile, model._restoration.tile) == (512, 1024)
    same = copy.deepcopy(on_stack).set_params(warm_start=True).fit(STACK)
    assert np.array_equal(model.transform(STACK), same.transform(STACK))  # and nothing else


def test_warm_start_refuses_another_scale(on_stack):
    with pytest.raises(ValueError, match="warm_start"):
        copy.deepcopy(on_stack).set_params(warm_start=True, scale=2).fit(STACK)


@untrained
@pytest.mark.parametrize("kind", ["stack", "float", "table"])
def test_file_holds_no_training_pixels(kind, tmp_path):
    rows = {"stack": STACK, "float": FLOATS.astype(np.float32), "table": TABLE}[kind]
    model = enhancer(guard=True).fit(rows, np.arange(len(rows)) % 2)
    save(model, tmp_path / "file")
    for content in ((tmp_path / "file").read_bytes(), pickle.dumps(model)):
        for dtype in {rows.dtype, np.dtype(np.float32), np.dtype(np.float64)}:
            for row in rows.astype(dtype):
                line = row if kind == "table" else row[9]
                assert line.tobytes() not in content
    assert not any(isinstance(value, np.ndarray) and value.size >= rows[0].size for value in vars(model).values())


# -- parameters of training ---------------------------------------------------


def test_paired_training_learns_the_pairing():
    """Poor images show a chequered pattern, as no degradation of ours does."""
    good = smooth(12)
    chequered = 0.3 * (-1.0) ** np.add.outer(np.arange(24), np.arange(24))
    poor = (good + chequered).astype(np.float32)
    before = mean_psnr(poor, good)
    model = enhancer(max_iter=100, learning_rate=0.01).fit(poor, target=good)
    assert model.score(poor, target=good) > before + 3
    assert model.score(poor, target=good) == pytest.approx(mean_psnr(model.transform(poor), good), abs=0.01)


def test_targets_are_paired_by_row():
    good = smooth(8)
    same = enhancer().fit(good, target=good)
    assert not np.array_equal(
        same.transform(good), enhancer().fit(good, target=good[::-1]).transform(good)
    )  # the order counts


def test_scale_of_pairs_is_that_of_the_target():
    good = 1000 * smooth(6)
    model = enhancer().fit(smooth(6), target=good)
    assert model._restoration.codec.high == good.max()


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
    assert model.score(poor, target=good) == pytest.approx(mean_psnr(model.transform(poor), good), abs=0.01)


def test_callable_degradation_sees_fractions_of_the_scale():
    seen = []

    def halve(images, rng):
        seen.append((images.shape[1:], images.dtype, float(images.min()), float(images.max())))
        rng.uniform()
        return images / 2

    enhancer(degradation=halve).fit(STACK)
    assert {entry[:2] for entry in seen} == {((18, 21, 1), np.dtype(np.float32))}
    assert min(entry[2] for entry in seen) == 0.0
    assert max(entry[3] for entry in seen) == 1.0


@pytest.mark.parametrize("unit", [1.0, 255.0, 4000.0])
def test_levels_in_a_dict_are_in_the_units_of_the_images(unit):
    """Noise of a tenth of the range: doing nothing leaves 20 dB in whatever unit."""
    X = (unit * smooth(20)).astype(np.float32)
    X = (X - X.min()) / np.ptp(X) * np.float32(unit)
    with pytest.warns(ConvergenceWarning):
        model = enhancer(guard=True, max_iter=1, degradation={"noise": 0.1 * unit}).fit(X)
    assert model.guard_report_["psnr"]["nothing"] == pytest.approx(20.0, abs=0.3)


def test_dict_without_noise_has_no_units():
    for unit in (1.0, 255.0):
        model = enhancer(degradation={"blur": (0.0, 2.0)}).fit(unit * smooth(6))
        assert np.isfinite(model.history_["psnr"]).all()


@pytest.mark.parametrize("degradation", ["poisson", "rician", "blur", "downscale", "jpeg", ["blur", "noise"]], ids=str)
def test_degradations_are_known_by_name(degradation):
    model = enhancer(degradation=degradation, max_iter=1).fit(smooth(5))
    assert np.isfinite(model.transform(smooth(2))).all()


def test_low_contrast_is_undone_by_a_global_change():
    """A tone mapping: two hundred steps of a tiny network could not know how much contrast was lost."""
    model = enhancer(degradation="low_contrast").fit(smooth(30))
    poor, good = 0.4 * smooth(5, seed=3) + 0.1, smooth(5, seed=3)
    assert mean_psnr(model.transform(poor), good) > mean_psnr(poor, good) + 3
    assert enhancer(degradation={"noise": 0.05}).fit(smooth(30))._restoration.tone is None


def test_max_time_ends_training():
    model = enhancer(max_iter=10**6, max_time=1e-9).fit(STACK)
    assert 0 < model.n_iter_ <= 10
    assert model.transform(STACK).shape == STACK.shape


def test_verbose_shows_progress(capsys):
    enhancer(max_iter=12, verbose=1).fit(STACK)
    shown = capsys.readouterr().out
    assert "12/12" in shown
    assert "fidelity_loss" in shown
    enhancer(max_iter=12).fit(STACK)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_progress_shows_adversarial_losses_where_there_is_an_adversary(capsys, weight):
    model = enhancer(max_iter=10**6, max_time=1e-9, verbose=1, adversarial_weight=weight).fit(STACK)
    shown = capsys.readouterr().out
    for name in ("generator_loss", "discriminator_loss", "penalty"):
        assert (name in shown) == (weight > 0)
        assert name in model.history_
    assert f"{model.n_iter_}/{model.n_iter_}" in shown  # the time limit, not max_iter


def test_history_has_an_entry_every_ten_steps_and_at_the_end():
    model = enhancer(max_iter=25).fit(STACK)
    assert model.history_["step"] == [10, 20, 25]
    assert model.n_iter_ == 25
    assert {"fidelity_loss", "spread_loss", "psnr", "gain", "discriminator_loss"} < set(model.history_)
    assert all(len(values) == 3 and np.isfinite(values).all() for values in model.history_.values())


class Stop(keras.callbacks.Callback):
    """Acts after some entries of the history."""

    def __init__(self, patience=None, error=None):
        super().__init__()
        self.patience, self.error, self.told = patience, error, []

    def on_epoch_end(self, epoch, logs=None):
        self.told.append(dict(logs))
        self.weights = self.model.generator.get_weights()
        if self.patience is not None and epoch + 1 >= self.patience:
            if self.error:
                raise self.error
            self.model.stop_training = True


weights = pytest.mark.parametrize(
    "weight",
    [
        0.0,
        0.01,
    ],
)


@weights
def test_callbacks_are_told_and_see_the_averaged_network(weight):
    callback = Stop()
    model = enhancer(max_iter=25, callbacks=[callback], adversarial_weight=weight).fit(STACK)
    assert [logs["psnr"] for logs in callback.told] == model.history_["psnr"]
    assert [logs["loss"] for logs in callback.told] == model.history_["fidelity_loss"]
    for ours, theirs in zip(callback.weights, model.generator_.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


@weights
def test_callback_stops_training(weight):
    assert enhancer(max_iter=50, callbacks=[Stop(2)], adversarial_weight=weight).fit(STACK).n_iter_ == 20


@weights
def test_interruption_keeps_what_was_learned(weight):
    model = enhancer(max_iter=50, callbacks=[Stop(2, KeyboardInterrupt())], adversarial_weight=weight)
    with pytest.warns(ConvergenceWarning, match="interrupted at step 20") as caught:
        model.fit(STACK)
    assert caught[0].filename == __file__
    assert model.n_iter_ == 20
    assert model.transform(STACK).shape == STACK.shape
    assert len(model.sample(STACK, 2)) == 2


@weights
def test_error_in_a_callback_comes_out_and_the_estimator_stays_unfitted(weight):
    model = enhancer(max_iter=50, callbacks=[Stop(1, RuntimeError("mine"))], adversarial_weight=weight)
    with pytest.raises(RuntimeError, match="mine"):
        model.fit(STACK)
    assert not [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]


def test_interruption_outside_training_leaves_the_earlier_fit(monkeypatch):
    model = enhancer().fit(STACK)
    before = model.transform(STACK)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(GANEnhancer, "_assess", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(random_state=1).fit(STACK)
    assert np.array_equal(model.transform(STACK), before)


def test_adversary_is_there_if_asked_for(on_stack):
    model = enhancer(adversarial_weight=0.01).fit(STACK)
    assert isinstance(model.discriminator_, keras.Model)
    assert on_stack.discriminator_ is None
    assert np.isfinite(model.history_["discriminator_loss"]).all()
    assert min(model.history_["discriminator_loss"]) > 0
    for fit in (model, on_stack):
        restored, log_spread = fit.generator_(np.zeros((1, 16, 24, 1), np.float32))
        assert tuple(restored.shape) == tuple(log_spread.shape) == (1, 16, 24, 1)


def test_public_network_is_the_one_that_transforms(on_floats):
    X = RNG.uniform(size=(2, 16, 24))
    low, span = FLOATS.min(), np.ptp(FLOATS)
    restored, _ = on_floats.generator_(((X - low) / span)[..., None].astype(np.float32))
    np.testing.assert_allclose(on_floats.transform(X), restored[..., 0] * span + low, atol=1e-5)


def test_network_learns_to_remove_noise():
    X = smooth(20, 32)
    model = enhancer(max_iter=200, learning_rate=0.01, degradation={"noise": 0.15}).fit(X)
    good = smooth(6, 32, seed=9)
    poor = noisy(good, 0.15, seed=9)
    assert mean_psnr(model.transform(poor), good) > mean_psnr(poor, good) + 3


# -- sample, uncertainty, score -----------------------------------------------


def mean_psnr(images, good, peak=None):
    peak = float(np.ptp(good)) if peak is None else peak
    return np.mean([peak_signal_noise_ratio(g, i, data_range=peak) for i, g in zip(images, good, strict=True)])


def test_samples_spread_as_uncertainty_says(on_floats):
    X = FLOATS[:2]
    draws = on_floats.sample(X, 300, random_state=0)
    assert draws.shape == (300, 2, 18, 21)
    deviation = on_floats.uncertainty(X, n_samples=None)
    around = np.sqrt(np.mean((draws - on_floats.transform(X)) ** 2, axis=0))
    assert np.corrcoef(around.ravel(), deviation.ravel())[0, 1] > 0.3
    assert np.median(around / deviation) == pytest.approx(1.0, abs=0.15)
    np.testing.assert_allclose(on_floats.uncertainty(X, 300), deviation, rtol=0.05)


@pytest.mark.parametrize("kind", ["on_stack", "on_floats", "on_table", "larger"])
def test_uncertainty_takes_sixteen_draws_unless_told(kind, request):
    model = request.getfixturevalue(kind)
    X = {"on_floats": FLOATS, "on_table": TABLE}.get(kind, STACK)
    found, exact = model.uncertainty(X), model.uncertainty(X, None)
    assert np.array_equal(found, model.uncertainty(X, 16))
    assert np.array_equal(found, model.uncertainty(X, n_samples=16))
    assert not np.array_equal(found, model.uncertainty(X, 17))
    assert (exact.shape, exact.dtype) == (found.shape, np.float32)
    assert np.sqrt(np.mean((found / exact) ** 2)) == pytest.approx(1.0, abs=0.1)
    np.testing.assert_allclose(model.uncertainty(X, 1000), exact, rtol=0.03)


def test_samples_differ_and_repeat_by_seed(on_stack):
    first, same, other = (on_stack.sample(STACK, 2, random_state=seed) for seed in (0, 0, 1))
    assert first.dtype == np.uint8
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(on_stack.sample(STACK), on_stack.sample(STACK))  # draws anew
    assert on_stack.sample(STACK).shape == (1, *STACK.shape)


def test_uncertainty_is_positive_and_float(on_stack, on_table):
    for model, rows in ((on_stack, STACK), (on_table, TABLE)):
        deviation = model.uncertainty(rows)
        assert (deviation.shape, deviation.dtype) == (rows.shape, np.float32)
        assert (deviation > 0).all()


@pytest.mark.parametrize("rows", [FLOATS, TABLE], ids=["stack", "table"])
def test_uncertainty_is_in_the_units_of_the_data(rows):
    ours, tenfold = enhancer().fit(rows), enhancer().fit(10 * rows + 50)
    np.testing.assert_allclose(tenfold.uncertainty(10 * rows + 50), 10 * ours.uncertainty(rows), rtol=1e-2)


@pytest.mark.slow
def test_uncertainty_is_calibrated():
    """On unseen images: the share of pixels within the central range of samples, and which images are worse."""
    model = enhancer(max_iter=200, learning_rate=0.01, degradation={"noise": (0.05, 0.3)}).fit(smooth(60, 32))
    good = smooth(30, 32, seed=5)
    levels = np.random.RandomState(1).uniform(0.05, 0.3, (30, 1, 1))
    poor = (good + levels * np.random.RandomState(2).standard_normal(good.shape)).astype(np.float32)
    draws = model.sample(poor, 100, random_state=0)
    for coverage in (0.5, 0.8, 0.9):
        low, high = np.quantile(draws, [0.5 - coverage / 2, 0.5 + coverage / 2], axis=0, method="weibull")
        assert np.mean((low < good) & (good < high)) == pytest.approx(coverage, abs=0.05)
    error, deviation = np.abs(model.transform(poor) - good), model.uncertainty(poor)
    assert np.corrcoef(error.mean((1, 2)), deviation.mean((1, 2)))[0, 1] > 0.5


@untrained
@pytest.mark.parametrize("guard", [True, False])
def test_score_with_target_is_the_psnr_of_scikit_image(guard):
    X = smooth(12)
    model = enhancer(guard=guard).fit(X)
    good = smooth(4, seed=4)
    poor = noisy(good)
    expected = mean_psnr(model.transform(poor), good, peak=float(np.ptp(X)))
    assert model.score(poor, target=good) == pytest.approx(expected, abs=1e-3)


def test_score_without_target_restores_own_degradations():
    X = smooth(12)
    model = enhancer(degradation={"noise": 0.1}).fit(X)
    own = model.score(X)
    assert model.score(X) == own  # always alike
    assert own == model.score(X, np.zeros(12))  # y is ignored
    poor = noisy(X, 0.1, seed=8)
    assert own == pytest.approx(mean_psnr(model.transform(poor), X, peak=float(np.ptp(X))), abs=1.0)
    assert model.score(smooth(3, 40)) == pytest.approx(own, abs=3.0)  # other sizes


@pytest.mark.parametrize(
    "guard",
    [g for g in (True, False)],
)
@untrained
def test_score_of_a_table_is_that_of_its_columns(guard):
    good = TABLE
    poor = good + 0.5 * good.std(0) * np.random.RandomState(0).standard_normal(good.shape)
    model = enhancer(guard=guard, learning_rate=1e-6).fit(good)
    error = (model.transform(poor) - good) / good.std(0)
    expected = np.mean([-10 * np.log10(np.mean(row**2)) for row in error])
    assert model.score(poor, target=good) == pytest.approx(expected, abs=0.01)


def test_one_row_can_be_scored(on_floats):
    assert np.isfinite(on_floats.score(FLOATS[:1], target=FLOATS[:1]))


# -- labels and guard ---------------------------------------------------------


def test_labels_that_are_no_classes_change_nothing(on_floats):
    for y in (np.linspace(0, 1, 10), RNG.normal(size=(10, 2)), None):
        assert np.array_equal(enhancer().fit(FLOATS, y).transform(FLOATS), on_floats.transform(FLOATS))


@pytest.mark.parametrize("labels", [["no", "yes"], [3, 7], [False, True]], ids=str)
def test_labels_of_any_kind_are_taken(labels):
    y = np.array(labels)[np.arange(10) % 2]
    assert np.array_equal(
        enhancer().fit(FLOATS, y).transform(FLOATS), enhancer().fit(FLOATS, y.tolist()).transform(FLOATS)
    )


def test_without_guard_the_network_is_used_and_nothing_is_said(on_floats):
    assert on_floats.guard_report_["chosen"] == "network"


# -- company ------------------------------------------------------------------


@untrained
def test_ahead_of_a_classifier():
    X = smooth(24, 16).reshape(24, -1)
    y = np.arange(24) % 2
    X[y == 1] *= 0.5
    pipe = make_pipeline(enhancer(image_shape=(16, 16), guard=True), LogisticRegression()).fit(X, y)
    assert pipe.score(X, y) > 0.9
    scores = cross_validate(pipe, X, y, cv=2, n_jobs=1, error_score="raise")
    assert np.isfinite(scores["test_score"]).all()


@pytest.mark.slow
def test_ahead_of_the_augmenter():
    X, y = STACK, np.arange(10) % 2
    augmenter = GANAugmenter(max_iter=1, batch_size=4, width=4, latent_dim=4, random_state=0)
    for make in (make_pipeline, make_growing_pipeline):
        pipe = make(enhancer(), clone(augmenter), LogisticRegression(max_iter=2000)).fit(X, y)
        assert pipe.predict(X).shape == (10,)


def test_grid_search_over_a_parameter():
    X = smooth(12)
    search = GridSearchCV(
        enhancer(degradation={"noise": 0.1}), {"learning_rate": [1e-3, 1e30]}, cv=2, error_score="raise"
    )
    with pytest.warns(ConvergenceWarning, match="diverged"):
        search.fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert np.isfinite(search.best_estimator_.score(X))


def test_fit_transform_is_fit_and_transform(on_floats):
    assert np.array_equal(enhancer().fit_transform(FLOATS), on_floats.transform(FLOATS))


def test_failed_fit_leaves_the_earlier_one_intact():
    model = enhancer().fit(STACK)
    before, expected = dict(vars(model)), model.transform(STACK)

    def broken(images, rng):
        raise RuntimeError("in the midst of training")

    for change, rows, target in (
        ({}, STACK[:1], None),
        ({}, COLOUR * np.nan, None),
        ({}, TABLE, TABLE[:3]),
        ({}, STACK, COLOUR),
        ({"degradation": "nose"}, STACK, None),
        ({"degradation": broken}, COLOUR, None),
        ({"patch_size": 20}, STACK, None),
    ):
        with pytest.raises((ValueError, TypeError, RuntimeError)):
            model.set_params(**change).fit(rows, target=target)
        model.set_params(**enhancer().get_params())
        assert vars(model).keys() == before.keys()
        assert all(vars(model)[name] is value for name, value in before.items() if name.endswith("_"))
    assert np.array_equal(model.transform(STACK), expected)


def test_second_fit_forgets_the_first():
    model = enhancer().fit(TABLE).fit(STACK)
    equal_fits(model, enhancer().fit(STACK), STACK)


# -- tables -------------------------------------------------------------------


def test_table_comes_back_with_its_columns_and_units(on_table):
    out = on_table.transform(TABLE)
    assert (out.shape, out.dtype) == (TABLE.shape, np.float64)
    assert np.abs(out.mean(0) - TABLE.mean(0)).max() < 3 * TABLE.std(0).max()
    assert on_table.transform(TABLE.astype(np.float32)).dtype == np.float32
    assert on_table.image_shape_ is None
    assert on_table.n_features_in_ == 5


def test_integer_table_is_rounded():
    X = RNG.randint(0, 200, (30, 3)).astype(np.uint8)
    out = enhancer().fit(X).transform(X)
    assert out.dtype == np.uint8
    assert np.abs(out.astype(int) - X).mean() < 100


@pytest.mark.slow
def test_table_with_redundant_columns_is_denoised():
    """Twelve copies of one number: their mean removes most of the noise, and the network finds it."""
    rng = np.random.RandomState(0)
    good = rng.normal(size=(300, 1)) * np.linspace(1, 5, 12) + 3
    model = GANEnhancer(max_iter=400, width=8, degradation={"noise": 0.5}, random_state=0).fit(good)
    assert model.guard_report_["chosen"] == "network"
    poor = good + 0.5 * good.std(0) * rng.standard_normal(good.shape)
    before, after = (np.mean(((rows - good) / good.std(0)) ** 2) for rows in (poor, model.transform(poor)))
    assert after < before / 2
