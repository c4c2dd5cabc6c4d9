"""Training that several workers share, with stand-ins for the library's: what each takes, agrees to and survives."""

import numpy as np
import pytest
from keras import ops
from sklearn.exceptions import ConvergenceWarning
from small_fits import TINY, X, fit, fit_enhancer, y

from sklearn_medgan import GANAugmenter
from sklearn_medgan.gan.augment import TRANSFORMS, augment
from sklearn_medgan.gan.backends import Workers, backend
from sklearn_medgan.gan.sharing import check_shares

pytestmark = pytest.mark.backend
IMAGES = np.random.RandomState(3).normal(size=(8, 9, 7, 2)).astype(np.float32)


class OneOfTwo(Workers):
    """A worker beside another that is not there."""

    n = 2

    def __init__(self, number):
        self.number = number

    def place(self):
        return self.number


class Process(Workers):
    """A process beside another, which answers by `reply(call, numbers)`. All are equal, to be traced once."""

    n_processes = 2

    def __eq__(self, other):
        return type(other) is Process

    def __hash__(self):
        return 0

    def lost(self, error):
        return isinstance(error, ConnectionError)

    def gather(self, numbers):
        return np.array([numbers, self.reply(numbers)], np.float32)


def beside(monkeypatch, reply):
    """Let fits share with a process that answers by ``reply(call, numbers)``."""
    calls = iter(range(1, 10**6))
    monkeypatch.setattr(Process, "reply", lambda self, numbers: reply(next(calls), numbers), raising=False)
    monkeypatch.setattr(backend, "workers", Process)


@pytest.mark.parametrize("shape", [(6,), (6, 2, 3)])
def test_every_row_is_one_workers_and_joined_stacks_are_shared_alike(shape):
    rows = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    for number in (0, 1):
        share = lambda part: ops.convert_to_numpy(OneOfTwo(number).share(ops.convert_to_tensor(part)))  # noqa: B023, E731
        assert np.array_equal(share(rows), rows[number::2])
        joined = share(np.concatenate([rows, -rows]))
        assert np.array_equal(joined, np.concatenate([share(rows), -share(rows)]))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_worker_augments_its_rows_as_one_alone_would(name):
    seed = np.array([1, 2], np.int32)
    whole = ops.convert_to_numpy(augment(ops.convert_to_tensor(IMAGES), (name,), seed))
    assert not np.allclose(whole, IMAGES)
    for number in (0, 1):
        part = ops.convert_to_tensor(IMAGES[number::2])
        found = ops.convert_to_numpy(augment(part, (name,), seed, workers=OneOfTwo(number)))
        np.testing.assert_allclose(found, whole[number::2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "halved", "step"), [(6, True, 4), (4, True, 4), (1, True, 4), (9, False, 2), (2, False, 2)]
)
def test_batches_are_shared_evenly_or_not_at_all(size, halved, step):
    with pytest.raises(ValueError, match=rf"batch_size={size} .*multiple of {step}, at least {2 * step}\.$"):
        check_shares(OneOfTwo(0), size, halved=halved)
    for fits in (2 * step, 3 * step):
        check_shares(OneOfTwo(0), fits, halved=halved)


def test_batch_normalisation_is_not_shared(monkeypatch):
    monkeypatch.setattr(backend, "workers", lambda: OneOfTwo(0))
    with pytest.raises(ValueError, match="architecture='dcgan' normalises over a batch, which 2 workers would share"):
        GANAugmenter(**TINY, architecture="dcgan", image_shape=(16, 16)).fit(np.zeros((40, 256)), y)


def test_processes_that_begin_differently_are_told(monkeypatch):
    beside(monkeypatch, lambda call, numbers: [number + (i == 1) for i, number in enumerate(numbers)])
    for begin in (fit, fit_enhancer):
        with pytest.raises(ValueError, match="began with different data, parameters or random_state"):
            begin()


def test_processes_that_begin_alike_train_as_one_does(monkeypatch):
    expected = fit().transform(X)
    beside(monkeypatch, lambda call, numbers: numbers)
    assert np.array_equal(fit().transform(X), expected)


@pytest.mark.parametrize(("place", "message"), [(3, "interrupted at step"), (0, None)])
def test_what_ends_one_process_ends_the_other(monkeypatch, place, message):
    """The last number of a look is a flag, the first the share of the time that is spent."""
    beside(monkeypatch, lambda call, numbers: [2.0 if i == place and call == 4 else n for i, n in enumerate(numbers)])
    if message is None:
        assert fit(max_iter=10**6, max_time=1e6).n_iter_ < 10
        return
    with pytest.warns(ConvergenceWarning, match=message):
        assert fit(max_iter=10**6).n_iter_ < 10


def test_any_other_error_is_raised(monkeypatch):
    def reply(call, numbers):
        if call > 6:
            raise OSError("disk full")
        return numbers

    beside(monkeypatch, reply)
    with pytest.raises(OSError, match="disk full"):
        fit()


@pytest.mark.parametrize("begin", [fit, fit_enhancer])
def test_a_lost_process_leaves_a_fitted_estimator(monkeypatch, begin):
    def reply(call, numbers):
        if call > 6:
            raise ConnectionError("Connection reset by peer\nand much more")
        return numbers

    beside(monkeypatch, reply)
    with pytest.warns(ConvergenceWarning, match=r"lost another process .* at step \d+; .*: Connection reset by peer$"):
        estimator = begin(max_iter=10**6)
    assert 0 < estimator.n_iter_ < 30
    assert len(estimator.history_["step"]) in (0, 1)
    assert np.isfinite(estimator.transform(X)).all()
    assert estimator.generator_.count_params()
