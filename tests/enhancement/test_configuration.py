"""What the parameters stand for: degradations by name, by level and as a function."""

import numpy as np
import pytest
from enhancers import STACK, enhancer, smooth
from sklearn.exceptions import ConvergenceWarning


def test_callable_degradation_sees_fractions_of_the_scale():
    seen = []

    def halve(images, rng):
        seen.append((images.shape[1:], images.dtype, float(images.min()), float(images.max())))
        rng.uniform()
        return images / 2

    enhancer(degradation=halve).fit(STACK)
    assert {entry[:2] for entry in seen} == {((18, 21, 1), np.dtype(np.float32))}
    assert min(entry[2] for entry in seen) == 0.0
    assert max(entry[3] for entry in seen) == 1.0


@pytest.mark.parametrize("unit", [1.0, 255.0, 4000.0])
def test_levels_in_a_dict_are_in_the_units_of_the_images(unit):
    """Noise of a tenth of the range: doing nothing leaves 20 dB in whatever unit."""
    X = (unit * smooth(20)).astype(np.float32)
    X = (X - X.min()) / np.ptp(X) * np.float32(unit)
    with pytest.warns(ConvergenceWarning):
        model = enhancer(guard=True, max_iter=1, degradation={"noise": 0.1 * unit}).fit(X)
    assert model.guard_report_["psnr"]["nothing"] == pytest.approx(20.0, abs=0.3)


def test_dict_without_noise_has_no_units():
    for unit in (1.0, 255.0):
        model = enhancer(degradation={"blur": (0.0, 2.0)}).fit(unit * smooth(6))
        assert np.isfinite(model.history_["psnr"]).all()


@pytest.mark.parametrize("degradation", ["poisson", "rician", "blur", "downscale", "jpeg", ["blur", "noise"]], ids=str)
def test_degradations_are_known_by_name(degradation):
    model = enhancer(degradation=degradation, max_iter=1).fit(smooth(5))
    assert np.isfinite(model.transform(smooth(2))).all()


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("speckle", (1, 4)),
        ("defocus", 2),
        ("rings", 0.01),
        ("streaks", (20, 40)),
        ("bias_field", 0.4),
        ("ghosting", 0.1),
        ("undersampling", 2),
        pytest.param("stain", 0.2, marks=pytest.mark.slow),
    ],
)
def test_artefacts_of_modalities_are_learned_by_name_and_by_level(name, level):
    X = np.repeat(smooth(5)[..., None], 3, axis=3) if name == "stain" else smooth(5)
    for degradation in (name, {name: level}):
        model = enhancer(degradation=degradation, max_iter=2).fit(X)
        assert np.isfinite(model.transform(X[:2])).all()
        assert np.isfinite(model.history_["gain"]).all()  # over doing nothing, which is not perfect


def test_stain_of_grey_images_is_refused():
    with pytest.raises(ValueError, match=r"'stain' needs colour images.*got images of 1 channel"):
        enhancer(degradation="stain").fit(smooth(5))
