"""Tests `license_client.py` with pinned keys against real servers on loopback: `python3 license_client_test.py`.

`tests/vectors/` covers the tokens; these tests cover requests and answers, the lease and its file.
"""

import contextlib
import http.server
import io
import json
import os
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

try:
    import cryptography
except ImportError:
    cryptography = None


class Server:
    """A web server on loopback that answers each request with `answer(request)`: (status, body, headers)."""

    def __init__(self, answer):
        self.requests = requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                requests.append(request)
                status, body, headers = (answer(request) + ({},))[:3]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/licenseserver" % self.server.server_port
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


class Case(unittest.TestCase):
    """Each test has its own folder for the lease."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def server(self, answer):
        server = Server(answer)
        self.addCleanup(server.stop)
        return server

    def client(self, url, now=NOW, **options):
        """The client of a program that has just started, at this time."""
        options = dict({"public_keys": KEYS, "cache_dir": self.folder, "timeout": 60.0}, **options)
        client = LicenseClient(url, **options)
        client._machine_id, client._now = MACHINE, lambda: now
        return client

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
        client._send = lambda *_: (200, json.dumps({"token": good}).encode("ascii"))
        self.assertTrue(client.check(TOOL, refresh=True))
        os.remove(client._store(TOOL).path)
        for bit in [*range(600), *range(600, 8 * len(good), 11)]:
            flipped = list(good)
            flipped[bit // 8] = chr(ord(flipped[bit // 8]) ^ 128 >> bit % 8)
            client._send = lambda *_: (200, json.dumps({"token": "".join(flipped)}).encode("ascii"))
            self.assertEqual(client.check(TOOL).code, "NO_ANSWER", bit)

    def test_a_redirect_is_not_followed(self):
        target = self.server(signs())
        for status in (301, 302, 303, 307, 308):
            server = self.server(lambda request: (status, b"", {"Location": target.url + "/api/check"}))
            self.assert_unreachable(self.client(server.url).check(TOOL))
        self.assertEqual(target.requests, [])

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
        result = self.client(url, NOW - DAY - 1).check(TOOL)
        self.assert_unreachable(result)
        self.assertIn("clock", result.message)
        self.assert_unreachable(self.client(url, NOW + TERM - 30 * DAY).check(TOOL))

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
        self.assertEqual(self.stored()["highest_iat"], NOW + TERM // 2)
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
        client._send = lambda address, body, *_: signs("REVOKED")(json.loads(body))
        self.assertEqual(client.check(TOOL, refresh=True).code, "REVOKED")
        self.assertEqual(self.stored(), {"token": None, "highest_iat": NOW})
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
        arrived = []
        server = self.server(lambda request: arrived.append(1) or time.sleep(0.2) or signs(iat=NOW + TERM)(request))
        self.client(server.url, NOW).check(TOOL)
        # An old lease that has almost expired.
        store = self.client(server.url)._store(TOOL)
        store._write(json.dumps(make.stored(make.token(make.claims(iat=NOW)), NOW)).encode("ascii"))
        program = """if True:
            import sys
            sys.path.insert(0, sys.argv[1])
            from license_client import LicenseClient
            client = LicenseClient(sys.argv[2], 60.0, %r, sys.argv[3])
            client._machine_id, client._now = %r, lambda: %d
            print(client.check(%r).source)""" % (KEYS, MACHINE, NOW + TERM - 1, TOOL)
        static = os.path.dirname(license_client.__file__)
        output = subprocess.run([sys.executable, "-c", program, static, server.url, self.folder],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
        self.assertEqual(output.decode().strip(), "lease")
        self.assertEqual((len(arrived), self.stored()["highest_iat"]), (2, NOW + TERM))

    def test_each_server_tool_and_machine_has_its_own_lease(self):
        client = self.client(self.leased())
        paths = {client._store(TOOL).path, client._store("Tool_B").path, self.client("http://x")._store(TOOL).path}
        client._machine_id = "0a:1b:2c:3d:4e:60"
        self.assertEqual(len(paths | {client._store(TOOL).path}), 4)
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
        os.mkdir(client._store(TOOL).path)
        self.assertEqual((client.check(TOOL).source, client.check(TOOL).source), ("server", "server"))
        self.assertEqual([name for name in os.listdir(self.folder) if name.count(".") > 1], [])

    def test_a_refusal_erases_the_lease_on_a_full_disk(self):
        url = self.leased()
        client = self.client(url)
        client._send = lambda address, body, *_: signs("REVOKED")(json.loads(body))
        with mock.patch.object(license_client._Store, "_write", side_effect=OSError(28, "no space")):
            client.check(TOOL, refresh=True)
            self.assertEqual(self.stored(), {"token": None, "highest_iat": NOW})
            with mock.patch.object(license_client, "_overwrite", side_effect=OSError(28, "no space")):
                client.check(TOOL, refresh=True)
        self.assertIsNone(self.stored())

    @unittest.skipIf(sys.platform == "win32", "Windows has other permissions")
    def test_a_refusal_erases_the_lease_in_a_read_only_folder(self):
        url = self.leased()
        client = self.client(url)
        client._send = lambda address, body, *_: signs("REVOKED")(json.loads(body))
        os.chmod(self.folder, 0o555)
        self.addCleanup(os.chmod, self.folder, 0o700)
        with ordinary_user(self.folder):
            self.assertRaises(PermissionError, os.remove, client._store(TOOL).path)
            self.assertEqual(client.check(TOOL, refresh=True).code, "REVOKED")
        self.assertEqual(self.stored(), {"token": None, "highest_iat": NOW})
        self.assert_unreachable(self.client(url).check(TOOL))

    def test_a_refusal_counts_even_if_the_lease_cannot_be_erased(self):
        url = self.leased()
        client = self.client(url)
        client._send = lambda address, body, *_: signs("REVOKED")(json.loads(body))
        with mock.patch.object(license_client._Store, "save"):
            client.check(TOOL, refresh=True)
        client._send = mock.Mock(side_effect=ConnectionRefusedError)
        self.assertIsNotNone(self.stored()["token"])
        self.assert_unreachable(client.check(TOOL))

    def test_a_good_answer_that_arrives_after_a_newer_refusal_is_not_stored(self):
        client = self.client("http://127.0.0.1:1")
        store = client._store(TOOL)
        store.save("first", NOW, None)
        before = store.read()
        store.save(None, NOW + 1, before)
        store.save("late", NOW, before)
        self.assertEqual(tuple(store.read()), (None, NOW + 1))
        store.save("next", NOW + 1, store.read())
        self.assertEqual(tuple(store.read()), ("next", NOW + 1))

    def test_parallel_processes_lose_nothing(self):
        program = """if True:
            import sys
            sys.path.insert(0, sys.argv[1])
            from license_client import _Store
            store, number = _Store(sys.argv[2], "x.json"), int(sys.argv[3])
            for n in range(40):
                before = store.read()
                assert n == 0 or before, "unreadable"
                store.save("token" * 200, n * 10 + number, before)
            print(store.read().highest_iat)"""
        static = os.path.dirname(license_client.__file__)
        programs = [subprocess.Popen([sys.executable, "-c", program, static, self.folder, str(number)],
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for number in range(4)]
        outputs = [program.communicate()[0].decode() for program in programs]
        self.assertTrue(all(text.strip().isdigit() for text in outputs), outputs)
        self.assertEqual(license_client._Store(self.folder, "x.json").read().highest_iat, 393)
        self.assertEqual(sorted(os.listdir(self.folder)), ["lock", "x.json"])

    def test_windows_has_another_lock(self):
        tries = [PermissionError, PermissionError, None]
        msvcrt = mock.Mock(LK_NBLCK=2, locking=mock.Mock(side_effect=tries))
        with mock.patch.object(sys, "platform", "win32"), mock.patch.dict(sys.modules, msvcrt=msvcrt):
            license_client._Store(self.folder, "x.json").save("token", NOW, None)
        self.assertEqual(msvcrt.locking.call_count, 3)
        self.assertEqual(self.stored(), {"token": "token", "highest_iat": NOW})

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
    def both(self, r, s, message, key):
        result = license_client._python_verifies(r, s, message, key)
        if cryptography:
            self.assertEqual(license_client._cryptography_verifies(r, s, message, key), result)
        return result

    def test_a_signature_is_verified_and_its_neighbors_are_not(self):
        for private in (1, 2, make.N - 1, make.N - 2, make.CURRENT.private, make.NEXT.private):
            key, message = make.multiply(private, make.G), b"message %d" % private
            r, s = make.ecdsa(private, message)
            self.assertTrue(self.both(r, s, message, key) and self.both(r, make.N - s, message, key))
            for wrong in ((r ^ 1, s), (r, s ^ 1), (s, r), (1, 1)):
                self.assertFalse(self.both(*wrong, message, key))
            self.assertFalse(self.both(r, s, message + b".", key))
            self.assertFalse(self.both(r, s, message, make.multiply(private + 5, make.G)))

    def test_a_sum_at_infinity_is_not_a_signature(self):
        import hashlib
        hashed = int.from_bytes(hashlib.sha256(b"m").digest(), "big")
        for private in (1, make.N - 1, make.CURRENT.private):
            r = -hashed * pow(private, -1, make.N) % make.N
            self.assertFalse(self.both(r, 3, b"m", make.multiply(private, make.G)))

    def test_numbers_above_the_order_are_not_a_signature(self):
        import hashlib
        nonce, s = 7, 5  # s is small, so that s + N still fits 32 bytes; the key is computed to match
        r = make.multiply(nonce, make.G)[0] % make.N
        hashed = int.from_bytes(hashlib.sha256(b"m").digest(), "big")
        key = make.multiply((s * nonce - hashed) * pow(r, -1, make.N) % make.N, make.G)
        self.assertTrue(license_client._is_signature(make.pair((r, s)), b"m", key))
        self.assertFalse(license_client._is_signature(make.pair((r, s + make.N)), b"m", key))
        self.assertTrue(license_client._python_verifies(r, s + make.N, b"m", key))

    def test_sums_of_multiples(self):
        q = make.multiply(make.CURRENT.private, make.G)
        for a, b, other in ((0, 1, q), (1, 0, q), (1, 1, make.G), (5, make.N - 5, make.G), (make.N - 1, 2, make.G),
                            (make.N // 3, make.N // 7, q), (2 ** 255, 1, q)):
            x, y, z = license_client._sum_of_multiples(a, make.G, b, other)
            expected = make.add(make.multiply(a, make.G), make.multiply(b, other))
            got = (x * pow(z, -2, make.P) % make.P, y * pow(z, -3, make.P) % make.P) if z else None
            self.assertEqual(got, expected, (a, b))

    def test_without_cryptography_or_with_a_broken_one_plain_python_verifies(self):
        class Panic(BaseException):
            pass

        r, s = make.ecdsa(make.CURRENT.private, b"m")
        key = make.multiply(make.CURRENT.private, make.G)
        missing = mock.patch.dict(sys.modules, {"cryptography.exceptions": None})
        broken = mock.patch.object(license_client, "_cryptography_verifies", side_effect=Panic)
        for without in (missing, broken):
            with without, mock.patch.object(license_client, "_python_verifies", return_value="python") as python:
                self.assertEqual(license_client._is_signature(make.pair((r, s)), b"m", key), "python")
                self.assertEqual(python.call_count, 1)

    def test_a_start_with_a_lease_does_not_load_cryptography(self):
        program = "import sys; from license_client import _is_signature as verify; " \
                  "assert verify(b'\\1' * 64, b'm', %r, True) is False; " \
                  "assert 'cryptography' not in sys.modules" % (make.multiply(2, make.G),)
        folder = os.path.dirname(license_client.__file__)
        self.assertEqual(subprocess.call([sys.executable, "-c", program], cwd=folder), 0)

    @unittest.skipUnless(cryptography, "the package cryptography is not installed")
    def test_with_cryptography_plain_python_is_not_used(self):
        signature = make.pair(make.ecdsa(make.CURRENT.private, b"m"))
        key = make.multiply(make.CURRENT.private, make.G)
        with mock.patch.object(license_client, "_python_verifies", side_effect=AssertionError):
            self.assertTrue(license_client._is_signature(signature, b"m", key))
            self.assertFalse(license_client._is_signature(signature, b"n", key))


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
        for machine, code, printed in ((MACHINE, 0, (MACHINE + "\n", "")), ("", 1, ("", "no machine ID found\n"))):
            out, error = io.StringIO(), io.StringIO()
            with mock.patch.object(license_client, "_find_machine_id", return_value=machine), \
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


class Vectors(unittest.TestCase):
    def test_every_vector_with_and_without_cryptography(self):
        import python_client
        folder = os.path.join(TESTS, "vectors")
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
        self.assertGreater(len(names), 150)
        absent = mock.patch.dict(sys.modules, {"cryptography.exceptions": None})
        for setting in (contextlib.ExitStack(), absent):
            with setting:
                for name in names:
                    with open(os.path.join(folder, name), encoding="ascii") as file:
                        vector = json.load(file)
                    self.assertEqual(python_client.run(vector), vector["expected"], name)


if __name__ == "__main__":
    unittest.main()
