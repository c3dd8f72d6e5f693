"""Asks a license server, when a program starts, whether this computer may run it.

Ship this one file inside your program (Python 3.8 or later, nothing to install) and call it before
the main window opens:

    import sys
    from license_client import LicenseClient

    PUBLIC_KEYS = ["...", "..."]  # from the vendor's dashboard: the present key and the next one

    client = LicenseClient("https://example.com/licenseserver", public_keys=PUBLIC_KEYS)
    is_valid, message = client.check_license("YourToolName")
    if not is_valid:
        print(message)  # or a message box: the words are meant for your customer
        sys.exit(1)

With the server's public keys only an answer that the server has signed for this question counts, and
a good one is kept as a lease: until it ends, the program starts without a network. Without the keys the
client asks the plain question, believes whoever answers and keeps nothing.

On the telephone, `python license_client.py SERVER TOOL` shows the customer's machine id, which is
the license key that the vendor enters in the dashboard, and the verdict.
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

# What the customer reads; translate freely. Only the server itself says that a license is invalid:
# someone who has paid must not read that because a cable is loose.
NO_ANSWER = ("The license server cannot be reached. There was no answer from {address} ({why}). "
             "Please check the internet connection and the firewall, then try again.")
NOT_OURS = ("The license server cannot be reached. What answered at {address} gave no verdict ({why}). "
            "Please try again in a few minutes. If this does not help, contact the vendor of this program.")
BAD_ADDRESS = ("The license server cannot be reached. This program looks for it at \"{address}\", "
               "which is not a web address. Please contact the vendor of this program.")
BEHIND = ", but the clock of this computer is behind"
CLOCK_BEHIND = " The clock of this computer seems to be wrong; please set it right."
BAD_KEYS = ("The license cannot be checked: the public keys in this program cannot be used ({why}). "
            "Please contact the vendor of this program.")
BAD_TOOL_NAME = ("The license cannot be checked: this program does not say what it is called. "
                 "Please contact the vendor of this program.")
NO_MACHINE_ID = ("The license cannot be checked: this computer has no machine id. Please switch on its "
                 "network adapter (cable or Wi-Fi) and try again, or contact the vendor of this program.")

# The server's words. No other is a verdict.
GOOD_CODES = ("VALID", "IN_GRACE", "TRIAL")
REFUSALS = ("EXPIRED", "SUSPENDED", "REVOKED", "NOT_FOUND")

DEFAULT_TIMEOUT = 5.0
LONGEST_ANSWER = 64 * 1024
MOST_REDIRECTS = 5
LAST_SECOND = 253402300799  # of the year 9999
# How far behind the newest signed moment a clock may be for a lease to count, in seconds.
CLOCK_TOLERANCE = 24 * 3600
# Seconds between two refreshes in the background, and the longest that a program's end waits for one.
REFRESH_PAUSE, REFRESH_AT_END = 60, 1.0


class LicenseClient:
    """Asks one license server about this computer; no method raises an exception.

    public_keys  the server's, at least the present one and the next: each the text "x.y" or PEM or a
                 JWK. Never fetch them at run time: who can send you keys can send you answers.
    cache_dir    where the lease is kept, instead of the platform's usual folder.
    version      of your program, shown to the vendor.
    """

    def __init__(self, server_url: str, timeout: float = DEFAULT_TIMEOUT, public_keys=None, cache_dir=None,
                 version=None):
        self.server_url = server_url
        # Without a usable limit a start could hang for ever.
        usable = isinstance(timeout, (int, float)) and 0 < timeout <= 3600
        self.timeout = timeout if usable else DEFAULT_TIMEOUT
        # An empty list or a wrong key must not quietly mean "plain".
        self._is_signed = public_keys is not None
        self._keys, self._key_problem = _pin(public_keys) if self._is_signed else ({}, "")
        self._cache_dir = cache_dir
        self._version = version
        self._machine_id = ""
        self._refused_at = {}  # tool: newest signed refusal; counts where the disk cannot be written
        self._refreshed_at = {}  # tool: when a refresh in the background was last begun
        # The world outside; tests bring another one.
        self._now = lambda: int(time.time())
        self._nonce = lambda: _to_base64url(os.urandom(24))
        self._send = _post
        self._in_background = _in_background

    def machine_id(self) -> str:
        """The license key of this computer, or "" if it has nothing to be told apart by."""
        self._machine_id = self._machine_id or _find_machine_id()
        return self._machine_id

    def check_license(self, tool_name: str) -> Tuple[bool, str]:
        """Whether this computer may run the tool, and a message for the customer, within `timeout` seconds."""
        result = self.check(tool_name)
        return result.valid, result.message

    def check(self, tool_name: str, refresh: bool = False) -> "LicenseCheck":
        """The same with all that is known; `refresh` asks the server even if there is a lease."""
        try:
            return self._check(tool_name, refresh)
        except Exception as error:
            return self._unanswered(tool_name, error)

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
                return self._concluded(tool_name, lease, "lease")
        try:
            heard = _within(self.timeout, self._ask, url, tool_name)
        except Exception as error:
            # The lease is read again: it may have ended or been erased while nobody answered.
            lease, _ = self._lease(tool_name)
            if lease:
                return self._concluded(tool_name, lease, "lease", error)
            raise
        # Not in the thread that asks: a slow disk makes no answer late, and no refusal is lost at an exit.
        self._remember(tool_name, heard)
        return self._concluded(tool_name, heard.claims, "server")

    def _check_plain(self, url, tool_name):
        body = _to_json({"tool_name": tool_name, "license_key": self.machine_id()})
        deadline = time.monotonic() + self.timeout
        status, answer = _within(self.timeout, self._send, url, body, deadline, MOST_REDIRECTS)
        code, message = _plain_verdict(status, answer)
        return LicenseCheck(code, message, "server", None, None, self._diagnostic(tool_name, code, "server"))

    # ---- With public keys ----

    def _ask(self, url, tool_name):
        before, nonce = self._store(tool_name).read(), self._nonce()
        body = _to_json({"tool_name": tool_name, "license_key": self.machine_id(), "nonce": nonce,
                         "kids": list(self._keys), "client": self._says_of_itself()})
        status, answer = self._send(url, body, time.monotonic() + self.timeout, 0)
        token = _token(status, answer)
        claims = _verified(token, self._keys, aud=tool_name, sub=self.machine_id(), nonce=nonce)
        return _Heard(token, claims, before)

    def _remember(self, tool_name, heard):
        """Keep a good answer as the lease; after a refusal there is none."""
        iat, is_good = heard.claims.iat, heard.claims.code in GOOD_CODES
        if not is_good:
            self._refused_at[tool_name] = iat
        elif iat >= self._refused_at.get(tool_name, 0):
            self._refused_at.pop(tool_name, None)
        self._store(tool_name).remember(heard.token if is_good else None, iat, heard.before)

    def _lease(self, tool_name):
        """The claims of the stored lease if it counts now, otherwise None; and a word about it."""
        stored, now = self._store(tool_name).read(), self._now()
        if not stored or stored.token is None:
            return None, "none"
        try:
            claims = _verified(stored.token, self._keys, at_start=True, aud=tool_name, sub=self.machine_id())
        except _NoVerdict as error:
            return None, "not ours: " + error.why
        until = "until " + _utc(claims.exp)
        if claims.code not in GOOD_CODES or claims.iat <= self._refused_at.get(tool_name, -1):
            return None, "withdrawn"
        if now < max(stored.highest_iat, claims.iat) - CLOCK_TOLERANCE:
            return None, until + BEHIND
        return (claims, until) if now < claims.exp else (None, until + ", over")

    def _refresh_if_due(self, url, tool_name, lease):
        last, now = self._refreshed_at.get(tool_name), time.monotonic()
        if lease.iat + lease.exp <= 2 * self._now() and (last is None or now - last >= REFRESH_PAUSE):
            self._refreshed_at[tool_name] = now
            _attempt(lambda: self._in_background(lambda: self._remember(tool_name, self._ask(url, tool_name))), None)

    def _store(self, tool_name):
        folder = _attempt(lambda: os.fsdecode(self._cache_dir or _cache_folder()), "")
        about = _to_json([str(self.server_url).strip().rstrip("/"), tool_name, self.machine_id()])
        return _Store(folder, hashlib.sha256(about).hexdigest()[:32] + ".json")

    def _says_of_itself(self):
        said = {"version": self._version, "hostname": _attempt(socket.gethostname, ""),
                "user": _attempt(_user_name, "")}
        return {name: str(text)[:100] for name, text in said.items() if text}

    # ---- The result ----

    def _concluded(self, tool_name, claims, source, error=None):
        # Online the server's clock says what day it is; the computer's may be wrong.
        now = claims.iat if source == "server" else self._now()
        days_left = _days_left(claims.expiration_date, now)
        return LicenseCheck(claims.code, claims.message, source, claims.expiration_date, days_left,
                            self._diagnostic(tool_name, claims.code, source, error))

    def _unanswered(self, tool_name, error):
        message, why = _explain(error)
        message = message.format(address=_shown(self.server_url), why=why)
        if self._about_lease(tool_name).endswith(BEHIND):
            message += CLOCK_BEHIND
        return LicenseCheck("NO_ANSWER", message, "none", None, None,
                            self._diagnostic(tool_name, "NO_ANSWER", "none", error))

    def _about_lease(self, tool_name):
        return _attempt(lambda: self._lease(tool_name)[1], "none") if self._keys else "none"

    def _diagnostic(self, tool_name, code, source, error=None):
        """What makes the diagnostic text when somebody wants it."""
        clock, why = self._now(), _described(error) if error else "-"
        return lambda: "\n".join("%s: %s" % (name, _printable(text)) for name, text in (
            ("client", "license_client.py %s, Python %d.%d, %s" % (
                (__version__,) + sys.version_info[:2] + (sys.platform,))),
            ("tool", "%s %s" % (tool_name, self._version or "")),
            ("server", _shown(self.server_url)),
            ("machine id", "..." + self.machine_id()[-4:]),
            ("code", code),
            ("source", source),
            ("keys", (self._key_problem or ", ".join(self._keys)) if self._is_signed else "none, the plain question"),
            ("lease", self._about_lease(tool_name)),
            ("clock", _utc(clock)),
            ("no answer", why),
        ))


class LicenseCheck:
    """What a check has concluded; `if client.check("YourToolName"):` does what it says.

    valid      whether this computer may run the tool
    code       VALID, IN_GRACE, TRIAL; EXPIRED, SUSPENDED, REVOKED, NOT_FOUND; or NO_ANSWER, which is
               not a refusal
    message    for the customer
    expires    the last day of the license as "2027-12-31", or None
    days_left  the days until then on this computer's calendar, 0 on the last one, or None
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
        """One text to copy into a mail to the vendor, without secrets."""
        return _attempt(self._diagnostic, "")


# ---- The words for everything that is not a verdict ----

class _NoVerdict(Exception):
    """Carries one of the messages above, and why where the message has room for it."""

    def __init__(self, message, why=""):
        super().__init__(message, why)
        self.message, self.why = message, why


_REASONS = (
    ((TimeoutError, socket.timeout), "no answer in time"),  # two classes until Python 3.10
    (ssl.SSLError, "no secure connection; is the date of this computer right?"),
    (socket.gaierror, "this name was not found"),
    (ConnectionRefusedError, "the connection was refused"),
)


def _explain(error):
    if isinstance(error, _NoVerdict):
        return error.message, error.why
    if isinstance(error, urllib.error.URLError):
        error = error.reason
    # A connection that was closed without a word is both an HTTPException and an OSError.
    if isinstance(error, http.client.HTTPException) and not isinstance(error, OSError):
        return NOT_OURS, "not an answer of a web server"
    for kind, why in _REASONS:
        if isinstance(error, kind):
            return NO_ANSWER, why
    return NO_ANSWER, "no connection"


def _shown(server_url):
    text = server_url.strip() if isinstance(server_url, str) else type(server_url).__name__
    text = re.sub(r"//.*@|[?#].*", lambda found: "//" if found[0].endswith("@") else "", text, flags=re.S)[:200]
    # An address may contain the one word that is reserved for verdicts.
    return "its address" if "invalid" in text.lower() else text


def _described(error):
    """For the vendor: the class and the words of an error."""
    if isinstance(error, _NoVerdict):
        return error.why or error.message.split(":")[0]
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        error = error.reason
    return "%s: %s" % (type(error).__name__, str(error)[:200])


def _printable(text):
    return "".join(c if c.isprintable() else " " for c in str(text)).strip()


def _utc(seconds):
    return "%s UTC" % (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds))


# ---- The question and the answer ----

def _split(address):
    """Split an http(s) address into parts that urllib takes as they are, or raise ValueError."""
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


def _within(seconds, function, *arguments):
    """Call the function, but wait no longer than this for its result.

    A time limit on a socket starts anew with every byte and does not cover looking up a name. The
    thread is a daemon: left behind, it ends with its connection or silently with the program.
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


class _AsAnswered(urllib.request.HTTPErrorProcessor):
    """Returns every answer as it is: a refusal is no error, and urllib turns a redirected POST into GET."""

    def http_response(self, request, response):
        return response

    https_response = http_response


def _opener(host):
    # Many offices reach the internet only through a proxy; urllib takes it from the environment or
    # from the Windows settings. A server on this computer is never asked through one: seen from the
    # proxy, "localhost" is the proxy.
    if _is_loopback(host):
        return urllib.request.build_opener(_AsAnswered, urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(_AsAnswered)


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _post(url, body, deadline, redirects):
    """Send the question and return (HTTP status, body of the answer), following so many redirects."""
    headers = {"Content-Type": "application/json", "User-Agent": "license_client.py/" + __version__}
    for _ in range(1 + redirects):
        request = urllib.request.Request(url.geturl(), body, headers, method="POST")
        patience = max(deadline - time.monotonic(), 0.001)
        with _opener(url.hostname).open(request, timeout=patience) as response:
            location = response.headers.get("Location")
            if response.status not in (301, 302, 307, 308) or not location:
                return response.status, _read(response, deadline)
        url = _redirected(url, location)
    raise _NoVerdict(NOT_OURS, "too many redirects" if redirects else "redirected")


def _redirected(url, location):
    """Where a redirect leads to; a good one stays with the server and never gives up encryption."""
    try:
        target = _split(urllib.parse.urljoin(url.geturl(), location))
    except ValueError:
        raise _NoVerdict(NOT_OURS, "redirect to nowhere") from None
    if target.hostname != url.hostname or (url.scheme, target.scheme) == ("https", "http"):
        raise _NoVerdict(NOT_OURS, "redirect to another address")
    return target


def _read(response, deadline):
    body = b""
    while len(body) <= LONGEST_ANSWER and time.monotonic() < deadline:
        # Small pieces, so that a server that drips does not keep the thread far beyond the deadline.
        piece = response.read(256)
        if not piece:
            return body
        body += piece
    raise _NoVerdict(NOT_OURS, "an endless answer")


def _plain_verdict(status, body):
    """The server's verdict, and nobody else's: a proxy too answers 200, 403 and 404."""
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
    raise _NoVerdict(NOT_OURS, "HTTP %d" % status)


def _plain_code(status, verdict, message):
    if verdict == "expired":
        return "EXPIRED"
    if status == 404:
        return "NOT_FOUND"
    return "SUSPENDED" if "'suspended'" in message else "REVOKED"


# ---- The signed answer ----

_Claims = collections.namedtuple("_Claims", "code message iat exp expiration_date")
# A verified token, what it says, and what was stored when the question was asked.
_Heard = collections.namedtuple("_Heard", "token claims before")


def _token(status, body):
    """The token in an answer. Status and the other fields are not signed: they are not looked at."""
    if 300 <= status < 400:
        raise _NoVerdict(NOT_OURS, "redirected")
    try:
        token = _json_object(body).get("token")
    except ValueError:
        token = None
    if not isinstance(token, str):
        raise _NoVerdict(NOT_OURS, "HTTP %d without a signed answer" % status)
    return token


def _verified(token, keys, at_start=False, **expected):
    """The claims of a token that one of the keys has signed and that says what is expected, in this order."""
    try:
        header, claims, signature = map(_from_base64url, token.split("."))
        header = _json_object(header)
    except ValueError:
        raise _NoVerdict(NOT_OURS, "a damaged signed answer") from None
    kid = header.get("kid")
    if not isinstance(kid, str) or header != {"alg": "ES256", "kid": kid, "typ": "license+jwt"}:
        raise _NoVerdict(NOT_OURS, "signed in another way")
    if kid not in keys:
        raise _NoVerdict(NOT_OURS, "signed with a key that this program does not know")
    if not _is_signature(signature, token.rpartition(".")[0].encode("ascii"), keys[kid], at_start):
        raise _NoVerdict(NOT_OURS, "a wrong signature")
    try:
        claims = _json_object(claims)
    except ValueError:
        raise _NoVerdict(NOT_OURS, "an unreadable signed answer") from None
    for name, value in expected.items():
        if claims.get(name) != value:
            raise _NoVerdict(NOT_OURS, "the answer to another question: " + name)
    code, iat, exp = (claims.get(name) for name in ("code", "iat", "exp"))
    if code not in GOOD_CODES + REFUSALS or not all(map(_is_count, (claims.get("http"), iat, exp))) or exp <= iat:
        raise _NoVerdict(NOT_OURS, "a signed answer that this program does not understand")
    message, last_day = claims.get("message"), claims.get("expiration_date")
    # These two are shown and decide nothing.
    message = message.encode("utf-8", "replace").decode() if isinstance(message, str) else ""
    return _Claims(code, message, iat, exp, last_day if _day(last_day) else None)


def _is_count(value):
    return type(value) is int and 0 <= value <= LAST_SECOND  # True is an int, too


def _day(text):
    """The date that is written as YYYY-MM-DD, otherwise None."""
    try:
        return datetime.date(*map(int, re.fullmatch("([0-9]{4})-([0-9]{2})-([0-9]{2})", text).groups()))
    except (AttributeError, TypeError, ValueError):
        return None


def _days_left(last_day, now):
    last_day = _day(last_day)
    return max((last_day - _today(now)).days, 0) if last_day else None


def _today(now):
    """The day in the computer's time zone; in UTC at the end of time, where some systems know no other."""
    in_utc = datetime.date(1970, 1, 1) + datetime.timedelta(seconds=now)
    return _attempt(lambda: datetime.date.fromtimestamp(now), in_utc)


def _json_object(data):
    """The object in these bytes, or ValueError: also where a name stands twice."""
    def once(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a name stands twice")
        return dict(pairs)

    def never(word):
        raise ValueError(word)

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=never)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _to_base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _from_base64url(text):
    """Bytes, or ValueError for all but the one way to write them (RFC 7515): no padding, no spare bits."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise ValueError("not base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _to_base64url(data) != text:
        raise ValueError("not the usual base64url")
    return data


# ---- Public keys ----

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----(.*)-----END PUBLIC KEY-----", re.S)
# SubjectPublicKeyInfo (RFC 5480) of a P-256 key, up to its two coordinates.
_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def _pin(public_keys):
    """The keys by id, and what is wrong with them or ""."""
    if isinstance(public_keys, dict) and "keys" in public_keys:  # a JWK Set, as GET /api/keys sends it
        public_keys = public_keys["keys"]
    if isinstance(public_keys, (str, dict)):
        public_keys = [public_keys]
    try:
        keys = dict(map(_public_key, public_keys))
    except Exception as error:
        return {}, str(error) if isinstance(error, ValueError) else "not a list of keys"
    return keys, "" if keys else "there are none"


def _public_key(key):
    """The key's id (RFC 7638, shortened) and its point."""
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
        raise ValueError("one of them was copied wrongly")
    about = '{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' % tuple(coordinates)
    return _to_base64url(hashlib.sha256(about.encode("ascii")).digest())[:16], (x, y)


def _pem_coordinates(text):
    found = _PEM.search(text)
    der = base64.b64decode("".join(found[1].split())) if found else b""
    if len(der) != len(_SPKI) + 64 or not der.startswith(_SPKI):
        raise ValueError("one of them is not the PEM text of a P-256 public key")
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
    """Whether the owner of the key has signed the message."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or not 0 < r < _N or not 0 < s < _N:
        return False
    # To load the package takes up to 200 ms, more than a start with a lease may.
    if at_start and "cryptography.hazmat.primitives.asymmetric.ec" not in sys.modules:
        return _python_verifies(r, s, message, key)
    try:
        return _cryptography_verifies(r, s, message, key)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # not installed, or broken: then it may raise what is no Exception
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
    """The same in some two milliseconds. Nothing here is secret, so nothing has to take equal time."""
    hashed = int.from_bytes(hashlib.sha256(message).digest(), "big")
    inverse = pow(s, -1, _N)
    point = _sum_of_multiples(hashed * inverse % _N, _G, r * inverse % _N, key)
    if not point[2]:
        return False
    return point[0] * pow(point[2], -2, _P) % _P % _N == r


def _sum_of_multiples(a, p, b, q):
    """a * p + b * q, bit by bit for both at once (Shamir). A point is (X, Y, Z) for (X/Z^2, Y/Z^3); Z = 0 is none."""
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


# ---- Where the lease is kept ----

# The token is None after a signed refusal; the number is the largest signed `iat` that was ever seen.
_Stored = collections.namedtuple("_Stored", "token highest_iat")


def _cache_folder():
    """The platform's folder for what a program remembers and a backup may forget."""
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
    """One small file. What cannot be read is not there, and what cannot be written is not kept."""

    def __init__(self, folder, name):
        self.folder, self.path = folder, os.path.join(folder, name)

    def read(self):
        content = _attempt(lambda: _json_object(_patiently(lambda: _read_file(self.path))), {}) if self.folder else {}
        stored = _Stored(content.get("token"), content.get("highest_iat"))
        is_ours = isinstance(stored.token, (str, type(None))) and _is_count(stored.highest_iat)
        return stored if is_ours else None

    def remember(self, token, iat, before):
        """Keep this token, or with None erase what is there; `before` was there when the server was asked."""
        if self.folder:
            _attempt(lambda: os.makedirs(self.folder, mode=0o700, exist_ok=True), None)
            with contextlib.ExitStack() as stack:
                _attempt(lambda: stack.enter_context(_lock(os.path.join(self.folder, "lock"))), None)
                _attempt(lambda: self._remember(token, iat, before), None)

    def _remember(self, token, iat, before):
        now = self.read()
        # Another process may have heard something newer meanwhile. A refusal always counts.
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
                _fill(file, content)
            _patiently(lambda: os.replace(draft, self.path))
        except OSError:
            _attempt(lambda: os.remove(draft), None)
            raise

    def _erase(self, content):
        """Without a new file: the folder cannot be written, or the disk is full."""
        try:
            with _patiently(lambda: open(self.path, "r+b")) as file:
                _fill(file, content)
        except OSError:
            os.remove(self.path)


def _fill(file, content):
    file.write(content)
    file.truncate()
    file.flush()
    os.fsync(file.fileno())


def _read_file(path):
    with open(path, "rb") as file:
        return file.read(2 * LONGEST_ANSWER)


def _patiently(function):
    # On Windows a file cannot be opened at the moment at which another process replaces it.
    for _ in range(5):
        try:
            return function()
        except PermissionError:
            time.sleep(0.01)
    return function()


@contextlib.contextmanager
def _lock(path):
    """Hold the lock that this user's processes share; it ends with its process. Nobody waits long for it."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        patience = time.monotonic() + 1
        while not _try_lock(file) and time.monotonic() < patience:
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


# ---- In the background ----

_refreshes = set()


def _in_background(function):
    def run():
        _attempt(function, None)
        _refreshes.discard(thread)

    thread = threading.Thread(target=run, name="license refresh", daemon=True)
    thread.start()
    _refreshes.add(thread)


@atexit.register
def _let_refreshes_end():
    # A program that ends at once would otherwise never renew its lease.
    patience = time.monotonic() + REFRESH_AT_END
    for thread in list(_refreshes):
        thread.join(max(patience - time.monotonic(), 0))


# ---- The machine id ----

# How firmly an adapter belongs to the computer. Whether it is connected does not count, or the id
# would change whenever Wi-Fi is switched off.
WIRED, WIRELESS, REMOVABLE, EMULATED, VIRTUAL = range(5)

MULTICAST, LOCAL = 1, 2  # bits in the first byte of an address

# Makers of virtual machines (VMware, Hyper-V, VirtualBox, Parallels, Xen) and of VPN adapters
# (Cisco, Fortinet, OpenVPN), some of which give every computer the same address.
_SOFTWARE_MAKERS = tuple(map(bytes.fromhex, (
    "000569 000c29 001c14 005056 0003ff 00155d 080027 001c42 00163e 00059a 00090f 00ff").split()))


_Adapter = collections.namedtuple("_Adapter", "mac rank")


def _find_machine_id():
    find_adapters, find_system_id = {
        "win32": (_windows_adapters, _windows_machine_guid),
        "darwin": (_macos_adapters, _macos_platform_uuid),
    }.get(sys.platform, (_linux_adapters, _linux_machine_id))
    return _choose(_attempt(find_adapters, []), lambda: _attempt(find_system_id, ""))


def _attempt(function, otherwise):
    # What one source of ids cannot tell, the next one may.
    try:
        return function()
    except Exception:
        return otherwise


def _choose(adapters, find_system_id):
    """The address burned into the most firmly built-in adapter, or else the operating system's id.

    The addresses of virtual adapters and locally administered ones are made up by software and
    change with it; they serve only when there is nothing better.
    """
    usable = [a for a in adapters if len(a.mac) == 6 and any(a.mac) and not a.mac[0] & MULTICAST]
    best = min(usable, key=_precedence, default=None)
    mac = best.mac.hex(":") if best else ""
    if best and best.rank < VIRTUAL and not best.mac[0] & LOCAL:
        return mac
    return find_system_id() or mac


def _precedence(adapter):
    emulated = adapter.mac.startswith(_SOFTWARE_MAKERS)
    rank = max(adapter.rank, EMULATED) if emulated else adapter.rank
    return adapter.mac[0] & LOCAL, rank, adapter.mac


# ---- The machine id: Windows ----

_VIRTUAL_NAMES = re.compile(
    r"virtu|vpn|\btap\b|\btun|wintun|wireguard|loopback|wan miniport|bluetooth|bridge|multiplexor", re.I)
_REMOVABLE_NAMES = re.compile(
    r"usb|remote ndis|\bncm\b|dock|thunderbolt|displaylink|surface ethernet|apple mobile", re.I)


class _AdapterAddresses(ctypes.Structure):
    """The beginning of IP_ADAPTER_ADDRESSES_LH (iptypes.h); neighbours that are not read share a field."""

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
    # Disconnected adapters are always listed. The flag 0x100 (all interfaces) adds those whose TCP/IP a
    # Hyper-V switch, a team or a bridge has taken over; the other flags skip lists that nobody reads.
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
    return list(_windows_walk(ctypes.addressof(buffer), iphlpapi.GetIfEntry2))


def _windows_walk(address, get_if_entry2):
    ethernet, wifi = 6, 71
    while address:
        entry = _AdapterAddresses.from_address(address)
        address = entry.Next
        if entry.IfType not in (ethernet, wifi):
            continue
        # The row knows the address that Windows' "random hardware addresses" cover up.
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
    # A 32-bit program would otherwise be shown another registry, which has no such value.
    access = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography", 0, access) as key:
        return str(winreg.QueryValueEx(key, "MachineGuid")[0]).strip()


# ---- The machine id: Linux ----

def _linux_adapters(root="/sys/class/net"):
    folders = (os.path.join(root, name) for name in os.listdir(root))
    return [_linux_adapter(folder) for folder in folders if _read_text(folder, "type") == "1"]  # Ethernet


def _linux_adapter(folder):
    current = bytes.fromhex(_read_text(folder, "address").replace(":", ""))
    burned_in = _attempt(lambda: _linux_permanent_mac(os.path.basename(folder)), b"")
    if not any(burned_in) and _read_text(folder, "addr_assign_type") == "0":
        burned_in = current
    device = os.path.realpath(os.path.join(folder, "device"))
    if not any(burned_in) or not os.path.isdir(device) or "/virtual/" in device:
        return _Adapter(current, VIRTUAL)
    if "/usb" in device or _read_text(device, "removable") == "removable":
        return _Adapter(burned_in, REMOVABLE)
    return _Adapter(burned_in, WIRELESS if os.path.isdir(os.path.join(folder, "phy80211")) else WIRED)


def _linux_permanent_mac(name):
    """Ask the driver: members of a bond share one address, and Wi-Fi uses random ones while searching."""
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


# ---- The machine id: macOS ----

def _macos_adapters():
    # en0 is built into every Mac. The I/O registry knows its real address, where getifaddrs would
    # give the private one that changes with the Wi-Fi network.
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


# ---- On the command line ----

USAGE = """usage: license_client.py SERVER TOOL            check the license of TOOL
       license_client.py SERVER TOOL KEY...     believe only what these public keys have signed
       license_client.py --machine-id           show the machine id only"""


def main(arguments):
    asks_id, asks_help = arguments == ["--machine-id"], arguments in (["-h"], ["--help"])
    if len(arguments) < 2 and not asks_id:
        _say(USAGE, sys.stdout if asks_help else sys.stderr)
        return 0 if asks_help else 2
    client = LicenseClient("" if asks_id else arguments[0], public_keys=arguments[2:] or None)
    found = client.machine_id()
    if asks_id:
        _say(found or "no machine id found", sys.stdout if found else sys.stderr)
        return 0 if found else 1
    _say("Machine id: " + (found or "none found"), sys.stdout)
    result = client.check(arguments[1], refresh=True)
    _say("Verdict: " + ("valid" if result.valid else "not confirmed"), sys.stdout)
    _say("Message: " + result.message, sys.stdout)
    if arguments[2:]:
        _say("\n" + result.diagnostic(), sys.stdout)
    return 0 if result.valid else 1


def _say(text, stream):
    if stream is None:  # pythonw.exe has no console
        return
    encoding = getattr(stream, "encoding", None) or "ascii"
    print(text.encode(encoding, "replace").decode(encoding), file=stream)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
