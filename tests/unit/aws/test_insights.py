"""Running tasks as a metric: there while any runs, absent otherwise, and only where the cluster has it on."""

from typing import Any

import pytest

from fixtures.aws.fargate.insights import Insights

pytestmark = pytest.mark.req("R-0-container-insights")


class Account:
    """ECS with tasks in these states, and CloudWatch, which keeps what it is given."""

    def __init__(self, statuses: list[str], setting: str = "enabled") -> None:
        self.statuses, self.setting = statuses, setting
        self.data: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, _service: str) -> "Account":
        """Every client is this object."""
        return self

    def describe_clusters(self, **_: Any) -> Any:
        """The cluster with its setting."""
        return {"clusters": [{"settings": [{"name": "containerInsights", "value": self.setting}]}]}

    def list_tasks(self, **_: Any) -> Any:
        """A name for each task."""
        return {"taskArns": [str(number) for number in range(len(self.statuses))]}

    def describe_tasks(self, **_: Any) -> Any:
        """Their states."""
        return {"tasks": [{"lastStatus": status} for status in self.statuses]}

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> None:
        """Keep them."""
        self.data += [(Namespace, datum) for datum in MetricData]


def reported(account: Account) -> list[tuple[str, dict[str, Any]]]:
    """What one round puts."""
    troubles: list[str] = []
    Insights(account, "c", ["s"], troubles.append).report()
    assert troubles == []
    return account.data


def test_running_tasks_are_counted() -> None:
    """Two of three run; the metric has the service's two dimensions."""
    [(namespace, datum)] = reported(Account(["RUNNING", "PENDING", "RUNNING"]))
    assert (namespace, datum["MetricName"], datum["Value"]) == (
        "ECS/ContainerInsights",
        "RunningTaskCount",
        2.0,
    )
    dimensions = {item["Name"]: item["Value"] for item in datum["Dimensions"]}
    assert dimensions == {"ClusterName": "c", "ServiceName": "s"}


@pytest.mark.parametrize(
    "account", [Account([]), Account(["PENDING"]), Account(["RUNNING"], setting="disabled")]
)
def test_otherwise_there_is_no_datum(account: Account) -> None:
    """No zero without tasks, which is why missing data must breach (F36), and nothing where it is off."""
    assert reported(account) == []
