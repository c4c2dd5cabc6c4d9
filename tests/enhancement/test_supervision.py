"""What `fit` takes supervision for, and what it says of it."""

import numpy as np
import pytest
from enhancers import FLOATS, STACK, TABLE, discs, enhancer, equal_fits, noisy, untrained

from sklearn_medgan import load, save
from sklearn_medgan.enhancement._supervision import check_labels, check_reference_labels, check_same_units

POOR = (FLOATS**2).astype(np.float32)
OTHERS = np.random.RandomState(1).uniform(size=(9, 24, 17)).astype(np.float32)


@pytest.mark.parametrize(
    ("rows", "more", "expected", "evidence"),
    [
        (STACK, {}, "degradation", "made poor by the degradation"),
        (STACK, {"target": STACK}, "paired", "pairs"),
        (POOR, {"reference": OTHERS}, "unpaired", "the reference held out"),
        (TABLE, {}, "degradation", "held out"),
    ],
    ids=["good images", "pairs", "images of others", "table"],
)
def test_supervision_follows_what_is_given_and_is_reported(rows, more, expected, evidence):
    automatic = enhancer().fit(rows, **more)
    assert automatic.guard_report_["supervision"] == expected
    assert evidence in automatic.guard_report_["evidence"]
    asked = enhancer(supervision=expected).fit(rows, **more)
    assert asked.transform(rows).tobytes() == automatic.transform(rows).tobytes()


def test_units_are_compared_without_regard_to_contrast_noise_and_hot_pixels():
    good = discs(8)
    check_same_units(0.4 * good + 0.1, good)
    check_same_units(noisy(good, 0.2), good)
    hot = good.copy()
    hot[0, 3, 3] = 100.0
    check_same_units(good, hot)


@pytest.mark.parametrize(
    ("learn", "share"),
    [({"supervision": "self"}, 0.1), ({"reference": OTHERS}, 0.1), ({"target": POOR}, 0.1), ({}, 0.6)],
    ids=["noisy images alone", "images of others", "pairs", "good images"],
)
def test_values_beyond_what_was_learned_are_told_with_both_ranges(learn, share):
    fit = {name: learn[name] for name in ("reference", "target") if name in learn}
    model = enhancer(supervision=learn.get("supervision", "auto")).fit(POOR, **fit)
    low, high = min(POOR.min(), OTHERS.min()), max(POOR.max(), OTHERS.max())
    model.transform(POOR + (share - 0.05) * (high - low))  # a warning would be an error
    beyond = POOR + 1.5 * share * (high - low)
    with pytest.warns(UserWarning, match=rf"with values from .* to .*; these range from {beyond.min():g}"):
        model.transform(beyond)


def test_restored_images_of_others_have_the_form_of_the_poor_ones():
    flat = enhancer(image_shape=(18, 21)).fit(POOR.reshape(len(POOR), -1), reference=OTHERS)
    assert flat.transform(POOR.reshape(len(POOR), -1)).shape == (len(POOR), 18 * 21)
    bytes_ = (255 * POOR).astype(np.uint8)
    stack = enhancer().fit(bytes_, reference=255 * OTHERS)
    assert (stack.transform(bytes_).shape, stack.transform(bytes_).dtype) == (POOR.shape, np.uint8)


@untrained
def test_intensities_are_mapped_where_the_network_is_no_better():
    good, poor = discs(32), 0.5 * discs(32, seed=1) ** 2
    model = enhancer(guard=True, max_iter=1, pretrained=False).fit(poor, reference=good)
    report = model.guard_report_
    assert "intensity mapping" in report["psnr"]
    before, after = (np.abs(images - discs(32, seed=1)).mean() for images in (poor, model.transform(poor)))
    assert after < 0.2 * before


def test_unpaired_fit_goes_on_and_is_saved(tmp_path):
    model = enhancer(warm_start=True).fit(POOR, reference=OTHERS)
    model.fit(POOR, reference=OTHERS)
    assert model.n_iter_ == 8
    save(model, tmp_path / "model")
    equal_fits(load(tmp_path / "model"), model, POOR)
    with pytest.raises(
        ValueError, match=r"fit, supervision='unpaired'; the parameters now .* supervision='degradation'\. "
    ):
        model.fit(POOR)


def test_a_column_of_labels_is_taken_as_labels():
    """As the labels of MedMNIST, of shape (n, 1)."""
    labels, others = np.arange(len(POOR)) % 2, np.arange(len(OTHERS)) % 2
    assert check_labels(POOR, labels[:, None]).tolist() == labels.tolist()
    assert check_reference_labels(OTHERS, others[:, None], labels).tolist() == others.tolist()
    assert check_labels(POOR, np.eye(2)[labels]) is None
