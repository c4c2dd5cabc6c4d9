"""The guard: honest figures, the choice, and a fallback where the network would do harm."""

import re

import numpy as np
import pytest
from enhancers import KEYS, TINY, discs, ends, halves, noisy
from skimage.metrics import peak_signal_noise_ratio
from sklearn.exceptions import ConvergenceWarning

from sklearn_medgan import GANEnhancer
from sklearn_medgan.enhancement import _advice, _filters, _guard
from sklearn_medgan.metrics import psnr

STEP = {**TINY, "max_iter": 1, "guard": True}


def test_psnr_is_that_of_scikit_image():
    good = discs(1)[0]
    poor = noisy(good, 0.05)
    expected = peak_signal_noise_ratio(good, poor, data_range=1.0)
    assert _guard.psnr(poor, good) == pytest.approx(expected, abs=1e-4)
    assert _guard.psnr(poor, good) == pytest.approx(psnr(good, poor, data_range=1.0), abs=1e-12)
    assert _guard.psnr(good, good) == _guard.psnr(good, good + np.float32(1e-6)) == 100.0


def test_tuning_finds_the_best_strength():
    good = list(discs(3)[..., None])
    for sigma in (0.02, 0.3):
        poor = [noisy(image, sigma, seed) for seed, image in enumerate(good)]
        tuned = _guard.tune(poor, good)
        assert tuned["nothing"] == 0.0
        assert tuned.keys() == _filters.available_filters().keys()
        for name, strength in tuned.items():
            figures = {
                s: np.mean(
                    [
                        peak_signal_noise_ratio(g, _filters.run_filter(name, s, p), data_range=1.0)
                        for p, g in zip(poor, good, strict=True)
                    ]
                )
                for s in (_filters.STRENGTHS if name != "nothing" else (0.0,))
            }
            assert figures[strength] == pytest.approx(max(figures.values()), abs=1e-6)


@pytest.mark.parametrize(("sides", "expected"), [((5, 9), (5, 6)), ((12, 11), (6, 6)), ((6, 6), (6, 6))])
def test_middle_is_in_the_middle(sides, expected):
    image = np.add.outer(100 * np.arange(sides[0]), np.arange(sides[1]))[..., None]
    part = _guard.middle(image, 6)
    assert part.shape == (*expected, 1)
    spare = [(a - b) // 2 for a, b in zip(sides, expected, strict=True)]
    assert part[0, 0, 0] == 100 * spare[0] + spare[1]


def test_classifier_learns_what_differs_and_is_scored_by_class():
    labels = np.arange(40) % 2
    model = _guard.classifier(list(halves(labels)), labels)
    test = halves(labels, seed=1)
    assert _guard.accuracy(model, list(test), labels) == 1.0
    assert _guard.accuracy(model, list(test[:, :, ::-1]), labels) == 0.0
    # All of one half: right for nine of ten rows, yet chance by class.
    rare = (np.arange(40) < 4).astype(int)
    assert _guard.accuracy(model, list(halves(np.zeros(40, int))), rare) == 0.5


def diagnosis(poor, clean=None, n=100):
    """One that looks its accuracies up, and images that say what they are."""
    tables = {"poor": poor} if clean is None else {"poor": poor, "clean": clean}
    found = _guard.Diagnosis(None, np.zeros(n), None, list(tables))
    found.asked = []

    def accuracy(kind, name):
        found.asked.append((kind, name))
        return tables[kind][name]

    found.accuracy = accuracy
    return found


PSNR = {"network": 30, "nothing": 20, "median": 25}


ALIKE = dict.fromkeys(PSNR, 0.8)


# PSNR, accuracy on poor images, accuracy on clean ones, held-out rows, the choice
CHOICES = {
    "the network is best": (PSNR, None, None, 10, "network"),
    "a tie is the network's": ({"nothing": 30, "network": 30}, None, None, 10, "network"),
    "nothing is best": ({"network": 20, "nothing": 30, "median": 25}, None, None, 10, "nothing"),
    "a filter is best": ({"network": 24, "nothing": 20, "median": 25}, None, None, 10, "median"),
    "as accurate": (PSNR, {**ALIKE, "median": 0.9}, None, 100, "network"),
    "less accurate within chance": (PSNR, {**ALIKE, "network": 0.77}, None, 100, "network"),
    "less accurate": (PSNR, {"network": 0.6, "nothing": 0.8, "median": 0.7}, None, 100, "nothing"),
    "few rows prove less": (PSNR, {"network": 0.7, "nothing": 0.8}, None, 4, "network"),
    "a filter is more accurate": (PSNR, {"network": 0.5, "nothing": 0.8, "median": 0.9}, None, 100, "median"),
    "equally accurate filters go by PSNR": (PSNR, {**ALIKE, "network": 0.5}, None, 100, "median"),
    "accurate but of lower PSNR": (
        {"network": 20, "nothing": 25},
        {"network": 0.9, "nothing": 0.8},
        None,
        100,
        "nothing",
    ),
    "a fall from perfect counts": (PSNR, {"network": 0.9, "nothing": 1.0, "median": 0.9}, None, 100, "nothing"),
    "good PSNR, harmful": (
        {"network": 24, "nothing": 20, "median": 25},
        {**ALIKE, "median": 0.6},
        None,
        100,
        "network",
    ),
    "clean images as well": (PSNR, ALIKE, ALIKE, 100, "network"),
    "clean images within chance": (PSNR, ALIKE, {**ALIKE, "network": 0.77}, 100, "network"),
    "clean images suffer": (PSNR, ALIKE, {**ALIKE, "network": 0.7}, 100, "median"),
    "clean images suffer from all": (PSNR, ALIKE, {"network": 0.7, "nothing": 0.8, "median": 0.7}, 100, "nothing"),
    "clean images suffer from the best filter": (
        {**PSNR, "total variation": 24},
        {"network": 0.5, "nothing": 0.6, "median": 0.9, "total variation": 0.8},
        {"network": 0.8, "nothing": 0.8, "median": 0.7, "total variation": 0.8},
        100,
        "total variation",
    ),
    "the filter of the highest PSNR harms clean images": (
        {"network": 24, "nothing": 20, "median": 25},
        ALIKE,
        {**ALIKE, "median": 0.6},
        100,
        "network",
    ),
}


@pytest.mark.parametrize("case", CHOICES.values(), ids=CHOICES)
def test_choice(case):
    scores, poor, clean, n_held_out, expected = case
    assert _guard.choose(scores, None if poor is None else diagnosis(poor, clean, n_held_out)) == expected


def test_filters_are_not_diagnosed_where_the_network_serves():
    """They are slow."""
    looked_up = diagnosis(ALIKE, ALIKE)
    assert _guard.choose(PSNR, looked_up) == "network"
    assert {name for _, name in looked_up.asked} == {"network", "nothing"}


def test_diagnosis_measures_each_method_once():
    labels = np.arange(40) % 2
    runs = []

    images = list(halves(labels, seed=1))

    def treat(name, kind):
        runs.append((name, kind))
        return images if name == "nothing" else [image[:, ::-1] for image in images]

    found = _guard.Diagnosis(_guard.classifier(list(halves(labels)), labels), labels, treat, ["poor"])
    for _ in range(2):
        assert not found.does_no_harm("network")
        assert found.does_no_harm("nothing")
    assert found.found == {"poor": {"nothing": 1.0, "network": 0.0}}
    assert sorted(runs) == [("network", "poor"), ("nothing", "poor")]


@pytest.fixture(scope="module")
def fallen_back():
    """One step on strong noise over smooth images: total variation or non-local means must be better."""
    X = 1000.0 * discs(30).astype(np.float64) - 500.0
    with pytest.warns(ConvergenceWarning) as caught:
        model = GANEnhancer(**STEP, degradation={"noise": 150}).fit(X)
    return X, model, caught


def test_fallback_is_announced(fallen_back):
    _, model, caught = fallen_back
    chosen = model.guard_report_["chosen"]
    assert chosen in ("total variation", "non-local means", "wavelet")
    message = str(caught[0].message)
    figures = {name: f"reached {value:.2f} dB" for name, value in model.guard_report_["psnr"].items()}
    assert f"is no better than {chosen!r}: on 6 held-out training rows the network {figures['network']}" in message
    assert f"doing nothing {figures['nothing']}, {chosen!r} {figures[chosen]}. transform does" in message
    assert message.endswith("Train longer, or with more images; or name the degradation.")
    assert caught[0].filename == __file__


def test_fallback_is_what_transform_does(fallen_back):
    X, model, _ = fallen_back
    report, poor = model.guard_report_, X[:3] + 100 * np.random.RandomState(0).standard_normal(X[:3].shape)
    low, span = ends(X)[0], np.ptp(ends(X))
    strength = report["strength"][report["chosen"]]
    for image, result in zip(poor, model.transform(poor), strict=True):
        fractions = ((image - low) / span).astype(np.float32)[..., None]
        expected = _filters.run_filter(report["chosen"], strength, fractions, model._restoration.usual_noise)
        expected = expected[..., 0] * span + low
        np.testing.assert_allclose(result, expected, atol=1e-2)
        assert not np.allclose(result, image)
    assert ((model.transform(poor) - X[:3]) ** 2).mean() < 0.5 * ((poor - X[:3]) ** 2).mean()


def test_fallback_leaves_good_images_alone(fallen_back):
    X, model, _ = fallen_back
    assert model.guard_report_["psnr_clean"][model.guard_report_["chosen"]] > 60
    unchanged = [np.allclose(*pair, atol=1e-3) for pair in zip(model.transform(X), X, strict=True)]
    assert np.mean(unchanged) > 0.9


def test_fallback_has_an_uncertainty_of_the_right_size(fallen_back):
    _, model, _ = fallen_back
    good = 1000.0 * discs(20, seed=7) - 500.0
    poor = noisy(good, 150).astype(np.float64)
    error = np.sqrt(np.mean((model.transform(poor) - good) ** 2))
    predicted = np.sqrt(np.mean(model.uncertainty(poor).astype(float) ** 2))
    assert predicted == pytest.approx(error, rel=0.3)


def test_report_of_labelled_images_names_accuracies():
    labels = np.array(["left", "right"])[np.arange(100) % 2]
    X = halves(np.arange(100) % 2)[..., 0]
    with pytest.warns(ConvergenceWarning, match="would do harm"):
        model = GANEnhancer(**STEP, degradation={"noise": 0.05}).fit(X, labels)
    report = model.guard_report_
    assert report.keys() == KEYS | {"supervision", "evidence"}
    assert report["n_held_out"] == 24
    assert report["balanced_accuracy"]["nothing"] == 1.0
    assert report["evidence"].endswith("and by a classifier of the labels")
    assert {"nothing", "network"} <= report["balanced_accuracy"].keys()


REPORT = {
    "chosen": "wavelet",
    "n_held_out": 16,
    "psnr": {"network": 34.51, "nothing": 20.0, "wavelet": 34.55},
    "balanced_accuracy": None,
    "balanced_accuracy_clean": None,
}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "^GANEnhancer is no better than 'wavelet': .* network reached 34.51 dB, .*'wavelet' reached 34.55 dB"),
        ({"psnr": {**REPORT["psnr"], "nothing": 34.53}}, "^GANEnhancer would do harm: .*doing nothing reached 34.53"),
        (
            {"balanced_accuracy": {"network": 0.6, "nothing": 0.9}},
            "^GANEnhancer would do harm: .*diagnoses images worse after the network .* 0.60, before 0.90",
        ),
        ({"balanced_accuracy_clean": {"network": 0.88, "nothing": 0.9}}, "^GANEnhancer is no better"),
    ],
    ids=["second best", "worse than nothing", "diagnosed worse", "diagnosed alike"],
)
def test_harm_is_said_of_harm_alone(changed, words):
    assert re.search(words, _advice.harm({**REPORT, **changed}))


def test_without_guard_there_is_no_fallback():
    X = discs(10)
    model = GANEnhancer(**{**STEP, "guard": False}, degradation={"noise": 0.3}).fit(X)
    assert model.guard_report_["chosen"] == "network"
    assert model.guard_report_["psnr"] == {}
    assert model.guard_report_["evidence"].startswith("nothing was compared")
    model.guard_report_["chosen"] = "wavelet"
    with pytest.raises(ValueError, match=r"'wavelet', whose strength .* 'network', 'nothing', or fit with guard=True"):
        model.transform(X)
    model.guard_report_["chosen"] = "nothing"
    assert np.array_equal(model.transform(X), X)
