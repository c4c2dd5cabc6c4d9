import contextlib
import signal
import threading

import pytest

from sklearn_medgan._interrupt import SIGNALS, Interrupt


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_block_and_is_remembered(number):
    own = signal.signal(number, signal.default_int_handler)  # nohup ignores some, and then there is nothing to end
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(number)
            pytest.fail("it goes on")
        assert interrupt.seen == number
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, own)


def test_what_training_swallows_is_raised_by_check_in_each_that_is_around():
    with Interrupt() as outer:
        with Interrupt() as inner:
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
            with pytest.raises(KeyboardInterrupt):
                inner.check()
        with pytest.raises(KeyboardInterrupt):
            outer.check()
    assert outer.seen == signal.SIGTERM


def test_while_held_a_signal_is_only_remembered():
    with Interrupt() as interrupt:
        interrupt.held = True
        signal.raise_signal(signal.SIGINT)
    assert interrupt.seen == signal.SIGINT


def test_what_is_ignored_stays_ignored(monkeypatch):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not interrupt.seen


def test_in_another_thread_it_stands_by():
    seen = []

    def work():
        with Interrupt() as interrupt:
            interrupt.check()
        seen.append(interrupt.seen)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [0]
