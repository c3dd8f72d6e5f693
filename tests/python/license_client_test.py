"""Tests `license_client.py` with pinned keys against real servers on loopback: `python3 license_client_test.py`.

`tests/vectors/` covers what a client concludes; these tests cover real connections, the lease and its file, the machine
ID, and what setting the clock back gains.
"""

import contextlib
import http.server
import io
import json
import os
import random
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(TESTS, "..", "static"), os.path.join(TESTS, "vectors")]

import license_client  # noqa: E402
import make  # noqa: E402
from license_client import LicenseClient  # noqa: E402

KEYS = [make.CURRENT.jwk, make.NEXT.jwk]
NOW, DAY, TERM, TOOL, MACHINE = make.NOW, make.DAY, make.TERM, make.TOOL, make.MACHINE
UNREACHABLE = "The license server cannot be reached. "


class Server:
    """A web server on loopback that answers each request with `answer(request)`: (status, body, headers).

    With a certificate, a file that also has its key, it speaks TLS.
    """

    def __init__(self, answer, certificate=None):
        self.requests, self.answer = [], answer
        web_server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                web_server.requests.append(request)
                status, body, headers = (web_server.answer(request) + ({},))[:3]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def do_CONNECT(self):
                self.send_error(407)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # a client that hangs up
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        scheme = "https" if certificate else "http"
        self.url = "%s://127.0.0.1:%d/licenseserver" % (scheme, self.server.server_port)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def signs(code="VALID", iat=NOW, key=make.CURRENT, header=None, sign=make.pair, **claims):
    """Answers as the real server does, apart from what the arguments change."""
    def answer(request):
        expected = dict(aud=request["tool_name"], sub=request["license_key"], nonce=request["nonce"])
        signed = make.token(make.claims(code, iat, **dict(expected, **claims)), key, header, sign)
        reply = make.answer(signed, code)
        return reply["status"], reply["body"].encode("utf-8")
    return answer


def sends(status, body):
    return lambda request: (status, body.encode("utf-8"))


def redirects(location, status=308):
    return lambda request: (status, b"", {"Location": location})


def sending(answer):
    """Instead of a client's `_send`: the answer without a connection."""
    def send(url, body, verify, deadline):
        status, data = answer(json.loads(body))
        return status, None, data
    return send


def machine(*ids):
    """A computer with these IDs; the first is preferred, now and in earlier versions."""
    return license_client._Machine(ids[0], ids[0], list(ids))


def stored(token, good_iat=NOW, mark=NOW, allowance=DAY, uptime=None):
    return make.state(token, good_iat, mark, allowance, uptime)


class Case(unittest.TestCase):
    """Each test has its own folder for the lease."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def server(self, answer, certificate=None):
        server = Server(answer, certificate)
        self.addCleanup(server.stop)
        return server

    def client(self, url, now=NOW, uptime=None, **options):
        """The client of a program that has just started, at this time."""
        options = dict({"public_keys": KEYS, "cache_dir": self.folder, "timeout": 60.0}, **options)
        client = LicenseClient(url, **options)
        client._machine, client._now, client._uptime = machine(MACHINE), lambda: now, lambda: uptime
        return client

    def path(self, license_key=MACHINE, url="http://127.0.0.1:1"):
        return self.client(url)._store(TOOL).path(license_key)

    def leased(self, iat=NOW, **claims):
        """The address of a server that granted a lease and then stopped."""
        server = Server(signs(iat=iat, **claims))
        self.assertTrue(self.client(server.url, now=iat).check(TOOL))
        server.stop()
        return server.url

    def assert_unreachable(self, result):
        self.assertEqual((result.valid, result.code, result.source), (False, "NO_ANSWER", "none"), result.message)
        self.assertTrue(result.message.startswith(UNREACHABLE), result.message)
        self.assertNotIn("invalid", result.message.lower())

    def stored(self):
        names = [name for name in os.listdir(self.folder) if name.endswith(".json")]
        if not names:
            return None
        with open(os.path.join(self.folder, names[0]), encoding="ascii") as file:
            return json.load(file)


@contextlib.contextmanager
def ordinary_user(folder):
    """Permissions do not apply to root, so root becomes another user for a while, and gives that user this folder.

    Import nothing meanwhile: root's Python may be in a folder that only root can read.
    """
    nobody, is_root = 65534, os.geteuid() == 0
    if is_root:
        for path in [folder] + [os.path.join(folder, name) for name in os.listdir(folder)]:
            os.chown(path, nobody, -1)
        os.seteuid(nobody)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def wait_for_refreshes():
    for thread in list(license_client._refreshes):
        thread.join(60)


class Requests(Case):
    def test_a_signed_check_sends_nonce_kids_and_client(self):
        server = self.server(signs())
        for _ in range(2):
            self.client(server.url, version="2.1 " + "x" * 200).check(TOOL, refresh=True)
        first, second = server.requests
        self.assertRegex(first["nonce"], r"\A[A-Za-z0-9_-]{16,64}\Z")
        self.assertNotEqual(first["nonce"], second["nonce"])
        self.assertEqual((first["tool_name"], first["license_key"]), (TOOL, MACHINE))
        self.assertEqual(first["kids"], [make.CURRENT.kid, make.NEXT.kid])
        self.assertEqual(first["client"]["version"], "2.1 " + "x" * 96)
        self.assertLessEqual(set(first["client"]), {"version", "hostname", "user"})
        self.assertEqual(set(first), {"tool_name", "license_key", "nonce", "kids", "client"})

    def test_a_plain_check_is_the_published_one_and_stores_nothing(self):
        server = self.server(sends(200, '{"status":"valid","message":"License is active and valid."}'))
        client = self.client(server.url, public_keys=None)
        self.assertEqual(client.check_license(TOOL), (True, "License is active and valid."))
        self.assertEqual(server.requests, [{"tool_name": TOOL, "license_key": MACHINE}])
        self.assertEqual(os.listdir(self.folder), [])

    def test_plain_answers_also_have_codes(self):
        for status, word, message, code in (
                (200, "valid", "License is active and valid.", "VALID"),
                (403, "expired", "License has expired.", "EXPIRED"),
                (403, "invalid", "License status is 'revoked'.", "REVOKED"),
                (403, "invalid", "License status is 'suspended'.", "SUSPENDED"),
                (404, "invalid", "License key not found for this tool.", "NOT_FOUND")):
            server = self.server(sends(status, json.dumps({"status": word, "message": message})))
            result = self.client(server.url, public_keys=None).check(TOOL)
            self.assertEqual((result.code, result.message, result.source), (code, message, "server"))
            self.assertEqual((result.valid, bool(result)), (code == "VALID",) * 2)


class Answers(Case):
    def test_a_signed_answer_is_accepted(self):
        result = self.client(self.server(signs(expiration_date="2027-01-20")).url).check(TOOL)
        self.assertEqual((result.valid, result.code, result.source), (True, "VALID", "server"))
        self.assertEqual((result.expires, result.message), ("2027-01-20", "License is active and valid."))

    @unittest.skipUnless(hasattr(time, "tzset"), "Windows ignores TZ")
    def test_days_left_follow_the_customers_calendar(self):
        self.addCleanup(time.tzset)
        hour = 3600
        for zone, iat, days in (
                ("UTC", NOW, 5), ("UTC", NOW + 16 * hour - 1, 5), ("UTC", NOW + 16 * hour, 4),
                ("EAST-14", NOW + 2 * hour - 1, 5), ("EAST-14", NOW + 2 * hour, 4),
                ("WEST12", NOW, 6), ("WEST12", NOW + 4 * hour, 5),
                ("EAST-14", NOW + 30 * DAY, 0), ("EAST-14", license_client.LAST_SECOND - 1, 0)):
            with mock.patch.dict(os.environ, TZ=zone):
                time.tzset()
                server = self.server(signs(iat=iat, exp=iat + 1, expiration_date="2027-01-20"))
                client = self.client(server.url, iat)
                results = [client.check(TOOL, refresh=True), client.check(TOOL)]
                self.assertEqual([(result.source, result.days_left) for result in results],
                                 [("server", days), ("lease", days)], (zone, iat))

    def test_check_license_returns_the_same_pair(self):
        good, bad = self.server(signs()), self.server(signs("REVOKED"))
        self.assertEqual(self.client(good.url).check_license(TOOL), (True, "License is active and valid."))
        self.assertEqual(self.client(bad.url).check_license(TOOL), (False, "License status is 'revoked'."))

    def test_a_fake_server_cannot_make_the_program_run(self):
        replayed = signs()({"tool_name": TOOL, "license_key": MACHINE, "nonce": "x" * 32})
        none = dict(make.CURRENT.header, alg="none")
        fakes = {
            "unsigned": sends(200, '{"status":"valid","message":"License is active and valid.","code":"VALID"}'),
            "other key": signs(key=make.FOREIGN),
            "other key, our ID": signs(key=make.FOREIGN, header=make.CURRENT.header),
            "none": signs(header=none, sign=lambda rs: b""),
            "none, signed": signs(header=none),
            "replayed": lambda request: replayed,
            "other machine's": signs(sub="0a:1b:2c:3d:4e:60"),
            "other tool's": signs(aud="Tool_B"),
            "html": sends(200, "<h1>valid</h1>"),
            "html 404": sends(404, "<h1>404 Not Found: invalid</h1>"),
            "too long": lambda request: (200, b" " * 65536 + signs()(request)[1]),
        }
        for name, answer in fakes.items():
            with self.subTest(name):
                client = self.client(self.server(answer).url)
                self.assert_unreachable(client.check(TOOL))
                self.assertFalse(client.check_license(TOOL)[0])
                self.assertIsNone(self.stored())

    def test_a_flipped_bit_in_a_token_is_noticed(self):
        client = self.client("http://127.0.0.1:1")
        client._nonce = lambda: make.NONCE
        good = make.token()
        client._send = lambda *_: (200, None, json.dumps({"token": good}).encode("ascii"))
        self.assertTrue(client.check(TOOL, refresh=True))
        os.remove(self.path())
        for bit in [*range(600), *range(600, 8 * len(good), 11)]:
            flipped = list(good)
            flipped[bit // 8] = chr(ord(flipped[bit // 8]) ^ 128 >> bit % 8)
            client._send = lambda *_: (200, None, json.dumps({"token": "".join(flipped)}).encode("ascii"))
            self.assertEqual(client.check(TOOL).code, "NO_ANSWER", bit)

    def test_a_silent_server_times_out(self):
        stopping = threading.Event()
        self.addCleanup(stopping.set)
        server = self.server(lambda request: stopping.wait() and (200, b""))
        result = self.client(server.url, timeout=0.3).check(TOOL)
        self.assert_unreachable(result)
        self.assertIn("no answer in time", result.message)

    def test_a_malformed_address_is_not_a_refusal(self):
        for url in ("", "ftp://example.com", "http://", None, 7):
            self.assert_unreachable(self.client(url).check(TOOL))


class Leases(Case):
    def test_a_lease_is_good_until_its_last_second(self):
        url = self.leased()
        for seconds, runs in ((0, True), (TERM // 2, True), (TERM - 1, True), (TERM, False), (TERM + DAY, False)):
            result = self.client(url, NOW + seconds).check(TOOL)
            wait_for_refreshes()
            self.assertEqual((result.valid, result.source), (runs, "lease" if runs else "none"), seconds)

    def test_a_lease_expires_while_the_program_runs(self):
        client, moment = self.client(self.leased()), [NOW]
        client._now = lambda: moment[0]
        self.assertTrue(client.check(TOOL))
        moment[0] = NOW + TERM
        self.assert_unreachable(client.check(TOOL))

    def test_setting_the_clock_back_does_not_help(self):
        url = self.leased(iat=NOW)
        self.assertTrue(self.client(url, NOW - DAY).check(TOOL))
        result = self.client(url, NOW - DAY - 2).check(TOOL)
        self.assert_unreachable(result)
        self.assertIn("date and time", result.message)
        self.assertIn("lease: ended, because the clock was set back", result.diagnostic())
        self.assert_unreachable(self.client(url, NOW).check(TOOL))

    def test_the_clock_counts_even_if_the_mark_cannot_be_stored(self):
        url = self.leased(iat=NOW)
        with mock.patch.object(license_client._Store, "_write", side_effect=OSError):
            self.assert_unreachable(self.client(url, NOW - 2 * DAY).check(TOOL))
        self.assertTrue(self.client(url, NOW).check(TOOL))

    def test_where_there_can_be_no_lock_the_mark_moves_all_the_same(self):
        url = self.leased(iat=NOW)
        os.remove(os.path.join(self.folder, "lock"))
        os.mkdir(os.path.join(self.folder, "lock"))
        self.assertTrue(self.client(url, NOW + 2 * DAY).check(TOOL))
        self.assert_unreachable(self.client(url, NOW).check(TOOL))

    def test_a_fresh_lease_needs_no_request(self):
        server = self.server(signs())
        self.client(server.url).check(TOOL)
        for now in (NOW, NOW + TERM // 2 - 1):
            self.assertEqual(self.client(server.url, now).check(TOOL).source, "lease")
        wait_for_refreshes()
        self.assertEqual(len(server.requests), 1)

    def test_past_half_its_life_a_lease_is_refreshed_once_in_the_background(self):
        iats = [NOW, NOW + TERM // 2]
        server = self.server(lambda request: signs(iat=iats[len(server.requests) - 1])(request))
        self.client(server.url).check(TOOL)
        client = self.client(server.url, NOW + TERM // 2)
        self.assertEqual(client.check(TOOL).source, "lease")
        wait_for_refreshes()
        self.assertEqual(self.stored()["good_iat"], NOW + TERM // 2)
        for _ in range(3):
            client.check(TOOL)
        wait_for_refreshes()
        self.assertEqual(len(server.requests), 2)

    def test_a_failed_refresh_is_not_repeated_at_once(self):
        url = self.leased()
        client = self.client(url, NOW + TERM - 1)
        started = []
        client._in_background = started.append
        self.assertTrue(client.check(TOOL) and client.check(TOOL))
        self.assertEqual(len(started), 1)

    def test_a_refusal_in_the_background_erases_the_lease(self):
        codes = ["VALID", "REVOKED", "REVOKED"]
        server = self.server(lambda request: signs(codes.pop(0))(request))
        self.client(server.url).check(TOOL)
        client = self.client(server.url, NOW + TERM // 2)
        self.assertTrue(client.check(TOOL))
        wait_for_refreshes()
        self.assertIsNone(self.stored()["token"])
        self.assertEqual(client.check(TOOL).code, "REVOKED")

    def test_after_a_refusal_there_is_no_lease(self):
        url = self.leased()
        client = self.client(url)
        client._send = sending(signs("REVOKED"))
        self.assertEqual(client.check(TOOL, refresh=True).code, "REVOKED")
        self.assertEqual(self.stored(), stored(None))
        for now in (NOW, NOW + 1, NOW + DAY, NOW - DAY):
            self.assert_unreachable(self.client(url, now).check(TOOL))

    def test_a_program_can_force_a_refresh(self):
        server = self.server(signs())
        self.client(server.url).check(TOOL)
        self.assertEqual(self.client(server.url).check(TOOL, refresh=True).source, "server")
        server.stop()
        result = self.client(server.url).check(TOOL, refresh=True)
        self.assertEqual((result.valid, result.source), (True, "lease"))
        self.assertIn("ConnectionRefusedError", result.diagnostic())

    def test_a_program_that_exits_at_once_still_renews_its_lease(self):
        arrived, is_exiting = [], threading.Event()
        is_exiting.set()
        self.addCleanup(is_exiting.set)
        server = self.server(lambda request: arrived.append(1) or is_exiting.wait() and signs(iat=NOW + TERM)(request))
        self.client(server.url, NOW).check(TOOL)
        is_exiting.clear()
        # An old lease that has almost expired.
        old = license_client._State(**stored(make.token(make.claims(iat=NOW))))
        self.client(server.url)._store(TOOL)._write(old)
        program = """if True:
            import atexit, sys
            sys.path.insert(0, sys.argv[1])
            from license_client import LicenseClient, _Machine
            atexit.register(print, "exiting", flush=True)  # before the client's own, which waits
            client = LicenseClient(sys.argv[2], 60.0, %r, sys.argv[3])
            client._machine, client._now = _Machine(%r, "", []), lambda: %d
            print(client.check(%r).source)""" % (KEYS, MACHINE, NOW + TERM - 1, TOOL)
        static = os.path.dirname(license_client.__file__)
        with subprocess.Popen([sys.executable, "-c", program, static, server.url, self.folder],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
            output = [running.stdout.readline().decode().strip() for _ in range(2)]
            is_exiting.set()
        self.assertEqual(output, ["lease", "exiting"])
        self.assertEqual((len(arrived), self.stored()["good_iat"]), (2, NOW + TERM))

    def test_each_server_tool_and_machine_has_its_own_lease(self):
        client = self.client(self.leased())
        stores = client._store(TOOL), client._store("Tool_B"), self.client("http://x")._store(TOOL)
        self.assertEqual(len({store.path(key) for store in stores for key in (MACHINE, "0a:1b:2c:3d:4e:60")}), 6)
        client._machine = machine("0a:1b:2c:3d:4e:60")
        self.assert_unreachable(client.check(TOOL))


class Files(Case):
    @unittest.skipIf(sys.platform == "win32", "Windows has other permissions")
    def test_only_the_owner_can_read_them(self):
        self.folder = os.path.join(self.folder, "a", "b")
        self.leased()
        for name in os.listdir(self.folder):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.folder, name)).st_mode), 0o600, name)
        self.assertEqual(stat.S_IMODE(os.stat(self.folder).st_mode), 0o700)
        self.assertEqual(len(os.listdir(self.folder)), 2)  # the lease and the lock

    def test_without_a_usable_folder_only_the_lease_is_lost(self):
        file = os.path.join(self.folder, "file")
        open(file, "w").close()
        server, refusing = self.server(signs()), self.server(signs("REVOKED"))
        for folder in (file, os.path.join(file, "deeper"), "a\0b", b"\xff\0", 7, object()):
            client = self.client(server.url, cache_dir=folder)
            self.assertTrue(client.check(TOOL), folder)
            self.assertEqual(client.check(TOOL).source, "server")
            self.assertEqual(self.client(refusing.url, cache_dir=folder).check(TOOL).code, "REVOKED")

    def test_a_folder_in_place_of_the_file(self):
        server = self.server(signs())
        client = self.client(server.url)
        os.mkdir(self.path(url=server.url))
        self.assertEqual((client.check(TOOL).source, client.check(TOOL).source), ("server", "server"))
        self.assertEqual([name for name in os.listdir(self.folder) if name.count(".") > 1], [])

    def test_a_refusal_erases_the_lease_on_a_full_disk(self):
        url = self.leased()
        client = self.client(url)
        client._send = sending(signs("REVOKED"))
        with mock.patch.object(license_client._Store, "_write", side_effect=OSError(28, "no space")):
            client.check(TOOL, refresh=True)
            self.assertEqual(self.stored(), stored(None))
            with mock.patch.object(license_client, "_overwrite", side_effect=OSError(28, "no space")):
                client.check(TOOL, refresh=True)
        self.assertIsNone(self.stored())

    @unittest.skipIf(sys.platform == "win32", "Windows has other permissions")
    def test_a_refusal_erases_the_lease_in_a_read_only_folder(self):
        url = self.leased()
        client = self.client(url)
        client._send = sending(signs("REVOKED"))
        os.chmod(self.folder, 0o555)
        self.addCleanup(os.chmod, self.folder, 0o700)
        with ordinary_user(self.folder):
            self.assertRaises(PermissionError, os.remove, self.path(url=url))
            self.assertEqual(client.check(TOOL, refresh=True).code, "REVOKED")
        self.assertEqual(self.stored(), stored(None))
        self.assert_unreachable(self.client(url).check(TOOL))

    def test_a_refusal_counts_even_if_the_lease_cannot_be_erased(self):
        url = self.leased()
        client = self.client(url)
        client._send = sending(signs("REVOKED"))
        with mock.patch.object(license_client._Store, "save"):
            client.check(TOOL, refresh=True)
        client._send = mock.Mock(side_effect=ConnectionRefusedError)
        self.assertIsNotNone(self.stored()["token"])
        self.assert_unreachable(client.check(TOOL))

    def state(self, token, iat, license_key=MACHINE):
        return license_client._State(license_key, token, None if token is None else iat, iat, DAY, None)

    def test_an_older_answer_does_not_replace_what_another_process_stored(self):
        store = self.client("http://127.0.0.1:1")._store(TOOL)
        store.save(self.state("first", NOW), None)
        before = store.read(MACHINE)
        store.save(self.state(None, NOW + 1), before)
        store.save(self.state("late", NOW), before)
        self.assertEqual(store.read(MACHINE)[1:4], (None, NOW, NOW + 1))
        store.save(self.state("next", NOW + 1), store.read(MACHINE))
        self.assertEqual(store.read(MACHINE)[1:4], ("next", NOW + 1, NOW + 1))
        # The server's clock was ahead; nothing happened meanwhile.
        store.save(self.state("earlier", NOW - DAY), store.read(MACHINE))
        self.assertEqual(store.read(MACHINE)[1:4], ("earlier", NOW - DAY, NOW - DAY))
        # A start meanwhile, at a local time ahead of the server's, is not a newer answer.
        before = store.start(store.read(MACHINE), lambda: NOW, lambda: None)
        store.start(before, lambda: NOW + DAY, lambda: None)
        store.save(self.state("newer", NOW), before)
        self.assertEqual(store.read(MACHINE).token, "newer")

    def test_a_start_does_not_undo_a_refusal_of_another_process(self):
        store = self.client("http://127.0.0.1:1")._store(TOOL)
        store.save(self.state("good", NOW), None)
        read = store.read(MACHINE)
        store.save(self.state(None, NOW + 1), read)
        self.assertIsNone(store.start(read, lambda: NOW + 2, lambda: None).token)
        self.assertIsNone(store.read(MACHINE).token)

    def test_parallel_processes_lose_nothing(self):
        program = """if True:
            import sys
            sys.path.insert(0, sys.argv[1])
            from license_client import _State, _Store
            store, number = _Store(sys.argv[2], "x"), int(sys.argv[3])
            for n in range(40):
                before, iat = store.read("id"), n * 10 + number
                assert n == 0 or before, "unreadable"
                store.save(_State("id", "token" * 200, iat, iat, 86400, None), before)
            print(store.read("id").good_iat)"""
        static = os.path.dirname(license_client.__file__)
        programs = [subprocess.Popen([sys.executable, "-c", program, static, self.folder, str(number)],
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for number in range(4)]
        outputs = [program.communicate()[0].decode() for program in programs]
        self.assertTrue(all(text.strip().isdigit() for text in outputs), outputs)
        self.assertGreaterEqual(license_client._Store(self.folder, "x").read("id").good_iat, 390)
        self.assertEqual(len(os.listdir(self.folder)), 2)  # the state and the lock

    @unittest.skipUnless(hasattr(os, "mkfifo"), "there are no pipes with names")
    def test_a_pipe_in_place_of_the_file_does_not_hang(self):
        server, started = self.server(signs()), time.monotonic()
        os.mkfifo(self.path(url=server.url))
        self.assertEqual(self.client(server.url).check(TOOL).source, "server")
        self.assertEqual(self.client(server.url).check(TOOL).source, "lease")
        self.assertLess(time.monotonic() - started, 30)

    def test_a_slow_disk_costs_no_lease(self):
        client, read, awake = self.client(self.leased(), timeout=1), license_client._read_file, threading.Event()
        self.addCleanup(awake.set)

        def unreachable(*_):
            awake.set()
            raise ConnectionRefusedError

        client._send = unreachable
        with mock.patch.object(license_client, "_read_file", side_effect=lambda path: awake.wait(60) and read(path)):
            self.assertEqual(client.check(TOOL).source, "lease")

    def test_an_adapter_that_appears_after_the_first_check_is_found(self):
        server = self.server(signs("NOT_FOUND"))
        client = self.client(server.url)
        client._machine = None
        with mock.patch.object(license_client, "_find_machine", side_effect=[machine("system"), machine(MACHINE)]):
            self.assertEqual(client.check(TOOL).license_key, "system")
            self.assertEqual(client.check(TOOL).license_key, MACHINE)

    def test_a_network_drive_that_is_gone_does_not_hang(self):
        server, url = self.server(signs()), self.leased()
        hanging = threading.Event()
        self.addCleanup(hanging.set)
        with mock.patch.object(license_client, "_read_file", side_effect=lambda path: hanging.wait(60)):
            started = time.monotonic()
            os.rename(self.path(url=url), self.path(url=server.url))
            self.assertEqual(self.client(server.url, timeout=2).check(TOOL).source, "server")
            self.assert_unreachable(self.client(url, timeout=0.5).check(TOOL))
            self.assertLess(time.monotonic() - started, 20)

    def test_windows_has_another_lock(self):
        tries = [PermissionError, PermissionError, None]
        msvcrt = mock.Mock(LK_NBLCK=2, locking=mock.Mock(side_effect=tries))
        with mock.patch.object(sys, "platform", "win32"), mock.patch.dict(sys.modules, msvcrt=msvcrt):
            license_client._Store(self.folder, "x").save(self.state("token", NOW), None)
        self.assertEqual(msvcrt.locking.call_count, 3)
        self.assertEqual(self.stored(), stored("token"))

    def test_each_platform_has_its_folder(self):
        def folder(platform, **environment):
            with mock.patch.object(sys, "platform", platform), mock.patch.dict(os.environ, environment, clear=True):
                return license_client._cache_folder()
        self.assertEqual(folder("linux", HOME="/h", XDG_STATE_HOME="/s"), "/s/license-client")
        self.assertEqual(folder("linux", HOME="/h"), "/h/.local/state/license-client")
        self.assertEqual(folder("linux", HOME="/h", XDG_STATE_HOME="relative"), "/h/.local/state/license-client")
        self.assertEqual(folder("darwin", HOME="/h"), "/h/Library/Application Support/license-client")
        self.assertEqual(folder("win32", LOCALAPPDATA="/l"), "/l/license-client")
        self.assertEqual(folder("linux", HOME="relative"), "")


class OfflineFiles(Case):
    URL = "http://127.0.0.1:1"

    def requested(self, client):
        """The members of the request that the client shows."""
        return json.loads(license_client._from_base64url(client.offline_request(TOOL).replace(" ", "")))

    def file(self, client, **changed):
        """An offline file that answers the client's request."""
        changed = {"nonce": self.requested(client)["nonce"], "exp": NOW + 300 * DAY, **changed}
        return make.token(make.claims(iat=NOW - DAY, **changed))

    def test_a_file_may_be_bytes_of_any_encoding(self):
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "latin-1"):
            client = self.client(self.URL)
            file = ("Guten Tag, anbei: %s\r\n" % self.file(client)).encode(encoding)
            self.assertEqual(client.import_lease(TOOL, file).source, "lease", encoding)
            self.assertEqual(self.client(self.URL).check(TOOL).source, "lease", encoding)

    def test_no_other_type_is_a_file(self):
        client = self.client(self.URL)
        for text in (None, 7, ["eyJ"], {}, bytearray(b"x"), "eyJhbGciOi" * 20000):
            self.assertEqual(client.import_lease(TOOL, text).reason, "NO_OFFLINE_FILE")

    def test_a_plain_client_has_no_request_and_imports_nothing(self):
        client = self.client(self.URL, public_keys=None)
        self.assertEqual((client.offline_request(TOOL), client.offline_url(TOOL)), ("", ""))
        self.assertEqual(client.import_lease(TOOL, "x").code, "NO_ANSWER")
        self.assertEqual(os.listdir(self.folder), [])

    def test_there_is_no_request_without_a_tool_a_machine_or_usable_keys(self):
        none = self.client(self.URL)
        none._machine = license_client._Machine("", "", [])
        for client, tool in ((none, TOOL), (self.client(self.URL), ""), (self.client(self.URL), None),
                             (self.client(self.URL, public_keys=["x.y"]), TOOL), (self.client("ftp://x"), TOOL)):
            self.assertEqual(client.offline_url(tool), "")
            self.assertEqual(client.import_lease(tool, self.file(self.client(self.URL))).valid, False)

    def test_without_a_usable_folder_there_is_no_request_and_nothing_is_imported(self):
        file = os.path.join(self.folder, "file")
        open(file, "w").close()
        for folder in (file, os.path.join(file, "deeper"), "a\0b", 7):
            self.assertEqual(self.client(self.URL, cache_dir=folder).offline_request(TOOL), "")

    @unittest.skipIf(sys.platform == "win32", "Windows has other permissions")
    def test_a_file_that_cannot_be_stored_is_refused_and_can_be_imported_later(self):
        client = self.client(self.URL)
        file = self.file(client)
        os.chmod(self.folder, 0o555)
        self.addCleanup(os.chmod, self.folder, 0o700)
        with ordinary_user(self.folder):
            result = client.import_lease(TOOL, file)
        self.assertEqual((result.code, result.reason), ("REFUSED", "NOT_STORED"))
        os.chmod(self.folder, 0o700)
        self.assertTrue(self.client(self.URL).import_lease(TOOL, file))

    def test_programs_that_start_at_once_show_one_request(self):
        clients, shown = [self.client(self.URL) for _ in range(8)], []
        threads = [threading.Thread(target=lambda one=one: shown.append(one.offline_request(TOOL))) for one in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(shown), len(set(shown))), (8, 1))

    def test_it_counts_in_a_program_that_was_refused_before(self):
        client = self.client(self.server(signs("NOT_FOUND")).url)
        self.assertEqual(client.check(TOOL).code, "NOT_FOUND")
        self.assertEqual(client.import_lease(TOOL, self.file(client)).source, "lease")
        self.assertEqual(client.check(TOOL).source, "lease")

    def test_only_the_owner_can_read_the_request(self):
        self.folder = os.path.join(self.folder, "deeper")
        self.client(self.URL).offline_request(TOOL)
        modes = {name: stat.S_IMODE(os.stat(os.path.join(self.folder, name)).st_mode) for name in os.listdir(self.folder)}
        self.assertEqual(set(modes.values()), {0o600}, modes)
        self.assertEqual(len(modes), 2)  # and the lock


class Grants(Case):
    def test_build_dates_may_be_dates(self):
        url = self.leased(updates_until="2027-06-30")
        result = self.client(url).check(TOOL)
        day = license_client.datetime.date(2027, 6, 30)
        late = license_client.datetime.datetime(2027, 7, 1, 12)
        self.assertEqual((result.covers(day), result.covers(late), result.covers(None)), (True, False, False))

    def test_no_version_raises_an_error(self):
        url = self.leased(latest_version="2.0")
        result = self.client(url).check(TOOL)
        for version in (None, 1.9, b"1.9", ("1", "9"), "1" * 5000, "1.9-" + "a" * 100000):
            self.assertEqual((result.update_available(version), result.is_below_minimum(version)),
                             (version == "1.9-" + "a" * 100000, False))


class SeveralAddresses(Case):
    closed = "http://127.0.0.1:1"

    def test_in_a_plain_check_any_result_is_final(self):
        broken, good = self.server(sends(500, "")), self.server(sends(200, '{"status":"valid","message":""}'))
        refusing = self.server(sends(403, '{"status":"expired","message":"License has expired."}'))
        result = self.client([broken.url, refusing.url, good.url], public_keys=None).check(TOOL)
        self.assertEqual((result.code, result.source, good.requests), ("EXPIRED", "server", []))
        self.assertIn("no answer: %s: HTTP 500" % broken.url, result.diagnostic())

    def test_each_has_the_whole_timeout(self):
        clock, deadlines = [0.0], []

        def send(url, body, verify, deadline):
            deadlines.append(deadline)
            clock[0] = deadline
            raise TimeoutError

        for keys in (KEYS, None):
            client = self.client([self.closed] * 3, timeout=60, public_keys=keys)
            client._send, clock[0] = send, 0.0
            with mock.patch.object(time, "monotonic", lambda: clock[0]):
                self.assert_unreachable(client.check(TOOL))
        self.assertEqual(deadlines, [60, 120, 180] * 2)

    def test_a_background_refresh_asks_the_next_one(self):
        server = self.server(signs())
        addresses = (self.closed, server.url)
        self.assertEqual(self.client(addresses).check(TOOL).source, "server")
        server.answer = signs(iat=NOW + TERM // 2)
        self.assertEqual(self.client(addresses, NOW + TERM // 2).check(TOOL).source, "lease")
        wait_for_refreshes()
        self.assertEqual(self.stored()["good_iat"], NOW + TERM // 2)

    def test_a_lease_of_one_address_is_that_of_several_that_begin_with_it(self):
        url = self.leased()
        self.assertEqual(self.client([url, self.closed]).check(TOOL).source, "lease")

    def test_a_list_may_have_one_none_or_nonsense(self):
        server = self.server(signs())
        self.assertTrue(self.client([server.url]).check(TOOL))
        self.assertTrue(self.client([None, server.url]).check(TOOL))
        self.assert_unreachable(self.client([]).check(TOOL))
        self.assert_unreachable(self.client([7, None]).check(TOOL))


class Keys(Case):
    def test_every_format_is_accepted(self):
        import base64
        x, y = make.CURRENT.jwk["x"], make.CURRENT.jwk["y"]
        raw = b"".join(base64.urlsafe_b64decode(text + "=") for text in (x, y))
        body = base64.b64encode(bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004") + raw).decode()
        pem = "-----BEGIN PUBLIC KEY-----\n%s\n%s\n-----END PUBLIC KEY-----\n" % (body[:64], body[64:])
        forms = (make.CURRENT.jwk, make.CURRENT.pinned, x + "." + y, " %s.%s\n" % (x, y), pem)
        for keys in [[form] for form in forms] + list(forms) + [{"keys": [make.CURRENT.pinned]}, forms]:
            self.assertEqual(license_client._pin(keys)[1], "")
            self.assertEqual(self.client("http://x", public_keys=keys)._keys.keys(), {make.CURRENT.kid})

    def test_an_unusable_key_never_means_a_plain_check(self):
        server = self.server(sends(200, '{"status":"valid","message":"License is active and valid."}'))
        x, y = make.CURRENT.jwk["x"], make.CURRENT.jwk["y"]
        for keys in ([], "", {}, 7, [None], [b"x"], ["x.y"], [x + "." + x], [x], [x + "=." + y],
                     [x + "." + y + "." + x], [make.CURRENT.jwk, "typo"], [dict(make.CURRENT.jwk, crv="P-384")],
                     [dict(make.CURRENT.jwk, kty="RSA")], [dict(make.CURRENT.jwk, d=x)],
                     ["-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]):
            result = self.client(server.url, public_keys=keys).check(TOOL)
            self.assertEqual((result.valid, result.code), (False, "NO_ANSWER"), keys)
            self.assertIn("public keys in this program", result.message)
            self.assertNotIn("invalid", result.message)
        self.assertEqual(server.requests, [])


class Arithmetic(unittest.TestCase):
    def test_a_signature_is_verified_and_its_neighbors_are_not(self):
        verifies = license_client._is_signature
        for private in (1, 2, make.N - 1, make.N - 2, make.CURRENT.private, make.NEXT.private):
            key, message = make.multiply(private, make.G), b"message %d" % private
            r, s = make.ecdsa(private, message)
            for right in ((r, s), (r, make.N - s)):
                self.assertTrue(verifies(make.pair(right), message, key))
            for wrong in ((r ^ 1, s), (r, s ^ 1), (s, r), (1, 1)):
                self.assertFalse(verifies(make.pair(wrong), message, key))
            self.assertFalse(verifies(make.pair((r, s)), message + b".", key))
            self.assertFalse(verifies(make.pair((r, s)), message, make.multiply(private + 5, make.G)))

    def test_a_sum_at_infinity_is_not_a_signature(self):
        import hashlib
        hashed = int.from_bytes(hashlib.sha256(b"m").digest(), "big")
        for private in (1, make.N - 1, make.CURRENT.private):
            r = -hashed * pow(private, -1, make.N) % make.N
            signature, key = make.pair((r, 3)), make.multiply(private, make.G)
            self.assertFalse(license_client._is_signature(signature, b"m", key))

    def test_numbers_above_the_order_are_not_a_signature(self):
        import hashlib
        nonce, s = 7, 5  # s is small, so that s + N still fits 32 bytes; the key is computed to match
        r = make.multiply(nonce, make.G)[0] % make.N
        hashed = int.from_bytes(hashlib.sha256(b"m").digest(), "big")
        key = make.multiply((s * nonce - hashed) * pow(r, -1, make.N) % make.N, make.G)
        self.assertTrue(license_client._is_signature(make.pair((r, s)), b"m", key))
        self.assertFalse(license_client._is_signature(make.pair((r, s + make.N)), b"m", key))

    def test_sums_of_multiples(self):
        q = make.multiply(make.CURRENT.private, make.G)
        for a, b, other in ((0, 1, q), (1, 0, q), (1, 1, make.G), (5, make.N - 5, make.G), (make.N - 1, 2, make.G),
                            (make.N // 3, make.N // 7, q), (2 ** 255, 1, q)):
            x, y, z = license_client._sum_of_multiples(a, make.G, b, other)
            expected = make.add(make.multiply(a, make.G), make.multiply(b, other))
            got = (x * pow(z, -2, make.P) % make.P, y * pow(z, -3, make.P) % make.P) if z else None
            self.assertEqual(got, expected, (a, b))


class Texts(Case):
    def test_the_diagnostic_text_has_no_secrets(self):
        server = self.server(signs())
        good = self.client(server.url, version="2.1").check(TOOL)
        url = "http://anna:secret@127.0.0.1:1/?token=secret#secret"
        results = [good, self.client(server.url).check(TOOL), self.client(url).check(TOOL),
                   self.client("http://127.0.0.1:1").check(TOOL), self.client("x", public_keys=["secret"]).check(TOOL)]
        for result in results:
            text = result.diagnostic()
            for secret in (MACHINE, "secret", "anna", self.stored()["token"], make.CURRENT.jwk["x"]):
                self.assertNotIn(secret, text)
                self.assertNotIn(secret, result.message)
            for part in (TOOL, "..." + MACHINE[-4:], result.code, "source: " + result.source, "clock: 2027-01-15"):
                self.assertIn(part, text)
        self.assertIn(make.CURRENT.kid + ", " + make.NEXT.kid, good.diagnostic())
        self.assertIn("lease: until 2027-01-29 08:00:00 UTC", good.diagnostic())
        self.assertIn("ConnectionRefusedError", results[3].diagnostic())

    def test_no_method_raises(self):
        for tool in ("", None, 7, "\ud800", "a\0b", TOOL):
            for keys in (None, KEYS, []):
                client = self.client("http://127.0.0.1:1", public_keys=keys)
                result = client.check(tool)
                self.assertFalse(result.valid)
                self.assertIsInstance(result.diagnostic() + repr(result), str)

    def test_the_command_line_prints_only_the_machine_id(self):
        for license_key, code, printed in ((MACHINE, 0, (MACHINE + "\n", "")), ("", 1, ("", "no machine ID found\n"))):
            out, error = io.StringIO(), io.StringIO()
            found = license_client._Machine(license_key, "", [])
            with mock.patch.object(license_client, "_find_machine", return_value=found), \
                    contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
                self.assertEqual(license_client.main(["--machine-id"]), code)
            self.assertEqual((out.getvalue(), error.getvalue()), printed)

    def test_the_command_line_accepts_keys(self):
        server = self.server(lambda request: signs(sub=request["license_key"], iat=int(time.time()))(request))
        keys = ["%(x)s.%(y)s" % key for key in KEYS]
        with mock.patch.dict(os.environ, {"XDG_STATE_HOME": self.folder, "LOCALAPPDATA": self.folder,
                                          "HOME": self.folder}):
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                self.assertEqual(license_client.main([server.url, TOOL] + keys), 0)
        self.assertIn("Verdict: valid\nMessage: License is active and valid.\n\nclient: ", printed.getvalue())


class Redirects(Case):
    def test_each_status_is_followed_with_the_same_question(self):
        for status in (301, 302, 303, 307, 308):
            with self.subTest(status):
                target = self.server(signs())
                server = self.server(redirects(target.url + "/api/check", status))
                self.assertTrue(self.client(server.url).check(TOOL, refresh=True))
                (first,), (second,) = server.requests, target.requests
                self.assertIn("client", first)
                # Another port: another program may listen there.
                self.assertNotIn("client", second)
                first.pop("client")
                self.assertEqual(first, second)

    def test_a_relative_address_is_followed_with_personal_data(self):
        server = self.server(None)
        replies = [redirects("/moved", 303), redirects("deeper?x=1", 301), signs()]
        server.answer = lambda request: replies[len(server.requests) - 1](request)
        self.assertTrue(self.client(server.url).check(TOOL))
        self.assertEqual(len({json.dumps(request) for request in server.requests}), 1)

    def test_what_is_not_allowed_is_named(self):
        target = self.server(signs())
        port = target.url.split(":")[2]
        for location, why in (("http://localhost:%s/api/check" % port, "redirected to http://localhost:%s" % port),
                              ("", "HTTP 308 without"), ("ftp://127.0.0.1/x", "malformed address"),
                              ("http://[127.0.0.1/x", "malformed address")):
            result = self.client(self.server(redirects(location) if location else sends(308, "")).url).check(TOOL)
            self.assert_unreachable(result)
            self.assertIn("malformed address" if not location else why, result.message)
        self.assertEqual(target.requests, [])

    def test_a_loop_ends(self):
        server = self.server(redirects("/licenseserver/api/check"))
        result = self.client(server.url).check(TOOL)
        self.assert_unreachable(result)
        self.assertIn("too many redirects", result.message)
        self.assertEqual(len(server.requests), 6)

    def test_the_plain_port_and_the_secure_port_are_the_same_server(self):
        def is_same(first, target):
            return license_client._is_same_server(*map(license_client._split, (first, target)))
        for first, target, same in (
                ("http://a/", "https://a/", True), ("http://a:80/", "https://a:443/x", True),
                ("http://a/", "http://a:80/", True), ("http://A/", "https://a/", True),
                ("https://a/", "https://a:443/", True), ("http://a:8080/", "https://a/", False),
                ("http://a/", "https://a:8443/", False), ("https://a:8443/", "https://a/", False),
                ("http://a/", "https://b/", False), ("http://a/", "http://a:443/", False)):
            self.assertEqual(is_same(first, target), same, (first, target))

    def test_a_plain_check_follows_them_as_it_always_did(self):
        valid = sends(200, '{"status":"valid","message":"m"}')
        target = self.server(valid)
        port = target.url.split(":")[2]
        for status, location, code in (
                (301, target.url, "VALID"), (302, target.url, "VALID"), (307, target.url, "VALID"),
                (308, target.url, "VALID"), (303, target.url, "NO_ANSWER"),
                (301, "http://localhost:%s/" % port, "NO_ANSWER")):
            server = self.server(redirects(location, status))
            result = self.client(server.url, public_keys=None).check(TOOL)
            self.assertEqual((result.code, server.requests[0]), (code, {"tool_name": TOOL, "license_key": MACHINE}))


class Addresses(Case):
    def test_the_path_of_a_check_is_added_once(self):
        paths = []
        server = self.server(signs())
        original = license_client._send
        for address in ("", "/", "/api/check", "/api/check/", "//api/check//", " "):
            client = self.client(server.url + address)
            client._send = lambda url, *more: paths.append(url) or original(url, *more)
            self.assertTrue(client.check(TOOL, refresh=True))
            self.assertEqual(client._store(TOOL).name, self.client(server.url)._store(TOOL).name)
        self.assertEqual(set(paths), {server.url + "/api/check"})


@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
class Connections(Case):
    def test_an_address_that_does_not_answer_leaves_time_for_the_next(self):
        import socket
        server = self.server(signs())
        port = int(server.url.split(":")[2].split("/")[0])
        nowhere = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))]
        there = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]
        with mock.patch("socket.getaddrinfo", return_value=nowhere + there):
            self.assertEqual(self.client(server.url).check(TOOL).source, "server")

    def test_a_key_log_that_cannot_be_written_does_not_matter(self):
        with mock.patch.dict(os.environ, SSLKEYLOGFILE=os.path.join(self.folder, "missing", "log")):
            license_client._opener("https", "a", True)


class Certificates(Case):
    """Real TLS connections, with a throw-away certificate authority."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup) if hasattr(cls, "addClassCleanup") else None
        cls.kept, cls.ca = folder, folder.name
        write(cls.ca, "openssl.cnf", """
            [ca]
            default_ca = test
            [test]
            new_certs_dir = {0}
            database = {0}/index.txt
            serial = {0}/serial
            default_md = sha256
            policy = policy
            unique_subject = no
            [policy]
            commonName = supplied
            [req]
            distinguished_name = name
            [name]
            [authority]
            basicConstraints = critical, CA:TRUE
            keyUsage = critical, keyCertSign, cRLSign
            subjectKeyIdentifier = hash
            [right]
            subjectAltName = IP:127.0.0.1
            authorityKeyIdentifier = keyid
            [wrong]
            subjectAltName = DNS:other.example
            authorityKeyIdentifier = keyid
            """.format(cls.ca.replace("\\", "/")))
        write(cls.ca, "index.txt", "")
        write(cls.ca, "serial", "01\n")
        for name in ("ca", "unknown-ca"):
            cls.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-keyout", name + ".key", "-out", name + ".pem", "-subj", "/CN=" + name,
                        "-config", "openssl.cnf", "-extensions", "authority")
        cls.certificate("good", "ca", "20200101000000Z", "21000101000000Z")
        cls.certificate("expired", "ca", "20200101000000Z", "20200201000000Z")
        cls.certificate("future", "ca", "20990101000000Z", "21000101000000Z")
        cls.certificate("host", "ca", "20200101000000Z", "21000101000000Z", "wrong")
        cls.certificate("issuer", "unknown-ca", "20200101000000Z", "21000101000000Z")

    @classmethod
    def openssl(cls, *arguments):
        subprocess.run(["openssl", *arguments], cwd=cls.ca, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    @classmethod
    def certificate(cls, name, authority, start, end, extensions="right"):
        cls.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key",
                    "-out", name + ".csr", "-subj", "/CN=" + name, "-config", "openssl.cnf")
        cls.openssl("ca", "-batch", "-config", "openssl.cnf", "-cert", authority + ".pem", "-keyfile",
                    authority + ".key", "-in", name + ".csr", "-out", name + ".pem", "-notext", "-startdate", start,
                    "-enddate", end, "-extensions", extensions)
        with open(os.path.join(cls.ca, name + ".key"), encoding="ascii") as key, \
                open(os.path.join(cls.ca, name + ".pem"), "a", encoding="ascii") as both:
            both.write(key.read())

    def setUp(self):
        super().setUp()
        # What OpenSSL trusts.
        trusted = mock.patch.dict(os.environ, SSL_CERT_FILE=os.path.join(self.ca, "ca.pem"), SSL_CERT_DIR=self.folder)
        trusted.start()
        self.addCleanup(trusted.stop)

    def secure(self, answer, name):
        return self.server(answer, os.path.join(self.ca, name + ".pem"))

    def test_a_good_certificate_is_verified(self):
        server = self.secure(signs(), "good")
        self.assertTrue(self.client(server.url).check(TOOL))
        self.assertEqual(["client" in request for request in server.requests], [True])

    def test_the_signature_proves_an_answer_that_tls_does_not(self):
        for name in ("expired", "future", "host", "issuer"):
            with self.subTest(name):
                server = self.secure(signs(), name)
                result = self.client(server.url).check(TOOL, refresh=True)
                self.assertEqual((result.code, result.source), ("VALID", "server"), result.diagnostic())
                # The first connection did not get as far as a request.
                self.assertEqual(["client" in request for request in server.requests], [False])

    def test_without_a_valid_answer_the_message_says_what_is_wrong_with_the_certificate(self):
        for name, why in (("expired", "is this computer's date right?"), ("future", "is this computer's date right?"),
                          ("host", "another host name"), ("issuer", "a root certificate is missing")):
            for keys in (KEYS, None):
                with self.subTest(name=name, keys=keys):
                    server = self.secure(sends(200, "<h1>Sign in</h1>"), name)
                    result = self.client(server.url, public_keys=keys).check(TOOL)
                    self.assert_unreachable(result)
                    self.assertIn(why, result.message)
                    self.assertEqual("date" in result.message, "date" in why)
                    self.assertEqual(len(server.requests), 1 if keys else 0)

    def test_an_activation_code_is_sent_only_where_the_certificate_is_verified(self):
        for name in ("expired", "future", "host", "issuer"):
            for keys in (KEYS, None):
                with self.subTest(name=name, keys=keys):
                    server = self.secure(signs(), name)
                    client = self.client(server.url, public_keys=keys)
                    self.assert_unreachable(client.activate(TOOL, "AAAA-AAAA-AAAA-AAAA"))
                    self.assert_unreachable(client.deactivate(TOOL, "AAAA-AAAA-AAAA-AAAA"))
                    self.assertEqual(server.requests, [])
        server = self.secure(signs(), "good")
        self.assertEqual(self.client(server.url).activate(TOOL, "AAAA-AAAA-AAAA-AAAA").code, "VALID")
        self.assertEqual([one["activation_code"] for one in server.requests], ["AAAA-AAAA-AAAA-AAAA"])

    def test_another_fault_of_tls_is_no_reason_to_ask_again(self):
        server = self.server(signs())  # speaks no TLS
        result = self.client(server.url.replace("http:", "https:")).check(TOOL)
        self.assert_unreachable(result)
        self.assertIn("(no secure connection)", result.message)
        self.assertEqual(server.requests, [])

    def test_a_redirect_to_a_certificate_that_cannot_be_verified(self):
        target = self.secure(signs(), "issuer")
        server = self.server(redirects(target.url + "/api/check"))
        self.assertTrue(self.client(server.url).check(TOOL))
        back = self.secure(redirects(server.url + "/api/check"), "good")
        result = self.client(back.url).check(TOOL, refresh=True)
        self.assert_unreachable(result)
        self.assertIn("redirected to http://127.0.0.1", result.message)


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="ascii") as file:
        file.write("\n".join(line.strip() for line in text.splitlines()) + "\n" if text else "")


class Proxies(Case):
    def through(self, proxy, scheme="http", keys=KEYS):
        with mock.patch.dict(os.environ, {scheme + "_proxy": proxy, "no_proxy": ""}):
            return self.client(scheme + "://licenses.example/licenseserver", public_keys=keys, timeout=20).check(TOOL)

    def test_a_proxy_that_wants_a_sign_in(self):
        proxy = self.server(sends(407, "<h1>Proxy Authentication Required</h1>"))
        for scheme in ("http", "https"):
            for keys in (KEYS, None):
                result = self.through(proxy.url, scheme, keys)
                self.assert_unreachable(result)
                self.assertIn("(the network's proxy requires a sign-in)", result.message)

    def test_a_proxy_that_cannot_be_reached_is_named(self):
        with contextlib.closing(socket.socket()) as closed:
            closed.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % closed.getsockname()[1]
            for scheme in ("http", "https"):
                result = self.through("http://anna:secret@" + address, scheme)
                self.assert_unreachable(result)
                self.assertIn("(the proxy %s of this network: the connection was refused)" % address, result.message)

    def test_a_proxy_passes_the_answer_on(self):
        self.assertTrue(self.through(self.server(signs()).url))


class Time(Case):
    def test_a_server_that_drips_does_not_delay_a_start(self):
        def drips(first):
            stopping = threading.Event()
            self.addCleanup(stopping.set)
            listener = socket.socket()
            self.addCleanup(listener.close)
            listener.bind(("127.0.0.1", 0))
            listener.listen(5)

            def serve():
                with contextlib.suppress(OSError):
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(first)
                        while not stopping.wait(0.02):
                            connection.sendall(b" ")
            threading.Thread(target=serve, daemon=True).start()
            return "http://127.0.0.1:%d" % listener.getsockname()[1]
        for first in (b"HTTP/1.1 200 OK\r\nX-Filler: ", b"HTTP/1.1 200 OK\r\n\r\n{"):
            started = time.monotonic()
            self.assert_unreachable(self.client(drips(first), timeout=0.5).check(TOOL))
            self.assertLess(time.monotonic() - started, 5)

    def test_both_questions_share_one_timeout(self):
        client, deadlines = self.client("http://127.0.0.1:1"), []

        def send(url, body, verify, deadline):
            deadlines.append(deadline)
            if len(deadlines) == 2:
                raise TimeoutError
            return sending(signs("NOT_FOUND"))(url, body, verify, deadline)

        client._machine, client._send = license_client._Machine("earlier", "preferred", []), send
        result = client.check(TOOL)
        self.assertEqual(deadlines, deadlines[:1] * 2)
        self.assert_unreachable(result)
        self.assertEqual(result.license_key, "preferred")
        self.assertEqual(self.stored()["license_key"], "earlier")


def windows_machine(adapters, system_id="6f9619ff-8b86-d011-b42d-00c04fc964ff"):
    return license_client._machine_of([license_client._windows_adapter(
        bytes.fromhex(one["permanent"].replace(":", "")), one["description"], one["type"] == "wifi", one["hardware"],
        one["instance"], one["parents"]) for one in adapters], system_id)


class Machines(Case):
    def hardware_changes(self):
        with open(os.path.join(TESTS, "python", "hardware_changes.json"), encoding="ascii") as file:
            for change in json.load(file)["changes"]:
                yield change["name"], windows_machine(change["before"]), windows_machine(change["after"])

    def test_after_a_good_answer_no_change_of_hardware_changes_the_id(self):
        changes = list(self.hardware_changes())
        changed = {"earlier": 0, "preferred": 0, "remembered": 0}
        for name, before, after in changes:
            changed["earlier"] += before.earlier != after.earlier
            changed["preferred"] += before.preferred != after.preferred
            # A customer of version 1.1.0, and a new one.
            for license_key in (before.earlier, before.preferred):
                os.makedirs(self.folder, exist_ok=True)
                client = self.client("http://127.0.0.1:1")
                client._machine = before
                answer = sending(lambda request: signs(
                    "VALID" if request["license_key"] == license_key else "NOT_FOUND")(request))
                client._send = answer
                self.assertTrue(client.check(TOOL), name)
                client = self.client("http://127.0.0.1:1")
                client._machine = after
                result = client.check(TOOL)
                changed["remembered"] += (result.source, result.license_key) != ("lease", license_key)
                self.assertEqual(client.machine_id(TOOL), license_key)
                shutil.rmtree(self.folder)
        self.assertEqual((len(changes), changed), (46, {"earlier": 27, "preferred": 7, "remembered": 0}))

    def test_an_id_that_is_gone_is_named(self):
        server = self.server(signs())
        old = self.client(server.url)
        old._machine = machine("0a:1b:2c:3d:4e:60")
        self.assertTrue(old.check(TOOL))
        result = self.client(server.url).check(TOOL)
        self.assertEqual(server.requests[1]["previous_license_key"], "0a:1b:2c:3d:4e:60")
        self.assertIn("machine ID changed: from 0a:1b:2c:3d:4e:60 to " + MACHINE, result.diagnostic())
        self.assertNotIn("changed", self.client(server.url).check(TOOL).diagnostic())

    def test_a_trial_is_asked_for_only_with_public_keys(self):
        server = self.server(signs("TRIAL"))
        self.assertEqual(self.client(server.url, trial=True).check(TOOL).code, "TRIAL")
        self.assertIs(server.requests[0]["trial"], True)
        plain = self.server(sends(404, '{"status":"invalid","message":"m"}'))
        self.client(plain.url, public_keys=None, trial=True).check(TOOL)
        self.assertEqual(plain.requests, [{"tool_name": TOOL, "license_key": MACHINE}])

    def test_a_plain_check_sends_the_id_of_earlier_versions(self):
        server = self.server(sends(200, '{"status":"valid","message":"m"}'))
        client = self.client(server.url, public_keys=None)
        client._machine = license_client._Machine("earlier", "preferred", [])
        self.assertTrue(client.check(TOOL))
        self.assertEqual((server.requests[0]["license_key"], client.machine_id(TOOL)), ("earlier", "earlier"))

    def test_the_machine_code(self):
        client = self.client("http://127.0.0.1:1")
        code = license_client._machine_code(TOOL, MACHINE)
        self.assertRegex(code, r"\A[A-HJ-NP-Z2-9]{3}-[A-HJ-NP-Z2-9]{3}\Z")
        self.assertEqual(client.machine_code(TOOL), code)
        self.assertIn("machine code: " + code, client.check(TOOL).diagnostic())

    def test_placeholders_are_not_chosen(self):
        for text in ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:01", "00:11:22:33:44:55",
                     "00:e0:4c:00:00:01", "88:88:88:88:87:88", "02:00:00:00:00:00", "00:05:69:00:00:00",
                     "12:34:56:78:9a:bc", "aa:aa:aa:aa:aa:aa", "00:01:02:03:04:05", "0a:0b:0c:0d:0e:0f"):
            mac = bytes.fromhex(text.replace(":", ""))
            self.assertTrue(license_client._is_placeholder(mac), text)
            found = license_client._machine_of([license_client._Adapter(mac, 0, 0)], "system")
            self.assertEqual((found.preferred, found.present), ("system", ["system"]))
        for text in ("00:e0:4c:00:00:02", "00:1b:21:00:00:01", "d8:bb:c1:10:20:30"):
            self.assertFalse(license_client._is_placeholder(bytes.fromhex(text.replace(":", ""))), text)

    def test_software_addresses_come_after_the_systems_id(self):
        wired, mac = license_client.WIRED, bytes.fromhex("00155d010203")
        found = license_client._machine_of([license_client._Adapter(mac, wired, wired)], "system")
        self.assertEqual((found.earlier, found.preferred), ("00:15:5d:01:02:03", "system"))
        found = license_client._machine_of([license_client._Adapter(mac, wired, wired)], "")
        self.assertEqual((found.earlier, found.preferred), ("00:15:5d:01:02:03",) * 2)

    def test_in_a_container_the_systems_id_comes_first(self):
        wired, mac = license_client.WIRED, bytes.fromhex("d8bbc1102030")
        for system_id, is_container, preferred in (("system", True, "system"), ("", "", "d8:bb:c1:10:20:30"),
                                                   ("system", False, "d8:bb:c1:10:20:30")):
            found = license_client._machine_of([license_client._Adapter(mac, wired, wired)], system_id, is_container)
            self.assertEqual((found.earlier, found.preferred), ("d8:bb:c1:10:20:30", preferred))

    def test_the_bus_decides_what_is_removable(self):
        def rank(instance, parents=(), description="Adapter", is_wifi=False, is_hardware=True):
            adapter = license_client._windows_adapter(b"", description, is_wifi, is_hardware, instance, list(parents))
            return adapter.rank
        wired, wireless, removable, _, virtual = range(5)
        for expected, arguments in (
                (wired, ("PCI\\VEN_8086",)), (wireless, ("PCI\\VEN_8086", (), "Adapter", True)),
                (wired, ("PCI\\VEN_8086", (), "Dell USB dock adapter")), (removable, ("USB\\VID_0BDA",)),
                (removable, ("usb\\vid_0bda", (), "Adapter", True)),
                (removable, ("PCI\\X", ["Thunderbolt(TM) Bridge"])),
                (removable, ("PCI\\X", ["x", "USB4\\ROOT"])), (virtual, ("BTH\\MS_BTHPAN",)), (virtual, ("ROOT\\NET",)),
                (virtual, ("SWD\\IP_TUNNEL",)), (virtual, ("{5D624F94}\\VWIFIMP",)),
                (virtual, ("PCI\\X", (), "", False, False)),
                (removable, ("", (), "Realtek USB GbE")), (virtual, ("", (), "Wintun")), (wired, ("",))):
            self.assertEqual(rank(*arguments), expected, arguments)

    def test_windows_lists_are_read(self):
        import ctypes
        self.assertEqual(ctypes.sizeof(license_client._InterfaceRow), 1352)
        is_64_bit = ctypes.sizeof(ctypes.c_void_p) == 8
        self.assertEqual(license_client._AdapterAddresses.IfType.offset, 100 if is_64_bit else 64)
        entry = license_client._AdapterAddresses(
            AdapterName=b"{A}", Description="Adapter", IfType=6, PhysicalAddressLength=6, Luid=7,
            PhysicalAddress=(ctypes.c_uint8 * 8)(2, 1, 1, 1, 1, 1))
        other = license_client._AdapterAddresses(AdapterName=b"{B}", IfType=24, Next=ctypes.addressof(entry))

        def get_if_entry2(pointer):
            row = pointer._obj
            self.assertEqual(row.InterfaceLuid, 7)
            row.PermanentPhysicalAddress = (ctypes.c_uint8 * 32)(0xd8, 0xbb, 0xc1, 1, 2, 3)
            row.InterfaceAndOperStatusFlags = 1
            return 0
        buses = {"{A}": ("USB\\VID_0BDA", [])}
        adapters = list(license_client._read_windows_list(ctypes.addressof(other), get_if_entry2, buses.__getitem__))
        self.assertEqual(adapters, [(bytes.fromhex("d8bbc1010203"), license_client.WIRED, license_client.REMOVABLE)])
        (adapter,) = license_client._read_windows_list(ctypes.addressof(other), get_if_entry2, {}.__getitem__)
        self.assertEqual(adapter.rank, license_client.WIRED)

    def test_windows_parents_are_read(self):
        tree = {3: ("PCI\\NIC", "Adapter", 2), 2: ("PCI\\BRIDGE", "Thunderbolt(TM) Bridge", 1), 1: ("ROOT", None, None)}

        class Cfgmgr32:
            def CM_Locate_DevNodeW(self, device, instance, flags):
                device._obj.value = 3
                return 0 if instance.value == "PCI\\NIC" else 13

            def CM_Get_Parent(self, parent, device, flags):
                found = tree[device.value][2]
                parent._obj.value = found or 0
                return 0 if found else 13

            def CM_Get_Device_IDW(self, device, text, length, flags):
                text.value = tree[device.value][0]
                return 0

            def CM_Get_DevNode_Registry_PropertyW(self, device, which, kind, text, length, flags):
                text.value = tree[device.value][1] or ""
                return 0 if tree[device.value][1] else 37
        found = list(license_client._windows_parents(Cfgmgr32(), "PCI\\NIC"))
        self.assertEqual(found, ["PCI\\BRIDGE", "Thunderbolt(TM) Bridge", "ROOT"])
        self.assertEqual(list(license_client._windows_parents(Cfgmgr32(), "PCI\\GONE")), [])

    @unittest.skipUnless(sys.platform == "linux", "Linux's sysfs")
    def test_linux_adapters_are_read(self):
        def adapter(name, address, device, removable=""):
            os.makedirs(os.path.join(self.folder, "class", name))
            folder = os.path.join(self.folder, "devices", device)
            os.makedirs(folder)
            os.symlink(folder, os.path.join(self.folder, "class", name, "device"))
            for file, text in (("type", "1"), ("address", address), ("addr_assign_type", "0")):
                write(os.path.join(self.folder, "class", name), file, text)
            if removable:
                write(os.path.dirname(folder), "removable", removable)
        adapter("eth0", "d8:bb:c1:10:20:30", "pci/0")
        adapter("eth1", "00:e0:4c:68:00:42", "usb1/1")
        adapter("eth2", "00:50:b6:00:10:01", "pci/bridge/2", "removable")
        with mock.patch.object(license_client, "_linux_permanent_mac", return_value=b"\0" * 6):
            found = sorted(license_client._linux_adapters(os.path.join(self.folder, "class")))
        wired, removable = license_client.WIRED, license_client.REMOVABLE
        self.assertEqual([(one.earlier_rank, one.rank) for one in found],
                         [(wired, removable), (removable, removable), (wired, wired)])

    def test_this_machine_has_an_id(self):
        client = LicenseClient("http://127.0.0.1:1", public_keys=KEYS, cache_dir=self.folder)
        self.assertIn(client.machine_id(), client._find_machine().present)
        uptime = license_client._uptime()
        self.assertTrue(uptime is None or uptime > 0)


MINUTE, HOUR, WEEK = 60, 3600, 7 * DAY

# What a lease of two weeks gains, in hours of real time, by schedules that the rule cannot see: the computer is
# restarted before each start, so its uptime proves nothing, and between two starts the clock is set back by no more
# than has passed. It is never before the last start, so it looks like a slow one, or like one that stands still: that
# one runs on for all of the thousand days. Each is (set back by, when, starts a day).
UNSEEN = {(HOUR, "each start", 4): 66, (HOUR, "each start", 24): 23663, (23 * HOUR, "each start", 1): 7704,
          (23 * HOUR, "once a day", 1): 7704}


class Clocks(Case):
    """What setting the clock back gains on a computer that never reaches the server again."""

    def last_start(self, schedule, restarts=lambda number: False, exp=TERM):
        """The real time of the last start that a lease allows, which was granted at 0 and expires at `exp`.

        `schedule` yields (real time, local clock) of each start; before those that `restarts` names the computer is
        restarted and runs for two minutes.
        """
        state, booted, last = license_client._State(MACHINE, "token", 0, 0, DAY, 1000), -1000, 0
        for number, (real, clock) in enumerate(schedule):
            if state.token is None:
                break
            if restarts(number):
                booted = real - 120
            state = license_client._at_start(state, clock, real - booted)
            if state.token is not None and clock < exp:
                last = real
        return last

    def starts(self, back, when, a_day, mode):
        """The starts of a thousand days; `mode` says what happens to the clock after it was set back."""
        offset = 0
        for number in range(1, 1000 * a_day):
            real = number * DAY // a_day
            if when == "each start" or number % a_day == 0:
                offset -= back
            elif mode == "forward again":
                offset = 0
            yield real, real + offset
            if mode == "forward again":
                offset = 0

    def test_a_thousand_days(self):
        every = {"never": lambda number: False, "each": lambda number: True, "tenth": lambda number: number % 10 == 0}
        gains = {}
        for back in (0, MINUTE, HOUR, 23 * HOUR, WEEK):
            for when in ("each start", "once a day"):
                for a_day in (1, 4, 24):
                    for mode in ("cumulative", "forward again"):
                        for name, restarts in every.items():
                            schedule = self.starts(back, when, a_day, mode)
                            gain = max(self.last_start(schedule, restarts) - TERM, 0)
                            gains[back, when, a_day, mode, name] = gain / HOUR
        unseen = {key: gain for key, gain in gains.items() if gain > 24}
        self.assertEqual({key[:3]: round(gain) for key, gain in unseen.items()}, UNSEEN, unseen)
        self.assertTrue(all(key[3:] == ("cumulative", "each") for key in unseen), unseen)

    def test_while_the_computer_is_not_restarted_no_schedule_gains_more_than_a_day(self):
        for seed in range(300):
            numbers = random.Random(seed)

            def schedule():
                real = 0
                while real < 100 * DAY:
                    real += numbers.randrange(1, DAY)
                    behind = numbers.choice((0, MINUTE, HOUR, 12 * HOUR, DAY, WEEK, real, -HOUR))
                    yield real, real - numbers.randrange(behind + 1) if behind > 0 else real - behind
            self.assertLessEqual(self.last_start(schedule()) - TERM, DAY, seed)

    def test_a_clock_that_stands_still_is_not_noticed_without_uptime(self):
        state = license_client._State(MACHINE, "token", 0, 0, DAY, None)
        for _ in range(1000):
            state = license_client._at_start(state, 0, None)
        self.assertEqual((state.token, state.allowance), ("token", DAY))

    def honest(self, offsets, restarts=False):
        """A week offline with this offset of the clock at each start; whether every start is allowed."""
        schedule = [(number * DAY // 4, number * DAY // 4 + offset) for number, offset in enumerate(offsets, 1)]
        return self.last_start(schedule, lambda number: restarts, WEEK) == schedule[-1][0]

    def test_an_honest_computer_keeps_its_lease(self):
        for restarts in (False, True):
            with self.subTest(restarts=restarts):
                self.assertTrue(self.honest([0] * 27, restarts))
                self.assertTrue(self.honest([HOUR] * 13 + [0] * 14, restarts))  # corrected by an hour
                self.assertTrue(self.honest([0] * 13 + [-HOUR] * 14, restarts))  # summer time, set by hand
                # Two systems on one computer, of which one takes the clock for local time: it jumps each day.
                self.assertTrue(self.honest(([0, 0, -2 * HOUR, -2 * HOUR] * 7)[:27], restarts))
                self.assertTrue(self.honest([-number for number in range(27)], restarts))  # it loses a second each time

    def test_the_whole_client_by_files(self):
        url = self.leased()
        for day in range(1, 14):
            self.assertTrue(self.client(url, NOW + day * DAY, 1000 + day * DAY).check(TOOL), day)
            wait_for_refreshes()
        # Back to the first day, while the uptime goes on.
        result = self.client(url, NOW + DAY, 1000 + 13 * DAY + HOUR).check(TOOL)
        self.assert_unreachable(result)
        self.assertIn("date and time", result.message)
        self.assertEqual(self.stored()["allowance"], 0)

    def test_a_server_whose_clock_was_ahead_for_one_answer(self):
        for ahead in (30 * DAY, 3 * 365 * DAY):
            self.folder = tempfile.mkdtemp(dir=self.folder)
            iats = [NOW + ahead, NOW]
            server = Server(lambda request: signs(iat=iats.pop(0))(request))
            self.assertTrue(self.client(server.url).check(TOOL))
            # The lease of the future is no lease, so the server is asked, and its answer sets the mark down.
            self.assertEqual(self.client(server.url, NOW).check(TOOL).source, "server")
            server.stop()
            self.assertEqual(self.client(server.url, NOW + DAY).check(TOOL).source, "lease")


class Imports(unittest.TestCase):
    def test_a_start_with_a_lease_loads_no_network(self):
        program = """if True:
            import sys
            sys.path.insert(0, sys.argv[1])
            import license_client
            client = license_client.LicenseClient("http://127.0.0.1:1", public_keys=%r, cache_dir=sys.argv[2])
            client._find_machine()
            client._store("x").read_all()
            network = {"http.client", "ssl", "urllib.request", "email", "typing"} & set(sys.modules) - before
            assert not network, network""" % (KEYS,)
        static = os.path.dirname(license_client.__file__)
        program = program.replace("import sys\n", "import sys\n            before = set(sys.modules)\n", 1)
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-c", program, static, folder], check=True)


class Vectors(unittest.TestCase):
    def test_every_vector(self):
        import python_client
        import run
        count = 0
        for group in run.GROUPS:
            for name, vector in run.vectors(group).items():
                expected, count = vector.pop("expected"), count + 1
                self.assertEqual(python_client.run(vector), expected, "%s/%s" % (group, name))
        self.assertGreater(count, 400)


if __name__ == "__main__":
    unittest.main()
