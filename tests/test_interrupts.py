"""Signals: as a flag first, as an interruption the second time."""

import os
import signal
import threading
import time

import pytest

from nstjax.interrupts import SIGNALS, Stopped, StopRequest, raising_stopped


@pytest.fixture(autouse=True)
def _heeds_hangups():
    """Tests may run under nohup, where SIGHUP stays ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def test_the_first_is_a_flag_and_a_second_ctrl_c_interrupts():
    for number in SIGNALS:
        with StopRequest() as request:
            assert not request.requested
            os.kill(os.getpid(), number)
            assert request.requested == number
            with pytest.raises(Stopped) as stopped:
                os.kill(os.getpid(), signal.SIGINT)
            assert stopped.value.status == 128 + signal.SIGINT


def test_programs_that_send_their_signal_twice_interrupt_nothing():
    for number in set(SIGNALS) - {signal.SIGINT}:
        with StopRequest() as request:
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
        assert request.requested == number


def test_unarmed_it_interrupts_at_once():
    with StopRequest(armed=False) as request:
        with pytest.raises(Stopped) as stopped:
            os.kill(os.getpid(), signal.SIGTERM)
        assert stopped.value.status == 143 and request.requested == signal.SIGTERM


def test_a_signal_that_falls_into_a_callback_is_not_lost():
    class Dropped:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0)  # where the handler runs, whose exception Python drops

    with pytest.raises(Stopped) as stopped, raising_stopped():
        Dropped()
        time.sleep(10)
    assert stopped.value.status == 143


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with raising_stopped(), StopRequest() as request:
            os.kill(os.getpid(), signal.SIGHUP)
        assert not request.requested
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_other_signals_raise_as_ctrl_c_does():
    for number in set(SIGNALS) - {signal.SIGINT}:
        with pytest.raises(KeyboardInterrupt) as stopped, raising_stopped():
            os.kill(os.getpid(), number)
        assert stopped.value.status == 128 + number
        assert signal.getsignal(number) is signal.SIG_DFL


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
    assert outcome == [0]


def test_no_exception_passes_through_jax():
    ended = []
    inside = {"__name__": "jax.lowering"}
    exec("def lower(work): work()", inside)
    for number in SIGNALS:
        with pytest.raises(Stopped), raising_stopped(ended.append):
            os.kill(os.getpid(), number)
        assert ended == []
        with pytest.raises(Stopped), raising_stopped(ended.append):
            with StopRequest(armed=False):
                inside["lower"](lambda number=number: os.kill(os.getpid(), number))
        assert ended == [128 + number]
        ended.clear()
