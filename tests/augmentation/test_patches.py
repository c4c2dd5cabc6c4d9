"""The pretrained dictionary of patches: what it computes, that it ships, and what GANAugmenter makes of it."""

import pickle
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sklearn_medgan import GANAugmenter, load, save
from sklearn_medgan.augmentation._patches import (
    SHIPPED,
    SIDE,
    PatchDictionary,
    load_dictionary,
    standardised,
)

TINY = {"backbone": None, "max_iter": 2, "batch_size": 8, "width": 4, "latent_dim": 4, "random_state": 0}
RNG = np.random.RandomState(0)
STACK = RNG.randint(0, 256, (14, 9, 11)).astype(np.uint8)
LABELS = np.arange(14) % 2
SCRIPT = Path(__file__).parents[2] / "examples" / "pretraining" / "dictionary.py"


def tiny_arrays(seed=0):
    """Five typical patches of 3x3 pixels."""
    rng = np.random.RandomState(seed)
    arrays = {"mean": rng.normal(size=9), "whitening": rng.normal(size=(9, 9)), "patches": rng.normal(size=(5, 9))}
    return {"sides": np.array([1, 3]), **{name: array.astype(np.float16) for name, array in arrays.items()}}


@pytest.fixture
def tiny(tmp_path):
    """Path of the file of a small dictionary."""
    path = tmp_path / "tiny.npz"
    np.savez(path, **tiny_arrays())
    return str(path)


@pytest.fixture(scope="module")
def plain():
    return gan(n_patches=0).fit(STACK, LABELS)


def gan(**changed):
    return GANAugmenter(**{**TINY, **changed})


# -- what it computes ---------------------------------------------------------


def test_images_are_standardised_one_by_one_whatever_their_range():
    images = RNG.rand(3, 20, 50).astype(np.float32)
    out = standardised(images)
    assert out.shape == (3, SIDE, SIDE)
    np.testing.assert_allclose(out.mean((1, 2)), 0.0, atol=1e-6)
    np.testing.assert_allclose(out.std((1, 2)), 1.0, rtol=1e-5)
    np.testing.assert_allclose(standardised(0.2 * images - 0.7), out, atol=1e-4)
    assert not standardised(np.full((1, 9, 9), 0.3, np.float32)).any()


def test_columns_are_the_encoder_by_its_definition():
    arrays, image = tiny_arrays(), RNG.rand(SIDE, SIDE).astype(np.float32)
    x = (image.astype(np.float64) - image.mean()) / image.std()
    mean, whitening, patches = (arrays[name].astype(np.float64) for name in ("mean", "whitening", "patches"))
    nearer = np.empty((30, 30, 5))
    for i in range(30):
        for j in range(30):
            nearer[i, j] = 0.0
            for way in (x, x[:, ::-1]):
                patch = way[i : i + 3, j : j + 3].ravel()
                patch = (patch - patch.mean()) / np.sqrt(patch.var() + 0.004)
                distances = [np.linalg.norm((patch - mean) @ whitening - typical) for typical in patches]
                nearer[i, j] += np.maximum(np.mean(distances) - distances, 0.0) / 2
    whole, ninths = PatchDictionary(arrays).blocks(image[None, :, :, None])
    np.testing.assert_allclose(whole[0], nearer.mean((0, 1)), rtol=1e-3, atol=1e-5)
    expected = nearer.reshape(3, 10, 3, 10, 5).mean((1, 3))
    np.testing.assert_allclose(ninths.reshape(3, 3, 5), expected, rtol=1e-3, atol=1e-5)


def test_a_patch_of_the_dictionary_is_found_where_it_is():
    rng = np.random.RandomState(1)
    motif = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]], float)
    even = motif.ravel() / np.sqrt(motif.var() + 0.004)
    arrays = {"sides": np.array([2]), "mean": np.zeros(9), "whitening": np.eye(9), "patches": np.stack([even, -even])}
    image = 0.01 * rng.normal(size=(SIDE, SIDE))
    image[20:32, 0:12] += np.tile(np.linspace(0, 4, 12), (12, 1))  # a slope to the right, bottom left
    (block,) = PatchDictionary(arrays).blocks(image[None, :, :, None].astype(np.float32))
    like, unlike = block.reshape(2, 2, 2)[..., 0], block.reshape(2, 2, 2)[..., 1]
    assert (like - unlike).argmax() == 2


def test_mirror_images_are_one():
    dictionary, images = load_dictionary("medical"), RNG.rand(3, 20, 28, 2).astype(np.float32)
    for block, mirrored in zip(dictionary.blocks(images), dictionary.blocks(images[:, :, ::-1]), strict=True):
        np.testing.assert_allclose(block, mirrored, rtol=1e-3, atol=1e-5)


def test_a_row_does_not_depend_on_the_rows_beside_it():
    dictionary = load_dictionary("medical")
    images = RNG.rand(35, 17, 23, 1).astype(np.float32)
    together = dictionary.blocks(images)
    for i in (0, 7, 15, 16, 34):
        for alone, block in zip(dictionary.blocks(images[i : i + 1]), together, strict=True):
            assert np.array_equal(alone[0], block[i])
    for backwards, block in zip(dictionary.blocks(images[::-1]), together, strict=True):
        assert np.array_equal(backwards[::-1], block)


def test_every_channel_is_compared_by_itself():
    dictionary = PatchDictionary(tiny_arrays())
    images = RNG.rand(5, 16, 16, 3).astype(np.float32)
    apart = [dictionary.blocks(images[..., c : c + 1]) for c in range(3)]
    for place, block in enumerate(dictionary.blocks(images)):
        np.testing.assert_allclose(block, np.concatenate([blocks[place] for blocks in apart], axis=1), rtol=1e-6)


# -- what ships, and how it is made -------------------------------------------


def test_shipped_dictionary_is_small_and_takes_images_of_any_size():
    assert SHIPPED["medical"].stat().st_size <= 4_000_000
    dictionary = load_dictionary("medical")
    assert load_dictionary("medical") is dictionary  # read once
    for shape in ((2, 8, 8, 1), (2, 100, 40, 3)):
        for block in dictionary.blocks(RNG.rand(*shape).astype(np.float32)):
            assert block.dtype == np.float32
            assert np.isfinite(block).all()
            assert block.std() > 0


def test_learning_whitens_and_finds_what_the_images_are_made_of():
    script = runpy.run_path(str(SCRIPT))
    rng = np.random.RandomState(0)
    script["learn"].__globals__.update(N_LOOKED_AT=3000, N_TYPICAL=8)
    stripes = np.sin(np.arange(SIDE) * 2 * np.pi / 8 + 2 * np.pi * rng.rand(50, 1))
    across = np.repeat(stripes[:, :, None], SIDE, 2) + 0.05 * rng.normal(size=(50, SIDE, SIDE))
    arrays = script["learn"]([across.astype(np.float32), across.transpose(0, 2, 1).astype(np.float32)], rng)
    assert arrays["patches"].shape == (8, 36)
    assert all(array.dtype == np.float16 for name, array in arrays.items() if name != "sides")
    arrays = {**arrays, "sides": np.array([1])}
    (columns,) = PatchDictionary(arrays).blocks(np.stack([across[0], across[1], across[0].T, across[1].T])[..., None])
    likeness = np.corrcoef(columns)
    assert min(likeness[0, 1], likeness[2, 3]) > max(likeness[0, 2], likeness[1, 3]) + 0.5


@pytest.mark.slow
def test_script_says_what_it_takes():
    run = subprocess.run([sys.executable, str(SCRIPT), "--help"], capture_output=True, text=True, check=True)
    assert "--leave-out" in run.stdout


# -- as columns of GANAugmenter -----------------------------------------------


def test_dictionary_adds_blocks_and_changes_no_other_column(plain, tiny):
    model = gan(pretrained=tiny).fit(STACK, LABELS)
    before, after = plain.transform(STACK), model.transform(STACK)
    n_before = before.shape[1]
    assert after.shape[1] == n_before + 5 + 9 * 5
    np.testing.assert_array_equal(after[:, :n_before], before)
    names = model.get_feature_names_out()
    assert names[:n_before].tolist() == plain.get_feature_names_out().tolist()
    assert {name.rsplit("_", 1)[0] for name in names[n_before:]} == {"ganaugmenter_patches0", "ganaugmenter_patches1"}
    assert len(set(names)) == after.shape[1]
    for block in ("patches0", "patches1"):
        columns = after[:, [name.startswith(f"ganaugmenter_{block}_") for name in names]].astype(np.float64)
        varying = columns.std(0) > 0
        assert columns.var(0).sum() == pytest.approx(varying.mean() / 2, rel=1e-3)
    features = model.set_params(representation="features").transform(STACK)
    np.testing.assert_array_equal(features, after[:, STACK[0].size :])


def test_shipped_dictionary_is_called_by_name_and_tables_have_none(plain):
    model = gan(pretrained="medical").fit(STACK, LABELS)
    n_columns = sum(block.shape[1] for block in load_dictionary("medical").blocks(model._canvas.draw([STACK])))
    assert model.transform(STACK).shape[1] == plain.transform(STACK).shape[1] + n_columns
    table = RNG.normal(size=(14, 5))
    settings = ({"pretrained": "medical"}, {}, {"n_patches": 0})
    bare, *out = [gan(**each).fit(table, LABELS).transform(table) for each in settings]
    for other in out:
        np.testing.assert_array_equal(bare, other)


def test_models_keep_the_dictionary_by_name_only(plain, tmp_path):
    model = gan(pretrained="medical").fit(STACK, LABELS)
    n_columns = model.transform(STACK).shape[1] - plain.transform(STACK).shape[1]
    sizes = [len(pickle.dumps(each)) for each in (model, plain)]
    assert sizes[0] - sizes[1] < 8 * n_columns + 1000  # location and scale of each column, and the name
    save(model, tmp_path / "gan")
    for restored in (load(tmp_path / "gan"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(restored.transform(STACK), model.transform(STACK))
        assert restored.get_feature_names_out().tolist() == model.get_feature_names_out().tolist()


def test_what_was_fitted_counts_and_another_in_its_place_is_refused(tiny):
    model = gan(pretrained=tiny).fit(STACK, LABELS)
    expected = model.transform(STACK)
    np.testing.assert_array_equal(model.set_params(pretrained=None).transform(STACK), expected)
    np.savez(tiny, **tiny_arrays(seed=1))
    with pytest.raises(ValueError, match=r"has changed since fit: expected .* Fit again"):
        model.transform(STACK)
    Path(tiny).unlink()
    with pytest.raises(ValueError, match=r"cannot be read\. Put the file back"):
        model.transform(STACK)


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_file_that_holds_no_dictionary_is_refused_before_training(content, tmp_path, plain):
    path = tmp_path / "other.npz"
    np.savez(path, weights=np.zeros(3)) if content is None else path.write_bytes(content)
    model = pickle.loads(pickle.dumps(plain)).set_params(pretrained=str(path))
    with pytest.raises(ValueError, match="holds no dictionary"):
        model.fit(STACK, LABELS)
    np.testing.assert_array_equal(model.transform(STACK), plain.transform(STACK))  # the earlier fit is intact


@pytest.mark.parametrize("pretrained", ["medcal", 3, Path("dictionary.npz")])
def test_anything_else_is_refused(pretrained):
    with pytest.raises(ValueError, match="pretrained"):
        gan(pretrained=pretrained).fit(STACK, LABELS)
