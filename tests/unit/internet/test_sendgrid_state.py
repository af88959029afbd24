"""The simulator's switches and what it shows."""

from typing import Any

import pytest

from fixtures.internet.sendgrid.server.state import Accepted, Control, Event, State

pytestmark = pytest.mark.req("R-0-sendgrid-switches")


def test_switches_change_what_is_named() -> None:
    """A switch that is named changes, the others stay."""
    control = Control(quota=3)
    control.update({"fault": "defer"})
    assert control == Control(quota=3, fault="defer")
    control.update({"quota": None, "certificate": "wrong", "tls": "old"})
    assert control == Control(quota=None, fault="defer", certificate="wrong", tls="old")


@pytest.mark.parametrize(
    "wanted",
    [
        {"fault": "explode"},
        {"tls": "sometimes"},
        {"quota": -1},
        {"quota": True},
        {"quota": "5"},
        {"other": 1},
    ],
)
def test_unknown_switches_are_refused(wanted: dict[str, Any]) -> None:
    """A misspelt switch or value is an error, so that no spec believes in a fault that is not there."""
    with pytest.raises(ValueError, match=next(iter(wanted))):
        Control().update(wanted)


def test_forgetting_leaves_nothing() -> None:
    """After forgetting, all is as at the start."""
    state = State(control=Control(fault="defer"))
    state.messages.append(Accepted("alice@kuma8088.com", ["carol@example.net"], b"x", b"y"))
    state.messages[0].events.append(Event("carol@example.net", "delivered", "250"))
    state.hits["defer"] += 1
    assert [event.kind for event in state.events()] == ["delivered"]
    state.forget()
    assert state == State()


def test_summary_has_no_content() -> None:
    """A summary names envelope and events, not the message itself."""
    message = Accepted("alice@kuma8088.com", ["carol@example.net"], b"content", b"signed")
    assert set(message.summary()) == {"identity", "sender", "recipients", "events"}
