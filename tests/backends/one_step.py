"""One step of each training, from draws that do not depend on the backend: ``python one_step.py OUT.npz``."""

import sys

import numpy as np

SHAPE = (12, 9, 2)


def same_draws(backend):
    """Replace keyed random numbers by those of NumPy: one set a shape."""
    from keras import ops

    def uniform(key, shape, low, high, dtype):
        return ops.convert_to_tensor(np.random.RandomState(len(shape)).uniform(low, high, shape), "float32")

    def normal(key, shape, dtype):
        return ops.convert_to_tensor(np.random.RandomState(9).normal(size=shape), "float32")

    backend.uniform, backend.normal = uniform, normal
    backend.fold_in, backend.split_key = lambda key, number: key, lambda key, n: [key] * n


def gan_steps():
    """Name -> (state, metrics) after one step of a GAN."""
    from sklearn_medgan.gan.loop import Run
    from sklearn_medgan.gan.training import Configuration, Data, Hyper, compiled_program, train

    small = {"latent_dim": 4, "width": 4, "batch_size": 8}
    moves = ("shift", "flip", "contrast", "cutout")
    configs = {
        "table": Configuration("dense", (5,), 2, "hinge", **small),
        "images": Configuration("conv", SHAPE, 2, augment=moves, class_steps=2, **small),
        "classic": Configuration("dcgan", SHAPE, 2, "minimax", beta_1=0.5, penalised=False, **small),
    }
    hyper = Hyper(1e-3, 0.1, 0.2, 0.8, 1.0, 0.99)
    for name, config in configs.items():
        rng = np.random.RandomState(5)
        rows, labels = rng.normal(size=(20, *config.shape)), np.eye(2)[np.arange(20) % 2]
        data = Data(*(np.asarray(part, np.float32) for part in (rows, labels, np.arange(1, 21) / 20)))
        program = compiled_program(config)
        outcome = train(program, program.initial_state(rng), data, hyper, 3, Run(1))
        yield name, outcome


def restorer_steps():
    """Name -> (state, metrics) after one step of a restorer."""
    from sklearn_medgan.gan import restoration
    from sklearn_medgan.gan.loop import Run
    from sklearn_medgan.gan.restoration import RestorerConfiguration, compiled_restorer, train_restorer

    restoration.ADVERSARIAL_FROM = 0.0  # the restorer hears the adversary from the first step on

    class Pairs:
        def draw(self, n):
            good = np.random.RandomState(2).uniform(size=(n, *config.shape)).astype(np.float32)
            return good + np.random.RandomState(3).normal(0, 0.2, good.shape).astype(np.float32), good

    for name, config in {
        "rows": RestorerConfiguration((5,), 4, 2, 4),
        "restorer": RestorerConfiguration((16, 16, 2), 4, 4, 4, adversarial=True),
    }.items():
        program = compiled_restorer(config)
        state = program.initial_state(np.random.RandomState(4))
        pairs = Pairs()
        outcome = train_restorer(program, state, pairs.draw, 1e-3, 0.1, Run(1))
        weights, rows = outcome.state.generator.weights, pairs.draw(3)[0]
        yield name, outcome
        yield f"{name} used", program.restore_with_spread(weights, rows)


def arrays(result):
    """Name -> array of an outcome, or of outputs."""
    from keras import ops

    if not hasattr(result, "state"):
        return {str(i): ops.convert_to_numpy(part) for i, part in enumerate(result)}
    players = {"generator": result.state.generator, "discriminator": result.state.discriminator}
    found = {f"{name}.{part}": value for name, player in players.items() for part, value in player._asdict().items()}
    return {**found, **{name: np.float32(values[-1]) for name, values in result.history.items()}}


def main(path):
    """Write the arrays of all results."""
    from sklearn_medgan.gan.backends import backend

    same_draws(backend)
    steps = [*gan_steps(), *restorer_steps()]
    np.savez(path, **{f"{name}/{part}": value for name, step in steps for part, value in arrays(step).items()})


if __name__ == "__main__":
    main(sys.argv[1])
