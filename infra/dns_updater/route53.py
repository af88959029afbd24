"""A records in a Route 53 hosted zone: one record set, replaced in one step."""

from typing import Any

import boto3


class Records:
    """The A record set of one name in one zone."""

    def __init__(self, zone: str, name: str, ttl: int) -> None:
        self._zone = zone
        self._name = f"{name.rstrip('.')}."
        self._ttl = ttl
        self._client = boto3.client("route53")

    def make(self, addresses: frozenset[str]) -> bool:
        """Make the set exactly these addresses, or remove it; returns whether that changed anything."""
        present = self._present()
        wanted = self._record_set(addresses) if addresses else None
        if _gist(present) == _gist(wanted):
            return False
        # Only the very set that is there can be deleted.
        change = {"Action": "UPSERT" if wanted else "DELETE", "ResourceRecordSet": wanted or present}
        self._client.change_resource_record_sets(
            HostedZoneId=self._zone,
            ChangeBatch={"Comment": "running gateway tasks", "Changes": [change]},
        )
        return True

    def _present(self) -> dict[str, Any] | None:
        answer = self._client.list_resource_record_sets(
            HostedZoneId=self._zone, StartRecordName=self._name, StartRecordType="A", MaxItems="1"
        )
        for found in answer["ResourceRecordSets"]:  # the list starts there; it need not hold it
            if (found["Name"].lower(), found["Type"]) == (self._name.lower(), "A"):
                return dict(found)
        return None

    def _record_set(self, addresses: frozenset[str]) -> dict[str, Any]:
        values = [{"Value": address} for address in sorted(addresses)]
        return {"Name": self._name, "Type": "A", "TTL": self._ttl, "ResourceRecords": values}


def _gist(record_set: dict[str, Any] | None) -> tuple[Any, ...] | None:
    """What resolvers see of a record set, whatever its order; an alias never equals addresses."""
    if record_set is None:
        return None
    values = {record["Value"] for record in record_set.get("ResourceRecords", ())}
    return record_set.get("TTL"), frozenset(values)
