"""What a check says of ports, certificates and logins: the right verdict, in the right words."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fixtures.authority import Authority
from fixtures.checks import doors
from fixtures.checks.item import Finding
from fixtures.proof.verdict import Word
from tests.unit.checks.servers import Where, imap, proxy, server_context, serving, submission, tls
from tests.unit.checks.system import ACCOUNT, USER, seen, socks, system

pytestmark = pytest.mark.req("R-0-check-verdicts")

SERVER, MX = "mailserver.tail8088.ts.net", "mx.kuma8088.com"
PORTS = "ports: server from the tailnet"
PASSWORD = "correct-horse"

Checked = Callable[..., Finding]


@pytest.fixture(scope="module")
def authority() -> Authority:
    """The CA that the target file names."""
    return Authority.create()


@pytest.fixture
def servers() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Starts servers for the time of the spec."""
    with ExitStack() as running:
        yield lambda handle: running.enter_context(serving(handle))


@pytest.fixture
def checked(tmp_path: Path, authority: Authority) -> Checked:
    """What the look of a name finds, when the ports asked for are as given."""

    def act(name: str, where: Where, capability: str = "tailnet", place: str = "tailnet-pc") -> Finding:
        with proxy(where) as port:
            target = system(
                tmp_path, [capability, "accounts"], socks(place, port), ACCOUNT, ca=authority.certificate_pem
            )
            return seen(doors.looks(target), name)

    return act


@pytest.fixture
def anything(servers: Callable[[Callable[[socket.socket], None]], int]) -> int:
    """A port at which something listens."""
    return servers(lambda client: None)


def test_the_four_ports_and_no_other_pass(checked: Checked, anything: int) -> None:
    """A refusal of the others does as well as silence."""
    where = dict.fromkeys(doors.SERVED, anything) | {22: "refused"}
    assert checked(PORTS, where) == (Word.PASS, f"{SERVER}: open: 443, 587, 993, 995")


def test_half_of_the_ports_filtered_fails(checked: Checked, anything: int) -> None:
    """Each by its number, with what else it could be."""
    word, text = checked(PORTS, {443: anything, 587: anything, 995: "refused"})
    assert word is Word.FAIL
    assert text.startswith(f"{SERVER}: 993 is filtered, 995 is refused; a network that lets nothing out")


def test_an_open_port_too_many_fails(checked: Checked, anything: int) -> None:
    """Although all is served that should be."""
    where = dict.fromkeys((*doors.SERVED, 2525), anything)
    assert checked(PORTS, where) == (Word.FAIL, f"{SERVER}: 2525 is open")


@pytest.mark.parametrize("name", [PORTS, "certificate: 443", f"login: {USER}"])
def test_a_dead_vantage_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anything: int, name: str
) -> None:
    """The proxy is not there: whatever the server does, nobody has looked."""
    monkeypatch.setenv("PROBE_PASSWORD", PASSWORD)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = system(
            tmp_path, ["tailnet", "accounts"], socks("tailnet-pc", unused.getsockname()[1]), ACCOUNT
        )
        word, text = seen(doors.looks(target), name)
    assert (word, text.startswith("VantageDown: ")) == (Word.COULD_NOT_TELL, True), text


@pytest.mark.parametrize(
    ("days", "names", "word", "told"),
    [
        (20, (SERVER,), Word.PASS, "good until "),
        (5, (SERVER,), Word.FAIL, "good for 4 days more; at least 14 should be left"),
        (0, (SERVER,), Word.FAIL, "TLS fails: certificate has expired"),
        (20, ("other.example.net",), Word.FAIL, "TLS fails: Hostname mismatch"),
    ],
)
@pytest.mark.parametrize("port", [443, 587])
def test_a_certificate_is_verified_and_its_days_counted(
    checked: Checked, servers: Callable[..., int], authority: Authority, tmp_path: Path,
    port: int, days: int, names: tuple[str, ...], word: Word, told: str,
) -> None:  # fmt: skip
    """Chain, name and days, also behind STARTTLS."""
    context = server_context(authority.issue(*names, days=days), tmp_path)
    where = {port: servers(submission(context) if port == 587 else tls(context))}
    found = checked(f"certificate: {port}", where)
    assert (found[0], found[1].startswith(told)) == (word, True), found


def test_another_ca_is_not_believed(checked: Checked, servers: Callable[..., int], tmp_path: Path) -> None:
    """The right name and many days, by a CA that the target file does not name."""
    context = server_context(Authority.create("another CA").issue(SERVER), tmp_path)
    word, text = checked("certificate: 443", {443: servers(tls(context))})
    assert (word, text.startswith("TLS fails: ")) == (Word.FAIL, True), text


@pytest.mark.parametrize(
    ("name", "days", "word"),
    [(MX, 20, Word.PASS), (MX, 5, Word.FAIL), ("other.example.net", 20, Word.FAIL)],
)
def test_the_gateways_certificate_counts_by_name_and_days(
    checked: Checked, servers: Callable[..., int], authority: Authority, tmp_path: Path,
    name: str, days: int, word: Word,
) -> None:  # fmt: skip
    """Whoever signed it, since nobody verifies on port 25 (F16)."""
    context = server_context(authority.issue(name, days=days), tmp_path)
    where = {25: servers(submission(context))}
    assert checked("certificate: 25", where, "internet", "internet-host")[0] is word


@pytest.mark.parametrize(
    ("password", "word", "told"),
    [
        (PASSWORD, Word.PASS, "let in by IMAP"),
        ("wrong", Word.FAIL, "the server refuses the password that the target file leads to"),
        ("", Word.COULD_NOT_TELL, "the environment variable PROBE_PASSWORD is empty or not set"),
    ],
)
def test_a_login_with_the_right_a_wrong_and_no_password(
    checked: Checked, servers: Callable[..., int], authority: Authority, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, password: str, word: Word, told: str,
) -> None:  # fmt: skip
    """Refused is a failure, not to be had is no result; the password is in no words."""
    monkeypatch.setenv("PROBE_PASSWORD", password)
    context = server_context(authority.issue(SERVER), tmp_path)
    found = checked(f"login: {USER}", {993: servers(imap(context, PASSWORD))})
    assert (found[0], told in found[1]) == (word, True), found
    assert PASSWORD not in found[1]
