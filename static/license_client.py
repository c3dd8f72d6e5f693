"""Checks with a license server, when a program starts, whether this computer may run it.

Ship this one file with your program (Python 3.8 or later, nothing to install) and check before the main window
opens:

    import sys
    from license_client import LicenseClient

    PUBLIC_KEYS = ["...", "..."]  # from the vendor's dashboard: the current key and the next one

    client = LicenseClient("https://example.com/licenseserver", public_keys=PUBLIC_KEYS)
    is_valid, message = client.check_license("YourToolName")
    if not is_valid:
        print(message)  # or a message box: the message is written for your customer
        sys.exit(1)

With the server's public keys, only an answer that the server signed for this check counts, and a good one is kept as
a lease: until it expires, the program can start without a network. Without keys the client sends a plain check,
believes any answer and stores nothing.

When a customer calls, `python license_client.py SERVER TOOL` shows the machine ID, which is the license key that the
vendor enters in the dashboard, and the verdict.
"""

import array
import atexit
import base64
import collections
import contextlib
import ctypes
import datetime
import hashlib
import http.client
import ipaddress
import json
import os
import queue
import re
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Tuple

__all__ = ["LicenseCheck", "LicenseClient"]
__version__ = "1.1.0"

# Messages for the customer; translate them freely. Only the server may call a license invalid: a customer who has
# paid must not read that because a cable is loose.
NO_ANSWER = ("The license server cannot be reached. There was no answer from {address} ({why}). "
             "Please check the internet connection and the firewall, then try again.")
NO_RESULT = ("The license server cannot be reached. The answer from {address} is not a license result ({why}). "
             "Please try again in a few minutes. If this does not help, contact the vendor of this program.")
BAD_ADDRESS = ("The license server cannot be reached. This program looks for it at \"{address}\", "
               "which is not a web address. Please contact the vendor of this program.")
CLOCK_IS_BEHIND = ", but this computer's clock is behind"
CLOCK_HINT = " This computer's clock seems to be wrong; please correct it."
BAD_KEYS = ("The license cannot be checked: the public keys in this program cannot be used ({why}). "
            "Please contact the vendor of this program.")
BAD_TOOL_NAME = ("The license cannot be checked: this program does not give its name. "
                 "Please contact the vendor of this program.")
NO_MACHINE_ID = ("The license cannot be checked: this computer has no machine ID. Please turn on its "
                 "network adapter (cable or Wi-Fi) and try again, or contact the vendor of this program.")

# The server's codes. Any other code is no verdict.
GOOD_CODES = ("VALID", "IN_GRACE", "TRIAL")
REFUSALS = ("EXPIRED", "SUSPENDED", "REVOKED", "NOT_FOUND")

DEFAULT_TIMEOUT = 5.0
MAX_ANSWER_BYTES = 64 * 1024
MAX_REDIRECTS = 5
LAST_SECOND = 253402300799  # of the year 9999
# A lease is not used while the clock is more than this many seconds before the newest signed time.
CLOCK_TOLERANCE = 24 * 3600
# The minimum time between two background refreshes, and the maximum that an exiting program waits for one, in seconds.
REFRESH_PAUSE, REFRESH_EXIT_WAIT = 60, 1.0


class LicenseClient:
    """Checks licenses of this computer with one server; no method raises an exception.

    public_keys  the server's public keys, at least the current one and the next, each as "x.y", PEM or a JWK.
                 Never fetch them at run time: whoever can send you a key can also sign the answers.
    cache_dir    the folder for leases, instead of the platform's usual one
    version      the version of your program, shown to the vendor
    """

    def __init__(self, server_url: str, timeout: float = DEFAULT_TIMEOUT, public_keys=None, cache_dir=None,
                 version=None):
        self.server_url = server_url
        # Without a usable limit, the program's start could hang forever.
        usable = isinstance(timeout, (int, float)) and 0 < timeout <= 3600
        self.timeout = timeout if usable else DEFAULT_TIMEOUT
        # An empty list or an unusable key must not silently mean a plain check.
        self._is_signed = public_keys is not None
        self._keys, self._key_problem = _pin(public_keys) if self._is_signed else ({}, "")
        self._cache_dir = cache_dir
        self._version = version
        self._machine_id = ""
        self._refused_at = {}  # tool: newest signed refusal, which counts even if the disk cannot be written
        self._refreshed_at = {}  # tool: when a background refresh last started
        # Replaced by tests.
        self._now = lambda: int(time.time())
        self._nonce = lambda: _to_base64url(os.urandom(24))
        self._send = _post
        self._in_background = _in_background

    def machine_id(self) -> str:
        """The license key of this computer, or "" if nothing identifies it."""
        self._machine_id = self._machine_id or _find_machine_id()
        return self._machine_id

    def check_license(self, tool_name: str) -> Tuple[bool, str]:
        """Whether this computer may run the tool, and a message for the customer, within `timeout` seconds."""
        result = self.check(tool_name)
        return result.valid, result.message

    def check(self, tool_name: str, refresh: bool = False) -> "LicenseCheck":
        """The same with all details; `refresh` asks the server even if a stored lease would do."""
        try:
            return self._check(tool_name, refresh)
        except Exception as error:
            return self._no_answer_result(tool_name, error)

    def _check(self, tool_name, refresh):
        url = _check_url(self.server_url)
        if not isinstance(tool_name, str) or not tool_name:
            raise _NoVerdict(BAD_TOOL_NAME)
        if not self.machine_id():
            raise _NoVerdict(NO_MACHINE_ID)
        if not self._is_signed:
            return self._check_plain(url, tool_name)
        if self._key_problem:
            raise _NoVerdict(BAD_KEYS, self._key_problem)
        if not refresh:
            lease, _ = self._lease(tool_name)
            if lease:
                self._refresh_if_due(url, tool_name, lease)
                return self._result(tool_name, lease, "lease")
        try:
            answer = _run_with_timeout(self.timeout, self._ask, url, tool_name)
        except Exception as error:
            # Read the lease again: it may have expired or been erased meanwhile.
            lease, _ = self._lease(tool_name)
            if lease:
                return self._result(tool_name, lease, "lease", error)
            raise
        # Not in the other thread: a slow disk must not turn an answer into a timeout, nor an exit lose a refusal.
        self._save(tool_name, answer)
        return self._result(tool_name, answer.claims, "server")

    def _check_plain(self, url, tool_name):
        body = _to_json({"tool_name": tool_name, "license_key": self.machine_id()})
        deadline = time.monotonic() + self.timeout
        status, answer = _run_with_timeout(self.timeout, self._send, url, body, deadline, MAX_REDIRECTS)
        code, message = _plain_verdict(status, answer)
        return LicenseCheck(code, message, "server", None, None, self._diagnostic(tool_name, code, "server"))

    # ---- With public keys ----

    def _ask(self, url, tool_name):
        before, nonce = self._store(tool_name).read(), self._nonce()
        body = _to_json({"tool_name": tool_name, "license_key": self.machine_id(), "nonce": nonce,
                         "kids": list(self._keys), "client": self._client_info()})
        status, answer = self._send(url, body, time.monotonic() + self.timeout, 0)
        token = _token(status, answer)
        claims = _verified(token, self._keys, aud=tool_name, sub=self.machine_id(), nonce=nonce)
        return _SignedAnswer(token, claims, before)

    def _save(self, tool_name, answer):
        """Store a good answer as the lease; a refusal erases the lease."""
        iat, is_good = answer.claims.iat, answer.claims.code in GOOD_CODES
        if not is_good:
            self._refused_at[tool_name] = iat
        elif iat >= self._refused_at.get(tool_name, 0):
            self._refused_at.pop(tool_name, None)
        self._store(tool_name).save(answer.token if is_good else None, iat, answer.before)

    def _lease(self, tool_name):
        """The claims of the stored lease if it can be used now, otherwise None; and a description of it."""
        stored, now = self._store(tool_name).read(), self._now()
        if not stored or stored.token is None:
            return None, "none"
        try:
            claims = _verified(stored.token, self._keys, at_start=True, aud=tool_name, sub=self.machine_id())
        except _NoVerdict as error:
            return None, "rejected: " + error.why
        until = "until " + _utc(claims.exp)
        if claims.code not in GOOD_CODES or claims.iat <= self._refused_at.get(tool_name, -1):
            return None, "withdrawn"
        if now < max(stored.highest_iat, claims.iat) - CLOCK_TOLERANCE:
            return None, until + CLOCK_IS_BEHIND
        return (claims, until) if now < claims.exp else (None, until + ", expired")

    def _refresh_if_due(self, url, tool_name, lease):
        last, now = self._refreshed_at.get(tool_name), time.monotonic()
        if lease.iat + lease.exp <= 2 * self._now() and (last is None or now - last >= REFRESH_PAUSE):
            self._refreshed_at[tool_name] = now
            _attempt(lambda: self._in_background(lambda: self._save(tool_name, self._ask(url, tool_name))), None)

    def _store(self, tool_name):
        folder = _attempt(lambda: os.fsdecode(self._cache_dir or _cache_folder()), "")
        about = _to_json([str(self.server_url).strip().rstrip("/"), tool_name, self.machine_id()])
        return _Store(folder, hashlib.sha256(about).hexdigest()[:32] + ".json")

    def _client_info(self):
        info = {"version": self._version, "hostname": _attempt(socket.gethostname, ""),
                "user": _attempt(_user_name, "")}
        return {name: str(text)[:100] for name, text in info.items() if text}

    # ---- The result ----

    def _result(self, tool_name, claims, source, error=None):
        # Online, the server's clock decides what day it is: this computer's may be wrong.
        now = claims.iat if source == "server" else self._now()
        days_left = _days_left(claims.expiration_date, now)
        return LicenseCheck(claims.code, claims.message, source, claims.expiration_date, days_left,
                            self._diagnostic(tool_name, claims.code, source, error))

    def _no_answer_result(self, tool_name, error):
        message, why = _explain(error)
        message = message.format(address=_display_address(self.server_url), why=why)
        if self._describe_lease(tool_name).endswith(CLOCK_IS_BEHIND):
            message += CLOCK_HINT
        return LicenseCheck("NO_ANSWER", message, "none", None, None,
                            self._diagnostic(tool_name, "NO_ANSWER", "none", error))

    def _describe_lease(self, tool_name):
        return _attempt(lambda: self._lease(tool_name)[1], "none") if self._keys else "none"

    def _diagnostic(self, tool_name, code, source, error=None):
        """Return a function that writes the diagnostic text, which is rarely needed."""
        clock, why = self._now(), _describe(error) if error else "-"
        return lambda: "\n".join("%s: %s" % (name, _printable(text)) for name, text in (
            ("client", "license_client.py %s, Python %d.%d, %s" % (
                (__version__,) + sys.version_info[:2] + (sys.platform,))),
            ("tool", "%s %s" % (tool_name, self._version or "")),
            ("server", _display_address(self.server_url)),
            ("machine ID", "..." + self.machine_id()[-4:]),
            ("code", code),
            ("source", source),
            ("keys", (self._key_problem or ", ".join(self._keys)) if self._is_signed else "none, plain check"),
            ("lease", self._describe_lease(tool_name)),
            ("clock", _utc(clock)),
            ("no answer", why),
        ))


class LicenseCheck:
    """The result of a check; it is true if the license is valid, as in `if client.check("YourToolName"):`.

    valid      whether this computer may run the tool
    code       VALID, IN_GRACE or TRIAL; EXPIRED, SUSPENDED, REVOKED or NOT_FOUND; or NO_ANSWER, which is not a
               refusal
    message    for the customer
    expires    the expiration date as "2027-12-31"; None for a perpetual license, or if it is not known
    days_left  days until then by this computer's calendar, 0 on the expiration date and later; None if expires is
    source     "server", "lease" or "none"
    """

    def __init__(self, code, message, source, expires, days_left, diagnostic):
        self.valid = code in GOOD_CODES
        self.code = code
        self.message = message
        self.expires = expires
        self.days_left = days_left
        self.source = source
        self._diagnostic = diagnostic

    def __bool__(self):
        return self.valid

    def __repr__(self):
        return "LicenseCheck(valid=%r, code=%r, source=%r)" % (self.valid, self.code, self.source)

    def diagnostic(self) -> str:
        """A text to copy into a mail to the vendor; it contains no secrets."""
        return _attempt(self._diagnostic, "")


# ---- Errors and their messages ----

class _NoVerdict(Exception):
    """No verdict was received; carries one of the messages above and the reason to insert into it."""

    def __init__(self, message, why=""):
        super().__init__(message, why)
        self.message, self.why = message, why


_REASONS = (
    ((TimeoutError, socket.timeout), "no answer in time"),  # two classes until Python 3.10
    (ssl.SSLError, "no secure connection; are this computer's date and time correct?"),
    (socket.gaierror, "the host name was not found"),
    (ConnectionRefusedError, "the connection was refused"),
)


def _explain(error):
    if isinstance(error, _NoVerdict):
        return error.message, error.why
    if isinstance(error, urllib.error.URLError):
        error = error.reason
    # A connection that was closed without an answer is both an HTTPException and an OSError.
    if isinstance(error, http.client.HTTPException) and not isinstance(error, OSError):
        return NO_RESULT, "not an HTTP response"
    for kind, why in _REASONS:
        if isinstance(error, kind):
            return NO_ANSWER, why
    return NO_ANSWER, "no connection"


def _display_address(server_url):
    text = server_url.strip() if isinstance(server_url, str) else type(server_url).__name__
    text = re.sub(r"//.*@|[?#].*", lambda found: "//" if found[0].endswith("@") else "", text, flags=re.S)[:200]
    # The word "invalid" is reserved for verdicts, but an address may contain it.
    return "its address" if "invalid" in text.lower() else text


def _describe(error):
    """For the vendor: the class and the message of an error."""
    if isinstance(error, _NoVerdict):
        return error.why or error.message.split(":")[0]
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        error = error.reason
    return "%s: %s" % (type(error).__name__, str(error)[:200])


def _printable(text):
    return "".join(c if c.isprintable() else " " for c in str(text)).strip()


def _utc(seconds):
    return "%s UTC" % (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds))


# ---- The request and the answer ----

def _split(address):
    """Split an http(s) address into parts that urllib accepts, or raise ValueError."""
    parts = urllib.parse.urlsplit(address.strip())
    host = (parts.hostname or "").encode("idna").decode("ascii")
    if parts.scheme not in ("http", "https") or "@" in parts.netloc:
        raise ValueError("neither http nor https, or a password in the address")
    if not re.fullmatch(r"[0-9a-z._:-]+", host):
        raise ValueError("no host name")
    netloc = "[%s]" % host if ":" in host else host
    if parts.port is not None:
        netloc += ":%d" % parts.port
    path, query = (urllib.parse.quote(part, safe="/%:@!$&'()*+,;=~?") for part in (parts.path, parts.query))
    return urllib.parse.SplitResult(parts.scheme, netloc, path, query, "")


def _check_url(server_url):
    try:
        parts = _split(server_url)
    except (ValueError, TypeError, AttributeError):
        raise _NoVerdict(BAD_ADDRESS) from None
    return parts._replace(path=parts.path.rstrip("/") + "/api/check", query="")


def _to_json(value):
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _user_name():
    import getpass
    return getpass.getuser()


def _run_with_timeout(seconds, function, *arguments):
    """Call the function in a thread, and wait for its result no longer than this.

    The timeout of a socket starts anew with every byte, and does not cover DNS. The thread is a daemon: abandoned,
    it ends with its connection, or silently with the program.
    """
    results = queue.Queue()

    def run():
        try:
            results.put((function(*arguments), None))
        except Exception as error:
            results.put((None, error))

    threading.Thread(target=run, name="license check", daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result


class _RawAnswers(urllib.request.HTTPErrorProcessor):
    """Returns every answer as it is: a refusal is not an error, and urllib would turn a redirected POST into a GET."""

    def http_response(self, request, response):
        return response

    https_response = http_response


def _opener(host):
    # Many offices reach the internet only through a proxy, which urllib takes from the environment or from the
    # Windows settings. A server on this computer must not be reached through it: to the proxy, "localhost" is the
    # proxy itself.
    if _is_loopback(host):
        return urllib.request.build_opener(_RawAnswers, urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(_RawAnswers)


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _post(url, body, deadline, redirects):
    """Send the request, following at most this many redirects, and return (HTTP status, body of the answer)."""
    headers = {"Content-Type": "application/json", "User-Agent": "license_client.py/" + __version__}
    for _ in range(1 + redirects):
        request = urllib.request.Request(url.geturl(), body, headers, method="POST")
        timeout = max(deadline - time.monotonic(), 0.001)
        with _opener(url.hostname).open(request, timeout=timeout) as response:
            location = response.headers.get("Location")
            if response.status not in (301, 302, 307, 308) or not location:
                return response.status, _read(response, deadline)
        url = _redirect_target(url, location)
    raise _NoVerdict(NO_RESULT, "too many redirects" if redirects else "redirected")


def _redirect_target(url, location):
    """Follow a redirect only on the same host, and never from https to http."""
    try:
        target = _split(urllib.parse.urljoin(url.geturl(), location))
    except ValueError:
        raise _NoVerdict(NO_RESULT, "redirect to a malformed address") from None
    if target.hostname != url.hostname or (url.scheme, target.scheme) == ("https", "http"):
        raise _NoVerdict(NO_RESULT, "redirect to another address")
    return target


def _read(response, deadline):
    body = b""
    while len(body) <= MAX_ANSWER_BYTES and time.monotonic() < deadline:
        # Small pieces, so that a slow server cannot hold the thread long after the deadline.
        piece = response.read(256)
        if not piece:
            return body
        body += piece
    raise _NoVerdict(NO_RESULT, "the answer is too long")


def _plain_verdict(status, body):
    """The status code alone is not a verdict: proxies also answer 200, 403 and 404."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        verdict, message = answer.get("status"), answer.get("message")
        if status == 200 and verdict == "valid":
            return "VALID", message if isinstance(message, str) else ""
        if status in (403, 404) and verdict in ("invalid", "expired") and isinstance(message, str):
            return _plain_code(status, verdict, message), message
    raise _NoVerdict(NO_RESULT, "HTTP %d" % status)


def _plain_code(status, verdict, message):
    if verdict == "expired":
        return "EXPIRED"
    if status == 404:
        return "NOT_FOUND"
    return "SUSPENDED" if "'suspended'" in message else "REVOKED"


# ---- The signed answer ----

_Claims = collections.namedtuple("_Claims", "code message iat exp expiration_date")
# A verified token, its claims, and what was stored when the request was sent.
_SignedAnswer = collections.namedtuple("_SignedAnswer", "token claims before")


def _token(status, body):
    """The token of an answer. The status and the other fields are not signed, so they are ignored."""
    if 300 <= status < 400:
        raise _NoVerdict(NO_RESULT, "redirected")
    try:
        token = _json_object(body).get("token")
    except ValueError:
        token = None
    if not isinstance(token, str):
        raise _NoVerdict(NO_RESULT, "HTTP %d without a signed answer" % status)
    return token


def _verified(token, keys, at_start=False, **expected):
    """The claims of a token, after its signature and, next, the expected claims have been verified."""
    try:
        header, claims, signature = map(_from_base64url, token.split("."))
        header = _json_object(header)
    except ValueError:
        raise _NoVerdict(NO_RESULT, "the signed answer is damaged") from None
    kid = header.get("kid")
    if not isinstance(kid, str) or header != {"alg": "ES256", "kid": kid, "typ": "license+jwt"}:
        raise _NoVerdict(NO_RESULT, "signed with another algorithm")
    if kid not in keys:
        raise _NoVerdict(NO_RESULT, "signed with a key that this program does not know")
    if not _is_signature(signature, token.rpartition(".")[0].encode("ascii"), keys[kid], at_start):
        raise _NoVerdict(NO_RESULT, "the signature is wrong")
    try:
        claims = _json_object(claims)
    except ValueError:
        raise _NoVerdict(NO_RESULT, "the signed answer is unreadable") from None
    for name, value in expected.items():
        if claims.get(name) != value:
            raise _NoVerdict(NO_RESULT, "the answer to another check: " + name)
    code, iat, exp = (claims.get(name) for name in ("code", "iat", "exp"))
    if code not in GOOD_CODES + REFUSALS or not all(map(_is_integer, (claims.get("http"), iat, exp))) or exp <= iat:
        raise _NoVerdict(NO_RESULT, "a signed answer that this program does not understand")
    message, expiration_date = claims.get("message"), claims.get("expiration_date")
    # These two are displayed and decide nothing.
    message = message.encode("utf-8", "replace").decode() if isinstance(message, str) else ""
    return _Claims(code, message, iat, exp, expiration_date if _date(expiration_date) else None)


def _is_integer(value):
    return type(value) is int and 0 <= value <= LAST_SECOND  # not isinstance: True is an int, too


def _date(text):
    """The date if it is written as YYYY-MM-DD, otherwise None."""
    try:
        return datetime.date(*map(int, re.fullmatch("([0-9]{4})-([0-9]{2})-([0-9]{2})", text).groups()))
    except (AttributeError, TypeError, ValueError):
        return None


def _days_left(expiration_date, now):
    date = _date(expiration_date)
    return max((date - _today(now)).days, 0) if date else None


def _today(now):
    """The date in the computer's time zone, or in UTC if the system cannot convert a time so far ahead."""
    in_utc = datetime.date(1970, 1, 1) + datetime.timedelta(seconds=now)
    return _attempt(lambda: datetime.date.fromtimestamp(now), in_utc)


def _json_object(data):
    """The JSON object in these bytes, or ValueError, also for a duplicate name."""
    def unique(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError("duplicate name")
        return dict(pairs)

    def reject(constant):
        raise ValueError(constant)

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=reject)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _to_base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _from_base64url(text):
    """Bytes, or ValueError for anything but the canonical encoding: no padding (RFC 7515), and spare bits are zero."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise ValueError("not base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _to_base64url(data) != text:
        raise ValueError("not canonical base64url")
    return data


# ---- Public keys ----

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----(.*)-----END PUBLIC KEY-----", re.S)
# SubjectPublicKeyInfo (RFC 5480) of a P-256 key, up to its two coordinates.
_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def _pin(public_keys):
    """The keys by ID, and what is wrong with them, or ""."""
    if isinstance(public_keys, dict) and "keys" in public_keys:  # a JWK Set, as GET /api/keys sends it
        public_keys = public_keys["keys"]
    if isinstance(public_keys, (str, dict)):
        public_keys = [public_keys]
    try:
        keys = dict(map(_public_key, public_keys))
    except Exception as error:
        return {}, str(error) if isinstance(error, ValueError) else "not a list of keys"
    return keys, "" if keys else "the list is empty"


def _public_key(key):
    """The key's ID (the first 16 characters of its RFC 7638 thumbprint) and its point."""
    if isinstance(key, dict):
        if "d" in key:
            raise ValueError("one of them is the private key, which must stay on the server")
        if key.get("kty") != "EC" or key.get("crv") != "P-256":
            raise ValueError("one of them is not for ES256")
        coordinates = [key.get("x"), key.get("y")]
    elif isinstance(key, str) and "-----" in key:
        coordinates = _pem_coordinates(key)
    else:
        coordinates = key.strip().split(".") if isinstance(key, str) else []
    if len(coordinates) != 2 or not all(isinstance(text, str) and len(text) == 43 for text in coordinates):
        raise ValueError("one of them is not a public key")
    x, y = (int.from_bytes(_from_base64url(text), "big") for text in coordinates)
    if not _is_on_curve(x, y):
        raise ValueError("one of them was not copied correctly")
    jwk = '{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' % tuple(coordinates)
    return _to_base64url(hashlib.sha256(jwk.encode("ascii")).digest())[:16], (x, y)


def _pem_coordinates(text):
    found = _PEM.search(text)
    der = base64.b64decode("".join(found[1].split())) if found else b""
    if len(der) != len(_SPKI) + 64 or not der.startswith(_SPKI):
        raise ValueError("one of them is not a P-256 public key in PEM format")
    return [_to_base64url(der[-64:-32]), _to_base64url(der[-32:])]


# ---- ECDSA over P-256 with SHA-256 (FIPS 186-5; FIPS 186-4 D.1.2.3 has the numbers) ----

_P = 2 ** 256 - 2 ** 224 + 2 ** 192 + 2 ** 96 - 1
_N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
_B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b
_G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
      0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)


def _is_on_curve(x, y):
    return x < _P and y < _P and (y * y - x * x * x + 3 * x - _B) % _P == 0


def _is_signature(signature, message, key, at_start=False):
    """Whether the owner of the key signed the message."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or not 0 < r < _N or not 0 < s < _N:
        return False
    # Loading the package takes up to 200 ms, too long for a start with a lease.
    if at_start and "cryptography.hazmat.primitives.asymmetric.ec" not in sys.modules:
        return _python_verifies(r, s, message, key)
    try:
        return _cryptography_verifies(r, s, message, key)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # not installed, or broken: then it may raise something other than an Exception
        return _python_verifies(r, s, message, key)


def _cryptography_verifies(r, s, message, key):
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256
    public = ec.EllipticCurvePublicNumbers(key[0], key[1], ec.SECP256R1()).public_key()
    try:
        public.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _python_verifies(r, s, message, key):
    """The same in about two milliseconds. All input is public, so nothing has to run in constant time."""
    hashed = int.from_bytes(hashlib.sha256(message).digest(), "big")
    inverse = pow(s, -1, _N)
    point = _sum_of_multiples(hashed * inverse % _N, _G, r * inverse % _N, key)
    if not point[2]:
        return False
    return point[0] * pow(point[2], -2, _P) % _P % _N == r


def _sum_of_multiples(a, p, b, q):
    """a * p + b * q in one pass over the bits (Shamir). A point (X, Y, Z) is (X/Z^2, Y/Z^3), or infinity if Z = 0."""
    p, q = p + (1,), q + (1,)
    to_add = (None, p, q, _add(p, q))
    point = (1, 1, 0)
    for bit in range(max(a.bit_length(), b.bit_length()) - 1, -1, -1):
        point = _double(point)
        which = (a >> bit & 1) + 2 * (b >> bit & 1)
        if which:
            point = _add(point, to_add[which])
    return point


def _double(point):
    x, y, z = point
    delta, gamma = z * z % _P, y * y % _P
    beta = x * gamma % _P
    alpha = 3 * (x - delta) * (x + delta) % _P
    new_x = (alpha * alpha - 8 * beta) % _P
    return new_x, (alpha * (4 * beta - new_x) - 8 * gamma * gamma) % _P, 2 * y * z % _P


def _add(one, other):
    (x1, y1, z1), (x2, y2, z2) = one, other
    if not z1 or not z2:
        return other if not z1 else one
    squared1, squared2 = z1 * z1 % _P, z2 * z2 % _P
    u1, s1 = x1 * squared2 % _P, y1 * squared2 * z2 % _P
    h, r = (x2 * squared1 - u1) % _P, (y2 * squared1 * z1 - s1) % _P
    if not h:
        return (1, 1, 0) if r else _double(one)
    h2 = h * h % _P
    h3, v = h * h2 % _P, u1 * h2 % _P
    x = (r * r - h3 - 2 * v) % _P
    return x, (r * (v - x) - s1 * h3) % _P, h * z1 * z2 % _P


# ---- The stored lease ----

# The token is None after a signed refusal; highest_iat is the largest signed `iat` ever received.
_Stored = collections.namedtuple("_Stored", "token highest_iat")


def _cache_folder():
    """The platform's folder for state that needs no backup."""
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local")
    elif sys.platform == "darwin":
        folder = os.path.expanduser("~/Library/Application Support")
    else:
        folder = os.environ.get("XDG_STATE_HOME", "")
        if not os.path.isabs(folder):
            folder = os.path.expanduser("~/.local/state")
    return os.path.join(folder, "license-client") if os.path.isabs(folder) else ""


class _Store:
    """One small file. An unreadable file counts as absent, and errors of writing are ignored."""

    def __init__(self, folder, name):
        self.folder, self.path = folder, os.path.join(folder, name)

    def read(self):
        content = _attempt(lambda: _json_object(_retried(lambda: _read_file(self.path))), {}) if self.folder else {}
        stored = _Stored(content.get("token"), content.get("highest_iat"))
        is_readable = isinstance(stored.token, (str, type(None))) and _is_integer(stored.highest_iat)
        return stored if is_readable else None

    def save(self, token, iat, before):
        """Store this token, or erase the stored one if it is None; `before` was stored when the request was sent."""
        if self.folder:
            _attempt(lambda: os.makedirs(self.folder, mode=0o700, exist_ok=True), None)
            with contextlib.ExitStack() as stack:
                _attempt(lambda: stack.enter_context(_lock(os.path.join(self.folder, "lock"))), None)
                _attempt(lambda: self._save(token, iat, before), None)

    def _save(self, token, iat, before):
        now = self.read()
        # Another process may have stored a newer answer meanwhile. A refusal always counts.
        if token is not None and now and now != before and now.highest_iat >= iat:
            token = now.token
        stored = _Stored(token, max(iat, now.highest_iat if now else 0))
        content = json.dumps(stored._asdict()).encode("ascii")
        try:
            self._write(content)
        except OSError:
            if token is None:
                self._erase(content)

    def _write(self, content):
        draft = "%s.%d.%s" % (self.path, os.getpid(), os.urandom(4).hex())
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                _overwrite(file, content)
            _retried(lambda: os.replace(draft, self.path))
        except OSError:
            _attempt(lambda: os.remove(draft), None)
            raise

    def _erase(self, content):
        """Overwrite the file in place: the folder cannot be written, or the disk is full."""
        try:
            with _retried(lambda: open(self.path, "r+b")) as file:
                _overwrite(file, content)
        except OSError:
            os.remove(self.path)


def _overwrite(file, content):
    file.write(content)
    file.truncate()
    file.flush()
    os.fsync(file.fileno())


def _read_file(path):
    with open(path, "rb") as file:
        return file.read(2 * MAX_ANSWER_BYTES)


def _retried(function):
    # On Windows, a file cannot be opened while another process replaces it.
    for _ in range(5):
        try:
            return function()
        except PermissionError:
            time.sleep(0.01)
    return function()


@contextlib.contextmanager
def _lock(path):
    """Hold the lock that this user's processes share, or proceed without it after a second."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        deadline = time.monotonic() + 1
        while not _try_lock(file) and time.monotonic() < deadline:
            time.sleep(0.01)
        yield


def _try_lock(file):
    try:
        if sys.platform == "win32":
            import msvcrt
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


# ---- Background refreshes ----

_refreshes = set()


def _in_background(function):
    def run():
        _attempt(function, None)
        _refreshes.discard(thread)

    thread = threading.Thread(target=run, name="license refresh", daemon=True)
    thread.start()
    _refreshes.add(thread)


@atexit.register
def _wait_for_refreshes():
    # A program that exits at once would otherwise never renew its lease.
    deadline = time.monotonic() + REFRESH_EXIT_WAIT
    for thread in list(_refreshes):
        thread.join(max(deadline - time.monotonic(), 0))


# ---- The machine ID ----

# How permanent an adapter is, best first. Whether it is connected does not matter, or the ID would change whenever
# Wi-Fi is turned off.
WIRED, WIRELESS, REMOVABLE, EMULATED, VIRTUAL = range(5)

MULTICAST, LOCAL = 1, 2  # bits in the first byte of an address

# Vendors of virtual machines (VMware, Hyper-V, VirtualBox, Parallels, Xen) and of VPN adapters (Cisco, Fortinet,
# OpenVPN), some of which give every computer the same address.
_SOFTWARE_VENDORS = tuple(map(bytes.fromhex, (
    "000569 000c29 001c14 005056 0003ff 00155d 080027 001c42 00163e 00059a 00090f 00ff").split()))


_Adapter = collections.namedtuple("_Adapter", "mac rank")


def _find_machine_id():
    find_adapters, find_system_id = {
        "win32": (_windows_adapters, _windows_machine_guid),
        "darwin": (_macos_adapters, _macos_platform_uuid),
    }.get(sys.platform, (_linux_adapters, _linux_machine_id))
    return _choose(_attempt(find_adapters, []), lambda: _attempt(find_system_id, ""))


def _attempt(function, fallback):
    try:
        return function()
    except Exception:
        return fallback


def _choose(adapters, find_system_id):
    """The hardware address of the adapter that is hardest to remove, or else the operating system's ID.

    Software makes up the addresses of virtual adapters and locally administered ones, and changes them; they are used
    only if there is nothing better.
    """
    usable = [a for a in adapters if len(a.mac) == 6 and any(a.mac) and not a.mac[0] & MULTICAST]
    best = min(usable, key=_sort_key, default=None)
    mac = best.mac.hex(":") if best else ""
    if best and best.rank < VIRTUAL and not best.mac[0] & LOCAL:
        return mac
    return find_system_id() or mac


def _sort_key(adapter):
    emulated = adapter.mac.startswith(_SOFTWARE_VENDORS)
    rank = max(adapter.rank, EMULATED) if emulated else adapter.rank
    return adapter.mac[0] & LOCAL, rank, adapter.mac


# ---- The machine ID: Windows ----

_VIRTUAL_NAMES = re.compile(
    r"virtu|vpn|\btap\b|\btun|wintun|wireguard|loopback|wan miniport|bluetooth|bridge|multiplexor", re.I)
_REMOVABLE_NAMES = re.compile(
    r"usb|remote ndis|\bncm\b|dock|thunderbolt|displaylink|surface ethernet|apple mobile", re.I)


class _AdapterAddresses(ctypes.Structure):
    """The first fields of IP_ADAPTER_ADDRESSES_LH (iptypes.h); adjacent ones that are not used share a field."""

    _fields_ = [
        ("LengthAndIfIndex", ctypes.c_uint32 * 2),
        ("Next", ctypes.c_void_p),
        ("AdapterNameToDnsSuffix", ctypes.c_void_p * 6),
        ("Description", ctypes.c_wchar_p),
        ("FriendlyName", ctypes.c_void_p),
        ("PhysicalAddress", ctypes.c_uint8 * 8),
        ("PhysicalAddressLength", ctypes.c_uint32),
        ("FlagsAndMtu", ctypes.c_uint32 * 2),
        ("IfType", ctypes.c_uint32),
        ("OperStatusToZoneIndices", ctypes.c_uint32 * 18),
        ("FirstPrefix", ctypes.c_void_p),
        ("LinkSpeeds", ctypes.c_uint64 * 2),
        ("FirstWinsServerAndGateway", ctypes.c_void_p * 2),
        ("Metrics", ctypes.c_uint32 * 2),
        ("Luid", ctypes.c_uint64),
    ]


class _InterfaceRow(ctypes.Structure):
    """MIB_IF_ROW2 (netioapi.h), all of its 1352 bytes."""

    _fields_ = [
        ("InterfaceLuid", ctypes.c_uint64),
        ("InterfaceIndexAndGuid", ctypes.c_uint32 * 5),
        ("AliasAndDescription", ctypes.c_uint16 * (2 * 257)),
        ("PhysicalAddressLength", ctypes.c_uint32),
        ("PhysicalAddress", ctypes.c_uint8 * 32),
        ("PermanentPhysicalAddress", ctypes.c_uint8 * 32),
        ("MtuToDirectionType", ctypes.c_uint32 * 7),
        ("InterfaceAndOperStatusFlags", ctypes.c_uint8),
        ("OperStatusToOutQLen", ctypes.c_uint8 * 199),
    ]


def _windows_adapters():
    # Disconnected adapters are always listed. The flag 0x100 (all interfaces) adds those whose TCP/IP a Hyper-V
    # switch, a team or a bridge has taken over; the other flags skip lists that are not needed.
    flags, buffer_overflow = 0x100 | 0x01 | 0x02 | 0x04 | 0x08, 111
    iphlpapi = ctypes.WinDLL("iphlpapi")
    size = ctypes.c_uint32(32 * 1024)
    for _ in range(4):  # the list may grow between two calls
        buffer = ctypes.create_string_buffer(size.value)
        code = iphlpapi.GetAdaptersAddresses(0, flags, None, buffer, ctypes.byref(size))
        if code != buffer_overflow:
            break
    if code:
        raise OSError(code, "GetAdaptersAddresses")
    return list(_read_windows_list(ctypes.addressof(buffer), iphlpapi.GetIfEntry2))


def _read_windows_list(address, get_if_entry2):
    ethernet, wifi = 6, 71
    while address:
        entry = _AdapterAddresses.from_address(address)
        address = entry.Next
        if entry.IfType not in (ethernet, wifi):
            continue
        # The row has the address that Windows' "random hardware addresses" hide.
        row = _InterfaceRow(InterfaceLuid=entry.Luid)
        known = get_if_entry2(ctypes.byref(row)) == 0
        mac = bytes(row.PermanentPhysicalAddress)[:6]
        if not known or not any(mac):
            mac = bytes(entry.PhysicalAddress)[:entry.PhysicalAddressLength]
        is_hardware = not known or bool(row.InterfaceAndOperStatusFlags & 1)
        yield _Adapter(mac, _windows_rank(entry.Description or "", entry.IfType == wifi, is_hardware))


def _windows_rank(description, is_wifi, is_hardware):
    if not is_hardware or _VIRTUAL_NAMES.search(description):
        return VIRTUAL
    if _REMOVABLE_NAMES.search(description):
        return REMOVABLE
    return WIRELESS if is_wifi else WIRED


def _windows_machine_guid():
    import winreg
    # A 32-bit program would otherwise see another part of the registry, which does not have this value.
    access = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography", 0, access) as key:
        return str(winreg.QueryValueEx(key, "MachineGuid")[0]).strip()


# ---- The machine ID: Linux ----

def _linux_adapters(root="/sys/class/net"):
    folders = (os.path.join(root, name) for name in os.listdir(root))
    return [_linux_adapter(folder) for folder in folders if _read_text(folder, "type") == "1"]  # Ethernet


def _linux_adapter(folder):
    current = bytes.fromhex(_read_text(folder, "address").replace(":", ""))
    permanent = _attempt(lambda: _linux_permanent_mac(os.path.basename(folder)), b"")
    if not any(permanent) and _read_text(folder, "addr_assign_type") == "0":
        permanent = current
    device = os.path.realpath(os.path.join(folder, "device"))
    if not any(permanent) or not os.path.isdir(device) or "/virtual/" in device:
        return _Adapter(current, VIRTUAL)
    if "/usb" in device or _read_text(device, "removable") == "removable":
        return _Adapter(permanent, REMOVABLE)
    return _Adapter(permanent, WIRELESS if os.path.isdir(os.path.join(folder, "phy80211")) else WIRED)


def _linux_permanent_mac(name):
    """Ask the driver: members of a bond share one address, and Wi-Fi scans with random ones."""
    import fcntl
    siocethtool, ethtool_gpermaddr, offset = 0x8946, 0x20, 8
    answer = array.array("B", struct.pack("II32x", ethtool_gpermaddr, 32))
    request = struct.pack("16sP16x", name.encode(), answer.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, siocethtool, request)
    return answer.tobytes()[offset:offset + 6]


def _linux_machine_id():
    for folder in ("/etc", "/var/lib/dbus"):
        text = _read_text(folder, "machine-id")
        if re.fullmatch(r"[0-9a-f]{32}", text):
            return text
    return ""


def _read_text(folder, name):
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return file.read(256).strip()
    except (OSError, ValueError):
        return ""


# ---- The machine ID: macOS ----

def _macos_adapters():
    # en0 is built into every Mac. The I/O registry has its real address; getifaddrs would return the private one,
    # which changes with the Wi-Fi network.
    framework, pointer = "/System/Library/Frameworks/{0}.framework/{0}", ctypes.c_void_p
    iokit, core = (ctypes.CDLL(framework.format(name)) for name in ("IOKit", "CoreFoundation"))
    for function in (iokit.IOBSDNameMatching, iokit.IORegistryEntrySearchCFProperty,
                     core.CFStringCreateWithCString, core.CFDataGetBytePtr):
        function.restype = pointer
    utf8, all_parents = 0x08000100, 1 | 2
    key = pointer(core.CFStringCreateWithCString(None, b"IOMACAddress", utf8))
    en0 = iokit.IOServiceGetMatchingService(0, pointer(iokit.IOBSDNameMatching(0, 0, b"en0")))
    data = en0 and iokit.IORegistryEntrySearchCFProperty(en0, b"IOService", key, None, all_parents)
    return [_Adapter(ctypes.string_at(core.CFDataGetBytePtr(pointer(data)), 6), WIRED)] if data else []


def _macos_platform_uuid():
    host, wait = (ctypes.c_uint8 * 16)(), (ctypes.c_long * 2)(1, 0)  # a uuid_t and a timespec
    if ctypes.CDLL(None).gethostuuid(host, wait):
        return ""
    return str(uuid.UUID(bytes=bytes(host))).upper()


# ---- Command line ----

USAGE = """usage: license_client.py SERVER TOOL            check the license of TOOL
       license_client.py SERVER TOOL KEY...     accept only answers signed with one of these public keys
       license_client.py --machine-id           print only the machine ID"""


def main(arguments):
    wants_id, wants_help = arguments == ["--machine-id"], arguments in (["-h"], ["--help"])
    if len(arguments) < 2 and not wants_id:
        _print(USAGE, sys.stdout if wants_help else sys.stderr)
        return 0 if wants_help else 2
    client = LicenseClient("" if wants_id else arguments[0], public_keys=arguments[2:] or None)
    found = client.machine_id()
    if wants_id:
        _print(found or "no machine ID found", sys.stdout if found else sys.stderr)
        return 0 if found else 1
    _print("Machine ID: " + (found or "none found"), sys.stdout)
    result = client.check(arguments[1], refresh=True)
    _print("Verdict: " + ("valid" if result.valid else "not confirmed"), sys.stdout)
    _print("Message: " + result.message, sys.stdout)
    if arguments[2:]:
        _print("\n" + result.diagnostic(), sys.stdout)
    return 0 if result.valid else 1


def _print(text, stream):
    if stream is None:  # pythonw.exe has no console
        return
    encoding = getattr(stream, "encoding", None) or "ascii"
    print(text.encode(encoding, "replace").decode(encoding), file=stream)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
