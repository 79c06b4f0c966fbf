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
    PROXY: "Which proxy says who asks, and is not trusted to?",
}
