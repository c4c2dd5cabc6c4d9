"""What must hold for any rows, labels and seeds. ``HYPOTHESIS_PROFILE=thorough`` draws ten times as many."""

import io
import pickle

import joblib
import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from sklearn_medgan import GANAugmenter, load, save
from sklearn_medgan._codecs import learn_codec
from sklearn_medgan._containers import Form, cast
from sklearn_medgan._validation import check_rows

TINY = {"backbone": None, "max_iter": 1, "batch_size": 4, "width": 4, "latent_dim": 3, "n_patches": 8}
N = 12
LABELS = np.arange(N) % 3


def rows_of(kind, seed=0):
    """Twelve rows of one shape a kind, so that nothing is traced twice."""
    rng = np.random.RandomState(seed)
    table = np.column_stack([rng.normal(size=(N, 3)), rng.choice([2, 5], N)])
    if kind == "table":
        return table
    if kind == "list":
        return table.tolist()
    if kind in ("pandas", "polars"):
        frame = pytest.importorskip(kind).DataFrame
        columns = {"a": table[:, 0], "b": table[:, 1].astype(np.float32), "c": table[:, 2] > 0}
        return frame({**columns, "d": table[:, 3].astype(np.int64)})
    stack = rng.randint(-1000, 2000, (N, 8, 9)).astype(np.int16)
    return stack if kind == "stack" else stack.reshape(N, -1)


KINDS = ("stack", "flat", "table", "list", "pandas", "polars")
by_kind = pytest.mark.parametrize("kind", KINDS)


def unfitted(kind, **changed):
    return GANAugmenter(**{**TINY, "random_state": 0, **changed}, image_shape=(8, 9) if kind == "flat" else None)


@pytest.fixture(scope="module")
def fitted():
    """One fit a kind, made when first asked for."""
    known = {}

    def get(kind):
        if kind not in known:
            known[kind] = unfitted(kind).fit(rows_of(kind), LABELS)
        return known[kind]

    return get


def there_and_back(X, image_shape=None):
    """X through validation, encoding in float32 and decoding to its own form."""
    rows, form = check_rows(GANAugmenter(), X, image_shape=image_shape, reset=True)
    codec = learn_codec([rows], form)
    encoded = codec.encode(rows)
    assert encoded.dtype == np.float32
    return encoded, form.restore(codec.decode(encoded))


def assert_restored(back, X):
    """Integers and booleans to the value where their range fits float32, floats to its precision over the range."""
    assert (back.shape, back.dtype) == (X.shape, X.dtype)
    low, high = X.min(0, keepdims=True), X.max(0, keepdims=True)
    whole = X.dtype.kind in "iu"
    extent = X.max().astype(float) - X.min() if X.ndim > 2 else high.astype(float) - low
    if X.dtype.kind == "b" or (whole and np.max(extent) < 2**22):
        assert np.array_equal(back, X)
    else:
        error = np.abs(back.astype(np.float64) - X)
        size = np.maximum(np.abs(X).max(0).astype(float), extent) if X.ndim == 2 else extent
        rounding = 2.0**-23 if X.dtype != np.float32 else 2.0**-21
        assert (error <= 4 * rounding * size + np.finfo(np.float64).tiny).all()


@given(strategies.stacks)
def test_stacks_come_back_from_encoding(X):
    encoded, back = there_and_back(X)
    assert np.abs(encoded).max() <= 1
    assert_restored(back, X)


@given(strategies.boolean_stacks)
def test_boolean_stacks_come_back_from_encoding(X):
    assert np.array_equal(there_and_back(X)[1], X)


@given(strategies.stacks)
def test_flat_images_come_back_from_encoding(X):
    flat = X.reshape(len(X), -1)
    _, back = there_and_back(flat, image_shape=X.shape[1:])
    assert_restored(back.reshape(X.shape), X)


@given(strategies.tables)
def test_tables_come_back_from_encoding(X):
    """Where five rows share a value: the ends and levels of fewer are not kept."""
    X = np.repeat(X, 5, axis=0)
    encoded, back = there_and_back(X)
    assert np.isfinite(encoded).all()
    assert_restored(back, X)


@given(strategies.tables, strategies.seeds)
def test_decoded_tables_stay_in_range_and_on_levels(X, seed):
    """Whatever a generator makes up, where five rows share a value."""
    X = np.repeat(X, 5, axis=0)
    rows, form = check_rows(GANAugmenter(), X, reset=True)
    codec = learn_codec([rows], form)
    made_up = np.random.RandomState(seed).standard_cauchy((9, *codec.network_shape)).astype(np.float32)
    new = form.restore(codec.decode(made_up))
    assert (new.shape, new.dtype) == ((9, X.shape[1]), X.dtype)
    assert (new >= X.min(0)).all()
    assert (new <= X.max(0)).all()
    for column, values in zip(new.T, X.T, strict=True):
        levels = set(values.tolist())
        if len(levels) <= 2 or (len(levels) <= 10 and all(float(v).is_integer() for v in levels)):
            assert set(column.tolist()) <= levels


@given(strategies.stacks, strategies.seeds)
def test_decoded_images_stay_in_range(X, seed):
    rows, form = check_rows(GANAugmenter(), X, reset=True)
    codec = learn_codec([rows], form)
    made_up = np.random.RandomState(seed).uniform(-1.5, 1.5, (3, *codec.network_shape)).astype(np.float32)
    new = form.restore(codec.decode(made_up))
    assert (new.shape, new.dtype) == ((3, *X.shape[1:]), X.dtype)
    few = len({image.tobytes() for image in X}) < 5  # whose range is rounded outward
    slack = few * (float(X.max()) / 4 - float(X.min()) / 4 + 1e-6 * float(np.abs(X.astype(float)).max()))
    assert new.min() >= float(X.min()) - slack
    assert new.max() <= float(X.max()) + slack


@given(
    st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.int64, np.uint64]),
    st.lists(st.floats(-1e20, 1e20, allow_nan=False), min_size=1, max_size=9),
)
def test_cast_rounds_and_clips_as_exact_arithmetic_does(dtype, values):
    limits = np.iinfo(dtype)
    expected = [min(max(round(value), limits.min), limits.max) for value in values]
    assert cast(np.array(values), np.dtype(dtype)).tolist() == expected


@by_kind
@given(data=st.data())
def test_order_of_rows_changes_no_row(fitted, kind, data):
    order = data.draw(strategies.orders)
    X, model = rows_of(kind), fitted(kind)
    shuffled = [X[i] for i in order] if kind == "list" else X.iloc[order] if kind == "pandas" else X[order]
    assert model.transform(shuffled).tobytes() == model.transform(X)[order].tobytes()


@by_kind
@given(data=st.data())
def test_rows_do_not_depend_on_their_neighbours(fitted, kind, data):
    start = data.draw(st.integers(0, N - 1))
    stop = data.draw(st.integers(start + 1, N))
    X, model = rows_of(kind), fitted(kind)
    assert model.transform(X[start:stop]).tobytes() == model.transform(X)[start:stop].tobytes()


@pytest.mark.parametrize("kind", ["stack", "table"])
def test_rows_do_not_depend_on_their_place_among_many(fitted, kind):
    """More rows than a batch, so that each of its places is taken, the last ones too."""
    X, model = rows_of(kind), fitted(kind)
    expected = model.transform(X)
    for start in range(N):
        places = (start + np.arange(9 * N)) % N
        assert model.transform(X[places]).tobytes() == expected[places].tobytes()


@by_kind
@given(st.lists(st.integers(0, 2), min_size=1, max_size=9), strategies.seeds)
def test_sample_returns_what_was_asked_for(fitted, kind, labels, seed):
    X, model = rows_of(kind), fitted(kind)
    X_new, y_new = model.sample(y=labels, random_state=seed)
    assert y_new.tolist() == labels
    assert type(X_new) is type(X)
    assert len(X_new) == len(labels)
    assert np.shape(X_new)[1:] == np.shape(X)[1:]
    again, _ = model.sample(y=labels, random_state=seed)
    assert np.array_equal(np.asarray(again), np.asarray(X_new))
    if hasattr(X, "dtypes"):
        assert list(X_new.dtypes) == list(X.dtypes)
        assert list(X_new.columns) == list(X.columns)
    elif kind != "list":
        assert X_new.dtype == X.dtype


@given(st.integers(1, 200), strategies.seeds)
def test_sample_draws_as_many_rows_as_asked_for(fitted, n_samples, seed):
    X_new, y_new = fitted("table").sample(n_samples, random_state=seed)
    assert len(X_new) == len(y_new) == n_samples
    assert set(y_new) <= {0, 1, 2}


@pytest.mark.filterwarnings("ignore:Rows that were added start")
@by_kind
@given(strategies.seeds, st.lists(st.sampled_from("abc"), min_size=N - 3, max_size=N - 3))
def test_fit_resample_keeps_the_rows_first_and_touches_none(kind, seed, labels):
    X, y = rows_of(kind, seed), np.array([*"abc", *labels])
    before = pickle.dumps(X), y.copy()
    X_res, y_res = unfitted(kind).fit_resample(X, y)
    assert pickle.dumps(X) == before[0]
    assert np.array_equal(y, before[1])
    assert type(X_res) is type(X)
    assert np.array_equal(np.asarray(X_res[:N]), np.asarray(X))
    assert y_res[:N].tolist() == y.tolist()
    target = 2 * np.unique(y, return_counts=True)[1].max()
    assert np.unique(y_res, return_counts=True)[1].tolist() == [target] * 3
    assert len(X_res) == 3 * target
    if hasattr(X, "dtypes"):
        assert list(X_res.dtypes) == list(X.dtypes)


@given(strategies.seeds)
def test_same_random_state_same_bytes(seed):
    X = rows_of("table", seed)
    a, b = (clone(unfitted("table", random_state=seed)).fit(X, LABELS) for _ in range(2))
    assert a.transform(X).tobytes() == b.transform(X).tobytes()
    assert a.sample(5)[0].tobytes() == b.sample(5)[0].tobytes()


@given(strategies.seeds)
def test_random_state_instances_are_as_good_as_seeds(seed):
    X = rows_of("table")
    by_seed = unfitted("table", random_state=seed).fit(X)
    by_instance = unfitted("table", random_state=np.random.RandomState(seed)).fit(X)
    assert by_seed.transform(X).tobytes() == by_instance.transform(X).tobytes()


def pickled(model, tmp_path):
    return pickle.loads(pickle.dumps(model))


def joblibbed(model, tmp_path):
    file = io.BytesIO()
    joblib.dump(model, file)
    return joblib.load(file)


def saved(model, tmp_path):
    save(model, tmp_path / "model")
    return load(tmp_path / "model")


@by_kind
@pytest.mark.parametrize("copy", [pickled, joblibbed, saved])
def test_copies_transform_and_sample_equally(fitted, kind, copy, tmp_path):
    model = fitted(kind)
    other = copy(model, tmp_path)
    X = rows_of(kind, seed=5)
    assert other.transform(X).tobytes() == model.transform(X).tobytes()
    ours, theirs = (np.asarray(m.sample(4, random_state=1)[0]) for m in (other, model))
    assert np.array_equal(ours, theirs)
    assert other.get_params() == model.get_params()


@by_kind
def test_clone_fits_equally(fitted, kind):
    X, model = rows_of(kind), fitted(kind)
    assert clone(model).fit(X, LABELS).transform(X).tobytes() == model.transform(X).tobytes()


@by_kind
def test_form_names_what_came(kind):
    rows, form = check_rows(unfitted(kind), rows_of(kind), image_shape=(8, 9) if kind == "flat" else None, reset=True)
    expected = {"stack": "stack", "flat": "flat"}.get(kind, "table")
    assert isinstance(form, Form)
    assert (form.kind, form.row_shape) == (expected, rows.shape[1:])
