"""The design's own commands (2.2.3), unmodified, on tasks that were reported to the emulated ECS."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from fixtures.aws.session import AwsAccount
from fixtures.plan import AWS_POOL
from tests.integration.aws.emulated import emulated_account

PREFIX = "arn:aws:ecs:ap-northeast-1:000000000000"
CLUSTER, SERVICE = "mailserver-cluster", "mailserver-mx-service"
TASK = f"{PREFIX}:task/{CLUSTER}/0123456789abcdef0123456789abcdef"
SCRIPT = """
TASK_ARN=$(aws ecs list-tasks --cluster mailserver-cluster --service-name mailserver-mx-service \
  --region ap-northeast-1 --query 'taskArns[0]' --output text)
ENI_ID=$(aws ecs describe-tasks --cluster mailserver-cluster --tasks $TASK_ARN --region ap-northeast-1 \
  --query 'tasks[0].attachments[0].details[?name==`networkInterfaceId`].value' --output text)
PUBLIC_IP=$(aws ec2 describe-network-interfaces --network-interface-ids $ENI_ID --region ap-northeast-1 \
  --query 'NetworkInterfaces[0].Association.PublicIp' --output text)
echo "Fargate Public IP: $PUBLIC_IP"
"""


@pytest.fixture(scope="module")
def account() -> Iterator[AwsAccount]:
    """An account with a cluster and a service of one task definition."""
    with emulated_account("terraform-cli", "moto") as emulated:
        ecs = emulated.client("ecs")
        ecs.create_cluster(clusterName=CLUSTER)
        ecs.register_task_definition(
            family="mailserver-mx-task",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "postfix", "image": "mail/postfix:1"}],
        )
        ecs.create_service(
            cluster=CLUSTER,
            serviceName=SERVICE,
            taskDefinition="mailserver-mx-task",
            desiredCount=1,
            launchType="FARGATE",
            deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 200},
        )
        yield emulated


def report(account: AwsAccount, path: str, body: dict[str, Any]) -> httpx.Response:
    """Send what the Fargate simulator would send."""
    return httpx.put(f"{account.moto_url}/_fargate/{path}", json=body, trust_env=False)


def reported_task(account: AwsAccount, arn: str = TASK, **changed: Any) -> dict[str, Any]:
    """Report a task in DescribeTasks' shape."""
    task = {
        "taskArn": arn,
        "clusterArn": f"{PREFIX}:cluster/{CLUSTER}",
        "taskDefinitionArn": f"{PREFIX}:task-definition/mailserver-mx-task:1",
        "group": f"service:{SERVICE}",
        "startedBy": "ecs-svc/1",
        "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING",
        "createdAt": "2026-01-01T00:00:00Z",
        "containers": [{"name": "postfix", "lastStatus": "RUNNING", "healthStatus": "HEALTHY"}],
        **changed,
    }
    report(account, f"tasks/{CLUSTER}", task).raise_for_status()
    return task


def network_interface(account: AwsAccount) -> tuple[str, str]:
    """A network interface with a public address: its id and the address."""
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=interface)
    return interface, address["PublicIp"]


@pytest.mark.req("R-2.2.3-public-address")
def test_design_commands_print_the_public_address(account: AwsAccount) -> None:
    """The script of design 2.2.3 finds the address that the task's interface really has."""
    interface, address = network_interface(account)
    details = [{"name": "networkInterfaceId", "value": interface}]
    reported_task(account, attachments=[{"type": "ElasticNetworkInterface", "details": details}])
    environment = account.cli_environment()
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", SCRIPT], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == (f"Fargate Public IP: {address}\n", "")
    assert address.startswith(AWS_POOL.rsplit(".", 2)[0] + ".")


@pytest.mark.req("R-0-fargate-answers")
def test_listing_filters_by_service_and_status(account: AwsAccount) -> None:
    """Only running tasks of the service are listed, stopped ones on demand, as ECS does."""
    ecs = account.client("ecs")
    stopped = f"{PREFIX}:task/{CLUSTER}/ffffffffffffffffffffffffffffffff"
    other = f"{PREFIX}:task/{CLUSTER}/eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
    reported_task(account, other, group="family:other")
    reported_task(account, stopped, lastStatus="STOPPED", desiredStatus="STOPPED")
    listed = ecs.list_tasks(cluster=CLUSTER, serviceName=SERVICE)["taskArns"]
    assert set(listed).isdisjoint({stopped, other})
    assert other in ecs.list_tasks(cluster=CLUSTER)["taskArns"]
    on_demand = ecs.list_tasks(cluster=CLUSTER, serviceName=SERVICE, desiredStatus="STOPPED")["taskArns"]
    assert stopped in on_demand
    assert other not in on_demand
    answer = ecs.describe_tasks(cluster=CLUSTER, tasks=[stopped, "unknown"])
    assert [task["lastStatus"] for task in answer["tasks"]] == ["STOPPED"]
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


@pytest.mark.req("R-0-fargate-answers")
def test_a_stop_that_was_asked_for_sticks(account: AwsAccount) -> None:
    """StopTask changes the desired status, and a later report of the running task does not take it back."""
    ecs = account.client("ecs")
    arn = f"{PREFIX}:task/{CLUSTER}/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    reported_task(account, arn)
    ecs.stop_task(cluster=CLUSTER, task=arn, reason="maintenance")
    reported_task(account, arn)
    [task] = ecs.describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"]
    assert (task["desiredStatus"], task["lastStatus"]) == ("STOPPED", "RUNNING")
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "maintenance")
    with pytest.raises(ClientError, match="not found"):
        ecs.stop_task(cluster=CLUSTER, task="unknown")


@pytest.mark.req("R-0-fargate-answers")
def test_counts_are_what_was_reported(account: AwsAccount) -> None:
    """A service imagines no running tasks: neither at first nor when it is scaled."""
    ecs = account.client("ecs")

    def counts() -> tuple[int, int, int, str]:
        [service] = ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"]
        [deployment] = service["deployments"]
        assert deployment["runningCount"] == service["runningCount"]
        numbers = (service["desiredCount"], service["runningCount"], service["pendingCount"])
        return (*numbers, deployment["rolloutState"])

    assert counts() == (1, 0, 0, "IN_PROGRESS")
    report(
        account, f"services/{CLUSTER}/{SERVICE}", {"runningCount": 1, "pendingCount": 0}
    ).raise_for_status()
    assert counts() == (1, 1, 0, "COMPLETED")
    ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=2)
    assert counts()[:2] == (2, 1)
    ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=1)


@pytest.mark.req("R-0-fargate-answers")
def test_nonsense_reports_are_refused(account: AwsAccount) -> None:
    """A report without the keys of a task, of another cluster, or for an unknown service is an error."""
    assert report(account, f"tasks/{CLUSTER}", {"taskArn": TASK}).status_code == 400
    assert report(account, "services/nowhere/nothing", {"runningCount": 1}).status_code == 404
    assert httpx.get(f"{account.moto_url}/_fargate/other", trust_env=False).status_code == 404
