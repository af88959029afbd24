"""The design's own commands (section 2.2.3), unmodified, find the address at which port 25 answers."""

import subprocess
from ipaddress import ip_address, ip_network

import pytest

from fixtures import plan
from fixtures.probe.reach import Answer, probe
from fixtures.targets.sim import Sim
from fixtures.world.cloud import parse_log
from fixtures.world.images import ROOT
from fixtures.world.state import RUN_DIR

COMMANDS = r"""
TASK_ARN=$(aws ecs list-tasks --cluster mailserver-cluster --service-name mailserver-mx-service --region ap-northeast-1 --query 'taskArns[0]' --output text)
ENI_ID=$(aws ecs describe-tasks --cluster mailserver-cluster --tasks $TASK_ARN --region ap-northeast-1 --query 'tasks[0].attachments[0].details[?name==`networkInterfaceId`].value' --output text)
PUBLIC_IP=$(aws ec2 describe-network-interfaces --network-interface-ids $ENI_ID --region ap-northeast-1 --query 'NetworkInterfaces[0].Association.PublicIp' --output text)
echo "Fargate Public IP: $PUBLIC_IP"
"""  # noqa: E501


@pytest.mark.req("R-2.2.3-public-address")
def test_the_designs_commands_print_the_gateways_address(world: Sim) -> None:
    """The printed address is what the MX host's name resolves to, and 25 answers there from the Internet."""
    world.gateway.healthy()
    environment = world.aws.cli_environment()
    environment["PATH"] = f"{ROOT / '.mailproof/venv/bin'}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-eu", "-c", COMMANDS],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Fargate Public IP: ")
    address = done.stdout.split(": ")[1].strip()
    assert probe(world.vantage("internet-host"), address, 25) is Answer.OPEN
    assert world.nameserver.lookup(world.site.mail.mx_hostname) == [address]


@pytest.mark.req("R-2.2.1-updater", "R-2.2.1-short-ttl")
def test_the_updater_has_set_the_record(world: Sim) -> None:
    """The deployed function ran for the serving task; the name has its address, for 60 s at most (F04)."""
    task, mx = world.gateway.healthy(), world.site.mail.mx_hostname
    address = world.gateway.public_address(task)
    assert world.nameserver.lookup(mx) == [address]
    assert 0 < world.nameserver.ttl(mx) <= 60
    runs = [entry for entry in parse_log(RUN_DIR) if entry["event"] == "function"]
    assert {entry["function"] for entry in runs} == {"mailserver-dns-updater"}
    assert {"addresses": [address]} in [entry["result"] for entry in runs]


@pytest.mark.req("R-2.2-mx-names-host")
def test_the_mx_records_name_that_host(world: Sim) -> None:
    """For each domain one MX record, and its target is a name with an address (F05)."""
    mx = world.site.mail.mx_hostname
    for domain in world.site.mail.domains:
        assert world.nameserver.lookup(domain, "MX") == [f"10 {mx}."]
    world.gateway.healthy()
    [address] = world.nameserver.lookup(mx)  # an alias would be answered with two lines
    assert ip_address(address) in ip_network(plan.AWS_POOL)
