"""A target file: what is in it arrives typed; what is wrong is told with key and what is allowed."""

from pathlib import Path

import pytest

from fixtures.targets.capability import Capability, Change
from fixtures.targets.file import TargetError, load_target, names
from fixtures.world.images import ROOT
from tests.unit.targets.files import GOOD, written

pytestmark = pytest.mark.req("R-0-target-file")


def test_what_is_in_it_arrives(tmp_path: Path) -> None:
    """And what is not said is not allowed: no change, the system's trust store."""
    target = load_target("staging", written(tmp_path))
    assert target.capabilities == {Capability.DNS, Capability.TAILNET, Capability.ACCOUNTS, Capability.HOST}
    assert target.allowed == frozenset()
    assert target.ca is None
    assert list(target.accounts) == ["probe@kuma8088.com"]
    assert target.server == "mailserver.tail8088.ts.net"
    assert target.known_hosts == tmp_path / "known_hosts"


@pytest.mark.parametrize("name", ["staging.example", "live.example"])
def test_the_examples_are_good(name: str) -> None:
    """As they stand in the repository."""
    assert load_target(name, ROOT / "targets").site.mail.primary == "kuma8088.com"


def test_the_examples_allow_nothing() -> None:
    """Whoever copies it gets a target that is only read."""
    assert load_target("live.example", ROOT / "targets").allowed == frozenset()
    assert load_target("staging.example", ROOT / "targets").allowed == frozenset()


def test_what_is_said_is_allowed(tmp_path: Path) -> None:
    """Each change by its word, and no other."""
    target = load_target("staging", written(tmp_path, GOOD.replace("known", "allow = ['fault']\nknown", 1)))
    assert target.allowed == {Change.FAULT}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"staging"', '"prod"', ["kind = 'prod'", "allowed: 'staging' or 'live'"]),
        ('kind = "staging"', "", ["kind: missing"]),
        ('"dns", ', '"dsn", ', ["capabilities.0 = 'dsn'", "allowed: simulation, dns, internet"]),
        ('"dns", ', '"simulation", ', ["'simulation' is the built-in target's alone"]),
        ('"dns", ', '"internet", ', ["'internet' rests on [vantages.internet-host], which is missing"]),
        ('"dns", ', '"aws", ', ["'aws' rests on [aws], which is missing"]),
        ("known_hosts", "allow = ['break']\nknown_hosts", ["allow.0 = 'break'", "destructive, load, fault"]),
        ('known_hosts = "known_hosts"', "", ["known_hosts: missing; allowed: a file with the keys"]),
        ('known_hosts = "known_hosts"', 'known_hosts = "none"', ["known_hosts = 'none': no such file"]),
        ("known_hosts", 'ca = "site.toml"\nknown_hosts', ["ca = 'site.toml': holds no certificate"]),
        ("known_hosts", 'ca = "none"\nknown_hosts', ["ca = 'none'", "allowed: a file in PEM"]),
        ("127.0.0.1:1080", "127.0.0.1", ["vantages.tailnet-pc.socks5: allowed: HOST:PORT"]),
        ('socks5 = "127', 'direct = true\nsocks5 = "127', ["vantages.tailnet-pc: allowed: one of socks5"]),
        ("tailnet-pc", "moon", ["vantages.moon: unknown place; allowed: internet-host, tailnet-pc"]),
        ("reader@", "-oProxyCommand=x@", ["ssh.host = '-oProxyCommand=x@", "HOST or USER@HOST"]),
        ('user = "probe"', 'user = "probe@x"', ["accounts.0.user = 'probe@x'"]),
        (
            'user = "probe"',
            'user = "a"\ndomain = "example.net"',
            ["accounts.0.domain", "allowed: kuma8088.com"],
        ),
        ('password_env = "PROBE_PASSWORD"', "", ["accounts.0: allowed: one of password_env"]),
        ('site = "site.toml"', 'site = "none.toml"', ["site = 'none.toml'", "no such file"]),
        ("[ssh]", "[shh]\nx = 1\n[ssh]", ["shh: unknown key; allowed: only the keys of"]),
        ("[ssh]", "[ssh", ["not valid TOML"]),
        ('site = "site.toml"', 'site = ""', ["site = '': allowed: match pattern"]),
        ('site = "site.toml"', 'site = "\\u0000"', ["site = ", "allowed: match pattern"]),
        ("known_hosts", 'ca = "\\u0000"\nknown_hosts', ["ca = ", "allowed: match pattern"]),
        ('known_hosts = "known_hosts"', f'known_hosts = "{"鍵" * 200}"', ["no such file"]),
        ('site = "site.toml"', 'site = "."', ["site = '.'", "allowed: a site file"]),
        ("known_hosts", 'ca = "."\nknown_hosts', ["ca = '.'", "allowed: a file in PEM"]),
        ('["dns", "tailnet", "accounts", "host"]', '"dns"', ["capabilities = 'dns': allowed: a list"]),
        ("[ssh]", "[vantages.lan-host]\nx = 1\n[ssh]", ["vantages.lan-host.x: unknown key"]),
        ("[vantages.tailnet-pc]", "[vantages]", ["vantages.socks5: allowed: a table"]),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    """File, key, what is wrong, what is allowed; the file as it was has none (the spec above)."""
    with pytest.raises(TargetError) as caught:
        load_target("staging", written(tmp_path, GOOD.replace(old, new, 1)))
    text = str(caught.value)
    assert text.startswith("targets/staging.toml: ")
    assert [words for words in told if words not in text] == [], text


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Two tables' mistakes in one message."""
    text = GOOD.replace('"staging"', '"prod"').replace("127.0.0.1:1080", "nowhere")
    with pytest.raises(TargetError, match=r"(?s)2 wrong.*kind = 'prod'.*vantages\.tailnet-pc\.socks5"):
        load_target("staging", written(tmp_path, text))


@pytest.mark.parametrize("line", ['password = "hunter-2"', 'password_env = "hunter-2"'])
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    """Whoever puts one there is told what to do instead, in words that may be pasted anywhere."""
    with pytest.raises(TargetError) as caught:
        load_target("staging", written(tmp_path, GOOD.replace('password_env = "PROBE_PASSWORD"', line)))
    assert "accounts.0.password" in str(caught.value)
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere", "../staging", ""])
def test_a_target_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, name: str) -> None:
    """The built-in one among them."""
    folder = written(tmp_path)
    assert names(folder) == ["sim", "site", "staging"]
    with pytest.raises(TargetError, match="sim, site, staging"):
        load_target(name, folder)
