"""The module of the library in use offers what `Backend` says."""

import inspect

import keras
import numpy as np
import pytest
from keras import ops

from sklearn_medgan.gan.backends import Backend, backend, value_and_gradients

pytestmark = pytest.mark.backend


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


def test_the_module_has_every_function_with_the_arguments_that_the_protocol_names():
    assert isinstance(backend.TRACES, bool)
    for name, expected in vars(Backend).items():
        if inspect.isfunction(expected) and not name.startswith("_"):
            arguments = list(inspect.signature(expected).parameters)[1:]
            found = inspect.signature(getattr(backend, name)).parameters
            assert list(found)[: len(arguments)] == arguments or name in ("split", "spec", "fold_in"), name


def test_the_same_key_draws_the_same_and_another_key_something_else():
    key = np.array([3, 7], np.int32)
    draw = lambda key: ops.convert_to_numpy(backend.normal(key, (2000,), "float32"))  # noqa: E731
    first, second = backend.split_key(key, 2)
    keys = [key, first, second, backend.fold_in(key, 0), backend.fold_in(key, 1)]
    draws = np.stack([draw(k) for k in keys])
    assert np.array_equal(draws, np.stack([draw(k) for k in keys]))
    assert np.abs(np.corrcoef(draws) - np.eye(5)).max() < 0.1
    assert np.abs(draws.mean(1)).max() < 0.1
    np.testing.assert_allclose(draws.std(1), 1, atol=0.1)


def test_uniform_numbers_fill_their_range():
    drawn = ops.convert_to_numpy(backend.uniform(np.array([1, 2], np.int32), (3000,), -2.0, 4.0, "float32"))
    assert drawn.dtype == np.float32
    assert -2.0 <= drawn.min() < -1.9
    assert 3.9 < drawn.max() < 4.0
    np.testing.assert_allclose(drawn.mean(), 1.0, atol=0.15)


def test_pieces_of_a_vector_pass_their_gradients_on_and_an_unread_one_passes_zeros():
    flat = ops.convert_to_tensor(np.arange(7, dtype=np.float32))

    def value(flat):
        pieces = backend.split(flat, [2, 4, 1])
        return ops.sum(pieces[0] ** 2) + 3 * ops.sum(pieces[2]), tuple(pieces)

    _, pieces, (gradient,) = value_and_gradients(value, flat)
    assert [ops.convert_to_numpy(piece).tolist() for piece in pieces] == [[0, 1], [2, 3, 4, 5], [6]]
    assert ops.convert_to_numpy(gradient).tolist() == [0, 2, 0, 0, 0, 0, 3]


def test_gradients_are_those_of_the_closed_form_and_can_be_differentiated():
    x, y = ops.convert_to_tensor(np.float32([1, 2, 3])), ops.convert_to_tensor(np.float32([4, 5, 6]))

    def squared_slope(y):
        value, _, (slope, _) = value_and_gradients(lambda x, y: (ops.sum(x**3 * y), ()), x, y)
        return ops.sum(slope**2), (value,)  # slope 3 x^2 y

    value, (inner,), (gradient,) = value_and_gradients(squared_slope, y)
    np.testing.assert_allclose(number(inner), 4 + 8 * 5 + 27 * 6)
    np.testing.assert_allclose(number(value), 12**2 + 60**2 + 162**2)
    np.testing.assert_allclose(ops.convert_to_numpy(gradient), 2 * np.array([9 * 4, 144 * 5, 729 * 6]), rtol=1e-6)


def test_a_pullback_hears_the_outputs_that_it_is_given_cotangents_of():
    x, one = ops.convert_to_tensor(np.float32([1, 2])), ops.ones((), "float32")
    outputs, _, pull = backend.pullback(lambda x: ((ops.sum(x**2), ops.sum(x**3)), ()), x)
    assert [number(output) for output in outputs] == [5, 9]
    for cotangents, expected in (([one, None], [2, 4]), ([None, one], [3, 12]), ([one, 2 * one], [8, 28])):
        np.testing.assert_allclose(ops.convert_to_numpy(pull(cotangents)[0]), expected)


def test_a_loop_is_compiled_once_for_any_number_of_rounds():
    def powers(x, n):
        return backend.loop(n, lambda i, carry: (carry[0] * x, carry[1] + i), (x, ops.zeros((), "int32")))

    run = backend.compiled(powers, (backend.spec((), "float32"), backend.spec((), "int32")))
    for n in (0, 1, 5):
        value, total = run(np.float32(2), np.int32(n))
        assert (number(value), number(total)) == (2 ** (n + 1), n * (n - 1) // 2)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="only XLA is slow within a loop")
def test_one_round_is_no_loop_for_xla():
    import jax

    program = lambda n: str(jax.make_jaxpr(lambda x: backend.loop(n, lambda i, x: x * 3.0 + i, x))(2.0))  # noqa: E731
    assert "while" not in program(1)
    assert "scan" not in program(1)
    assert "scan" in program(2) or "while" in program(2)
    assert backend.loop(1, lambda i, x: x * 3.0 + i, 2.0) == 6.0


def test_blocks_of_pixels_become_channels_in_the_order_of_rows():
    image = np.arange(2 * 4 * 6 * 3, dtype=np.float32).reshape(2, 4, 6, 3)
    blocks = backend.space_to_depth(ops.convert_to_tensor(image))
    expected = image.reshape(2, 2, 2, 3, 2, 3).transpose(0, 1, 3, 2, 4, 5).reshape(2, 2, 3, 12)
    assert np.array_equal(ops.convert_to_numpy(blocks), expected)
    assert np.array_equal(ops.convert_to_numpy(backend.depth_to_space(blocks)), image)


def test_items_go_one_by_one_through_a_function_for_each():
    signature = backend.spec((3,), "float32"), backend.spec((2, 3), "float32")
    one_by_one = backend.each(lambda factors, item: ops.sum(item, 0) * factors, signature)
    stack, factors = np.arange(24, dtype=np.float32).reshape(4, 2, 3), np.arange(3, dtype=np.float32)
    for n in (4, 1):
        assert np.array_equal(ops.convert_to_numpy(one_by_one(factors, stack[:n])), factors * stack[:n].sum(1))
