"""The waiting primitive: it returns what satisfied it or raises, and keeps its time."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.wait import DeadWaitError, WaitTimeoutError, wait_for


class _Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.req("R-0-wait-value")
def test_returns_the_value_that_satisfied_it() -> None:
    """Not True, but the very value."""
    clock = _Clock()
    values = iter(["", "", "ready"])
    found = wait_for(
        "a word", lambda: next(values), timeout=timedelta(seconds=5), clock=clock.read, sleep=clock.sleep
    )
    assert found == "ready"


@pytest.mark.req("R-0-wait-explains")
def test_a_time_out_tells_label_bound_and_last_value() -> None:
    """The message holds what a reader needs to go on."""
    clock = _Clock()
    with pytest.raises(WaitTimeoutError, match=r"queue empty: not within 2 s .*last seen: \[7\]"):
        wait_for(
            "queue empty", lambda: [7], until=lambda value: not value,
            timeout=timedelta(seconds=2), clock=clock.read, sleep=clock.sleep,
        )  # fmt: skip


@pytest.mark.req("R-0-wait-explains")
def test_a_time_out_chains_the_last_error() -> None:
    """An expected error counts as "not yet" and is the cause of the time-out."""
    clock = _Clock()

    def refuse() -> bool:
        raise ConnectionRefusedError("nobody there")

    with pytest.raises(WaitTimeoutError) as caught:
        wait_for("port", refuse, timeout=timedelta(seconds=1), clock=clock.read, sleep=clock.sleep)
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


@pytest.mark.req("R-0-wait-dead")
def test_an_unexpected_error_is_not_swallowed() -> None:
    """Only the named errors mean "not yet"."""

    def broken() -> bool:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        wait_for("anything", broken, timeout=timedelta(seconds=1))


@pytest.mark.req("R-0-wait-dead")
def test_a_terminal_state_ends_the_wait_at_once() -> None:
    """A dead wait does not run until its time-out."""
    clock = _Clock()
    with pytest.raises(DeadWaitError, match="host: exited"):
        wait_for(
            "host", lambda: "exited", until=lambda state: state == "running",
            dead=lambda state: state if state == "exited" else None,
            timeout=timedelta(hours=1), clock=clock.read, sleep=clock.sleep,
        )  # fmt: skip
    assert clock.now == 0


@pytest.mark.req("R-0-wait-value")
@given(total=st.floats(0.1, 50), interval=st.floats(0.05, 5))
def test_never_waits_longer_than_asked(total: float, interval: float) -> None:
    """Whatever the interval, the last attempt starts no later than the time-out."""
    clock = _Clock()
    starts: list[float] = []

    def never() -> bool:
        starts.append(clock.now)
        return False

    with pytest.raises(WaitTimeoutError):
        wait_for(
            "never", never, timeout=timedelta(seconds=total), interval=timedelta(seconds=interval),
            clock=clock.read, sleep=clock.sleep,
        )  # fmt: skip
    assert starts[-1] <= total + 1e-3
    assert starts[-1] >= total - 1e-3
