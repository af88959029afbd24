"""A small AWS for the Fargate simulator's tests: moto, one sealed VPC bridge, and services made by hand."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import boto3
import httpx
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

from fixtures.aws.fargate.account import Clients
from fixtures.aws.fargate.config import Config
from fixtures.engine.client import engine
from fixtures.engine.execute import execute
from fixtures.engine.images import build_all
from fixtures.engine.labels import container_name, labels
from fixtures.plan import AWS_POOL
from fixtures.wait import wait_for
from fixtures.world.images import ROOT, catalogue

PLACE = "fargate-test"
REGION = "ap-northeast-1"
CLUSTER = "test-cluster"
EXECUTION_ROLE = "arn:aws:iam::000000000000:role/execution"
STRANGER_ROLE = "arn:aws:iam::000000000000:role/stranger"
TRUST = {"Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Effect": "Allow", "Action": "sts:AssumeRole"}
INWARD, OUTWARD = "public_to_private", "private_to_public"
_BRIDGE = "com.docker.network.bridge"


@dataclass(frozen=True)
class Emulated:
    """An account in which one emulator answers for every service."""

    moto_url: str
    region: str = REGION

    def client(self, service: str) -> Any:
        """A boto3 client."""
        session = boto3.session.Session("test", "test", region_name=self.region)
        return session.client(service, endpoint_url=self.moto_url)  # type: ignore[call-overload]


@dataclass
class World:
    """What the tests use."""

    clients: Clients
    network: str
    toolbox: str
    moto: Container
    subnet: str
    group: str
    log_file: Path
    used: set[str] = field(default_factory=set)
    gateway: list[Container] = field(default_factory=list)
    _probe: list[Container] = field(default_factory=list)

    def service(
        self,
        name: str,
        containers: list[dict[str, Any]],
        deployment: dict[str, Any] | None = None,
        balancers: list[dict[str, Any]] | None = None,
        **extra: Any,
    ) -> None:
        """Register a task definition and make (or roll) a service of one task from it."""
        arn = self.register(name, containers, **extra)
        self.used.add(name)
        network = {"subnets": [self.subnet], "securityGroups": [self.group], "assignPublicIp": "ENABLED"}
        ecs = self.clients("ecs")
        if ecs.describe_services(cluster=CLUSTER, services=[name])["services"]:
            ecs.update_service(cluster=CLUSTER, service=name, taskDefinition=arn)
            return
        ecs.create_service(
            cluster=CLUSTER,
            serviceName=name,
            taskDefinition=arn,
            desiredCount=1,
            launchType="FARGATE",
            deploymentConfiguration=deployment or {},
            loadBalancers=balancers or [],
            networkConfiguration={"awsvpcConfiguration": network},
        )

    def register(self, family: str, containers: list[dict[str, Any]], **extra: Any) -> str:
        """Register a task definition; returns its ARN."""
        request: dict[str, Any] = {
            "family": family,
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": EXECUTION_ROLE,
            "containerDefinitions": containers,
            **extra,
        }
        answer = self.clients("ecs").register_task_definition(**request)
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def container(self, name: str, script: str, **extra: Any) -> dict[str, Any]:
        """A container definition that runs a shell script in the tool box; 2 s after SIGTERM it is killed."""
        command = {"image": self.toolbox, "entryPoint": ["/bin/sh", "-c"], "command": [script]}
        return {"name": name, "essential": True, "stopTimeout": 2, **command, **extra}

    def scale(self, service: str, count: int) -> None:
        """Change a service's desired count."""
        self.clients("ecs").update_service(cluster=CLUSTER, service=service, desiredCount=count)

    def tasks(self, service: str, desired: str = "RUNNING") -> list[dict[str, Any]]:
        """A service's tasks as ECS describes them, oldest first."""
        ecs = self.clients("ecs")
        arns = ecs.list_tasks(cluster=CLUSTER, serviceName=service, desiredStatus=desired)["taskArns"]
        found = ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []
        return sorted(found, key=lambda task: task["createdAt"])

    def task(
        self, service: str, until: Callable[[dict[str, Any]], bool], seconds: int = 30
    ) -> dict[str, Any]:
        """Wait until the service's youngest live task satisfies ``until``, and return it."""
        return wait_for(
            f"a task of {service}",
            lambda: self.tasks(service)[-1],
            until=until,
            timeout=timedelta(seconds=seconds),
            retry_on=(IndexError,),
        )

    def inside(self, task: dict[str, Any], container: str) -> Container:
        """The engine's container of one container of a task."""
        return engine().containers.get(container_name(f"task-{task_id(task)[:8]}-{container}"))

    def translations(self, name: str) -> str:
        """One map of the Internet gateway, as nft lists it."""
        return execute(self.gateway[0], ["nft", "list", "map", "ip", "igw", name]).check().stdout

    def probe(self) -> Container:
        """A host of its own in the VPC."""
        if not self._probe:
            self._probe.append(
                engine().containers.run(
                    self.toolbox, ["sleep", "infinity"], name=container_name(f"{PLACE}-probe"),
                    labels=labels(PLACE), network=self.network, cap_add=["NET_ADMIN"], detach=True,
                )
            )  # fmt: skip
        return self._probe[0]

    def connects(self, address: str, port: int) -> bool:
        """Whether a TCP connection from the VPC's other host is accepted within 2 seconds."""
        return execute(self.probe(), ["nc", "-z", "-w", "2", address, str(port)]).status == 0


def task_id(task: dict[str, Any]) -> str:
    """The last part of a task's ARN."""
    return str(task["taskArn"]).rpartition("/")[2]


def detail(task: dict[str, Any], name: str) -> str:
    """One detail of the task's network interface attachment."""
    (value,) = [d["value"] for d in task["attachments"][0]["details"] if d["name"] == name]
    return str(value)


@contextmanager
def world(folder: Path, services: tuple[str, ...]) -> Iterator[World]:
    """Everything up, and away again afterwards."""
    images = catalogue()
    build_all([images["moto"], images["toolbox"]])
    network = _network()
    simulator = None
    try:
        made = _account(
            str(network.name), images["moto"].tag, images["toolbox"].tag, folder / "fargate.jsonl"
        )
        config = Config(
            moto_url=made.clients.account.moto_url,
            localstack_url=made.clients.account.moto_url,
            region=REGION,
            cluster=CLUSTER,
            services=services,
            toolbox_image=made.toolbox,
            log_file=made.log_file,
            network=made.network,
            resolver="192.0.2.53",
            igw_place=f"{PLACE}-igw",
            emit_events=False,
            shutdown_grace=1,
        )
        _gateway(made)
        simulator = _simulate(config, folder)
        yield made
        simulator.terminate()
        assert simulator.wait(30) == 0, (folder / "fargate.out").read_text()[-2000:]
        network.reload()
        assert {c.name for c in network.containers} <= {
            container_name(f"{PLACE}-{n}") for n in ("probe", "igw")
        }
    finally:
        if simulator:
            simulator.kill()
        for container in engine().containers.list(all=True, filters={"label": f"mailproof.place={PLACE}"}):
            container.remove(force=True, v=True)
        network.remove()


def _gateway(made: World) -> None:
    """An Internet gateway that only has the maps in which public and private addresses meet."""
    container = engine().containers.run(
        made.toolbox, ["sleep", "infinity"], name=container_name(f"{PLACE}-igw"), labels=labels(PLACE),
        network=made.network, cap_add=["NET_ADMIN"], sysctls={"net.ipv4.ip_forward": "1"}, detach=True,
    )  # fmt: skip
    maps = "".join(f"map {name} {{ type ipv4_addr : ipv4_addr; }}\n" for name in (INWARD, OUTWARD))
    # Client and targets are neighbours here: no redirect may lead one to the other past the gateway.
    quiet = "chain quiet { type filter hook output priority 0; icmp type redirect drop; }\n"
    execute(container, ["nft", "-f", "-"], stdin=f"table ip igw {{\n{maps}{quiet}}}\n".encode()).check()
    made.gateway.append(container)


def _simulate(config: Config, folder: Path) -> subprocess.Popen[bytes]:
    """Start the simulator as the world does: a process with a configuration file."""
    path = folder / "fargate.json"
    path.write_text(config.model_dump_json(), encoding="utf-8")
    argv = [sys.executable, "-m", "fixtures.aws.fargate", "--config", str(path)]
    with (folder / "fargate.out").open("wb") as output:
        return subprocess.Popen(argv, cwd=ROOT, stdout=output, stderr=output)


def _network() -> Network:
    """A sealed bridge; the engine chooses the range, then it is made again so that addresses can be given."""
    chosen = engine().networks.create(f"mailproof-net-{PLACE}", labels=labels(PLACE))
    chosen.reload()
    subnet = chosen.attrs["IPAM"]["Config"][0]["Subnet"]
    chosen.remove()
    return engine().networks.create(
        f"mailproof-net-{PLACE}",
        options={f"{_BRIDGE}.inhibit_ipv4": "true", f"{_BRIDGE}.enable_ip_masquerade": "false"},
        ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet, gateway=str(ip_network(subnet)[-2]))]),
        labels=labels(PLACE),
    )


def _account(network: str, moto_image: str, toolbox: str, log_file: Path) -> World:
    moto = engine().containers.run(
        moto_image, name=container_name(f"{PLACE}-moto"), labels=labels(PLACE), detach=True,
        ports={"5000/tcp": ("127.0.0.1", 0)},
        environment={"AWS_POOL": AWS_POOL, "MOTO_ACCOUNT_ID": "000000000000"},
    )  # fmt: skip
    url = wait_for("moto's port", lambda: _url(moto), timeout=timedelta(seconds=5), retry_on=(LookupError,))
    wait_for(
        "moto",
        lambda: httpx.get(f"{url}/_fargate/health", trust_env=False).status_code == 200,
        timeout=timedelta(seconds=30),
        retry_on=(httpx.HTTPError,),
    )
    clients = Clients(Emulated(url))
    engine_network = engine().networks.get(network)
    cidr = engine_network.attrs["IPAM"]["Config"][0]["Subnet"]
    ec2 = clients("ec2")
    vpc = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr)["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="mx", Description="mx", VpcId=vpc)["GroupId"]
    everyone = [{"CidrIp": "0.0.0.0/0"}]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 25, "ToPort": 25, "IpRanges": everyone}],
    )
    clients("ecs").create_cluster(clusterName=CLUSTER)
    for role in (EXECUTION_ROLE, STRANGER_ROLE):
        document = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
        clients("iam").create_role(RoleName=role.rpartition("/")[2], AssumeRolePolicyDocument=document)
    allowed = {"Effect": "Allow", "Action": ["logs:*", "secretsmanager:GetSecretValue"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    clients("iam").put_role_policy(RoleName="execution", PolicyName="all", PolicyDocument=policy)
    clients("logs").create_log_group(logGroupName="/ecs/test")
    return World(clients, network, toolbox, moto, subnet, group, log_file)


def _url(moto: Container) -> str:
    moto.reload()
    bindings = moto.ports["5000/tcp"] or []
    return f"http://127.0.0.1:{bindings[0]['HostPort']}"
