"""The parts of the evidence: a message's trail, secrets that stay out, sources that hang or break."""

import base64
import json
import logging
import string
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.proof.evidence_failure import Failure, slug
from fixtures.proof.evidence_gather import in_time
from fixtures.proof.evidence_logs import related
from fixtures.proof.evidence_redact import Redactor
from fixtures.proof.evidence_steps import STEPS, Steps
from fixtures.targets.evidence import secret_values

kept = pytest.mark.req("R-0-failure-evidence")
without_secrets = pytest.mark.req("R-0-evidence-without-secrets")
hides_nothing = pytest.mark.req("R-0-evidence-hides-nothing")

MARKER = "mark" + "0a" * 16
SPEC = "tests/e2e/test_inbound.py::test_x[a/b c]"
PASSWORDS = st.lists(
    st.sampled_from(string.ascii_letters + string.digits), min_size=8, max_size=24, unique=True
).map("".join)
"""Of different characters: of one that repeats itself no reader could tell where it began."""


def _failure(text: str) -> Failure:
    return Failure(SPEC, "e2e", datetime.now(UTC), text)


@kept
def test_a_message_is_followed_over_both_hops() -> None:
    """From its Message-ID at the first hop to the ids that the next ones gave it; others' lines stay out."""
    logs = {
        "gateway": (
            "postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown\n"
            "postfix/smtpd[7]: proxy-accept: 250 2.0.0 Ok: queued as 4cXyZ12abc; to=<a@example.net>\n"
            "postfix/smtpd[8]: proxy-accept: 250 2.0.0 Ok: queued as 9other9; to=<b@example.net>\n"
        ),
        "dell": (
            f"postfix/cleanup[1]: 4cXyZ12abc: message-id=<{MARKER}@example.org>\n"
            "postfix/lmtp[2]: 4cXyZ12abc: to=<a@example.net>, (250 2.0.0 Ok: queued as 7Third7)\n"
            "postfix/cleanup[1]: 9other9: message-id=<somebody@example.org>\n"
            "postfix/lmtp[2]: 4cXyZ12abcdef: to=<c@example.net>\n"
        ),
        "dovecot": "lmtp(a): 7Third7: saved mail to INBOX\n",
        "dns": "nothing of interest\n",
    }
    found = related(logs, {MARKER})
    assert {place: len(lines) for place, lines in found.items()} == {"gateway": 1, "dell": 2, "dovecot": 1}
    assert "4cXyZ12abc" in found["gateway"][0]
    assert related(logs, set()) == {}


@kept
def test_a_failure_names_its_messages() -> None:
    """Markers and queue ids, from what the spec did and from what it said."""
    text = f"deliver {MARKER}: Reply(250, '2.0.0 Ok: queued as 4cXyZ12abc')\nmarket, mark00"
    assert _failure(text).seeds() == {MARKER, "4cXyZ12abc"}


@kept
def test_a_folders_name_is_readable_and_no_other_specs() -> None:
    """No separators or spaces of the id stay in; ids that differ in those alone have different folders."""
    names = {slug(SPEC), slug(SPEC.replace("/b", "-b")), slug(SPEC.replace(" ", "/"))}
    assert len(names) == 3
    for name in names:
        assert name.startswith("e2e-test_inbound-test_x-a-b-c-")
    assert len(slug(SPEC * 20)) < 120


@kept
def test_steps_are_told_by_fixtures_and_begin_anew() -> None:
    """Each spec has its own; what is told after the end goes nowhere."""
    steps = Steps()
    steps.listen()
    try:
        logging.getLogger(STEPS).debug("dial %s", "mx")
        assert steps.text().endswith(" s] dial mx")
        steps.begin()
        assert steps.text() == "no step was told"
    finally:
        steps.close()
    logging.getLogger(STEPS).debug("too late")
    assert steps.text() == "no step was told"


@without_secrets
@given(secret=PASSWORDS, user=st.emails())
def test_a_secret_does_not_come_through_in_any_form(secret: str, user: str) -> None:
    """As it is, in JSON, in AUTH LOGIN's base64, and in AUTH PLAIN's, which begins anywhere (RFC 4616)."""
    before = f"\0{user}\0".encode()
    plain = base64.b64encode(before + secret.encode()).decode()
    login = base64.b64encode(secret.encode()).decode()
    shown = Redactor([secret])(f"{secret}\n{json.dumps(secret)}\n{login}\n{plain}").split("\n")
    assert shown[:3] == ["***", '"***"', "***"]
    left, hidden, right = shown[3].rpartition("***")
    assert hidden
    assert len(left) * 6 // 8 <= len(before)  # whole bytes that can still be read
    assert len(right.rstrip("=")) <= 1


@without_secrets
def test_what_is_no_secret_stays() -> None:
    """A redactor that hides everything would pass the spec above."""
    text = "450 4.7.1 try again later, queued as 4cXyZ12abc, correcthorsebattery"
    assert Redactor(["correct-horse"])(text) == text
    assert Redactor(["", "correcthorse"])(text) == text.replace("correcthorse", "***")


@without_secrets
@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN " + "PRIVATE KEY-----\nMIGHAgEA\nq83v\n-----END PRIVATE KEY-----",
        "-----BEGIN EC " + "PRIVATE KEY-----\nMIGHAgEA\ncut off",
        "SG." + "a1_-" * 5 + "." + "b2_-" * 10,
        "tskey-" + "auth-k1ABC-x9Y8z7",
    ],
)
def test_keys_are_known_by_their_shape(secret: str) -> None:
    """Also one that nobody has declared."""
    assert Redactor()(f"key: {secret}") == "key: ***"


@without_secrets
def test_the_dells_own_secrets_are_found_by_name() -> None:
    """Quoted as the deployer writes them; what is no secret, and what is empty, is not among them."""
    env = "MAIL_DOMAIN='example.net'\nMYSQL_PASSWORD='abc'\nROUNDCUBE_DES_KEY=\"def\"\nTAILSCALE_AUTHKEY=''\n"
    assert secret_values(env) == ["abc", "def"]


@hides_nothing
def test_a_source_that_hangs_or_breaks_is_named() -> None:
    """The others' answers arrive, and the time is bounded whatever a source does."""
    never = threading.Event()

    def breaks() -> str:
        raise SystemExit("gone")

    def hangs() -> str:
        never.wait(30)
        return "late"

    given_, failed = in_time({"good": lambda: "text", "bad": breaks, "slow": hangs}, 0.2)
    never.set()
    assert given_ == {"good": "text"}
    assert failed == {"bad": "SystemExit: gone", "slow": "no answer within 0.2 s"}
