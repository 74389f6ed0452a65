"""What the Python peers have in common; see internal/peer/peer.go for what a peer is."""

import json
import os
import sys

HOST, PORT = os.environ["BENCH_ADDR"].split(":")
ITEMS = int(os.environ["BENCH_ITEMS"])
CONCURRENCY = int(os.environ.get("BENCH_CONCURRENCY") or 1)
URL = f"redis://{HOST}:{PORT}/0"
VERB = sys.argv[1] if len(sys.argv) > 1 else ""


def payloads():
    for i in range(ITEMS):
        yield f"{i:016d}"


def report(seconds, version):
    print(json.dumps({"items": ITEMS, "seconds": seconds, "version": version}), flush=True)
