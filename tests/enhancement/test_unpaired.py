"""Enhancers that learn from poor images and good ones of others."""

import numpy as np
import pytest
from enhancers import discs, enhancer, network, noisy, untrained

from sklearn_medgan.enhancement import _guard
from sklearn_medgan.enhancement._unpaired import apart, choose, content, distance

POOR = (0.2 + 0.6 * noisy(discs(24), 0.05)).astype(np.float32)
GOOD = discs(24, seed=1)


def stacked(images):
    return list(images[..., None])


def test_content_is_the_correlation_of_edges():
    images, others = stacked(discs(6)), stacked(np.random.RandomState(0).uniform(size=(6, 24, 24)))
    assert content(images, images) == pytest.approx(1.0)
    assert content(images, [0.3 * image + 0.1 for image in images]) == pytest.approx(1.0)
    assert content(images, [1.0 - image for image in images]) == pytest.approx(-1.0)
    assert abs(content(images, others)) < 0.3
    assert content([np.zeros((8, 8, 1))], [np.ones((8, 8, 1))]) == 1.0


def test_distance_tells_sites_apart_but_neither_patients_nor_noise():
    same = distance(stacked(discs(24)), stacked(GOOD))
    assert abs(same) < 0.1
    assert distance(stacked(noisy(discs(24), 0.02)), stacked(GOOD)) < 0.2
    assert distance(stacked(POOR), stacked(GOOD)) > 0.3


def test_other_patients_of_one_site_are_no_farther_apart_than_chance_but_noise_is():
    by_chance = [apart(stacked(discs(16, seed=seed)), stacked(discs(64, seed=99))) for seed in range(10)]
    assert sum(found["poor"] > found["good"] for found in by_chance) <= 2  # one in 21 is expected
    noise = apart(stacked(noisy(discs(16), 0.02)), stacked(discs(64, seed=99)))
    assert noise["poor"] > 2.0 * noise["good"]


@untrained
def test_images_of_one_site_are_left_alone_and_the_user_is_told():
    model = enhancer(guard=True, pretrained=False)
    with pytest.warns(UserWarning, match="no farther from the reference .*transform changes nothing"):
        model.fit(GOOD, reference=discs(24, seed=2))
    assert model.transform(GOOD).tobytes() == GOOD.tobytes()


DISTANCE = {"network": 0.1, "intensity mapping": 0.2, "nothing": 0.5}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "network"),
        ({"distance": {**DISTANCE, "network": 0.6}}, "intensity mapping"),
        ({"content": {"network": 0.8, "intensity mapping": 0.95}}, "intensity mapping"),
        ({"distance": {**DISTANCE, "network": 0.6, "intensity mapping": 0.6}}, "nothing"),
        ({"balanced_accuracy": {"network": 0.6, "intensity mapping": 0.8, "nothing": 0.8}}, "intensity mapping"),
        ({"balanced_accuracy": {"network": 0.78, "intensity mapping": 0.8, "nothing": 0.8}}, "network"),
        ({"apart": {"poor": 0.04, "good": 0.05}}, "nothing"),
    ],
    ids=["all well", "farther", "edges lost", "both farther", "told apart worse", "within the error", "not apart"],
)
def test_choice_goes_by_poor_images(changed, expected):
    found = {"distance": DISTANCE, "content": {"network": 0.95, "intensity mapping": 0.9}, "balanced_accuracy": {}}
    found["apart"] = {"poor": 0.5, "good": 0.05}
    assert choose({**found, **changed}, 100) == expected


@untrained
def test_report_says_what_poor_images_spoke_for():
    labels = np.arange(24) % 2
    model = enhancer(guard=True, pretrained=False).fit(POOR, labels, reference=GOOD)
    on_poor = model.guard_report_["on_poor"]
    assert set(on_poor["distance"]) >= {"intensity mapping", "nothing"}
    assert on_poor["distance"]["intensity mapping"] < on_poor["distance"]["nothing"]
    assert model.guard_report_["psnr"]["intensity mapping"] > model.guard_report_["psnr"]["nothing"]


def fitted(chosen):
    model = enhancer().fit(POOR, reference=GOOD)
    model.guard_report_["chosen"] = chosen
    return model


def test_nothing_gives_images_back_bit_by_bit():
    assert fitted("nothing").transform(POOR).tobytes() == POOR.tobytes()


@pytest.mark.parametrize("chosen", ["network", "intensity mapping", "median"])
def test_result_of_an_image_does_not_depend_on_others_and_has_the_tone_of_good_ones(chosen):
    model = fitted(chosen)
    restored = model.transform(POOR)
    assert restored[3:5].tobytes() == model.transform(POOR[3:5]).tobytes()
    if chosen != "network":  # of four steps
        apart = [np.abs(images.mean() - GOOD.mean()) for images in (POOR, restored)]
        assert apart[1] < 0.3 * apart[0]


def test_network_that_invents_edges_is_not_used():
    model = enhancer().fit(POOR, reference=GOOD)
    restoration = model._restoration
    images = restoration.shift(GOOD[:8, ..., None], np.random.RandomState(0))
    toned = [restoration.shift.untoned(image) for image in images]
    invented = network(lambda rows: np.random.RandomState(0).uniform(size=rows.shape))
    kept = content(toned, [invented(image[None], False)[0][0] for image in toned])
    assert kept < 0.5


def test_units_are_those_of_either_side():
    model = enhancer().fit((0.05 + 0.5 * POOR).astype(np.float32), reference=GOOD)
    model.transform((0.05 + 0.5 * POOR).astype(np.float32))  # a warning would be an error
    with pytest.warns(UserWarning, match="units|range"):
        model.transform(1000 * POOR)


def test_score_is_that_of_good_images_made_poor_and_restored():
    nothing, mapped = fitted("nothing").score(GOOD), fitted("intensity mapping").score(GOOD)
    assert mapped > nothing


@untrained
@pytest.mark.parametrize("labels", [None, np.zeros(8, int)], ids=["no labels", "one class"])
def test_the_fewest_images_are_compared_and_their_errors_known(labels):
    model = enhancer(guard=True, pretrained=False).fit(POOR[:8], labels, reference=GOOD[:8])
    assert model.guard_report_["n_held_out"] == 2
    assert model.uncertainty(POOR[:2]).shape == POOR[:2].shape


@untrained
@pytest.mark.parametrize("chosen", ["intensity mapping", "nothing"])
def test_errors_are_those_of_the_method_that_poor_images_spoke_for(monkeypatch, chosen):
    """Held against good images that the shift made poor, as `score` makes them."""
    monkeypatch.setattr("sklearn_medgan.enhancement._unpaired.choose", lambda found, n: chosen)
    model = enhancer(guard=True, pretrained=False).fit(POOR, reference=GOOD)
    restoration, good = model._restoration, GOOD[:6]
    poor = restoration.shift(restoration.encode(good[..., None]), np.random.RandomState(1))
    poor = restoration.decode_draw(poor)[..., 0]
    error = np.sqrt(np.mean((model.transform(poor) - good) ** 2))
    assert np.sqrt(np.mean(model.uncertainty(poor) ** 2)) == pytest.approx(error, rel=0.5)


def test_labels_of_one_class_are_no_evidence():
    labels = np.zeros(100, int)
    assert _guard.too_few(labels)
    assert _guard.too_few(np.arange(100) // 98)
    assert not _guard.too_few(np.arange(20) % 2)
