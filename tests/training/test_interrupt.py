"""Ctrl-C as a flag first, as an interruption the second time."""

import os
import signal
import threading

import pytest

from nstjax.training.interrupt import StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_a_flag_the_second_interrupts(number):
    with StopRequest() as request:
        assert not request.requested
        os.kill(os.getpid(), number)
        assert request.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


def test_gives_the_handlers_back():
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ZeroDivisionError):
        with StopRequest():
            assert signal.getsignal(signal.SIGINT) is not before[0]
            raise ZeroDivisionError
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_does_nothing_in_other_threads():
    outcome = []

    def work():
        with StopRequest() as request:
            outcome.append(request.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert outcome == [False]
