"""The name server as the hosts of the lab see it."""

import re

import pytest

from fixtures.engine.execute import execute
from fixtures.internet.nameserver import NameServer
from fixtures.site import Site
from tests.integration.internet.lab import Lab


def dig(internet: Lab, *arguments: str) -> str:
    """What a host on the Internet gets for a query."""
    return (
        execute(internet.container("internet-host"), ["dig", "+time=2", "+tries=1", *arguments])
        .check()
        .stdout
    )


@pytest.mark.req("R-0-world-dns")
def test_cname_is_followed_into_the_other_zone(internet: Lab, site: Site) -> None:
    """A DKIM lookup for one of the site's domains ends at SendGrid's key."""
    answer = dig(internet, "+short", f"s1._domainkey.{site.mail.primary}", "TXT")
    assert f"s1.domainkey.{site.sendgrid.account}.wl.sendgrid.net." in answer
    assert '"v=DKIM1; k=rsa;' in answer


@pytest.mark.req("R-0-world-dns")
def test_unknown_name_is_denied_at_once(internet: Lab) -> None:
    """A name that nobody has is NXDOMAIN within a second, and a known one is not."""
    answer = dig(internet, "nosuchhost.invalid")
    took = re.search(r"Query time: (\d+) msec", answer)
    assert "status: NXDOMAIN" in answer
    assert took
    assert int(took[1]) < 1000
    assert "status: NOERROR" in dig(internet, "mail.example.org")


@pytest.mark.req("R-0-world-dns")
def test_forward_and_reverse_agree(internet: Lab) -> None:
    """The peers' addresses point back to their names, as mail hosts check."""
    assert dig(internet, "+short", "mail.example.org") == f"{internet.internet[10]}\n"
    assert dig(internet, "+short", "-x", internet.internet[10]) == "mail.example.org.\n"


@pytest.mark.req("R-0-world-dns")
def test_address_changes_at_once(internet: Lab, name_server: NameServer, site: Site) -> None:
    """The MX host's address can be set, replaced and taken away, and everybody sees it in the next answer."""
    name = site.mail.mx_hostname
    seen = []
    for address in ("198.19.0.1", "198.19.0.2", None):
        name_server.set_address(name, address)
        seen.append(dig(internet, "+short", name).split())
    assert seen == [["198.19.0.1"], ["198.19.0.2"], []]
    assert dig(internet, "+short", site.mail.primary, "MX") == f"10 {name}.\n"


@pytest.mark.req("R-0-world-dns")
def test_lookup_returns_every_answer(internet: Lab, name_server: NameServer) -> None:
    """The host-side lookup sees what the hosts see."""
    assert name_server.lookup("example.net", "MX") == ["10 mx.example.net."]
    assert name_server.lookup("mx.example.net") == [internet.internet[20]]
    assert name_server.lookup("nosuch.example.net") == []
