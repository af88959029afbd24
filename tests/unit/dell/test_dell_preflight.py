"""The deployer's refusals: every reason at once, each with what was found and the next step."""

from collections.abc import Sequence

import pytest

from fixtures.dell.console import Result
from fixtures.dell.preflight import PreflightError, ca_bundle, preflight

GOOD = {
    "id": (0, "0\n", ""),
    "systemctl": (0, "running\n", ""),
    "docker version": (0, "20.10.24\n", ""),
    "docker compose": (0, "2.26.1-4\n", ""),
    "firewall-cmd": (0, "running\n", ""),
    "tailscale": (0, "100.64.0.10\n", ""),
    "ip": (0, "5: tailscale0: <POINTOPOINT,UP>\n", ""),
}
Answers = dict[str, tuple[int, str, str]]


class FakeConsole:
    """A host that answers from a table, by the beginning of the command line."""

    name = "host.example.net"

    def __init__(self, answers: Answers) -> None:
        self.answers = answers

    def run(self, argv: Sequence[str], stdin: bytes | None = None, check: bool = True) -> Result:
        """The table's answer, or "not found"."""
        line = " ".join(argv)
        hits = [answer for begin, answer in self.answers.items() if line.startswith(begin)]
        status, out, err = hits[0] if hits else (127, "", f"{argv[0]}: not found")
        result = Result(tuple(argv), status, out, err)
        return result.check() if check else result

    def put(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """A preflight writes nothing."""
        raise AssertionError(f"preflight wrote {path}")

    def put_tree(self, folder: str, tree: bytes) -> None:
        """A preflight writes nothing."""
        raise AssertionError(f"preflight wrote {folder}")


@pytest.mark.req("R-10.1-preflight")
def test_a_good_host_passes() -> None:
    """The control for all refusals below; and it raises nothing, writes nothing."""
    asked = FakeConsole(GOOD)
    preflight(asked, "100.64.0.10")
    assert asked.run(["id", "-u"]).stdout == "0\n"


@pytest.mark.req("R-10.1-preflight", "R-2.5.2-cgnat-range", "R-2.5.2-kernel-mode")
@pytest.mark.parametrize(
    ("command", "answer", "reason", "step"),
    [
        ("id", (0, "1000\n", ""), "root: logged in as user id 1000", "passwordless sudo"),
        ("systemctl", (1, "offline\n", ""), "systemd: the system is 'offline'", "runs systemd"),
        (
            "docker version",
            (1, "", "Cannot connect to the daemon"),
            "engine: Cannot connect",
            "enable --now docker",
        ),
        (
            "docker compose",
            (0, "1.29.2\n", ""),
            "Compose: version 1.29.2 is older than 2.24",
            "Compose plugin 2.24",
        ),
        ("docker compose", (0, "v2.23.3\n", ""), "version v2.23.3 is older", "Compose plugin"),
        ("docker compose", (0, "dev\n", ""), "unreadable version 'dev'", "Compose plugin"),
        (
            "docker compose",
            (1, "", "'compose' is not a docker command."),
            "'compose' is not",
            "Compose plugin",
        ),
        ("firewall-cmd", (252, "", "not running"), "firewalld: not running", "enable --now firewalld"),
        ("tailscale", (1, "", "Logged out."), "Tailscale: Logged out.", "tailscale up"),
        ("tailscale", (0, "", ""), "Tailscale: no address", "tailscale up"),
        ("tailscale", (0, "192.168.1.39\n", ""), "192.168.1.39 is not in 100.64.0.0/10", "tailscale up"),
        (
            "tailscale",
            (0, "100.64.0.11\n", ""),
            "100.64.0.11, but TAILNET_IP is '100.64.0.10'",
            "tailscale ip",
        ),
        ("ip", (1, "", "Device does not exist."), "no interface tailscale0", "kernel mode"),
    ],
)
def test_refusals(command: str, answer: tuple[int, str, str], reason: str, step: str) -> None:
    """One thing is wrong: the message has the host, the reason and a next step."""
    with pytest.raises(PreflightError) as caught:
        preflight(FakeConsole(GOOD | {command: answer}), "100.64.0.10")
    text = str(caught.value)
    assert text.startswith("host.example.net cannot take the system yet")
    assert reason in text
    assert text.count("next step:") == 1
    assert step in text.partition("next step:")[2]


@pytest.mark.req("R-10.1-preflight")
def test_all_reasons_come_at_once() -> None:
    """A bare host is told everything in one go."""
    with pytest.raises(PreflightError) as caught:
        preflight(FakeConsole({}), "100.64.0.10")
    assert str(caught.value).count("next step:") == 7


@pytest.mark.req("R-10.1-trust-store")
def test_the_trust_store_is_found_on_either_family() -> None:
    """RHEL's bundle first, then Debian's; none is refused."""
    assert ca_bundle(FakeConsole({"test -s /etc/pki": (0, "", "")})) == "/etc/pki/tls/certs/ca-bundle.crt"
    assert ca_bundle(FakeConsole({"test -s /etc/ssl": (0, "", "")})) == "/etc/ssl/certs/ca-certificates.crt"
    with pytest.raises(PreflightError, match="ca-certificates"):
        ca_bundle(FakeConsole({}))
