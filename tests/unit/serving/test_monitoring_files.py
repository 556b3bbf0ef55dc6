"""The documentation, the dashboard and the alert rules name what this server tells, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from sightline.serving.metrics import GAUGES, Metrics
from sightline.serving.probes import PROBES
from sightline.tasks.base import Timings

ROOT = Path(__file__).parents[3]
GRAFANA = ROOT / "deploy" / "grafana"
SCRAPER = {"job", "instance"}  # what Prometheus itself adds


@pytest.fixture(scope="module")
def told() -> dict[str, tuple[str, set[str]]]:
    """The kind and the labels of every metric, from a server to which everything has happened once."""
    metrics = Metrics()
    metrics.request("/v1/faces", 200, 0.1)
    metrics.answered("faces", Timings(1, 1, 1, 3, 1))
    metrics.batch("blazeface", 2)
    metrics.rejected("busy")
    for name, (_, labels) in GAUGES.items():
        metrics.gauge(name, lambda labels=labels: {tuple("x" for _ in labels): 1})
    return {
        sample.name: (family.type, set(sample.labels))
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def expressions() -> Iterator[tuple[str, str]]:
    """Every query of the dashboard and of the alert rules, with what it belongs to."""
    for panel in json.loads((GRAFANA / "dashboard.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m")
    for group in yaml.safe_load((GRAFANA / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def selectors(node: Any) -> Iterator[tuple[str, set[str]]]:
    """The name and the labels of each selector of a PromQL expression, with the labels that it is grouped by."""
    grouped: set[str] = set()
    inner: list[Any] = []
    if isinstance(node, promql_parser.AggregateExpr):
        grouped = set(node.modifier.labels) if node.modifier else set()
        inner = [node.expr]
    elif isinstance(node, promql_parser.Call):
        inner = list(node.args)
    elif isinstance(node, promql_parser.BinaryExpr):
        inner = [node.lhs, node.rhs]
    elif isinstance(node, promql_parser.ParenExpr | promql_parser.SubqueryExpr | promql_parser.UnaryExpr):
        inner = [node.expr]
    elif isinstance(node, promql_parser.MatrixSelector):
        inner = [node.vector_selector]
    elif isinstance(node, promql_parser.VectorSelector):
        yield node.name, {matcher.name for matcher in node.matchers.matchers}
    else:
        assert isinstance(node, promql_parser.NumberLiteral | promql_parser.StringLiteral), node
    for child in inner:
        for name, labels in selectors(child):
            yield name, labels | grouped


@pytest.mark.parametrize(("title", "expression"), list(expressions()))
def test_a_query_is_promql_over_metrics_there_are(title: str, expression: str, told: Any) -> None:
    found = list(selectors(promql_parser.parse(expression)))
    assert found
    for name, labels in found:
        if name != "up":  # which Prometheus tells of every server it asks
            assert name in told, f"{title}: there is no {name}"
            assert labels - SCRAPER <= told[name][1], f"{title}: {name} has no {labels - SCRAPER - told[name][1]}"


def test_queries_leave_out_the_probes_that_top_leaves_out() -> None:
    left_out = {found for _, query in expressions() for found in re.findall(r'route!~"([^"]+)"', query)}
    (pattern,) = left_out
    assert all(re.fullmatch(pattern, probe) for probe in PROBES)
    assert not re.fullmatch(pattern, "/v1/faces")


@pytest.mark.parametrize(("title", "expression"), list(expressions()))
def test_what_only_grows_is_asked_for_its_rate(title: str, expression: str, told: Any) -> None:
    def bare(node: Any) -> Iterator[str]:
        """Selectors that no function looks at over a range."""
        if isinstance(node, promql_parser.VectorSelector):
            yield node.name
        elif isinstance(node, promql_parser.Call | promql_parser.AggregateExpr | promql_parser.BinaryExpr):
            children = {"args": (), "expr": None, "lhs": None, "rhs": None}
            for attribute in children:
                value = getattr(node, attribute, None)
                for child in value if isinstance(value, list | tuple) else [value] if value is not None else []:
                    yield from bare(child)
        elif isinstance(node, promql_parser.ParenExpr):
            yield from bare(node.expr)

    for name in bare(promql_parser.parse(expression)):
        assert name == "up" or told[name][0] == "gauge", f"{title}: {name} is a {told[name][0]}"


def test_the_dashboard_can_be_imported() -> None:
    dashboard = json.loads((GRAFANA / "dashboard.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["targets"], panel["title"]
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(
        re.findall(r"\$(\w+)", " ".join(target["expr"] for panel in panels for target in panel.get("targets", ())))
    )
    assert used - {"__rate_interval"} <= variables


def test_the_scrape_configuration_names_the_rules_beside_it() -> None:
    config = yaml.safe_load((GRAFANA / "prometheus.yml").read_text())
    assert [(GRAFANA / name).is_file() for name in config["rule_files"]] == [True]
    (job,) = config["scrape_configs"]
    # The alert rules look for it by this name.
    assert (job["job_name"], job["metrics_path"]) == ("sightline", "/metrics")


def test_every_alert_is_explained() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    groups = yaml.safe_load((GRAFANA / "alerts.yml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    assert alerts == set(re.findall(r"^\| `(Sightline\w+)` \|", page, re.MULTILINE))


def test_the_page_lists_every_metric(told: Any) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \|([^|]*)\|", page, re.MULTILINE)
    listed = {(name, kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert len(listed) == len(rows)
    there = {
        (re.sub(r"_(bucket|sum|count)$", "", name) if kind == "histogram" else name, kind, frozenset(labels - {"le"}))
        for name, (kind, labels) in told.items()
    }
    assert listed == there
