"""Tables: they come back with their columns, and the network is compared with doing nothing."""

import numpy as np
import pytest
from enhancers import KEYS, RNG, TABLE, enhancer, network

from sklearn_medgan import GANEnhancer
from sklearn_medgan._codecs import TableCodec
from sklearn_medgan.enhancement._configuration import Degrading
from sklearn_medgan.enhancement._held_out import HeldOutRows
from sklearn_medgan.enhancement._tables import TableRestoration


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


def test_rows_of_a_table_are_restored_once():
    rows = np.random.RandomState(0).normal(size=(40, 3))
    restoration = table_of(1.0)
    calls = []
    change = network(lambda rows: 0.5 * rows)

    def restore(rows, with_spread):
        calls.append(with_spread)
        return change(rows, with_spread)

    restoration.assess(last_ten(rows), restore, True)
    assert calls == [True, False, *[True] * 4]  # poor rows with their spread, clean ones, further poor versions


def table_of(spread):
    """A restoration of tables of three columns of this spread."""
    return TableRestoration(
        TableCodec(np.zeros(3), np.full(3, spread), *[np.zeros(3)] * 2, np.zeros(3, bool), (None,) * 3)
    )


def last_ten(rows):
    """Rows of a table to which noise of half a spread is added, ten of 40 held out."""
    degrading, rng = Degrading((0.5, 0.5), None), np.random.RandomState(0)
    return HeldOutRows(rows, None, None, np.arange(30, 40), np.arange(30), degrading, rng)


@pytest.mark.parametrize(("change", "chosen"), [(lambda r: 0 * r, "network"), (lambda r: r + 9, "nothing")])
def test_table_is_compared_with_doing_nothing(change, chosen):
    """Columns of zeros in network units would be best restored to zero."""
    rows = np.random.RandomState(0).normal(size=(40, 3))
    found = table_of(1e6).assess(last_ten(rows), network(change), True)
    assert found.report.keys() == KEYS
    assert found.report["chosen"] == chosen
    assert found.report["psnr"]["nothing"] == pytest.approx(-20 * np.log10(0.5), abs=1.0)
    assert found.report["psnr_clean"]["nothing"] == pytest.approx(100.0)
    assert found.report["psnr_clean"]["network"] == pytest.approx(
        100.0 if chosen == "network" else -20 * np.log10(9), abs=0.1
    )
