"""Other people's checkers on the records that an owner publishes, and on mail that SendGrid signs for him."""

from pathlib import Path

import dns.resolver
import pytest

from fixtures import plan
from fixtures.internet.sendgrid.keys import DkimKey
from fixtures.internet.sendgrid.server.config import Config
from fixtures.internet.sendgrid.server.sign import return_path, signed
from fixtures.internet.zones import return_path_label, zones
from fixtures.mail.message import make
from fixtures.probe.resolver import resolver
from fixtures.probe.second_opinion import STARTING, complaints, judged
from fixtures.site import load_site
from tests.unit.internet.zone_server import ZoneServer

SITE = load_site(Path(__file__).resolve().parents[3] / "site.toml")
DOMAINS = SITE.mail.domains
KEY = DkimKey.create()
ZONES = zones(SITE, {"s1": KEY.public, "s2": KEY.public}, mx_address="198.19.0.1")
RETURN_PATHS = {domain: f"{return_path_label(index)}.{domain}" for index, domain in enumerate(DOMAINS)}
CONFIG = Config("smtp.sendgrid.net", "o1.ptr.sendgrid.net", "u1", "s1", [], RETURN_PATHS, KEY.private)


def asked(domain: str = "", old: str = "", new: str = "") -> dns.resolver.Resolver:
    """A resolver for the world's zones, with one place of one zone changed."""
    assert old in ZONES.get(domain, "")
    changed = {domain: ZONES[domain].replace(old, new)} if domain else {}
    return resolver(ZoneServer({**ZONES, **changed}))


@pytest.mark.req("R-5.1-second-opinion")
@pytest.mark.parametrize("domain", DOMAINS)
def test_the_template_s_records_are_complete(domain: str) -> None:
    """Checkdmarc has one thing to say of each domain: that a policy of none does not yet protect it."""
    label = return_path_label(DOMAINS.index(domain))
    assert complaints(domain, label, asked()) == [STARTING.format(domain=domain)]


@pytest.mark.req("R-5.1-second-opinion")
@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("s1._domainkey CNAME", "s3._domainkey CNAME", "s1._domainkey"),
        ("s2._domainkey CNAME s2", "s2._domainkey CNAME s9", "s2._domainkey"),
        ("em4001 CNAME", "em1 CNAME", "em4001"),
        ("v=spf1", "spf1", "SPF"),
        ("~all", "+all", "SPF"),
        ('@ TXT "v=spf1', '@ TXT "v=spf1 -all"\n@ TXT "v=spf1', "SPF"),
        ("include:sendgrid.net", "include:sendgrid.example", "SPF"),
        ("_dmarc TXT", "dmarc TXT", "DMARC"),
        ("mailto:dmarc@kuma8088.com", "dmarc@kuma8088.com", "DMARC"),
        ("mailto:dmarc@kuma8088.com", "mailto:dmarc@example.net", "DMARC"),
    ],
)
def test_each_gap_is_found(old: str, new: str, word: str) -> None:
    """A record missing, doubled, open, or with reports to somebody who has not agreed (F75, F77)."""
    domain = DOMAINS[0]
    found = complaints(domain, return_path_label(0), asked(domain, old, new))
    assert [text for text in found if text != STARTING.format(domain=domain)] != []
    assert any(word in text for text in found), found


@pytest.mark.req("R-5.1-dmarc-passes")
@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize(
    ("touch", "client", "expected"),
    [
        pytest.param(lambda sent: sent, plan.SENDGRID, ("pass", "pass", "pass"), id="straight"),
        pytest.param(lambda sent: sent, plan.PEER_SENDER, ("fail", "pass", "pass"), id="forwarded"),
        pytest.param(lambda sent: sent + b"-- \r\n", plan.SENDGRID, ("pass", "fail", "pass"), id="footer"),
        pytest.param(lambda sent: sent + b"-- \r\n", plan.PEER_SENDER, ("fail", "fail", "fail"), id="forged"),
    ],
)
def test_either_way_of_alignment_is_enough(
    domain: str, touch: object, client: str, expected: tuple[str, str, str]
) -> None:
    """Signature or return path: what breaks one still passes DMARC, what breaks both does not (F75)."""
    assert callable(touch)
    sender, friend = f"alice@{domain}", "friend@example.net"
    sent = signed(make(sender, [friend]).content, CONFIG, "0123abcd", plan.DELL_WAN)
    back = return_path(CONFIG, domain, "0123abcd", friend)
    found = judged(touch(sent), asked(), client=client, mail_from=back, helo="o1.ptr.sendgrid.net")
    assert (found["spf"], found["dkim"], found["dmarc"]) == expected
