"""Logins at every door: who gets in, what others hear, how guessing is slowed, what is written down."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest

from fixtures.mail.message import new_marker
from fixtures.probe.door import DOORS, SASL, Answer, plain
from fixtures.probe.lines import Spot, smtp
from fixtures.proof.evidence_redact import spellings
from fixtures.site import load_site
from fixtures.target import Target
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from fixtures.world.images import ROOT

PRIMARY, SECOND = load_site(ROOT / "site.toml").mail.domains[:2]
ALICE, BOB = f"alice@{PRIMARY}", f"bob@{PRIMARY}"
WORD = new_marker()
"""A word of this run's own: in every wrong password that is not somebody else's right one."""
UNKNOWN = f"nobody-{WORD[:12]}@{PRIMARY}"

Credentials = tuple[str, str]
Answers = Mapping[tuple[str, str], Answer]

WRONG: Mapping[str, Callable[[Mapping[str, str]], Credentials]] = {
    "wrong password": lambda known: (ALICE, f"wrong-{WORD}"),
    "one character too few": lambda known: (ALICE, known[ALICE][:-1]),
    "another user's password": lambda known: (ALICE, known[BOB]),
    "unknown user": lambda known: (UNKNOWN, f"unknown-{WORD}"),
    "user of another own domain": lambda known: (f"bob@{SECOND}", known[BOB]),
    "namesake in another own domain": lambda known: (f"alice@{SECOND}", known[ALICE]),
    "user of a foreign domain": lambda known: ("alice@example.net", known[ALICE]),
    "no domain": lambda known: ("alice", known[ALICE]),
    "no user": lambda known: ("", known[ALICE]),
    "no password": lambda known: (ALICE, ""),
    "nothing at all": lambda known: ("", ""),
    "over-long user": lambda known: (f"{'a' * 10_000}@{PRIMARY}", known[ALICE]),
    "over-long password": lambda known: (ALICE, known[ALICE] + "x" * 10_000),
    "NUL after the password": lambda known: (ALICE, known[ALICE] + "\0"),
    "NUL after the user": lambda known: (f"{ALICE}\0x", known[ALICE]),
    "odd characters": lambda known: ('*"\\é\r\n%u@' + PRIMARY, f"\t\x7fパス{WORD}"),
}


@dataclass(frozen=True)
class Knocks:
    """What every door answered: to right logins, to each wrong one, and to guesses in a row.

    ``elsewhere`` are right logins from another device at the time of the last guess.
    """

    right: Answers
    wrong: Answers
    guesses: Sequence[Answers]
    elsewhere: Answers


def _at_once(spot: Spot, asked: Mapping[tuple[str, str], Credentials]) -> Answers:
    with ThreadPoolExecutor(len(asked)) as pool:
        found = pool.map(lambda key: DOORS[key[0]].knock(spot, *asked[key]), asked)
        return dict(zip(asked, found, strict=True))


@pytest.fixture(scope="module")
def knocks(world: Sim) -> Knocks:
    """All logins, as many at a time as can be: Dovecot makes every wrong one and its successors wait."""
    phone = Spot(world.vantage("tailnet-phone"), world.server, world.ssl_context)
    pc = Spot(world.vantage("tailnet-pc"), world.server, world.ssl_context)
    known = world.passwords

    def right(user: str) -> Mapping[tuple[str, str], Credentials]:
        return {(door, "right"): (user, known[user]) for door in DOORS}

    def forgiven() -> None:
        """A right login ends what this device has to wait for."""
        assert DOORS["imaps"].knock(phone, ALICE, known[ALICE]).admitted

    def guess(number: int) -> Answers:
        # Another one at each door: Dovecot forgives who sends the same wrong password again.
        return _at_once(phone, {(door, "guess"): (BOB, f"guess-{door}-{number}-{WORD}") for door in DOORS})

    forgiven()
    welcome = _at_once(phone, right(ALICE))
    matrix = {(door, case): credentials(known) for door in DOORS for case, credentials in WRONG.items()}
    wrong = _at_once(phone, matrix)
    forgiven()
    guesses = [guess(1), guess(2)]
    with ThreadPoolExecutor(1) as pool:
        elsewhere = pool.submit(_at_once, pc, right(BOB))
        guesses.append(guess(3))
        return Knocks(welcome, wrong, guesses, elsewhere.result())


@pytest.mark.req("R-6.3-auth-matrix")
@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("door", DOORS)
def test_only_the_right_login_opens(knocks: Knocks, door: str, case: str) -> None:
    """Everything but a user's whole address with his own whole password is refused, at every door."""
    assert not knocks.wrong[door, case].admitted
    assert knocks.right[door, "right"].admitted, knocks.right[door, "right"]


@pytest.mark.req("R-6.3-auth-matrix")
@pytest.mark.parametrize("door", DOORS)
def test_a_refusal_does_not_tell_who_exists(knocks: Knocks, door: str) -> None:
    """An unknown user and a user of another domain hear the very words of a wrong password."""
    words = knocks.wrong[door, "wrong password"].words
    assert words != ""
    for case in ("unknown user", "user of another own domain", "user of a foreign domain"):
        assert knocks.wrong[door, case].words == words, case


@pytest.mark.req("R-6.3-auth-matrix")
@pytest.mark.needs("tailnet")
@pytest.mark.parametrize("door", SASL)
def test_two_mechanisms_are_offered(target: Target, door: str) -> None:
    """PLAIN and LOGIN inside TLS: the stored hashes allow no other, and no client needs more (design 4.1)."""
    spot = Spot(target.vantage("tailnet-pc"), target.server, target.ssl_context)
    assert SASL[door].mechanisms(spot) == {"PLAIN", "LOGIN"}


@pytest.mark.req("R-6.3-auth-matrix", "R-4.2-tls-before-anything")
def test_no_login_before_tls(world: Sim, alice: str) -> None:
    """On 587 a login in clear text is refused unread; the same one inside TLS is taken (F60)."""
    spot = Spot(world.vantage("tailnet-pc"), world.server, world.ssl_context)
    login = b"AUTH PLAIN " + plain(alice, world.passwords[alice])
    with smtp(spot, 587) as clear:
        assert (clear.say(login).code, clear.say(f"MAIL FROM:<{alice}>").code) == (530, 530)
    with smtp(spot, 587, tls=True) as encrypted:
        assert encrypted.say(login).code == 235


@pytest.mark.req("R-6.3-auth-matrix", "R-3.2-no-logins-on-25")
@pytest.mark.parametrize("tls", [False, True])
def test_the_mx_host_takes_no_login(world: Sim, alice: str, tls: bool) -> None:
    """Port 25 neither offers nor takes AUTH, before TLS or inside it."""
    unverified = ssl.create_default_context()  # public MX certificates are not verified
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    spot = Spot(world.vantage("internet-host"), world.site.mail.mx_hostname, unverified)
    with smtp(spot, 25, tls=tls) as lines:
        offered = lines.say("EHLO client.example.org").text
        assert "PIPELINING" in offered
        assert "AUTH" not in offered
        assert lines.say(b"AUTH PLAIN " + plain(alice, world.passwords[alice])).code == 503


@pytest.mark.req("R-4.1-brute-force-slowed")
@pytest.mark.parametrize("door", DOORS)
def test_guessing_is_slow(knocks: Knocks, door: str) -> None:
    """The first wrong password costs 2 s, the third in a row 10 s, and nobody else has to wait (design 4.1).

    The webmail's users share its address towards Dovecot, and are told apart all the same.
    """
    guesses = [found[door, "guess"] for found in knocks.guesses]
    assert [answer.admitted for answer in guesses] == [False] * 3
    assert guesses[2].took >= 8, guesses
    assert sum(answer.took for answer in guesses) >= 14, guesses
    assert knocks.elsewhere[door, "right"].admitted, knocks.elsewhere[door, "right"]
    assert knocks.elsewhere[door, "right"].took < 5, knocks.elsewhere[door, "right"]


def _logs(world: Sim) -> str:
    """Everything that the Dell and the gateway have written down, log files inside of containers too."""
    script = (
        'for name in $(docker ps -a --format "{{.Names}}"); do docker logs "$name" 2>&1; '
        'docker exec "$name" sh -c "find /var/log -type f -size -20M -exec cat {} +"; done; '
        "journalctl --no-pager; find /var/log -xdev -type f ! -path '*/journal/*' -size -20M -exec cat {} +"
    )
    texts = [world.dell.run(["sh", "-c", script]).stdout]
    for name in ("postfix", "tunnel", "tailscale"):
        texts.append(world.gateway.container(name).logs().decode(errors="replace"))
    return "\n".join(texts)


@pytest.mark.req("R-6.3-no-credentials-logged")
@pytest.mark.usefixtures("knocks")
def test_no_credentials_are_written_down(world: Sim) -> None:
    """After right and wrong logins at every door no log holds a password or the API key, encoded or not.

    The control: the names of those who tried stand there, as each server that asks them writes them.
    """
    traces = (f"user=<{UNKNOWN}>", f"sasl_username={UNKNOWN}", f"Login failed for {UNKNOWN}")
    wait_for(
        "the names of who tried, from three servers",
        lambda: (logs := _logs(world)) and [trace for trace in traces if trace not in logs],
        until=lambda missing: missing == [],
        timeout=timedelta(seconds=30),
    )
    logs = _logs(world)
    tried = [f"wrong-{WORD}", f"unknown-{WORD}", *(f"guess-{door}-3-{WORD}" for door in DOORS)]
    secrets = [*tried, *world.passwords.values(), world.state.sendgrid_key]
    found = [form for secret in secrets for form in spellings(secret) if form in logs]
    assert found == []
