"""Rows of a table from a mixture of Gaussians: they follow the populations that the rows were drawn from."""

import numpy as np
import pytest
from scipy.stats import norm, skew
from sklearn.linear_model import LogisticRegression

from sklearn_medgan import GANAugmenter, load, save
from sklearn_medgan.augmentation._mixture import FEWEST, Mixture, NormalScores

RNG = np.random.RandomState(0)
CORRELATED = np.array([[1.0, 0.8], [0.8, 1.0]])


def drawn(rows, codes, wanted, seed=0):
    return Mixture.learn(rows, codes, np.random.RandomState(seed)).draw(wanted, np.random.RandomState(seed + 1))


def test_moments_are_those_of_the_population():
    rows = RNG.multivariate_normal([3.0, -1.0], CORRELATED, 600)
    new = drawn(rows, np.zeros(600, int), np.zeros(4000, int))
    assert new.dtype == np.float32
    assert new.mean(0) == pytest.approx([3.0, -1.0], abs=0.15)
    assert np.cov(new.T) == pytest.approx(CORRELATED, abs=0.15)


def test_two_modes_of_a_class_stay_apart():
    rows = np.concatenate([RNG.normal(size=(100, 2)) - 6, RNG.normal(size=(100, 2)) + 6])
    assert np.mean(np.abs(drawn(rows, np.zeros(200, int), np.zeros(1000, int))[:, 0]) < 2) < 0.02


def test_skewed_columns_stay_skewed():
    rows = np.exp(RNG.normal(size=(500, 2)))
    new = drawn(rows, np.zeros(500, int), np.zeros(2000, int))
    assert np.median(new, 0) == pytest.approx([1.0, 1.0], abs=0.2)
    assert (skew(new) > 1.5).all()


def test_a_rare_class_borrows_the_spread_of_the_others():
    rows = np.concatenate([RNG.normal(size=(300, 3)), RNG.normal(scale=0.1, size=(6, 3)) + [4, 0, 0]])
    new = drawn(rows, np.repeat([0, 1], [300, 6]), np.ones(1000, int))
    assert new.std(0)[1:].min() > 0.25


def test_fewer_rows_lie_on_the_side_of_another_class_than_chance_puts_there():
    """Of two unit Gaussians three apart, 6.7 % of each lie beyond the middle."""
    codes = np.repeat([0, 1], 300)
    rows = RNG.normal(size=(600, 2)) + 3 * codes[:, None] * [1, 0]
    new = drawn(rows, codes, np.zeros(4000, int))
    assert np.mean(new[:, 0] > 1.5) < 0.7 * norm.sf(1.5)


def test_every_centre_is_of_five_rows_or_moved():
    rows = np.concatenate([RNG.normal(size=(60, 2)), [[50.0, 50.0]], [[9.0, 9.0], [9.5, 9.0]]])
    codes = np.repeat([0, 1], [61, 2])
    mixture = Mixture.learn(rows, codes, np.random.RandomState(0))
    shares = mixture.shares[mixture.codes == 0] * 61
    assert shares.min() > FEWEST - 0.5
    assert shares.sum() == pytest.approx(61)
    own = mixture.columns.encode(rows)[codes == 1].mean(0)
    assert np.abs(mixture.centres[mixture.codes == 1] - own).max() > 1e-3


def test_normal_scores_go_back_and_have_the_quantiles_of_a_gaussian():
    rows = np.exp(RNG.normal(size=(1000, 1)))
    columns = NormalScores.learn(rows)
    scores = columns.encode(rows)
    assert columns.decode(scores) == pytest.approx(rows)
    assert np.quantile(scores, [0.16, 0.5, 0.84]) == pytest.approx(norm.ppf([0.16, 0.5, 0.84]), abs=0.05)
    assert not np.isin(columns.knots, rows).any()


def test_tied_columns_are_only_shifted_and_stretched():
    rows = RNG.randint(0, 3, size=(100, 1)).astype(float)
    scores = NormalScores.learn(rows).encode(rows)
    assert scores == pytest.approx((rows - rows.mean()) / rows.std(), abs=1e-4)


@pytest.fixture(scope="module")
def table():
    y = np.repeat(["a", "b", "c"], 20)
    return RNG.normal(size=(60, 4)) + 5 * (y[:, None] == ["a", "b", "c", "d"]), y


def test_samples_of_a_table_teach_its_classes_after_a_step(table):
    X, y = table
    X_new, y_new = GANAugmenter(max_iter=1, random_state=0).fit(X, y).sample(200)
    assert LogisticRegression().fit(X_new, y_new).score(X, y) > 0.95


def test_a_dense_architecture_draws_by_the_generator(table):
    model = GANAugmenter(architecture="dense", max_iter=1, random_state=0).fit(*table)
    noise = np.random.RandomState(3).standard_normal((2, model.latent_dim)).astype(np.float32)
    labels = np.eye(model.generator_.inputs[1].shape[1], dtype=np.float32)[[1, 2]]
    encoded = np.asarray(model.generator_([noise, labels]))
    scale, mean = table[0].std(0), model._canvas.codec.mean  # rounded
    expected = np.clip(encoded[:, :4] * scale + mean, table[0].min(0), table[0].max(0))
    assert model.sample(y=["b", "c"], random_state=3)[0] == pytest.approx(expected, abs=1e-5)


def test_a_saved_table_draws_the_same(table, tmp_path):
    model = GANAugmenter(max_iter=1, random_state=0).fit(*table)
    save(model, tmp_path / "table.medgan")
    restored = load(tmp_path / "table.medgan")
    assert np.array_equal(restored.sample(9, random_state=1)[0], model.sample(9, random_state=1)[0])
