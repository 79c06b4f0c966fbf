"""Both sides of the benchmark do the same work: they verify the same requests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from bench.fedify_side import Neighbours, Scheme, actors_served, fedify, sender_cost, signed_requests
from bench.load import send_all
from interop.fedify_peer import ToolMissing
from processes import served
from tools import missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def neighbours() -> Iterator[Neighbours]:
    """Serve the actors that sign."""
    with actors_served() as running:
        yield running


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
def test_fedify_verifies_the_requests(neighbours: Neighbours, scheme: Scheme) -> None:
    """Fedify takes each signed request once it has fetched its key, and refuses one whose body was changed."""
    try:
        with fedify() as side:
            requests = signed_requests(neighbours, 5, scheme=scheme)
            send_all(side.address, requests[:4], at_once=2)
            assert (side.cpu()[1], neighbours.fetched) == (4, 4)
            forged = replace(requests[4], body=requests[4].body.replace(b"xxx", b"yyy"))
            with pytest.raises(AssertionError, match="401"):
                send_all(side.address, [forged])
            assert side.cpu()[1] == 4
    except ToolMissing as error:
        missing(str(error))


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
def test_the_gateway_verifies_the_same_requests(neighbours: Neighbours, tmp_path: Path, scheme: Scheme) -> None:
    """The gateway takes requests that are made the same way, and refuses one whose body was changed."""
    with served(tmp_path) as gateway:
        gateway.cli("account", "create", "alice")
        requests = signed_requests(neighbours, 5, origin=gateway.base, scheme=scheme)
        address = f"http://127.0.0.1:{gateway.port}"
        send_all(address, requests[:4], at_once=2)
        assert len(gateway.rows("SELECT id FROM arrival")) == 4
        forged = replace(requests[4], body=requests[4].body.replace(b"xxx", b"yyy"))
        with pytest.raises(AssertionError, match="401"):
            send_all(address, [forged])
        assert len(gateway.rows("SELECT id FROM arrival")) == 4


def test_fedify_signs_every_delivery() -> None:
    """Either way of sending brings one signed request to each inbox, and costs something."""
    try:
        assert sender_cost(5, "immediate") > 0
        assert sender_cost(5, "queue") > 0
    except ToolMissing as error:
        missing(str(error))
