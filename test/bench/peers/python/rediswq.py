"""Speaks the protocol of the Kubernetes tutorial's client rediswq.py: five calls an item."""

import hashlib
import time

import redis

import peer

QUEUE, PROCESSING, LEASED = "bench", "bench:processing", "bench:leased_by_session:"

db = redis.Redis(host=peer.HOST, port=int(peer.PORT))

if peer.VERB == "seed":
    pipe = db.pipeline(transaction=False)
    for payload in peer.payloads():
        pipe.rpush(QUEUE, payload)
    pipe.execute()
    peer.report(0, redis.__version__)
else:
    started = 0
    while db.llen(QUEUE) or db.llen(PROCESSING):
        item = db.brpoplpush(QUEUE, PROCESSING, timeout=2)
        if item is None:
            continue
        key = LEASED + hashlib.sha224(item).hexdigest()
        db.setex(key, 10, "session")
        started = started or time.perf_counter()
        db.lrem(PROCESSING, 0, item)
        db.delete(key)
        ended = time.perf_counter()
    peer.report(ended - started, redis.__version__)
