"""What the updater writes at each provider, and what it says when a provider refuses."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.dns_updater.cloudflare import CloudflareError
from infra.dns_updater.updater import handler
from tests.unit.dns_updater.account import MX, TOKEN, Account, account

UPDATED, SHORT = "R-2.2.1-updater", "R-2.2.1-short-ttl"


@pytest.fixture
def cloudflare() -> Iterator[Account]:
    """An account whose zone is at Cloudflare."""
    with account("cloudflare") as made:
        yield made


@pytest.fixture
def route53() -> Iterator[Account]:
    """An account whose zone is at Route 53."""
    with account("route53") as made:
        yield made


@pytest.mark.req(UPDATED, SHORT)
def test_cloudflares_record_is_short_lived_and_not_proxied(cloudflare: Account) -> None:
    """TTL 60, and "DNS only": Cloudflare's proxy does not speak SMTP (F04, F05)."""
    handler(cloudflare.gateways.run(1))
    assert cloudflare.cloudflare.of(MX) == [("198.19.0.1", 60, False)]


@pytest.mark.req(UPDATED, SHORT)
@pytest.mark.parametrize("wrong", [{"ttl": 3600}, {"ttl": 1}, {"proxied": True}])
def test_a_spoilt_record_is_repaired_in_place(cloudflare: Account, wrong: dict[str, Any]) -> None:
    """Somebody has changed TTL or proxying in the dashboard: the next event puts it right, without a gap."""
    cloudflare.cloudflare.add(MX, "198.19.0.1", **wrong)
    handler(cloudflare.gateways.run(1))
    assert cloudflare.cloudflare.of(MX) == [("198.19.0.1", 60, False)]
    assert "DELETE" not in cloudflare.cloudflare.asked


@pytest.mark.req(UPDATED)
def test_other_names_are_left_alone(cloudflare: Account) -> None:
    """Only the MX host's records are changed."""
    cloudflare.cloudflare.add("www.example.net", "198.19.0.77", ttl=300)
    cloudflare.cloudflare.add(MX, "198.19.0.66")
    handler(cloudflare.gateways.run(1))
    assert cloudflare.cloudflare.of("www.example.net") == [("198.19.0.77", 300, False)]
    assert cloudflare.records() == {"198.19.0.1"}


@pytest.mark.req(UPDATED)
def test_the_new_address_comes_before_the_old_one_goes(cloudflare: Account) -> None:
    """While one record replaces another, the name always has an address."""
    cloudflare.cloudflare.add(MX, "198.19.0.66")
    counts: list[int] = []
    cloudflare.cloudflare.before = lambda _method: counts.append(len(cloudflare.records()))
    handler(cloudflare.gateways.run(1))
    assert cloudflare.records() == {"198.19.0.1"}
    assert min(counts) == 1


@pytest.mark.req(UPDATED)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_what_another_handler_did_already_is_no_error(cloudflare: Account, method: str) -> None:
    """Two handlers run side by side: the record is there, or gone, when the second comes to it."""
    zone = cloudflare.cloudflare
    zone.add(MX, "198.19.0.66")

    def sooner(asked: str) -> None:
        if asked == method == "POST":
            zone.add(MX, "198.19.0.1")
        elif asked == method:
            zone.records = {key: r for key, r in zone.records.items() if r["content"] != "198.19.0.66"}
        zone.before = lambda _method: None

    def wait(asked: str) -> None:
        if asked == method:
            sooner(asked)

    zone.before = wait
    handler(cloudflare.gateways.run(1))
    assert zone.of(MX) == [("198.19.0.1", 60, False)]


@pytest.mark.req(UPDATED)
def test_cloudflares_refusal_is_told_in_its_words_without_the_token(
    cloudflare: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """A revoked token: what was tried, the code and the message; the token stands in no log or trace."""
    cloudflare.cloudflare.token = "another"
    with caplog.at_level(logging.INFO), pytest.raises(CloudflareError) as refused:
        handler(cloudflare.gateways.run(1))
    assert "GET /zones/" in str(refused.value)
    assert "HTTP 403: 10000: Authentication error" in str(refused.value)
    assert TOKEN not in str(refused.getrepr()) + caplog.text
    assert refused.value.__suppress_context__


@pytest.mark.req(UPDATED)
def test_a_silent_cloudflare_is_an_error(cloudflare: Account) -> None:
    """Nothing is assumed when nothing was answered."""
    cloudflare.cloudflare.down = True
    with pytest.raises(CloudflareError, match="timed out"):
        handler(cloudflare.gateways.run(1))


@pytest.mark.req(UPDATED)
def test_a_record_that_cloudflare_does_not_take_is_an_error(cloudflare: Account) -> None:
    """A refusal other than "it is there already" is raised, also when a record is made."""
    zone = cloudflare.cloudflare

    def revoke(asked: str) -> None:
        if asked == "POST":
            zone.token = "another"

    zone.before = revoke
    with pytest.raises(CloudflareError, match=r"POST .*10000"):
        handler(cloudflare.gateways.run(1))


@pytest.mark.req(UPDATED, SHORT)
def test_route53s_record_set_is_short_lived(route53: Account) -> None:
    """TTL 60, one value a running task."""
    handler(route53.gateways.run(1))
    handler(route53.gateways.run(2))
    [found] = route53.record_sets()
    assert found["TTL"] == 60
    assert {item["Value"] for item in found["ResourceRecords"]} == {"198.19.0.1", "198.19.0.2"}


@pytest.mark.req(UPDATED, SHORT)
def test_route53s_old_ttl_is_put_right(route53: Account) -> None:
    """The right address with an old TTL is not right."""
    values = [{"Value": "198.19.0.1"}]
    record = {"Name": MX, "Type": "A", "TTL": 3600, "ResourceRecords": values}
    change = {"Action": "CREATE", "ResourceRecordSet": record}
    route53.route53.change_resource_record_sets(HostedZoneId=route53.zone, ChangeBatch={"Changes": [change]})
    handler(route53.gateways.run(1))
    assert [found["TTL"] for found in route53.record_sets()] == [60]


@pytest.mark.req(UPDATED)
def test_route53s_refusal_is_raised(route53: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zone that is not there: Lambda tries again, and then somebody is told."""
    monkeypatch.setenv("DNS_ZONE_ID", "Z0000000000000")
    with pytest.raises(ClientError, match="NoSuchHostedZone"):
        handler(route53.gateways.run(1))
