"""Ctrl-C while columns are learned, after the networks are trained."""

import numpy as np
import pytest
from tiny import gan, random_images

from sklearn_medgan.augmentation import _representation

LABELS = np.arange(60) % 2


@pytest.fixture
def stopped(monkeypatch):
    """Let Ctrl-C come at these calls of a kind of columns, counted from 0; tell how many rows each was shown."""
    seen, plain = [], _representation.Pixels.transform

    def prepare(*calls):
        def transform(self, views):
            seen.append(len(views.canvas))
            if len(seen) - 1 in calls:
                raise KeyboardInterrupt
            return plain(self, views)

        monkeypatch.setattr(_representation.Pixels, "transform", transform)
        return seen

    return prepare


def test_networks_are_kept_and_columns_learned_from_few_rows(stopped):
    X = random_images(60, 8, 8)
    seen = stopped(0)
    with pytest.warns(UserWarning, match="Learning the columns was interrupted; going on with what 53 rows tell"):
        model = gan(n_patches=0).fit(X, LABELS, X_unlabeled=X[:5])
    assert seen == [60, 48, 5]
    assert model.n_iter_ == 2
    assert model.sample(3)[0].shape == (3, 8, 8)
    few = X[np.linspace(0, 59, 48).astype(int)]
    pixels = model.transform(np.concatenate([few, X[:5]]))[:, :64]
    assert (np.abs(pixels.mean(0)) < 100 / 53 / 2 * pixels.std(0)).all()  # half a step of what is kept of 53 rows
    assert not any("score" in name for name in model.get_feature_names_out())


def test_a_second_interruption_ends_the_fit_and_an_earlier_one_is_intact(stopped):
    X = random_images(60, 8, 8)
    model = gan(n_patches=0).fit(X, LABELS)
    before = model.transform(X)
    stopped(0, 1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[::2], LABELS[::2])
    np.testing.assert_array_equal(model.transform(X), before)
