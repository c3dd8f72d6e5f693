"""Runs `static/license_client.py` on vectors from standard input, one per line, and prints one result per line."""

import base64
import json
import os
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, "..", "..", "static"))
sys.dont_write_bytecode = True

import license_client  # noqa: E402


def run(vector):
    if "other" in vector:
        is_older, pair = license_client._is_older, (vector["version"], vector["other"])
        return {"is_older": is_older(*pair), "is_newer": is_older(*pair[::-1])}
    if "machine" not in vector:
        return {"machine_code": license_client._machine_code(vector["tool_name"], vector["license_key"])}
    with tempfile.TemporaryDirectory() as folder:
        servers = [vector["server_url"]] + vector["standby_urls"] if "standby_urls" in vector else vector["server_url"]
        client = license_client.LicenseClient(servers, public_keys=vector["keys"], cache_dir=folder, version="1.0",
                                              trial=vector["trial"])
        server, nonces = Server(vector["answers"]), iter(vector["nonces"])
        client._machine = license_client._Machine(**vector["machine"])
        client._now = lambda: vector["now"]
        client._uptime = lambda: vector["uptime"]
        client._nonce = lambda: next(nonces)
        client._send = server.send
        client._in_background = lambda refresh: None
        store = client._store(vector["tool_name"])
        for state in vector["states"]:
            write(folder, store.path(state["license_key"]), state)
        for request in vector.get("offline_requests", []):
            write(folder, store._request_path(request["license_key"]), request)
        result = ask(client, vector)
        states = store.read_all()
        stored = {"states": [states[key]._asdict() for key in sorted(states)], **kept(vector, folder, store)}
        if vector.get("action") == "offline_request":
            again = client.offline_request(vector["tool_name"])
            return {"offline_request": result if again == result else [result, again],
                    "offline_url": client.offline_url(vector["tool_name"]), **stored}
        return {"valid": result.valid, "code": result.code, "source": result.source, "license_key": result.license_key,
                "requests": server.requests, **said(vector, result), **granted(vector, result), **stored}


def ask(client, vector):
    tool, code, customer = vector["tool_name"], vector.get("activation_code"), vector.get("customer")
    if vector.get("action") == "activate":
        return client.activate(tool, code, customer)
    if vector.get("action") == "deactivate":
        return client.deactivate(tool, code)
    if vector.get("action") == "offline_request":
        return client.offline_request(tool)
    if vector.get("action") == "import_lease":
        return client.import_lease(tool, vector["text"])
    return client.check(tool, refresh=vector["refresh"])


def said(vector, result):
    """What the customer reads about an activation code; without an answer, only the beginning."""
    if "action" not in vector:
        return {}
    unreachable = "The license server cannot be reached"
    has_none = result.code == "NO_ANSWER" and result.message.startswith(unreachable)
    return {"reason": result.reason, "message": unreachable if has_none else result.message}


def granted(vector, result):
    """What the license grants, and the answers to the questions about it."""
    if "asks" not in vector:
        return {}
    asks, names = vector["asks"], ("is_trial", "edition", "features", "data", "updates_until", "latest_version",
                                   "latest_url", "minimum_version")
    return {"license": {**{name: getattr(result, name) for name in names}, "has": result.has(asks["has"]),
                        "update_available": result.update_available(asks["version"]),
                        "is_below_minimum": result.is_below_minimum(asks["version"]),
                        "covers": result.covers(asks["build_date"])}}


def kept(vector, folder, store):
    """The requests for offline files, without unreadable ones."""
    if "offline_requests" not in vector:
        return {}
    names = (name for name in os.listdir(folder) if name.endswith(".request"))
    keys = []
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            keys.append(json.load(file)["license_key"])
    return {"offline_requests": [{"license_key": key, "nonce": store.read_request(key)} for key in sorted(keys)]}


def write(folder, path, state):
    content = {name: value for name, value in state.items() if name != "file"}
    path = os.path.join(folder, state["file"]) if "file" in state else path
    with open(path, "w", encoding="utf-8") as file:
        file.write(state["text"] if "text" in state else json.dumps(content))


class Server:
    """Gives one answer after the other, and then none."""

    def __init__(self, answers):
        self.answers, self.requests = answers, []

    def send(self, url, body, verify, deadline):
        body = json.loads(body)
        number = len(self.requests)
        answer = self.answers[number] if number < len(self.answers) else None
        self.requests.append({
            "url": url, "license_key": body["license_key"], "nonce": body.get("nonce"),
            "personal": "client" in body or "customer" in body, "verified": verify,
            "previous_license_key": body.get("previous_license_key"), "trial": body.get("trial", False),
            **{name: body[name] for name in ("activation_code", "customer") if name in body}})
        if answer is None:
            raise ConnectionRefusedError
        if "tls" in answer:
            raise license_client._BadCertificate(answer["tls"])
        data = base64.b64decode(answer["body_base64"]) if "body_base64" in answer else answer["body"].encode("utf-8")
        if len(data) > license_client.MAX_ANSWER_BYTES:  # as reading from a connection
            raise license_client._NoVerdict(license_client.NO_RESULT, "the answer is too long")
        return answer["status"], answer.get("location"), data


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
