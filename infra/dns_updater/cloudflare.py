"""A records in a Cloudflare zone, through API v4 (developers.cloudflare.com/api): one record an address."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

API = "https://api.cloudflare.com/client/v4"
_TIMEOUT = 10
_EXISTS, _IS_GONE = {81057, 81058}, {81044}  # somebody else did the same a moment before


class CloudflareError(RuntimeError):
    """Cloudflare refused or did not answer: what was tried and Cloudflare's words, never the token."""

    def __init__(
        self, attempt: str, status: int | None, errors: list[dict[str, Any]], detail: str = ""
    ) -> None:
        self.codes = {int(error.get("code", 0)) for error in errors}
        words = "; ".join(f"{error.get('code')}: {error.get('message')}" for error in errors) or detail
        super().__init__(f"Cloudflare, {attempt}: {f'HTTP {status}: ' if status else ''}{words}")


class Records:
    """The A records of one name in one zone."""

    def __init__(self, zone: str, name: str, ttl: int, token: str) -> None:
        self._path = f"/zones/{zone}/dns_records"
        self._name = name.rstrip(".")
        self._ttl = ttl
        self._token = token

    def make(self, addresses: frozenset[str]) -> bool:
        """Make the records exactly these addresses; returns whether that changed anything.

        New ones come before old ones go: the name is never without an address while there is one.
        """
        present = self._call("GET", f"?{urlencode({'type': 'A', 'name': self._name, 'per_page': 100})}")
        right = {record["content"]: record for record in present if self._is_right(record, addresses)}
        surplus = [record for record in present if right.get(record["content"]) != record]
        spoilt = {record["content"]: record for record in surplus if record["content"] in addresses}
        for address in sorted(addresses - set(right)):
            if address in spoilt:  # the address is there, with a wrong TTL or proxied
                surplus.remove(spoilt[address])
                self._call("PUT", f"/{spoilt[address]['id']}", self._record(address))
            else:
                self._call("POST", "", self._record(address), fine=_EXISTS)
        for record in surplus:
            self._call("DELETE", f"/{record['id']}", fine=_IS_GONE)
        return bool(surplus) or set(right) != addresses

    def _is_right(self, record: dict[str, Any], addresses: frozenset[str]) -> bool:
        return record["content"] in addresses and record["ttl"] == self._ttl and not record["proxied"]

    def _record(self, address: str) -> dict[str, Any]:
        # Cloudflare's proxy speaks HTTP only: behind it no mail would arrive (F05).
        return {"type": "A", "name": self._name, "content": address, "ttl": self._ttl, "proxied": False}

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, fine: set[int] | None = None
    ) -> Any:
        """The result of one call; ``fine`` are error codes that mean that nothing is left to do."""
        request = urllib.request.Request(
            API + self._path + path,
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        attempt = f"{method} {self._path}{path}"
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            failure = CloudflareError(attempt, error.code, _errors(error.read()), error.reason)
            if failure.codes and failure.codes <= (fine or set()):
                return None
            raise failure from None  # the request, and with it the token, stays out of the trace
        except (OSError, ValueError) as error:
            raise CloudflareError(attempt, None, [], str(error)) from None
        if not answer.get("success"):
            raise CloudflareError(attempt, None, answer.get("errors") or [], "no success, no reason")
        return answer.get("result")


def _errors(body: bytes) -> list[dict[str, Any]]:
    """The errors of Cloudflare's envelope; none when something else answered, such as a proxy."""
    try:
        errors = json.loads(body)["errors"]
    except (ValueError, KeyError, TypeError):
        return []
    return errors if isinstance(errors, list) else []
