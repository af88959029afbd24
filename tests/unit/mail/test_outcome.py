"""What a reply means for the message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.mail.message import make
from fixtures.mail.outcome import Outcome, Reply, Verdict
from fixtures.mail.smtp import deliver
from fixtures.vantage import Vantage


@pytest.mark.req("R-0-outcome-told-apart")
@given(code=st.integers(min_value=-1, max_value=599))
def test_only_2xx_accepts_and_only_5xx_refuses(code: int) -> None:
    """Whatever is neither 2xx nor 5xx leaves the message with the sender, to be tried again."""
    expected = {2: Verdict.ACCEPTED, 5: Verdict.REFUSED}.get(code // 100, Verdict.DEFERRED)
    assert Reply(code, "").verdict is expected


@pytest.mark.req("R-0-outcome-told-apart")
def test_queue_id_belongs_to_accepted_mail_alone() -> None:
    """A queue id quoted in a refusal is not the message's."""
    accepted = Outcome(Verdict.ACCEPTED, "data", Reply(250, "2.0.0 Ok: queued as 4F2A"))
    refused = Outcome(Verdict.REFUSED, "data", Reply(550, "duplicate of one queued as 4F2A"))
    assert (accepted.queue_id, refused.queue_id) == ("4F2A", None)


@pytest.mark.req("R-0-no-password-without-tls")
@pytest.mark.parametrize("tls", ["none", "opportunistic"])
def test_password_needs_verified_tls(tls: str) -> None:
    """A password is refused before anything is dialled unless TLS is verified."""
    nowhere = Vantage("nowhere", "127.0.0.1", 1)
    message = make("bob@example.org", ["carol@example.net"])
    with pytest.raises(ValueError, match="verified TLS"):
        deliver(nowhere, "host", 587, message, "b@example.org", ["c@example.net"], tls=tls, auth=("u", "p"))  # type: ignore[arg-type]
