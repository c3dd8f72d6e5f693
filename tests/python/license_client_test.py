"""`license_client.py` with pinned keys, against real servers on loopback: `python3 license_client_test.py`.

What a token may look like is in `tests/vectors/`; here are the ways there and back, the lease and its file.
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
UNREACHED = "The license server cannot be reached. "

try:
    import cryptography
except ImportError:
    cryptography = None


class Server:
    """A web server on loopback that answers each question with `answer(question)`: (status, body, headers)."""

    def __init__(self, answer):
        self.questions = questions = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                questions.append(question)
                status, body, headers = (answer(question) + ({},))[:3]
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
    """What the real server answers, unless something is changed."""
    def answer(question):
        asked = dict(aud=question["tool_name"], sub=question["license_key"], nonce=question["nonce"])
        signed = make.token(make.claims(code, iat, **dict(asked, **claims)), key, header, sign)
        reply = make.answer(signed, code)
        return reply["status"], reply["body"].encode("utf-8")
    return answer


def says(status, body):
    return lambda question: (status, body.encode("utf-8"))


class Case(unittest.TestCase):
    """Each sentence has a folder for the lease and as many servers as it wants."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def server(self, answer):
        server = Server(answer)
        self.addCleanup(server.stop)
        return server

    def client(self, url, now=NOW, **options):
        """A program that has just been started, at this moment."""
        options = dict({"public_keys": KEYS, "cache_dir": self.folder, "timeout": 60.0}, **options)
        client = LicenseClient(url, **options)
        client._machine_id, client._now = MACHINE, lambda: now
        return client

    def leased(self, iat=NOW, **claims):
        """The address of a server that gave a lease and is gone."""
        server = Server(signs(iat=iat, **claims))
        self.assertTrue(self.client(server.url, now=iat).check(TOOL))
        server.stop()
        return server.url

    def assert_unreached(self, result):
        self.assertEqual((result.valid, result.code, result.source), (False, "NO_ANSWER", "none"), result.message)
        self.assertTrue(result.message.startswith(UNREACHED), result.message)
        self.assertNotIn("invalid", result.message.lower())

    def stored(self):
        names = [name for name in os.listdir(self.folder) if name.endswith(".json")]
        if not names:
            return None
        with open(os.path.join(self.folder, names[0]), encoding="ascii") as file:
            return json.load(file)


@contextlib.contextmanager
def ordinary_user(folder):
    """Permissions do not hold for root: then it is somebody else, whose folder this becomes.

    Nothing may be imported meanwhile: root's Python may be where nobody else can read.
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


def let_refreshes_end():
    for thread in list(license_client._refreshes):
        thread.join(60)


class Questions(Case):
    def test_a_signed_question_has_nonce_kids_and_client(self):
        server = self.server(signs())
        for _ in range(2):
            self.client(server.url, version="2.1 " + "x" * 200).check(TOOL, refresh=True)
        first, second = server.questions
        self.assertRegex(first["nonce"], r"\A[A-Za-z0-9_-]{16,64}\Z")
        self.assertNotEqual(first["nonce"], second["nonce"])
        self.assertEqual((first["tool_name"], first["license_key"]), (TOOL, MACHINE))
        self.assertEqual(first["kids"], [make.CURRENT.kid, make.NEXT.kid])
        self.assertEqual(first["client"]["version"], "2.1 " + "x" * 96)
        self.assertLessEqual(set(first["client"]), {"version", "hostname", "user"})
        self.assertEqual(set(first), {"tool_name", "license_key", "nonce", "kids", "client"})

    def test_a_plain_question_is_the_published_one_and_leaves_nothing(self):
        server = self.server(says(200, '{"status":"valid","message":"License is active and valid."}'))
        client = self.client(server.url, public_keys=None)
        self.assertEqual(client.check_license(TOOL), (True, "License is active and valid."))
        self.assertEqual(server.questions, [{"tool_name": TOOL, "license_key": MACHINE}])
        self.assertEqual(os.listdir(self.folder), [])

    def test_plain_answers_have_codes_too(self):
        for status, word, message, code in (
                (200, "valid", "License is active and valid.", "VALID"),
                (403, "expired", "License has expired.", "EXPIRED"),
                (403, "invalid", "License status is 'revoked'.", "REVOKED"),
                (403, "invalid", "License status is 'suspended'.", "SUSPENDED"),
                (404, "invalid", "License key not found for this tool.", "NOT_FOUND")):
            server = self.server(says(status, json.dumps({"status": word, "message": message})))
            result = self.client(server.url, public_keys=None).check(TOOL)
            self.assertEqual((result.code, result.message, result.source), (code, message, "server"))
            self.assertEqual((result.valid, bool(result)), (code == "VALID",) * 2)


class Answers(Case):
    def test_a_signed_answer_is_believed(self):
        result = self.client(self.server(signs(expiration_date="2027-01-20")).url).check(TOOL)
        self.assertEqual((result.valid, result.code, result.source), (True, "VALID", "server"))
        self.assertEqual((result.expires, result.message), ("2027-01-20", "License is active and valid."))

    @unittest.skipUnless(hasattr(time, "tzset"), "Windows takes no TZ")
    def test_days_are_counted_on_the_customers_calendar(self):
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

    def test_a_fake_server_never_makes_the_program_run(self):
        replayed = signs()({"tool_name": TOOL, "license_key": MACHINE, "nonce": "x" * 32})
        none = dict(make.CURRENT.header, alg="none")
        fakes = {
            "unsigned": says(200, '{"status":"valid","message":"License is active and valid.","code":"VALID"}'),
            "other key": signs(key=make.FOREIGN),
            "other key, our id": signs(key=make.FOREIGN, header=make.CURRENT.header),
            "none": signs(header=none, sign=lambda rs: b""),
            "none, signed": signs(header=none),
            "replayed": lambda question: replayed,
            "other machine's": signs(sub="0a:1b:2c:3d:4e:60"),
            "other tool's": signs(aud="Tool_B"),
            "html": says(200, "<h1>valid</h1>"),
            "html 404": says(404, "<h1>404 Not Found: invalid</h1>"),
            "endless": lambda question: (200, b" " * 65536 + signs()(question)[1]),
        }
        for name, answer in fakes.items():
            with self.subTest(name):
                client = self.client(self.server(answer).url)
                self.assert_unreached(client.check(TOOL))
                self.assertFalse(client.check_license(TOOL)[0])
                self.assertIsNone(self.stored())

    def test_the_first_600_bits_of_a_token_count_and_so_do_the_others(self):
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
            server = self.server(lambda question: (status, b"", {"Location": target.url + "/api/check"}))
            self.assert_unreached(self.client(server.url).check(TOOL))
        self.assertEqual(target.questions, [])

    def test_a_server_that_says_nothing_is_given_up(self):
        open_end = threading.Event()
        self.addCleanup(open_end.set)
        server = self.server(lambda question: open_end.wait() and (200, b""))
        result = self.client(server.url, timeout=0.3).check(TOOL)
        self.assert_unreached(result)
        self.assertIn("no answer in time", result.message)

    def test_an_address_that_is_none_is_no_refusal(self):
        for url in ("", "ftp://example.com", "http://", None, 7):
            self.assert_unreached(self.client(url).check(TOOL))


class Leases(Case):
    def test_a_lease_runs_until_its_end_and_not_a_second_longer(self):
        url = self.leased()
        for seconds, runs in ((0, True), (TERM // 2, True), (TERM - 1, True), (TERM, False), (TERM + DAY, False)):
            result = self.client(url, NOW + seconds).check(TOOL)
            let_refreshes_end()
            self.assertEqual((result.valid, result.source), (runs, "lease" if runs else "none"), seconds)

    def test_one_program_stops_where_another_that_is_started_would(self):
        client, moment = self.client(self.leased()), [NOW]
        client._now = lambda: moment[0]
        self.assertTrue(client.check(TOOL))
        moment[0] = NOW + TERM
        self.assert_unreached(client.check(TOOL))

    def test_a_clock_turned_back_does_not_help(self):
        url = self.leased(iat=NOW)
        self.assertTrue(self.client(url, NOW - DAY).check(TOOL))
        result = self.client(url, NOW - DAY - 1).check(TOOL)
        self.assert_unreached(result)
        self.assertIn("clock", result.message)
        self.assert_unreached(self.client(url, NOW + TERM - 30 * DAY).check(TOOL))

    def test_a_fresh_lease_asks_nobody(self):
        server = self.server(signs())
        self.client(server.url).check(TOOL)
        for now in (NOW, NOW + TERM // 2 - 1):
            self.assertEqual(self.client(server.url, now).check(TOOL).source, "lease")
        let_refreshes_end()
        self.assertEqual(len(server.questions), 1)

    def test_past_half_its_life_it_is_refreshed_in_the_background_once(self):
        iats = [NOW, NOW + TERM // 2]
        server = self.server(lambda question: signs(iat=iats[len(server.questions) - 1])(question))
        self.client(server.url).check(TOOL)
        client = self.client(server.url, NOW + TERM // 2)
        self.assertEqual(client.check(TOOL).source, "lease")
        let_refreshes_end()
        self.assertEqual(self.stored()["highest_iat"], NOW + TERM // 2)
        for _ in range(3):
            client.check(TOOL)
        let_refreshes_end()
        self.assertEqual(len(server.questions), 2)

    def test_nobody_answers_the_refresh_and_it_is_not_repeated_at_once(self):
        url = self.leased()
        client = self.client(url, NOW + TERM - 1)
        begun = []
        client._in_background = begun.append
        self.assertTrue(client.check(TOOL) and client.check(TOOL))
        self.assertEqual(len(begun), 1)

    def test_a_refusal_in_the_background_ends_the_lease(self):
        codes = ["VALID", "REVOKED", "REVOKED"]
        server = self.server(lambda question: signs(codes.pop(0))(question))
        self.client(server.url).check(TOOL)
        client = self.client(server.url, NOW + TERM // 2)
        self.assertTrue(client.check(TOOL))
        let_refreshes_end()
        self.assertIsNone(self.stored()["token"])
        self.assertEqual(client.check(TOOL).code, "REVOKED")

    def test_after_a_refusal_it_does_not_run_at_all(self):
        url = self.leased()
        client = self.client(url)
        client._send = lambda address, body, *_: signs("REVOKED")(json.loads(body))
        self.assertEqual(client.check(TOOL, refresh=True).code, "REVOKED")
        self.assertEqual(self.stored(), {"token": None, "highest_iat": NOW})
        for now in (NOW, NOW + 1, NOW + DAY, NOW - DAY):
            self.assert_unreached(self.client(url, now).check(TOOL))

    def test_a_program_may_insist_on_asking(self):
        server = self.server(signs())
        self.client(server.url).check(TOOL)
        self.assertEqual(self.client(server.url).check(TOOL, refresh=True).source, "server")
        server.stop()
        result = self.client(server.url).check(TOOL, refresh=True)
        self.assertEqual((result.valid, result.source), (True, "lease"))
        self.assertIn("ConnectionRefusedError", result.diagnostic())

    def test_a_program_that_ends_at_once_still_renews_its_lease(self):
        arrived = []
        server = self.server(lambda question: arrived.append(1) or time.sleep(0.2) or signs(iat=NOW + TERM)(question))
        self.client(server.url, NOW).check(TOOL)
        # The lease of the past, almost over.
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
        said = subprocess.run([sys.executable, "-c", program, static, server.url, self.folder],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(said.stdout.decode().strip(), "lease")
        self.assertEqual((len(arrived), self.stored()["highest_iat"]), (2, NOW + TERM))

    def test_each_server_tool_and_machine_has_its_own(self):
        client = self.client(self.leased())
        paths = {client._store(TOOL).path, client._store("Tool_B").path, self.client("http://x")._store(TOOL).path}
        client._machine_id = "0a:1b:2c:3d:4e:60"
        self.assertEqual(len(paths | {client._store(TOOL).path}), 4)
        self.assert_unreached(client.check(TOOL))


class Files(Case):
    @unittest.skipIf(sys.platform == "win32", "Windows has other rights")
    def test_only_the_owner_reads_them(self):
        self.folder = os.path.join(self.folder, "a", "b")
        self.leased()
        for name in os.listdir(self.folder):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.folder, name)).st_mode), 0o600, name)
        self.assertEqual(stat.S_IMODE(os.stat(self.folder).st_mode), 0o700)
        self.assertEqual(len(os.listdir(self.folder)), 2)  # the lease and the lock

    def test_a_folder_that_cannot_be_used_costs_nothing_but_the_lease(self):
        file = os.path.join(self.folder, "file")
        open(file, "w").close()
        server, refusing = self.server(signs()), self.server(signs("REVOKED"))
        for folder in (file, os.path.join(file, "deeper"), "a\0b", b"\xff\0", 7, object()):
            client = self.client(server.url, cache_dir=folder)
            self.assertTrue(client.check(TOOL), folder)
            self.assertEqual(client.check(TOOL).source, "server")
            self.assertEqual(self.client(refusing.url, cache_dir=folder).check(TOOL).code, "REVOKED")

    def test_a_folder_where_the_file_should_be(self):
        server = self.server(signs())
        client = self.client(server.url)
        os.mkdir(client._store(TOOL).path)
        self.assertEqual((client.check(TOOL).source, client.check(TOOL).source), ("server", "server"))
        self.assertEqual([name for name in os.listdir(self.folder) if name.count(".") > 1], [])

    def test_a_full_disk_does_not_save_a_lease_from_a_refusal(self):
        url = self.leased()
        client = self.client(url)
        client._send = lambda address, body, *_: signs("REVOKED")(json.loads(body))
        with mock.patch.object(license_client._Store, "_write", side_effect=OSError(28, "no space")):
            client.check(TOOL, refresh=True)
            self.assertEqual(self.stored(), {"token": None, "highest_iat": NOW})
            with mock.patch.object(license_client, "_fill", side_effect=OSError(28, "no space")):
                client.check(TOOL, refresh=True)
        self.assertIsNone(self.stored())

    @unittest.skipIf(sys.platform == "win32", "Windows has other rights")
    def test_a_folder_that_cannot_be_written_does_not_save_a_lease_from_a_refusal(self):
        url = self.leased()
        client = self.client(url)
        client._send = lambda address, body, *_: signs("REVOKED")(json.loads(body))
        os.chmod(self.folder, 0o555)
        self.addCleanup(os.chmod, self.folder, 0o700)
        with ordinary_user(self.folder):
            self.assertRaises(PermissionError, os.remove, client._store(TOOL).path)
            self.assertEqual(client.check(TOOL, refresh=True).code, "REVOKED")
        self.assertEqual(self.stored(), {"token": None, "highest_iat": NOW})
        self.assert_unreached(self.client(url).check(TOOL))

    def test_a_refusal_counts_where_nothing_can_be_erased(self):
        url = self.leased()
        client = self.client(url)
        client._send = lambda address, body, *_: signs("REVOKED")(json.loads(body))
        with mock.patch.object(license_client._Store, "remember"):
            client.check(TOOL, refresh=True)
        client._send = mock.Mock(side_effect=ConnectionRefusedError)
        self.assertIsNotNone(self.stored()["token"])
        self.assert_unreached(client.check(TOOL))

    def test_a_good_answer_that_was_overtaken_by_a_refusal_is_not_kept(self):
        client = self.client("http://127.0.0.1:1")
        store = client._store(TOOL)
        store.remember("first", NOW, None)
        before = store.read()
        store.remember(None, NOW + 1, before)
        store.remember("late", NOW, before)
        self.assertEqual(tuple(store.read()), (None, NOW + 1))
        store.remember("next", NOW + 1, store.read())
        self.assertEqual(tuple(store.read()), ("next", NOW + 1))

    def test_many_processes_at_once_lose_nothing(self):
        program = """if True:
            import sys
            sys.path.insert(0, sys.argv[1])
            from license_client import _Store
            store, number = _Store(sys.argv[2], "x.json"), int(sys.argv[3])
            for n in range(40):
                before = store.read()
                assert n == 0 or before, "unreadable"
                store.remember("token" * 200, n * 10 + number, before)
            print(store.read().highest_iat)"""
        static = os.path.dirname(license_client.__file__)
        programs = [subprocess.Popen([sys.executable, "-c", program, static, self.folder, str(number)],
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for number in range(4)]
        said = [program.communicate()[0].decode() for program in programs]
        self.assertTrue(all(text.strip().isdigit() for text in said), said)
        self.assertEqual(license_client._Store(self.folder, "x.json").read().highest_iat, 393)
        self.assertEqual(sorted(os.listdir(self.folder)), ["lock", "x.json"])

    def test_windows_has_another_lock(self):
        tries = [PermissionError, PermissionError, None]
        msvcrt = mock.Mock(LK_NBLCK=2, locking=mock.Mock(side_effect=tries))
        with mock.patch.object(sys, "platform", "win32"), mock.patch.dict(sys.modules, msvcrt=msvcrt):
            license_client._Store(self.folder, "x.json").remember("token", NOW, None)
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
    def test_they_are_pinned_in_each_form(self):
        import base64
        x, y = make.CURRENT.jwk["x"], make.CURRENT.jwk["y"]
        raw = b"".join(base64.urlsafe_b64decode(text + "=") for text in (x, y))
        body = base64.b64encode(bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004") + raw).decode()
        pem = "-----BEGIN PUBLIC KEY-----\n%s\n%s\n-----END PUBLIC KEY-----\n" % (body[:64], body[64:])
        forms = (make.CURRENT.jwk, make.CURRENT.pinned, x + "." + y, " %s.%s\n" % (x, y), pem)
        for keys in [[form] for form in forms] + list(forms) + [{"keys": [make.CURRENT.pinned]}, forms]:
            self.assertEqual(license_client._pin(keys)[1], "")
            self.assertEqual(self.client("http://x", public_keys=keys)._keys.keys(), {make.CURRENT.kid})

    def test_wrong_ones_never_mean_the_plain_protocol(self):
        server = self.server(says(200, '{"status":"valid","message":"License is active and valid."}'))
        x, y = make.CURRENT.jwk["x"], make.CURRENT.jwk["y"]
        for keys in ([], "", {}, 7, [None], [b"x"], ["x.y"], [x + "." + x], [x], [x + "=." + y],
                     [x + "." + y + "." + x], [make.CURRENT.jwk, "typo"], [dict(make.CURRENT.jwk, crv="P-384")],
                     [dict(make.CURRENT.jwk, kty="RSA")], [dict(make.CURRENT.jwk, d=x)],
                     ["-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]):
            result = self.client(server.url, public_keys=keys).check(TOOL)
            self.assertEqual((result.valid, result.code), (False, "NO_ANSWER"), keys)
            self.assertIn("public keys in this program", result.message)
            self.assertNotIn("invalid", result.message)
        self.assertEqual(server.questions, [])


class Arithmetic(unittest.TestCase):
    def both(self, r, s, message, key):
        said = license_client._python_verifies(r, s, message, key)
        if cryptography:
            self.assertEqual(license_client._cryptography_verifies(r, s, message, key), said)
        return said

    def test_a_signature_is_verified_and_nothing_near_it(self):
        for private in (1, 2, make.N - 1, make.N - 2, make.CURRENT.private, make.NEXT.private):
            key, message = make.multiply(private, make.G), b"message %d" % private
            r, s = make.ecdsa(private, message)
            self.assertTrue(self.both(r, s, message, key) and self.both(r, make.N - s, message, key))
            for wrong in ((r ^ 1, s), (r, s ^ 1), (s, r), (1, 1)):
                self.assertFalse(self.both(*wrong, message, key))
            self.assertFalse(self.both(r, s, message + b".", key))
            self.assertFalse(self.both(r, s, message, make.multiply(private + 5, make.G)))

    def test_a_sum_that_is_no_point_is_no_signature(self):
        import hashlib
        hashed = int.from_bytes(hashlib.sha256(b"m").digest(), "big")
        for private in (1, make.N - 1, make.CURRENT.private):
            r = -hashed * pow(private, -1, make.N) % make.N
            self.assertFalse(self.both(r, 3, b"m", make.multiply(private, make.G)))

    def test_numbers_beyond_the_order_are_no_signature(self):
        import hashlib
        nonce, s = 7, 5  # a small s, so that s + N still has 32 bytes: the key is made for it
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

    def test_without_cryptography_or_with_a_broken_one_it_is_the_standard_library(self):
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
    def test_with_cryptography_it_is_cryptography(self):
        signature = make.pair(make.ecdsa(make.CURRENT.private, b"m"))
        key = make.multiply(make.CURRENT.private, make.G)
        with mock.patch.object(license_client, "_python_verifies", side_effect=AssertionError):
            self.assertTrue(license_client._is_signature(signature, b"m", key))
            self.assertFalse(license_client._is_signature(signature, b"n", key))


class Words(Case):
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
            for word in (TOOL, "..." + MACHINE[-4:], result.code, "source: " + result.source, "clock: 2027-01-15 08:00"):
                self.assertIn(word, text)
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

    def test_the_command_line_says_the_machine_id_and_nothing_else(self):
        for machine, code, said in ((MACHINE, 0, (MACHINE + "\n", "")), ("", 1, ("", "no machine id found\n"))):
            out, error = io.StringIO(), io.StringIO()
            with mock.patch.object(license_client, "_find_machine_id", return_value=machine), \
                    contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
                self.assertEqual(license_client.main(["--machine-id"]), code)
            self.assertEqual((out.getvalue(), error.getvalue()), said)

    def test_the_command_line_takes_keys(self):
        server = self.server(lambda question: signs(sub=question["license_key"], iat=int(time.time()))(question))
        keys = ["%(x)s.%(y)s" % key for key in KEYS]
        with mock.patch.dict(os.environ, {"XDG_STATE_HOME": self.folder, "LOCALAPPDATA": self.folder,
                                          "HOME": self.folder}):
            with contextlib.redirect_stdout(io.StringIO()) as said:
                self.assertEqual(license_client.main([server.url, TOOL] + keys), 0)
        self.assertIn("Verdict: valid\nMessage: License is active and valid.\n\nclient: ", said.getvalue())


class Vectors(unittest.TestCase):
    def test_all_of_them_both_ways(self):
        import python_client
        folder = os.path.join(TESTS, "vectors")
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
        self.assertGreater(len(names), 150)
        absent = mock.patch.dict(sys.modules, {"cryptography.exceptions": None})
        for way in (contextlib.ExitStack(), absent):
            with way:
                for name in names:
                    with open(os.path.join(folder, name), encoding="ascii") as file:
                        vector = json.load(file)
                    self.assertEqual(python_client.conclude(vector), vector["conclude"], name)


if __name__ == "__main__":
    unittest.main()
