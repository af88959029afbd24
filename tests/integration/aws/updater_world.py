"""The deployed DNS updater with tasks made by hand: they are reported, and their events delivered."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from fixtures.aws.fargate.account import Clients
from fixtures.aws.fargate.delivery import Delivery
from fixtures.aws.fargate.events import state_change
from fixtures.aws.fargate.invocation import Functions
from fixtures.aws.fargate.network import Interface
from fixtures.aws.fargate.record import Status, TaskRecord
from fixtures.aws.fargate.taskdef import TaskPlan
from fixtures.aws.iam import role_may
from fixtures.aws.terraform import Terraform
from fixtures.site import load_site
from fixtures.world.cloud import host_zone
from tests.integration.aws.emulated import ROOT, Deployed, emulated_account, variables

MX = load_site(ROOT / "site.toml").mail.mx_hostname
FUNCTION = "mailserver-dns-updater"


@dataclass
class UpdaterWorld:
    """An account with the configuration applied, and what happened to the updater in ``notes``."""

    deployed: Deployed
    zone: str
    clients: Clients
    functions: Functions
    notes: list[dict[str, Any]] = field(default_factory=list)

    def task(self, *, group: str = "service:mailserver-mx-service") -> TaskRecord:
        """A task with an interface and a public address, on its way to RUNNING."""
        ec2 = self.clients("ec2")
        subnet = ec2.describe_subnets(Filters=[{"Name": "cidr-block", "Values": ["10.0.1.0/24"]}])
        raw = ec2.create_network_interface(SubnetId=subnet["Subnets"][0]["SubnetId"])["NetworkInterface"]
        made = ec2.allocate_address(Domain="vpc")
        ec2.associate_address(AllocationId=made["AllocationId"], NetworkInterfaceId=raw["NetworkInterfaceId"])
        outputs = self.deployed.outputs
        cluster = f"arn:aws:ecs:ap-northeast-1:000000000000:cluster/{outputs['cluster']}"
        definition = "arn:aws:ecs:ap-northeast-1:000000000000:task-definition/mailserver-mx-task:1"
        record = TaskRecord(TaskPlan(definition, "mx", 1, 256, 512, ()), cluster, group, "ecs-svc/1")
        record.interface = Interface(
            raw["NetworkInterfaceId"], "subnet", "02:00:00:00:00:01", "10.0.1.9", "host", "place", (),
            public_ip=made["PublicIp"], allocation=made["AllocationId"],
        )  # fmt: skip
        return record

    def becomes(self, record: TaskRecord, status: Status) -> None:
        """Report a task's new status to ECS, and deliver the event; a stopped task's interface is gone."""
        record.status = status
        record.version += 1
        record.desired = "RUNNING" if status <= Status.RUNNING else "STOPPED"
        assert record.interface
        if status is Status.STOPPED:
            ec2 = self.clients("ec2")
            ec2.release_address(AllocationId=record.interface.allocation)
            ec2.delete_network_interface(NetworkInterfaceId=record.interface.id)
        self.clients.put_task(record.cluster, record.describe())
        self.deliver(record)

    def deliver(self, record: TaskRecord) -> None:
        """Let the event of a task as it is happen (again)."""
        self.delivery.deliver(state_change(record, self.clients.region))

    @property
    def delivery(self) -> Delivery:
        """EventBridge and Lambda, with no time between attempts."""
        may = partial(role_may, self.clients)
        return Delivery(self.clients, may, self.functions.invoke, self._note, timedelta(0))

    def _note(self, event: str, **facts: Any) -> None:
        self.notes.append({"event": event, **facts})

    def records(self) -> list[tuple[int, list[str]]]:
        """TTL and addresses of the MX host's A record sets."""
        answer = self.clients("route53").list_resource_record_sets(HostedZoneId=self.zone)
        return [
            (item["TTL"], sorted(record["Value"] for record in item["ResourceRecords"]))
            for item in answer["ResourceRecordSets"]
            if (item["Name"], item["Type"]) == (f"{MX}.", "A")
        ]


@contextmanager
def updater_world(name: str, folder: Path) -> Iterator[UpdaterWorld]:
    """The configuration applied with the zone at Route 53; thrown away at the end."""
    with emulated_account(name) as account:
        zone = host_zone(account, MX)
        chosen = variables(dns_provider="route53", dns_zone_id=zone)
        terraform = Terraform.prepare(folder / "run", account, chosen)
        terraform.init()
        terraform.apply()
        clients = Clients(account)
        functions = Functions(clients, folder / "lambda.out")
        try:
            yield UpdaterWorld(Deployed(account, terraform, terraform.outputs()), zone, clients, functions)
        finally:
            functions.close()
