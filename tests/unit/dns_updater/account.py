"""A small account for the DNS updater: tasks and interfaces by hand, Route 53 by moto, Cloudflare by hand."""

import io
import json
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from functools import cache
from itertools import count
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import boto3
from moto import mock_aws

CLUSTER, SERVICE, MX = "mailserver-cluster", "mailserver-mx-service", "mx.example.net"
TOKEN, CLOUDFLARE_ZONE = "cf-token-of-this-test", "0123456789abcdef0123456789abcdef"
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "ap-northeast-1",
}
GONE = ("DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED")


_client = cache(boto3.client)
"""Making a client takes longer than all that is done with it here."""


@dataclass
class Gateways:
    """ECS and EC2 with the service's tasks; each change of a task yields the event that ECS would send."""

    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)

    def run(self, number: int, *, address: bool = True) -> dict[str, Any]:
        """Let a task begin to run, with a public address unless it is to have none yet."""
        arn = f"arn:aws:ecs:ap-northeast-1:000000000000:task/{CLUSTER}/{number:032x}"
        if address:
            self.addresses[f"eni-{number}"] = f"198.19.0.{number}"
        details = [{"name": "networkInterfaceId", "value": f"eni-{number}"}]
        self.tasks[arn] = {
            "taskArn": arn,
            "group": f"service:{SERVICE}",
            "lastStatus": "RUNNING",
            "desiredStatus": "RUNNING",
            "version": 3,
            "attachments": [{"type": "eni", "details": details}],
        }
        return self._event(arn)

    def end(self, number: int, status: str = "STOPPED") -> dict[str, Any]:
        """Bring a task on its way out, or to its end; a stopped task's interface is gone."""
        [arn] = [arn for arn in self.tasks if arn.endswith(f"{number:032x}")]
        version = self.tasks[arn]["version"] + 1
        self.tasks[arn] |= {"lastStatus": status, "desiredStatus": "STOPPED", "version": version}
        if status == "STOPPED":
            self.addresses.pop(f"eni-{number}", None)
        return self._event(arn)

    def running(self) -> set[str]:
        """What the records must hold."""
        return {
            self.addresses[task["attachments"][0]["details"][0]["value"]]
            for task in self.tasks.values()
            if (task["lastStatus"], task["desiredStatus"]) == ("RUNNING", "RUNNING")
        }

    def _event(self, arn: str) -> dict[str, Any]:
        return {"detail-type": "ECS Task State Change", "detail": dict(self.tasks[arn])}

    # --- the calls that the updater makes, in boto3's shape ---

    def get_paginator(self, name: str) -> "Gateways":
        """ECS's one paginator that is needed."""
        assert name == "list_tasks"
        return self

    def paginate(self, *, cluster: str, serviceName: str) -> Iterator[dict[str, Any]]:
        """Tasks that should run, one a page."""
        assert (cluster, serviceName) == (CLUSTER, SERVICE)
        for arn, task in self.tasks.items():
            if task["desiredStatus"] == "RUNNING":
                yield {"taskArns": [arn]}

    def describe_tasks(self, *, cluster: str, tasks: list[str]) -> dict[str, Any]:
        """The known ones among the tasks."""
        assert cluster == CLUSTER
        return {"tasks": [dict(self.tasks[arn]) for arn in tasks if arn in self.tasks]}

    def describe_network_interfaces(self, *, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        """The known ones among the interfaces."""
        [wanted] = [item["Values"] for item in Filters if item["Name"] == "network-interface-id"]
        found = {name: self.addresses[name] for name in wanted if name in self.addresses}
        return {
            "NetworkInterfaces": [
                {"NetworkInterfaceId": name, "Association": {"PublicIp": ip}} for name, ip in found.items()
            ]
        }


@dataclass
class Cloudflare:
    """Cloudflare's zone behind its API: envelope, codes and words as the real one has them."""

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    token: str = TOKEN
    down: bool = False
    asked: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    before: Callable[[str], None] = lambda _method: None

    def add(self, name: str, address: str, *, ttl: int = 60, proxied: bool = False) -> dict[str, Any]:
        """Put a record in, under a number that none had before."""
        number = f"{next(self.numbers):032x}"
        self.records[number] = {
            "id": number, "type": "A", "name": name, "content": address, "ttl": ttl, "proxied": proxied,
        }  # fmt: skip
        return self.records[number]

    def of(self, name: str) -> list[tuple[str, int, bool]]:
        """Content, TTL and proxied of a name's records."""
        found = [record for record in self.records.values() if record["name"] == name]
        return sorted((record["content"], record["ttl"], record["proxied"]) for record in found)

    def open(self, request: Any, timeout: float) -> io.BytesIO:
        """Answer a request of urllib's."""
        assert timeout <= 10
        parts = urlsplit(request.full_url)
        assert parts.netloc == "api.cloudflare.com"
        assert request.full_url.startswith(
            f"https://api.cloudflare.com/client/v4/zones/{CLOUDFLARE_ZONE}/dns_records"
        )
        self.asked.append(request.get_method())
        self.before(request.get_method())
        if self.down:
            raise urllib.error.URLError("timed out")
        if request.get_header("Authorization") != f"Bearer {self.token}":
            raise _refusal(request, 403, 10000, "Authentication error")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        body = json.loads(request.data) if request.data else {}
        result = self._answer(request, parts.path.split("/dns_records")[1].strip("/"), query, body)
        return io.BytesIO(json.dumps({"success": True, "errors": [], "result": result}).encode())

    def _answer(self, request: Any, number: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        method = request.get_method()
        if number and number not in self.records:
            raise _refusal(request, 404, 81044, "Record does not exist.")
        if method == "GET":
            keys = ("type", "name")
            return [r for r in self.records.values() if all(r[key] == query[key] for key in keys)]
        if method == "DELETE":
            self.records.pop(number)
            return {"id": number}
        if not (body["ttl"] == 1 or 60 <= body["ttl"] <= 86400):
            raise _refusal(request, 400, 9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1.")
        others = [r for key, r in self.records.items() if key != number]
        if any((r["name"], r["content"]) == (body["name"], body["content"]) for r in others):
            raise _refusal(request, 400, 81058, "An identical record already exists.")
        if method == "POST":
            return self.add(body["name"], body["content"], ttl=body["ttl"], proxied=body["proxied"])
        self.records[number] |= body
        return self.records[number]


def _refusal(request: Any, status: int, code: int, message: str) -> urllib.error.HTTPError:
    envelope = {"success": False, "errors": [{"code": code, "message": message}], "result": None}
    body = io.BytesIO(json.dumps(envelope).encode())
    return urllib.error.HTTPError(request.full_url, status, "refused", Message(), body)


@dataclass
class Account:
    """All that the updater speaks to; ``records`` is what the MX host's name holds now."""

    gateways: Gateways
    cloudflare: Cloudflare
    provider: str
    zone: str
    route53: Any

    def records(self) -> set[str]:
        """The addresses that a resolver would get."""
        if self.provider == "cloudflare":
            return {content for content, _, _ in self.cloudflare.of(MX)}
        found = self.record_sets()
        return {item["Value"] for item in found[0]["ResourceRecords"]} if found else set()

    def record_sets(self) -> list[dict[str, Any]]:
        """Route 53's A record sets of the name."""
        sets = self.route53.list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]
        return [item for item in sets if (item["Name"], item["Type"]) == (f"{MX}.", "A")]


@contextmanager
def account(provider: str) -> Iterator[Account]:
    """The updater's surroundings with an empty zone at that provider, and its environment."""
    gateways, cloudflare = Gateways(), Cloudflare()
    with patch.dict("os.environ", _CREDENTIALS), mock_aws():
        zone = CLOUDFLARE_ZONE
        route53 = _client("route53")
        if provider == "route53":
            made = route53.create_hosted_zone(Name="example.net", CallerReference="1")
            zone = made["HostedZone"]["Id"].removeprefix("/hostedzone/")
        secret = _client("secretsmanager").create_secret(Name="token", SecretString=f"{TOKEN}\n")["ARN"]
        environment = {
            "CLUSTER": CLUSTER, "SERVICE": SERVICE, "MX_HOSTNAME": MX, "DNS_PROVIDER": provider,
            "DNS_ZONE_ID": zone, "TOKEN_SECRET_ARN": secret,
        }  # fmt: skip

        def client(service: str) -> Any:
            return gateways if service in ("ecs", "ec2") else _client(service)

        with (
            patch.dict("os.environ", environment),
            patch("boto3.client", client),
            patch("urllib.request.urlopen", cloudflare.open),
        ):
            yield Account(gateways, cloudflare, provider, zone, route53)
