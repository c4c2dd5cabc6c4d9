"""Class scores: closed forms for teacher and student, clusters that they find, and their place in `transform`."""

import numpy as np
import pytest

from sklearn_medgan import GANAugmenter, load, save
from sklearn_medgan.augmentation._class_scores import STUDENT_PENALTY, TEACHER_PENALTY, ClassScores, distil, guess

RNG = np.random.RandomState(0)
TABLE = np.concatenate([RNG.normal(-1, 1, (30, 6)), RNG.normal(1, 1, (30, 6))])[RNG.permutation(60)]
LABELS = np.where(TABLE.sum(1) < 0, "ill", "well")
TINY = {"max_iter": 2, "random_state": 0}


def clusters(n: int, rng):
    """Float32 rows of two elongated clusters and their one-hot labels."""
    codes = np.arange(n) % 2
    rows = rng.normal(0, [3.0, *[0.3] * 9], (n, 10))
    rows[:, 1] += 2.0 * codes - 1.0
    return rows.astype(np.float32), np.eye(2, dtype=np.float32)[codes]


def test_scores_of_few_labels_follow_the_clusters_of_the_other_rows():
    rows, labels = clusters(400, np.random.RandomState(0))
    new, truth = clusters(200, np.random.RandomState(1))
    scores = ClassScores.learn(rows, labels[:6], weight=1.0)(new)
    nearest = np.square(new[:, None] - rows[:6]).sum(-1).argmin(1)
    accuracy = (scores.argmax(1) == truth.argmax(1)).mean()
    assert accuracy > 0.9
    assert accuracy > (labels[nearest].argmax(1) == truth.argmax(1)).mean()


@pytest.mark.parametrize("weight", [0.5, 2.0])
def test_scores_are_centred_and_spread_as_asked_over_the_training_rows(weight):
    rows, labels = clusters(100, np.random.RandomState(0))
    scores = ClassScores.learn(rows, labels[:10], weight)(rows).astype(np.float64)
    np.testing.assert_allclose(scores.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(scores.var(0).sum(), weight**2, rtol=1e-3)


def test_teacher_is_shrunk_certainty_where_all_other_labelled_rows_are_far():
    labelled = np.array([[0.0], [100.0]], np.float32)
    guesses = guess(labelled, np.eye(2), labelled, energy=1.0)
    certainty = 1 / (1 + np.exp(-8.0 / (1 + TEACHER_PENALTY)))
    np.testing.assert_allclose(guesses, [[certainty, 1 - certainty], [1 - certainty, certainty]], rtol=1e-5)


def test_teacher_gives_a_rare_class_as_much_say():
    labelled = np.array([[-1.0]] * 9 + [[1.0]], np.float32)
    guesses = guess(labelled, np.eye(2)[[0] * 9 + [1]], np.zeros((1, 1), np.float32), energy=1.0)
    np.testing.assert_allclose(guesses, 0.5, atol=1e-6)


def test_student_is_the_slope_of_ridge_regression():
    x, p = np.array([0.0, 1.0, 5.0]), np.array([0.2, 0.3, 0.9])
    coefficients = distil(x[:, None], np.stack([p, 1 - p], 1), energy=2.0)
    slope = ((x - x.mean()) * (p - p.mean())).sum() / (((x - x.mean()) ** 2).sum() + 2 * STUDENT_PENALTY)
    np.testing.assert_allclose(coefficients, [[slope, -slope]])


def test_scores_of_a_row_do_not_depend_on_the_rows_beside_it():
    rows, labels = clusters(101, np.random.RandomState(0))
    scores = ClassScores.learn(rows, labels[:10], 1.0)
    together = scores(rows)
    np.testing.assert_array_equal(np.concatenate([scores(row[None]) for row in rows]), together)
    np.testing.assert_array_equal(scores(rows[::-1])[::-1], together)


def test_alike_rows_give_no_scores():
    rows = np.zeros((9, 3), np.float32)
    assert not ClassScores.learn(rows, np.eye(2)[[0, 1]], 1.0)(rows).any()


@pytest.mark.parametrize("representation", ["both", "features"])
def test_rows_without_a_label_add_a_column_a_class(representation):
    gan = GANAugmenter(representation=representation, **TINY)
    plain = gan.fit(TABLE[:20], LABELS[:20]).transform(TABLE)
    more = gan.fit(TABLE[:20], LABELS[:20], X_unlabeled=TABLE[20:]).transform(TABLE)
    assert more.shape[1] == plain.shape[1] + 2
    assert gan.get_feature_names_out()[-2:].tolist() == ["ganaugmenter_score_0", "ganaugmenter_score_1"]
    assert len(gan.get_feature_names_out()) == more.shape[1]
    assert (gan.classes_[more[:, -2:].argmax(1)] == LABELS).mean() > 0.9


@pytest.mark.parametrize(
    ("labels", "unlabelled", "weight"),
    [(LABELS, None, 2.0), (None, TABLE, 2.0), (LABELS, TABLE, 0.0), (np.full(60, "ill"), TABLE, 2.0)],
    ids=["no unlabelled rows", "no labels", "no weight", "one class"],
)
def test_otherwise_there_are_none(labels, unlabelled, weight):
    gan = GANAugmenter(score_weight=weight, **TINY).fit(TABLE, labels, X_unlabeled=unlabelled)
    assert gan.transform(TABLE).shape[1] == len(gan.get_feature_names_out())
    assert not any("score" in name for name in gan.get_feature_names_out())


def test_score_weight_is_one_on_top_of_equal_blocks():
    fits = [
        GANAugmenter(score_weight=w, **TINY).fit(TABLE[:20], LABELS[:20], X_unlabeled=TABLE[20:]).transform(TABLE)
        for w in (1.0, 3.0)
    ]
    np.testing.assert_array_equal(fits[0][:, :-2], fits[1][:, :-2])
    np.testing.assert_allclose(3 * fits[0][:, -2:], fits[1][:, -2:], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(fits[0][:, -2:].var(0).sum(), 1.0, rtol=1e-3)


def test_a_later_fit_without_unlabelled_rows_forgets_the_scores():
    gan = GANAugmenter(warm_start=True, **TINY).fit(TABLE[:20], LABELS[:20], X_unlabeled=TABLE[20:])
    n_columns = gan.transform(TABLE).shape[1]
    assert gan.fit(TABLE, LABELS).transform(TABLE).shape[1] == n_columns - 2


def test_scores_survive_a_file_which_holds_no_row(tmp_path):
    gan = GANAugmenter(**TINY).fit(TABLE[:20], LABELS[:20], X_unlabeled=TABLE[20:])
    save(gan, tmp_path / "gan.medgan")
    np.testing.assert_array_equal(load(tmp_path / "gan.medgan").transform(TABLE), gan.transform(TABLE))
    assert gan._class_scores.weights.shape == (gan.transform(TABLE).shape[1] - 2, 2)
    assert gan._class_scores.offset.shape == (2,)


def test_score_weight_must_not_be_negative():
    with pytest.raises(ValueError, match="'score_weight' parameter of GANAugmenter must be a float in the range"):
        GANAugmenter(score_weight=-1.0).fit(TABLE, LABELS)
