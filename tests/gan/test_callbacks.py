"""Keras callbacks: what they are told, what they may change, what is left of a fit in them."""

import copy
import os
import pickle
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.base import clone
from small_fits import Stop, X, fit, fit_enhancer

from sklearn_medgan.gan.training import METRICS


def test_callbacks_are_told_of_every_entry_and_see_the_averaged_networks():
    callback = Stop()
    gan = fit(callbacks=[callback])
    assert callback.calls == ["begin", "end"]
    assert [epoch for epoch, _ in callback.told] == [0, 1, 2]
    for name in METRICS:
        assert [logs[name] for _, logs in callback.told] == gan.history_[name]
    for ours, theirs in zip(callback.weights, gan.generator_.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


def test_callbacks_do_not_change_what_is_learned():
    assert np.array_equal(fit(callbacks=[Stop()]).transform(X), fit().transform(X))


def test_callback_stops_training():
    assert fit(callbacks=[Stop(2)]).n_iter_ == 20


def test_keras_early_stopping_works():
    never_better = keras.callbacks.EarlyStopping("loss", min_delta=1e9, patience=1)
    gan = fit(callbacks=[never_better], max_iter=100)
    assert 0 < gan.n_iter_ < 100


def test_error_in_a_callback_comes_out():
    with pytest.raises(RuntimeError, match="mine"):
        fit(callbacks=[Stop(1, RuntimeError("mine"))])


# Keras 3.15 reads its variables in a way that NumPy 2 is about to forbid.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
FITS = {"augmenter": fit, "enhancer": fit_enhancer}
MONITORED = {"augmenter": "class_loss", "enhancer": "fidelity_loss"}
by_estimator = pytest.mark.parametrize("kind", FITS)


def of_keras(folder, monitor):
    """Keras's own callbacks by name."""
    best, c = {"monitor": monitor, "mode": "min"}, keras.callbacks
    return {
        "EarlyStopping": c.EarlyStopping(**best, patience=50, restore_best_weights=True),
        "CSVLogger": c.CSVLogger(folder / "log.csv"),
        "TensorBoard": c.TensorBoard(folder / "board", histogram_freq=1),
        "ModelCheckpoint": c.ModelCheckpoint(folder / "best.keras", **best, save_best_only=True),
        "ModelCheckpoint of weights": c.ModelCheckpoint(folder / "last.weights.h5", save_weights_only=True),
        "BackupAndRestore": c.BackupAndRestore(folder / "backup"),
        "ReduceLROnPlateau": c.ReduceLROnPlateau(**best, patience=1, min_delta=100),
        "LearningRateScheduler": c.LearningRateScheduler(halved),
        "TerminateOnNaN": c.TerminateOnNaN(),
        "History": c.History(),
        "ProgbarLogger": c.ProgbarLogger(),
        "LambdaCallback": c.LambdaCallback(on_epoch_end=print),
    }


def halved(epoch, rate):
    return rate / 2 if epoch else rate


@pytest.mark.slow
@by_estimator
@pytest.mark.parametrize("name", of_keras(Path(), "loss"))
def test_callbacks_of_keras_work_and_carry_nothing_away(kind, name, tmp_path):
    if name == "TensorBoard":
        pytest.importorskip("tensorboard")
    callback = of_keras(tmp_path, MONITORED[kind])[name]
    model = FITS[kind](callbacks=[callback])
    assert model.n_iter_ == 30
    assert callback.model is None
    again = pickle.loads(pickle.dumps(model))
    copies = [other.callbacks[0] for other in (clone(model), copy.deepcopy(model), again)]
    assert {type(other) for other in copies} == {type(callback)}
    assert np.array_equal(again.transform(X), model.transform(X))
    if name == "CSVLogger":
        assert len((tmp_path / "log.csv").read_text().splitlines()) == 4
    if name == "ModelCheckpoint":
        assert keras.saving.load_model(tmp_path / "best.keras").get_layer("generator").count_params()
    if name == "History":
        assert callback.history[MONITORED[kind]] == model.history_[MONITORED[kind]]


class Error(keras.callbacks.EarlyStopping):
    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        raise RuntimeError("mine")


def test_nothing_of_a_fit_that_failed_is_left():
    callback = Error(monitor="loss")
    with pytest.raises(RuntimeError, match="mine"):
        fit(callbacks=[callback])
    assert callback.model is None
    pickle.dumps(callback)


class Note(keras.callbacks.Callback):
    """Notes averaged weights and learning rate after each entry, and writes where asked to."""

    def __init__(self, write=None):
        super().__init__()
        self.write, self.weights, self.rates = write, [], []

    def on_epoch_end(self, epoch, logs=None):
        assert self.model.built
        assert self.model.compiled
        self.weights.append(self.model.generator.get_weights())
        logs["n_seen"] = float(len(self.weights))  # for callbacks after this one
        self.rates.append(float(self.model.optimizer.learning_rate))
        if self.write:
            self.write(self.model, epoch)


@by_estimator
def test_early_stopping_restores_the_best_weights(kind):
    """Each entry is worse than the one before, so that the first is the best."""
    note = Note()
    rising = keras.callbacks.EarlyStopping("n_seen", mode="min", restore_best_weights=True, patience=2)
    model = FITS[kind](callbacks=[note, rising], max_iter=100)
    assert model.n_iter_ == 30
    for ours, theirs in zip(model.generator_.get_weights(), note.weights[0], strict=True):
        assert np.array_equal(ours, theirs)


@by_estimator
def test_weights_that_a_callback_writes_count(kind):
    def nothing(model, epoch):
        model.generator.set_weights([0 * w for w in model.generator.get_weights()])

    model = FITS[kind](callbacks=[Note(nothing)], max_iter=20)
    weights = model._state.generator.weights
    assert not weights.any()  # written after the last step, too


@by_estimator
def test_learning_rate_that_a_callback_writes_counts(kind):
    def stand_still(model, epoch):
        model.optimizer.learning_rate = 0.0

    note = Note(stand_still)
    once, more = FITS[kind](callbacks=[note], max_iter=30), FITS[kind](callbacks=[Note()], max_iter=30)
    assert note.rates[0] > 0
    assert note.rates[1:] == [0.0, 0.0]
    assert not np.array_equal(once._state.generator.weights, more._state.generator.weights)


def test_backup_is_taken_up_again(tmp_path):
    """A training that broke off after 20 of 30 steps goes on with the weights that it had."""
    folder = tmp_path / "backup"
    backup = keras.callbacks.BackupAndRestore(folder)
    with pytest.raises(RuntimeError):
        fit(callbacks=[backup, Stop(2, RuntimeError())])
    again = Stop()
    gan = fit(callbacks=[keras.callbacks.BackupAndRestore(folder), again])
    assert [epoch for epoch, _ in again.told] == [2]
    assert gan.history_["step"] == [10]


def chooses_by(monitor, folder):
    """Callbacks that choose by a metric."""
    c = keras.callbacks
    checkpoint = c.ModelCheckpoint(folder / "best.keras", monitor=monitor, save_best_only=True)
    return [c.EarlyStopping(monitor), c.ReduceLROnPlateau(monitor), checkpoint]


@by_estimator
@pytest.mark.parametrize("n", range(3))
def test_a_callback_that_would_do_nothing_says_so(kind, n, tmp_path):
    with pytest.raises(ValueError, match=rf"of 'val_loss', which the training.*one of loss.*{MONITORED[kind]}"):
        FITS[kind](callbacks=[chooses_by("val_loss", tmp_path)[n]])


def run_of_wandb(folder, monitor):
    wandb = pytest.importorskip("wandb")
    from wandb.integration.keras import WandbMetricsLogger, WandbModelCheckpoint

    wandb.init(mode="offline", dir=folder, project="test")
    best = {"monitor": monitor, "mode": "min", "save_best_only": True}
    return [WandbMetricsLogger(), WandbModelCheckpoint(folder / "best.keras", **best)], wandb.finish


def run_of_mlflow(folder, monitor):
    mlflow = pytest.importorskip("mlflow")
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    mlflow.set_tracking_uri(f"file:{folder}")
    mlflow.set_experiment("fits")
    return [mlflow.keras.MlflowCallback(mlflow.start_run())], mlflow.end_run


@pytest.mark.filterwarnings("ignore")  # of the packages
@by_estimator
@pytest.mark.parametrize("run", [run_of_wandb, run_of_mlflow])
def test_callbacks_that_keep_track_of_runs(kind, run, tmp_path):
    callbacks, finish = run(tmp_path, MONITORED[kind])
    model = FITS[kind](callbacks=callbacks)
    finish()
    assert any(MONITORED[kind] in file.name or file.suffix in (".keras", ".wandb") for file in tmp_path.rglob("*"))
    assert np.array_equal(pickle.loads(pickle.dumps(model)).transform(X), model.transform(X))


def test_what_is_no_callback_is_refused():
    with pytest.raises(TypeError, match=r"keras\.callbacks\.Callback objects; it holds 'early'"):
        fit(callbacks=["early"])


@by_estimator
def test_a_missing_tensorboard_is_told_before_the_training(kind, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"callbacks holds a TensorBoard.*pip install tensorboard"):
        FITS[kind](callbacks=[keras.callbacks.TensorBoard(tmp_path)])
