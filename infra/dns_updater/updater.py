"""Handler: the MX host's A records become the public addresses of the gateway's running tasks, no others.

EventBridge invokes it for each "ECS Task State Change" of the service. An event is only the reason to look:
ECS is asked what runs, so that events which come late, twice or in the wrong order change nothing. After a
write it looks again, and writes again if tasks have changed meanwhile: of two handlers that run side by side
the one that writes last has seen the newest state. Whatever fails is raised: Lambda tries again, and what
fails for good is told to the administrator.

Environment: CLUSTER, SERVICE, MX_HOSTNAME, DNS_PROVIDER ("cloudflare" or "route53"), DNS_ZONE_ID, and with
Cloudflare TOKEN_SECRET_ARN.
"""

import logging
import os
from typing import Any, Protocol

import boto3

from . import cloudflare, gateway, route53

TTL = 60  # an address that another customer may get tomorrow must not live on in resolvers (F04)
_LOOKS = 5

log = logging.getLogger("dns_updater")
log.setLevel(logging.INFO)


class Records(Protocol):
    """The A records of one name at a DNS provider."""

    def make(self, addresses: frozenset[str]) -> bool:
        """Make them exactly these, with the short TTL; returns whether that changed anything."""


class UnsettledError(RuntimeError):
    """The tasks changed with every look; Lambda is to try again."""


class AddressMissingError(RuntimeError):
    """A running task has no public address (yet); Lambda is to try again."""


def handler(event: dict[str, Any], _context: object = None) -> dict[str, list[str]]:
    """Bring the records into line with the running tasks; returns the addresses that they hold now."""
    service = gateway.Service(os.environ["CLUSTER"], os.environ["SERVICE"])
    records = _records()
    known = service.look(event.get("detail", {}))
    for _ in range(_LOOKS):
        if records.make(known.addresses):
            log.info("%s now has %s", os.environ["MX_HOSTNAME"], ", ".join(known.addresses) or "no address")
        before, known = known, service.look(event.get("detail", {}))
        if known == before:
            break
    else:
        raise UnsettledError(f"the tasks of {os.environ['SERVICE']} changed {_LOOKS} times while I looked")
    if known.without_address:
        raise AddressMissingError(
            f"running without a public address: {', '.join(sorted(known.without_address))}"
        )
    return {"addresses": sorted(known.addresses)}


def _records() -> Records:
    """The records at the provider that the environment names; raises LookupError for another."""
    name, zone = os.environ["MX_HOSTNAME"], os.environ["DNS_ZONE_ID"]
    provider = os.environ["DNS_PROVIDER"]
    if provider == "route53":
        return route53.Records(zone, name, TTL)
    if provider == "cloudflare":
        secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["TOKEN_SECRET_ARN"])
        return cloudflare.Records(zone, name, TTL, secret["SecretString"].strip())
    raise LookupError(f"DNS_PROVIDER {provider!r}: allowed: cloudflare, route53")
