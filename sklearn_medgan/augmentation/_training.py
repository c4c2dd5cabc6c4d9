"""The training of an augmenter's GAN: rows to tensors, the run, and what is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state

from .._base import warn_caller
from ._canvas import EncodedRows
from ._configuration import starts_from_others
from ._convergence import advice_on
from ._enlargement import learn_detail
from ._labels import drawing_probabilities
from ._mixture import Mixture

FEWEST_IMAGES = 40  # that detail is learned from: of 20 it fits their own detail better than that of others

if TYPE_CHECKING:
    from ..gan.state import State
    from ..gan.training import Data, GANProgram, Hyper


def training_data(encoded: np.ndarray | EncodedRows, labels: np.ndarray) -> Data:
    """Return encoded rows, the first of them with one-hot `labels`: as tensors, where they are in memory."""
    from keras import ops

    from ..gan.training import Data

    labels = np.concatenate([labels, np.zeros((len(encoded) - len(labels), labels.shape[1]), np.float32)])
    data = Data(encoded, labels, drawing_probabilities(labels))
    return data if isinstance(encoded, EncodedRows) else Data(*map(ops.convert_to_tensor, data))


def choose_detail(augmenter: Any, parts: Sequence[np.ndarray], goes_on: bool) -> dict[str, Any]:
    """Return what `enlarge` needs to know of the training images; nothing where they are seen at their own size."""
    canvas = augmenter._canvas
    if goes_on and augmenter._detail:
        return augmenter._detail
    if canvas.is_whole or augmenter.adversarial_weight == 0 or sum(map(len, parts)) < FEWEST_IMAGES:
        return {}
    rng = check_random_state(augmenter.random_state)
    return learn_detail(canvas.whole(parts), canvas.shape[:2], rng)


def starting_state(augmenter: Any, program: GANProgram, rng: np.random.RandomState) -> State:
    """Return networks drawn at random or, where the augmenter asks for them and they fit, those that ship."""
    from ..gan.pretrained import gan_state

    drawn = program.initial_state(rng)
    wanted = starts_from_others(augmenter, program.config.architecture, program.config.shape)
    return (gan_state(program, drawn) if wanted else None) or drawn


def learn_mixture(augmenter: Any, parts: Sequence[np.ndarray], labels: np.ndarray) -> Mixture | None:
    """Return what draws the rows of a table, where the generator does not: from those with one-hot `labels`, if any."""
    is_table = augmenter._form.kind == "table"
    if not is_table or augmenter.architecture != "auto" or augmenter.adversarial_weight == 0:
        return None
    rows = parts[0] if labels.shape[1] else np.concatenate(parts)
    encoded = augmenter._canvas.codec.encode(rows)[:, : augmenter.n_features_in_]
    codes = labels.argmax(1) if labels.shape[1] else np.zeros(len(rows), int)
    return Mixture.learn(encoded, codes, np.random.RandomState(augmenter._resampling_seed))


def train_gan(augmenter: Any, data: Data, hyper: Hyper, goes_on: bool) -> None:
    from ..gan.checkpoint import Checkpoint
    from ..gan.loop import Run
    from ..gan.training import train

    rng = check_random_state(augmenter.random_state)
    seed, sampling, resampling = rng.randint(np.iinfo(np.int32).max, size=3)
    program = augmenter._program()
    history = augmenter.history_ if goes_on else {}
    state = augmenter._state if goes_on else starting_state(augmenter, program, rng)
    checkpoint = Checkpoint.of(augmenter, program, state, data.rows, data.labels)
    budget = int(augmenter.max_iter), augmenter.max_time
    run = Run(*budget, augmenter.verbose, augmenter.callbacks, history, checkpoint)
    outcome = train(program, state, data, hyper, int(seed), run)
    augmenter._keep(outcome, f"with loss={augmenter.loss!r}", "Lower learning_rate or raise penalty_weight.")
    augmenter._sampling_rng, augmenter._resampling_seed = np.random.RandomState(sampling), int(resampling)
    advice = advice_on(augmenter.history_, augmenter.n_iter_, augmenter.loss)
    if advice and augmenter.adversarial_weight > 0:
        warn_caller(f"GAN training {advice}.")
