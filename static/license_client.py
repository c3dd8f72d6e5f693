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

from __future__ import annotations

import atexit
import base64
import collections
import contextlib
import ctypes
import datetime
import hashlib
import json
import os
import re
import stat
import sys
import threading
import time

# The modules for the network take most of the time of an import, and a start with a lease does not need them.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Set, Tuple, TypeVar, Union
    from urllib.parse import SplitResult
    from urllib.request import OpenerDirector
    Key = Union[str, Mapping[str, Any]]  # "x.y", PEM or a JWK
    Keys = Union[Key, Iterable[Any]]  # of Key; a list of several kinds has a vaguer type
    Point = Tuple[int, int]
    JacobianPoint = Tuple[int, int, int]
    Reply = Tuple[int, Optional[str], bytes]  # HTTP status, Location, body
    T = TypeVar("T")

__all__ = ["LicenseCheck", "LicenseClient"]
__version__ = "1.2.0"

# Messages for the customer; translate them freely. Only the server may call a license invalid: a customer who has
# paid must not read that because a cable is loose.
NO_ANSWER = ("The license server cannot be reached. There was no answer from {address} ({why}). "
             "Please check the internet connection and the firewall, then try again.")
NO_RESULT = ("The license server cannot be reached. The answer from {address} is not a license result ({why}). "
             "Please try again in a few minutes. If this does not help, contact the vendor of this program.")
BAD_ADDRESS = ("The license server cannot be reached. This program looks for it at \"{address}\", "
               "which is not a web address. Please contact the vendor of this program.")
CLOCK_HINT = (" This computer's date and time are earlier than when this program was started before. Please check "
              "them, and connect this computer to the internet once.")
BAD_KEYS = ("The license cannot be checked: the public keys in this program cannot be used ({why}). "
            "Please contact the vendor of this program.")
# Why an offline file is refused, by reason. If the server has refused, its words count, and its code is the reason.
OFFLINE_FILE = {
    "NO_OFFLINE_FILE": "This is not an offline file. Please import the answer to this computer's request as a whole.",
    "BAD_SIGNATURE": "This offline file was changed, or is not from the vendor of this program. Please import it again "
                     "exactly as you received it.",
    "OTHER_TOOL": "This offline file is for another program. Please import the one for this program.",
    "OTHER_MACHINE": "This offline file is for another computer. Please request one for this computer.",
    "OTHER_REQUEST": "This offline file does not answer this computer's current request. Please send the request that "
                     "this program shows now.",
    "FILE_EXPIRED": "This offline file expired on {time}, and this computer's clock says {now}. Please correct the "
                    "clock, or request a new file.",
    "CLOCK_BEHIND": "This offline file was made on {time}, but this computer's clock says {now}. Please correct the "
                    "clock, then import the file again.",
    "NOT_STORED": "The offline file cannot be stored on this computer. Please make sure that the disk is neither full "
                  "nor write-protected, then import the file again.",
}
BAD_TOOL_NAME = ("The license cannot be checked: this program does not give its name. "
                 "Please contact the vendor of this program.")
NO_MACHINE_ID = ("The license cannot be checked: this computer has no machine ID. Please turn on its "
                 "network adapter (cable or Wi-Fi) and try again, or contact the vendor of this program.")
PROXY_SIGN_IN = "the network's proxy requires a sign-in"
CERTIFICATE_PROBLEMS = {
    "date": "the certificate has expired or is not yet valid; is this computer's date right?",
    "host": "the certificate is for another host name",
    "issuer": "the certificate is not trusted; a virus scanner or a proxy inspects the connection, or a root "
              "certificate is missing",
}

# The server's codes. Any other code is no verdict.
GOOD_CODES = ("VALID", "IN_GRACE", "TRIAL")
REFUSALS = ("EXPIRED", "SUSPENDED", "REVOKED", "NOT_FOUND")
# Why an activation code is refused. Any other reason is no answer.
REASONS = ("BAD_CODE", "UNKNOWN_CODE", "WRONG_TOOL", "CODE_EXPIRED", "CODE_SUSPENDED", "CODE_REVOKED", "MACHINE_BLOCKED",
           "SEATS_IN_USE", "OTHER_CODE", "MOVES_USED", "OFFLINE_UNTIL", "TRY_LATER")

DEFAULT_TIMEOUT = 5.0
MAX_ANSWER_BYTES = 64 * 1024
MAX_REDIRECTS = 5
MAX_KIDS = 32  # the server reads no more
MAX_NAME, MAX_DATA = 50, 1024  # of a license, in characters
MAX_DIGITS = 15  # of a number in a version; JavaScript has no more
LAST_SECOND = 253402300799  # of the year 9999
# By how many seconds in all a clock may be set back until a lease ends.
CLOCK_ALLOWANCE = 24 * 3600
# The minimum time between two background refreshes, and the maximum that an exiting program waits for one, in seconds.
REFRESH_PAUSE, REFRESH_EXIT_WAIT = 60, 1.0
# How long one of several addresses of a host may take to answer, in seconds.
FIRST_ADDRESS_WAIT = 1.5
# How long an answer may take to be stored after the timeout, in seconds.
SAVE_WAIT = 1.0


class LicenseClient:
    """Checks licenses of this computer with a server; no method raises an exception.

    server_url   its address, or a list of addresses: the next is asked only if there is no answer from the one before.
                 Leases are stored under the first.
    timeout      how many seconds a check may take, or with several addresses each of them
    public_keys  the server's public keys, at least the current one and the next, each as "x.y", PEM or a JWK.
                 Never fetch them at run time: whoever can send you a key can also sign the answers.
    cache_dir    the folder for leases, instead of the platform's usual one
    version      the version of your program, shown to the vendor
    trial        whether a computer without a license may start a trial; only with public keys
    """

    def __init__(self, server_url: Union[str, List[str], Tuple[str, ...]], timeout: float = DEFAULT_TIMEOUT,
                 public_keys: Optional[Keys] = None, cache_dir: Union[str, os.PathLike[str], None] = None,
                 version: Optional[str] = None, trial: bool = False) -> None:
        self.server_url = server_url
        # Without a usable limit, the program's start could hang forever.
        usable = isinstance(timeout, (int, float)) and 0 < timeout <= 3600
        self.timeout: float = timeout if usable else DEFAULT_TIMEOUT
        # An empty list or an unusable key must not silently mean a plain check.
        self._is_signed = public_keys is not None
        self._keys, self._key_problem = _pin(public_keys) if public_keys is not None else ({}, "")
        self._cache_dir = cache_dir
        self._version = version
        self._trial = trial
        self._machine: Optional[_Machine] = None  # set by tests
        self._found: Optional[_Machine] = None
        # When a machine ID was last refused for a tool: it counts even if the disk cannot be written.
        self._refused_at: Dict[Tuple[str, str], float] = {}
        self._refreshed_at: Dict[str, float] = {}  # tool: when a background refresh last started
        # Replaced by tests.
        self._now: Callable[[], int] = lambda: int(time.time())
        self._uptime: Callable[[], Optional[int]] = lambda: _attempt(_uptime, None)
        self._nonce: Callable[[], str] = lambda: _to_base64url(os.urandom(24))
        self._send: Callable[[str, bytes, bool, float], Reply] = _send
        self._in_background: Callable[[Callable[[], None]], None] = _in_background

    def machine_id(self, tool_name: Optional[str] = None) -> str:
        """The license key of this computer, or "" if nothing identifies it.

        With a tool's name it is the one with which the tool last got a good answer, if there was one.
        """
        machine = self._find_machine()
        if not self._is_signed:
            return str(machine.earlier)
        states: Dict[str, _State] = _attempt(lambda: self._read_states(tool_name), {}) if tool_name else {}
        remembered = _newest(states, _unique(machine.earlier, machine.preferred, *machine.present))
        return str(remembered.license_key if remembered else machine.preferred or machine.earlier)

    def machine_code(self, tool_name: str) -> str:
        """A code such as "7K4-PQ2", to find this computer in the dashboard while on the telephone."""
        return _attempt(lambda: _machine_code(tool_name, self.machine_id(tool_name)), "")

    def check_license(self, tool_name: str) -> Tuple[bool, str]:
        """Whether this computer may run the tool, and a message for the customer."""
        result = self.check(tool_name)
        return result.valid, result.message

    def check(self, tool_name: str, refresh: bool = False, customer: Optional[Mapping[str, str]] = None) -> LicenseCheck:
        """The same with all details; `refresh` asks the server even if a stored lease would do.

        The `customer`, such as {"name": "...", "email": "..."}, is told to the vendor in signed checks.
        """
        return self._concluded(tool_name, lambda: self._check(tool_name, refresh, customer))

    def activate(self, tool_name: str, activation_code: str,
                 customer: Optional[Mapping[str, str]] = None) -> LicenseCheck:
        """Let this computer take a seat of the activation code that the customer has entered.

        The result is that of a check. If the code is refused, its code is REFUSED, and it has a `reason`.
        """
        return self._concluded(tool_name, lambda: self._activate(tool_name, activation_code, customer))

    def deactivate(self, tool_name: str, activation_code: str) -> LicenseCheck:
        """Give the seat of this computer back, for another computer.

        The result is never valid: its code is REMOVED, or else REFUSED, with a `reason`, or NO_ANSWER.
        """
        return self._concluded(tool_name, lambda: self._deactivate(tool_name, activation_code))

    def offline_request(self, tool_name: str) -> str:
        """What a computer without a network asks the vendor: a text to copy, which stays the same until the answer to
        it is imported.

        It is "" if there can be none: without public keys, a machine ID, or a folder to store it in.
        """
        return " ".join(re.findall(".{1,8}", _attempt(lambda: self._offline_request(tool_name), "")))

    def offline_url(self, tool_name: str) -> str:
        """The same as an address of the vendor's claim page, for a link or a QR code; or ""."""
        request = _attempt(lambda: self._offline_request(tool_name), "")
        return request and _attempt(
            lambda: _api_url(self._servers()[0], "/claim")._replace(query="request=" + request).geturl(), "")

    def import_lease(self, tool_name: str, text: Union[str, bytes]) -> LicenseCheck:
        """Store an offline file, which is the vendor's answer to the request: its content, or a text that contains it.

        The result is that of a check. If the file is refused, its code is REFUSED, and it has a `reason`.
        """
        return self._concluded(tool_name, lambda: self._import(tool_name, text))

    def _concluded(self, tool_name: str, work: Callable[[], LicenseCheck]) -> LicenseCheck:
        try:
            result = work()
        except Exception as error:
            result = self._no_answer(tool_name, error)
        if not result.valid:
            self._found = None  # the driver of an adapter may start after this program
        return result

    def _require(self, tool_name: str) -> None:
        if not isinstance(tool_name, str) or not tool_name:
            raise _NoVerdict(BAD_TOOL_NAME)
        if not self.machine_id():
            raise _NoVerdict(NO_MACHINE_ID)
        if self._key_problem:
            raise _NoVerdict(BAD_KEYS, self._key_problem)

    def _check(self, tool_name: str, refresh: bool, customer: Optional[Mapping[str, str]]) -> LicenseCheck:
        self._require(tool_name)
        if not self._is_signed:
            return self._check_plain(tool_name)
        deadline = time.monotonic() + self.timeout
        start = self._start(tool_name)._replace(customer=_customer(customer))
        lease, _ = self._lease(tool_name, start.state)
        if lease and not refresh:
            self._refresh_if_due(tool_name, start, lease)
            return self._result(tool_name, start.ids[0], lease, "lease")
        return self._check_online(tool_name, start, deadline)

    def _find_machine(self) -> _Machine:
        self._found = self._machine or self._found or _find_machine()
        return self._found

    # ---- One address after the other ----

    def _servers(self) -> List[str]:
        given: Any = self.server_url
        return list(given) if isinstance(given, (list, tuple)) and given else [given]

    def _first_answer(self, ask: Callable[[str, float], T], deadline: float) -> Tuple[T, Optional[Exception]]:
        """The first result of `ask(server, deadline)`, and what went wrong with the servers before.

        No answer from one leaves the next the whole timeout.
        """
        problems: List[Tuple[str, Exception]] = []
        for server in self._servers():
            try:
                return ask(server, deadline), _NoAnswers(problems) if problems else None
            except Exception as error:
                problems.append((server, error))
                deadline = time.monotonic() + self.timeout
        raise _NoAnswers(problems) if len(problems) > 1 else problems[0][1]

    # ---- Without public keys ----

    def _check_plain(self, tool_name: str) -> LicenseCheck:
        license_key = self._find_machine().earlier
        body = _to_json({"tool_name": tool_name, "license_key": license_key})

        def ask(server: str, deadline: float) -> Tuple[str, str]:
            wait = deadline - time.monotonic()
            return _plain_verdict(*_run_with_timeout(wait, lambda: self._ask_plain(server, body, deadline)))

        (code, message), problem = self._first_answer(ask, time.monotonic() + self.timeout)
        return self._conclude(tool_name, license_key, code, message, "server", error=problem)

    def _ask_plain(self, server: str, body: bytes, deadline: float) -> Tuple[int, bytes]:
        url = _check_url(server)
        for _ in range(1 + MAX_REDIRECTS):
            status, location, answer = self._send(url.geturl(), body, True, deadline)
            if status not in (301, 302, 307, 308) or not location:
                return status, answer
            target = _redirect_target(url, location)
            if target.hostname != url.hostname or (url.scheme, target.scheme) == ("https", "http"):
                raise _NoVerdict(NO_RESULT, "redirect to another address")
            url = target
        raise _NoVerdict(NO_RESULT, "too many redirects")

    # ---- Activation codes ----

    def _activate(self, tool_name: str, activation_code: str, customer: Optional[Mapping[str, str]]) -> LicenseCheck:
        about = dict(_customer(customer), client=self._client_info())
        if self._is_signed:
            about["kids"] = list(self._keys)[:MAX_KIDS]

        def conclude(start: _Start, status: int, body: bytes, nonce: str, asked_at: float) -> LicenseCheck:
            license_key = start.ids[0]
            if not self._is_signed:
                code, message = _plain_verdict(status, body)
                return self._conclude(tool_name, license_key, code, message, "server")
            token = _token(status, body)
            claims = _verified(token, self._keys, aud=tool_name, sub=license_key, nonce=nonce)
            answer = _Answer(license_key, token, claims, start.state, asked_at)
            _attempt(lambda: _run_with_timeout(SAVE_WAIT, lambda: self._save(tool_name, start.store, [answer])), None)
            return self._result(tool_name, license_key, claims, "server")

        return self._ask_about_code("/api/activate", tool_name, activation_code, about, conclude)

    def _deactivate(self, tool_name: str, activation_code: str) -> LicenseCheck:
        def conclude(start: _Start, status: int, body: bytes, nonce: str, asked_at: float) -> LicenseCheck:
            license_key, answer = start.ids[0], _members(body)
            if status != 200 or answer.get("status") != "success":
                raise _no_result(status, "HTTP %d" % status)
            if self._is_signed:
                self._refused_at[tool_name, license_key] = time.monotonic()
                removed = _State(license_key, None, None, self._now(), CLOCK_ALLOWANCE, self._uptime())
                _attempt(lambda: _run_with_timeout(SAVE_WAIT, lambda: start.store.save(removed, start.state)), None)
            return self._conclude(tool_name, license_key, "REMOVED", _text(answer.get("message")), "server")

        return self._ask_about_code("/api/deactivate", tool_name, activation_code, {}, conclude)

    def _ask_about_code(self, path: str, tool_name: str, activation_code: str, about: Dict[str, Any],
                        conclude: Callable[[_Start, int, bytes, str, float], LicenseCheck]) -> LicenseCheck:
        self._require(tool_name)
        start = self._start(tool_name) if self._is_signed else _Start(
            [self._find_machine().earlier], None, "", self._store(tool_name), {})
        # One machine ID takes the seat: the one that was good last, or else the one that changes least.
        license_key = start.ids[-1]
        question = dict(about, tool_name=tool_name, activation_code=str(activation_code or "")[:255], license_key=license_key)

        def send(server: str, deadline: float) -> LicenseCheck:
            nonce, asked_at = self._nonce() if "kids" in about else "", time.monotonic()
            before = start._replace(ids=[license_key], state=start.store.read(license_key))
            body = _to_json(dict(question, nonce=nonce) if nonce else question)
            status, answer = self._send_code(_api_url(server, path), body, deadline)
            reason, message = _reason_in(answer)
            if reason:
                return self._conclude(tool_name, license_key, "REFUSED", message, "server", reason=reason)
            return conclude(before, status, answer, nonce, asked_at)

        def send_in_time(server: str, deadline: float) -> LicenseCheck:
            # A slow disk must not turn an answer into a timeout.
            return _run_with_timeout(deadline + SAVE_WAIT - time.monotonic(), lambda: send(server, deadline))

        try:
            return self._first_answer(send_in_time, time.monotonic() + self.timeout)[0]
        except Exception as error:
            return self._no_answer(tool_name, error, license_key)

    def _send_code(self, first: SplitResult, body: bytes, deadline: float) -> Tuple[int, bytes]:
        """Send an activation code: only to this server, and never where its certificate cannot be verified.

        Whoever reads the code could use it.
        """
        url = first
        for _ in range(1 + MAX_REDIRECTS):
            status, location, answer = self._send(url.geturl(), body, True, deadline)
            if status not in (301, 302, 303, 307, 308):
                return status, answer
            url = _redirect_target(url, location or "")
            if url.scheme != "https" or not _is_same_server(first, url):
                raise _NoVerdict(NO_RESULT, "redirected to %s, which is not allowed" % _display_address(url.geturl()))
        raise _NoVerdict(NO_RESULT, "too many redirects")

    # ---- Machines that are never online ----

    def _offline_request(self, tool_name: str) -> str:
        self._require(tool_name)
        if not self._keys:
            return ""
        start = self._start(tool_name)
        license_key = start.ids[-1]  # as for an activation code
        nonce = _run_with_timeout(SAVE_WAIT, lambda: start.store.open_request(license_key, self._nonce))
        request = {"tool_name": tool_name, "license_key": license_key, "nonce": nonce,
                   "kids": list(self._keys)[:MAX_KIDS]}
        text = json.dumps(request, ensure_ascii=False, separators=(",", ":"))
        return _to_base64url(text.encode("utf-8", "replace")) if nonce else ""

    def _import(self, tool_name: str, text: Union[str, bytes]) -> LicenseCheck:
        self._require(tool_name)
        if not self._is_signed:
            raise _NoVerdict(BAD_KEYS, "there are none")
        start = self._start(tool_name)
        license_key = start.ids[-1]

        def refused(reason: str, moment: int = 0, message: Optional[str] = None) -> LicenseCheck:
            if message is None:
                message = OFFLINE_FILE[reason].format(time=_utc(moment), now=_utc(self._now()))
            return self._conclude(tool_name, license_key, "REFUSED", message, "none", reason=reason)

        token = _token_in(text)
        if not token:
            return refused("NO_OFFLINE_FILE")
        try:
            claims = _verified(token, self._keys)
        except _NoVerdict:
            return refused("BAD_SIGNATURE")
        machine, sub = self._find_machine(), claims.all.get("sub")
        if claims.all.get("aud") != tool_name:
            return refused("OTHER_TOOL")
        if sub not in (machine.earlier, machine.preferred, *machine.present):
            return refused("OTHER_MACHINE")
        license_key = sub
        before, nonce = _run_with_timeout(self.timeout, lambda: (
            start.store.read(license_key), start.store.read_request(license_key)))
        lease, _ = self._lease(tool_name, start.state)
        if lease and start.state.token == token:  # a second time, which must not set the clock back
            return self._result(tool_name, license_key, lease, "lease")
        if claims.code in GOOD_CODES and claims.exp <= self._now():
            return refused("FILE_EXPIRED", claims.exp)
        if not nonce or claims.all.get("nonce") != nonce:
            return refused("OTHER_REQUEST")
        if claims.code not in GOOD_CODES:
            return refused(claims.code, message=claims.message)
        if claims.iat > self._now() + CLOCK_ALLOWANCE:
            return refused("CLOCK_BEHIND", claims.iat)
        answer = _Answer(license_key, token, claims, before, time.monotonic())
        stored = _run_with_timeout(self.timeout, lambda: self._save_offline_file(tool_name, start.store, answer))
        return self._result(tool_name, license_key, claims, "lease") if stored else refused("NOT_STORED")

    def _save_offline_file(self, tool_name: str, store: _Store, answer: _Answer) -> bool:
        self._save(tool_name, store, [answer])
        state = store.read(answer.license_key)
        if state is None or state.token != answer.token:
            return False
        store.close_request(answer.license_key)
        return True

    # ---- With public keys ----

    def _start(self, tool_name: str, timeout: Optional[float] = None) -> _Start:
        """Choose the machine ID, and read what is stored for it."""
        machine, store = self._find_machine(), self._store(tool_name)
        choice = _unique(machine.earlier, machine.preferred)
        try:
            states = self._read_states(tool_name, timeout)
        except Exception:
            return _Start(choice, None, "", _Store("", ""), {})
        remembered = _newest(states, _unique(*choice, *machine.present))
        if not remembered:
            previous = _newest(states, states)
            return _Start(choice, None, previous.license_key if previous else "", store, {})
        wait = min(self.timeout / 4, SAVE_WAIT)
        # The clock counts even if this cannot be stored.
        state = _attempt(lambda: _run_with_timeout(wait, lambda: store.start(remembered, self._now, self._uptime)),
                         _at_start(remembered, self._now(), self._uptime()))
        return _Start([remembered.license_key], state, "", store, {})

    def _read_states(self, tool_name: Optional[str], timeout: Optional[float] = None) -> Dict[str, _State]:
        """Within half of the client's timeout: the folder may be on a network drive that is gone."""
        return _run_with_timeout(timeout or self.timeout / 2, self._store(tool_name).read_all)

    def _check_online(self, tool_name: str, start: _Start, deadline: float) -> LicenseCheck:
        tries: List[List[_Answer]] = []  # one for each server that was asked

        def ask(server: str, until: float) -> _Answer:
            answers: List[_Answer] = []
            try:
                _run_with_timeout(until - time.monotonic(),
                                  lambda: self._ask(server, tool_name, start, until, answers))
                return _deciding(answers)
            finally:
                tries.append(list(answers))

        answer: Optional[_Answer] = None
        error: Any = None  # or an exception
        try:
            answer, error = self._first_answer(ask, deadline)
        except Exception as caught:
            error = caught
        # What a server has refused before it failed does not count if another knows better.
        received = tries[-1] if answer else [one for answers in tries for one in answers]
        # A slow disk must not turn an answer into a timeout, nor the exit of the program lose a refusal.
        wait = max(deadline - time.monotonic(), SAVE_WAIT)
        _attempt(lambda: _run_with_timeout(wait, lambda: self._save(tool_name, start.store, received)), None)
        if answer:
            return self._result(tool_name, answer.license_key, answer.claims, "server", error, start)
        license_key = start.ids[min(len(tries[-1]), len(start.ids) - 1)]
        if not start.store.folder:  # a slow disk
            start = self._start(tool_name, max(deadline - time.monotonic(), SAVE_WAIT))
            license_key = start.ids[0]
        # Read the lease again: it may have expired or been erased meanwhile. The clock counts even if the mark cannot
        # be stored.
        state = start.state and _attempt(
            lambda: _run_with_timeout(SAVE_WAIT, lambda: start.store.read(license_key)), start.state)
        state = state and _at_start(state, self._now(), self._uptime())
        lease, _ = self._lease(tool_name, state)
        if lease:
            return self._result(tool_name, license_key, lease, "lease", error)
        return self._no_answer(tool_name, error, license_key, start, state)

    def _ask(self, server: str, tool_name: str, start: _Start, deadline: float, answers: List[_Answer]) -> None:
        """Ask with one machine ID after the other until an answer is good, and append the verified answers."""
        url = _check_url(server)
        for license_key in start.ids:
            question = {"tool_name": tool_name, "license_key": license_key, "nonce": self._nonce(),
                        "kids": list(self._keys)[:MAX_KIDS], **start.customer}
            if start.previous:
                question["previous_license_key"] = start.previous
            if self._trial and license_key == start.ids[-1]:
                question["trial"] = True
            before, asked_at = start.store.read(license_key), time.monotonic()
            token, claims = self._ask_once(url, question, deadline)
            answers.append(_Answer(license_key, token, claims, before, asked_at))
            if claims.code in GOOD_CODES:
                return

    def _ask_once(self, url: SplitResult, question: Dict[str, Any], deadline: float) -> Tuple[str, _Claims]:
        problems: List[_BadCertificate] = []
        try:
            token = _token(*self._follow(url, question, deadline, problems))
            return token, _verified(token, self._keys, aud=question["tool_name"], sub=question["license_key"],
                                    nonce=question["nonce"])
        except Exception:
            if problems:
                raise problems[0] from None
            raise

    def _follow(self, first: SplitResult, question: Dict[str, Any], deadline: float,
                problems: List[_BadCertificate]) -> Tuple[int, bytes]:
        """Send the question, also to where the server redirects it: its signature proves an answer, not its address."""
        url, is_same, was_secure = first, True, False
        anonymous = {name: value for name, value in question.items() if name != "customer"}
        for _ in range(1 + MAX_REDIRECTS):
            body = dict(question, client=self._client_info()) if is_same else anonymous
            try:
                status, location, answer = self._send(url.geturl(), _to_json(body), True, deadline)
            except _BadCertificate as problem:
                # A wrong clock or a missing root certificate. Nobody's name travels over such a connection.
                problems.append(problem)
                is_same = False
                status, location, answer = self._send(url.geturl(), _to_json(anonymous), False, deadline)
            if status not in (301, 302, 303, 307, 308):
                return status, answer
            target, was_secure = _redirect_target(url, location or ""), was_secure or url.scheme == "https"
            if target.scheme != "https" and (was_secure or target.hostname != first.hostname):
                why = "redirected to %s, which is not allowed" % _display_address(target.geturl())
                raise _NoVerdict(NO_RESULT, why)
            is_same = is_same and _is_same_server(first, target)
            url = target
        raise _NoVerdict(NO_RESULT, "too many redirects")

    def _client_info(self) -> Dict[str, str]:
        import getpass
        import socket
        info = {"version": self._version, "hostname": _attempt(socket.gethostname, ""),
                "user": _attempt(getpass.getuser, "")}
        return {name: str(text)[:100] for name, text in info.items() if text}

    def _save(self, tool_name: str, store: _Store, answers: List[_Answer]) -> None:
        """Store a good answer as the lease; a refusal erases the lease."""
        for answer in answers:
            about, is_good = (tool_name, answer.license_key), answer.claims.code in GOOD_CODES
            if not is_good:
                self._refused_at[about] = time.monotonic()
            elif answer.asked_at >= self._refused_at.get(about, 0):
                self._refused_at.pop(about, None)
            iat, uptime = answer.claims.iat, self._uptime()
            state = _State(answer.license_key, answer.token, iat, iat, CLOCK_ALLOWANCE, uptime)
            if not is_good:
                state = state._replace(token=None, good_iat=None)
            store.save(state, answer.before)

    def _lease(self, tool_name: str, state: Optional[_State]) -> Tuple[Optional[_Claims], str]:
        """The claims of the stored lease if it can be used now, otherwise None; and a description of it."""
        if not state or state.token is None:
            return None, "ended, because the clock was set back" if _has_clock_ended(state) else "none"
        try:
            claims = _verified(state.token, self._keys, aud=tool_name, sub=state.license_key)
        except _NoVerdict as error:
            return None, "rejected: " + error.why
        if claims.code not in GOOD_CODES or (tool_name, state.license_key) in self._refused_at:
            return None, "withdrawn"
        until = "until " + _utc(claims.exp)
        return (claims, until) if self._now() < claims.exp else (None, until + ", expired")

    def _refresh_if_due(self, tool_name: str, start: _Start, lease: _Claims) -> None:
        def refresh() -> None:
            answers: List[_Answer] = []
            try:
                self._first_answer(lambda server, until: self._ask(server, tool_name, start, until, answers),
                                   time.monotonic() + self.timeout)
            finally:
                self._save(tool_name, start.store, answers)

        last, now = self._refreshed_at.get(tool_name), time.monotonic()
        if lease.iat + lease.exp <= 2 * self._now() and (last is None or now - last >= REFRESH_PAUSE):
            self._refreshed_at[tool_name] = now
            _attempt(lambda: self._in_background(refresh), None)

    def _store(self, tool_name: Optional[str]) -> _Store:
        folder = _attempt(lambda: os.fsdecode(self._cache_dir or _cache_folder()), "")
        address = re.sub(r"/+api/check$", "", str(self._servers()[0]).strip().rstrip("/")).rstrip("/")
        about = json.dumps([address, tool_name], ensure_ascii=False, separators=(",", ":"))
        return _Store(folder, _short_hash(about))

    # ---- The result ----

    def _result(self, tool_name: str, license_key: str, claims: _Claims, source: str,
                error: Optional[Exception] = None, start: Optional[_Start] = None) -> LicenseCheck:
        return self._conclude(tool_name, license_key, claims.code, claims.message, source, claims, error, start)

    def _no_answer(self, tool_name: str, error: Exception, license_key: str = "", start: Optional[_Start] = None,
                   state: Optional[_State] = None) -> LicenseCheck:
        message, why = _explain(error)
        message = message.format(address=_display_address(self._servers()[0]), why=why)
        if _has_clock_ended(state):
            message += CLOCK_HINT
        return self._conclude(tool_name, license_key, "NO_ANSWER", message, "none", error=error, start=start)

    def _conclude(self, tool_name: str, license_key: str, code: str, message: str, source: str,
                  claims: Optional[_Claims] = None, error: Optional[Exception] = None,
                  start: Optional[_Start] = None, reason: Optional[str] = None) -> LicenseCheck:
        clock, expires = self._now(), claims.expiration_date if claims else None
        # Online, the server's clock decides what day it is: this computer's may be wrong.
        days_left = _days_left(expires, claims.iat if claims and source == "server" else clock)
        license_key = license_key or _attempt(self.machine_id, "")
        previous = start.previous if start else ""
        return LicenseCheck(code, message, source, license_key, expires, days_left, lambda: self._diagnostic(
            tool_name, license_key, code if reason is None else "%s (%s)" % (code, reason), source, clock, previous,
            _describe(error) if error else "-"), reason, claims.all if claims else None)

    def _diagnostic(self, tool_name: str, license_key: str, code: str, source: str, clock: int, previous: str,
                    why: str) -> str:
        lines = [
            ("client", "license_client.py %s, Python %d.%d, %s" % (
                (__version__,) + sys.version_info[:2] + (sys.platform,))),
            ("tool", "%s %s" % (tool_name, self._version or "")),
            ("server", ", ".join(map(_display_address, self._servers()))),
            ("machine ID", "..." + license_key[-4:]),
            ("machine code", _attempt(lambda: _machine_code(tool_name, license_key), "")),
            ("code", code),
            ("source", source),
            ("keys", (self._key_problem or ", ".join(self._keys)) if self._is_signed else "none, plain check"),
            ("lease", _attempt(lambda: self._lease(tool_name, self._read_states(tool_name).get(license_key))[1], "none")
             if self._keys else "none"),
            ("clock", _utc(clock)),
            ("no answer", why),
        ]
        if previous:
            lines.append(("machine ID changed", "from %s to %s" % (previous, license_key)))
        return "\n".join("%s: %s" % (name, _printable(text)) for name, text in lines)


class LicenseCheck:
    """The result of a check; it is true if the license is valid, as in `if client.check("YourToolName"):`.

    valid        whether this computer may run the tool
    code         VALID, IN_GRACE or TRIAL; EXPIRED, SUSPENDED, REVOKED or NOT_FOUND; or NO_ANSWER, which is not a
                 refusal; of an activation code or an offline file also REFUSED or REMOVED
    reason       why an activation code or an offline file was refused, such as SEATS_IN_USE, otherwise None;
                 docs/clients.md lists them
    message      for the customer
    source       "server", "lease" or "none"
    license_key  the machine ID that the result is about
    expires      the expiration date as "2027-12-31"; None for a perpetual license, or if it is not known
    days_left    days until then by this computer's calendar, 0 on the expiration date and later; None if expires is
    is_trial     whether the tool may run because of a trial

    What the vendor has set, from signed answers only, and otherwise None or an empty list:

    edition, features, data                      of the license
    updates_until                                the last day whose updates it covers, as "2027-12-31"
    latest_version, latest_url, minimum_version  of the tool
    """

    def __init__(self, code: str, message: str, source: str, license_key: str, expires: Optional[str],
                 days_left: Optional[int], diagnostic: Callable[[], str], reason: Optional[str] = None,
                 claims: Optional[Mapping[str, Any]] = None) -> None:
        known: Mapping[str, Any] = claims or {}
        self.valid = code in GOOD_CODES
        self.is_trial = code == "TRIAL"
        self.edition = _short(known.get("edition"), MAX_NAME)
        self.features = _names(known.get("features"))
        self.data = _short(known.get("data"), MAX_DATA)
        self.updates_until: Optional[str] = known.get("updates_until") if _date(known.get("updates_until")) else None
        self.latest_version = _short(known.get("latest_version"))
        self.latest_url = _web_address(known.get("latest_url"))
        self.minimum_version = _short(known.get("minimum_version"))
        self.code = code
        self.message = message
        self.source = source
        self.license_key = license_key
        self.expires = expires
        self.days_left = days_left
        self.reason = reason
        self._diagnostic = diagnostic

    def __bool__(self) -> bool:
        return self.valid

    def __repr__(self) -> str:
        return "LicenseCheck(valid=%r, code=%r, source=%r)" % (self.valid, self.code, self.source)

    def has(self, feature: str) -> bool:
        """Whether the license is valid and has this feature."""
        return self.valid and feature in self.features

    def update_available(self, my_version: str) -> bool:
        """Whether this version of your program is older than the latest one.

        Versions are numbers, compared one after the other: 1.10 is newer than 1.9, and 2 is 2.0.0. What follows a
        hyphen makes a pre-release, which is older: 2.0-beta2, 2.0-beta10, 2.0-rc1, 2.0. A leading "v", and "+" with
        what follows it, are ignored. Any other text is neither older nor newer.
        """
        return _is_older(my_version, self.latest_version)

    def is_below_minimum(self, my_version: str) -> bool:
        """Whether this version of your program is older than the oldest one that the vendor still wants to run."""
        return _is_older(my_version, self.minimum_version)

    def covers(self, build_date: Union[str, datetime.date]) -> bool:
        """Whether the license covers a version that was built on this day, such as "2027-12-31".

        Without a last day for updates it covers every version.
        """
        built = _date(build_date.isoformat()[:10] if isinstance(build_date, datetime.date) else build_date)
        last = _date(self.updates_until)
        return last is None or built is not None and built <= last

    def diagnostic(self) -> str:
        """A text to copy into a mail to the vendor; it contains no secrets."""
        return _attempt(self._diagnostic, "")


# ---- What a license grants ----

def _short(value: object, limit: int = MAX_ANSWER_BYTES) -> Optional[str]:
    """The text, or None if it is something else, empty or too long."""
    return _text(value) if isinstance(value, str) and 0 < len(value) <= limit else None


def _names(value: object) -> List[str]:
    names: List[Any] = [_short(item, MAX_NAME) for item in value] if isinstance(value, list) else []
    return names if None not in names else []


def _web_address(value: object) -> Optional[str]:
    """Programs open it, so it must not be the name of a file or of another program."""
    text = _short(value)
    return text if text and re.match("https?://[^/]", text) else None


def _is_older(version: object, than: object) -> bool:
    one, other = _version(version), _version(than)
    return one is not None and other is not None and one < other


def _version(text: object) -> Any:
    """What a version is compared by, or None for any other text."""
    found = re.fullmatch(r"[vV]?([0-9]+(?:\.[0-9]+)*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]*)?", text.strip(" \t\r\n")
                         ) if isinstance(text, str) else None
    if not found:
        return None
    words = re.findall("[0-9]+|[a-z]+", (found[2] or "").lower())
    numbers = found[1].split(".")
    if any(len(one) > MAX_DIGITS for one in numbers + words if one.isdigit()) or (found[2] and not words):
        return None
    numeric = list(map(int, numbers))
    while numeric and not numeric[-1]:
        numeric.pop()
    is_release = not words
    return numeric, is_release, [(0, int(word), "") if word.isdigit() else (1, 0, word) for word in words]


# The machine IDs to ask with, in order; what is stored for the only one, or None; the machine ID that was good before,
# if that is no longer in the machine, or ""; where answers are stored; and members about the customer.
_Start = collections.namedtuple("_Start", "ids state previous store customer")
# A verified token, its claims, what was stored when the request was sent, and when that was.
_Answer = collections.namedtuple("_Answer", "license_key token claims before asked_at")


def _deciding(answers: List[_Answer]) -> _Answer:
    """A good answer, which is the last one; or else the first refusal that says more than NOT_FOUND."""
    if answers[-1].claims.code in GOOD_CODES:
        return answers[-1]
    return next((answer for answer in answers if answer.claims.code != "NOT_FOUND"), answers[-1])


def _unique(*ids: str) -> List[str]:
    return list(dict.fromkeys(filter(None, ids)))


def _attempt(function: Callable[[], T], fallback: T) -> T:
    try:
        return function()
    except Exception:
        return fallback


def _run_with_timeout(seconds: float, function: Callable[[], T]) -> T:
    """Call the function in a thread, and wait for its result no longer than this.

    The timeout of a socket starts anew with every byte, and does not cover DNS. The thread is a daemon: abandoned,
    it ends with its connection, or silently with the program.
    """
    results: List[T] = []
    errors: List[Exception] = []

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="license check", daemon=True)
    thread.start()
    thread.join(max(seconds, 0))
    if results:
        return results[0]
    raise errors[0] if errors else TimeoutError()


# ---- Errors and their messages ----

class _NoVerdict(Exception):
    """No verdict was received; carries one of the messages above and the reason to insert into it."""

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message, why)
        self.message, self.why = message, why


class _NoAnswers(Exception):
    """What went wrong with several servers, or with those before the one that answered."""

    def __init__(self, problems: List[Tuple[str, Exception]]) -> None:
        super().__init__()
        self.problems = problems


class _BadCertificate(_NoVerdict):
    """The certificate of a server could not be verified."""

    def __init__(self, problem: str) -> None:
        super().__init__(NO_ANSWER, CERTIFICATE_PROBLEMS[problem])


def _explain(error: Exception) -> Tuple[str, str]:
    """A message above, and the reason to insert into it; of several servers, for the first."""
    if isinstance(error, _NoAnswers):
        return _explain(error.problems[0][1])
    if isinstance(error, _NoVerdict):
        return error.message, error.why
    import http.client
    # A connection that was closed without an answer is both an HTTPException and an OSError.
    if isinstance(error, http.client.HTTPException) and not isinstance(error, OSError):
        return NO_RESULT, "not an HTTP response"
    return NO_ANSWER, _reason(error)


def _reason(error: object) -> str:
    import socket
    import ssl
    for kind, why in (
            ((TimeoutError, socket.timeout), "no answer in time"),  # two classes until Python 3.10
            ((ssl.SSLError,), "no secure connection"),
            ((socket.gaierror,), "the host name was not found"),
            ((ConnectionRefusedError,), "the connection was refused")):
        if isinstance(error, kind):
            return why
    return "no connection"


def _display_address(server_url: object) -> str:
    text = server_url.strip() if isinstance(server_url, str) else type(server_url).__name__
    text = re.sub(r"//.*@|[?#].*", lambda found: "//" if found[0].endswith("@") else "", text, flags=re.S)[:200]
    # The word "invalid" is reserved for verdicts, but an address may contain it.
    return "its address" if "invalid" in text.lower() else text


def _describe(error: Exception) -> str:
    """For the vendor: the class and the message of an error."""
    if isinstance(error, _NoAnswers):
        return "; ".join("%s: %s" % (_display_address(server), _describe(one)) for server, one in error.problems)
    if isinstance(error, _NoVerdict):
        return error.why or error.message.split(":")[0]
    return ("%s: %s" % (type(error).__name__, str(error)[:200])).rstrip(": ")


def _printable(text: object) -> str:
    return "".join(c if c.isprintable() else " " for c in str(text)).strip()


def _utc(seconds: int) -> str:
    return "%s UTC" % (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds))


# ---- The request and the answer ----

def _split(address: str) -> SplitResult:
    """Split an http(s) address into parts that urllib accepts, or raise ValueError."""
    import urllib.parse
    parts = urllib.parse.urlsplit(address.strip())
    host = (parts.hostname or "").encode("idna").decode("ascii")
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.port == 0:
        raise ValueError("neither http nor https, a password in the address, or no port")
    if not re.fullmatch(r"[0-9a-z._:-]+", host):
        raise ValueError("no host name")
    netloc = "[%s]" % host if ":" in host else host
    if parts.port is not None:
        netloc += ":%d" % parts.port
    path, query = (urllib.parse.quote(part, safe="/%:@!$&'()*+,;=~?") for part in (parts.path, parts.query))
    return urllib.parse.SplitResult(parts.scheme, netloc, path, query, "")


def _check_url(server_url: str) -> SplitResult:
    return _api_url(server_url, "/api/check")


def _api_url(server_url: str, path_of_api: str) -> SplitResult:
    try:
        parts = _split(server_url)
    except (ValueError, TypeError, AttributeError):
        raise _NoVerdict(BAD_ADDRESS) from None
    path = re.sub(r"/+api/check$", "", parts.path.rstrip("/")).rstrip("/")
    return parts._replace(path=path + path_of_api, query="")


def _redirect_target(url: SplitResult, location: str) -> SplitResult:
    import urllib.parse
    try:
        return _split(urllib.parse.urljoin(url.geturl(), location) if location else "")
    except ValueError:
        raise _NoVerdict(NO_RESULT, "redirect to a malformed address") from None


def _is_same_server(first: SplitResult, target: SplitResult) -> bool:
    """The same host and port, or the secure port of the same host instead of the plain one."""
    ports = [url.port or (443 if url.scheme == "https" else 80) for url in (first, target)]
    is_upgrade = target.scheme == "https" and ports == [80, 443]
    return first.hostname == target.hostname and (ports[0] == ports[1] or is_upgrade)


def _customer(customer: Optional[Mapping[str, str]]) -> Dict[str, Any]:
    """The member of a question that tells the vendor about the customer, if there is one."""
    given: Mapping[str, str] = customer if isinstance(customer, dict) else {}
    known = {name: str(given[name])[:100] for name in ("name", "email") if given.get(name)}
    return {"customer": known} if known else {}


def _to_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _opener(scheme: str, host: str, verify: bool) -> OpenerDirector:
    """Handlers that return every answer as it is: a refusal is not an error, and a redirect must repeat the POST."""
    import http.client
    import ssl
    import urllib.request
    opener = urllib.request.OpenerDirector()
    # Many offices reach the internet only through a proxy, which urllib takes from the environment or from the
    # Windows settings. A server on this computer must not be reached through it: to the proxy, "localhost" is the
    # proxy itself.
    opener.add_handler(urllib.request.ProxyHandler({} if _is_loopback(host) else None))
    plain = urllib.request.HTTPHandler()
    setattr(plain, "http_open", lambda request: plain.do_open(_connection(http.client.HTTPConnection), request))
    opener.add_handler(plain)
    if scheme == "https":
        # Not create_default_context: it fails if SSLKEYLOGFILE names a file that cannot be written.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        else:
            try:
                context.load_default_certs()
            except ssl.SSLError:  # one damaged certificate in the store of Windows
                raise _BadCertificate("issuer") from None
        secure = urllib.request.HTTPSHandler(context=context)
        setattr(secure, "https_open", lambda request: secure.do_open(
            _connection(http.client.HTTPSConnection), request, context=context))
        opener.add_handler(secure)
    return opener


def _connection(kind: Any) -> Any:
    """A class of connections that do not spend all of the time on the first address of a host."""
    def connect(host: str, **more: Any) -> Any:
        connection = kind(host, **more)
        connection._create_connection = _connect
        return connection

    return connect


def _connect(address: Tuple[str, int], timeout: float, *more: Any) -> Any:
    """Like socket.create_connection: where IPv6 leads nowhere, there must be time left for IPv4."""
    import socket
    found = socket.getaddrinfo(address[0], address[1], 0, socket.SOCK_STREAM)
    deadline, error = time.monotonic() + timeout, OSError("no address")
    for number, (family, kind, protocol, _, target) in enumerate(found):
        left = max(deadline - time.monotonic(), 0.001)
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(left if number == len(found) - 1 else min(left / 3, FIRST_ADDRESS_WAIT))
            connection.connect(target)
            connection.settimeout(timeout)
            return connection
        except OSError as caught:
            connection.close()
            error = caught
    raise error


def _is_loopback(host: str) -> bool:
    import ipaddress
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _send(url: str, body: bytes, verify: bool, deadline: float) -> Reply:
    """Send one request, and return (HTTP status, Location, body of the answer)."""
    import ssl
    import urllib.error
    import urllib.request
    headers = {"Content-Type": "application/json", "User-Agent": "license_client.py/" + __version__}
    request = urllib.request.Request(url, body, headers, method="POST")
    server = request.host
    try:
        opener = _opener(request.type, _split(url).hostname or "", verify)
        with opener.open(request, timeout=max(deadline - time.monotonic(), 0.001)) as response:
            location = response.headers.get("Location")
            is_redirect = 300 <= response.status < 400 and location
            return response.status, location, b"" if is_redirect else _read(response, deadline)
    except OSError as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise _BadCertificate(_certificate_problem(reason.verify_code)) from None
        if str(reason).startswith("Tunnel connection failed: 407"):
            raise _NoVerdict(NO_ANSWER, PROXY_SIGN_IN) from None
        if request.host != server:  # urllib has put the proxy there
            raise _NoVerdict(NO_ANSWER, "the proxy %s of this network: %s" % (request.host, _reason(reason))) from None
        if isinstance(reason, Exception):
            raise reason from None
        raise


def _certificate_problem(code: int) -> str:
    """By the X509_V_ERR_ codes of OpenSSL."""
    not_yet_valid, has_expired, hostname_mismatch, ip_address_mismatch = 9, 10, 62, 64
    if code in (not_yet_valid, has_expired):
        return "date"
    return "host" if code in (hostname_mismatch, ip_address_mismatch) else "issuer"


def _read(response: Any, deadline: float) -> bytes:
    body = b""
    while len(body) <= MAX_ANSWER_BYTES and time.monotonic() < deadline:
        # Small pieces, so that a slow server cannot hold the thread long after the deadline.
        piece: bytes = response.read(256)
        if not piece:
            return body
        body += piece
    raise _NoVerdict(NO_RESULT, "the answer is too long")


def _plain_verdict(status: int, body: bytes) -> Tuple[str, str]:
    """The status code alone is not a verdict: proxies also answer 200, 403 and 404."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        verdict, message = answer.get("status"), answer.get("message")
        if status == 200 and verdict == "valid":
            return "VALID", _text(message)
        if status in (403, 404) and verdict in ("invalid", "expired") and isinstance(message, str):
            return _plain_code(status, verdict, message), _text(message)
    raise _no_result(status, "HTTP %d" % status)


def _no_result(status: int, why: str) -> _NoVerdict:
    return _NoVerdict(NO_ANSWER, PROXY_SIGN_IN) if status == 407 else _NoVerdict(NO_RESULT, why)


def _plain_code(status: int, verdict: str, message: str) -> str:
    if verdict == "expired":
        return "EXPIRED"
    if status == 404:
        return "NOT_FOUND"
    return "SUSPENDED" if "'suspended'" in message else "REVOKED"


# ---- The signed answer ----

_Claims = collections.namedtuple("_Claims", "code message iat exp expiration_date all")


def _token(status: int, body: bytes) -> str:
    """The token of an answer. The status and the other fields are not signed, so they are ignored."""
    token = _members(body).get("token")
    if not isinstance(token, str):
        raise _no_result(status, "HTTP %d without a signed answer" % status)
    return token


def _members(body: bytes) -> Dict[str, Any]:
    """The members of an answer, none if it is not JSON."""
    byte_order_mark = b"\xef\xbb\xbf"
    nothing: Dict[str, Any] = {}
    return _attempt(lambda: _json_object(body[3:] if body.startswith(byte_order_mark) else body), nothing)


def _token_in(text: object) -> str:
    """The signed answer in a file or a text, which a mail may have wrapped and quoted; or ""."""
    # Also of UTF-16, as Notepad may write it: all that counts is ASCII.
    given = text.decode("utf-8", "ignore") if isinstance(text, bytes) else text if isinstance(text, str) else ""
    joined = re.sub("[\\s>\0\u200b\ufeff]", "", given[:2 * MAX_ANSWER_BYTES])
    # Where the text also quotes the request, only the answer has a header.
    found = re.search("eyJhbGciOi[A-Za-z0-9_-]{1,200}[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]{86}", joined)
    return found[0] if found else ""


def _reason_in(body: bytes) -> Tuple[str, str]:
    """Why an activation code was refused, and the words for the customer; or "", if it was not.

    It is not signed, so no lease is erased because of it.
    """
    answer = _members(body)
    reason = answer.get("reason")
    is_refusal = answer.get("status") == "error" and "token" not in answer and reason in REASONS
    return (str(reason), _text(answer.get("message"))) if is_refusal else ("", "")


def _text(value: object) -> str:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _verified(token: str, keys: Dict[str, Point], **expected: str) -> _Claims:
    """The claims of a token, after its signature and, next, the expected claims have been verified."""
    try:
        parts = [_from_base64url(part) for part in token.split(".")]
        raw_header, raw_claims, signature = parts
        header = _json_object(raw_header)
    except ValueError:
        raise _NoVerdict(NO_RESULT, "the signed answer is damaged") from None
    kid = header.get("kid")
    if not isinstance(kid, str) or header != {"alg": "ES256", "kid": kid, "typ": "license+jwt"}:
        raise _NoVerdict(NO_RESULT, "signed with another algorithm")
    if kid not in keys:
        raise _NoVerdict(NO_RESULT, "signed with a key that this program does not know")
    if not _is_signature(signature, token.rpartition(".")[0].encode("ascii"), keys[kid]):
        raise _NoVerdict(NO_RESULT, "the signature is wrong")
    try:
        claims = _json_object(raw_claims)
    except ValueError:
        raise _NoVerdict(NO_RESULT, "the signed answer is unreadable") from None
    for name, value in expected.items():
        if claims.get(name) != value:
            raise _NoVerdict(NO_RESULT, "the answer to another check: " + name)
    values: List[Any] = [claims.get(name) for name in ("code", "iat", "exp")]
    code, iat, exp = values
    if code not in GOOD_CODES + REFUSALS or not all(map(_is_integer, (claims.get("http"), iat, exp))) or exp <= iat:
        raise _NoVerdict(NO_RESULT, "a signed answer that this program does not understand")
    message, expiration_date = claims.get("message"), claims.get("expiration_date")
    # These two are displayed and decide nothing.
    return _Claims(code, _text(message), iat, exp, expiration_date if _date(expiration_date) else None, claims)


def _is_integer(value: object) -> bool:
    return type(value) is int and 0 <= value <= LAST_SECOND  # not isinstance: True is an int, too


def _date(text: object) -> Optional[datetime.date]:
    """The date if it is written as YYYY-MM-DD, otherwise None."""
    found = re.fullmatch("([0-9]{4})-([0-9]{2})-([0-9]{2})", text) if isinstance(text, str) else None
    return _attempt(lambda: datetime.date(*map(int, found.groups())) if found else None, None)


def _days_left(expiration_date: Optional[str], now: int) -> Optional[int]:
    date = _date(expiration_date)
    return max((date - _today(now)).days, 0) if date else None


def _today(now: int) -> datetime.date:
    """The date in the computer's time zone, or in UTC if the system cannot convert a time so far ahead."""
    in_utc = datetime.date(1970, 1, 1) + datetime.timedelta(seconds=now)
    return _attempt(lambda: datetime.date.fromtimestamp(now), in_utc)


def _json_object(data: bytes) -> Dict[str, Any]:
    """The JSON object in these bytes, or ValueError, also for a duplicate name."""
    def unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("duplicate name")
        return dict(pairs)

    def reject(constant: str) -> None:
        raise ValueError(constant)

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=reject)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _to_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _from_base64url(text: str) -> bytes:
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


def _pin(public_keys: Any) -> Tuple[Dict[str, Point], str]:
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


def _public_key(key: Any) -> Tuple[str, Point]:
    """The key's ID (the first 16 characters of its RFC 7638 thumbprint) and its point."""
    if isinstance(key, dict):
        if "d" in key:
            raise ValueError("one of them is the private key, which must stay on the server")
        if key.get("kty") != "EC" or key.get("crv") != "P-256":
            raise ValueError("one of them is not for ES256")
        coordinates: List[Any] = [key.get("x"), key.get("y")]
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


def _pem_coordinates(text: str) -> List[str]:
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


def _is_on_curve(x: int, y: int) -> bool:
    return x < _P and y < _P and (y * y - x * x * x + 3 * x - _B) % _P == 0


def _is_signature(signature: bytes, message: bytes, key: Point) -> bool:
    """Whether the owner of the key signed the message. All input is public, so nothing has to run in constant time."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or not 0 < r < _N or not 0 < s < _N:
        return False
    hashed = int.from_bytes(hashlib.sha256(message).digest(), "big")
    inverse = pow(s, -1, _N)
    x, _, z = _sum_of_multiples(hashed * inverse % _N, _G, r * inverse % _N, key)
    return bool(z) and x * pow(z, -2, _P) % _P % _N == r


def _sum_of_multiples(a: int, p: Point, b: int, q: Point) -> JacobianPoint:
    """a * p + b * q in one pass over the bits (Shamir). A point (X, Y, Z) is (X/Z^2, Y/Z^3), or infinity if Z = 0."""
    infinity = (1, 1, 0)
    only_p, only_q = p + (1,), q + (1,)
    to_add = (infinity, only_p, only_q, _add(only_p, only_q))
    point: JacobianPoint = infinity
    for bit in range(max(a.bit_length(), b.bit_length()) - 1, -1, -1):
        point = _double(point)
        which = (a >> bit & 1) + 2 * (b >> bit & 1)
        if which:
            point = _add(point, to_add[which])
    return point


def _double(point: JacobianPoint) -> JacobianPoint:
    x, y, z = point
    delta, gamma = z * z % _P, y * y % _P
    beta = x * gamma % _P
    alpha = 3 * (x - delta) * (x + delta) % _P
    new_x = (alpha * alpha - 8 * beta) % _P
    return new_x, (alpha * (4 * beta - new_x) - 8 * gamma * gamma) % _P, 2 * y * z % _P


def _add(one: JacobianPoint, other: JacobianPoint) -> JacobianPoint:
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

# What is stored for one machine ID. The token is None after a refusal; good_iat is the `iat` of the newest good
# answer, or None. mark and uptime are this computer's clock and uptime at the last start, or the server's clock and
# the uptime at a later answer; allowance is by how much the clock may still be set back.
_State = collections.namedtuple("_State", "license_key token good_iat mark allowance uptime")


def _newest(states: Dict[str, _State], ids: Iterable[str]) -> Optional[_State]:
    """Of these machine IDs, the state of the one that last got a good answer."""
    good = [states[one] for one in ids if one in states and states[one].good_iat is not None]
    return max(good, key=lambda state: int(state.good_iat), default=None)


def _at_start(state: _State, now: int, uptime: Optional[int]) -> _State:
    """What to store at a start: setting the clock back uses up the allowance, and then ends the lease.

    The uptime proves a part of the time that has passed, so a clock that is set back each time does not stand still.
    """
    if state.token is None:
        return state
    elapsed = 0
    if uptime is not None and state.uptime is not None:
        elapsed = uptime - state.uptime if uptime >= state.uptime else uptime  # less: it was restarted
    missing = max(state.mark + elapsed - now, 0)
    if missing == 1:  # two clocks, each rounded to seconds
        return state
    if missing > state.allowance:
        return state._replace(token=None, allowance=0, uptime=uptime)
    return state._replace(mark=now, allowance=state.allowance - missing, uptime=uptime)


def _answer(state: Optional[_State]) -> Tuple[Optional[str], int]:
    """The stored answer and its time, which a mere start does not change."""
    if state is None:
        return None, 0
    return state.token, state.mark if state.token is None else state.good_iat or 0


def _has_clock_ended(state: Optional[_State]) -> bool:
    return state is not None and state.token is None and state.allowance == 0


def _uptime() -> Optional[int]:
    """The seconds since this computer was started, asleep or not."""
    if sys.platform == "win32":
        get_tick_count = ctypes.WinDLL("kernel32").GetTickCount64
        get_tick_count.restype = ctypes.c_uint64
        return int(get_tick_count()) // 1000
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    if sys.platform == "darwin":
        clock = time.CLOCK_MONOTONIC_RAW
    return None if clock is None else int(time.clock_gettime(clock))


def _cache_folder() -> str:
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


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


class _Store:
    """Small files of one server and tool, one for each machine ID.

    An unreadable file counts as absent, and errors of writing are ignored.
    """

    def __init__(self, folder: str, name: str) -> None:
        self.folder, self.name = folder, name

    def path(self, license_key: str) -> str:
        return os.path.join(self.folder, "%s-%s.json" % (self.name, _short_hash(license_key)))

    def read_all(self) -> Dict[str, _State]:
        """By machine ID."""
        names: List[str] = _attempt(lambda: os.listdir(self.folder), []) if self.folder else []
        states = (self._read_path(os.path.join(self.folder, name)) for name in names if name.startswith(self.name))
        return {state.license_key: state for state in states if state}

    def read(self, license_key: str) -> Optional[_State]:
        return self._read_path(self.path(license_key)) if self.folder else None

    def _read_path(self, path: str) -> Optional[_State]:
        content: Dict[str, Any] = _attempt(lambda: _json_object(_retried(lambda: _read_file(path))), {})
        state = _State(*(content.get(name, False) for name in _State._fields))
        is_readable = isinstance(state.license_key, str) and isinstance(state.token, (str, type(None)))
        is_readable = is_readable and _is_integer(state.mark) and _is_integer(state.allowance) and all(
            number is None or _is_integer(number) for number in (state.good_iat, state.uptime))
        if not is_readable or self.path(state.license_key) != path:
            return None
        return state._replace(allowance=min(state.allowance, CLOCK_ALLOWANCE))

    def start(self, state: _State, now: Callable[[], int], uptime: Callable[[], Optional[int]]) -> _State:
        """Store what a start changes, and return the result; `state` was read before."""
        with self._locked() as is_locked:
            # A refusal may have arrived meanwhile.
            state = self.read(state.license_key) or state
            # Read only now: an uptime before that of a process that was faster would look like a restart.
            changed = _at_start(state, now(), uptime())
            if is_locked and changed != state:
                _attempt(lambda: self._write(changed, durably=False), None)
        return changed

    def save(self, state: _State, before: Optional[_State]) -> None:
        """Store an answer; `before` was stored when the request was sent."""
        if self.folder:
            _attempt(lambda: os.makedirs(self.folder, mode=0o700, exist_ok=True), None)
            with self._locked():
                _attempt(lambda: self._save(state, before), None)

    def _save(self, state: _State, before: Optional[_State]) -> None:
        now = self.read(state.license_key)
        if state.token is None:
            known = now or before
            state = state._replace(good_iat=known.good_iat if known else None)
        elif now and _answer(now) != _answer(before) and state.good_iat <= _answer(now)[1]:
            return  # Another process has stored a newer answer meanwhile. A refusal always counts.
        try:
            self._write(state)
        except OSError:
            if state.token is None:
                self._erase(state)

    def open_request(self, license_key: str, new_nonce: Callable[[], str]) -> str:
        """The nonce of the request that waits for an offline file, a new one if there is none; or OSError."""
        if not self.folder:
            raise OSError("no folder")
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        with self._locked():
            if not self.read_request(license_key):
                request = {"license_key": license_key, "nonce": new_nonce()}
                self._replace(self._request_path(license_key), request, durably=True)
        return self.read_request(license_key)

    def read_request(self, license_key: str) -> str:
        """The nonce of the request, or ""."""
        content: Dict[str, Any] = _attempt(
            lambda: _json_object(_retried(lambda: _read_file(self._request_path(license_key)))), {})
        nonce, is_ours = content.get("nonce"), content.get("license_key") == license_key
        return nonce if is_ours and isinstance(nonce, str) and re.fullmatch("[A-Za-z0-9_-]{16,64}", nonce) else ""

    def close_request(self, license_key: str) -> None:
        _attempt(lambda: os.remove(self._request_path(license_key)), None)

    def _request_path(self, license_key: str) -> str:
        return self.path(license_key)[:-len("json")] + "request"

    def _write(self, state: _State, durably: bool = True) -> None:
        self._replace(self.path(state.license_key), state._asdict(), durably)

    def _replace(self, path: str, content: Dict[str, Any], durably: bool) -> None:
        draft = "%s.%d.%s" % (path, os.getpid(), os.urandom(4).hex())
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                _overwrite(file, content, durably)
            _retried(lambda: os.replace(draft, path))
        except OSError:
            _attempt(lambda: os.remove(draft), None)
            raise

    def _erase(self, state: _State) -> None:
        """Overwrite the file in place: the folder cannot be written, or the disk is full."""
        path = self.path(state.license_key)
        try:
            with _retried(lambda: open(path, "r+b")) as file:
                _overwrite(file, state._asdict())
        except OSError:
            os.remove(path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[bool]:
        """Hold the lock that this user's processes share, or proceed without it after a second.

        Only another process that holds it yields False: where there can be no lock, writing must go on.
        """
        with contextlib.ExitStack() as stack:
            yield _attempt(lambda: stack.enter_context(_lock(os.path.join(self.folder, "lock"))), True)


def _overwrite(file: Any, content: Dict[str, Any], durably: bool = True) -> None:
    file.write(json.dumps(content).encode("ascii"))
    file.truncate()
    file.flush()
    if durably:
        os.fsync(file.fileno())


def _read_file(path: str) -> bytes:
    # Without waiting for the other end of a pipe.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a file")
        return os.read(descriptor, 2 * MAX_ANSWER_BYTES)
    finally:
        os.close(descriptor)


def _retried(function: Callable[[], T]) -> T:
    # On Windows, a file cannot be opened while another process replaces it.
    for _ in range(5):
        try:
            return function()
        except PermissionError:
            time.sleep(0.01)
    return function()


@contextlib.contextmanager
def _lock(path: str) -> Iterator[bool]:
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        deadline = time.monotonic() + 1
        is_locked = _try_lock(file.fileno())
        while not is_locked and time.monotonic() < deadline:
            time.sleep(0.01)
            is_locked = _try_lock(file.fileno())
        yield is_locked


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


# ---- Background refreshes ----

_refreshes: Set[threading.Thread] = set()


def _in_background(function: Callable[[], None]) -> None:
    def run() -> None:
        _attempt(function, None)
        _refreshes.discard(thread)

    thread = threading.Thread(target=run, name="license refresh", daemon=True)
    thread.start()
    _refreshes.add(thread)


@atexit.register
def _wait_for_refreshes() -> None:
    # A program that exits at once would otherwise never renew its lease.
    deadline = time.monotonic() + REFRESH_EXIT_WAIT
    for thread in list(_refreshes):
        thread.join(max(deadline - time.monotonic(), 0))


# ---- The machine ID ----

# `earlier` is the ID that version 1.1.0 would have chosen, `preferred` the one that this version chooses, and
# `present` has all that are in the machine.
_Machine = collections.namedtuple("_Machine", "earlier preferred present")

# How permanent an adapter is, best first. Whether it is connected does not matter, or the ID would change whenever
# Wi-Fi is turned off.
WIRED, WIRELESS, REMOVABLE, EMULATED, VIRTUAL = range(5)

MULTICAST, LOCAL = 1, 2  # bits in the first byte of an address

# Vendors of virtual machines (VMware, Hyper-V, VirtualBox, Parallels, Xen) and of VPN adapters (Cisco, Fortinet,
# OpenVPN), some of which give every computer the same address.
_SOFTWARE_VENDORS = tuple(map(bytes.fromhex, (
    "000569 000c29 001c14 005056 0003ff 00155d 080027 001c42 00163e 00059a 00090f 00ff").split()))

# Of adapters whose maker forgot to give each its own address: network chips without one, and those of Realtek and
# Allwinner. `_is_placeholder` has the rest.
_PLACEHOLDERS = tuple(map(bytes.fromhex, "000000000001 00e04c000001 888888888788".split()))

# A hardware address, and how permanent the adapter is, for version 1.1.0 and for this one.
_Adapter = collections.namedtuple("_Adapter", "mac earlier_rank rank")


def _find_machine() -> _Machine:
    find_adapters, find_system_id = {
        "win32": (_windows_adapters, _windows_machine_guid),
        "darwin": (_macos_adapters, _macos_platform_uuid),
    }.get(sys.platform, (_linux_adapters, _linux_machine_id))
    system_id = _attempt(find_system_id, "")
    return _machine_of(_attempt(find_adapters, []), system_id, system_id and _attempt(_is_container, False))


def _machine_of(adapters: List[_Adapter], system_id: str, is_container: object = False) -> _Machine:
    usable = [a for a in adapters if len(a.mac) == 6 and any(a.mac) and not a.mac[0] & MULTICAST]
    earlier = _choose(usable, system_id, _earlier_sort_key)
    real = [a for a in usable if not _is_placeholder(a.mac)]
    # An address in a container or under WSL changes at any start.
    preferred = system_id if is_container else _choose(real, system_id, _sort_key)
    return _Machine(earlier, preferred, _unique(*(a.mac.hex(":") for a in real), system_id))


def _choose(adapters: List[_Adapter], system_id: str, sort_key: Callable[[_Adapter], Tuple[int, int, bytes]]) -> str:
    """The hardware address of the adapter that is hardest to remove, or else the operating system's ID.

    Software makes up the addresses of virtual adapters and locally administered ones, and changes them; they are used
    only if there is nothing better.
    """
    keys = sorted(map(sort_key, adapters))
    is_local, rank, mac = keys[0] if keys else (LOCAL, VIRTUAL, b"")
    return mac.hex(":") if mac and rank < VIRTUAL and not is_local else system_id or mac.hex(":")


def _earlier_sort_key(adapter: _Adapter) -> Tuple[int, int, bytes]:
    emulated = adapter.mac.startswith(_SOFTWARE_VENDORS)
    rank = max(adapter.earlier_rank, EMULATED) if emulated else adapter.earlier_rank
    return adapter.mac[0] & LOCAL, rank, adapter.mac


def _sort_key(adapter: _Adapter) -> Tuple[int, int, bytes]:
    emulated = adapter.mac.startswith(_SOFTWARE_VENDORS)
    return adapter.mac[0] & LOCAL, VIRTUAL if emulated else adapter.rank, adapter.mac


def _is_placeholder(mac: bytes) -> bool:
    """Whether many computers have this address."""
    # All bytes equal, or an example such as 00:11:22:33:44:55, 00:01:02:03:04:05 or 12:34:56:78:9a:bc.
    is_sequence = len({(after - before) % 256 for before, after in zip(mac, mac[1:])}) == 1
    return is_sequence or not any(mac[3:]) or mac in _PLACEHOLDERS  # no serial number


def _is_container() -> bool:
    """Whether this is a container, or Linux under Windows."""
    is_wsl = "microsoft" in _read_text("/proc/sys/kernel", "osrelease").lower()
    return is_wsl or any(map(os.path.exists, ("/.dockerenv", "/run/.containerenv")))


def _machine_code(tool_name: str, license_key: str) -> str:
    """The first 30 bits of a hash, to be read out."""
    text = license_key.strip()
    if re.fullmatch(r"[0-9a-f]{2}([-:. ]?)([0-9a-f]{2}\1){4}[0-9a-f]{2}|[0-9a-f]{4}([-:. ])[0-9a-f]{4}\3[0-9a-f]{4}",
                    text, re.I):
        text = bytes.fromhex(re.sub("[-:. ]", "", text)).hex(":")
    digest = hashlib.sha256(("%s\n%s" % (tool_name, text)).encode("utf-8", "replace")).digest()
    number = int.from_bytes(digest[:4], "big") >> 2
    code = "".join("ABCDEFGHJKLMNPQRSTUVWXYZ23456789"[number >> shift & 31] for shift in range(25, -1, -5))
    return code[:3] + "-" + code[3:] if text else ""


# ---- The machine ID: Windows ----

_VIRTUAL_NAMES = re.compile(
    r"virtu|vpn|\btap\b|\btun|wintun|wireguard|loopback|wan miniport|bluetooth|bridge|multiplexor", re.I)
_REMOVABLE_NAMES = re.compile(
    r"usb|remote ndis|\bncm\b|dock|thunderbolt|displaylink|surface ethernet|apple mobile", re.I)
_ETHERNET, _WIFI = 6, 71  # IfType


class _AdapterAddresses(ctypes.Structure):
    """The first fields of IP_ADAPTER_ADDRESSES_LH (iptypes.h); adjacent ones that are not used share a field."""

    _fields_ = [
        ("LengthAndIfIndex", ctypes.c_uint32 * 2),
        ("Next", ctypes.c_void_p),
        ("AdapterName", ctypes.c_char_p),
        ("FirstUnicastAddressToDnsSuffix", ctypes.c_void_p * 5),
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


def _windows_adapters() -> List[_Adapter]:
    # Disconnected adapters are always listed. The flag 0x100 (all interfaces) adds disabled ones, and those whose
    # TCP/IP a Hyper-V switch, a team or a bridge has taken over; the other flags skip lists that are not needed.
    if sys.platform != "win32":
        raise OSError("not Windows")
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
    return list(_read_windows_list(ctypes.addressof(buffer), iphlpapi.GetIfEntry2, _windows_bus))


def _read_windows_list(address: Optional[int], get_if_entry2: Callable[[Any], int],
                       find_bus: Callable[[str], Tuple[str, List[str]]]) -> Iterator[_Adapter]:
    no_bus: Tuple[str, List[str]] = ("", [])
    while address:
        entry = _AdapterAddresses.from_address(address)
        address = entry.Next
        if entry.IfType not in (_ETHERNET, _WIFI):
            continue
        # The row has the address that Windows' "random hardware addresses" hide.
        row = _InterfaceRow(InterfaceLuid=entry.Luid)
        known = get_if_entry2(ctypes.byref(row)) == 0
        mac = bytes(row.PermanentPhysicalAddress)[:6]
        if not known or not any(mac):
            mac = bytes(entry.PhysicalAddress)[:entry.PhysicalAddressLength]
        is_hardware = not known or bool(row.InterfaceAndOperStatusFlags & 1)
        bus = _attempt(lambda: find_bus(entry.AdapterName.decode("ascii")), no_bus)
        yield _windows_adapter(mac, entry.Description or "", entry.IfType == _WIFI, is_hardware, *bus)


def _windows_adapter(mac: bytes, description: str, is_wifi: bool, is_hardware: bool, instance: str,
                     parents: List[str]) -> _Adapter:
    """`instance` is the ID of the device, such as PCI\\VEN_8086&...; `parents` are the IDs and names of its parents."""
    built_in = WIRELESS if is_wifi else WIRED
    by_name = REMOVABLE if _REMOVABLE_NAMES.search(description) else built_in
    if not is_hardware or _VIRTUAL_NAMES.search(description):
        by_name = VIRTUAL
    bus = instance.partition("\\")[0].upper()
    if not bus:
        return _Adapter(mac, by_name, by_name)
    rank = built_in
    if not is_hardware or bus in ("ROOT", "SWD", "BTH", "VMBUS") or bus.startswith("{"):
        rank = VIRTUAL
    elif bus in ("USB", "USB4", "PCMCIA") or re.search("thunderbolt|usb4", " ".join(parents), re.I):
        rank = REMOVABLE
    return _Adapter(mac, by_name, rank)


def _windows_bus(adapter: str) -> Tuple[str, List[str]]:
    """The device instance ID of an adapter, and the IDs and descriptions of the devices that it is plugged into."""
    if sys.platform != "win32":
        raise OSError("not Windows")
    import winreg
    path = r"SYSTEM\CurrentControlSet\Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}\%s\Connection" % adapter
    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY) as key:
        instance = str(winreg.QueryValueEx(key, "PnPInstanceID")[0])
    return instance, _attempt(lambda: list(_windows_parents(ctypes.WinDLL("cfgmgr32"), instance)), [])


def _windows_parents(cfgmgr32: Any, instance: str) -> Iterator[str]:
    description, size = 1, 512  # CM_DRP_DEVICEDESC; bytes
    device = ctypes.c_uint32()
    if cfgmgr32.CM_Locate_DevNodeW(ctypes.byref(device), ctypes.c_wchar_p(instance), 0):
        return
    text = ctypes.create_unicode_buffer(size // 2)
    while not cfgmgr32.CM_Get_Parent(ctypes.byref(device), device, 0):
        if not cfgmgr32.CM_Get_Device_IDW(device, text, size // 2, 0):
            yield text.value
        length = ctypes.c_uint32(size)
        if not cfgmgr32.CM_Get_DevNode_Registry_PropertyW(device, description, None, text, ctypes.byref(length), 0):
            yield text.value


def _windows_machine_guid() -> str:
    if sys.platform != "win32":
        raise OSError("not Windows")
    import winreg
    # A 32-bit program would otherwise see another part of the registry, which does not have this value.
    access = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography", 0, access) as key:
        return str(winreg.QueryValueEx(key, "MachineGuid")[0]).strip()


# ---- The machine ID: Linux ----

def _linux_adapters(root: str = "/sys/class/net") -> List[_Adapter]:
    folders = (os.path.join(root, name) for name in os.listdir(root))
    return [_linux_adapter(folder) for folder in folders if _read_text(folder, "type") == "1"]  # Ethernet


def _linux_adapter(folder: str) -> _Adapter:
    current = bytes.fromhex(_read_text(folder, "address").replace(":", ""))
    permanent = _attempt(lambda: _linux_permanent_mac(os.path.basename(folder)), b"")
    if not any(permanent) and _read_text(folder, "addr_assign_type") == "0":
        permanent = current
    device = os.path.realpath(os.path.join(folder, "device"))
    if not any(permanent) or not os.path.isdir(device) or "/virtual/" in device:
        return _Adapter(current, VIRTUAL, VIRTUAL)
    rank = earlier_rank = WIRELESS if os.path.isdir(os.path.join(folder, "phy80211")) else WIRED
    if "/usb" in device or _read_text(device, "removable") == "removable":
        rank = earlier_rank = REMOVABLE
    while os.path.dirname(device) != device:  # a dock on Thunderbolt has a bridge that says so
        device = os.path.dirname(device)
        if _read_text(device, "removable") == "removable":
            rank = REMOVABLE
    return _Adapter(permanent, earlier_rank, rank)


def _linux_permanent_mac(name: str) -> bytes:
    """Ask the driver: members of a bond share one address, and Wi-Fi scans with random ones."""
    if sys.platform == "win32":
        raise OSError("not Linux")
    import array
    import fcntl
    import socket
    import struct
    siocethtool, ethtool_gpermaddr, offset = 0x8946, 0x20, 8
    answer = array.array("B", struct.pack("II32x", ethtool_gpermaddr, 32))
    request = struct.pack("16sP16x", name.encode(), answer.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, siocethtool, request)
    return answer.tobytes()[offset:offset + 6]


def _linux_machine_id() -> str:
    for folder in ("/etc", "/var/lib/dbus"):
        text = _read_text(folder, "machine-id")
        if re.fullmatch(r"[0-9a-f]{32}", text):
            return text
    return ""


def _read_text(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return file.read(256).strip()
    except (OSError, ValueError):
        return ""


# ---- The machine ID: macOS ----

def _macos_adapters() -> List[_Adapter]:
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
    if not data:
        return []
    return [_Adapter(ctypes.string_at(core.CFDataGetBytePtr(pointer(data)), 6), WIRED, WIRED)]


def _macos_platform_uuid() -> str:
    import uuid
    host, wait = (ctypes.c_uint8 * 16)(), (ctypes.c_long * 2)(1, 0)  # a uuid_t and a timespec
    if ctypes.CDLL(None).gethostuuid(host, wait):
        return ""
    return str(uuid.UUID(bytes=bytes(host))).upper()


# ---- Command line ----

USAGE = """usage: license_client.py SERVER TOOL            check the license of TOOL
       license_client.py SERVER TOOL KEY...     accept only answers signed with one of these public keys
       license_client.py --machine-id           print only the machine ID"""


def main(arguments: List[str]) -> int:
    wants_id, wants_help = arguments == ["--machine-id"], arguments in (["-h"], ["--help"])
    if len(arguments) < 2 and not wants_id:
        _print(USAGE, sys.stdout if wants_help else sys.stderr)
        return 0 if wants_help else 2
    client = LicenseClient("" if wants_id else arguments[0], public_keys=arguments[2:] or None)
    if wants_id:
        found = client.machine_id()
        _print(found or "no machine ID found", sys.stdout if found else sys.stderr)
        return 0 if found else 1
    _print("Machine ID: " + (client.machine_id(arguments[1]) or "none found"), sys.stdout)
    result = client.check(arguments[1], refresh=True)
    _print("Verdict: " + ("valid" if result.valid else "not confirmed"), sys.stdout)
    _print("Message: " + result.message, sys.stdout)
    if arguments[2:]:
        _print("\n" + result.diagnostic(), sys.stdout)
    return 0 if result.valid else 1


def _print(text: str, stream: Any) -> None:
    if stream is None:  # pythonw.exe has no console
        return
    encoding = getattr(stream, "encoding", None) or "ascii"
    print(text.encode(encoding, "replace").decode(encoding), file=stream)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
