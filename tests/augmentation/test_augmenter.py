"""GANAugmenter's behaviour: what goes in, what comes out, and what it learns."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tiny import gan

from sklearn_medgan import GANAugmenter
from sklearn_medgan.augmentation._labels import drawing_probabilities

RNG = np.random.RandomState(0)
STACK = RNG.randint(0, 256, (14, 9, 11)).astype(np.uint8)
COLOUR = RNG.normal(size=(14, 9, 11, 3)).astype(np.float32)
TABLE = RNG.normal(size=(14, 5))
LABELS = np.arange(14) % 2


@pytest.fixture(scope="module")
def on_stack():
    return gan().fit(STACK, LABELS)


@pytest.fixture(scope="module")
def on_table():
    return gan().fit(TABLE, LABELS)


@pytest.fixture(scope="module")
def separable():
    """Two far clusters of three columns, and a GAN trained on them for some hundred steps."""
    rng = np.random.RandomState(0)
    y = np.arange(200) % 2
    X = rng.normal(size=(200, 3)) + np.where(y[:, None], [6.0, -4.0, 0.0], [-6.0, 4.0, 0.0]) + [100.0, 0.0, 0.0]
    return X, y, GANAugmenter(backbone=None, max_iter=400, width=16, latent_dim=8, random_state=0).fit(X, y)


# -- forms of input -----------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.uint16, np.int16, np.int64, np.float16, np.float32, np.float64, np.bool_]
)
def test_stack_comes_back_in_its_dtype_and_range(dtype):
    X = (STACK > 90).astype(dtype) if dtype is np.bool_ else STACK.astype(dtype) + dtype(3)
    if dtype is np.int16:
        X = X - np.int16(1024)  # air in Hounsfield units
    model = gan().fit(X, LABELS)
    X_new, y_new = model.sample(5)
    assert (X_new.shape, X_new.dtype) == ((5, 9, 11), X.dtype)
    assert X_new.min() >= X.min()
    assert X_new.max() <= X.max()
    assert set(y_new) <= {0, 1}
    assert model.n_features_in_ == 99
    assert model.image_shape_ == (9, 11, 1)
    assert model.transform(X).dtype == np.float32


def test_colour_stack_keeps_its_channels():
    model = gan().fit(COLOUR, LABELS)
    assert model.image_shape_ == (9, 11, 3)
    assert model.n_features_in_ == 9 * 11 * 3
    assert model.sample(2)[0].shape == (2, 9, 11, 3)


def test_single_channel_axis_is_kept(on_stack):
    model = gan().fit(STACK[..., None], LABELS)
    assert model.sample(2)[0].shape == (2, 9, 11, 1)
    assert np.array_equal(model.transform(STACK[..., None]), on_stack.transform(STACK))


def test_flat_images_are_the_images(on_stack):
    flat = STACK.reshape(14, -1)
    for image_shape in ((9, 11), (9, 11, 1), [9, 11]):
        model = gan(image_shape=image_shape).fit(flat, LABELS)
        assert np.array_equal(model.transform(flat), on_stack.transform(STACK))
        assert model.sample(3)[0].shape == (3, 99)
    assert model.image_shape_ == (9, 11, 1)


def test_model_fitted_on_flat_images_takes_stacks_of_them(on_stack):
    model = gan(image_shape=(9, 11)).fit(STACK.reshape(14, -1), LABELS)
    assert np.array_equal(model.transform(STACK), on_stack.transform(STACK))


def test_scale_is_learned_at_fit_and_later_rows_may_have_any_dtype(on_stack):
    expected = on_stack.transform(STACK)
    for dtype in (np.float32, np.float64, np.int32, np.uint16):
        assert np.array_equal(on_stack.transform(STACK.astype(dtype)), expected)
    halves = on_stack.transform(STACK[:, :, :] / 2)  # not stretched again
    assert not np.allclose(halves, expected)


class Wrapped:
    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype=dtype)

    def __len__(self):
        return len(self.values)


def test_memory_maps_lists_and_array_likes_are_taken(on_stack, tmp_path):
    np.save(tmp_path / "stack.npy", STACK)
    mapped = np.load(tmp_path / "stack.npy", mmap_mode="r")
    expected = on_stack.transform(STACK)
    for X in (mapped, STACK.tolist(), Wrapped(STACK), STACK[::-1][::-1], np.asfortranarray(STACK)):
        model = gan().fit(X, LABELS)
        assert np.array_equal(model.transform(X), expected)
        X_new, _ = model.sample(2)
        assert type(X_new) is (list if isinstance(X, list) else np.ndarray)
        assert np.shape(X_new) == (2, 9, 11)


@pytest.mark.filterwarnings("ignore:Rows that were added start")
def test_read_only_rows_are_not_written_to():
    X, y = STACK.copy(), LABELS.copy()
    X.setflags(write=False), y.setflags(write=False)
    model = gan()
    model.fit_resample(X, y, X_unlabeled=X)
    model.transform(X)
    assert np.array_equal(X, STACK)


def people(library):
    module = pytest.importorskip(library)
    columns = {
        "age": RNG.randint(20, 90, 30),
        "sick": RNG.uniform(size=30) < 0.5,
        "size": RNG.normal(size=30).astype(np.float32),
        "grade": RNG.choice([1, 2, 4], 30),
    }
    return module.DataFrame(columns)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_come_back_as_frames(library):
    X, y = people(library), np.arange(30) % 2
    model = gan().fit(X, y)
    X_new, _ = model.sample(40)
    assert type(X_new) is type(X)
    assert list(X_new.columns) == list(X.columns)
    assert list(X_new.dtypes) == list(X.dtypes)
    assert set(np.asarray(X_new["grade"])) <= {1, 2, 4}
    assert np.asarray(X_new["age"]).min() >= np.asarray(X["age"]).min()
    assert model.feature_names_in_.tolist() == list(X.columns)
    X_res, y_res = model.fit_resample(X, y)
    assert type(X_res) is type(X)
    assert list(X_res.dtypes) == list(X.dtypes)
    assert X_res[: len(X)].equals(X)
    assert len(X_res) == len(y_res) == 60


def test_nullable_columns_and_other_indexes_of_pandas():
    pandas = pytest.importorskip("pandas")
    X = people("pandas").astype({"age": "Int64", "size": "Float32", "sick": "boolean"})
    X.index = [f"patient {i}" for i in range(30)]
    y = pandas.Series(["a", "b"] * 15, index=X.index, name="diagnosis", dtype="category")
    X_res, y_res = gan().fit_resample(X, y)
    assert list(X_res.dtypes) == list(X.dtypes)
    assert (y_res.name, y_res.dtype) == ("diagnosis", y.dtype)
    assert X_res[:30].reset_index(drop=True).equals(X.reset_index(drop=True))
    assert y_res[:30].tolist() == y.tolist()
    assert X_res.index.tolist() == list(range(60))


def test_integer_column_names_stay(on_table):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(TABLE)
    model = gan().fit(X, LABELS)
    assert not hasattr(model, "feature_names_in_")
    assert model.sample(2)[0].columns.tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(model.transform(X), on_table.transform(TABLE))


def test_table_columns_stay_on_their_levels():
    X = np.column_stack([RNG.choice([0.1, 0.7], 50), RNG.choice([1, 5, 9], 50), RNG.normal(size=50), np.full(50, 2.5)])
    X_new, _ = gan().fit(X).sample(200)
    assert set(X_new[:, 0]) <= set(X[:, 0])
    assert set(X_new[:, 1]) <= {1.0, 5.0, 9.0}
    assert len(np.unique(X_new[:, 2])) > 100
    assert set(X_new[:, 3]) == {2.5}


@pytest.mark.parametrize("labels", [["no", "yes"], [3, 7], [False, True], [1.0, 2.0], ["a" * 20, "b"]], ids=str)
def test_labels_of_any_kind_come_back(labels):
    y = np.array(labels)[LABELS]
    model = gan().fit(TABLE, y)
    assert model.classes_.dtype == y.dtype
    assert model.classes_.tolist() == sorted(labels)
    X_res, y_res = model.fit_resample(TABLE, y.tolist())
    assert isinstance(y_res, list)
    assert {type(label) for label in y_res} == {type(labels[0])}
    assert len(X_res) == len(y_res) == 28
    assert model.sample(y=labels[1])[1].tolist() == [labels[1]]


def test_one_class_alone_is_learned():
    model = gan().fit(TABLE, np.zeros(14))
    assert model.sample(3)[1].tolist() == [0.0] * 3
    assert len(model.fit_resample(TABLE, np.zeros(14))[0]) == 28


def test_batch_may_be_larger_than_the_data():
    assert gan().fit(TABLE[:2]).transform(TABLE).shape[0] == 14


# -- transform ----------------------------------------------------------------


def test_pixels_are_the_input_and_features_come_after_them():
    models = {r: gan(representation=r).fit(STACK, LABELS) for r in ("pixels", "features", "both")}
    out = {r: model.transform(STACK) for r, model in models.items()}
    assert np.array_equal(out["pixels"], STACK.reshape(14, -1))
    assert np.array_equal(out["both"][:, 99:], out["features"])
    for r, model in models.items():
        names = model.get_feature_names_out()
        assert len(set(names)) == len(names) == out[r].shape[1]
    assert models["pixels"].get_feature_names_out().tolist() == [f"x{i}" for i in range(99)]
    names = models["both"].get_feature_names_out()
    assert names[:99].tolist() == [f"x{i}" for i in range(99)]
    features = ("layer0", "patches0", "patches1", "patches2")
    assert {name.rsplit("_", 1)[0] for name in names[99:]} == {f"ganaugmenter_{block}" for block in features}


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_pixels_of_a_table_are_the_table_to_the_last_digit(dtype):
    seconds = (1.7e9 + 7 * np.arange(60).reshape(20, 3)).astype(dtype)
    columns = gan(representation="pixels").fit(seconds).transform(seconds)
    assert columns.dtype == dtype
    assert np.array_equal(columns, seconds)


def test_pixels_maps_and_patches_have_equal_weight(on_stack):
    out, names = on_stack.transform(STACK).astype(np.float64), on_stack.get_feature_names_out()
    block = np.array([name.rsplit("_", 1)[0] if "_" in name else "x" for name in names])
    shares = {"x": 1, "ganaugmenter_layer0": 1, **{f"ganaugmenter_patches{i}": 3 for i in range(3)}}
    for name, n_beside in shares.items():
        live = out[:, block == name].std(0) > 0
        assert out[:, block == name].var(0).sum() == pytest.approx(live.mean() / n_beside, rel=1e-3)
        assert live.any()


def test_features_are_those_of_the_discriminator_on_encoded_rows(on_stack):
    """The public Keras model gives the same columns, up to a root with its sign, their location and scale."""
    low, high = np.sort(STACK.min((1, 2)))[:5].mean(), np.sort(STACK.max((1, 2)))[-5:].mean()
    encoded = ((STACK[..., None] - low) / (high - low) * 2 - 1).astype(np.float32)
    last_map = np.asarray(on_stack.discriminator_([encoded, np.zeros((14, 2))])[-1])
    last_map = np.where(last_map < 0, -1, 1) * np.abs(last_map) ** 0.5
    names = on_stack.get_feature_names_out()
    ours = on_stack.transform(STACK)[:, [n.startswith("ganaugmenter_layer0_") for n in names]]
    spread = last_map.std(0)
    live = spread > 1e-4
    ours = ours[:, live].astype(np.float64)
    expected = (last_map - last_map.mean(0))[:, live] / spread[live]
    np.testing.assert_allclose((ours - ours.mean(0)) / ours.std(0), expected, atol=0.03)


def test_generator_model_makes_encoded_rows(on_stack):
    rows = np.asarray(on_stack.generator_([np.zeros((2, 4)), np.eye(2)]))
    assert rows.shape == (2, 9, 11, 1)
    assert np.abs(rows).max() <= 1


def test_set_output_names_the_columns(on_table):
    pandas = pytest.importorskip("pandas")
    frame = clone(on_table).set_output(transform="pandas").fit(TABLE, LABELS).transform(TABLE)
    assert isinstance(frame, pandas.DataFrame)
    assert frame.columns.tolist() == on_table.get_feature_names_out().tolist()


def test_pipeline_without_labels():
    labels = make_pipeline(gan(), KMeans(2, n_init=1, random_state=0)).fit_predict(TABLE)
    assert labels.shape == (14,)


# -- sample -------------------------------------------------------------------


def test_sample_draws_anew_and_repeats_with_a_seed():
    a, b = gan().fit(TABLE, LABELS), gan().fit(TABLE, LABELS)
    first, second = a.sample(4)[0], a.sample(4)[0]
    assert not np.array_equal(first, second)
    assert np.array_equal(first, b.sample(4)[0])
    assert np.array_equal(a.sample(4, random_state=7)[0], a.sample(4, random_state=7)[0])
    assert np.array_equal(second, b.sample(4)[0])  # a seeded call did not move the sampler on


def test_sample_gives_the_labels_asked_for(on_table):
    assert on_table.sample()[0].shape == (1, 5)
    assert on_table.sample(3, y=1)[1].tolist() == [1, 1, 1]
    X_new, y_new = on_table.sample(y=[1, 0, 0])
    assert (len(X_new), y_new.tolist()) == (3, [1, 0, 0])
    assert on_table.sample(3, y=[1, 0, 0])[1].tolist() == [1, 0, 0]
    assert len(on_table.sample(130)[0]) == 130  # more than a batch
    assert gan().fit(TABLE).sample(2)[1] is None


def test_sample_of_no_label_is_empty_and_in_form(on_stack):
    X_new, y_new = on_stack.sample(y=[])
    assert (X_new.shape, X_new.dtype, len(y_new)) == ((0, 9, 11), STACK.dtype, 0)


def test_sample_follows_the_class_balance():
    y = np.repeat(["rare", "usual"], [2, 12])
    drawn = gan().fit(TABLE, y).sample(1000, random_state=0)[1]
    assert np.mean(drawn == "rare") == pytest.approx(1 / 7, abs=0.05)  # over four standard deviations


@pytest.mark.slow
def test_samples_of_a_class_look_like_the_class(separable):
    X, y, model = separable
    X_new, y_new = model.sample(300, random_state=1)
    assert LogisticRegression().fit(X, y).score(X_new, y_new) > 0.95
    for label in (0, 1):
        assert np.abs(X_new[y_new == label].mean(0) - X[y == label].mean(0)).max() < 2
    assert 0.4 < X_new.std(0).min() < 2 * X.std(0).max()


@pytest.mark.slow
def test_samples_are_no_copies_of_training_rows(separable):
    X, _, model = separable
    X_new, _ = model.sample(300, random_state=1)
    assert np.linalg.norm(X_new[:, None] - X[None], axis=2).min() > 1e-6


# -- fit_resample -------------------------------------------------------------

UNEVEN = np.repeat([0, 1, 2], [8, 4, 2])


@pytest.mark.parametrize(
    ("strategy", "ratio", "counts"),
    [
        ("auto", 1.0, [8, 8, 8]),
        ("auto", 2.0, [16, 16, 16]),
        ("minority", 1.0, [8, 4, 8]),
        ("minority", 2.0, [8, 4, 16]),
        ("not minority", 1.0, [8, 8, 2]),
        ("all", 1.5, [12, 12, 12]),
        ({2: 5}, 1.0, [8, 4, 5]),
        ({1: 6, 2: 6}, 2.0, [8, 12, 12]),
        (lambda y: {1: 7}, 1.0, [8, 7, 2]),
        ("auto", 0.5, [8, 4, 4]),
    ],
)
def test_fit_resample_lifts_classes_to_their_counts(strategy, ratio, counts):
    X_res, y_res = gan(sampling_strategy=strategy, ratio=ratio).fit_resample(TABLE, UNEVEN)
    assert np.bincount(y_res).tolist() == counts
    assert np.array_equal(X_res[:14], TABLE)
    assert np.array_equal(y_res[:14], UNEVEN)
    assert X_res.dtype == TABLE.dtype


def test_fit_resample_as_fraction_for_two_classes():
    y = np.repeat([0, 1], [10, 4])
    _, y_res = gan(sampling_strategy=0.8, ratio=1.0).fit_resample(TABLE, y)
    assert np.bincount(y_res).tolist() == [10, 8]


def test_fit_resample_with_nothing_to_add_returns_the_rows():
    X_res, y_res = gan(ratio=1.0).fit_resample(TABLE, LABELS)
    assert np.array_equal(X_res, TABLE)
    assert np.array_equal(y_res, LABELS)


@pytest.mark.filterwarnings("ignore:Rows that were added start")
def test_fit_resample_repeats_itself():
    a, b = gan().fit_resample(STACK, LABELS), gan().fit_resample(STACK, LABELS)
    assert np.array_equal(a[0], b[0])
    assert (a[0].dtype, a[0].shape) == (STACK.dtype, (28, 9, 11))


# -- rows for a classifier ----------------------------------------------------


@pytest.fixture
def drawn(monkeypatch):
    """What the generator is asked for and gives, call by call: constant images of random greys."""
    calls, rng = [], np.random.RandomState(5)

    def generate(self, noise, labels):
        shape = (len(noise), *[1] * len(self._config.shape))
        calls.append((labels.argmax(1), rng.uniform(-0.2, 0.2, shape)))
        return np.broadcast_to(calls[-1][1], (len(noise), *self._config.shape)).astype(np.float32)

    monkeypatch.setattr(GANAugmenter, "_generate", generate)
    return calls


PAIR = np.array([np.full((9, 11), 100.0), np.full((9, 11), 150.0)])  # one row of each class
LOW_AND_HIGH = 200.0 * np.eye(10, 99).reshape(10, 9, 11)  # encoded as -1 and 1


def test_row_near_a_real_one_is_changed_by_half_of_what_two_samples_differ_by(drawn):
    model = gan(augment=None, resampling="near").fit(LOW_AND_HIGH, [0, 1] * 5)
    X_new, y_new = model.resample(PAIR, [0, 1], labels=[1, 0, 0])
    assert y_new.tolist() == [1, 0, 0]
    (labels, first), (also, second) = drawn
    assert labels.tolist() == also.tolist() == [1, 0, 0]
    expected = np.array([150.0, 100.0, 100.0]) + 0.5 * 100.0 * (first - second).ravel()
    np.testing.assert_allclose(X_new, np.broadcast_to(expected[:, None, None], X_new.shape), atol=1e-3)


def test_half_of_mixed_rows_of_each_class_are_samples(drawn):
    model = gan(augment=None, resampling="mixed").fit(LOW_AND_HIGH, [0, 1] * 5)
    X_new, _ = model.resample(PAIR, [0, 1], labels=[0, 0, 0, 1, 1])
    (_, first), (labels, second) = drawn
    assert labels.tolist() == [0, 0, 1]
    expected = 100.0 * (1 + first.ravel())
    expected[[0, 2, 3]] = [100.0, 100.0, 150.0] + 50.0 * (first[[0, 2, 3]] - second).ravel()
    np.testing.assert_allclose(X_new[:, 0, 0], expected, atol=1e-3)


@pytest.fixture
def separable_images():
    X = np.random.RandomState(3).randint(0, 60, (12, 9, 11)).astype(np.uint8)
    X[6:] += 190
    y = np.repeat([0, 1], 6)
    return gan(augment=None, adversarial_weight=0).fit(X, y), X, y


UNTRAINED = {"resampling": "near", "max_iter": 1, "class_head_weight": 0, "penalty_weight": 0}  # soon compiled


@pytest.fixture
def silent(monkeypatch):
    """A generator that has learned nothing: all samples are alike, so no two differ."""
    monkeypatch.setattr(
        GANAugmenter, "_generate", lambda self, noise, labels: np.zeros((len(noise), *self._config.shape), np.float32)
    )


@pytest.mark.usefixtures("silent")
def test_rows_for_a_classifier_are_moved_half_as_far_as_in_training():
    image = np.random.RandomState(1).randint(0, 256, (1, 16, 24)).astype(np.uint8)
    X, y = np.repeat(image, 4, 0), np.arange(4) % 2
    model = gan(augment=("shift",), **UNTRAINED).fit(X, y)
    padded = np.pad(image[0], 2, mode="edge")
    moved = {(i, j): padded[2 + i : 18 + i, 2 + j : 26 + j] for i in range(-2, 3) for j in range(-2, 3)}
    for resampling in ("near", "classical"):
        X_new, _ = model.set_params(resampling=resampling).resample(X, y, labels=[1] * 60)
        seen = [next(at for at, copy in moved.items() if np.array_equal(row, copy)) for row in X_new]
        assert np.abs(seen).max(0).tolist() in ([1, 1], [1, 2])  # a sixteenth of 16 and of 24, which is 1 and 1.5
        assert len(set(seen)) > 5


@pytest.mark.usefixtures("silent")
def test_rows_for_a_classifier_have_tone_curves_of_their_own():
    """Contrast stretches and moves grey levels 0, 64 and 255 alike; only a curve changes the ratio of their steps."""
    image = np.repeat([[0.0, 64.0, 255.0]], 9, 0).repeat(4, 1)
    X, y = np.stack([image] * 4), np.arange(4) % 2
    model = gan(augment=("contrast",), **UNTRAINED).fit(X, y)
    X_new, _ = model.resample(X, y, labels=[1] * 400)
    low, middle, high = X_new[:, 0, [0, 5, 11]].T
    whole = (low > 0.0) & (high < 255.0)  # others were cut at the ends of the range
    assert whole.sum() > 50
    exponents = (np.log((middle - low) / (high - low)) / np.log(64 / 255))[whole]
    assert np.exp(-0.35) < exponents.min() < 0.75
    assert 1.35 < exponents.max() < np.exp(0.35)


@pytest.mark.filterwarnings("ignore:Rows that were added start")
@pytest.mark.usefixtures("silent")
def test_fit_resample_takes_the_real_images_of_a_class_in_turn():
    y = np.repeat(["common", "rare"], [11, 3])
    X_res, y_res = gan(augment=None, ratio=1.0, resampling="near").fit_resample(STACK, y)
    assert y_res.tolist() == [*y, *["rare"] * 8]
    times = [int((X_res[14:] == row).all((1, 2)).sum()) for row in STACK]
    assert times[:11] == [0] * 11
    assert sorted(times[11:]) == [2, 3, 3]


def test_images_are_added_without_the_generator_by_default(on_stack, drawn):
    rows = on_stack.resample(STACK, LABELS, labels=[0, 1, 1], random_state=3)[0]
    assert rows.dtype == STACK.dtype
    assert not drawn
    classical = clone(on_stack).set_params(resampling="classical").fit(STACK, LABELS)
    assert np.array_equal(classical.resample(STACK, LABELS, labels=[0, 1, 1], random_state=3)[0], rows)


def test_classical_rows_are_moved_where_training_rows_are_not(separable_images):
    """Else they would be real ones repeated."""
    model, X, y = separable_images
    rows, labels = model.resample(X, y, labels=np.repeat([0, 1], 20), random_state=0)
    assert not any((row == X).all((1, 2)).any() for row in rows)
    assert np.array_equal(rows.mean((1, 2)) > 127, labels == 1)  # far darker and far brighter images


def test_tables_have_no_classical_rows():
    with pytest.raises(ValueError, match="resampling='classical' moves images; got a table"):
        gan(resampling="classical").fit(TABLE, LABELS)


def test_rows_are_samples_where_asked_for_and_on_tables(on_table):
    drawn = on_table.resample(TABLE, LABELS, labels=[1, 0, 1], random_state=5)
    assert np.array_equal(drawn[0], on_table.sample(y=[1, 0, 1], random_state=5)[0])
    assert drawn[1].tolist() == [1, 0, 1]
    model = gan(resampling="sample").fit(STACK, LABELS)
    assert np.array_equal(
        model.resample(STACK, LABELS, labels=[1, 1], random_state=5)[0], model.sample(y=[1, 1], random_state=5)[0]
    )


@pytest.mark.parametrize("X", [STACK, STACK.tolist()], ids=["array", "list"])
def test_rows_for_a_classifier_repeat_and_keep_the_form(X):
    models = [gan().fit(X, LABELS) for _ in range(2)]
    first, second = (model.resample(X, LABELS, labels=[1, 0, 1])[0] for model in models)
    assert type(first) is type(X)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, models[0].resample(X, LABELS, labels=[1, 0, 1])[0])
    assert len(models[0].resample(X, LABELS, labels=[])[0]) == 0


def test_resample_refuses_labels_of_which_there_is_no_row(on_stack):
    with pytest.raises(ValueError, match=r"rows of classes \[1\], of which y has none"):
        on_stack.resample(STACK[LABELS == 0], LABELS[LABELS == 0], labels=[0, 1])
    with pytest.raises(ValueError, match=r"not seen at fit: \['7'\]"):
        on_stack.resample(STACK, LABELS, labels=[7])
    with pytest.raises(ValueError, match="fitted without labels"):
        gan().fit(TABLE).resample(TABLE, LABELS, labels=[1])


def test_resample_names_what_it_cannot_use(on_stack):
    with pytest.raises(ValueError, match=r"^labels holds labels that were not seen at fit: \['7'\]"):
        on_stack.resample(STACK, LABELS, labels=[0, 7])
    for wrong in (0, None, [[0], [1]]):
        with pytest.raises(ValueError, match="labels must hold one label for each row to make"):
            on_stack.resample(STACK, LABELS, labels=wrong)
    misspelt = deepcopy(on_stack).set_params(resampling="clasical")
    with pytest.raises(ValueError, match=r"resampling must be one of 'auto', 'classical'.* got 'clasical'"):
        misspelt.resample(STACK, LABELS, labels=[0])


# -- semi-supervised, warm start, warnings ------------------------------------


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([0, 0, 1, 1], [1 / 4] * 4),
        ([0, 0, 0, 1], [1 / 6] * 3 + [1 / 2]),  # classes equally often
        ([0, 0, 1, -1, -1, -1, -1], [1 / 8, 1 / 8, 1 / 4] + [1 / 8] * 4),  # unlabelled rows: at most every second draw
        ([0, 1, -1], [1 / 3] * 3),
        ([-1, -1], [1 / 2] * 2),
    ],
)
def test_rows_are_drawn_as_often_as_they_should(codes, expected):
    labels = np.vstack([np.eye(2), np.zeros((1, 2))])[codes].astype(np.float32)
    np.testing.assert_allclose(np.diff(drawing_probabilities(labels), prepend=0), expected, rtol=1e-6)


def test_unlabelled_rows_are_learned_from_and_not_returned():
    model = gan(max_iter=20)
    X_res, _ = model.fit_resample(TABLE, LABELS, X_unlabeled=TABLE + 5)
    assert len(X_res) == 28
    assert model.classes_.tolist() == [0, 1]
    assert not np.array_equal(model.transform(TABLE), gan(max_iter=20).fit(TABLE, LABELS).transform(TABLE))


@pytest.mark.slow
def test_samples_reach_what_only_unlabelled_rows_show():
    """Labelled rows lie about -2, unlabelled ones about 3: every second row that the GAN sees is one of those."""
    rng = np.random.RandomState(0)
    X, XU = rng.normal(-2, 0.3, size=(60, 2)), rng.normal(3, 0.3, size=(200, 2))
    settings = {"max_iter": 300, "width": 16, "latent_dim": 8, "random_state": 0}
    X_new, _ = GANAugmenter(**settings).fit(X, X_unlabeled=XU).sample(400, random_state=0)
    assert (X_new > 1).all(1).mean() > 0.2
    assert X_new.max() <= XU.max()


def test_warm_start_goes_on():
    model = gan(warm_start=True, max_iter=10).fit(TABLE, LABELS)
    before = model.transform(TABLE)
    history = {name: list(values) for name, values in model.history_.items()}
    model.fit(TABLE, LABELS)
    assert model.n_iter_ == 20
    assert model.history_["step"] == [10, 20]
    assert all(model.history_[name][:1] == values for name, values in history.items())
    assert not np.array_equal(model.transform(TABLE), before)


def test_warm_start_keeps_scale_and_classes():
    model = gan(warm_start=True).fit(TABLE, LABELS)
    scale = model.sample(50, random_state=0)[0]
    model.fit(TABLE[:6] * 1000, np.zeros(6, int))
    assert model.classes_.tolist() == [0, 1]
    assert np.abs(model.sample(50, random_state=0)[0]).max() <= np.abs(TABLE).max() + 1e-9
    assert np.abs(scale).max() <= np.abs(TABLE).max() + 1e-9


def test_second_fit_without_warm_start_forgets():
    model = gan().fit(STACK, LABELS)
    model.fit(TABLE)
    assert model.n_iter_ == 2
    assert not hasattr(model, "classes_")
    assert model.image_shape_ is None
    assert np.array_equal(model.transform(TABLE), gan().fit(TABLE).transform(TABLE))


@pytest.mark.slow
def test_training_that_stays_at_chance_warns():
    with pytest.warns(ConvergenceWarning, match=r"at chance: .*0\.693.*Lower penalty_weight") as caught:
        gan(max_iter=200, penalty_weight=1000, batch_size=64).fit(STACK, LABELS)
    assert caught[0].filename == __file__  # points at the line that called fit


@pytest.mark.slow
def test_training_that_has_reached_its_equilibrium_does_not_warn(separable):
    """Warnings are errors here; the loss is back at chance, because samples match the data."""
    history = separable[2].history_["discriminator_loss"]
    assert abs(history[-1] - np.log(2)) < 0.02
    assert min(history) < np.log(2) - 0.1


def test_a_class_of_two_rows_warns():
    with pytest.warns(UserWarning, match=r"classes \[1\] have fewer than 3 training rows"):
        gan().fit(TABLE, np.repeat([0, 1], [12, 2]))


@pytest.mark.filterwarnings("ignore:GAN training:sklearn.exceptions.ConvergenceWarning")
def test_rows_that_are_all_the_same_warn():
    with pytest.warns(UserWarning, match="all 8 training rows are the same"):
        gan().fit(np.full((8, 5), 3.0), LABELS[:8])


def test_collapsed_samples_warn():
    """Rows a thousand times as far apart as those whose scale was learned: samples cannot follow in 100 steps."""
    model = gan(max_iter=2, warm_start=True, learning_rate=1e-6).fit(TABLE, LABELS)
    model.set_params(max_iter=100)
    with pytest.warns(ConvergenceWarning, match=r"has collapsed: .*Raise penalty_weight"):
        model.fit(TABLE * 1000, LABELS)


def test_samples_that_run_away_warn():
    """Constant rows a million times closer than those whose scale was learned: samples stay a million times as wide."""
    model = gan(max_iter=2, warm_start=True, learning_rate=1e-6).fit(TABLE, LABELS)
    model.set_params(max_iter=100)
    with pytest.warns(ConvergenceWarning, match=r"has run away: .*Lower penalty_weight"):
        model.fit(TABLE * 1e-6, LABELS)


def test_class_head_alone_learns_to_tell_classes_apart():
    X = TABLE + 3 * LABELS[:, None]
    model = gan(adversarial_weight=0, max_iter=60, learning_rate=0.01).fit(X, LABELS)
    assert model.history_["class_loss"][-1] < model.history_["class_loss"][0]
    rows = np.pad((X - model._canvas.codec.mean) / X.std(0), [(0, 0), (0, 11)])  # the mean is rounded
    _, class_logits, *_ = model.discriminator_([rows, np.zeros((14, 2))])
    assert (np.argmax(class_logits, 1) == LABELS).mean() > 0.9
    with pytest.raises(ValueError, match="adversarial_weight=0 the generator was not trained"):
        model.sample()


@pytest.mark.slow
def test_a_discriminator_that_is_sure_of_all_samples_warns():
    """A thousand times the rate of the classic network: what it draws is the same image again and again."""
    model = gan(architecture="dcgan", loss="minimax", max_iter=30, learning_rate=0.2)
    with pytest.warns(ConvergenceWarning, match=r"is saturated: .*Lower learning_rate"):
        model.fit(STACK, LABELS)


@pytest.mark.slow
def test_classic_network_and_objective_train_on_images():
    model = gan(architecture="dcgan", loss="minimax", max_iter=20).fit(STACK, LABELS)
    assert model.sample(2)[0].shape == (2, 9, 11)
    assert np.isfinite(model.transform(STACK)).all()
    assert np.array_equal(model.transform(STACK)[3:4], model.transform(STACK[3:4]))


# -- copies -------------------------------------------------------------------


def test_pickle_holds_no_training_row(on_stack, on_table):
    for model, X in ((on_stack, STACK), (on_table, TABLE)):
        _ = model.generator_
        content = pickle.dumps(model)
        encodings = [model._canvas.codec.encode(X), X, X.astype(np.float32), X.astype(np.float64)]
        assert not any(np.ascontiguousarray(row).tobytes() in content for rows in encodings for row in rows)


def test_pickle_transforms_and_samples_equally(on_stack):
    copy = pickle.loads(pickle.dumps(on_stack))
    assert np.array_equal(copy.transform(STACK), on_stack.transform(STACK))
    assert np.array_equal(copy.sample(3)[0], on_stack.sample(3)[0])


def test_clone_is_unfitted_and_fits_equally(on_table):
    copy = clone(on_table)
    assert copy.get_params() == on_table.get_params()
    assert not hasattr(copy, "n_iter_")
    assert np.array_equal(copy.fit(TABLE, LABELS).transform(TABLE), on_table.transform(TABLE))


def test_unfitted_estimator_has_no_networks():
    with pytest.raises(AttributeError, match="generator_ exists after fit"):
        _ = GANAugmenter().generator_
    assert not hasattr(GANAugmenter(), "discriminator_")
