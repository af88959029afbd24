"""Containers that are being started are waited for before anything is taken away."""

from datetime import timedelta
from threading import Event, Thread

import pytest

from fixtures.engine import containers
from fixtures.engine.containers import ContainerSpec, start, wait_for_starts

SOON, LATER = timedelta(milliseconds=50), timedelta(seconds=10)


class SlowContainer:
    """A container whose start takes until it is told to be over."""

    began, over = Event(), Event()

    def __init__(self, spec: ContainerSpec) -> None:
        self.spec = spec

    def start(self) -> None:
        """Join the networks and start, for as long as the engine needs."""
        self.began.set()
        assert self.over.wait(10)

    def get_wrapped_container(self) -> ContainerSpec:
        """What was started."""
        return self.spec


@pytest.mark.req("R-0-leftovers")
def test_a_start_that_is_under_way_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a start there is nothing to wait for; with one, its end is."""
    monkeypatch.setattr(containers, "_Outer", SlowContainer)
    assert wait_for_starts(SOON)
    starter = Thread(target=start, args=(ContainerSpec("place", "image"),))
    starter.start()
    assert SlowContainer.began.wait(10)
    assert not wait_for_starts(SOON)
    SlowContainer.over.set()
    assert wait_for_starts(LATER)
    starter.join(10)
