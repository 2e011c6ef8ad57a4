"""The files for Prometheus and Grafana use existing metrics and labels."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from billing.models import Proof
from mms.observation import metrics
from mms.runtime import wakeup

CHECKOUT = Path(__file__).resolve().parents[2]
DEPLOY = CHECKOUT / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "mms.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
EXPRESSIONS = [
    *(target["expr"] for panel in PANELS for target in panel["targets"]),
    *(variable["definition"] for variable in DASHBOARD["templating"]["list"] if "definition" in variable),
    *(rule["expr"] for rule in RULES),
]
METRIC = re.compile(r"\b(mms_\w+)(?:\{([^}]*)\})?")
BY = re.compile(r"\bby \(([^)]*)\)")


@pytest.fixture
def labels(records: SimpleNamespace, request: pytest.FixtureRequest) -> dict[str, set[str]]:
    """The labels of each metric, on a platform that has run for a day."""
    Proof.objects.create(at="2026-11-22T03:30Z", accounts=0)
    for task in wakeup.QUEUES:
        wakeup.record_start(task)
    found: dict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            found[sample.name] |= set(sample.labels)
    return found


def queried(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the metrics of an expression, each with the labels used in selectors and aggregations."""
    by = {label.strip() for labels in BY.findall(expression) for label in labels.split(",")}
    for name, selectors in METRIC.findall(expression):
        yield name, by | set(re.findall(r"(\w+)\s*[=!]", selectors))


def test_every_queried_metric_exists_with_its_labels(labels: dict[str, set[str]]) -> None:
    used = [pair for expression in EXPRESSIONS for pair in queried(expression)]
    assert len(used) > 30
    assert [(name, wanted) for name, wanted in used if name not in labels or not wanted <= labels[name]] == []


def test_every_metric_is_shown_and_documented(labels: dict[str, set[str]]) -> None:
    text = (CHECKOUT / "docs" / "operations.md").read_text()
    families = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in labels}
    shown = {re.sub(r"_(total|bucket)$", "", name) for e in EXPRESSIONS for name, _ in queried(e)}
    assert families == shown
    assert [name for name in families if f"`{name}" not in text] == []


def test_dashboard_works_with_any_data_source() -> None:
    sources = [panel["datasource"] for panel in PANELS] + [t["datasource"] for p in PANELS for t in p["targets"]]
    assert {source["uid"] for source in sources} == {"${datasource}"}
    assert "datasource" in [variable["type"] for variable in DASHBOARD["templating"]["list"]]


def test_dashboard_panels_do_not_overlap() -> None:
    taken = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_every_alert_has_summary_and_severity() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) >= 8
    assert {rule["labels"]["severity"] for rule in RULES} == {"page", "warn"}
    assert all(rule["annotations"]["summary"] for rule in RULES)


def test_prometheus_scrapes_the_metrics_endpoint() -> None:
    (job,) = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    assert (job["metrics_path"], job["authorization"]["type"]) == ("/metrics", "Bearer")
    assert any('job="mms"' in expression for expression in EXPRESSIONS)
    assert job["job_name"] == "mms"
