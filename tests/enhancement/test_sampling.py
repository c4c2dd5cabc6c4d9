"""Draws, uncertainty and score: they agree with each other and with the truth."""

import numpy as np
import pytest
from enhancers import FLOATS, STACK, TABLE, ends, enhancer, mean_psnr, noisy, smooth, untrained


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
    expected = mean_psnr(model.transform(poor), good, peak=np.ptp(ends(X)))
    assert model.score(poor, target=good) == pytest.approx(expected, abs=1e-3)


def test_score_without_target_restores_own_degradations():
    X = smooth(12)
    model = enhancer(degradation={"noise": 0.1}).fit(X)
    own = model.score(X)
    assert model.score(X) == own  # always alike
    assert own == model.score(X, np.zeros(12))  # y is ignored
    poor = noisy(X, 0.1, seed=8)
    assert own == pytest.approx(mean_psnr(model.transform(poor), X, peak=np.ptp(ends(X))), abs=1.0)
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
