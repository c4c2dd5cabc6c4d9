"""Typical patches that `fit` learns from the training images: what they are, whose they are not, and as columns."""

import pickle

import numpy as np
import pytest

from sklearn_medgan import GANAugmenter, load, save
from sklearn_medgan.augmentation._patch_learning import SIZE, draw_patches, learn_patches, learn_whitening, shared_means
from sklearn_medgan.augmentation._patches import SIDE, PatchDictionary

TINY = {
    "backbone": None,
    "max_iter": 2,
    "batch_size": 8,
    "width": 4,
    "latent_dim": 4,
    "random_state": 0,
    "n_patches": 6,
}
RNG = np.random.RandomState(0)
STACK = RNG.randint(0, 256, (14, 9, 11)).astype(np.uint8)
LABELS = np.arange(14) % 2


def gan(**changed):
    return GANAugmenter(**{**TINY, **changed})


def stripes(n, rng, upright=False):
    """Images (n, 32, 32, 1) of stripes with a period of 8 pixels, each with a phase and noise of its own."""
    wave = np.sin(np.arange(SIDE) * 2 * np.pi / 8 + 2 * np.pi * rng.rand(n, 1))
    images = np.repeat(wave[:, :, None], SIDE, 2) + 0.02 * rng.normal(size=(n, SIDE, SIDE))
    return (images.transpose(0, 2, 1) if upright else images)[..., None].astype(np.float32)


def likeness(arrays, images):
    """The highest correlation of a typical patch with a patch of the images, after whitening."""
    patches, _ = draw_patches(images[..., 0], SIZE, 500, np.random.RandomState(1))
    patches = patches - patches.mean(1, keepdims=True)
    white = (patches / patches.std(1, keepdims=True) - arrays["mean"]) @ arrays["whitening"].astype(float)
    return np.corrcoef(white, arrays["patches"].astype(float))[: len(white), len(white) :].max()


# -- what they are ------------------------------------------------------------


def test_patches_are_cut_from_the_images_they_are_said_to_be_of():
    images = np.arange(3 * SIDE * SIDE, dtype=float).reshape(3, SIDE, SIDE)
    patches, sources = draw_patches(images, 4, 50, np.random.RandomState(0))
    assert patches.shape == (50, 16)
    np.testing.assert_array_equal(patches[:, 0] // SIDE**2, sources)
    expected = patches[:, :1] + (SIDE * np.arange(4)[:, None] + np.arange(4)).ravel()
    np.testing.assert_array_equal(patches, expected)
    corners = patches[:, 0].astype(int) % SIDE**2
    assert max(corners // SIDE) <= SIDE - 4
    assert max(corners % SIDE) <= SIDE - 4


def test_whitening_leaves_directions_uncorrelated_and_small_ones_small():
    spreads = np.array([10.0, 1.0, 0.01])
    turned = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    patches = RNG.normal(size=(5000, 3)) * spreads @ turned + 4.0
    mean, whitening = learn_whitening(patches)
    np.testing.assert_allclose(mean, patches.mean(0))
    np.testing.assert_allclose(whitening, whitening.T, atol=1e-12)
    along = (patches - mean) @ whitening @ turned.T
    np.testing.assert_allclose(along.var(0), spreads**2 / (spreads**2 + 0.1), rtol=0.1, atol=1e-3)
    assert np.abs(np.corrcoef(along.T) - np.eye(3)).max() < 0.05


def test_typical_patches_find_what_the_images_are_made_of():
    rng = np.random.RandomState(0)
    lying, upright = stripes(30, rng), stripes(30, rng, upright=True)
    arrays = learn_patches(np.concatenate([lying, upright]), 8, rng)
    assert arrays["patches"].shape[1] == SIZE**2
    assert len(arrays["patches"]) <= 8
    assert all(array.dtype == np.float16 for name, array in arrays.items() if name != "sides")
    halves, *_ = PatchDictionary(arrays).blocks(np.concatenate([lying[:2], upright[:2]]))
    alike = np.corrcoef(halves.reshape(4, 4, -1).mean(1))
    assert min(alike[0, 1], alike[2, 3]) > max(alike[0, 2], alike[1, 3]) + 0.5


def test_colours_are_looked_at_one_by_one():
    rng = np.random.RandomState(0)
    both = np.concatenate([stripes(20, rng), stripes(20, rng, upright=True)], axis=3)
    arrays = learn_patches(both, 8, rng)
    assert likeness(arrays, both[..., :1]) > 0.9
    assert likeness(arrays, both[..., 1:]) > 0.9


# -- whose they are not -------------------------------------------------------


def test_a_typical_patch_is_a_mean_of_many_patches_of_several_images():
    rng = np.random.RandomState(0)
    centres = 100.0 * np.eye(4)
    group = np.repeat(np.arange(4), [40, 9, 60, 10])
    images = np.concatenate([np.arange(40) % 7, np.arange(9), np.arange(60) % 4, np.arange(10) % 5])
    patches = (centres[group] + rng.normal(size=(len(group), 4))).astype(np.float32)
    found = shared_means(patches, images, 4, rng)  # the others: 9 patches only, 4 images only
    expected = [patches[group == kept].mean(0, dtype=float) for kept in (0, 3)]
    np.testing.assert_allclose(sorted(found.tolist()), sorted(np.array(expected).tolist()), rtol=1e-6)


def test_what_one_patient_alone_has_is_not_kept():
    """Stripes that every image has are a typical patch; those of one image in thirty are none."""
    rng = np.random.RandomState(0)
    everybody, one = stripes(30, rng), stripes(1, rng, upright=True)
    assert likeness(learn_patches(np.concatenate([everybody, stripes(30, rng, upright=True)]), 40, rng), one) > 0.9
    arrays = learn_patches(np.concatenate([everybody, one]), 40, rng)
    assert likeness(arrays, everybody) > 0.9
    assert likeness(arrays, one) < 0.7


def test_too_few_images_to_share_anything_give_no_columns():
    assert learn_patches(stripes(4, RNG), 10, np.random.RandomState(0)) is None
    model = gan().fit(STACK[:4], LABELS[:4])
    np.testing.assert_array_equal(model.transform(STACK), gan(n_patches=0).fit(STACK[:4], LABELS[:4]).transform(STACK))


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_constant_images_are_taken(value):
    images = np.broadcast_to(value + np.arange(9, dtype=np.float32)[:, None, None, None] / 100, (9, 16, 16, 1))
    arrays = learn_patches(images, 10, np.random.RandomState(0))
    for block in PatchDictionary(arrays).blocks(np.full((1, 16, 16, 1), value, np.float32)):
        assert np.isfinite(block).all()


# -- as columns of GANAugmenter -----------------------------------------------


def test_patches_add_blocks_and_change_no_other_column():
    plain, model = gan(n_patches=0).fit(STACK, LABELS), gan().fit(STACK, LABELS)
    before, after = plain.transform(STACK), model.transform(STACK)
    n_patches = len(model._dictionary["patches"])
    assert 0 < n_patches <= 6
    assert after.shape[1] == before.shape[1] + (4 + 9 + 16) * n_patches
    np.testing.assert_array_equal(after[:, : before.shape[1]], before)
    added = model.get_feature_names_out()[before.shape[1] :]
    assert {name.rsplit("_", 1)[0] for name in added} == {f"ganaugmenter_patches{i}" for i in range(3)}
    assert model.get_feature_names_out().shape == (after.shape[1],)


def test_same_seed_same_columns_other_seed_others():
    first, again, other = (gan(random_state=seed).fit(STACK, LABELS) for seed in (0, 0, 1))
    np.testing.assert_array_equal(again.transform(STACK), first.transform(STACK))
    assert not np.array_equal(first._dictionary["patches"], other._dictionary["patches"])


def test_saved_models_hold_the_patches_and_nothing_larger(tmp_path):
    plain, model = gan(n_patches=0).fit(STACK, LABELS), gan().fit(STACK, LABELS)
    save(model, tmp_path / "gan")
    for restored in (load(tmp_path / "gan"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(restored.transform(STACK), model.transform(STACK))
        assert restored.get_feature_names_out().tolist() == model.get_feature_names_out().tolist()
    n_columns = model.transform(STACK).shape[1] - plain.transform(STACK).shape[1]
    kept = sum(array.nbytes for array in model._dictionary.values())
    grown = len(pickle.dumps(model)) - len(pickle.dumps(plain))
    assert grown < kept + 8 * n_columns + 2000  # and location and scale of each column


def test_going_on_keeps_the_patches_of_the_first_fit():
    model = gan(warm_start=True).fit(STACK, LABELS)
    first = model._dictionary["patches"]
    model.fit(255 - STACK[::-1], LABELS)
    np.testing.assert_array_equal(model._dictionary["patches"], first)


def test_images_without_a_label_teach_patches_too():
    rng = np.random.RandomState(0)
    labelled, unlabelled = stripes(14, rng), stripes(14, rng, upright=True)
    alone = gan().fit(labelled, LABELS)._dictionary
    assert likeness(alone, unlabelled) < 0.7
    assert likeness(gan().fit(labelled, LABELS, X_unlabeled=unlabelled)._dictionary, unlabelled) > 0.9


@pytest.mark.parametrize("n_patches", [-1, 1.5, "own", None])
def test_anything_else_is_refused(n_patches):
    with pytest.raises(ValueError, match="n_patches"):
        gan(n_patches=n_patches).fit(STACK, LABELS)
