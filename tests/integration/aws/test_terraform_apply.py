"""The deployable configuration applies, is then complete, and means what the design says."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.aws.iam import role_may, role_policies
from fixtures.aws.terraform import Terraform
from tests.integration.aws.emulated import Deployed, emulated_account, variables

SECRET = "tskey-" + "auth-of-this-test"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The configuration applied; at the end its account is thrown away."""
    with emulated_account("terraform-test") as account:
        terraform = Terraform.prepare(tmp_path_factory.mktemp("run"), account, variables())
        terraform.init()
        terraform.apply()
        yield Deployed(account, terraform, terraform.outputs())


def service(deployed: Deployed) -> dict[str, Any]:
    """The gateway's service."""
    answer = deployed.client("ecs").describe_services(
        cluster="mailserver-cluster", services=["mailserver-mx-service"]
    )
    return dict(answer["services"][0])


def task_definition(deployed: Deployed) -> dict[str, Any]:
    """The registered task definition the service names."""
    arn = service(deployed)["taskDefinition"]
    return dict(deployed.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"])


@pytest.mark.req("R-10.2-plan-empty", "R-6.1.1-values-outside")
def test_a_second_plan_is_empty_and_a_value_stays_out_of_the_state(deployed: Deployed) -> None:
    """After apply, and after the owner has put the secret in, there is nothing left to change."""
    secrets = deployed.client("secretsmanager")
    arn = deployed.outputs["auth_key_secret_arn"]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        secrets.get_secret_value(SecretId=arn)  # exists, without a value
    secrets.put_secret_value(SecretId=arn, SecretString=SECRET)
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == SECRET
    assert deployed.terraform.pending_changes() == []
    state = (deployed.terraform.folder / "terraform.tfstate").read_text(encoding="utf-8")
    assert arn in state
    assert SECRET not in state


@pytest.mark.req("R-3.1-names", "R-6.1.1-sendgrid-secret", "R-6.1.1-auth-key-secret")
def test_outputs_name_what_exists(deployed: Deployed) -> None:
    """Names of the design, full secret ARNs, and no address without the load balancer."""
    outputs = deployed.outputs
    assert outputs["cluster"] == "mailserver-cluster"
    assert outputs["service"] == "mailserver-mx-service"
    assert outputs["log_group"] == "/ecs/mailserver-mx"
    assert outputs["mx_addresses"] == []
    names = {
        "sendgrid_secret_arn": "mailserver/sendgrid/api-key",
        "auth_key_secret_arn": "mailserver/tailscale/fargate-auth-key",
    }
    for output, name in names.items():
        arn = outputs[output]
        assert re.search(rf"^arn:aws:secretsmanager:ap-northeast-1:\d{{12}}:secret:{name}-\w{{6}}$", arn)
        assert deployed.client("secretsmanager").describe_secret(SecretId=arn)["Name"] == name


@pytest.mark.req("R-3.1-container-insights")
def test_the_cluster_has_the_metric_of_its_liveness_alarm(deployed: Deployed) -> None:
    """Container Insights is on: without it no metric counts the running tasks (F36)."""
    answer = deployed.client("ecs").describe_clusters(clusters=["mailserver-cluster"], include=["SETTINGS"])
    [cluster] = answer["clusters"]
    assert cluster["settings"] == [{"name": "containerInsights", "value": "enabled"}]


@pytest.mark.req("R-2.2.1-dynamic-is-single")
def test_dynamic_address_has_no_balancer_and_does_not_scale(deployed: Deployed) -> None:
    """``dynamic``: no load balancer, Elastic IP or auto scaling beside the one service (F15)."""
    assert service(deployed)["loadBalancers"] == []
    assert deployed.client("elbv2").describe_load_balancers()["LoadBalancers"] == []
    assert deployed.client("ec2").describe_addresses()["Addresses"] == []
    scaling = deployed.client("application-autoscaling")
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []


@pytest.mark.req("R-6.3.1-only-25-inwards", "R-6.3.1-all-outwards")
def test_exactly_one_rule_inwards(deployed: Deployed) -> None:
    """The security group of the service admits TCP 25 and nothing else (F30)."""
    groups = service(deployed)["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"]
    [group] = deployed.client("ec2").describe_security_groups(GroupIds=groups)["SecurityGroups"]
    [rule] = group["IpPermissions"]
    assert group["GroupName"] == "fargate-sg"
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 25, 25)
    assert [item["CidrIp"] for item in rule["IpRanges"]] == ["0.0.0.0/0"]
    assert [item["IpProtocol"] for item in group["IpPermissionsEgress"]] == ["-1"]


@pytest.mark.req("R-2.1-two-zones", "R-2.1-vpc-range")
def test_service_spans_both_zones(deployed: Deployed) -> None:
    """Two subnets of 10.0.0.0/16 in two zones, with a way to the Internet (F32, design 2.1)."""
    network = service(deployed)["networkConfiguration"]["awsvpcConfiguration"]
    ec2 = deployed.client("ec2")
    subnets = ec2.describe_subnets(SubnetIds=network["subnets"])["Subnets"]
    assert {(item["CidrBlock"], item["AvailabilityZone"]) for item in subnets} == {
        ("10.0.1.0/24", "ap-northeast-1a"),
        ("10.0.2.0/24", "ap-northeast-1c"),
    }
    [vpc] = ec2.describe_vpcs(VpcIds=sorted({item["VpcId"] for item in subnets}))["Vpcs"]
    assert vpc["CidrBlock"] == "10.0.0.0/16"
    assert network["assignPublicIp"] == "ENABLED"
    for subnet in network["subnets"]:
        [table] = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])[
            "RouteTables"
        ]
        gateways = {route["DestinationCidrBlock"]: route.get("GatewayId", "") for route in table["Routes"]}
        assert gateways["0.0.0.0/0"].startswith("igw-")


@pytest.mark.req("R-3.3-rolling")
def test_service_rolls_without_a_gap(deployed: Deployed) -> None:
    """ECS's rolling update with a circuit breaker, on a numbered revision (F22, F23)."""
    found = service(deployed)
    settings = found["deploymentConfiguration"]
    assert found["deploymentController"] == {"type": "ECS"}
    assert (settings["minimumHealthyPercent"], settings["maximumPercent"]) == (100, 200)
    assert settings["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert re.search(r":task-definition/mailserver-mx-task:\d+$", found["taskDefinition"])
    assert found["desiredCount"] == 1


@pytest.mark.req(
    "R-3.2-fargate-form", "R-1.2-no-floating-tag", "R-3.2-secret-not-environment", "R-3.2-secret-full-arn"
)
def test_registered_task_definition(deployed: Deployed) -> None:
    """Fargate's form, fixed images, a secret by full ARN, no name both secret and environment (F21, F27)."""
    task = task_definition(deployed)
    assert (task["networkMode"], task["requiresCompatibilities"]) == ("awsvpc", ["FARGATE"])
    assert (task["cpu"], task["memory"]) == ("256", "512")
    assert len(task["containerDefinitions"]) == 3
    for container in task["containerDefinitions"]:
        assert re.search(r":(?!latest$)[\w.-]+$", container["image"])
        secrets = {item["name"]: item["valueFrom"] for item in container.get("secrets", [])}
        assert set(secrets).isdisjoint(item["name"] for item in container["environment"])
        assert list(secrets.values()) == (
            [deployed.outputs["auth_key_secret_arn"]] if container["name"] == "tailscale" else []
        )


@pytest.mark.req("R-3.4-execution-role", "R-3.4-task-role-empty", "R-6.1.1-key-by-role-alone")
def test_roles(deployed: Deployed) -> None:
    """The execution role does what ECS needs and no more; the task role can do nothing (F25, F26)."""
    task = task_definition(deployed)
    execution = task["executionRoleArn"].rsplit("/", 1)[-1]
    key, sendgrid = deployed.outputs["auth_key_secret_arn"], deployed.outputs["sendgrid_secret_arn"]
    stream = (
        "arn:aws:logs:ap-northeast-1:000000000000:log-group:/ecs/mailserver-mx:log-stream:postfix/postfix/1"
    )
    may = {
        (action, resource): role_may(deployed.account, execution, action, resource).allowed
        for action, resource in (
            ("secretsmanager:GetSecretValue", key),
            ("secretsmanager:GetSecretValue", sendgrid),
            ("secretsmanager:PutSecretValue", key),
            ("logs:PutLogEvents", stream),
            ("logs:PutLogEvents", stream.replace("mailserver-mx", "other")),
            ("ecr:GetAuthorizationToken", "*"),
        )
    }
    assert list(may.values()) == [True, False, False, True, False, True]
    assert task["taskRoleArn"].endswith(":role/mailserver-fargate-task-role")
    assert role_policies(deployed.account, "mailserver-fargate-task-role") == []


@pytest.mark.req("R-8.1-log-group")
def test_log_group(deployed: Deployed) -> None:
    """Kept for as long as the site says, under AWS's own key (F39)."""
    [group] = deployed.client("logs").describe_log_groups(logGroupNamePrefix="/ecs/")["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == ("/ecs/mailserver-mx", 30)
    assert "kmsKeyId" not in group


@pytest.mark.req("R-8.2-liveness-alarm", "R-8.2-load-alarms", "R-8.2-thresholds")
def test_alarms_watch_metrics_that_exist(deployed: Deployed) -> None:
    """Metrics of ECS's own lists; a service that is gone is an alarm, not a gap in the data (F36, F37).

    Load is one above 80 % for ten minutes (design 8.2).
    """
    alarms = {
        alarm["AlarmName"]: alarm for alarm in deployed.client("cloudwatch").describe_alarms()["MetricAlarms"]
    }
    assert {name: (alarm["Namespace"], alarm["MetricName"]) for name, alarm in alarms.items()} == {
        "FargateTaskFailure": ("ECS/ContainerInsights", "RunningTaskCount"),
        "FargateHighCPU": ("AWS/ECS", "CPUUtilization"),
        "FargateHighMemory": ("AWS/ECS", "MemoryUtilization"),
        "HomeServerSilent": ("Mailserver", "Heartbeat"),
    }
    assert alarms["FargateTaskFailure"]["TreatMissingData"] == "breaching"
    for name in ("FargateHighCPU", "FargateHighMemory"):
        load = alarms[name]
        assert (load["Statistic"], load["ComparisonOperator"]) == ("Average", "GreaterThanThreshold"), name
        assert (load["Threshold"], load["Period"] * load["EvaluationPeriods"]) == (80, 600), name
    del alarms["HomeServerSilent"]  # not of ECS's: its metric is what the home server sends
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == [deployed.outputs["alerts_topic_arn"]]
        assert {item["Name"]: item["Value"] for item in alarm["Dimensions"]} == {
            "ClusterName": "mailserver-cluster",
            "ServiceName": "mailserver-mx-service",
        }


@pytest.mark.req("R-8.4-topic")
def test_alerts_reach_the_administrator(deployed: Deployed) -> None:
    """The topic has the site's administrator as its subscriber and lets alarms and events publish."""
    sns = deployed.client("sns")
    arn = deployed.outputs["alerts_topic_arn"]
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "admin@example.net")
    policy = json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    senders = {statement["Principal"]["Service"]: statement for statement in policy["Statement"]}
    assert set(senders) == {"events.amazonaws.com", "cloudwatch.amazonaws.com"}
    assert "Condition" not in senders["events.amazonaws.com"]


@pytest.mark.req("R-8.2-crash-event")
@pytest.mark.parametrize(
    ("detail", "alerts"),
    [
        (
            {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"},
            True,
        ),
        ({"stopCode": "TaskFailedToStart", "stoppedReason": "ResourceInitializationError: …"}, True),
        (
            {"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Task failed container health checks"},
            True,
        ),
        (
            {"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Scaling activity initiated by …"},
            False,
        ),
        ({"stopCode": "UserInitiated", "stoppedReason": "Task stopped by user"}, False),
        ({"stopCode": "EssentialContainerExited", "lastStatus": "RUNNING"}, False),
        ({"stopCode": "EssentialContainerExited", "group": "service:other"}, False),
    ],
)
def test_crash_rule(deployed: Deployed, detail: dict[str, str], alerts: bool) -> None:
    """A task that stops by itself or for its health raises an alert, one told to stop does not (F36)."""
    events = deployed.client("events")
    rule = events.describe_rule(Name="FargateTaskCrashed")
    [target] = events.list_targets_by_rule(Rule="FargateTaskCrashed")["Targets"]
    event = {
        "id": "1",
        "account": "000000000000",
        "region": "ap-northeast-1",
        "time": "2026-01-01T00:00:00Z",
        "resources": [],
        "source": "aws.ecs",
        "detail-type": "ECS Task State Change",
        "detail": {
            "clusterArn": "arn:aws:ecs:ap-northeast-1:000000000000:cluster/mailserver-cluster",
            "group": "service:mailserver-mx-service",
            "lastStatus": "STOPPED",
            **detail,
        },
    }
    matched = events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(event))
    assert matched["Result"] is alerts
    assert target["Arn"] == deployed.outputs["alerts_topic_arn"]
