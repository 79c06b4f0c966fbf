"""The Grafana dashboard asks for metrics that exist, for all of them, and says which question each panel answers."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.observe import metrics, names

FILE = Path(__file__).resolve().parent.parent.parent / "schemas" / "dashboards" / "grafana.json"
COLUMNS = 24
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
ROWS = [panel for panel in DASHBOARD["panels"] if panel["type"] == "row"]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
# A name in front of its labels; functions have a bracket, and labels stand within.
_METRIC = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}")
_WORD = re.compile(r"\b(?:gateway|process)_[a-z_]+")
_BY = re.compile(r"\bby \(([^)]*)\)")
_MADE = {"job", "instance", "le"}  # labels that Prometheus adds, and the histograms'


def expressions() -> list[str]:
    """Return every query of every panel and variable."""
    asked = [target["expr"] for panel in PANELS for target in panel["targets"]]
    return [*asked, *(one["definition"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query")]


@pytest.fixture(scope="module")
def samples() -> dict[str, set[str]]:
    """Return sample name -> label names, as the page shows them when everything was counted once."""
    metrics.arrived(202, 0.1)
    metrics.settled("done")
    metrics.delivered("arrived", 0.1)
    labels: dict[str, tuple[str, ...]] = {
        names.JOBS: ("people", "queued"),
        names.OLDEST_SECONDS: ("people",),
        names.CIRCUITS: ("open",),
        names.PEERS: (),
        names.OBJECTS: ("ours",),
    }
    page = metrics.page({name: {values: 1.0} for name, values in labels.items()}).decode()
    return {
        sample.name: set(sample.labels) for family in text_string_to_metric_families(page) for sample in family.samples
    }


def test_only_metrics_that_exist_are_asked_for(samples: dict[str, set[str]]) -> None:
    """Every name in a query is one that the page of metrics shows, with every label that is asked for."""
    for expression in expressions():
        assert set(_WORD.findall(expression)) <= samples.keys(), expression
        found = _METRIC.findall(expression)
        for name, matchers in found:
            asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
            assert asked <= samples[name] | _MADE, expression
        grouped = {label.strip() for group in _BY.findall(expression) for label in group.split(",")}
        known = set().union(*(samples[name] for name, _ in found)) if found else set()
        assert grouped <= known | _MADE, expression


def test_legends_name_labels_that_the_query_leaves(samples: dict[str, set[str]]) -> None:
    """A legend shows no label that its query sums away or that its metric does not have."""
    for panel in PANELS:
        for target in panel["targets"]:
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            grouped = _BY.search(target["expr"])
            [name, *_] = _WORD.findall(target["expr"])
            left = {label.strip() for label in grouped[1].split(",")} if grouped else samples[name] | _MADE
            assert shown <= left, target


def test_every_metric_is_on_a_panel() -> None:
    """Each metric of the list is shown, and one panel that shows it says its question in the list's own words."""
    for name, question in names.METRICS.items():
        asking = [panel for panel in PANELS if any(name in target["expr"] for target in panel["targets"])]
        assert asking, name
        assert question in [panel["description"] for panel in asking], name


def test_every_panel_answers_a_question() -> None:
    """Each panel has a title of its own, a question, a query, and takes the data source of the variable."""
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        assert panel["description"].endswith("?"), panel["title"]
        assert panel["targets"], panel["title"]
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters)


def test_the_dashboard_can_be_imported() -> None:
    """It has the members that an import needs, no id of some Grafana, and rows for what an admin looks for."""
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time", "refresh"} <= DASHBOARD.keys()
    assert "id" not in DASHBOARD
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"])))
    assert used == {*variables, "__rate_interval"}
    assert [row["title"] for row in ROWS] == ["Queue", "Deliveries", "Arrivals", "Refusals", "Circuits", "Process"]
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_panels_do_not_overlap() -> None:
    """No two panels share a place, and none goes beyond the grid's width."""
    places = [(panel["title"], panel["gridPos"]) for panel in DASHBOARD["panels"]]
    for title, place in places:
        assert min(place["x"], place["y"]) >= 0 < min(place["w"], place["h"]), title
        assert place["x"] + place["w"] <= COLUMNS, title
    for (one, a), (other, b) in itertools.combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        below = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or below, (one, other)
