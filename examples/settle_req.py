"""Settle a device's month with pyzmq and msgpack alone: a REQ socket that survives a lost answer.

    python settle_req.py ENDPOINT DEVICE_NO [KEY]

Started again with the KEY that it printed, it finds its job and does nothing twice.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import msgpack
import zmq

# ---- the client: ten lines

SOCKET = zmq.Context().socket(zmq.REQ)
for option in (zmq.REQ_RELAXED, zmq.REQ_CORRELATE, zmq.IMMEDIATE):  # may ask again; never queues for nobody
    SOCKET.setsockopt(option, 1)
for option, value in ((zmq.LINGER, 0), (zmq.SNDTIMEO, 2_000), (zmq.RCVTIMEO, 90_000)):
    SOCKET.setsockopt(option, value)


def ask(op: str, key: str = "", *, args: dict[str, Any]) -> dict[str, Any]:
    """Return the reply; zmq.Again where none came: with a key what became of it is not known then."""
    head = {"id": os.urandom(8).hex(), "sent_at": time.time_ns() // 1_000_000, "ttl_ms": 90_000, "key": key}
    SOCKET.send_multipart([b"TCA1", msgpack.packb({**head, "op": op, "args": args})])
    reply: dict[str, Any] = msgpack.unpackb(SOCKET.recv_multipart()[1])
    return reply


# ---- a month, settled with it


def good(reply: dict[str, Any]) -> dict[str, Any]:
    """The result; a refusal ends the program with the agent's words, and what is unknown is not called no."""
    if reply["status"] == "error":
        error = reply["error"]
        print(error["code"], error["message"], error["remedy"], sep="\n", file=sys.stderr)
        sys.exit(20 if error["outcome"] == "unknown" else 11)
    result: dict[str, Any] = reply["result"]
    return result


def settle(device_no: str, key: str) -> dict[str, Any]:
    """Return the job of the key once it has ended, or waits for somebody (the return, a person)."""
    reply = ask("job.get", args={"key": key})
    if reply["status"] == "error" and reply["error"]["code"] == "KEY_UNKNOWN":  # not sent before
        request = {"kind": "settle", "device_no": device_no}
        shown = good(ask("prepare", args=request))
        print("will do:", *shown["consequences"])  # show it to somebody who may say yes
        reply = ask("submit", key, args={**request, "token": shown["token"]})
    job: dict[str, Any] = good(reply)["job"]
    while not job["ended"] and job["state"] not in ("waiting", "needs_human"):
        waited = {"job_id": job["job_id"], "rev": job["rev"], "timeout_ms": 30_000}
        job = good(ask("job.wait", args=waited))["job"]
    return job


def main(endpoint: str, device_no: str, key: str = "") -> int:
    """Print the key before anything is sent, and the job as it then stands."""
    key = key or os.urandom(20).hex()
    print("key", key, flush=True)
    SOCKET.connect(endpoint)
    try:
        job = settle(device_no, key)
    except zmq.Again:
        print("no answer: ask again with the key", file=sys.stderr)
        return 20
    print("job", job["job_id"], job["state"], job["outcome"])
    if job["wait"]:
        print(job["wait"]["message"], job["wait"]["remedy"], sep="\n")
    return 0 if job["state"] == "done" else 30


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
