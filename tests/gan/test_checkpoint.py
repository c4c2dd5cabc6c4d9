"""A training that is killed and begun again: equal bits, another training refused, damage told."""

import os
import signal
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.svm import SVC

from sklearn_medgan import AugmentedClassifier, GANAugmenter, GANEnhancer, load, save
from sklearn_medgan.datasets import make_nodules
from sklearn_medgan.gan import checkpoint, loop

X, y = make_nodules(24, image_size=16, random_state=0, return_X_y=True)
AUGMENTER = GANAugmenter(max_iter=30, width=8, batch_size=8, n_patches=0, backbone=None, random_state=0)
ENHANCER = GANEnhancer(
    degradation="noise", max_iter=30, width=8, depth=2, guard=False, pretrained=False, random_state=0
)
FITS = {"augmenter": (AUGMENTER, (X, y)), "enhancer": (ENHANCER, (X,))}


class Killed(BaseException):
    """Stands for the end of the process: nothing of the package catches it."""


@pytest.fixture(params=FITS)
def fit(request):
    estimator, data = FITS[request.param]
    return clone(estimator), data


def fitted(estimator, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(*data)


def killed_after(n_writes, estimator, data, monkeypatch):
    """Fit until so many states are written."""
    write, written = checkpoint.Checkpoint._write, []

    def write_and_die(self, saved):
        write(self, saved)
        written.append(saved.done)
        if len(written) == n_writes:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "SHARE", 1e9)  # write after every interval
        patch.setattr(checkpoint.Checkpoint, "_write", write_and_die)
        with pytest.raises(Killed):
            fitted(estimator, data)
    return written


def test_a_fit_killed_and_begun_again_has_the_bits_of_one_that_ran_through(fit, tmp_path, monkeypatch):
    estimator, data = fit
    whole = fitted(clone(estimator), data)
    assert killed_after(2, estimator.set_params(checkpoint_dir=tmp_path), data, monkeypatch) == [10, 20]
    assert not hasattr(estimator, "history_")
    taken, advance = [], loop._Training._take_interval
    monkeypatch.setattr(loop._Training, "_take_interval", lambda *args: taken.append(args[2]) or advance(*args))
    again = fitted(estimator, data)
    assert taken == [10]  # the last third alone
    assert again.history_ == whole.history_
    np.testing.assert_array_equal(again.transform(X), whole.transform(X))


@pytest.mark.parametrize("writes", [[0], [0, 10], [0, 10, 20]], ids=str)
def test_a_training_that_went_back_is_gone_on_with(fit, writes, tmp_path, monkeypatch):
    take = loop._Training._take_interval

    def diverge_at_once(self, *args):
        return ("divergence", {}) if self.went_back_at is None else take(self, *args)

    monkeypatch.setattr(loop._Training, "_take_interval", diverge_at_once)
    estimator, data = fit
    whole = fitted(clone(estimator), data)
    assert killed_after(len(writes), estimator.set_params(checkpoint_dir=tmp_path), data, monkeypatch) == writes
    again = fitted(estimator, data)
    assert again.history_ == whole.history_
    np.testing.assert_array_equal(again.transform(X), whole.transform(X))


def test_a_finished_fit_is_taken_up_at_once_and_gives_way_to_another(fit, tmp_path, monkeypatch):
    estimator, data = fit
    first = fitted(estimator.set_params(checkpoint_dir=tmp_path), data).transform(X)
    monkeypatch.setattr(loop._Training, "_take_interval", lambda *args: pytest.fail("a step was taken"))
    np.testing.assert_array_equal(fitted(clone(estimator), data).transform(X), first)
    monkeypatch.undo()
    other = fitted(clone(estimator).set_params(random_state=1), data)
    assert not np.array_equal(other.transform(X), first)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_iter": 40}, "max_iter=30 there, 40 here"),
        ({"batch_size": 4}, "batch_size=8 there, 4 here"),
        ({}, "other rows"),
    ],
)
def test_another_training_is_refused_while_one_is_unfinished(fit, change, message, tmp_path, monkeypatch):
    estimator, data = fit
    killed_after(1, estimator.set_params(checkpoint_dir=tmp_path), data, monkeypatch)
    if not change:
        data = (X[::-1].copy(), *data[1:])
    with pytest.raises(ValueError, match=f"cut short after 10 steps.*{message}"):
        fitted(estimator.set_params(**change), data)


@pytest.mark.parametrize("damage", ["cut", "flip", "text"])
def test_a_damaged_file_is_told(damage, tmp_path, monkeypatch):
    killed_after(1, clone(AUGMENTER).set_params(checkpoint_dir=tmp_path), (X, y), monkeypatch)
    file = tmp_path / checkpoint.FILE
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes({"cut": content[: len(content) // 2], "flip": content, "text": b"nothing"}[damage])
    with pytest.raises(ValueError, match=r"damaged.*Remove it to begin again"):
        fitted(clone(AUGMENTER).set_params(checkpoint_dir=tmp_path), (X, y))


def test_a_seed_is_needed(tmp_path):
    with pytest.raises(ValueError, match="Set random_state to an integer"):
        clone(AUGMENTER).set_params(checkpoint_dir=tmp_path, random_state=None).fit(X, y)


def test_the_file_holds_networks_alone(tmp_path):
    fitted(clone(AUGMENTER).set_params(checkpoint_dir=tmp_path), (X, y))
    n_weights = sum(len(player.weights) for player in fitted(clone(AUGMENTER), (X, y))._state[:2])
    with np.load(tmp_path / checkpoint.FILE) as archive:
        assert sum(archive[name].size for name in archive if name != "header") == 4 * n_weights + 3
        header = bytes(archive["header"])
    assert sorted(os.listdir(tmp_path)) == [checkpoint.FILE]
    assert len(header) < 5000
    lines = [str(line.tolist())[1:-1].encode() for line in X.reshape(-1, X.shape[-1])]  # as JSON would have them
    assert not any(line in header for line in lines)


def test_a_saved_model_does_not_say_where_it_was_trained(tmp_path):
    save(fitted(clone(AUGMENTER).set_params(checkpoint_dir=tmp_path / "the folder"), (X, y)), tmp_path / "file")
    assert load(tmp_path / "file").checkpoint_dir is None
    assert b"the folder" not in (tmp_path / "file").read_bytes()


def test_inner_folds_have_files_of_their_own(tmp_path, monkeypatch):
    def classifier(**params):
        augmenter = clone(AUGMENTER).set_params(max_iter=10, **params)
        return AugmentedClassifier(SVC(), augmenter, dose="cv", cv=2, random_state=0)

    whole = fitted(classifier(), (X, y))
    interrupted = classifier(checkpoint_dir=tmp_path)
    killed_after(2, interrupted, (X, y), monkeypatch)  # in the second fold
    assert sorted(os.listdir(tmp_path)) == ["fold_0", "fold_1"]
    again = fitted(interrupted, (X, y))
    assert again.dose_ == whole.dose_
    np.testing.assert_array_equal(again.decision_function(X), whole.decision_function(X))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_a_process_that_is_killed_leaves_what_another_goes_on_from(tmp_path):
    code = f"""
        import os, signal, sys
        import numpy as np
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from sklearn.base import clone
        from test_checkpoint import AUGMENTER, X, y
        from sklearn_medgan.gan import checkpoint
        checkpoint.SHARE = 1e9
        replace = os.replace
        def die(*args):
            if sys.argv[1] == "die" and die.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            die.left -= 1
            replace(*args)
        die.left = 2
        os.replace = die
        fit = clone(AUGMENTER).set_params(checkpoint_dir={str(tmp_path)!r}).fit(X, y)
        np.save({str(tmp_path / "found.npy")!r}, fit.transform(X))
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    assert subprocess.run([*command, "die"], check=False).returncode == -signal.SIGKILL
    assert sorted(os.listdir(tmp_path)) == ["training.npz", "training.part"]
    subprocess.run([*command, "live"], check=True)
    whole = fitted(clone(AUGMENTER), (X, y)).transform(X)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), whole)
