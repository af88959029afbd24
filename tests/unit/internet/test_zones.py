"""The zones: what the site's owner must publish, and what the world around it publishes."""

from collections.abc import Mapping
from pathlib import Path

import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.zone
import pytest

from fixtures.internet.zones import ROOT, zones
from fixtures.site import Site, load_site

SITE = load_site(Path(__file__).resolve().parents[3] / "site.toml")
DOMAINS = SITE.mail.domains
KEYS = {"s1": "A" * 392, "s2": "B" * 392}
MX_ADDRESS = "198.19.0.1"

Parsed = Mapping[str, dns.zone.Zone]


def parsed(site: Site = SITE, mx_address: str | None = MX_ADDRESS) -> Parsed:
    """All zones as dnspython reads them; a zone that does not parse raises."""
    return {
        name: dns.zone.from_text(text, origin="." if name == ROOT else f"{name}.", relativize=False)
        for name, text in zones(site, KEYS, mx_address=mx_address).items()
    }


def texts(found: Parsed, owner: str, kind: str) -> list[str]:
    """The data of all records of a name, looked up in the closest enclosing zone."""
    name = dns.name.from_text(owner)
    enclosing = [
        zone for zone in found.values() if zone.origin is not None and name.is_subdomain(zone.origin)
    ]
    zone = max(enclosing, key=lambda item: len(item.origin or ()))
    rdataset = zone.get_rdataset(name, kind)
    return [record.to_text() for record in rdataset] if rdataset else []


@pytest.mark.req("R-2.2-mx-names-host")
@pytest.mark.parametrize("domain", DOMAINS)
def test_mx_names_a_host_with_an_address(domain: str) -> None:
    """Each domain's one MX is a host name, no address and no alias, and that host has an A record (F05)."""
    found = parsed()
    assert texts(found, domain, "MX") == ["10 mx.kuma8088.com."]
    assert texts(found, "mx.kuma8088.com.", "A") == [MX_ADDRESS]
    assert texts(found, "mx.kuma8088.com.", "CNAME") == []


@pytest.mark.req("R-2.2.1-no-foreign-address")
def test_mx_host_has_no_address_before_it_gets_one() -> None:
    """Without an address there is no A record, least of all one of somebody else (F04)."""
    assert texts(parsed(mx_address=None), "mx.kuma8088.com.", "A") == []
    assert texts(parsed(mx_address="198.19.0.2"), "mx.kuma8088.com.", "A") == ["198.19.0.2"]


@pytest.mark.req("R-2.2.1-short-ttl")
def test_mx_address_is_short_lived() -> None:
    """The MX host's address may be kept for a minute, not longer (F04)."""
    zone = parsed()["kuma8088.com"]
    rdataset = zone.find_rdataset("mx.kuma8088.com.", "A")
    assert rdataset.ttl == 60


@pytest.mark.req("R-5.1-three-cnames", "R-5.1-spf-dmarc")
@pytest.mark.parametrize("domain", DOMAINS)
def test_domain_has_three_cnames_one_spf_one_dmarc(domain: str) -> None:
    """Each domain has three CNAMEs to SendGrid, one SPF and one DMARC record (F75, F76, F77)."""
    found = parsed()
    aliases = {
        str(name): rdataset[0].to_text() for name, rdataset in found[domain].iterate_rdatasets("CNAME")
    }
    returning = [name for name in aliases if name.startswith("em")]
    assert aliases[f"s1._domainkey.{domain}."] == "s1.domainkey.u12345678.wl.sendgrid.net."
    assert aliases[f"s2._domainkey.{domain}."] == "s2.domainkey.u12345678.wl.sendgrid.net."
    assert [aliases[name] for name in returning] == ["u12345678.wl.sendgrid.net."]
    assert len(aliases) == 3
    assert texts(found, domain, "TXT") == ['"v=spf1 include:sendgrid.net ~all"']
    assert texts(found, f"_dmarc.{domain}", "TXT") == [f'"v=DMARC1; p=none; rua=mailto:dmarc@{domain}"']


@pytest.mark.req("R-5.1-return-paths-differ")
def test_return_path_labels_differ() -> None:
    """No two domains share a return-path label."""
    found = parsed()
    labels = [
        str(name).split(".", 1)[0]
        for domain in DOMAINS
        for name, _ in found[domain].iterate_rdatasets("CNAME")
        if str(name).startswith("em")
    ]
    assert len(labels) == len(set(labels)) == 4


@pytest.mark.req("R-0-world-dns")
def test_aliases_end_at_keys_and_spf() -> None:
    """The CNAMEs lead to the account's own keys, whole, and to a return path with SPF."""
    found = parsed()
    for selector, letter in (("s1", "A"), ("s2", "B")):
        (record,) = texts(found, f"{selector}.domainkey.u12345678.wl.sendgrid.net.", "TXT")
        assert record.replace('" "', "") == f'"v=DKIM1; k=rsa; t=s; p={letter * 392}"'
    assert texts(found, "u12345678.wl.sendgrid.net.", "TXT") == ['"v=spf1 ip4:198.18.0.87 -all"']


@pytest.mark.req("R-0-world-dns")
def test_no_mx_in_the_world_names_an_address_or_alias() -> None:
    """Every MX target anywhere has an A record of its own."""
    found = parsed()
    targets = {
        record.to_text().split()[1]
        for zone in found.values()
        for _, rdataset in zone.iterate_rdatasets("MX")
        for record in rdataset
    }
    assert {"mx.kuma8088.com.", "mx.example.net.", "mail.example.org.", "mx.sendgrid.net."} == targets
    assert all(len(texts(found, target, "A")) == 1 for target in targets)


@pytest.mark.req("R-0-names-sealed")
@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("smtp.sendgrid.net.", "198.18.0.87"),
        ("controlplane.tailscale.com.", "198.18.0.100"),
        ("mail.example.org.", "198.18.2.10"),
        ("mx.example.net.", "198.18.2.20"),
    ],
)
def test_world_names_have_the_plan_s_addresses(name: str, address: str) -> None:
    """The names that the system looks up lead to the simulators and nowhere else (D9)."""
    assert texts(parsed(), name, "A") == [address]


@pytest.mark.req("R-0-world-dns")
@pytest.mark.parametrize("address", ["198.18.2.10", "198.18.2.20", "198.18.0.87"])
def test_mail_hosts_point_back(address: str) -> None:
    """A mail host's address has a pointer to a name with that address."""
    found = parsed()
    (name,) = texts(found, str(dns.reversename.from_address(address)), "PTR")
    assert texts(found, name, "A") == [address]


@pytest.mark.req("R-0-names-sealed")
def test_root_delegates_nothing() -> None:
    """The root zone knows its own server alone: whatever no zone holds does not exist."""
    root = parsed()[ROOT]
    names = {str(name) for name, _ in root.iterate_rdatasets("ANY")} | {str(name) for name in root.nodes}
    assert names == {".", "a.root-servers.net."}
