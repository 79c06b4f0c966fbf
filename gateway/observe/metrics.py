"""Numbers of this process for Prometheus: what is counted as it happens, and what stands when somebody looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from gateway.observe import names

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_REGISTRY = CollectorRegistry()
ProcessCollector(registry=_REGISTRY)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


def _counter(name: str, label: str) -> Counter:
    return Counter(name.removesuffix("_total"), names.METRICS[name], [label], registry=_REGISTRY)


def _seconds(name: str) -> Histogram:
    return Histogram(name, names.METRICS[name], buckets=_SECONDS, registry=_REGISTRY)


_ARRIVALS = _counter(names.ARRIVALS_TOTAL, "status")
_SETTLED = _counter(names.SETTLED_TOTAL, "outcome")
_DELIVERIES = _counter(names.DELIVERIES_TOTAL, "result")
_ARRIVAL_SECONDS = _seconds(names.ARRIVAL_SECONDS)
_DELIVERY_SECONDS = _seconds(names.DELIVERY_SECONDS)
_GAUGES = {
    name: Gauge(name, names.METRICS[name], labels, registry=_REGISTRY)
    for name, labels in (
        (names.JOBS, ("pool", "state")),
        (names.OLDEST_SECONDS, ("pool",)),
        (names.CIRCUITS, ("state",)),
        (names.PEERS, ()),
        (names.OBJECTS, ("whose",)),
        (names.WAL_BYTES, ()),
    )
}


def arrived(status: int, seconds: float) -> None:
    """Count one POST to an inbox by its answer."""
    _ARRIVALS.labels(str(status)).inc()
    _ARRIVAL_SECONDS.observe(seconds)


def settled(outcome: str) -> None:
    """Count one arrival that was settled: ``done``, ``ignored`` or ``refused``."""
    word = outcome.partition(":")[0]
    _SETTLED.labels(word if word in ("ignored", "refused") else "done").inc()


def delivered(result: str, seconds: float) -> None:
    """Count one delivery attempt: ``arrived``, ``again`` or ``ended``."""
    _DELIVERIES.labels(result).inc()
    _DELIVERY_SECONDS.observe(seconds)


def page(standing: Mapping[str, Mapping[tuple[str, ...], float]]) -> bytes:
    """Return everything in the text format; ``standing`` is metric -> label values -> number, as of now."""
    for name, gauge in _GAUGES.items():
        gauge.clear()
        for labels, value in standing.get(name, {}).items():
            (gauge.labels(*labels) if labels else gauge).set(value)
    return generate_latest(_REGISTRY)
