"""The privacy report on models that copy, that drew anew, and that know a column."""

import numpy as np
import pytest
from rows import rows

from sklearn_medgan.metrics import membership_inference_auc, privacy_report


class Model:
    """Draws what a function of n and a generator says."""

    def __init__(self, draw):
        self.draw = draw

    def sample(self, n, random_state=None):
        return self.draw(n, np.random.RandomState(random_state))


def figures(report):
    return {row["measure"]: row for row in report.table}


@pytest.mark.parametrize("with_labels", [False, True])
def test_copies_are_found_by_every_measure(with_labels):
    train, holdout = rows(0, 100), rows(1, 100)
    report = privacy_report(Model(lambda n, rng: (train, np.zeros(n)) if with_labels else train), train, holdout)
    found = figures(report)
    assert found["near-copies, share"]["value"] == 1.0
    assert found["membership inference, area under the curve"]["value"] == 1.0
    assert found["attribute inference, area under the curve"]["value"] == 1.0
    assert len(report.leaks) == 3
    assert "Do not hand them on" in str(report)


def test_new_rows_give_nothing_away_in_most_draws():
    n_found = sum(
        len(privacy_report(Model(lambda n, rng: rng.normal(size=(n, 4))), rows(s, 50), rows(s + 40, 50)).leaks)
        for s in range(10)
    )
    assert n_found <= 4  # three one-sided tests of 10 draws, each at 2.5 to 5 %


def test_a_few_copies_among_new_rows_are_near_copies():
    train, holdout = rows(0, 200, 10), rows(1, 200, 10)
    copies = np.vstack([train[:12], np.random.RandomState(2).normal(size=(188, 10))])
    report = privacy_report(Model(lambda n, rng: copies), train, holdout)
    assert figures(report)["near-copies, share"]["value"] == pytest.approx(12 / 200)
    assert "6 % of samples are near-copies" in report.verdict


def test_another_scanner_among_the_held_out_rows_is_no_leak():
    train, holdout = rows(0, 200), rows(1, 200) + 1.0
    new = np.random.RandomState(5).normal(size=(200, 4))
    report = privacy_report(Model(lambda n, rng: new), train, holdout)
    assert membership_inference_auc(train, holdout, new) > 0.6  # which an attacker would take for knowledge
    assert figures(report)["membership inference, split bias"]["value"] > 0.6
    assert not any("inference" in leak for leak in report.leaks)


def test_images_have_no_attributes_and_units_of_a_table_do_not_matter():
    images = rows(0, 40, 16).reshape(40, 4, 4)
    assert len(privacy_report(Model(lambda n, rng: images), images, images[::-1]).table) == 5
    train, holdout, new = rows(0, 60), rows(1, 60), rows(2, 60)
    scaled = [part * [1.0, 1000.0, 1.0, 1.0] for part in (train, holdout, new)]
    plain = privacy_report(Model(lambda n, rng: new), train, holdout)
    assert str(privacy_report(Model(lambda n, rng: scaled[2]), *scaled[:2])) == str(plain)


def test_the_same_seed_gives_the_same_report_as_text_and_frame():
    pytest.importorskip("pandas")
    model = Model(lambda n, rng: rng.normal(size=(n, 4)))
    first, second = (privacy_report(model, rows(0, 40), rows(1, 40), n_samples=30) for _ in range(2))
    assert str(first) == str(second)
    assert list(first.to_frame()["measure"]) == [row["measure"] for row in first.table]


@pytest.mark.parametrize("n_holdout", [0, 3])
def test_too_few_held_out_rows_are_refused(n_holdout):
    with pytest.raises(ValueError, match="X_holdout must hold at least 4"):
        privacy_report(Model(lambda n, rng: rows(2, n)), rows(0, 20), rows(1, 20)[:n_holdout])
