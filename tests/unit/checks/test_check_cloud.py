"""What a check says of AWS: well, not well, and the many ways not to be let in."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from fixtures.aws.iam import Request, evaluate
from fixtures.checks import cloud
from fixtures.checks.item import Finding
from fixtures.proof.verdict import Word
from fixtures.world.images import ROOT
from tests.unit.checks.system import seen, system

pytestmark = pytest.mark.req("R-0-target-aws")

TABLE = '[aws]\nprofile = "reader"\nregion = "ap-northeast-1"\n'
NAMES = ("aws: account", "aws: gateway", "aws: alarms")
IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>a</Arn><UserId>u</UserId>"
    "<Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
TASK = "arn:aws:ecs:ap-northeast-1:000000000000:task-definition/mailserver-mx:7"
TOPIC = "arn:aws:sns:ap-northeast-1:000000000000:mailserver-alerts"
SCALING = "arn:aws:autoscaling:ap-northeast-1:000000000000:scalingPolicy:x:policyName/mailserver"

FORBIDDEN = (
    "ecs:UpdateService",
    "ecs:ExecuteCommand",
    "secretsmanager:GetSecretValue",
    "sns:Publish",
    "cloudwatch:DisableAlarmActions",
    "cloudwatch:PutMetricData",
    "iam:CreateAccessKey",
)


class _Answers:
    """What the stand-in for AWS says: each service's answer, or one refusal for all."""

    def __init__(self) -> None:
        self.account = "000000000000"
        self.services: list[dict[str, Any]] = [
            {"runningCount": 1, "desiredCount": 1, "taskDefinition": TASK, "serviceName": "s"}
        ]
        self.alarms: list[tuple[str, str]] = [("CpuLow", SCALING)]
        self.refusal: str | None = None

    def to(self, headers: Any, body: bytes) -> tuple[int, bytes, str]:
        """Status, body and content type of the answer to one request."""
        by_query = b"Action=GetCallerIdentity" in body
        if self.refusal and by_query:
            error = f"<Error><Code>{self.refusal}</Code><Message>m</Message></Error>"
            return 403, f"<ErrorResponse>{error}</ErrorResponse>".encode(), "text/xml"
        if self.refusal:
            return (
                400,
                json.dumps({"__type": f"x#{self.refusal}", "message": "m"}).encode(),
                "application/json",
            )
        if by_query:
            return 200, IDENTITY.format(account=self.account).encode(), "text/xml"
        if "DescribeServices" in (headers.get("X-Amz-Target") or ""):
            return 200, json.dumps({"services": self.services, "failures": []}).encode(), "application/json"
        alarms = [{"AlarmName": name, "AlarmActions": [action]} for name, action in self.alarms]
        return 200, json.dumps({"MetricAlarms": alarms}).encode(), "application/json"


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Answers]:
    """A stand-in for AWS's endpoints, and a profile ``reader`` that leads there."""
    answers = _Answers()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, text, kind = answers.to(self.headers, body)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    (tmp_path / "config").write_text("[profile reader]\nregion = ap-northeast-1\n", encoding="utf-8")
    (tmp_path / "credentials").write_text(
        "[reader]\naws_access_key_id = test\naws_secret_access_key = test\n", encoding="utf-8"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as steps:
        server = steps.enter_context(HTTPServer(("127.0.0.1", 0), Handler))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        steps.callback(thread.join)
        steps.callback(server.shutdown)
        yield answers


def _look(folder: Path, name: str) -> Finding:
    return seen(cloud.looks(system(folder, ["aws"], TABLE)), name)


@pytest.mark.usefixtures("aws")
def test_a_gateway_that_is_well_passes(tmp_path: Path) -> None:
    """With the task definition's revision, so that a deployment is seen as a change."""
    assert [_look(tmp_path, name) for name in NAMES] == [
        (Word.PASS, "000000000000"),
        (Word.PASS, "1 of 1 tasks run; mailserver-mx:7"),
        (Word.PASS, "none is on"),
    ]


def test_the_names_are_those_that_terraform_gives() -> None:
    """A cluster or service of another name would never be found."""
    text = (ROOT / "infra/terraform/ecs.tf").read_text("utf-8")
    assert re.search(r'"aws_ecs_cluster" "mailserver" \{\n  name = "([\w-]+)"', text)[1] == cloud.CLUSTER  # type: ignore[index]
    assert re.search(r'^  service = "([\w-]+)"$', text, re.MULTILINE)[1] == cloud.SERVICE  # type: ignore[index]


def _other_account(answers: _Answers) -> None:
    answers.account = "111111111111"


def _no_task(answers: _Answers) -> None:
    answers.services[0]["runningCount"] = 0


def _no_service(answers: _Answers) -> None:
    answers.services = []


def _alarm(answers: _Answers) -> None:
    answers.alarms.append(("HomeServerSilent", TOPIC))


@pytest.mark.parametrize(
    ("change", "name", "told"),
    [
        (_other_account, "aws: account", "111111111111; the site file has 000000000000"),
        (_no_task, "aws: gateway", "0 of 1 tasks run"),
        (_no_service, "aws: gateway", "there is no service mailserver-mx-service"),
        (_alarm, "aws: alarms", "on: HomeServerSilent"),
    ],
)
def test_what_is_not_well_fails(
    aws: _Answers, tmp_path: Path, change: Callable[[_Answers], None], name: str, told: str
) -> None:
    """With what is there."""
    change(aws)
    word, text = _look(tmp_path, name)
    assert (word, text.startswith(told)) == (Word.FAIL, True), text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "code", ["ExpiredTokenException", "AccessDeniedException", "UnrecognizedClientException"]
)
def test_a_profile_that_is_not_let_in_proves_nothing(
    aws: _Answers, tmp_path: Path, code: str, name: str
) -> None:
    """An expired one above all: whatever the gateway does, nobody has looked."""
    aws.refusal = code
    word, text = _look(tmp_path, name)
    assert word is Word.COULD_NOT_TELL, text
    assert text.startswith(f"PermissionMissing: AWS profile reader: {code} for ")


def test_a_profile_that_is_not_there_proves_nothing(
    aws: _Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does AWS that does not answer."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    word, text = _look(tmp_path, "aws: gateway")
    assert (word, "VantageDown: AWS profile reader: AWS does not answer" in text) == (
        Word.COULD_NOT_TELL,
        True,
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    word, text = _look(tmp_path, "aws: gateway")
    assert (word, "PermissionMissing: AWS profile reader" in text) == (Word.COULD_NOT_TELL, True), text


@pytest.mark.req("R-0-check-access")
def test_the_documented_policy_reads_and_nothing_else() -> None:
    """The actions that the check calls, by the evaluator; none that changes the gateway or reads a secret."""
    found = re.search(r"```json\n(\{.*?\})\n```", (ROOT / "docs/targets.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    policy = json.loads(found[1])
    service = "arn:aws:ecs:ap-northeast-1:000000000000:service/mailserver-cluster/mailserver-mx-service"
    asked = {
        action: Request(action, service if action.startswith("ecs") else "*") for action in cloud.ACTIONS
    }
    assert {action for action, request in asked.items() if evaluate([policy], request)} == set(cloud.ACTIONS)
    for action in FORBIDDEN:
        assert not evaluate([policy], Request(action, service)), action
