"""Runs `static/license_client.py` on one vector from standard input, and prints the result."""

import json
import os
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, "..", "..", "static"))
sys.dont_write_bytecode = True

from license_client import LicenseClient  # noqa: E402


def run(vector):
    with tempfile.TemporaryDirectory() as folder:
        client = LicenseClient("http://127.0.0.1:1", public_keys=vector["keys"], cache_dir=folder)
        client._machine_id = vector["license_key"]
        client._now = lambda: vector["now"]
        client._nonce = lambda: vector["nonce"]
        client._send = lambda url, body, deadline, redirects: send(vector["answer"])
        client._in_background = lambda refresh: None
        store, cache = client._store(vector["tool_name"]), vector["cache"]
        if cache is not None:
            with open(store.path, "w", encoding="utf-8") as file:
                file.write(cache["text"] if "text" in cache else json.dumps(cache))
        result = client.check(vector["tool_name"], refresh=vector["refresh"])
        stored = store.read()
        return {"valid": result.valid, "code": result.code, "source": result.source,
                "cache": stored and stored._asdict()}


def send(answer):
    if answer is None:
        raise ConnectionRefusedError
    return answer["status"], answer["body"].encode("utf-8")


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
