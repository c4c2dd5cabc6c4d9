"""Images that are not in memory: restored as those in memory are, and read some at a time."""

import numpy as np
import pytest
from lazy_arrays import CountedRows
from tiny import enhancer_of, random_images

from sklearn_medgan import _lazy
from sklearn_medgan.datasets import LazyImages

IMAGES = random_images(40, 24, 20)
LABELS = np.arange(40) % 2
ROW = IMAGES[0].nbytes


LESS_USED = {"degradation": "low_contrast"}, {"scale": 2, "degradation": "auto"}


@pytest.fixture(autouse=True)
def ten_at_a_time(monkeypatch):
    monkeypatch.setattr(_lazy, "BYTES_AT_ONCE", 10 * ROW)


def both(**parameters):
    """The same enhancer, of images in memory and of a file; and that file."""
    source = CountedRows(IMAGES)
    return enhancer_of(IMAGES, **parameters), enhancer_of(source, **parameters), source


@pytest.mark.parametrize(
    "parameters",
    [{}, {"guard": True}, *(pytest.param(p, marks=pytest.mark.slow) for p in LESS_USED)],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:GANEnhancer (would do harm|is no better)")
def test_results_are_those_in_memory(parameters):
    model, again, source = both(**parameters)
    assert max(source.reads) <= 10 * ROW
    assert again.history_ == model.history_
    new = CountedRows(IMAGES[:15])
    np.testing.assert_array_equal(again.transform(new), model.transform(IMAGES[:15]))
    np.testing.assert_array_equal(again.uncertainty(new), model.uncertainty(IMAGES[:15]))
    assert again.score(new) == model.score(IMAGES[:15])
    assert max(new.reads) <= 10 * ROW


def test_labels_and_targets_go_with_them():
    from sklearn_medgan import GANEnhancer

    poor = CountedRows(IMAGES)
    model = GANEnhancer(max_iter=3, width=4, depth=2, patch_size=16, guard=False, random_state=0)
    expected = model.fit(IMAGES, LABELS, target=IMAGES[::-1]).transform(IMAGES)
    found = model.fit(poor, LABELS, target=CountedRows(IMAGES[::-1])).transform(LazyImages(poor)[np.arange(40)])
    np.testing.assert_array_equal(found, expected)
    assert max(poor.reads) <= 10 * ROW


@pytest.mark.slow
def test_an_opaque_alpha_channel_is_left_alone():
    images = np.stack([IMAGES, np.full_like(IMAGES, 255)], axis=-1)
    restored = enhancer_of(CountedRows(images)).transform(CountedRows(images))
    assert (restored[..., 1] == 255).all()
    np.testing.assert_array_equal(restored, enhancer_of(images).transform(images))


def test_doing_nothing_reads_them(monkeypatch):
    model = enhancer_of(IMAGES)
    monkeypatch.setitem(model.guard_report_, "chosen", "nothing")
    np.testing.assert_array_equal(model.transform(CountedRows(IMAGES)), IMAGES)
