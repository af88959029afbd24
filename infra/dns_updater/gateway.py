"""What runs: the service's tasks as ECS knows them, and the public addresses of their interfaces."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3

Task = Mapping[str, Any]


@dataclass(frozen=True)
class Known:
    """One look: the addresses of the running tasks, and the tasks that have none."""

    addresses: frozenset[str]
    without_address: frozenset[str]


class Service:
    """The gateway's ECS service."""

    def __init__(self, cluster: str, service: str) -> None:
        self._cluster = cluster
        self._service = service
        self._ecs = boto3.client("ecs")
        self._ec2 = boto3.client("ec2")

    def look(self, told: Task) -> Known:
        """What runs now. ``told``, an event's task, counts where it is newer than what ECS answers.

        ECS's answers may lag behind its events; ``version`` grows with each change of a task. A task that
        ECS does not know (any more) does not run, whatever an old event says.
        """
        tasks = [task if told.get("taskArn") != task["taskArn"] else _newer(task, told)
                 for task in self._tasks(told)]  # fmt: skip
        interfaces = {task["taskArn"]: _interface(task) for task in tasks if runs(task)}
        public = self._addresses(filter(None, interfaces.values()))
        return Known(
            frozenset(public.values()),
            frozenset(arn for arn, interface in interfaces.items() if interface not in public),
        )

    def _tasks(self, told: Task) -> list[Task]:
        """The tasks that are to run, and the one that the event is about."""
        pages = self._ecs.get_paginator("list_tasks").paginate(
            cluster=self._cluster, serviceName=self._service
        )
        arns = {arn for page in pages for arn in page["taskArns"]}
        if told.get("taskArn"):
            arns.add(told["taskArn"])
        if not arns:
            return []
        answer = self._ecs.describe_tasks(cluster=self._cluster, tasks=sorted(arns))
        return [dict(task) for task in answer["tasks"] if task.get("group") == f"service:{self._service}"]

    def _addresses(self, interfaces: Iterable[str]) -> dict[str, str]:
        """Public addresses by interface; a filter, because an id that is gone would be an error."""
        wanted = sorted(interfaces)
        if not wanted:
            return {}
        answer = self._ec2.describe_network_interfaces(
            Filters=[{"Name": "network-interface-id", "Values": wanted}]
        )
        return {
            found["NetworkInterfaceId"]: found["Association"]["PublicIp"]
            for found in answer["NetworkInterfaces"]
            if found.get("Association", {}).get("PublicIp")
        }


def runs(task: Task) -> bool:
    """Whether mail may still be sent to a task: it runs and nobody has asked for its end.

    A task that is to stop has its grace period before it: the address leaves the DNS first (F04).
    """
    return bool(task["lastStatus"] == "RUNNING" == task["desiredStatus"])


def _newer(described: Task, told: Task) -> Task:
    return told if told.get("version", 0) > described.get("version", 0) else described


def _interface(task: Task) -> str | None:
    """The id of the task's network interface, from its attachment's details (design 2.2.3)."""
    for attachment in task.get("attachments", ()):
        for detail in attachment.get("details", ()):
            if detail["name"] == "networkInterfaceId":
                return str(detail["value"])
    return None
