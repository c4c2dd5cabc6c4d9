"""Train as one of two processes: ``python two_processes.py NUMBER PORT OUT``, or alone: ``python two_processes.py``.

The second ends its last training by killing itself.
"""

import faulthandler
import json
import os
import signal
import sys
import traceback
import warnings

import keras
import numpy as np
from sklearn.exceptions import ConvergenceWarning

X = np.random.RandomState(0).uniform(size=(40, 12, 9)).astype(np.float32)
y = np.arange(40) % 2
X[y == 1, 4:8, 3:6] += 1
SMALL = {"width": 4, "batch_size": 8, "max_iter": 20, "random_state": 0}
GAN = {"latent_dim": 4, "backbone": None, "n_patches": 0, **SMALL}


class Act(keras.callbacks.Callback):
    """Calls a function at the end of an entry of the history."""

    def __init__(self, entry, action):
        super().__init__()
        self.entry, self.action = entry, action

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.entry:
            self.action()


def join(number, port):
    """Become one of two processes, by what the library offers for it."""
    address = f"127.0.0.1:{port}"
    if keras.backend.backend() == "jax":
        keras.distribution.initialize(address, 2, number)
        keras.distribution.set_distribution(keras.distribution.DataParallel())
    elif keras.backend.backend() == "torch":
        from torch import distributed

        distributed.init_process_group("gloo", f"tcp://{address}", rank=number, world_size=2)
    else:
        import tensorflow as tf

        cluster = {"worker": [address, f"127.0.0.1:{port + 1}"]}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": number}})
        tf.distribute.MultiWorkerMirroredStrategy()


def estimators():
    """Name, unfitted estimator and rows."""
    from sklearn_medgan import GANAugmenter, GANEnhancer

    yield "augmenter", GANAugmenter(class_steps=2, **GAN), X
    yield "table", GANAugmenter(**GAN), X.reshape(40, -1)[:, :5]
    yield (
        "enhancer",
        GANEnhancer(degradation="noise", guard=False, depth=2, patch_size=16, adversarial_weight=0.01, **SMALL),
        X,
    )


def results():
    """Name -> array of what the same fits come to, alone or together."""
    found = {}
    for name, estimator, rows in estimators():
        estimator.fit(rows, y)
        found[f"{name} weights"] = estimator._state.generator.weights
        for metric, values in estimator.history_.items():
            found[f"{name} {metric}"] = np.array(values)
    return found


def refusal(**changed):
    """What is said of a fit that two processes cannot share."""
    from sklearn_medgan import GANAugmenter

    try:
        GANAugmenter(backbone=None, **{**SMALL, **changed}).fit(X, y)
    except ValueError as error:
        return str(error)
    return ""


def ends(number):
    """Name -> steps that a training took, and what was said, where one of the two ends it."""
    from sklearn_medgan import GANAugmenter

    def fit(action=None, **changed):
        callbacks = [Act(1, action)] if action and number == 1 else None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            steps = {"class_steps": 2, "max_iter": 10**6}  # the compiled program of the first of the `estimators`
            gan = GANAugmenter(**{**GAN, **steps, "callbacks": callbacks, **changed}).fit(X, y)
        assert np.isfinite(gan.transform(X)).all()
        assert np.isfinite(gan.sample(4)[0]).all()
        gan.generator_.count_params()
        return np.array(
            [str(gan.n_iter_), " ".join(str(w.message) for w in caught if w.category is ConvergenceWarning)]
        )

    yield "signal", fit(lambda: signal.raise_signal(signal.SIGTERM))
    yield "time", fit(max_time=1.0 if number else 1e6)
    yield "killed", fit(lambda: os.kill(os.getpid(), signal.SIGKILL))


def main(number, port, out):
    """Write what this process came to."""
    number = int(number)
    faulthandler.dump_traceback_later(280, exit=True)  # where it waits for the other
    join(number, int(port))
    found = results()
    found["dcgan"] = np.array(refusal(architecture="dcgan"))
    found["batch"] = np.array(refusal(batch_size=6))
    found["seed"] = np.array(refusal(random_state=number))
    for name, value in ends(number):
        found[name] = value
        np.savez(out, **found)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)  # whoever lost another process would wait for it at the end
