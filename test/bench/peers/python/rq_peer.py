"""RQ with a function that does nothing; the worker is its default one, which forks for every job."""

import logging
import time

import redis
import rq

import peer


def nothing(payload):
    return None


if __name__ == "__main__":
    connection = redis.Redis(host=peer.HOST, port=int(peer.PORT))
    queue = rq.Queue("bench", connection=connection)
    if peer.VERB == "seed":
        prepare = rq.Queue.prepare_data
        queue.enqueue_many([prepare("rq_peer.nothing", (p,), result_ttl=0) for p in peer.payloads()])
        peer.report(0, rq.VERSION)
    else:
        worker = rq.Worker([queue], connection=connection)
        started = time.perf_counter()
        worker.work(burst=True, logging_level=logging.ERROR)
        seconds = time.perf_counter() - started
        left = queue.count + queue.failed_job_registry.count
        if left:
            raise SystemExit(f"{left} jobs are left or failed")
        peer.report(seconds, rq.VERSION)
