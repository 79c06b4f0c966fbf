"""Every event name that a log line may carry, with the question it answers."""

from __future__ import annotations

ARRIVAL = "arrival"
DELIVERY = "delivery"
SETTLED = "settled"
DECISION = "decision"
STARTED = "started"
STOPPED = "stopped"
FAULT = "fault"
SERVER = "server"
FREED = "freed"
WORKER = "worker"
PROXY = "proxy-not-trusted"

EVENTS = {
    ARRIVAL: "What came to an inbox, from whom, and what was answered?",
    DELIVERY: "What was sent to which server, and what did it answer?",
    SETTLED: "What did an arrival do once it was understood?",
    DECISION: "Which decision about a peer was made, and because of what?",
    STARTED: "With which settings did the gateway start?",
    STOPPED: "When and how did the gateway stop?",
    FAULT: "What failed: inside the gateway (error), or at a server it asked for somebody (warning)?",
    SERVER: "What did the HTTP server complain about?",
    FREED: "Which process is gone, and how much of what it had in hand is free again?",
    WORKER: "Which worker process started or ended, and why?",
    PROXY: "Which proxy says who asks, and is not trusted to?",
}

ARRIVALS_TOTAL = "gateway_arrivals_total"
SETTLED_TOTAL = "gateway_settled_total"
DELIVERIES_TOTAL = "gateway_deliveries_total"
ARRIVAL_SECONDS = "gateway_arrival_seconds"
DELIVERY_SECONDS = "gateway_delivery_seconds"
JOBS = "gateway_jobs"
OLDEST_SECONDS = "gateway_oldest_due_seconds"
CIRCUITS = "gateway_circuits"
PEERS = "gateway_peers"
OBJECTS = "gateway_objects"
WAL_BYTES = "gateway_wal_bytes"

METRICS = {
    ARRIVALS_TOTAL: "How many activities came, and what were they answered (status)?",
    SETTLED_TOTAL: "How many arrivals were settled: done, ignored, or refused with their sender (outcome)?",
    DELIVERIES_TOTAL: "How many delivery attempts were made, and did they arrive, come again later, or end (result)?",
    ARRIVAL_SECONDS: "How long does a peer wait for the answer at an inbox?",
    DELIVERY_SECONDS: "How long does a delivery attempt take, its knocks together?",
    JOBS: "How much waits, is in hand, or was given up (pool, state)?",
    OLDEST_SECONDS: "For how long has the oldest job been due that nobody took up (pool)?",
    CIRCUITS: "How many peers do not answer, and how are they treated (state)?",
    PEERS: "How many other servers were met?",
    WAL_BYTES: "How large is SQLite's log: does somebody keep it from being emptied?",
    OBJECTS: "How many objects are kept, ours and those of others (whose)?",
}
