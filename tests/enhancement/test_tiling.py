"""Tiles: cut, restored and put together, they are the image as a whole."""

import dataclasses
import functools
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from sklearn_medgan import GANEnhancer
from sklearn_medgan.enhancement._tiling import STREAMS, jobs, padded, reflect, run, tiles

TINY = {"max_iter": 4, "width": 4, "depth": 2, "patch_size": 16, "batch_size": 4, "guard": False, "random_state": 0}
GOOD = np.random.RandomState(0).uniform(size=(6, 24, 24)).astype(np.float32)
LARGE = np.random.RandomState(1).uniform(size=(1, 301, 150)).astype(np.float32)


@given(size=st.integers(1, 10_000), stride=st.integers(1, 64))
def test_padded_is_the_next_multiple(size, stride):
    result = padded(size, stride)
    assert result % stride == 0
    assert size <= result < size + stride


@st.composite
def axes(draw):
    """size, tile, halo, stride as `tiles` takes them: a tile is larger than its two margins."""
    stride = draw(st.sampled_from([1, 2, 8]))
    halo = draw(st.integers(0, 40))
    tile = 2 * padded(halo, stride) + stride * draw(st.integers(1, 12))
    return stride * draw(st.integers(1, 150)), tile, halo, stride


@given(axes())
def test_tiles_keep_every_pixel_once_and_stay_inside(axis):
    size, tile, halo, stride = axis
    cover = tiles(*axis)
    kept = np.zeros(size, int)
    for start, stop, first, last in cover:
        kept[first:last] += 1
        assert 0 <= start <= first < last <= stop <= size
        assert stop - start <= tile
        assert start % stride == stop % stride == 0
        assert first - start >= halo or first == start == 0
        assert stop - last >= halo or last == stop == size
    assert (kept == 1).all()
    assert [first for *_, first, _ in cover] == sorted(first for *_, first, _ in cover)


@given(axes())
def test_no_more_tiles_than_needed(axis):
    """Each tile but the outermost two adds at most its inside: fewer could not cover the axis."""
    size, tile, halo, stride = axis
    inside = tile - 2 * padded(halo, stride)
    fewest = 1 if size <= tile else -(-(size - 2 * padded(halo, stride)) // inside)
    assert len(tiles(*axis)) == fewest


@given(axes())
def test_no_tile_is_longer_than_needed(axis):
    """One step of the stride shorter, as many tiles could not cover the axis."""
    size, _, halo, stride = axis
    cover, margins = tiles(*axis), 2 * padded(halo, stride)
    lengths = {stop - start for start, stop, *_ in cover}
    assert len(lengths) == 1
    if len(cover) > 1:
        assert (lengths.pop() - stride - margins) * len(cover) + margins < size


def test_some_jobs_are_under_way_at_once_and_no_more():
    together, now, most = threading.Barrier(STREAMS, timeout=60), [], []

    def job(number):
        now.append(number)
        most.append(len(now))
        together.wait()  # alone, it would wait in vain
        now.remove(number)

    asked = []
    run(functools.partial(job, number) for number in range(4 * STREAMS) if not asked.append(number))
    assert asked == list(range(4 * STREAMS))
    assert max(most) == STREAMS


def test_a_job_that_fails_is_the_last_to_be_asked_for():
    asked = []

    def numbers():
        for number in range(100):
            asked.append(number)
            yield functools.partial(divmod, 1, number)

    with pytest.raises(ZeroDivisionError):
        run(numbers())
    assert len(asked) <= STREAMS + 1


def in_tiles(image, radius, tile, halo, stride):
    """A box filter of this radius applied to tiles, and the largest tile that it saw."""
    result, sizes = np.full(image.shape, np.nan), []

    def box(block):
        sizes.append(block.shape[1:3])
        assert all(side % stride == 0 for side in block.shape[1:3])
        return [uniform_filter(block, (1, 2 * radius + 1, 2 * radius + 1, 1), mode="reflect")]

    def write(place, outputs):
        assert np.isnan(result[place]).all()  # nothing is written twice
        result[place] = outputs[0]

    run(jobs(box, image, tile=tile, halo=halo, stride=stride, prepare=lambda b: b.astype(np.float64), write=write))
    return result, sizes


@given(
    st.tuples(st.integers(3, 70), st.integers(3, 70)),
    st.integers(0, 4),
    st.integers(0, 3),
    st.sampled_from([1, 4, 8]),
)
def test_convolution_in_tiles_is_that_of_the_whole(sides, radius, spare, stride):
    image = np.random.RandomState(sum(sides)).uniform(size=(*sides, 2))
    halo = radius + spare
    tile = 2 * padded(halo, stride) + 2 * stride
    result, sizes = in_tiles(image, radius, tile, halo, stride)
    # The filter's own reflection and the one that makes sides divisible continue the image alike.
    after = [(0, padded(side, stride) - side) for side in sides]
    whole = np.pad(image, [*after, (0, 0)], mode="symmetric")
    whole = uniform_filter(whole, (2 * radius + 1, 2 * radius + 1, 1), mode="reflect")[: sides[0], : sides[1]]
    np.testing.assert_allclose(result, whole, atol=1e-12)
    assert max(max(shape) for shape in sizes) <= tile


def test_margin_below_the_radius_leaves_seams():
    """The check above can fail."""
    image = np.random.RandomState(0).uniform(size=(64, 64, 1))
    whole = uniform_filter(image, (7, 7, 1), mode="reflect")
    assert np.allclose(in_tiles(image, 3, 24, 3, 8)[0], whole)
    assert not np.allclose(in_tiles(image, 3, 24, 0, 8)[0], whole)


def test_raw_pixels_are_prepared_tile_by_tile():
    image = np.arange(64 * 40).reshape(64, 40, 1).astype(np.uint16)
    seen = []

    def prepare(block):
        seen.append((block.dtype, block.size))
        return block.astype(np.float32)

    result = np.zeros(image.shape, np.float32)

    def write(place, outputs):
        result[place] = outputs[0]

    run(jobs(lambda block: [2 * block], image, tile=16, halo=0, stride=8, prepare=prepare, write=write))
    assert np.array_equal(result, 2.0 * image)
    assert {dtype for dtype, _ in seen} == {np.dtype(np.uint16)}
    assert max(size for _, size in seen) <= 16 * 16


def test_several_outputs_are_cut_alike():
    image, results = np.random.RandomState(0).uniform(size=(40, 24, 1)), []

    def write(place, outputs):
        results.append(all(np.array_equal(-outputs[0], output) for output in outputs[1:]))
        assert outputs[0].shape == image[place].shape

    run(jobs(lambda b: [b, -b], image, tile=16, halo=2, stride=4, prepare=lambda b: b, write=write))
    assert results
    assert all(results)


def test_reflection_continues_at_the_lower_and_right_edge():
    block = np.arange(6.0).reshape(2, 3, 1)
    expected = [[0, 1, 2, 2, 1], [3, 4, 5, 5, 4], [3, 4, 5, 5, 4]]
    assert reflect(block, 3, 5)[..., 0].tolist() == expected
    assert np.array_equal(reflect(block[None], 3, 5)[0], reflect(block, 3, 5))
    assert reflect(block, 2, 3) is block


@pytest.fixture(scope="module")
def pair():
    """The same network with the smallest tiles and with none."""
    return GANEnhancer(**TINY, tile_size=64).fit(GOOD), GANEnhancer(**TINY, tile_size=4096).fit(GOOD)


def test_trained_network_has_no_seams(pair):
    in_parts, whole = pair
    assert in_parts._restoration.tile < LARGE.shape[1] < whole._restoration.tile
    np.testing.assert_allclose(in_parts.transform(LARGE), whole.transform(LARGE), atol=1e-5, rtol=0)
    np.testing.assert_allclose(in_parts.uncertainty(LARGE), whole.uncertainty(LARGE), atol=1e-5, rtol=0)


def test_images_of_many_sizes_are_one_program(pair):
    in_parts, _ = pair
    rng, program = np.random.RandomState(0), in_parts._program()
    in_parts.transform(GOOD)
    before = program.restore.n_traces
    for height, width in ((24, 40), (65, 66), (80, 300), (200, 97), (301, 150)):
        assert in_parts.transform(rng.uniform(size=(2, height, width))).shape == (2, height, width)
    assert (before, program.restore.n_traces) == (1, 1)


def test_trained_network_would_have_seams_without_its_margin(pair):
    """The check above can fail: the network does look beyond a tile's edge."""
    in_parts, whole = pair
    halo, network = in_parts._restoration.halo, whole._network
    try:
        restoration = dataclasses.replace(in_parts._restoration, halo=0, tile=64)
        cut = restoration.restore_all(LARGE[..., None], network)[0]
    finally:
        assert in_parts._restoration.halo == halo
    assert np.abs(cut[..., 0] - whole.transform(LARGE)).max() > 1e-3


@pytest.mark.parametrize(("depth", "margin"), [(2, 32), (8, 40)])
def test_margins_suffice_and_none_is_needless(depth, margin):
    """To the bit of what a change beyond the margin does: nothing; and within it, something."""
    from sklearn_medgan.gan.restorers import STRIDE, image_restorer, receptive_radius

    assert padded(receptive_radius(depth), STRIDE) == margin
    model, rng = image_restorer(1, 2, depth), np.random.RandomState(0)
    for variable in model.trainable_variables:
        variable.assign(0 * variable if len(variable.shape) == 1 else rng.uniform(0.1, 1, variable.shape))
    for edge, changes in ((margin, False), (margin - STRIDE, True)):
        image = np.zeros((1, 24, edge + 24, 1), np.float32)
        image[:, :, :STRIDE] = 1.0  # outside of a tile that starts at STRIDE
        inside = [output.numpy()[:, :, STRIDE + edge :] for output in model(image)]
        assert any(part.any() for part in inside) == changes


def test_integers_differ_by_rounding_at_most(pair):
    images = (LARGE * 255).astype(np.uint8)
    fits = [GANEnhancer(**TINY, tile_size=size).fit((GOOD * 255).astype(np.uint8)) for size in (64, 4096)]
    in_parts, whole = (fit.transform(images).astype(int) for fit in fits)
    assert np.abs(in_parts - whole).max() <= 1
    assert np.abs(in_parts - images).max() > 1  # something was restored


def test_tone_curve_of_a_large_image_is_that_of_the_whole():
    """Quantiles are taken of the image, not of each tile."""
    fits = [
        GANEnhancer(**TINY, tile_size=size, degradation={"low_contrast": 0.3}).fit(GOOD + np.linspace(0, 1, 24))
        for size in (64, 4096)
    ]
    assert fits[0]._restoration.tone is not None
    poor = 0.3 * LARGE + np.linspace(0, 0.2, LARGE.shape[1])[:, None].astype(np.float32)
    in_parts, whole = (fit.transform(poor) for fit in fits)
    np.testing.assert_allclose(in_parts, whole, atol=1e-5, rtol=0)
