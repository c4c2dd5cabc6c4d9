"""Enhancers that learn from poor images and good ones of others."""

import re

import numpy as np
import pytest
from enhancers import discs, enhancer, network, noisy, untrained

from sklearn_medgan.datasets import make_nodules
from sklearn_medgan.enhancement import _guard
from sklearn_medgan.enhancement._held_out import alike_mix
from sklearn_medgan.enhancement._unpaired import choose, content, distance, faults

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
    same, chance = distance(stacked(discs(24)), stacked(GOOD))
    assert same < chance < 0.1
    assert distance(stacked(POOR), stacked(GOOD))[0] > 0.3
    noise, chance = distance(stacked(noisy(discs(24), 0.02)), stacked(GOOD))
    assert noise < chance + 0.05


@pytest.mark.parametrize("sizes", [(8, 7), (16, 16), (16, 64)])
def test_other_patients_of_one_site_are_no_farther_apart_than_chance_but_noise_is(sizes):
    n, m = sizes
    good = stacked(discs(m, seed=99))
    by_chance = [distance(stacked(discs(n, seed=seed)), good, fine=True) for seed in range(20)]
    assert sum(away > chance for away, chance in by_chance) <= 4  # one in 20 is expected
    away, chance = distance(stacked(noisy(discs(n), 0.02)), good, fine=True)
    assert away > chance


@untrained
def test_images_of_one_site_are_left_alone_and_the_user_is_told():
    model = enhancer(guard=True, pretrained=False)
    with pytest.warns(UserWarning, match="cannot tell X .* by 16 and 20 images .*transform changes nothing"):
        model.fit(GOOD, reference=discs(24, seed=3))
    assert model.transform(GOOD).tobytes() == GOOD.tobytes()


DISTANCE = {"network": 0.1, "intensity mapping": 0.2, "nothing": 0.5}
ALIKE = {"network": 0.8, "intensity mapping": 0.8, "nothing": 0.8}


@pytest.mark.parametrize(
    ("changed", "expected", "words"),
    [
        ({}, "network", ""),
        ({"distance": {**DISTANCE, "network": 0.26}}, "intensity mapping", "hardly nearer .* 0.26, before 0.50"),
        ({"distance": {**DISTANCE, "network": 0.26}, "chance": dict.fromkeys(DISTANCE, 0.3)}, "network", ""),
        ({"content": {"network": 0.8, "intensity mapping": 0.95}}, "intensity mapping", "edges .*only 80 %"),
        ({"distance": {**DISTANCE, "network": 0.6, "intensity mapping": 0.6}}, "nothing", "hardly nearer"),
        ({"balanced_accuracy": {**ALIKE, "network": 0.6}}, "intensity mapping", "worse apart .* 0.60, before 0.80"),
        ({"balanced_accuracy": {**ALIKE, "network": 0.78}}, "network", ""),
        ({"apart": {"distance": 0.04, "chance": 0.05}}, "nothing", ""),
    ],
    ids=["all well", "farther", "by chance", "edges lost", "both farther", "told apart worse", "an error", "not apart"],
)
def test_choice_goes_by_poor_images(changed, expected, words):
    found = {"distance": DISTANCE, "content": {"network": 0.95, "intensity mapping": 0.9}, "balanced_accuracy": {}}
    found |= {"apart": {"distance": 0.5, "chance": 0.05}, "chance": dict.fromkeys(DISTANCE, 0.05), **changed}
    found["against"] = {name: faults(found, name, 100) for name in found["content"]}
    assert choose(found) == expected
    assert re.search(words, " ".join(found["against"]["network"]))
    assert bool(words) == bool(found["against"]["network"])


@untrained
@pytest.mark.parametrize("seed", range(3))
def test_noise_on_few_images_is_found_and_not_taken_for_tone(seed):
    """Patients differ by more than tone and shading of this site, which has neither."""
    X, _ = make_nodules(40, image_size=32, random_state=seed, return_X_y=True)
    model = enhancer(guard=True, pretrained=False).fit(noisy(X[:20], 100), reference=X[20:])
    found = model.guard_report_["on_poor"]
    assert found["n_compared"] == {"poor": 16, "good": 16}
    assert found["apart"]["distance"] > found["apart"]["chance"]
    assert not any("nearer" in words for words in found["against"]["intensity mapping"])
    np.testing.assert_array_equal(model._restoration.shift.poor, model._restoration.shift.good)


@untrained
def test_sets_of_other_shapes_are_left_alone_or_told_of():
    """Squares are no site of discs."""
    squares = np.random.RandomState(0).uniform(0.0, 0.2, (24, 24, 24)).astype(np.float32)
    squares[:, 2:12, 2:22] += 0.8
    with pytest.warns(UserWarning, match="differ by more than .* of a scanner.*anatomy"):
        enhancer(guard=True, pretrained=False).fit(squares, reference=GOOD)


def test_mixes_of_classes_are_evened_out():
    labels, others = np.repeat([0, 1, 2], [60, 20, 20]), np.repeat([0, 1, 3], [10, 30, 60])
    mix = alike_mix(labels, others)
    # Of both classes that both have, at least 0.1 and 0.2 of all rows: shares of 1/3 and 2/3.
    assert mix == ({0: 10, 1: 20}, {0: 10, 1: 20})
    assert alike_mix(labels, labels) == ({0: 60, 1: 20, 2: 20},) * 2
    assert alike_mix(labels, others + 4) == ({}, {})


@untrained
def test_labels_of_both_sets_keep_the_mix_from_counting_as_the_site():
    """Bright and dark discs, as many at neither site; nothing else differs."""
    rng = np.random.RandomState(0)
    labels, others = rng.permutation(np.repeat([0, 1], [10, 30])), rng.permutation(np.repeat([0, 1], [30, 10]))
    rows, reference = (
        (discs(40, seed=seed) * (1 - 0.5 * y[:, None, None])).astype(np.float32)
        for seed, y in ((0, labels), (1, others))
    )
    model = enhancer(pretrained=False)
    blind = model.fit(rows, labels, reference=reference).guard_report_ and model.transform(rows)
    even = model.fit(rows, labels, reference=reference, reference_y=others).transform(rows)
    assert model.guard_report_["n_held_out"] == 4  # of 20 that are left, a quarter of each class
    shift = [abs(np.mean(restored - rows)) for restored in (blind, even)]
    assert shift[1] < 0.3 * shift[0]


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
    model.guard_report_.update(chosen=chosen, strength={chosen: 0.0})
    return model


def test_a_method_that_is_none_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'network' or a key of .*'non-local means'.*got 'no filter'\. Set"):
        fitted("no filter").transform(POOR)


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
    monkeypatch.setattr("sklearn_medgan.enhancement._unpaired.choose", lambda found: chosen)
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
