"""Celery with a task that does nothing; prefork pool, results ignored."""

import multiprocessing
import os
import signal
import threading
import time

import celery

import peer

app = celery.Celery("celery_peer", broker=peer.URL)
app.conf.task_ignore_result = True
app.conf.worker_send_task_events = False
app.conf.worker_redirect_stdouts = False
app.conf.broker_connection_retry = False

# Shared by the processes of the pool, which are forked.
done = multiprocessing.Value("q", 0)
started = multiprocessing.Value("d", 0.0)
ended = multiprocessing.Value("d", 0.0)


@app.task(name="nothing")
def nothing(payload):
    with done.get_lock():
        done.value += 1
        if done.value == 1:
            started.value = time.monotonic()
        if done.value == peer.ITEMS:
            ended.value = time.monotonic()


def stop_when_done():
    """Reports, and ends the worker: its own end takes the process with it."""
    while not ended.value:
        time.sleep(0.05)
    peer.report(ended.value - started.value, celery.__version__)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    if peer.VERB == "seed":
        with app.producer_or_acquire() as producer:
            for payload in peer.payloads():
                nothing.apply_async((payload,), producer=producer)
        peer.report(0, celery.__version__)
    else:
        threading.Thread(target=stop_when_done, daemon=True).start()
        app.worker_main(
            ["worker", "--loglevel=ERROR", f"--concurrency={peer.CONCURRENCY}"]
            + ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        )
