"""GANEnhancer as an estimator: determinism, copies, going on, callbacks, company."""

import copy
import pickle
import tracemalloc

import joblib
import keras
import numpy as np
import pytest
from enhancers import (
    COLOUR,
    FLOATS,
    RNG,
    STACK,
    TABLE,
    ends,
    enhancer,
    equal_fits,
    mean_psnr,
    noisy,
    smooth,
    untrained,
)
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from sklearn_medgan import GANAugmenter, load, save
from sklearn_medgan import make_pipeline as make_growing_pipeline


@pytest.mark.parametrize("rows", [STACK, TABLE], ids=["stack", "table"])
def test_same_random_state_same_bytes(rows):
    first, same, other = (enhancer(random_state=seed).fit(rows) for seed in (0, 0, 1))
    assert first.transform(rows).tobytes() == same.transform(rows).tobytes()
    assert first.sample(rows, 2).tobytes() == same.sample(rows, 2).tobytes()
    assert first.history_ == same.history_
    assert first.transform(rows.astype(float)).tobytes() != other.transform(rows.astype(float)).tobytes()


def test_random_state_instance_and_none_are_taken():
    a, b = (enhancer(random_state=np.random.RandomState(3)).fit(STACK).transform(STACK) for _ in range(2))
    assert np.array_equal(a, b)
    assert enhancer(random_state=None).fit(STACK).transform(STACK).shape == STACK.shape


SAVED = {
    "stack": lambda: (enhancer().fit(STACK), STACK),
    "flat": lambda: (enhancer(image_shape=(18, 21)).fit(STACK.reshape(10, -1)), STACK.reshape(10, -1)),
    "table": lambda: (enhancer().fit(TABLE), TABLE),
    "adversarial": lambda: (enhancer(adversarial_weight=0.01).fit(STACK), STACK),
    "toned": lambda: (enhancer(degradation={"low_contrast": (0.3, 0.5)}).fit(smooth(10)), smooth(3)),
    "enlarged": lambda: (enhancer(scale=2).fit(STACK[:, :16, :16]), STACK[:, :9, :9]),
    "fallen back": lambda: (enhancer(guard=True).fit(smooth(12)), noisy(smooth(3))),
}


@untrained
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "adversarial" else ()) for name in SAVED]
)
def test_copies_and_files_work_as_the_original(name, tmp_path):
    model, rows = SAVED[name]()
    _ = model.generator_
    joblib.dump(model, tmp_path / "joblib")
    save(model, tmp_path / "file")
    others = pickle.loads(pickle.dumps(model)), copy.deepcopy(model), joblib.load(tmp_path / "joblib")
    for other in (*others, load(tmp_path / "file")):
        equal_fits(other, copy.deepcopy(model), rows)
    restored = load(tmp_path / "file").generator_
    for ours, theirs in zip(restored.get_weights(), model.generator_.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


def test_clone_is_unfitted_and_learns_the_same(on_stack):
    twin = clone(on_stack)
    assert not hasattr(twin, "history_")
    equal_fits(twin.fit(STACK), enhancer().fit(STACK), STACK)


def test_restored_enhancer_goes_on_training(on_stack, tmp_path):
    save(on_stack, tmp_path / "file")
    here, there = load(tmp_path / "file"), copy.deepcopy(on_stack)
    for model in (here, there):
        model.set_params(warm_start=True).fit(STACK)
        assert model.n_iter_ == 8
        assert model.history_["step"] == [4, 8]
    assert np.array_equal(here.transform(STACK), there.transform(STACK))
    assert not np.array_equal(here.transform(STACK), on_stack.transform(STACK))


def test_warm_start_keeps_the_scale_and_takes_other_sizes(on_stack):
    model = copy.deepcopy(on_stack).set_params(warm_start=True, random_state=5)
    model.fit(RNG.randint(0, 90, (5, 30, 16)).astype(np.uint8))
    assert model.n_iter_ == 8
    assert (model._restoration.codec.low, model._restoration.codec.high) == (STACK.min(), STACK.max())


def test_with_eight_views_a_turned_image_is_restored_as_it_was_before_turned(on_stack):
    images = 255 * np.random.RandomState(5).rand(2, 16, 24)  # sides that 8 divides: nothing is padded
    model = copy.deepcopy(on_stack).set_params(n_views=8)
    for turned in (lambda x: np.rot90(x, 1, (1, 2)), lambda x: x[:, ::-1]):
        np.testing.assert_allclose(model.transform(turned(images)), turned(model.transform(images)), atol=1e-3)
    assert np.abs(on_stack.transform(images[:, ::-1]) - on_stack.transform(images)[:, ::-1]).max() > 0.01


def test_warm_start_takes_another_tile_size(on_stack):
    model = copy.deepcopy(on_stack).set_params(warm_start=True, tile_size=1024).fit(STACK)
    assert (on_stack._restoration.tile, model._restoration.tile) == (512, 1024)
    same = copy.deepcopy(on_stack).set_params(warm_start=True).fit(STACK)
    assert np.array_equal(model.transform(STACK), same.transform(STACK))  # and nothing else


def test_warm_start_refuses_another_scale(on_stack):
    with pytest.raises(ValueError, match="warm_start"):
        copy.deepcopy(on_stack).set_params(warm_start=True, scale=2).fit(STACK)


@untrained
@pytest.mark.parametrize("kind", ["stack", "float", "table"])
def test_file_holds_no_training_pixels(kind, tmp_path):
    rows = {"stack": STACK, "float": FLOATS.astype(np.float32), "table": TABLE}[kind]
    model = enhancer(guard=True).fit(rows, np.arange(len(rows)) % 2)
    save(model, tmp_path / "file")
    for content in ((tmp_path / "file").read_bytes(), pickle.dumps(model)):
        for dtype in {rows.dtype, np.dtype(np.float32), np.dtype(np.float64)}:
            for row in rows.astype(dtype):
                line = row if kind == "table" else row[9]
                assert line.tobytes() not in content
    assert not any(isinstance(value, np.ndarray) and value.size >= rows[0].size for value in vars(model).values())


def test_paired_training_learns_the_pairing():
    """Poor images show a chequered pattern, as no degradation of ours does."""
    good = smooth(12)
    chequered = 0.3 * (-1.0) ** np.add.outer(np.arange(24), np.arange(24))
    poor = (good + chequered).astype(np.float32)
    before = mean_psnr(poor, good)
    model = enhancer(max_iter=100, learning_rate=0.01).fit(poor, target=good)
    assert model.score(poor, target=good) > before + 3
    restored, peak = model.transform(poor), np.ptp(ends(good))
    assert model.score(poor, target=good) == pytest.approx(mean_psnr(restored, good, peak), abs=0.01)


def test_targets_are_paired_by_row():
    good = smooth(8)
    same = enhancer().fit(good, target=good)
    assert not np.array_equal(
        same.transform(good), enhancer().fit(good, target=good[::-1]).transform(good)
    )  # the order counts


def test_scale_of_pairs_is_that_of_the_target_and_two_units_are_told():
    good = 1000 * smooth(6)
    with pytest.warns(UserWarning, match=r"values from 200 to 916.*; these range from 0\.2 to 0\.96") as caught:
        model = enhancer().fit(smooth(6), target=good)
    assert caught[0].filename == __file__
    assert model._restoration.codec.high == pytest.approx(ends(good)[1])


def test_max_time_ends_training():
    model = enhancer(max_iter=10**6, max_time=1e-9).fit(STACK)
    assert 0 < model.n_iter_ <= 10
    assert model.transform(STACK).shape == STACK.shape


def test_verbose_shows_progress(capsys):
    enhancer(max_iter=12, verbose=1).fit(STACK)
    shown = capsys.readouterr().err
    assert "12/12" in shown
    assert "fidelity_loss" in shown
    enhancer(max_iter=12).fit(STACK)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_progress_shows_adversarial_losses_where_there_is_an_adversary(capsys, weight):
    model = enhancer(max_iter=10**6, max_time=1e-9, verbose=1, adversarial_weight=weight).fit(STACK)
    shown = capsys.readouterr().err
    for name in ("generator_loss", "discriminator_loss", "penalty"):
        assert (name in shown) == (weight > 0)
        assert name in model.history_
    assert f"{model.n_iter_}/{model.n_iter_}" in shown  # the time limit, not max_iter


def test_history_has_an_entry_every_ten_steps_and_at_the_end():
    model = enhancer(max_iter=25).fit(STACK)
    assert model.history_["step"] == [10, 20, 25]
    assert model.n_iter_ == 25
    assert {"fidelity_loss", "spread_loss", "psnr", "gain", "discriminator_loss"} < set(model.history_)
    assert all(len(values) == 3 and np.isfinite(values).all() for values in model.history_.values())


class Stop(keras.callbacks.Callback):
    """Acts after some entries of the history."""

    def __init__(self, patience=None, error=None):
        super().__init__()
        self.patience, self.error, self.told = patience, error, []

    def on_epoch_end(self, epoch, logs=None):
        self.told.append(dict(logs))
        self.weights = self.model.generator.get_weights()
        if self.patience is not None and epoch + 1 >= self.patience:
            if self.error:
                raise self.error
            self.model.stop_training = True


weights = pytest.mark.parametrize(
    "weight",
    [
        0.0,
        0.01,
    ],
)


@weights
def test_callbacks_are_told_and_see_the_averaged_network(weight):
    callback = Stop()
    model = enhancer(max_iter=25, callbacks=[callback], adversarial_weight=weight).fit(STACK)
    assert [logs["psnr"] for logs in callback.told] == model.history_["psnr"]
    assert [logs["loss"] for logs in callback.told] == model.history_["fidelity_loss"]
    for ours, theirs in zip(callback.weights, model.generator_.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


@weights
def test_callback_stops_training(weight):
    assert enhancer(max_iter=50, callbacks=[Stop(2)], adversarial_weight=weight).fit(STACK).n_iter_ == 20


@weights
def test_interruption_keeps_what_was_learned(weight):
    model = enhancer(max_iter=50, callbacks=[Stop(2, KeyboardInterrupt())], adversarial_weight=weight)
    with pytest.warns(ConvergenceWarning, match="interrupted at step 20") as caught:
        model.fit(STACK)
    assert caught[0].filename == __file__
    assert model.n_iter_ == 20
    assert model.transform(STACK).shape == STACK.shape
    assert len(model.sample(STACK, 2)) == 2


@weights
def test_error_in_a_callback_comes_out_and_the_estimator_stays_unfitted(weight):
    model = enhancer(max_iter=50, callbacks=[Stop(1, RuntimeError("mine"))], adversarial_weight=weight)
    with pytest.raises(RuntimeError, match="mine"):
        model.fit(STACK)
    assert not [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]


def test_interruption_outside_training_leaves_the_earlier_fit(monkeypatch):
    model = enhancer().fit(STACK)
    before = model.transform(STACK)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_medgan.enhancement._enhancer.warn_of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(random_state=1).fit(STACK)
    assert np.array_equal(model.transform(STACK), before)


def test_adversary_is_there_if_asked_for(on_stack):
    model = enhancer(adversarial_weight=0.01).fit(STACK)
    assert isinstance(model.discriminator_, keras.Model)
    assert on_stack.discriminator_ is None
    assert np.isfinite(model.history_["discriminator_loss"]).all()
    assert min(model.history_["discriminator_loss"]) > 0
    for fit in (model, on_stack):
        restored, log_spread = fit.generator_(np.zeros((1, 16, 24, 1), np.float32))
        assert tuple(restored.shape) == tuple(log_spread.shape) == (1, 16, 24, 1)


def test_public_network_is_the_one_that_transforms(on_floats):
    X = RNG.uniform(size=(2, 16, 24))
    low, span = ends(FLOATS)[0], np.ptp(ends(FLOATS))
    restored, _ = on_floats.generator_(((X - low) / span)[..., None].astype(np.float32))
    np.testing.assert_allclose(on_floats.transform(X), restored[..., 0] * span + low, atol=1e-5)


def test_network_learns_to_remove_noise():
    X = smooth(20, 32)
    model = enhancer(max_iter=200, learning_rate=0.01, degradation={"noise": 0.15}).fit(X)
    good = smooth(6, 32, seed=9)
    poor = noisy(good, 0.15, seed=9)
    assert mean_psnr(model.transform(poor), good) > mean_psnr(poor, good) + 3


def test_labels_that_are_no_classes_change_nothing(on_floats):
    for y in (np.linspace(0, 1, 10), RNG.normal(size=(10, 2)), None):
        assert np.array_equal(enhancer().fit(FLOATS, y).transform(FLOATS), on_floats.transform(FLOATS))


@pytest.mark.parametrize("labels", [["no", "yes"], [3, 7], [False, True]], ids=str)
def test_labels_of_any_kind_are_taken(labels):
    y = np.array(labels)[np.arange(10) % 2]
    assert np.array_equal(
        enhancer().fit(FLOATS, y).transform(FLOATS), enhancer().fit(FLOATS, y.tolist()).transform(FLOATS)
    )


def test_without_guard_the_network_is_used_and_nothing_is_said(on_floats):
    assert on_floats.guard_report_["chosen"] == "network"


@untrained
def test_ahead_of_a_classifier():
    X = smooth(24, 16).reshape(24, -1)
    y = np.arange(24) % 2
    X[y == 1] *= 0.5
    pipe = make_pipeline(enhancer(image_shape=(16, 16), guard=True), LogisticRegression()).fit(X, y)
    assert pipe.score(X, y) > 0.9
    scores = cross_validate(pipe, X, y, cv=2, n_jobs=1, error_score="raise")
    assert np.isfinite(scores["test_score"]).all()


@pytest.mark.slow
def test_ahead_of_the_augmenter():
    X, y = STACK, np.arange(10) % 2
    augmenter = GANAugmenter(backbone=None, max_iter=1, batch_size=4, width=4, latent_dim=4, random_state=0)
    for make in (make_pipeline, make_growing_pipeline):
        pipe = make(enhancer(), clone(augmenter), LogisticRegression(max_iter=2000)).fit(X, y)
        assert pipe.predict(X).shape == (10,)


def test_grid_search_over_a_parameter():
    X = smooth(12)
    search = GridSearchCV(enhancer(degradation={"noise": 0.1}), {"learning_rate": [1e-3, 1e30]}, cv=2)
    with pytest.warns() as caught:
        search.fit(X)
    assert "diverged" in str(next(warning.message for warning in caught if warning.category is FitFailedWarning))
    assert np.isfinite(search.cv_results_["mean_test_score"]).tolist() == [True, False]
    assert np.isfinite(search.best_estimator_.score(X))


def test_fit_transform_is_fit_and_transform(on_floats):
    assert np.array_equal(enhancer().fit_transform(FLOATS), on_floats.transform(FLOATS))


def test_failed_fit_leaves_the_earlier_one_intact():
    model = enhancer().fit(STACK)
    before, expected = dict(vars(model)), model.transform(STACK)

    def broken(images, rng):
        raise RuntimeError("in the midst of training")

    for change, rows, target in (
        ({}, STACK[:1], None),
        ({}, COLOUR * np.nan, None),
        ({}, TABLE, TABLE[:3]),
        ({}, STACK, COLOUR),
        ({"degradation": "nose"}, STACK, None),
        ({"degradation": broken}, COLOUR, None),
        ({"patch_size": 20}, STACK, None),
    ):
        with pytest.raises((ValueError, TypeError, RuntimeError)):
            model.set_params(**change).fit(rows, target=target)
        model.set_params(**enhancer().get_params())
        assert vars(model).keys() == before.keys()
        assert all(vars(model)[name] is value for name, value in before.items() if name.endswith("_"))
    assert np.array_equal(model.transform(STACK), expected)


def test_second_fit_forgets_the_first():
    model = enhancer().fit(TABLE).fit(STACK)
    equal_fits(model, enhancer().fit(STACK), STACK)


@pytest.mark.parametrize(("step", "n"), [pytest.param("fit", 3000, marks=pytest.mark.slow), ("transform", 800)])
def test_peak_of_memory_is_about_one_float_copy_of_the_rows(step, n):
    """X is neither copied nor encoded as a whole; calibration takes 45 MB, however many rows there are."""
    X = np.frombuffer(np.random.RandomState(0).bytes(n * 64 * 64), np.uint8).reshape(n, 64, 64)
    model = enhancer(max_iter=1).fit(X[:20])  # imports, compiles
    tracemalloc.start()
    getattr(model, step)(X)
    peak = tracemalloc.get_traced_memory()[1] / (4 * X.nbytes)
    tracemalloc.stop()
    assert peak < 1.3
