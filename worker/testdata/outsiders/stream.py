#!/usr/bin/env python3
"""workqueue, mode stream: requests as lines of JSON on standard input.

A request is {"id": ..., "item": "text"}, and
"encoding": "base64" beside it if the text of the item is not UTF-8.
"""
import base64
import hashlib
import json
import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
lock = threading.Lock()


def say(**message):
    data = json.dumps(message).encode() + b"\n"
    with lock:
        while data:
            data = data[os.write(3, data):]


def append_to_ledger(item):
    fd = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(fd, item + b"\n")
    finally:
        os.close(fd)


def first_time(item):
    # A snooze is no attempt, so the program itself remembers a second try.
    folder = os.environ["LEDGER"] + ".later"
    os.makedirs(folder, exist_ok=True)
    try:
        os.close(os.open(os.path.join(folder, hashlib.sha256(item).hexdigest()),
                         os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        return True
    except FileExistsError:
        return False


def done_fields(item):
    # A child contains "parent" too: without the second test the queue would never end.
    push = [b"child-of-" + item] if b"parent" in item and not item.startswith(b"child-of-") else []
    try:
        fields = {"result": item.decode().upper()}
        children = [p.decode() for p in push]
    except UnicodeDecodeError:
        fields = {"result": base64.b64encode(item.upper()).decode(), "encoding": "base64"}
        children = [base64.b64encode(p).decode() for p in push]
    if children:
        fields["push"] = children
    return fields


def process(id, item):
    threading.Event().wait(0.005 * (hash(item) % 4))  # items finish out of order
    shown = item.decode(errors="replace")
    logging.info(json.dumps({"level": "info", "id": id, "status": "failed", "msg": "about to start " + shown}))
    if b"bad" in item:
        say(id=id, status="failed", reason="bad item: " + shown)
    elif b"hopeless" in item:
        say(id=id, status="dead", reason="hopeless item: " + shown)
    elif b"later" in item and first_time(item):
        say(id=id, status="snoozed", reason="not now: " + shown)
    else:
        append_to_ledger(item)
        say(id=id, status="done", **done_fields(item))
    logging.info(json.dumps({"level": "info", "id": id, "status": "done", "msg": "left " + shown}))


def attempt(id, item):
    try:
        process(id, item)
    except Exception as e:  # process() settles in its last step that can fail
        logging.exception("item %s", id)
        say(id=id, status="failed", reason=repr(e))


def request(line):
    req = json.loads(line)
    if "item" not in req:
        say(id=req["id"], status="dead", reason="no field item in the request, only " + ", ".join(req))
        return
    item = req["item"]
    if not isinstance(item, str):
        item = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    item = base64.b64decode(item) if req.get("encoding") == "base64" else item.encode()
    attempt(req["id"], item)


def checked(line):
    try:
        request(line)
    except Exception:  # without an id there is nothing to say: log it, the item stays unsettled
        logging.exception("request %r", line)


if __name__ == "__main__":
    with ThreadPoolExecutor(max_workers=8) as pool:
        while True:
            line = sys.stdin.buffer.readline()  # returns as soon as a line is there
            if not line:
                break
            pool.submit(checked, line)
