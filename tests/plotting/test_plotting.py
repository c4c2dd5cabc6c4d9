import builtins
import itertools
import math
import re
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from skimage.metrics import peak_signal_noise_ratio
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline as StockPipeline
from sklearn.svm import SVC

from sklearn_medgan import AugmentedClassifier, GANAugmenter, GANEnhancer, Pipeline, make_pipeline
from sklearn_medgan.plotting import EnhancementDisplay, IntervalDisplay, SampleGridDisplay, TrainingHistoryDisplay

matplotlib.use("Agg")


def gan(**parameters):
    return GANAugmenter(
        **{"max_iter": 2, "width": 4, "latent_dim": 4, "batch_size": 8, "random_state": 0, **parameters}
    )


def flat_classes(dtype=np.uint8, levels=(10, 200), n=6, side=8, channels=()):
    """Images of one level each: class k holds levels[k], so a picture tells which class it shows."""
    y = np.repeat(np.arange(len(levels)), n)
    X = np.broadcast_to(
        np.asarray(levels, dtype)[y].reshape(-1, 1, 1, *(1,) * len(channels)), (len(y), side, side, *channels)
    )
    return X.copy(), y


@pytest.fixture(scope="module")
def fitted():
    X, y = flat_classes()
    return gan(max_iter=30).fit(X, y), X, y


@pytest.fixture(scope="module")
def table():
    rng = np.random.RandomState(0)
    return gan(loss="hinge").fit(rng.normal(size=(20, 3)), np.repeat([0, 1], 10))


@pytest.fixture(scope="module")
def unlabelled():
    X, _ = flat_classes(levels=(50, 50))
    X[0, 0, 0] = 60
    return gan().fit(X), X


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def tile(display, row, column, side=8):
    """Colours of one image in the drawn picture; columns count from the left, real ones first."""
    picture, pitch = display.im_.get_array(), side + 1
    n = display.synthetic.shape[1]
    left = column * pitch if column < n else n * pitch - 1 + 6 + (column - n) * pitch
    return picture[row * pitch : row * pitch + side, left : left + side]


def test_curves_are_the_history(fitted):
    augmenter, *_ = fitted
    display = TrainingHistoryDisplay.from_estimator(augmenter, ax=Figure().subplots(1, 3))
    losses, gap, spread = display.axes_
    drawn = {line.get_label(): line for line in losses.lines}
    assert drawn["discriminator"].get_xdata().tolist() == [10, 20, 30]
    for label, name in {
        "discriminator": "discriminator_loss",
        "generator": "generator_loss",
        "class head": "class_loss",
    }.items():
        assert drawn[label].get_ydata().tolist() == augmenter.history_[name]
    assert gap.lines[0].get_ydata().tolist() == augmenter.history_["logit_gap"]
    assert spread.lines[0].get_ydata().tolist() == augmenter.history_["sample_spread"]
    assert [axis.get_xlabel() for axis in display.axes_] == ["step"] * 3


def chance_of(display):
    return [line.get_ydata()[0] for line in display.axes_[0].lines if line.get_label() == "chance"]


def test_chance_line_is_the_loss_of_a_discriminator_that_cannot_tell(fitted, table):
    assert chance_of(TrainingHistoryDisplay.from_estimator(fitted[0])) == pytest.approx([math.log(2)])
    assert chance_of(TrainingHistoryDisplay.from_estimator(table.set_params(loss="minimax"))) == pytest.approx([2.0])


def test_without_an_adversary_there_is_no_chance_line():
    X, y = np.random.RandomState(0).normal(size=(20, 3)), np.repeat([0, 1], 10)
    display = TrainingHistoryDisplay.from_estimator(gan(adversarial_weight=0).fit(X, y))
    assert chance_of(display) == []


def test_unlabelled_fits_have_no_class_curve_and_one_row(unlabelled):
    augmenter, X = unlabelled
    labels = [line.get_label() for line in TrainingHistoryDisplay.from_estimator(augmenter).axes_[0].lines]
    assert "class head" not in labels
    assert "discriminator" in labels
    display = SampleGridDisplay.from_estimator(augmenter, X, n_per_class=3)
    assert display.synthetic.shape == (1, 3, 8, 8, 1)
    assert np.allclose(tile(display, 0, 0), tile(display, 0, 2))  # every real image is the same grey


def test_one_axes_is_divided_into_three(fitted):
    figure = Figure()
    display = TrainingHistoryDisplay.from_estimator(fitted[0], ax=figure.subplots())
    assert display.figure_ is figure
    assert len(display.axes_) == 3
    left = [axis.get_position().x0 for axis in display.axes_]
    assert left == sorted(left)


def test_other_numbers_of_axes_are_refused(fitted):
    with pytest.raises(ValueError, match=r"one Axes or three.*got 2"):
        TrainingHistoryDisplay.from_estimator(fitted[0], ax=Figure().subplots(1, 2))


def test_grid_shows_each_class_in_its_row_and_real_before_synthetic(fitted):
    augmenter, X, y = fitted
    display = SampleGridDisplay.from_estimator(augmenter, X, y, n_per_class=2)
    dark, bright = tile(display, 0, 0), tile(display, 1, 0)
    assert np.ptp(dark) == 0
    assert np.ptp(bright) == 0
    assert bright.mean() - dark.mean() == pytest.approx(1.0)  # the darkest and the brightest value shown
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["real", "synthetic"]
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["0", "1"]


def test_grid_of_samples_alone_shows_what_sample_draws(fitted):
    augmenter, *_ = fitted
    display = SampleGridDisplay.from_estimator(augmenter, n_per_class=3, random_state=5)
    rng = np.random.RandomState(5)
    first, _ = augmenter.sample(3, y=0, random_state=rng)
    second, _ = augmenter.sample(3, y=1, random_state=rng)
    assert np.array_equal(display.synthetic[..., 0], [first, second])
    shown = tile(display, 1, 2)[..., 0]
    lowest, highest = min(first.min(), second.min()), max(first.max(), second.max())
    assert np.allclose(shown * (int(highest) - int(lowest)) + lowest, second[2])
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["synthetic"]


def test_grid_leaves_the_stream_of_samples_alone():
    X, y = flat_classes()
    drawn, undisturbed = gan().fit(X, y), gan().fit(X, y)
    SampleGridDisplay.from_estimator(drawn, X, y, n_per_class=2)
    assert np.array_equal(drawn.sample(4)[0], undisturbed.sample(4)[0])


def test_places_without_a_real_image_stay_white():
    X, y = flat_classes(n=3)
    display = SampleGridDisplay.from_estimator(gan().fit(X, y), X, y, n_per_class=5)
    assert (tile(display, 0, 4) == 1.0).all()
    assert (tile(display, 0, 2) < 1.0).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "bool"])
def test_grid_takes_any_dtype_and_range(dtype):
    levels = {"uint16": (0, 60000), "int16": (-1000, 3000), "bool": (0, 1)}.get(dtype, (0, 7))
    X, y = flat_classes(dtype=dtype, levels=levels)
    display = SampleGridDisplay.from_estimator(gan().fit(X, y), X, y, n_per_class=1)
    assert (tile(display, 0, 0) == 0.0).all()
    assert (tile(display, 1, 0) == 1.0).all()


def test_three_channels_are_colours_and_one_can_be_picked():
    X, y = flat_classes(levels=(0, 200), channels=(3,))
    X[y == 1] = (200, 100, 0)
    augmenter = gan().fit(X, y)
    colour = SampleGridDisplay.from_estimator(augmenter, X, y, n_per_class=1)
    assert np.allclose(tile(colour, 1, 0), (1.0, 0.5, 0.0))
    grey = SampleGridDisplay.from_estimator(augmenter, X, y, n_per_class=1, channel=1)
    assert len(np.unique(tile(grey, 1, 0))) == 1


def test_flat_images_are_drawn_like_stacks():
    X, y = flat_classes()
    flat = gan(image_shape=(8, 8)).fit(X.reshape(len(X), -1), y)
    display = SampleGridDisplay.from_estimator(flat, X.reshape(len(X), -1), y, n_per_class=2)
    assert display.synthetic.shape == display.real.shape == (2, 2, 8, 8, 1)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda: StockPipeline([("aug", gan()), ("clf", SVC())]),
        lambda: Pipeline([("aug", gan()), ("clf", SVC())]),
        lambda: make_pipeline(AugmentedClassifier(SVC(), gan())),
    ],
)
def test_the_augmenter_is_found_inside_what_holds_it(wrap):
    X, y = flat_classes()
    estimator = wrap().fit(X, y)
    assert SampleGridDisplay.from_estimator(estimator, n_per_class=1).synthetic.shape == (2, 1, 8, 8, 1)
    assert TrainingHistoryDisplay.from_estimator(estimator).history["step"] == [2]


def test_over_sampler_holds_one_too():
    pytest.importorskip("imblearn")
    from sklearn_medgan import GANOverSampler

    X, y = flat_classes()
    sampler = GANOverSampler(max_iter=2, width=4, latent_dim=4, batch_size=8, random_state=0)
    sampler.fit_resample(X[:-2], y[:-2])
    assert TrainingHistoryDisplay.from_estimator(sampler).history["step"] == [2]


@pytest.mark.parametrize("display", [TrainingHistoryDisplay, SampleGridDisplay])
def test_what_holds_no_fitted_augmenter_is_refused(display):
    with pytest.raises(TypeError, match=r"Expected a GANAugmenter.*SVC"):
        display.from_estimator(SVC())
    with pytest.raises(TypeError, match="holds one"):
        display.from_estimator(make_pipeline(SVC()))
    with pytest.raises(NotFittedError):
        display.from_estimator(gan())


def test_a_table_has_no_sample_grid(table):
    with pytest.raises(ValueError, match="fitted on a table"):
        SampleGridDisplay.from_estimator(table)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_per_class": 0}, "n_per_class must be an integer of at least 1"),
        ({"n_per_class": True}, "n_per_class"),
        ({"n_per_class": 1.5}, "n_per_class"),
        ({"channel": 1}, "channel must be None or an integer from 0 to 0"),
        ({"display_labels": ["one"]}, "display_labels must name 2 rows; got 1"),
        ({"y": [0, 1]}, "y without X"),
        ({"X": np.zeros((2, 8, 8))}, "X without y"),
        ({"X": np.zeros((2, 8, 8)), "y": [0]}, "inconsistent numbers of samples"),
        ({"X": np.zeros((2, 9, 9)), "y": [0, 1]}, "was fitted on images of shape"),
    ],
)
def test_grid_requests_that_do_not_fit_are_refused(fitted, arguments, message):
    with pytest.raises(ValueError, match=message):
        SampleGridDisplay.from_estimator(fitted[0], **arguments)


@pytest.mark.parametrize("display", [TrainingHistoryDisplay, SampleGridDisplay])
def test_without_matplotlib_the_error_names_the_extra(fitted, display, monkeypatch):
    imported = builtins.__import__

    def without(name, *more, **options):
        if name.split(".")[0] == "matplotlib":
            raise ImportError("No module named 'matplotlib'", name="matplotlib")
        return imported(name, *more, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "sklearn-medgan\[plot\]"'):
        display.from_estimator(fitted[0])


# ------------------------------------------------------------------------------------------------- EnhancementDisplay


def enhancer_of(good, **parameters):
    small = {"degradation": "noise", "max_iter": 3, "width": 4, "depth": 2, "patch_size": 16, "guard": False}
    return GANEnhancer(**{**small, "random_state": 0, **parameters}).fit(good)


def random_images(*shape, low=0, high=200, seed=0):
    images = np.random.default_rng(seed).integers(low, high, shape).astype(np.uint8)
    images[0].flat[:2] = low, high - 1  # so that the scale learned at fit is known
    return images


@pytest.fixture(scope="module")
def restored():
    good = random_images(12, 16, 24)
    noise = np.random.default_rng(1).normal(0, 20, good.shape)
    poor = np.clip(np.rint(good + noise), 0, 255).astype(np.uint8)
    return enhancer_of(good), poor, good


def drawn(display, row, column):
    (image,) = display.axes_[row, column].images
    return np.asarray(image.get_array())


def test_every_column_shows_its_array(restored):
    enhancer, poor, good = restored
    display = EnhancementDisplay.from_estimator(enhancer, poor, target=good, n_images=3)
    enhanced, expected_error = enhancer.transform(poor[:3]), enhancer.uncertainty(poor[:3], None)
    assert display.axes_.shape == (3, 5)
    for i in range(3):
        assert np.array_equal(drawn(display, i, 0), poor[i])
        assert np.array_equal(drawn(display, i, 1), enhanced[i])
        assert np.array_equal(drawn(display, i, 2), good[i])
        assert np.array_equal(drawn(display, i, 3), np.abs(enhanced[i].astype(int) - good[i].astype(int)))
        assert np.allclose(drawn(display, i, 4), expected_error[i])
    assert display.figure_ is display.axes_[0, 0].figure


def test_rows_tell_the_signal_to_noise_ratio_on_the_scale_learned_at_fit(restored):
    enhancer, poor, good = restored
    display = EnhancementDisplay.from_estimator(enhancer, poor, target=good, n_images=2, display_labels=["a", "b"])
    for i, name in enumerate("ab"):
        before, after = (
            peak_signal_noise_ratio(good[i], image, data_range=199) for image in (poor[i], enhancer.transform(poor)[i])
        )
        assert display.axes_[i, 0].get_ylabel() == f"{name}\npoor {before:.1f} dB\nenhanced {after:.1f} dB"


def test_images_of_a_row_share_a_scale_and_maps_of_all_rows_another(restored):
    enhancer, poor, good = restored
    display = EnhancementDisplay.from_estimator(enhancer, poor, target=good, n_images=2)
    for i in range(2):
        assert {ax.images[0].get_clim() for ax in display.axes_[i, :3]} == {(good[i].min(), good[i].max())}
    limits = {ax.images[0].get_clim() for ax in display.axes_[:, 3:].ravel()}
    assert limits == {(0.0, max(drawn(display, i, j).max() for i in range(2) for j in (3, 4)))}
    bars = [[len(ax.child_axes) for ax in row] for row in display.axes_]
    assert bars == [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]  # a colour bar below each column of maps
    assert display.axes_[1, 3].child_axes[0].get_xlim() == limits.pop()


def test_without_a_truth_or_uncertainty_their_columns_are_absent(restored):
    enhancer, poor, _ = restored
    display = EnhancementDisplay.from_estimator(enhancer, poor, uncertainty=False, n_images=1)
    assert [ax.get_title() for ax in display.axes_[0]] == ["poor", "enhanced"]
    assert display.axes_[0, 0].get_ylabel() == ""
    assert [ax.get_title() for ax in EnhancementDisplay.from_estimator(enhancer, poor).axes_[0]][2:] == ["uncertainty"]
    renamed = EnhancementDisplay.from_estimator(enhancer, poor, n_images=1, titles=["x", "y", "z"])
    assert [ax.get_title() for ax in renamed.axes_[0]] == ["x", "y", "z"]


def test_a_perfect_enhancement_has_no_finite_ratio_and_an_empty_map():
    truth = np.arange(64.0).reshape(1, 8, 8, 1)
    display = EnhancementDisplay(truth + 1, truth, target=truth).plot()
    assert display.axes_[0, 0].get_ylabel() == f"poor {20 * math.log10(63):.1f} dB\nenhanced inf dB"
    assert not drawn(display, 0, 3).any()


def test_of_enlarged_images_the_poor_pixels_are_repeated():
    good = random_images(8, 16, 24)
    enhancer, poor = enhancer_of(good, scale=2, degradation="auto"), good[:2, ::2, ::2]
    display = EnhancementDisplay.from_estimator(enhancer, poor, target=good[:2])
    assert drawn(display, 0, 0).shape == drawn(display, 0, 1).shape == (16, 24)
    assert np.array_equal(drawn(display, 1, 0), np.kron(poor[1], np.ones((2, 2))))
    assert re.fullmatch(r"enhanced \d+\.\d dB", display.axes_[1, 0].get_ylabel())


def test_colours_share_the_scale_of_the_truth_and_maps_are_means():
    good = random_images(6, 16, 16, 3)
    enhancer = enhancer_of(good)
    display = EnhancementDisplay.from_estimator(enhancer, good, target=good, n_images=1)
    assert np.allclose(drawn(display, 0, 2), good[0] / 199)
    error = np.abs(enhancer.transform(good[:1]).astype(float) - good[:1])[0]
    assert np.allclose(drawn(display, 0, 3), error.mean(axis=2))
    second = EnhancementDisplay.from_estimator(enhancer, good, target=good, n_images=1, channel=1)
    assert np.array_equal(drawn(second, 0, 0), good[0, ..., 1])
    assert np.allclose(drawn(second, 0, 3), error[..., 1])


def test_flat_images_are_drawn_with_their_shape():
    good = random_images(6, 16, 16)
    flat = pd.DataFrame(good.reshape(6, -1))
    enhancer = enhancer_of(flat, image_shape=(16, 16))
    display = EnhancementDisplay.from_estimator(enhancer, flat, target=flat, n_images=2)
    assert np.array_equal(drawn(display, 1, 0), good[1])
    assert np.array_equal(drawn(display, 1, 2), good[1])


def test_the_enhancer_is_found_in_a_pipeline(restored):
    enhancer, poor, _ = restored
    pipe = StockPipeline([("enhance", enhancer), ("again", "passthrough")])
    assert np.array_equal(
        EnhancementDisplay.from_estimator(pipe, poor).enhanced,
        EnhancementDisplay.from_estimator(enhancer, poor).enhanced,
    )


def test_it_is_drawn_where_asked(restored):
    enhancer, poor, _ = restored
    figure = Figure()
    one = EnhancementDisplay.from_estimator(enhancer, poor, n_images=2, ax=figure.subplots())
    assert one.figure_ is figure
    assert one.axes_.shape == (2, 3)
    given = Figure().subplots(2, 3)
    assert EnhancementDisplay.from_estimator(enhancer, poor, n_images=2, ax=given).axes_[1, 2] is given[1, 2]
    with pytest.raises(ValueError, match=r"one Axes or 2 x 3.*got 4"):
        EnhancementDisplay.from_estimator(enhancer, poor, n_images=2, ax=Figure().subplots(2, 2))
    with pytest.raises(ValueError, match="made by subplots"):
        EnhancementDisplay.from_estimator(enhancer, poor, ax=Figure().add_axes((0, 0, 1, 1)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_images": 0}, "n_images must be an integer of at least 1; got 0"),
        ({"n_images": True}, "n_images"),
        ({"channel": 1}, "channel must be None or an integer from 0 to 0"),
        ({"display_labels": ["one"]}, "display_labels must name 4 rows; got 1"),
        ({"titles": ["one"]}, "titles must name 3 columns; got 1"),
        ({"target": np.zeros((3, 16, 24))}, "inconsistent numbers of samples"),
        ({"target": np.zeros((12, 16, 16))}, r"of shape \(16, 24, 1\) once enlarged.*\(16, 16\)"),
        ({"X": np.full((2, 16, 24), np.nan)}, "NaN"),
        ({"X": np.zeros((2, 16, 24, 3))}, r"1 channel\(s\); got 3"),
    ],
)
def test_enhancement_requests_that_do_not_fit_are_refused(restored, arguments, message):
    enhancer, poor, _ = restored
    with pytest.raises(ValueError, match=message):
        EnhancementDisplay.from_estimator(enhancer, **{"X": poor, **arguments})


def test_what_holds_no_fitted_enhancer_of_images_is_refused(fitted):
    X = np.zeros((2, 16, 16))
    with pytest.raises(TypeError, match=r"Expected a GANEnhancer.*SVC"):
        EnhancementDisplay.from_estimator(SVC(), X)
    with pytest.raises(TypeError, match="Expected a GANEnhancer"):
        EnhancementDisplay.from_estimator(fitted[0], X)
    with pytest.raises(NotFittedError):
        EnhancementDisplay.from_estimator(GANEnhancer(), X)
    rows = np.random.default_rng(0).normal(size=(20, 3))
    table = GANEnhancer(max_iter=2, guard=False, random_state=0).fit(rows)
    with pytest.raises(ValueError, match=r"fitted on a table\. Fit image stacks"):
        EnhancementDisplay.from_estimator(table, rows)


def test_without_matplotlib_the_enhancement_names_the_extra(restored, monkeypatch):
    imported = builtins.__import__

    def without(name, *more, **options):
        if name.split(".")[0] == "matplotlib":
            raise ImportError("No module named 'matplotlib'", name="matplotlib")
        return imported(name, *more, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "sklearn-medgan\[plot\]"'):
        EnhancementDisplay.from_estimator(restored[0], restored[1], n_images=1)


# ---------------------------------------------------------------------------------------------------- IntervalDisplay

GAIN, LOSS, NEITHER = ("gain", 2.0, 0.5, 3.5), ("loss", -2.0, -3.5, -0.5), ("neither", 1.0, -0.5, 2.5)


def intervals(*rows, **options):
    return IntervalDisplay(*zip(*rows, strict=True), **options).plot(ax=Figure().subplots())


def comparisons(**changed):
    columns = {
        "arm": ["GAN rows", "SMOTE", "none", "GAN rows", "SMOTE"],
        "classifier": ["SVC"] * 5,
        "regime": ["rare", "rare", "rare", "all", "all"],
        "difference": [2.0, -2.0, np.nan, 1.0, 3.0],
        "low": [0.5, -3.5, np.nan, -0.5, 1.0],
        "high": [3.5, -0.5, np.nan, 2.5, 5.0],
        "p_holm": [0.01, 0.02, np.nan, 0.3, 0.06],
    }
    return pd.DataFrame({**columns, **changed})


def points_and_spans(display):
    """Marker, colour, place and interval of each row, as drawn."""
    lines = [line for line in display.ax_.lines if len(line.get_xdata()) <= 2]
    spans = [line for line in lines if len(set(line.get_ydata())) == 1 and len(line.get_xdata()) == 2]
    points = [line for line in lines if len(line.get_xdata()) == 1]
    return [
        (point.get_marker(), point.get_color(), point.get_ydata()[0], point.get_xdata()[0], *span.get_xdata())
        for point, span in zip(points, spans, strict=True)
    ]


def test_each_row_shows_its_difference_and_interval_from_the_top():
    display = intervals(GAIN, LOSS, NEITHER)
    rows = points_and_spans(display)
    assert [row[2:] for row in rows] == [(0, 2.0, 0.5, 3.5), (1, -2.0, -3.5, -0.5), (2, 1.0, -0.5, 2.5)]
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["gain", "loss", "neither"]
    bottom, top = display.ax_.get_ylim()
    assert bottom > top
    left, right = display.ax_.get_xlim()
    assert left < -3.5 < 3.5 < right
    assert any(list(line.get_xdata()) == [0.0, 0.0] for line in display.ax_.lines)
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts[1] == "-2.0  [-3.5, -0.5]".replace("-", "\N{MINUS SIGN}")


def test_verdicts_differ_in_shape_and_colour_and_the_legend_tells_them():
    display = intervals(GAIN, LOSS, NEITHER)
    assert display.verdicts_ == ["gain", "loss", "no evidence"]
    rows = points_and_spans(display)
    assert len({row[0] for row in rows}) == len({row[1] for row in rows}) == 3
    handles = display.ax_.get_legend().legend_handles
    told = [(handle.get_label(), handle.get_marker(), handle.get_color()) for handle in handles]
    assert told == [(verdict, *row[:2]) for verdict, row in zip(display.verdicts_, rows, strict=True)]
    legend = intervals(GAIN).ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["gain"]


@pytest.mark.parametrize(("low", "high"), [(0.0, 2.0), (-2.0, 0.0), (-1.0, 1.0), (0.0, 0.0)])
def test_an_interval_that_reaches_zero_is_no_evidence(low, high):
    assert intervals(("a", (low + high) / 2, low, high)).verdicts_ == ["no evidence"]


def test_an_adjusted_p_value_overrules_the_interval():
    assert intervals(GAIN, LOSS, GAIN, p_values=[0.049, 0.05, np.nan]).verdicts_ == ["gain", *["no evidence"] * 2]
    assert intervals(GAIN, p_values=[0.03], level=0.01).verdicts_ == ["no evidence"]


def test_the_axis_names_reference_and_unit():
    assert intervals(GAIN).ax_.get_xlabel() == "difference (points)"
    assert intervals(GAIN, reference="SMOTE", unit="").ax_.get_xlabel() == "difference to SMOTE"


def test_small_numbers_are_written_with_digits_that_count():
    display = intervals(("a", 0.021, 0.004, 0.038))
    assert display.ax_.texts[0].get_text() == "+0.021  [+0.004, +0.038]"


def test_twenty_rows_do_not_overlap():
    rows = [(f"comparison {i}", i - 10.0, i - 11.5, i - 8.5) for i in range(20)]
    display = IntervalDisplay(*zip(*rows, strict=True)).plot()
    display.figure_.canvas.draw()
    for texts in (display.ax_.get_yticklabels(), display.ax_.texts):
        boxes = [text.get_window_extent() for text in texts]
        assert len(boxes) == 20
        assert all(upper.y0 > lower.y1 for upper, lower in itertools.pairwise(boxes))
        assert all(box.x0 >= 0 and box.x1 <= display.figure_.bbox.x1 for box in boxes)


@pytest.mark.parametrize("wrap", [lambda frame: frame, lambda frame: SimpleNamespace(to_frame=lambda: frame)])
def test_a_result_is_drawn_without_its_reference(wrap):
    display = IntervalDisplay.from_result(wrap(comparisons()), reference="none", ax=Figure().subplots())
    assert display.labels == ["GAN rows, rare", "SMOTE, rare", "GAN rows, all", "SMOTE, all"]  # one classifier: unsaid
    assert display.verdicts_ == ["gain", "loss", "no evidence", "no evidence"]
    assert [row[3] for row in points_and_spans(display)] == [2.0, -2.0, 1.0, 3.0]
    assert display.ax_.get_xlabel() == "difference to none (points)"


def test_a_single_comparison_is_named_by_its_arm():
    assert IntervalDisplay.from_result(comparisons().iloc[:1], ax=Figure().subplots()).labels == ["GAN rows"]


def test_results_that_cannot_be_drawn_are_refused():
    with pytest.raises(TypeError, match=r"Expected a DataFrame.*got list"):
        IntervalDisplay.from_result([1, 2])
    with pytest.raises(ValueError, match=r"lacks the columns \['regime', 'p_holm'\]"):
        IntervalDisplay.from_result(comparisons().drop(columns=["regime", "p_holm"]))
    with pytest.raises(ValueError, match="holds no difference"):
        IntervalDisplay.from_result(comparisons(difference=np.nan))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"differences": [1.0]}, r"differences must hold a number for each of 2 labels.*\(1,\)"),
        ({"labels": [], "differences": [], "low": [], "high": []}, "1 or more"),
        ({"low": [0.0, np.nan]}, "low must be finite"),
        ({"low": [0.0, 9.0]}, "low must not be above high; got 9 and 2 for 'b'"),
        ({"p_values": [0.1]}, "p_values must hold"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(arguments, message):
    numbers = {"labels": ["a", "b"], "differences": [1.0, 1.0], "low": [0.0, 0.0], "high": [2.0, 2.0]}
    with pytest.raises(ValueError, match=message):
        IntervalDisplay(**{**numbers, **arguments}).plot(ax=Figure().subplots())


def test_without_matplotlib_the_intervals_name_the_extra(monkeypatch):
    imported = builtins.__import__

    def without(name, *more, **options):
        if name.split(".")[0] == "matplotlib":
            raise ImportError("No module named 'matplotlib'", name="matplotlib")
        return imported(name, *more, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "sklearn-medgan\[plot\]"'):
        IntervalDisplay(["a"], [1.0], [0.0], [2.0]).plot()
