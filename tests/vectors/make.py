"""Writes the conformance vectors of the signed protocol: `python3 make.py [FOLDER]`, the same bytes each time.

README.md describes them. Files that are no longer written are removed from the groups' folders.

It shares no code with any client, least of all arithmetic: a mistake would have to be made twice to go unnoticed.
Standard library only.
"""

import base64
import hashlib
import hmac
import json
import os
import sys

# ---- ECDSA over P-256 with SHA-256 and the deterministic nonces of RFC 6979, slow but simple ----

P = 2 ** 256 - 2 ** 224 + 2 ** 192 + 2 ** 96 - 1
N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
     0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)


def add(one, other):
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, P) if one == other else (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def multiply(number, point):
    result = None
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def big(number):
    return number.to_bytes(32, "big")


def nonces(private, digest):
    """RFC 6979, section 3.2."""
    seed = big(private) + big(int.from_bytes(digest, "big") % N)
    k, v = bytes(32), b"\1" * 32
    for separator in (b"\0", b"\1"):
        k = hmac.new(k, v + separator + seed, "sha256").digest()
        v = hmac.new(k, v, "sha256").digest()
    while True:
        v = hmac.new(k, v, "sha256").digest()
        yield int.from_bytes(v, "big")
        k = hmac.new(k, v + b"\0", "sha256").digest()
        v = hmac.new(k, v, "sha256").digest()


def ecdsa(private, message):
    digest = hashlib.sha256(message).digest()
    for nonce in nonces(private, digest):
        if 0 < nonce < N:
            r = multiply(nonce, G)[0] % N
            s = pow(nonce, -1, N) * (int.from_bytes(digest, "big") + r * private) % N
            if r and s:
                return r, s


# The example of RFC 6979, A.2.5.
assert ecdsa(0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721, b"sample") == (
    0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
    0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8)


# ---- Keys and tokens ----

def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8")


class Key:
    def __init__(self, private):
        self.private = private
        x, y = (base64url(big(number)) for number in multiply(private, G))
        self.jwk = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
        self.kid = base64url(hashlib.sha256(compact(self.jwk)).digest())[:16]
        self.pinned = dict(self.jwk, kid=self.kid)
        self.header = {"alg": "ES256", "kid": self.kid, "typ": "license+jwt"}


# TEST KEYS. The private keys are published here: never use them for anything else.
CURRENT = Key(0x7e57000000000000000000000000000000000000000000000000000000000001)
NEXT = Key(0x7e57000000000000000000000000000000000000000000000000000000000002)
FOREIGN = Key(0x7e57000000000000000000000000000000000000000000000000000000000003)
# Keys that hit the special cases of point addition: equal points, and points whose sum is infinity.
GENERATOR, NEGATIVE_GENERATOR = Key(1), Key(N - 1)

SERVER = "http://licenses.example/licenseserver"
SECURE = "https://licenses.example/licenseserver"
TOOL, MACHINE, NONCE = "Tool_A", "0a:1b:2c:3d:4e:5f", "c29tZS1ub25jZS1vZi10ZXN0cw"
NONCE_2 = "YW5vdGhlci1ub25jZS1mb3ItdGVzdHM"  # of the second question
NONCES = [NONCE, NONCE_2, "dGhlLXRoaXJkLW5vbmNlLW9mLXRlc3Rz", "dGhlLWZvdXJ0aC1ub25jZS1vZi10ZXN0cw"]
NOW = 1800000000  # 2027-01-15 08:00:00 UTC
HOUR, DAY = 3600, 24 * 3600
TERM = 14 * DAY  # of a lease
UPTIME = 100000  # of the computer, in seconds

WORDS = {
    "VALID": (200, "valid", "License is active and valid."),
    "IN_GRACE": (200, "valid", "License has expired; please renew it."),
    "TRIAL": (200, "valid", "Trial license."),
    "EXPIRED": (403, "expired", "License has expired."),
    "SUSPENDED": (403, "invalid", "License status is 'suspended'."),
    "REVOKED": (403, "invalid", "License status is 'revoked'."),
    "NOT_FOUND": (404, "invalid", "License key not found for this tool."),
}
GOOD = ("VALID", "IN_GRACE", "TRIAL")


def claims(code="VALID", iat=NOW, without=(), **changed):
    http, _, message = WORDS.get(code, (403, "invalid", "License is paused."))
    term = TERM if code in GOOD else 300
    result = {"aud": TOOL, "sub": MACHINE, "nonce": NONCE, "code": code, "http": http, "message": message,
              "iat": iat, "exp": iat + term, "expiration_date": "2027-12-31"}
    result.update(changed)
    return {name: value for name, value in result.items() if name not in without}


def pair(signature):
    r, s = signature
    return big(r) + big(s)


def token(payload=None, key=CURRENT, header=None, sign=pair):
    """A JWS of claims, raw bytes, or text that is already encoded; `sign` encodes (r, s)."""
    payload = claims() if payload is None else payload
    parts = [key.header if header is None else header, payload]
    encoded = [part if isinstance(part, str) else base64url(part if isinstance(part, bytes) else compact(part))
               for part in parts]
    message = ".".join(encoded).encode("ascii")
    return ".".join(encoded + [base64url(sign(ecdsa(key.private, message)))])


def answer(signed, code="VALID", status=None, kind="application/json", **changed):
    http, word, message = WORDS[code]
    body = {"status": word, "message": message, "code": code, "expiration_date": "2027-12-31", "days_left": 350}
    body.update(changed)
    if signed is not None:
        body["token"] = signed
    return {"status": status or http, "content_type": kind, "body": compact(body).decode("utf-8")}


def html(status, text, **more):
    return dict(more, status=status, content_type="text/html",
                body="<!doctype html><title>%s</title><h1>%s</h1>" % (text, text))


def json_answer(body, status=200):
    return {"status": status, "content_type": "application/json", "body": body}


def raw_answer(data):
    encoded = base64.b64encode(data).decode("ascii")
    return {"status": 200, "content_type": "application/json", "body_base64": encoded}


def redirect(location, status=308):
    return html(status, "Moved", location=location)


# ---- The vectors ----

VECTORS = {}  # GROUP/NAME: content
UNREACHABLE = None


def state(signed, good_iat=NOW, mark=None, allowance=DAY, uptime=UPTIME, license_key=MACHINE):
    """What is stored for one machine ID; see README.md."""
    return {"license_key": license_key, "token": signed, "good_iat": good_iat,
            "mark": good_iat if mark is None else mark, "allowance": allowance, "uptime": uptime}


def request(server=SERVER, license_key=MACHINE, nonce=NONCE, url=None, personal=True, verified=True, previous=None,
            trial=False):
    return {"url": url or server + "/api/check", "license_key": license_key, "nonce": nonce, "personal": personal,
            "verified": verified, "previous_license_key": previous, "trial": trial}


def machine(earlier=MACHINE, preferred=MACHINE, present=None):
    return {"earlier": earlier, "preferred": preferred,
            "present": sorted({earlier, preferred}) if present is None else present}


def vector(name, about, code, source, requests, answers=(), states=(), after=None, license_key=MACHINE, keys=None,
           server=SERVER, standby=(), tool=TOOL, computer=None, now=NOW, uptime=UPTIME, refresh=False, trial=False):
    """`name` is GROUP/NAME, or NAME in verdict/; `after` is what is stored then, by default the same as before."""
    name = name if "/" in name else "verdict/" + name
    assert name not in VECTORS, name
    after = [one for one in states if "text" not in one] if after is None else after
    assert not requests or len(answers) <= len(requests), name
    VECTORS[name] = {
        "about": about,
        "keys": [key.pinned for key in keys or (CURRENT, NEXT)],
        "server_url": server,
        "tool_name": tool,
        "machine": computer or machine(),
        "nonces": NONCES if standby else NONCES[:2],
        "now": now,
        "uptime": uptime,
        "refresh": refresh,
        "trial": trial,
        "states": list(states),
        "answers": list(answers),
        "expected": {
            "valid": code in GOOD, "code": code, "source": source, "license_key": license_key,
            "requests": list(requests),
            "states": sorted(({member: value for member, value in one.items() if member != "file"} for one in after),
                             key=lambda one: one["license_key"]),
        },
    }
    if standby:
        VECTORS[name]["standby_urls"] = list(standby)


def stored_of(states, license_key=MACHINE):
    return next((one for one in states if one["license_key"] == license_key and "text" not in one), None)


def answered(states, signed, code="VALID", iat=NOW, license_key=MACHINE, uptime=UPTIME):
    """What is stored after this verified answer."""
    before = stored_of(states, license_key)
    is_good = code in GOOD
    good_iat = iat if is_good else before and before["good_iat"]
    others = [one for one in states if one["license_key"] != license_key]
    return others + [{"license_key": license_key, "token": signed if is_good else None, "good_iat": good_iat,
                      "mark": iat, "allowance": DAY, "uptime": uptime}]


def started(one):
    """What is stored after a start at which the clock is right."""
    return dict(one, mark=NOW, uptime=UPTIME)


def accepted(name, about, signed, code="VALID", iat=NOW, reply=None, states=(), requests=None, server=SERVER, **more):
    """The server is asked once, and its answer is accepted."""
    vector(name, about, code, "server", [request(server)] if requests is None else requests,
           [reply or answer(signed, code)], states, answered(states, signed, code, iat), server=server, **more)


def no_answer(name, about, reply, states=(), after=None, **more):
    """The server is asked once, there is no acceptable answer, and there is no lease."""
    vector(name, about, "NO_ANSWER", "none", [request()], [reply], states, after, **more)


def rejected(name, about, signed, **more):
    """A well-formed answer with a token that must be rejected."""
    no_answer(name, about, answer(signed), **more)


def leased(name, about, signed, code="VALID", iat=NOW - DAY, reply=UNREACHABLE, asks=False, **more):
    """The lease decides."""
    before = state(signed, iat)
    vector(name, about, code, "lease", [request()] if asks else [], [reply] if asks or reply else [], [before],
           [started(before)], **more)


def no_lease(name, about, signed, iat=NOW - DAY, reply=UNREACHABLE, **more):
    """There is a stored token that cannot be used, and no acceptable answer."""
    before = state(signed, iat)
    no_answer(name, about, reply, [before], [started(before)], **more)


# ---- verdict/ and strict/: what an answer means ----

def good_answers():
    for code in GOOD:
        signed = token(claims(code))
        accepted("good-" + code.lower().replace("_", "-"), "A signed %s is good and is stored as the lease." % code,
                 signed, code)
    accepted("good-rotated-key", "Signed with the next key, which is also pinned.", token(key=NEXT))
    accepted("good-one-of-one-key", "One pinned key is enough to verify.", token(), keys=(CURRENT,))
    for name, key in (("generator", GENERATOR), ("negative-generator", NEGATIVE_GENERATOR)):
        accepted("good-key-is-" + name, "A public key that is a special case for point addition.", token(key=key),
                 keys=(key,))
    accepted("good-perpetual", "A perpetual license has no expiration_date.", token(claims(expiration_date=None)))
    accepted("good-unknown-claims", "Claims that the client does not know are ignored.",
             token(claims(jti="7", seats={"used": 1, "of": [3]})))
    accepted("good-edition", "So are those of newer servers, whatever their type.",
             token(claims(edition="Pro", features=["export", "pr\u00fcfen"], data="x" * 1024,
                          updates_until="2026-01-01", latest_version="9.0", latest_url="https://vendor.example/",
                          minimum_version="8.0")))
    accepted("good-edition-odd", "Even if they make no sense.",
             token(claims(edition=7, features={"": None}, updates_until="2000-01-01", minimum_version=[])))
    accepted("good-without-message", "message and expiration_date are displayed and decide nothing.",
             token(claims(without=("message", "expiration_date"))))
    accepted("good-non-ascii-message", "The message is UTF-8, escaped or not.",
             token(claims(message="Gültig bis Jahresende \u2013 danke! \U0001f600")))
    accepted("good-escaped-message", "The same characters, escaped.",
             token(json.dumps(claims(message="G\u00fcltig \U0001f600")).encode("ascii")))
    tool = "Pr\u00fcfer \u201e3\u201c"
    accepted("good-non-ascii-tool", "The tool's name is compared as text, byte for byte.",
             token(claims(aud=tool)), tool=tool)
    accepted("good-high-s", "ES256 allows s in the upper half of its range.",
             token(sign=lambda rs: pair((rs[0], max(rs[1], N - rs[1])))))
    accepted("good-low-s", "And in the lower half.", token(sign=lambda rs: pair((rs[0], min(rs[1], N - rs[1])))))
    signed = token()
    accepted("good-status-500", "The HTTP status is not signed and is ignored.", signed,
             reply=answer(signed, status=500))
    accepted("good-status-404", "Even if it looks like a refusal.", signed, reply=answer(signed, status=404))
    accepted("good-content-type", "The content type is ignored.", signed, reply=answer(signed, kind="text/html"))
    accepted("good-fields-differ", "The unsigned fields say REVOKED: only the token counts.", signed,
             reply=answer(signed, "REVOKED", status=200))
    accepted("good-token-alone", "Only the token is needed.", signed,
             reply=json_answer(compact({"token": signed}).decode("ascii")))
    data = b"\xef\xbb\xbf" + answer(signed)["body"].encode("utf-8")
    accepted("good-byte-order-mark", "A byte order mark before the answer is skipped.", signed,
             reply=raw_answer(data))
    signed = token(claims(http=404))
    accepted("good-http-claim-differs", "The code is the verdict; the http claim is not compared with anything.",
             signed, reply=answer(signed))
    accepted("good-clock-far-ahead", "The PC's clock is a year ahead: iat and exp are not compared online.",
             token(claims(iat=NOW - 365 * DAY)), iat=NOW - 365 * DAY)
    accepted("good-clock-far-behind", "The PC's clock is ten years behind: the nonce proves freshness.",
             token(claims(iat=NOW + 3650 * DAY)), iat=NOW + 3650 * DAY)
    for name, address in (("", SERVER + "/api/check"), ("-slash", SERVER + "/api/check/"),
                          ("-slashes", SERVER + "//api/check//"), ("-blanks", "  " + SERVER + "/ \n")):
        accepted("good-address" + name, "The address %s." % json.dumps(address), token(), server=address,
                 requests=[request()])


def refusals():
    for code in ("EXPIRED", "SUSPENDED", "REVOKED", "NOT_FOUND"):
        accepted("refused-" + code.lower().replace("_", "-"), "A signed %s is a refusal and leaves no lease." % code,
                 token(claims(code)), code)
    signed = token(claims("REVOKED"), NEXT)
    accepted("refused-rotated-key", "The next key may sign a refusal, too.", signed, "REVOKED")
    signed = token(claims("REVOKED"))
    accepted("refused-fields-differ", "The unsigned fields say valid: only the token counts.", signed, "REVOKED",
             reply=answer(signed, "VALID"))
    accepted("refused-clock-far-ahead", "A refusal does not depend on the PC's clock.", signed, "REVOKED",
             now=NOW + 1000 * DAY)


def no_answers():
    no_answer("none-unreachable", "The server is unreachable: that is not a refusal.", None)
    no_answer("none-html", "A Wi-Fi welcome page is not an answer.", html(200, "Welcome"))
    no_answer("none-proxy-404", "A proxy's own 404 page is not a refusal.", html(404, "404 Not Found"))
    no_answer("none-proxy-403", "Nor is its 403 page.", html(403, "403 Forbidden"))
    no_answer("none-proxy-502", "Nor is its 502 page.", html(502, "502 Bad Gateway"))
    no_answer("none-unsigned-valid", "A fake server's plain 200 does not answer a signed check.",
              json_answer('{"status":"valid","message":"License is active and valid."}'))
    no_answer("none-unsigned-refusal", "Nor does a plain 404.",
              json_answer('{"status":"invalid","message":"License key not found for this tool."}', 404))
    no_answer("none-unsigned-code", "A code without a token is not an answer.", answer(None))
    no_answer("none-fault", "A server error is not a verdict.",
              json_answer('{"status":"error","message":"The database is locked."}', 503))
    no_answer("none-try-later", "Nor is being asked to wait.",
              json_answer('{"status":"error","message":"Too many trials.","reason":"TRY_LATER"}', 429))
    no_answer("none-proxy-407", "A proxy wants a sign-in.", html(407, "Proxy Authentication Required"))
    no_answer("none-too-long", "The answer is longer than 64 KiB.",
              json_answer(" " * (64 * 1024 + 1 - len(answer(token())["body"])) + answer(token())["body"]))
    accepted("good-64-kib", "The longest answer that counts.", token(),
             reply=json_answer(" " * (64 * 1024 - len(answer(token())["body"])) + answer(token())["body"]))
    data = answer(token(), note="@")["body"].encode("utf-8").replace(b"@", b"\xfc\xff")
    no_answer("strict/answer-not-utf-8", "Something beside the token is not UTF-8.",
              raw_answer(data))
    for name, about, body in (
            ("empty", "The answer is empty.", ""),
            ("array", "The answer is a JSON array.", "[%s]" % json.dumps(token())),
            ("text", "The answer is the bare token.", token()),
            ("cut-short", "The answer is cut short.", answer(token())["body"][:-40]),
            ("token-null", "The token is null.", '{"token":null}'),
            ("token-object", "The token is an object.", '{"token":{"code":"VALID"}}'),
            ("token-empty", "The token is empty.", '{"token":""}'),
            ("token-array", "The token is in an array.", compact({"token": [token()]}).decode("ascii"))):
        no_answer("none-" + name, about, json_answer(body))


def forged_tokens():
    rejected("forged-foreign-key", "Signed with a foreign key, but with the ID of a pinned one.",
             token(key=FOREIGN, header=CURRENT.header))
    rejected("forged-unknown-kid", "Correctly signed with a key that is not pinned.", token(key=FOREIGN))
    rejected("forged-retired-kid", "Signed with a key that other programs pin, but not this one.", token(),
             keys=(NEXT,))
    rejected("forged-renamed-kid", "Signed with a pinned key, but with an unknown ID.",
             token(header=dict(CURRENT.header, kid=FOREIGN.kid)))
    rejected("forged-other-pinned-key", "Signed with one pinned key, but with the ID of another.",
             token(key=NEXT, header=CURRENT.header))
    rejected("forged-none", "alg none, without a signature.",
             token(header=dict(CURRENT.header, alg="none"), sign=lambda rs: b""))
    rejected("forged-none-signed", "alg none, even with a correct signature.",
             token(header=dict(CURRENT.header, alg="none")))
    rejected("forged-no-signature", "The signature is missing.", token(sign=lambda rs: b""))
    secret = compact(CURRENT.jwk)
    header = dict(CURRENT.header, alg="HS256")
    message = base64url(compact(header)) + "." + base64url(compact(claims()))
    rejected("forged-hs256", "alg HS256, with the public key as the secret.",
             message + "." + base64url(hmac.new(secret, message.encode("ascii"), "sha256").digest()))
    for name, about, changed in (
            ("alg-es384", "Another alg, though it was signed with ES256.", {"alg": "ES384"}),
            ("alg-lower-case", "alg is compared byte for byte.", {"alg": "es256"}),
            ("alg-array", "alg is an array.", {"alg": ["ES256"]}),
            ("typ-jwt", "Another typ: a token for another purpose.", {"typ": "JWT"}),
            ("kid-number", "kid is a number.", {"kid": 1}),
            ("kid-array", "kid is an array.", {"kid": [CURRENT.kid]}),
            ("extra-header", "The header has a fourth member.", {"cty": "x"}),
            ("crit", "The fourth member is crit.", {"crit": ["exp"]}),
            ("embedded-key", "A key in the header is never trusted.", {"jwk": CURRENT.jwk})):
        rejected("forged-" + name, about, token(header=dict(CURRENT.header, **changed)))
    for name in ("alg", "kid", "typ"):
        header = {member: value for member, value in CURRENT.header.items() if member != name}
        rejected("forged-without-" + name, "The header has no %s." % name, token(header=header))
    rejected("forged-header-text", "The header is a string.", token(header=b'"ES256"'))
    rejected("forged-header-damaged", "The header is not JSON.", token(header=compact(CURRENT.header)[:-1]))
    rejected("strict/forged-alg-twice", "The header has two alg members.",
             token(header=b'{"alg":"none",' + compact(CURRENT.header)[1:]))
    altered = token(claims("REVOKED")).split(".")
    altered[1] = base64url(compact(claims()))
    rejected("forged-altered-code", "A signed refusal whose claims were replaced.", ".".join(altered))
    rejected("forged-flipped-bit", "One bit of the signature is flipped.",
             token(sign=lambda rs: pair((rs[0], rs[1] ^ 1))))
    rejected("forged-swapped", "s comes before r.", token(sign=lambda rs: pair(rs[::-1])))
    rejected("forged-r-zero", "r is zero.", token(sign=lambda rs: pair((0, rs[1]))))
    rejected("forged-s-zero", "s is zero.", token(sign=lambda rs: pair((rs[0], 0))))
    rejected("forged-both-zero", "r and s are zero (CVE-2022-21449).", token(sign=lambda rs: bytes(64)))
    rejected("forged-r-is-n", "r is the order of the curve.", token(sign=lambda rs: pair((N, rs[1]))))
    rejected("forged-s-is-n", "s is the order of the curve.", token(sign=lambda rs: pair((rs[0], N))))
    rejected("forged-all-ones", "r and s are far above the order of the curve.", token(sign=lambda rs: b"\xff" * 64))
    signed = token(key=GENERATOR, sign=lambda rs: b"")
    digest = hashlib.sha256(signed.rpartition(".")[0].encode("ascii")).digest()
    rejected("forged-infinity", "r and s for which the sum of points is the point at infinity.",
             signed + base64url(pair((-int.from_bytes(digest, "big") % N, 3))), keys=(GENERATOR,))
    rejected("forged-der", "A correct signature, but in DER.", token(sign=der))
    rejected("forged-63-bytes", "The signature is one byte short.", token(sign=lambda rs: pair(rs)[:-1]))
    rejected("forged-65-bytes", "The signature is one byte too long.", token(sign=lambda rs: pair(rs) + b"\0"))
    rejected("forged-33-byte-numbers", "r and s have a leading zero.",
             token(sign=lambda rs: b"".join(b"\0" + big(number) for number in rs)))


def der(signature):
    numbers = b""
    for number in signature:
        data = number.to_bytes(number.bit_length() // 8 + 1, "big")
        numbers += bytes([2, len(data)]) + data
    return bytes([0x30, len(numbers)]) + numbers


def damaged_tokens():
    good = token()
    rejected("damaged-two-parts", "There are only two parts.", good.rpartition(".")[0])
    rejected("damaged-four-parts", "There is a fourth part.", good + ".e30")
    rejected("damaged-fourth-empty", "The fourth part is empty.", good + ".")
    rejected("damaged-truncated", "The end is missing.", good[:-10])
    rejected("damaged-newline", "A line break follows.", good + "\n")
    rejected("damaged-space", "A space precedes it.", " " + good)
    rejected("damaged-prefix", "The word Bearer precedes it.", "Bearer " + good)
    rejected("damaged-inner-newline", "There is a line break in the middle.", good[:50] + "\n" + good[50:])
    rejected("damaged-signature-padded", "The base64url of the signature is padded.", good + "==")
    # Signed in this form, so that only the encoding is wrong.
    text = base64url(compact(claims(x=padded(1))))
    rejected("damaged-payload-padded", "The base64url of the claims is padded, and signed with the padding.",
             token(text + "="))
    rejected("damaged-payload-spare-bits", "The spare bits of the claims are not zero, and signed in this form.",
             token(text[:-1] + chr(ord(text[-1]) + 1)))
    rejected("damaged-signature-spare-bits", "The spare bits of the signature are not zero.",
             good[:-1] + chr(ord(good[-1]) + 1))
    text = base64.b64encode(compact(claims(x="\u00bf\u00bf\u00bf?>?>?>"))).rstrip(b"=").decode("ascii")
    assert "+" in text or "/" in text
    rejected("damaged-other-alphabet", "The claims are in plain base64, and signed in this form.", token(text))
    rejected("damaged-non-ascii", "A character is not ASCII.", good[:-1] + "\u00e9")


def padded(spare):
    """The value of a claim with which the encoded claims need `spare` characters of padding."""
    return next("x" * n for n in range(3) if -len(compact(claims(x="x" * n))) % 3 == spare)


def other_checks():
    rejected("other-nonce", "The answer to another check: a replay.", token(claims(nonce=NONCE[::-1])))
    rejected("other-nonce-case", "The nonce is compared byte for byte.", token(claims(nonce=NONCE.swapcase())))
    rejected("other-no-nonce", "There is no nonce.", token(claims(without=("nonce",))))
    rejected("other-nonce-null", "The nonce is null.", token(claims(nonce=None)))
    rejected("other-tool", "Another tool's license.", token(claims(aud="Tool_B")))
    rejected("other-tool-case", "The tool's name is compared byte for byte.", token(claims(aud="tool_a")))
    rejected("other-tool-array", "aud is an array, not a string.", token(claims(aud=[TOOL])))
    rejected("other-no-tool", "There is no aud.", token(claims(without=("aud",))))
    rejected("other-machine", "Another machine's license.", token(claims(sub="0a:1b:2c:3d:4e:60")))
    rejected("other-machine-spelling", "sub must be exactly the key that was sent.",
             token(claims(sub="0A-1B-2C-3D-4E-5F")))
    rejected("other-no-machine", "There is no sub.", token(claims(without=("sub",))))


def group_of(name, kind=""):
    """http decides nothing, and JSON.parse cannot tell 1.0 from 1."""
    return "strict/" if name == "http" or kind == "fraction" else ""


def odd_claims():
    rejected("odd-future-code", "A code of a newer server is not an answer, neither good nor a refusal.",
             token(claims("PAUSED")))
    rejected("odd-lower-case-code", "Codes are compared byte for byte.", token(dict(claims(), code="valid")))
    rejected("odd-no-answer-code", "NO_ANSWER is the client's own code.", token(dict(claims(), code="NO_ANSWER")))
    rejected("odd-code-true", "The code is true.", token(dict(claims(), code=True)))
    rejected("odd-code-array", "The code is an array.", token(dict(claims(), code=["VALID"])))
    for name in ("code", "http", "iat", "exp"):
        rejected(group_of(name) + "odd-without-" + name, "There is no %s." % name, token(claims(without=(name,))))
    for name in ("http", "iat", "exp"):
        number = claims()[name]
        raw = compact(dict(claims(), **{name: "@"})).decode("ascii")
        for kind, about, text in (
                ("text", "a string", '"%d"' % number), ("fraction", "written with a fraction", "%d.0" % number),
                ("half", "not whole", "%d.5" % number), ("true", "true", "true"), ("null", "null", "null")):
            rejected(group_of(name, kind) + "odd-%s-%s" % (name, kind), "%s is %s, not an integer." % (name, about),
                     token(raw.replace('"@"', text).encode("ascii")))
    raw = compact(claims(exp="@")).decode("ascii")
    rejected("strict/odd-exp-exponent", "exp is written with an exponent.",
             token(raw.replace('"@"', "2e9").encode("ascii")))
    rejected("odd-exp-enormous", "exp is after the year 9999.", token(claims(exp=10 ** 30)))
    rejected("odd-exp-is-iat", "exp is not after iat.", token(claims(exp=NOW)))
    rejected("odd-exp-before-iat", "exp is before iat.", token(claims(exp=NOW - 1)))
    rejected("odd-array", "The claims are an array.", token(b"[" + compact(claims()) + b"]"))
    rejected("odd-null", "The claims are null.", token(b"null"))
    rejected("odd-not-json", "The claims are not JSON.", token(compact(claims())[:-1]))
    rejected("odd-two-objects", "A second object follows the claims.", token(compact(claims()) + b"{}"))
    rejected("strict/odd-code-twice", "A claim appears twice: parsers would disagree.",
             token(b'{"code":"REVOKED",' + compact(claims())[1:]))
    rejected("odd-not-utf-8", "The claims are not UTF-8.",
             token(compact(claims(message="@")).replace(b"@", b"\xfc\xff")))
    rejected("odd-nan", "NaN is not JSON.", token(compact(claims(x="@")).replace(b'"@"', b"NaN")))


# ---- lease/: what a stored answer allows ----

def leases():
    fresh = token(claims(iat=NOW - DAY))
    refusal = answer(token(claims("REVOKED")), "REVOKED")
    for code in GOOD:
        leased("lease/good-" + code.lower().replace("_", "-"), "A fresh lease decides without the server.",
               token(claims(code, NOW - DAY)), code)
    leased("lease/skips-server", "The server would refuse, but a fresh lease decides without asking it.", fresh,
           reply=refusal)
    leased("lease/rotated-key", "The lease may be signed with any pinned key.", token(claims(iat=NOW - DAY), NEXT))
    leased("lease/other-nonce", "The nonce of a lease is not compared.", token(claims(iat=NOW - DAY, nonce="x" * 16)))
    leased("lease/unknown-claims", "Nor are claims that the client does not know.",
           token(claims(iat=NOW - DAY, edition="Pro", updates_until="2026-01-01")))
    iat = NOW - TERM // 2
    leased("lease/half", "Past half of its life it still decides at once; it is refreshed in the background.",
           token(claims(iat=iat)), iat=iat)
    iat = NOW - TERM + 1
    leased("lease/last-second", "It is good until the last second.", token(claims(iat=iat)), iat=iat)
    for name, about, seconds in (("at-exp", "It expires at exp.", 0), ("expired", "It expired a day ago.", DAY)):
        iat = NOW - TERM - seconds
        no_lease("lease/" + name, about, token(claims(iat=iat)), iat)
    iat = NOW - TERM
    old = token(claims(iat=iat))
    no_lease("lease/expired-html", "It has expired, and a proxy answers: no answer, and nothing is erased.", old, iat,
             html(404, "404 Not Found"))
    no_lease("lease/expired-forged", "It has expired, and the answer is forged.", old, iat,
             answer(token(key=FOREIGN, header=CURRENT.header)))
    accepted("lease/renewed", "It has expired, and the server renews it.", token(), states=[state(old, iat)])
    accepted("lease/expired-refused", "A refusal erases an expired lease, but not when it was last good.",
             token(claims("REVOKED")), "REVOKED", states=[state(old, iat)])
    accepted("lease/after-refusal", "After a refusal, a good answer is stored again.", token(),
             states=[state(None, NOW - DAY)])
    no_answer("lease/erased", "After a refusal there is no lease.", UNREACHABLE, [state(None, NOW - DAY)])
    no_answer("lease/never-good", "A machine that was only ever refused.", UNREACHABLE,
              [state(None, None, NOW - DAY)])

    for name, about, signed in (
            ("other-machine", "it was copied from another machine.",
             token(claims(iat=NOW - DAY, sub="0a:1b:2c:3d:4e:60"))),
            ("other-tool", "it was copied from another tool.", token(claims(iat=NOW - DAY, aud="Tool_B"))),
            ("unknown-key", "it is signed with a key that is not pinned.", token(claims(iat=NOW - DAY), FOREIGN)),
            ("foreign-key", "it is signed with a foreign key, but with the ID of a pinned one.",
             token(claims(iat=NOW - DAY), FOREIGN, CURRENT.header)),
            ("none", "it is not signed.",
             token(claims(iat=NOW - DAY), header=dict(CURRENT.header, alg="none"), sign=lambda rs: b"")),
            ("refusal", "it is a signed refusal.", token(claims("REVOKED", NOW - DAY, exp=NOW + TERM))),
            ("future-code", "it has a code that the client does not know.",
             token(claims("PAUSED", NOW - DAY, exp=NOW + TERM))),
            ("truncated", "its end is missing.", fresh[:-1]),
            ("newline", "a line break was added.", fresh + "\n"),
            ("empty", "it is empty.", "")):
        no_lease("lease/" + name, "The stored token is verified again: " + about, signed)
    longer = fresh.split(".")
    longer[1] = base64url(compact(claims(iat=NOW - DAY, exp=NOW + 1000 * DAY)))
    no_lease("lease/altered", "Its exp was altered.", ".".join(longer))
    accepted("lease/altered-renewed", "It was altered; the server is asked and answers.", token(),
             states=[state(".".join(longer), NOW - DAY)])

    accepted("lease/refresh", "A forced refresh: a good answer replaces the lease.", token(),
             states=[state(fresh, NOW - DAY)], refresh=True)
    accepted("lease/refresh-refused", "A forced refresh: the refusal erases a lease that could still be used.",
             token(claims("REVOKED")), "REVOKED", states=[state(fresh, NOW - DAY)], refresh=True)
    for name, about, reply in (
            ("unreachable", "the server is unreachable", UNREACHABLE),
            ("html", "a proxy answers", html(502, "502 Bad Gateway")),
            ("unsigned-refusal", "the answer is an unsigned refusal", answer(None, "REVOKED")),
            ("forged-refusal", "the answer is a forged refusal",
             answer(token(claims("REVOKED"), FOREIGN, CURRENT.header), "REVOKED")),
            ("replayed-refusal", "the answer is a replayed refusal",
             answer(token(claims("REVOKED", nonce=NONCE[::-1])), "REVOKED")),
            ("other-machine-refusal", "the answer is another machine's refusal",
             answer(token(claims("REVOKED", sub="0a:1b:2c:3d:4e:60")), "REVOKED")),
            ("other-tool-refusal", "the answer is another tool's refusal",
             answer(token(claims("REVOKED", aud="Tool_B")), "REVOKED")),
            ("forbidden-redirect", "it is redirected to another host without TLS",
             redirect("http://other.example/api/check")),
            ("try-later", "the server wants to be asked later",
             json_answer('{"status":"error","message":"Too many trials.","reason":"TRY_LATER"}', 429)),
            ("future-code", "the answer has a code that the client does not know", answer(token(claims("PAUSED"))))):
        leased("lease/refresh-" + name, "A forced refresh, but %s: the lease stays and decides." % about,
               fresh, reply=reply, asks=True, refresh=True)


# ---- clock/: what setting the clock back gains ----

def clocks():
    # All expected numbers are written out, so that a mistake in the rule would have to be made twice.
    iat = NOW - DAY
    fresh = token(claims(iat=iat))

    def starts(name, about, before, after, code="VALID", **more):
        """A start with this state; without a lease, the server is unreachable."""
        source, requests = ("lease", []) if code == "VALID" else ("none", [request()])
        vector("clock/" + name, about, code, source, requests, states=[before], after=[after], **more)

    def ends(name, about, before, uptime=UPTIME, **more):
        after = dict(before, token=None, allowance=0, uptime=uptime)
        starts(name, about, before, after, "NO_ANSWER", uptime=uptime, **more)

    starts("next-day", "The first start after the answer, a day later.",
           state(fresh, iat, iat, DAY, UPTIME - DAY), state(fresh, iat, NOW, DAY, UPTIME))
    starts("same-moment", "Two starts in the same second.", state(fresh, iat, NOW), state(fresh, iat, NOW))
    rounded = state(fresh, iat, NOW - 10, DAY, UPTIME - 11)
    starts("rounding", "The uptime has moved by a second more than the clock: both are rounded, and nothing changes.",
           rounded, rounded)
    starts("no-rounding", "Two seconds are not rounding.",
           state(fresh, iat, NOW - 10, DAY, UPTIME - 12), state(fresh, iat, NOW, DAY - 2, UPTIME))
    starts("ahead", "The clock is three days ahead: the mark moves along.",
           state(fresh, iat, NOW), state(fresh, iat, NOW + 3 * DAY), now=NOW + 3 * DAY)
    starts("far-ahead", "The clock is a year ahead: the lease has expired, but is not erased.",
           state(fresh, iat, NOW), state(fresh, iat, NOW + 365 * DAY), "NO_ANSWER", now=NOW + 365 * DAY)
    starts("hour-back", "Corrected by an hour, ten minutes later: the allowance pays for it.",
           state(fresh, iat, NOW, DAY, UPTIME), state(fresh, iat, NOW - HOUR + 600, DAY - HOUR, UPTIME + 600),
           now=NOW - HOUR + 600, uptime=UPTIME + 600)
    starts("two-hours-back", "The other system of a dual-boot PC sets the clock two hours back.",
           state(fresh, iat, NOW, DAY, UPTIME), state(fresh, iat, NOW - 2 * HOUR + 120, DAY - 2 * HOUR, 120),
           now=NOW - 2 * HOUR + 120, uptime=120)
    starts("two-hours-forth", "And forward again: the allowance stays.",
           state(fresh, iat, NOW - 2 * HOUR, DAY - 2 * HOUR, 5000), state(fresh, iat, NOW + 300, DAY - 2 * HOUR, 120),
           now=NOW + 300, uptime=120)
    starts("24-hours", "Set back by exactly what the allowance pays for.",
           state(fresh, iat, NOW + DAY), state(fresh, iat, NOW, 0))
    ends("24-hours-1-second", "One second more ends the lease.", state(fresh, iat, NOW + DAY + 1))
    starts("rest", "Set back by exactly what is left of the allowance.",
           state(fresh, iat, NOW + HOUR, HOUR), state(fresh, iat, NOW, 0))
    ends("rest-1-second", "One second more ends the lease.", state(fresh, iat, NOW + HOUR + 1, HOUR))
    ends("used-up", "Nothing is left of the allowance, and the clock is set back by a minute.",
         state(fresh, iat, NOW + 60, 0))
    starts("used-up-forward", "Nothing is left of the allowance, but the clock goes forward.",
           state(fresh, iat, NOW - 60, 0), state(fresh, iat, NOW, 0))
    erased = state(None, iat, NOW + DAY + 1, 0)
    starts("stays-ended", "The clock is right again, but a lease that has ended stays so.",
           erased, erased, "NO_ANSWER", now=NOW + 2 * DAY)
    accepted("clock/ended-then-online", "Until the next answer, which restores the allowance.", token(),
             states=[erased])
    accepted("clock/back-online", "The lease ends, and the server grants a new one.", token(),
             states=[state(fresh, iat, NOW + 30 * DAY)])
    starts("set-back-to-the-last-start", "A clock that is set back to the last start at each start: with a restart in "
           "between, only the short uptime is noticed.",
           state(fresh, iat, NOW, DAY, UPTIME), state(fresh, iat, NOW, DAY - 60, 60), uptime=60)

    ends("uptime-evidence", "The computer has run for three days since the mark, but its clock for an hour.",
         state(fresh, iat, NOW - HOUR, DAY, UPTIME), uptime=UPTIME + 3 * DAY)
    starts("uptime-evidence-allowed", "It has run for eleven hours, but its clock for one.",
           state(fresh, iat, NOW - HOUR, DAY, UPTIME), state(fresh, iat, NOW, 14 * HOUR, UPTIME + 11 * HOUR),
           uptime=UPTIME + 11 * HOUR)
    starts("uptime-stands-still", "The clock stands still for five hours.",
           state(fresh, iat, NOW, DAY, UPTIME), state(fresh, iat, NOW, DAY - 5 * HOUR, UPTIME + 5 * HOUR),
           uptime=UPTIME + 5 * HOUR)
    starts("uptime-suspended", "The uptime may not count the time asleep: it is only a lower bound.",
           state(fresh, iat, NOW - 3 * DAY, DAY, UPTIME), state(fresh, iat, NOW, DAY, UPTIME + HOUR),
           uptime=UPTIME + HOUR)
    starts("restart", "After a restart, at least the new uptime has passed.",
           state(fresh, iat, NOW, DAY, UPTIME), state(fresh, iat, NOW, DAY - 5000, 5000), uptime=5000)
    ends("restart-evidence", "It was restarted and has run for two days, but its clock stands still.",
         state(fresh, iat, NOW, DAY, UPTIME * 3), uptime=2 * DAY)
    starts("uptime-unknown", "The uptime is not known now.",
           state(fresh, iat, NOW, DAY, UPTIME), state(fresh, iat, NOW, DAY, None), uptime=None)
    starts("uptime-was-unknown", "The uptime was not known then.",
           state(fresh, iat, NOW, DAY, None), state(fresh, iat, NOW, DAY, UPTIME))
    starts("uptime-unknown-hour-back", "It is never known; the clock is set back by an hour.",
           state(fresh, iat, NOW + HOUR, DAY, None), state(fresh, iat, NOW, DAY - HOUR, None), uptime=None)

    old = token(claims(iat=NOW - TERM))
    starts("expired-then-back", "An expired lease runs again within the allowance.",
           state(old, NOW - TERM, NOW + HOUR), state(old, NOW - TERM, NOW - 1, DAY - HOUR - 1), now=NOW - 1)
    ends("30-days-back", "Setting the clock back by 30 days does not bring back an expired lease.",
         state(token(claims(iat=NOW + 5 * DAY)), NOW + 5 * DAY, NOW + 20 * DAY), now=NOW - 10 * DAY)

    before = state(fresh, iat, NOW + HOUR)
    vector("clock/refresh-unreachable", "A forced refresh fails: the allowance is charged once.", "VALID", "lease",
           [request()], states=[before], after=[state(fresh, iat, NOW, DAY - HOUR)], refresh=True)
    before = state(fresh, iat, NOW + DAY + 1)
    vector("clock/refresh-ended", "A forced refresh fails, and the lease has ended.", "NO_ANSWER", "none",
           [request()], states=[before], after=[dict(before, token=None, allowance=0)], refresh=True)

    for name, about, ahead in (("30-days", "30 days", 30 * DAY), ("3-years", "three years", 3 * 365 * DAY)):
        server_was_ahead = state(token(claims(iat=NOW + ahead)), NOW + ahead)
        ends("server-%s-ahead" % name, "The server's clock was %s ahead, then the network failed." % about,
             server_was_ahead)
        accepted("clock/server-%s-ahead-then-right" % name,
                 "The server's clock was %s ahead and is right again: the mark goes down." % about, token(),
                 states=[server_was_ahead])
        accepted("clock/server-%s-ahead-then-refused" % name, "The same with a refusal.", token(claims("REVOKED")),
                 "REVOKED", states=[server_was_ahead])
        starts("server-%s-ahead-then-offline" % name, "The start after that: the new lease is used.",
               state(token(), NOW, NOW), state(token(), NOW, NOW + HOUR, DAY, UPTIME + HOUR),
               now=NOW + HOUR, uptime=UPTIME + HOUR)
    accepted("clock/local-years-ahead", "The local clock was a year ahead: a forced refresh sets the mark down.",
             token(), states=[state(fresh, iat, NOW + 365 * DAY)], refresh=True, now=NOW + 366 * DAY)


# ---- redirect/ ----

def redirects():
    secure = SECURE + "/api/check"
    good = answer(token())

    def follows(name, about, *hops, server=SERVER, code="VALID", last=good, **more):
        """Each hop is (Location, URL that is asked then or None if it is not allowed, whether with personal data)."""
        asked = [request(server)] + [request(url=url, personal=personal) for _, url, personal in hops if url]
        replies = [redirect(location) for location, _, _ in hops]
        if hops[-1][1] is None:
            assert code == "NO_ANSWER"
        else:
            replies.append(last)
        source = "none" if code == "NO_ANSWER" else "server"
        after = [] if code == "NO_ANSWER" else answered([], token(), code)
        vector("redirect/" + name, about, code, source, asked, replies, after=after, server=server, **more)

    def refused(name, about, *hops, **more):
        follows(name, about, *hops, code="NO_ANSWER", **more)

    for status in (301, 302, 303, 307, 308):
        vector("redirect/status-%d" % status, "%d to the https address of the same server: the POST is repeated with "
               "the same nonce." % status, "VALID", "server", [request(), request(url=secure)],
               [redirect(secure, status), good], after=answered([], token()))
    for status in (300, 304, 305, 306, 309):
        no_answer("redirect/status-%d" % status, "%d is not followed." % status, redirect(secure, status))

    chain = [SECURE + "/%d" % number for number in range(1, 7)]
    follows("chain-of-5", "Five redirects are followed.", *[(url, url, True) for url in chain[:5]])
    refused("chain-of-6", "A sixth is not.", *[(url, url, True) for url in chain[:5]], (chain[5], None, True))
    loop = SERVER + "/api/check"
    refused("loop", "A loop ends after five redirects, too.", *[(loop, loop, True)] * 5, (loop, None, True))

    other = "https://other.example/check"
    follows("other-host", "Another host over https: without personal data.", (other, other, False))
    follows("other-host-query", "A query belongs to the address.", (other + "?a=b", other + "?a=b", False))
    follows("other-host-from-https", "The same from an https address.", (other, other, False), server=SECURE)
    follows("other-host-and-back", "Back on the first host, personal data stays out.",
            (other, other, False), (secure, secure, False))
    refused("other-host-http", "Another host without TLS is refused.", ("http://other.example/check", None, True))
    refused("subdomain-http", "So is a subdomain.", ("http://www.licenses.example/licenseserver/api/check", None, True))
    moved = "http://licenses.example:8080/api/check"
    follows("other-port-http", "Another port of the same host, without TLS: without personal data.",
            (moved, moved, False))
    refused("other-port-other-host", "The host is compared with the configured one, not with the last one.",
            (other, other, False), ("http://other.example/check", None, True))
    moved = "https://licenses.example:8443/api/check"
    follows("other-port-https", "Another port of the same host with TLS: without personal data.",
            (moved, moved, False), server=SECURE)
    follows("port-and-back", "Back on the first port, personal data stays out.",
            (moved, moved, False), (secure, secure, False), server=SECURE)
    follows("port-8080-to-443", "From a port of its own to the default port: without personal data.",
            (secure, secure, False), server="http://licenses.example:8080/licenseserver")
    refused("https-to-http", "Never from https to http.", (SERVER + "/api/check", None, True), server=SECURE)
    refused("https-to-http-later", "Not even after a hop that was not https at first.",
            (secure, secure, True), (SERVER + "/api/check", None, True))
    refused("https-elsewhere-to-http", "Nor back to the first host.",
            (other, other, False), (SERVER + "/api/check", None, True))
    moved = "http://licenses.example/moved/api/check"
    follows("same-host-http", "Another path of the same server, without TLS.", (moved, moved, True))
    follows("upper-case", "Scheme and host name have no case.",
            ("HTTPS://Licenses.EXAMPLE/licenseserver/api/check", secure, True))
    follows("relative", "A Location may be relative.", ("/moved/api/check", moved, True))
    follows("relative-path", "To the folder, too.", ("check2", SERVER + "/api/check2", True))
    follows("relative-scheme", "Or only leave out the scheme.", ("//other.example/check", other, False), server=SECURE)
    refused("relative-scheme-http", "Which then is http.", ("//other.example/check", None, True))
    for name, about, reply in (
            ("no-location", "There is no Location.", html(301, "Moved")),
            ("empty-location", "It is empty.", redirect("")),
            ("ftp", "It is neither http nor https.", redirect("ftp://licenses.example/api/check")),
            ("file", "It is a file.", redirect("file:///etc/passwd")),
            ("malformed", "It is malformed.", redirect("https://[licenses.example/api/check"))):
        no_answer("redirect/" + name, "A redirect without a usable Location is no answer: " + about, reply)
    follows("forged", "The answer after a redirect is verified like any other.", (secure, secure, True),
            code="NO_ANSWER", last=answer(token(key=FOREIGN, header=CURRENT.header)))
    follows("refused", "A signed refusal after a redirect counts.", (other, other, False), code="REVOKED",
            last=answer(token(claims("REVOKED")), "REVOKED"))
    vector("redirect/unreachable", "The target of the redirect is unreachable.", "NO_ANSWER", "none",
           [request(), request(url=secure)], [redirect(secure)])


# ---- tls/: certificates that cannot be verified ----

def certificates():
    date, issuer, host = ({"tls": what} for what in ("date", "issuer", "host"))
    check, good = SECURE + "/api/check", answer(token())
    first, retry = request(SECURE), request(SECURE, personal=False, verified=False)

    def tls(name, about, requests, answers, code="VALID", server=SECURE, signed=None, **more):
        source = "none" if code == "NO_ANSWER" else "server"
        after = [] if code == "NO_ANSWER" else answered([], signed or token(), code)
        vector("tls/" + name, about, code, source, requests, answers, after=after, server=server, **more)

    for name, about, problem in (("date", "is expired or not yet valid", date),
                                 ("issuer", "has an unknown issuer", issuer), ("host", "is for another host", host)):
        tls(name, "The certificate %s: asked once more without verification and personal data, the answer counts by "
            "its signature." % about, [first, retry], [problem, good])
    tls("forged", "The second answer is forged.", [first, retry],
        [issuer, answer(token(key=FOREIGN, header=CURRENT.header))], "NO_ANSWER")
    tls("unsigned", "The second answer is not signed.", [first, retry], [issuer, answer(None)], "NO_ANSWER")
    tls("unreachable", "The second request fails: there is no third.", [first, retry], [date], "NO_ANSWER")
    tls("refused", "A signed refusal counts, too.", [first, retry],
        [issuer, answer(token(claims("REVOKED")), "REVOKED")], "REVOKED")
    tls("network-error", "Another error is not a reason to ask again.", [first], [UNREACHABLE], "NO_ANSWER")

    hop = request(url=check)
    tls("hop", "A redirect leads to the server whose certificate has expired.",
        [request(), hop, dict(hop, personal=False, verified=False)], [redirect(check), date, good], server=SERVER)
    other = "https://other.example/check"
    hop = request(url=other, personal=False)
    tls("hop-other-host", "A redirect leads to another host whose certificate cannot be verified.",
        [request(), hop, dict(hop, verified=False)], [redirect(other), issuer, good], server=SERVER)
    tls("then-other-host", "The second request is redirected: the next address is verified again.",
        [first, retry, hop], [issuer, redirect(other), good])
    tls("then-same-host", "After a request that was not verified, personal data stays out.",
        [first, retry, request(url=SECURE + "/moved", personal=False)],
        [issuer, redirect("/licenseserver/moved"), good])
    tls("each-hop", "Each hop may be asked once more.",
        [first, retry, hop, dict(hop, verified=False)], [date, redirect(other), issuer, good])
    chain = [SECURE + "/%d" % number for number in range(1, 6)]
    requests, answers = [first, retry], [date, redirect(chain[0])]
    for number, url in enumerate(chain):
        hop = request(url=url, personal=False)
        requests += [hop, dict(hop, verified=False)]
        answers += [date, redirect(chain[number + 1]) if number < 4 else good]
    tls("chain-of-5", "These do not count as redirects.", requests, answers)
    tls("then-http", "Never from https to http, least of all here.", [first, retry],
        [issuer, redirect(SERVER + "/api/check")], "NO_ANSWER")
    before = state(token(claims(iat=NOW - DAY)), NOW - DAY)
    vector("tls/lease", "A forced refresh gets no valid answer: the lease decides.", "VALID", "lease",
           [first, retry], [issuer, html(200, "Sign in to this network")], [before], [started(before)], server=SECURE,
           refresh=True)


# ---- machine-id/: with which machine ID the client asks ----

A, B, C, GONE, GONE_TOO = ("0a:1b:2c:3d:4e:5f", "0a:1b:2c:3d:4e:60", "6f9619ff-8b86-d011-b42d-00c04fc964ff",
                           "0a:1b:2c:3d:4e:61", "0a:1b:2c:3d:4e:62")


def machine_ids():
    both = machine(A, B, [A, B, C])
    first, second = request(license_key=A), request(license_key=B, nonce=NONCE_2)

    def signed(code="VALID", license_key=A, nonce=NONCE, iat=NOW):
        return token(claims(code, iat, sub=license_key, nonce=nonce))

    def asks(name, about, code, license_key, requests, codes, states=(), computer=both, **more):
        """Each request gets a signed answer with the code of the same number, or this answer if it is not a code."""
        answers, after = [], list(states)
        for one, reply in zip(requests, codes):
            if isinstance(reply, str):
                text = signed(reply, one["license_key"], one["nonce"])
                after = answered(after, text, reply, license_key=one["license_key"])
                reply = answer(text, reply)
            answers.append(reply)
        vector("machine-id/" + name, about, code, "none" if code == "NO_ANSWER" else "server", requests, answers,
               states, after, license_key, computer=computer, **more)

    asks("earlier", "The ID of earlier versions is asked first, and a good answer decides.", "VALID", A, [first],
         ["VALID"])
    for code in ("NOT_FOUND", "REVOKED", "EXPIRED", "SUSPENDED"):
        asks("preferred-after-" + code.lower().replace("_", "-"), "%s: the preferred ID is asked next, with a nonce of "
             "its own." % code, "VALID", B, [first, second], [code, "VALID"])
    asks("preferred-in-grace", "Any good code of the preferred ID decides.", "IN_GRACE", B, [first, second],
         ["NOT_FOUND", "IN_GRACE"])
    for codes, code, license_key, about in (
            (("NOT_FOUND", "NOT_FOUND"), "NOT_FOUND", B, "Both are not found: the preferred ID is the one to report."),
            (("REVOKED", "NOT_FOUND"), "REVOKED", A, "The refusal that says more decides."),
            (("NOT_FOUND", "EXPIRED"), "EXPIRED", B, "The refusal that says more decides, here the second."),
            (("EXPIRED", "REVOKED"), "EXPIRED", A, "Of two that say more, the first decides."),
            (("SUSPENDED", "EXPIRED"), "SUSPENDED", A, "Of two that say more, the first decides.")):
        asks("both-" + "-".join(codes).lower().replace("_", "-"), about, code, license_key, [first, second], codes)
    asks("earlier-unreachable", "Without an answer to the first question there is no second.", "NO_ANSWER", A, [first],
         [UNREACHABLE])
    asks("earlier-forged", "A forged answer is no answer, either.", "NO_ANSWER", A, [first],
         [answer(token(claims("NOT_FOUND", sub=A), FOREIGN, CURRENT.header), "NOT_FOUND")])
    asks("preferred-unreachable", "The first is refused, the second unanswered: no answer, not a refusal.",
         "NO_ANSWER", B, [first, second], ["NOT_FOUND", UNREACHABLE])
    asks("preferred-replayed", "The second answer has the nonce of the first question.", "NO_ANSWER", B,
         [first, second], ["NOT_FOUND", answer(signed("VALID", B, NONCE))])
    asks("preferred-for-earlier", "The second answer is for the first ID.", "NO_ANSWER", B,
         [first, second], ["NOT_FOUND", answer(signed("VALID", A, NONCE_2))])
    asks("same", "If both are the same, it is asked once.", "NOT_FOUND", A, [first], ["NOT_FOUND"],
         computer=machine(A, A, [A, B, C]))
    target = SECURE + "/api/check"
    asks("redirects", "Each question starts at the configured address.", "VALID", B,
         [first, dict(first, url=target), second, dict(second, url=target)],
         [redirect(target), "NOT_FOUND", redirect(target), "VALID"])
    other = "https://other.example/api/check"
    asks("redirects-elsewhere", "And with personal data again.", "VALID", B,
         [first, dict(first, url=other, personal=False), second, dict(second, url=other, personal=False)],
         [redirect(other), "NOT_FOUND", redirect(other), "VALID"])

    def lease(license_key, iat=NOW - DAY):
        return state(signed("VALID", license_key, iat=iat), iat, license_key=license_key)

    def runs(name, about, states, license_key, computer=both):
        after = [started(one) if one["license_key"] == license_key else one for one in states]
        vector("machine-id/" + name, about, "VALID", "lease", [], [], states, after, license_key, computer=computer)

    runs("remembered-earlier", "The ID that was last good is remembered, here the earlier one.", [lease(A)], A)
    runs("remembered-preferred", "Here the preferred one.", [lease(B)], B)
    runs("remembered-third", "Here one that is neither, but in the machine.", [lease(C)], C)
    runs("remembered-not-listed", "The earlier and the preferred ID count even if they are not listed as present.",
         [lease(A)], A, machine(A, B, [C]))
    runs("remembered-newest", "The newest counts; the states of other IDs stay as they are.",
         [lease(A, NOW - 2 * DAY), lease(B), lease(C, NOW - 3 * DAY)], B)
    alone = request(license_key=C)
    expired = lease(C, NOW - TERM)
    asks("remembered-expired", "Its lease has expired: it alone is asked.", "VALID", C, [alone], ["VALID"], [expired])
    asks("remembered-refused", "A refusal of it decides; no other ID is asked.", "REVOKED", C, [alone], ["REVOKED"],
         [expired])
    asks("remembered-refused-before", "A refusal does not make it forgotten.", "NOT_FOUND", C, [alone], ["NOT_FOUND"],
         [state(None, NOW - DAY, NOW, license_key=C)])
    asks("remembered-unreachable", "No answer for it: no other ID is asked.", "NO_ANSWER", C, [alone], [UNREACHABLE],
         [state(None, NOW - DAY, NOW, license_key=C)])
    asks("refused-only", "An ID that was only ever refused is not remembered.", "VALID", A, [first], ["VALID"],
         [state(None, None, NOW - DAY, license_key=B)])
    asks("refusal-erases-its-own", "A refusal erases the lease of its own machine ID, and no other.", "REVOKED", B,
         [request(license_key=B)], ["REVOKED"], [lease(A, NOW - 2 * DAY), lease(B)], refresh=True)
    asks("refusal-of-another", "A refusal for another machine ID erases nothing.", "NO_ANSWER", B,
         [request(license_key=B)], [answer(signed("REVOKED", A), "REVOKED")],
         [lease(A, NOW - TERM - DAY), state(None, NOW - DAY, NOW, license_key=B)])

    with_previous = [dict(one, previous_license_key=GONE) for one in (first, second)]
    asks("previous", "The remembered ID is no longer in the machine: the check names it.", "VALID", A,
         with_previous[:1], ["VALID"], [lease(GONE)])
    asks("previous-twice", "In both questions.", "NOT_FOUND", B, with_previous, ["NOT_FOUND", "NOT_FOUND"],
         [lease(GONE)])
    asks("previous-newest", "The newest is named.", "VALID", A, with_previous[:1], ["VALID"],
         [lease(GONE), lease(GONE_TOO, NOW - 2 * DAY)])
    asks("previous-refused-since", "Even if it has been refused since.", "VALID", A, with_previous[:1], ["VALID"],
         [state(None, NOW - DAY, NOW, license_key=GONE)])
    asks("previous-and-refused", "A present ID that was only ever refused does not hide it.", "VALID", A,
         with_previous[:1], ["VALID"], [lease(GONE), state(None, None, NOW - DAY, license_key=A)])
    asks("previous-never-good", "An ID that was only ever refused is not named.", "VALID", A, [first], ["VALID"],
         [state(None, None, NOW - DAY, license_key=GONE)])
    asks("previous-not-needed", "While a remembered ID is in the machine, no other is named.", "VALID", B,
         [request(license_key=B)], ["VALID"],
         [lease(GONE), state(None, NOW - 2 * DAY, NOW, license_key=B)])
    asks("previous-redirected", "It is not personal data.", "VALID", A,
         [with_previous[0], dict(with_previous[0], url=other, personal=False)], [redirect(other), "VALID"],
         [lease(GONE)])

    asks("trial", "The only question asks for a trial.", "TRIAL", A, [dict(first, trial=True)], ["TRIAL"],
         computer=machine(A, A, [A]), trial=True)
    asks("trial-second", "Of two questions, only the last does.", "TRIAL", B, [first, dict(second, trial=True)],
         ["NOT_FOUND", "TRIAL"], trial=True)
    asks("trial-not-needed", "The first question does not, even if no other follows.", "VALID", A, [first], ["VALID"],
         trial=True)
    asks("trial-remembered", "A remembered ID is the only question.", "EXPIRED", C, [dict(alone, trial=True)],
         ["EXPIRED"], [expired], trial=True)
    asks("trial-redirected", "A redirect repeats it.", "TRIAL", A,
         [dict(first, trial=True), dict(first, trial=True, url=target)], [redirect(target), "TRIAL"],
         computer=machine(A, A, [A]), trial=True)
    runs("trial-lease", "A lease decides without it.", [lease(A)], A)
    issuer = {"tls": "issuer"}
    twice = [request(SECURE, A), request(SECURE, B, NONCE_2)]
    asks("tls", "Each question may be asked once more without verification.", "VALID", B,
         [one for question in twice for one in (question, dict(question, personal=False, verified=False))],
         [issuer, "NOT_FOUND", issuer, "VALID"], server=SECURE)


# ---- standby/: several addresses ----

STANDBY, THIRD = "https://standby.example/licenseserver", "http://third.example"


def standbys():
    both = machine(A, B, [A, B])

    def asks(name, about, code, requests, replies, states=(), license_key=A, computer=None, source="server",
             standby=(STANDBY,), **more):
        """The question of the same number has this nonce, and gets this reply: a signed code, or another answer."""
        requests = [dict(one, nonce=NONCES[number]) for number, one in enumerate(requests)]
        answers, after = [], [started(one) for one in states]
        for one, reply in zip(requests, replies):
            if isinstance(reply, str):
                text = token(claims(reply, sub=one["license_key"], nonce=one["nonce"]))
                after = answered(after, text, reply, license_key=one["license_key"])
                reply = answer(text, reply)
            answers.append(reply)
        vector("standby/" + name, about, code, source, requests, answers, states, after, license_key,
               computer=computer, standby=standby, **more)

    first, second, third = request(), request(STANDBY), request(THIRD)
    forged = answer(token(key=FOREIGN, header=CURRENT.header))
    for name, about, reply in (
            ("unreachable", "The first address is unreachable", UNREACHABLE),
            ("error", "The first server has an error", html(500, "Internal Server Error")),
            ("overload", "The first server is overloaded", json_answer('{"status":"error","message":"Try again."}', 503)),
            ("not-found", "The first server does not know the address", html(404, "Not Found")),
            ("html", "The first answer is the page of a network", html(200, "Sign in to this network")),
            ("unsigned", "The first answer is not signed", answer(None)),
            ("unsigned-refusal", "The first answer is a refusal that is not signed", answer(None, "REVOKED")),
            ("forged", "The first answer is forged", forged),
            ("other-key", "The first answer is signed with a key that is not pinned", answer(token(key=FOREIGN))),
            ("replayed", "The first answer has an old nonce", answer(token(claims(nonce=NONCE_2)))),
            ("redirect", "The first server redirects to where it must not", redirect("http://other.example/check"))):
        asks(name, about + ": the second is asked, with a nonce of its own.", "VALID", [first, second],
             [reply, "VALID"])
    asks("good", "A good answer is final.", "VALID", [first], ["VALID"])
    for code in ("EXPIRED", "SUSPENDED", "REVOKED", "NOT_FOUND"):
        asks("refused-" + code.lower().replace("_", "-"), "So is a signed %s: the second address is not asked." % code,
             code, [first], [code])
    asks("malformed", "The first address is none: the second is asked.", "VALID", [second], ["VALID"],
         server="ftp://licenses.example")
    asks("third", "The addresses are asked in the order in which they are given.", "VALID", [first, second, third],
         [UNREACHABLE, html(502, "Bad Gateway"), "VALID"], standby=(STANDBY, THIRD))
    asks("none", "No address has an answer, and there is no lease.", "NO_ANSWER", [first, second],
         [UNREACHABLE, html(502, "Bad Gateway")], source="none")
    asks("all-malformed", "None is an address.", "NO_ANSWER", [], [], source="none", server="ftp://licenses.example",
         standby=("licenses.example",))

    lease = state(token(claims(iat=NOW - DAY)), NOW - DAY)
    asks("lease", "The lease decides without a question.", "VALID", [], [], [lease], source="lease")
    asks("lease-none", "A forced refresh has no answer from any address: the lease decides.", "VALID", [first, second],
         [UNREACHABLE, forged], [lease], source="lease", refresh=True)
    asks("lease-refreshed", "The second address replaces the lease.", "VALID", [first, second], [UNREACHABLE, "VALID"],
         [lease], refresh=True)
    asks("lease-refused", "A refusal by the second address erases the lease.", "REVOKED", [first, second],
         [UNREACHABLE, "REVOKED"], [lease], refresh=True)

    asks("machine-ids", "Each address is asked with both machine IDs; the first left the second question open.", "VALID",
         [first, dict(first, license_key=B), second, dict(second, license_key=B)],
         ["NOT_FOUND", UNREACHABLE, "NOT_FOUND", "VALID"], license_key=B, computer=both)
    asks("machine-ids-not-mixed", "Only the refusals of the address that answered both questions count.", "NOT_FOUND",
         [first, dict(first, license_key=B), second, dict(second, license_key=B)],
         ["REVOKED", UNREACHABLE, "NOT_FOUND", "NOT_FOUND"], license_key=B, computer=both)
    asks("machine-ids-good-later", "What the first address has refused, the second knows: a lease as ever.", "VALID",
         [first, dict(first, license_key=B), second], ["NOT_FOUND", UNREACHABLE, "VALID"], computer=both)
    asks("machine-ids-none", "A refusal without an answer to the next question is none.", "NO_ANSWER",
         [first, dict(first, license_key=B), second], ["NOT_FOUND", UNREACHABLE, UNREACHABLE], computer=both,
         source="none")
    asks("trial", "The last question to each address asks for a trial.", "TRIAL",
         [first, dict(first, license_key=B, trial=True), second, dict(second, license_key=B, trial=True)],
         ["NOT_FOUND", UNREACHABLE, "NOT_FOUND", "TRIAL"], license_key=B, computer=both, trial=True)

    hop = request(url="https://standby.example/moved")
    signed = token(claims(nonce=NONCE_2))
    for name, about, target in (
            ("redirected", "The second address redirects within its own server: personal data goes along.", hop),
            ("redirected-back", "The second address redirects to the first: without personal data.",
             request(url=SECURE + "/api/check", personal=False))):
        vector("standby/" + name, about, "VALID", "server",
               [first, dict(second, nonce=NONCE_2), dict(target, nonce=NONCE_2)],
               [UNREACHABLE, redirect(target["url"]), answer(signed)], after=answered([], signed), standby=(STANDBY,))
    issuer, retry = {"tls": "issuer"}, request(SECURE, personal=False, verified=False)
    vector("standby/tls", "The certificate of the first address cannot be verified: the second is verified again, and "
           "gets personal data.", "VALID", "server", [request(SECURE), retry, dict(second, nonce=NONCE_2)],
           [issuer, UNREACHABLE, answer(signed)], after=answered([], signed), server=SECURE, standby=(STANDBY,))
    vector("standby/http", "An address without TLS may follow one with it: the vendor has given both.", "VALID",
           "server", [request(SECURE), dict(third, nonce=NONCE_2)], [UNREACHABLE, answer(signed)],
           after=answered([], signed), server=SECURE, standby=(THIRD,))


# ---- activation/: activation codes ----

CODE = "K7QM-2XWD-9FHT-VR4B"
REASONS = {
    "BAD_CODE": (422, "This code contains a typing error."),
    "UNKNOWN_CODE": (404, "There is no such activation code."),
    "WRONG_TOOL": (404, "This activation code is for Tool_B."),
    "CODE_EXPIRED": (403, "This activation code expired on 2026-12-31."),
    "CODE_SUSPENDED": (403, "This activation code is suspended."),
    "CODE_REVOKED": (403, "This activation code was revoked."),
    "MACHINE_BLOCKED": (403, "The license of this machine is suspended or revoked."),
    "SEATS_IN_USE": (409, "All 3 seats of this activation code are in use."),
    "OTHER_CODE": (409, "This machine already has a license of another activation code."),
    "MOVES_USED": (409, "Machines of this activation code were removed 9 times within a year, as often as allowed."),
    "OFFLINE_UNTIL": (409, "This machine has an offline file and cannot be removed until 2027-12-31."),
    "TRY_LATER": (429, "Too many attempts. Try again in 60 seconds."),
}
ONLY_REMOVAL = ("MOVES_USED", "OFFLINE_UNTIL")
# Without an answer, the message for the customer begins like this; the rest belongs to the client.
UNREACHABLE_WORDS = "The license server cannot be reached"


def activations():
    hand_over = {"activate": "/api/activate", "deactivate": "/api/deactivate"}

    def asked(action="activate", server=SERVER, nonce=NONCE, url=None, customer=None, license_key=MACHINE):
        is_activation = action == "activate"
        one = request(server, license_key, nonce if is_activation else None, url or server + hand_over[action],
                      is_activation)
        one["activation_code"] = CODE
        return dict(one, customer=customer) if customer else one

    def case(name, about, code, requests, answers, states=(), after=None, action="activate", reason=None, message=None,
             customer=None, **more):
        name = "activation/" + name
        vector(name, about, code, "none" if code == "NO_ANSWER" else "server", requests, answers, states,
               [started(one) for one in states] if after is None else after, **more)
        VECTORS[name].update(action=action, activation_code=CODE)
        if customer:
            VECTORS[name]["customer"] = customer
        if code == "NO_ANSWER":
            message = UNREACHABLE_WORDS
        VECTORS[name]["expected"].update(reason=reason, message=WORDS[code][2] if message is None else message)

    def refusal(reason, **more):
        status, message = REASONS[reason]
        return json_answer(compact(dict({"status": "error", "message": message, "field": "activation_code",
                                         "reason": reason}, **more)).decode("ascii"), status)

    signed, good = token(), answer(token())
    lease = state(token(claims(iat=NOW - DAY)), NOW - DAY)
    for code in GOOD:
        text = token(claims(code))
        case("good-" + code.lower().replace("_", "-"), "A signed %s is the result, and the lease." % code, code,
             [asked()], [answer(text, code)], after=answered([], text, code))
    case("good-after-refusal", "The machine was refused before.", "VALID", [asked()], [good],
         [state(None, NOW - DAY)], answered([state(None, NOW - DAY)], signed))
    case("good-in-the-second-of-a-refusal", "The check before was refused in the same second.", "VALID", [asked()],
         [good], [state(None, None, NOW)], answered([state(None, None, NOW)], signed))
    case("customer", "The customer is told to the vendor.", "VALID",
         [asked(customer={"name": "M\u00fcller", "email": "m@example.com"})], [good], after=answered([], signed),
         customer={"name": "M\u00fcller", "email": "m@example.com"})
    case("lease-decides-nothing", "The server is asked although there is a lease.", "VALID", [asked()], [good], [lease],
         answered([lease], signed))
    for code in ("SUSPENDED", "EXPIRED"):
        text = token(claims(code))
        case("signed-" + code.lower(), "A signed %s is a result, as in a check: it erases the lease." % code, code,
             [asked()], [answer(text, code)], [lease], answered([lease], text, code))
    both = machine(A, B, [A, B])
    text = token(claims(sub=B))
    case("machine-id", "One machine ID takes the seat: the one that the client would choose now.", "VALID",
         [asked(license_key=B)], [answer(text)], after=answered([], text, license_key=B), license_key=B, computer=both)
    before = state(token(claims(iat=NOW - DAY)), NOW - DAY, license_key=A)
    case("machine-id-remembered", "The one that was good before goes on.", "VALID", [asked()], [good], [before],
         answered([before], signed), computer=both)

    for reason, (_, message) in REASONS.items():
        name = reason.lower().replace("_", "-")
        if reason not in ONLY_REMOVAL:
            case("refused-" + name, "%s is no result: it erases no lease." % reason, "REFUSED", [asked()],
                 [refusal(reason)], [lease], reason=reason, message=message)
        if reason in ONLY_REMOVAL + ("MACHINE_BLOCKED", "UNKNOWN_CODE"):
            case("removal-refused-" + name, "The machine is not removed, so its lease stays.", "REFUSED",
                 [asked("deactivate")], [refusal(reason)], [lease], action="deactivate", reason=reason, message=message)
    case("refused-odd-types", "Of the other members only a text is shown; the reason counts.", "REFUSED", [asked()],
         [refusal("SEATS_IN_USE", message=7, seats="three", field=[])], reason="SEATS_IN_USE", message="")
    case("removed-odd-types", "So it is with a success.", "REMOVED", [asked("deactivate")],
         [json_answer('{"status":"success","message":7}')], [lease], [dict(lease, token=None, mark=NOW)],
         action="deactivate", message="")
    case("refused-with-more", "Members that the client does not know are ignored.", "REFUSED", [asked()],
         [refusal("SEATS_IN_USE", seats=3, more=[{}])], reason="SEATS_IN_USE", message=REASONS["SEATS_IN_USE"][1])

    removed = json_answer('{"status":"success","message":"Machine removed"}')
    case("removed", "The seat is free, and the lease is erased.", "REMOVED", [asked("deactivate")], [removed], [lease],
         [dict(lease, token=None, mark=NOW)], action="deactivate", message="Machine removed")
    other = state(token(claims(iat=NOW - DAY, sub=GONE)), NOW - DAY, license_key=GONE)
    case("removed-no-other", "The lease of another machine stays.", "REMOVED", [asked("deactivate")], [removed],
         [lease, other], [dict(lease, token=None, mark=NOW), other], action="deactivate", message="Machine removed")

    for action in hand_over:
        more = dict(action=action, states=[lease])
        for name, about, reply in (
                ("unreachable", "There is no answer.", UNREACHABLE),
                ("error", "The server has an error.", html(500, "Internal Server Error")),
                ("no-reason", "An error without a reason.", json_answer('{"status":"error","message":"Busy."}', 503)),
                ("other-reason", "A reason that is not on the list.",
                 json_answer('{"status":"error","message":"No.","reason":"NO_FUN"}', 403)),
                ("reason-only", "A reason without the status `error`.",
                 json_answer('{"status":"ok","message":"No.","reason":"CODE_REVOKED"}', 403)),
                ("reason-number", "A reason that is no text.",
                 json_answer('{"status":"error","message":"No.","reason":7}', 403)),
                ("reason-list", "A list of reasons.",
                 json_answer('{"status":"error","message":"No.","reason":["CODE_REVOKED"]}', 403)),
                ("reason-case", "A reason in small letters.",
                 json_answer('{"status":"error","message":"No.","reason":"code_revoked"}', 403)),
                ("reason-token", "A refusal has no token, of any type.", refusal("UNKNOWN_CODE", token=None)),
                ("reason-too-long", "The answer is longer than 64 KiB.",
                 refusal("UNKNOWN_CODE", more=" " * 64 * 1024)),
                ("deep", "Nested deeper than any program goes.", json_answer("[" * 30000 + "]" * 30000)),
                ("html", "The page of a network.", html(200, "Sign in to this network")),
                ("array", "No JSON object.", json_answer('["success"]')),
                ("old-server", "A server that knows no activation codes.", html(404, "Not Found"))):
            case("%s-%s" % (action, name), about, "NO_ANSWER", [asked(action)], [reply], **more)
        for what in ("date", "issuer", "host"):
            case("%s-tls-%s" % (action, what), "The certificate cannot be verified: the code is not sent.", "NO_ANSWER",
                 [asked(action, SECURE)], [{"tls": what}], server=SECURE, **more)
        secure = SECURE + hand_over[action]
        for name, about, server, target in (
                ("http", "A redirect to http, even on the same host.", SERVER, SERVER + "/moved"),
                ("https-to-http", "From https to http.", SECURE, SERVER + hand_over[action]),
                ("other-host", "To another host.", SECURE, "https://other.example" + hand_over[action]),
                ("subdomain", "To a subdomain.", SECURE, "https://www.licenses.example" + hand_over[action]),
                ("other-port", "To another port of the same host.", SECURE, "https://licenses.example:8443/"),
                ("nowhere", "To nowhere.", SECURE, "")):
            case("%s-redirect-%s" % (action, name), "The code is not sent there. " + about, "NO_ANSWER",
                 [asked(action, server)], [redirect(target)], server=server, **more)
        followed = removed if action == "deactivate" else good
        code, after, message = (("REMOVED", [dict(lease, token=None, mark=NOW)], "Machine removed")
                                if action == "deactivate" else ("VALID", answered([lease], signed), None))
        for status in (301, 302, 303, 307, 308):
            case("%s-redirect-%d" % (action, status), "%d to the https address of the same server is followed." % status,
                 code, [asked(action), asked(action, url=secure)], [redirect(secure, status), followed], after=after,
                 message=message, **more)
        port = "//licenses.example:8080/licenseserver"
        case(action + "-redirect-same-port", "To https on the same port.", code,
             [asked(action, "http:" + port), asked(action, url="https:" + port + "/moved")],
             [redirect("https:" + port + "/moved"), followed], after=after, message=message, server="http:" + port, **more)
        path = SECURE + "/moved"
        case(action + "-redirect-path", "Another path of the same server.", code,
             [asked(action, SECURE), asked(action, url=path)], [redirect("/licenseserver/moved"), followed], after=after,
             message=message, server=SECURE, **more)
        case(action + "-redirect-loop", "A loop ends after five redirects.", "NO_ANSWER",
             [asked(action, SECURE)] * 6, [redirect(secure)] * 6, server=SECURE, **more)
        second = asked(action, STANDBY, NONCE_2)
        case(action + "-standby-reason", "With several addresses, a refusal with a reason is final.", "REFUSED",
             [asked(action)], [refusal("UNKNOWN_CODE")], reason="UNKNOWN_CODE", message=REASONS["UNKNOWN_CODE"][1],
             standby=(STANDBY,), **more)
        if action == "activate":
            text = token(claims(nonce=NONCE_2))
            followed, after = answer(text), answered([lease], text)
        for name, about, reply in (("unreachable", "The first gives no answer", UNREACHABLE),
                                   ("no-reason", "The first gives an error without a reason",
                                    json_answer('{"status":"error","message":"Busy."}', 503)),
                                   ("redirect", "The first redirects to where the code must not go",
                                    redirect("https://other.example/"))):
            case("%s-standby-%s" % (action, name), about + ": the second is asked.", code, [asked(action), second],
                 [reply, followed], after=after, message=message, standby=(STANDBY,), **more)

    for name, about, reply in (
            ("unsigned", "A good answer that is not signed.", answer(None)),
            ("unsigned-refusal", "A check's refusal that is not signed.", answer(None, "NOT_FOUND")),
            ("forged", "A forged answer.", answer(token(key=FOREIGN, header=CURRENT.header))),
            ("replayed", "The answer to another question.", answer(token(claims(nonce=NONCE_2)))),
            ("other-machine", "The answer to another machine.", answer(token(claims(sub=GONE)))),
            ("removed", "The answer to a removal.", removed)):
        case("activate-" + name, about, "NO_ANSWER", [asked()], [reply], [lease])
    for name, about, reply in (
            ("check", "The answer to a check.", good),
            ("status", "Success needs the status 200.", json_answer(removed["body"], 202))):
        case("deactivate-" + name, about, "NO_ANSWER", [asked("deactivate")], [reply], [lease], action="deactivate")


# ---- unknown-claims/: what a newer server may add ----

def unknown_claims():
    values = {
        "null": "null", "true": "true", "negative": "-1", "fraction": "1.5", "exponent": "-2E+3", "huge": "1e400",
        "long-number": "123456789012345678901234567890", "text": '"\\u00fc \\ud83d\\ude00"', "empty": '""',
        "array": '[1,"a",[],{}]',
        "object": '{"a":{"b":[null]}}', "deep": "[" * 50 + "]" * 50, "long": '"%s"' % ("x" * 10000),
    }
    for kind, value in values.items():
        signed = with_raw(claims(), "later", value)
        accepted("unknown-claims/" + kind, "A claim that no client knows has the value %s." % value[:60], signed)
    for kind, name in (("empty-name", ""), ("proto", "__proto__"), ("constructor", "constructor"), ("dots", "a.b"),
                       ("non-ascii", "\u00e4\u20ac"), ("upper-case", "CODE")):
        signed = token(claims(**{name: {"valid": False}}))
        accepted("unknown-claims/name-" + kind, "It has the name %s." % json.dumps(name), signed)
    for code in GOOD + ("EXPIRED", "SUSPENDED", "REVOKED", "NOT_FOUND"):
        signed = token(claims(code, **EDITION, later={"a": [1]}))
        name = code.lower().replace("_", "-")
        accepted("unknown-claims/all-" + name, "Everything that a server may add to %s." % code, signed, code)
    for code in GOOD:
        leased("unknown-claims/lease-" + code.lower().replace("_", "-"), "A lease has them, too.",
               token(claims(code, NOW - DAY, **EDITION, later=[{}])), code)
    for name in EDITION:
        for kind, value in (("null", None), ("true", True), ("number", 7), ("empty", ""), ("array", [[7]]),
                            ("object", {"": None})):
            accepted("unknown-claims/%s-%s" % (name.replace("_", "-"), kind), "%s makes no sense: the result is the "
                     "same." % name, token(claims(**{name: value})))


def with_raw(payload, name, raw):
    """A token with a claim whose value is written like this."""
    return token(compact(dict(payload, **{name: "@"})).replace(b'"@"', raw.encode("ascii")))


# ---- editions/: what a license grants ----

EDITION = {"edition": "Pro", "features": ["export", "pr\u00fcfen"], "data": "seats=5", "updates_until": "2027-06-30",
           "latest_version": "2.1", "latest_url": "https://vendor.example/download", "minimum_version": "1.9"}
ASKS = {"has": "export", "version": "2.0", "build_date": "2027-06-30"}
NOTHING = {"is_trial": False, "edition": None, "features": [], "data": None, "updates_until": None,
           "latest_version": None, "latest_url": None, "minimum_version": None, "has": False,
           "update_available": False, "is_below_minimum": False, "covers": True}


def editions():
    def grants(name, about, license, code="VALID", asks=(), **changed):
        name = "editions/" + name
        accepted(name, about, token(claims(code, **changed)), code)
        VECTORS[name]["asks"] = dict(ASKS, **dict(asks))
        VECTORS[name]["expected"]["license"] = dict(NOTHING, **license)

    full = dict(EDITION, has=True, update_available=True)
    grants("none", "Nothing is set.", {})
    grants("all", "All is set.", full, **EDITION)
    grants("trial", "A trial has them, too.", dict(full, is_trial=True), "TRIAL", **EDITION)
    grants("in-grace", "And a license in its grace period.", full, "IN_GRACE", **EDITION)
    grants("refused", "After a refusal nothing has a feature.", dict(full, has=False), "EXPIRED", **EDITION)
    grants("only-body", "The fields beside the token are not signed and do not count.", {})
    VECTORS["editions/only-body"]["answers"] = [answer(token(), **EDITION)]
    leased("editions/lease", "A start on the lease has them, too.", token(claims(iat=NOW - DAY, **EDITION)))
    no_answer("editions/no-answer", "Without an answer there is nothing.", UNREACHABLE)
    for name, license in (("lease", full), ("no-answer", NOTHING)):
        VECTORS["editions/" + name]["asks"] = ASKS
        VECTORS["editions/" + name]["expected"]["license"] = dict(NOTHING, **license)

    smile = "\U0001f600"
    for name, about, claim, value, is_known in (
            ("edition-50", "50 characters", "edition", smile * 50, True),
            ("edition-51", "51 characters", "edition", "x" * 51, False),
            ("features-50", "50 features of 50 characters", "features",
             ["%02d" % number + smile * 48 for number in range(50)], True),
            ("features-100", "100 features, of an edition and of its license", "features",
             ["%d" % number for number in range(100)], True),
            ("feature-51", "A feature of 51 characters", "features", ["export", "x" * 51], False),
            ("feature-empty", "An empty feature", "features", ["export", ""], False),
            ("feature-number", "A feature that is no text", "features", ["export", 7], False),
            ("features-text", "A text instead of a list of features", "features", "export", False),
            ("features-object", "An object instead of a list of features", "features", {"export": True}, False),
            ("data-1024", "1024 characters", "data", smile * 1024, True),
            ("data-1025", "1025 characters", "data", "x" * 1025, False),
            ("data-json", "JSON in a text", "data", '{"seats":5}', True),
            ("data-object", "An object instead of a text", "data", {"seats": 5}, False),
            ("updates-until-no-day", "A day that does not exist", "updates_until", "2027-02-30", False),
            ("updates-until-short", "A day that is written differently", "updates_until", "2027-6-30", False),
            ("updates-until-time", "A day with a time", "updates_until", "2027-06-30T00:00:00Z", False),
            ("latest-url-http", "An http address", "latest_url", "http://vendor.example/", True),
            ("latest-url-file", "The address of a file", "latest_url", "file:///C:/Windows/System32/calc.exe", False),
            ("latest-url-program", "No address", "latest_url", "calc.exe", False),
            ("latest-url-script", "A script", "latest_url", "javascript:alert(1)", False),
            ("latest-url-no-host", "An address without a host", "latest_url", "https:///", False)):
        counts = "counts" if is_known else "counts as absent"
        grants(name, "%s: %s." % (about, counts), {claim: value} if is_known else {}, asks={"has": "none"},
               **{claim: value})

    for name in ("edition", "data", "updates_until", "latest_version", "latest_url", "minimum_version"):
        for kind, value in (("number", 2027), ("empty", ""), ("array", ["2.1"])):
            grants("%s-%s" % (name.replace("_", "-"), kind), "%s is %s: it counts as absent." % (
                name, json.dumps(value)), {}, **{name: value})
    grants("feature-case", "The name of a feature is compared byte for byte.", {"features": ["Export"]},
           features=["Export"])
    grants("feature-non-ascii", "As text.", {"features": ["pr\u00fcfen"], "has": True}, asks={"has": "pr\u00fcfen"},
           features=["pr\u00fcfen"])

    for name, about, until, built, covers in (
            ("before", "Built before the last day for updates", "2027-06-30", "2027-06-29", True),
            ("same-day", "Built on that day", "2027-06-30", "2027-06-30", True),
            ("after", "Built on the next day", "2027-06-30", "2027-07-01", False),
            ("next-year", "Days are compared, not texts of another length", "2027-12-31", "2028-01-01", False),
            ("always", "No last day", None, "2099-01-01", True),
            ("unreadable", "A build date that is none", "2027-06-30", "today", False),
            ("no-day", "One that does not exist", "2027-06-30", "2027-02-30", False),
            ("unreadable-always", "No last day, and a build date that is none", None, "today", True)):
        given = {} if until is None else {"updates_until": until}
        grants("covers-" + name, about + ".", dict(given, covers=covers), asks={"build_date": built}, **given)
    for name, latest, minimum, version, has_update, is_below in (
            ("newer", "2.1", None, "2.0", True, False), ("same", "2.0", None, "2.0.0", False, False),
            ("older", "1.9", None, "2.0", False, False), ("below", None, "2.1", "2.0", False, True),
            ("at-minimum", None, "2.0", "2.0", False, False), ("above", None, "1.9", "2.0", False, False),
            ("unreadable", "2.1", "2.1", "the newest", False, False),
            ("latest-unreadable", "the newest", "the oldest", "2.0", False, False)):
        given = {claim: text for claim, text in (("latest_version", latest), ("minimum_version", minimum)) if text}
        grants("version-" + name, "This version is %s, the latest %s and the oldest %s." % (
            json.dumps(version), json.dumps(latest), json.dumps(minimum)),
            dict(given, update_available=has_update, is_below_minimum=is_below), asks={"version": version}, **given)


# ---- versions/: which of two is older ----

def versions():
    def older(name, about, version, other):
        compared(name, about, version, other, True, False)
        compared(name + "-turned", "The same the other way round.", other, version, False, True)

    def same(name, about, version, other):
        compared(name, about, version, other, False, False)

    def compared(name, about, version, other, is_older, is_newer):
        VECTORS["versions/" + name] = {"about": about, "version": version, "other": other,
                                       "expected": {"is_older": is_older, "is_newer": is_newer}}

    older("numbers", "Numbers are compared as numbers.", "1.9", "1.10")
    older("first-number", "The first difference decides.", "1.99.99", "2.0.0")
    older("more-numbers", "A missing number is 0.", "2.0", "2.0.0.1")
    older("long-number", "Numbers of up to 15 digits count.", "999999999999998", "999999999999999")
    older("date", "A date is a number.", "20261231", "20270101")
    older("year", "So is a year.", "2.9", "2027.1")
    same("zeros", "Zeros at the end change nothing.", "2", "2.0.0")
    same("leading-zeros", "Nor do those before a number.", "1.02", "01.2")
    same("equal", "Nothing is older than itself.", "1.2.3", "1.2.3")
    same("prefix", "A leading v is ignored.", "v2.0", "V2.0.0")
    same("build", "What follows a plus sign is ignored.", "2.0+build.7", "2.0+8")
    same("blanks", "Blanks around it, too.", " 2.0\n", "2.0")
    older("pre-release", "A pre-release comes before the release.", "2.0-beta", "2.0")
    older("pre-release-zeros", "However that is written.", "2.0.0-rc1", "2")
    older("pre-release-after", "But after the release before it.", "1.9.9", "2.0-alpha")
    older("pre-release-words", "Words are compared by their letters.", "2.0-beta", "2.0-rc")
    older("pre-release-numbers", "Numbers in them as numbers.", "2.0-rc9", "2.0-rc10")
    older("pre-release-dots", "A dot or a hyphen only separates.", "2.0-beta.2", "2.0-beta10")
    older("pre-release-longer", "What is longer is newer.", "2.0-beta", "2.0-beta.1")
    older("pre-release-number-first", "A number comes before a word.", "2.0-1", "2.0-alpha")
    same("pre-release-case", "Case does not count.", "2.0-RC1", "2.0-rc.1")
    same("pre-release-same", "Nor how it is separated.", "2.0-rc-1", "2.0-rc1")
    older("pre-release-build", "Both a pre-release and a build.", "2.0-rc1+5", "2.0+4")
    for name, about, text in (
            ("words", "words", "the newest"), ("empty", "empty", ""), ("blank", "only a blank", " "),
            ("letter", "a letter after a number", "2.0b"), ("word", "a word after a blank", "2.0 beta"),
            ("comma", "a comma", "2,0"), ("dot-first", "a dot first", ".2"), ("dot-last", "a dot last", "2."),
            ("two-dots", "two dots", "2..0"), ("hyphen-last", "a hyphen last", "2.0-"),
            ("only-separators", "a pre-release of nothing", "2.0--."), ("sign", "a sign", "-2.0"),
            ("16-digits", "16 digits", "1234567890123456"), ("16-digits-pre", "16 digits", "2.0-1234567890123456"),
            ("other-digits", "other digits", "\u0662.\u0660"), ("other-letters", "other letters", "2.0-b\u00eata"),
            ("v-alone", "a v alone", "v"), ("two-versions", "two versions", "2.0 3.0")):
        same("none-" + name, "This is no version: %s. It is neither older nor newer." % about, text, "2.0.1")
        same("none-" + name + "-turned", "The same the other way round.", "2.0.1", text)


# ---- offline/: machines that are never online ----

def offline():
    kids = (CURRENT, NEXT)

    def text_of(license_key=MACHINE, nonce=NONCE, tool=TOOL, keys=kids):
        members = {"tool_name": tool, "license_key": license_key, "nonce": nonce, "kids": [key.kid for key in keys]}
        return base64url(json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode("utf-8"))

    def kept(nonce=NONCE, license_key=MACHINE, **more):
        return dict(more, license_key=license_key, nonce=nonce)

    def plain(requests):
        return sorted(({name: one[name] for name in ("license_key", "nonce")} for one in requests if "text" not in one),
                      key=lambda one: one["license_key"])

    def shows(name, about, nonce=NONCE, before=(), after=None, license_key=MACHINE, tool=TOOL, keys=kids, states=(),
              states_after=None, address=SERVER, **more):
        """The request, with this nonce."""
        name, text = "offline/request-" + name, text_of(license_key, nonce, tool, keys)
        vector(name, about, "NO_ANSWER", "none", [], states=states, after=states_after, tool=tool, keys=keys, **more)
        VECTORS[name].update(action="offline_request", offline_requests=list(before), expected={
            "offline_request": " ".join(text[at:at + 8] for at in range(0, len(text), 8)),
            "offline_url": address + "/claim?request=" + text,
            "offline_requests": plain([kept(nonce, license_key)] if after is None else after),
            "states": VECTORS[name]["expected"]["states"]})

    mine = kept()
    shows("new", "A new request has a new nonce, which is kept.")
    shows("again", "It stays the same until it is answered.", NONCE_2, [kept(NONCE_2)])
    shows("new-keys", "A new version of the program knows other keys; the nonce stays.", NONCE_2, [kept(NONCE_2)],
          keys=(NEXT, FOREIGN))
    shows("one-key", "One key.", keys=(CURRENT,))
    shows("file-name", "The name of the file in which it is kept.", NONCE_2, [kept(NONCE_2, file=request_name())])
    shows("other-machine", "That of another machine ID is not shown, and stays.", before=[kept(NONCE_2, GONE)],
          after=[mine, kept(NONCE_2, GONE)])
    for name, about, text in (
            ("damaged", "is not JSON", "no such thing"), ("empty", "is empty", ""), ("array", "is an array", "[]"),
            ("other-id", "is that of another ID, renamed", json.dumps(kept(NONCE_2, GONE))),
            ("no-nonce", "has no nonce", json.dumps({"license_key": MACHINE})),
            ("number", "has a number for a nonce", json.dumps(kept(7))),
            ("short", "has a nonce that is too short", json.dumps(kept("short"))),
            ("long", "has a nonce that is too long", json.dumps(kept("x" * 65))),
            ("odd", "has a nonce of other characters", json.dumps(kept("some nonce of tests!")))):
        shows(name, "The kept request %s: it is replaced." % about,
              before=[{"license_key": MACHINE, "text": text}], after=[mine])
    shows("more-members", "Members that the client does not know are ignored.", NONCE_2,
          [{"license_key": MACHINE, "text": json.dumps(dict(kept(NONCE_2), more=[{}]))}], [kept(NONCE_2)])
    shows("preferred", "The machine ID is the one that the client would choose now.", license_key=B,
          computer=machine(A, B, [A, B]))
    lease = state(token(claims(iat=NOW - DAY)), NOW - DAY)
    shows("remembered", "Or the one that was good before; this is a start like any other.", states=[lease],
          states_after=[started(lease)], computer=machine(A, B, [A, B]))
    shows("non-ascii", "The text is UTF-8, and JSON escapes only what it must.",
          tool="Pr\u00fcfer \u201e3\u201c \"\\/\x7f\u2028\t\x01")
    for name, address in (("slash", SERVER + "/"), ("check", " %s/api/check/ " % SERVER)):
        shows("address-" + name, "The claim page of the server %s." % json.dumps(address), server=address)
    shows("standby", "The claim page is that of the first address.", standby=(STANDBY,))

    def imports(name, about, text, code="VALID", reason=None, message=None, before=(mine,), after=None, states=(),
                states_after=None, license_key=MACHINE, **more):
        name = "offline/import-" + name
        source = "none" if reason else "lease"
        vector(name, about, "REFUSED" if reason else code, source, [], states=states, after=states_after,
               license_key=license_key, **more)
        words = WORDS[code][2] if message is None else message
        VECTORS[name].update(action="import_lease", text=text, offline_requests=list(before))
        after = before if reason and after is None else after or ()
        VECTORS[name]["expected"].update(reason=reason, message=words, offline_requests=plain(after))

    def file(code="VALID", iat=NOW - 3 * DAY, exp=NOW + 300 * DAY, **changed):
        return claims(code, iat, exp=exp, **changed)

    iat = NOW - 3 * DAY
    good = token(file())
    stored = answered([], good, iat=iat)

    def takes(name, about, text=good, **more):
        imports(name, about, text, states_after=stored, **more)

    for code in GOOD:
        signed = token(file(code))
        imports("good-" + code.lower().replace("_", "-"), "A good answer to the kept request is stored as the lease, "
                "and the request is gone.", signed, code, states_after=answered([], signed, code, iat))
    signed = token(file(), NEXT)
    imports("rotated-key", "Signed with the next key.", signed, states_after=answered([], signed, iat=iat))
    signed = token(file(**EDITION, later=[{}]))
    imports("unknown-claims", "With everything that a server may add.", signed,
            states_after=answered([], signed, iat=iat))
    wrapped = "\r\n".join(good[at:at + 64] for at in range(0, len(good), 64))
    for name, about, text in (
            ("line-break", "A line break follows.", good + "\n"),
            ("mark", "A file with a byte order mark.", "\ufeff" + good + "\r\n"),
            ("wrapped", "A mail has wrapped the text.", wrapped),
            ("quoted", "And quoted it.", "".join("> > %s\n" % line for line in wrapped.split("\r\n"))),
            ("blanks", "There are blanks everywhere.", " ".join(good)),
            ("zero-width", "There are invisible blanks.", "\u200b".join(good[at:at + 90]
                                                                        for at in range(0, len(good), 90))),
            ("no-break", "And blanks that do not break.", "\u00a0" + good[:99] + "\u00a0" + good[99:]),
            ("words", "There are words around it.",
             "Dear customer,\n\nhere is your file:\n\n%s\n\nKind regards\nVendor Inc." % wrapped),
            ("words-beside", "Even without blanks between.", "file:%sregards" % good),
            ("sentence", "It is a sentence of its own.", "%s. Thank you." % good),
            ("request-quoted", "The request is quoted before it.",
             "> %s\n\n%s" % (text_of(), good)),
            ("json", "The answer of the API, as a whole.", answer(good)["body"]),
            ("utf-16", "A file in UTF-16 that was read as bytes.", "\u00ff\u00fe" + "".join(c + "\0" for c in good)),
            ("long", "A long text with the file at its beginning.", good + " x" * 30000)):
        takes(name, about, text)
    takes("other-request-stays", "The request of another machine ID stays.", before=[mine, kept(NONCE_2, GONE)],
          after=[kept(NONCE_2, GONE)])
    takes("fast-clock", "The clock is wrong by less than a day.", now=iat - DAY)
    takes("last-second", "Until its last second it can be imported.", now=NOW + 300 * DAY - 1)
    both = machine(A, B, [A, B, C])
    signed = token(file(sub=C))
    imports("third-id", "For any machine ID that is in the machine, if there is a request of it.", signed,
            before=[kept(NONCE, C)], license_key=C, computer=both,
            states_after=answered([], signed, iat=iat, license_key=C))
    lease = state(token(claims(iat=NOW - DAY)), NOW - DAY)
    takes("replaces-lease", "It replaces the lease, even a newer one.", states=[lease])
    takes("after-refusal", "It counts after a refusal, too.", states=[state(None, NOW - DAY, NOW)])
    takes("after-clock-ended", "And where the lease ended because the clock was set back.",
          states=[state(None, NOW - 40 * DAY, NOW + 2 * DAY, 0)])
    takes("restores-allowance", "Like an answer online, it sets the mark and restores the allowance.",
          states=[state(token(claims(iat=NOW - 9 * DAY)), NOW - 9 * DAY, NOW - HOUR, HOUR)])
    again = state(good, iat, NOW - HOUR, HOUR)
    imports("again", "A second time it changes nothing: the mark and the allowance stay.", good, before=(),
            states=[again], states_after=[started(again)])
    imports("again-ended", "Nor does it bring back a lease that ended because the clock was set back.", good,
            reason="OTHER_REQUEST", message=OFFLINE_WORDS["OTHER_REQUEST"], before=(),
            states=[state(None, iat, NOW + 2 * DAY, 0)], states_after=[state(None, iat, NOW + 2 * DAY, 0)])

    def refuses(name, about, text, reason, before=(mine,), **more):
        imports("refused-" + name, about + " The request stays.", text, reason=reason,
                message=more.pop("message", OFFLINE_WORDS.get(reason)), before=before, **more)

    for name, about, text in (
            ("empty", "Nothing was entered.", ""), ("words", "It is something else.", "Where is my file?"),
            ("request", "It is the request itself.", " ".join(text_of())),
            ("cut-short", "Its end is missing.", good[:-3]), ("code", "It is an activation code.", CODE),
            ("middle", "A line in the middle is missing: another character is there.", good[:150] + "#" + good[150:])):
        refuses("none-" + name, about, text, "NO_OFFLINE_FILE")
    flipped = good[:-1] + ("A" if good[-1] != "A" else "Q")
    altered = good.split(".")
    altered[1] = base64url(compact(file(exp=NOW + 3000 * DAY)))
    for name, about, text in (
            ("altered", "Its exp was altered.", ".".join(altered)),
            ("flipped", "Its last character is another.", flipped),
            ("foreign-key", "It is signed with a foreign key, but with the ID of a pinned one.",
             token(file(), FOREIGN, CURRENT.header)),
            ("unknown-key", "It is signed with a key that is not pinned.", token(file(), FOREIGN)),
            ("none", "It has another algorithm.", token(file(), header=dict(CURRENT.header, alg="ES384"))),
            ("future-code", "It has a code that the client does not know.", token(file("PAUSED"))),
            ("no-exp", "It has no exp.", token({k: v for k, v in file().items() if k != "exp"}))):
        refuses(name, about, text, "BAD_SIGNATURE")
    refuses("other-tool", "It is for another tool.", token(file(aud="Tool_B")), "OTHER_TOOL")
    refuses("no-tool", "It is for no tool.", token(dict(file(), aud=[TOOL])), "OTHER_TOOL")
    refuses("other-machine", "It is for another machine.", token(file(sub=GONE)), "OTHER_MACHINE")
    refuses("other-machine-requested", "Even if there is a request of that one, in a copied folder.",
            token(file(sub=GONE)), "OTHER_MACHINE", [mine, kept(NONCE, GONE)])
    refuses("other-spelling", "The machine ID is compared byte for byte.", token(file(sub="0A-1B-2C-3D-4E-5F")),
            "OTHER_MACHINE")
    refuses("other-request", "It answers another request.", token(file(nonce=NONCE_2)), "OTHER_REQUEST")
    refuses("no-request", "There is no request.", good, "OTHER_REQUEST", ())
    refuses("no-nonce", "It has no nonce.", token({k: v for k, v in file().items() if k != "nonce"}), "OTHER_REQUEST")
    refuses("request-of-other-id", "The request is that of another ID of this machine.", good, "OTHER_REQUEST",
            [kept(NONCE, B)], computer=machine(MACHINE, MACHINE, [MACHINE, B]))
    for code in ("EXPIRED", "SUSPENDED", "REVOKED", "NOT_FOUND"):
        refuses("code-" + code.lower().replace("_", "-"), "The server has refused. No lease is erased.",
                token(claims(code, iat)), code, states=[lease], states_after=[started(lease)], message=WORDS[code][2])
    moment = "2027-01-15 08:00:0%d UTC"
    refuses("expired", "It has expired.", token(file(exp=NOW)), "FILE_EXPIRED",
            message=OFFLINE_WORDS["FILE_EXPIRED"] % (moment % 0, moment % 0))
    refuses("expired-and-old", "It has expired and answers an older request.", token(file(exp=NOW - 1, nonce=NONCE_2)),
            "FILE_EXPIRED", now=NOW, message=OFFLINE_WORDS["FILE_EXPIRED"] % ("2027-01-15 07:59:59 UTC", moment % 0))
    again = state(token(file(exp=NOW)), iat, NOW - HOUR)
    refuses("expired-again", "It was imported before and has expired.", token(file(exp=NOW)), "FILE_EXPIRED", (),
            states=[again], states_after=[started(again)],
            message=OFFLINE_WORDS["FILE_EXPIRED"] % (moment % 0, moment % 0))
    late = token(file(iat=NOW + DAY + 1))
    refuses("clock-behind", "The clock is more than a day behind: the next start would end the lease.", late,
            "CLOCK_BEHIND", message=OFFLINE_WORDS["CLOCK_BEHIND"] % ("2027-01-16 08:00:01 UTC", moment % 0))
    lease = state(token(file()), iat)
    vector("offline/until-exp", "A start without a network, a second before exp.", "VALID", "lease", [],
           states=[lease], after=[dict(lease, mark=NOW + 300 * DAY - 1)], now=NOW + 300 * DAY - 1)
    vector("offline/at-exp", "And at exp.", "NO_ANSWER", "none", [request()], states=[lease],
           after=[dict(lease, mark=NOW + 300 * DAY)], now=NOW + 300 * DAY)
    signed = token(claims("REVOKED"))
    accepted("offline/refused-online", "A refusal online erases it.", signed, "REVOKED", states=[lease], refresh=True)
    for name in ("until-exp", "at-exp", "refused-online"):
        VECTORS["offline/" + name]["offline_requests"] = []
        VECTORS["offline/" + name]["expected"]["offline_requests"] = []


OFFLINE_WORDS = {
    "NO_OFFLINE_FILE": "This is not an offline file. Please import the answer to this computer's request as a whole.",
    "BAD_SIGNATURE": "This offline file was changed, or is not from the vendor of this program. Please import it again "
                     "exactly as you received it.",
    "OTHER_TOOL": "This offline file is for another program. Please import the one for this program.",
    "OTHER_MACHINE": "This offline file is for another computer. Please request one for this computer.",
    "OTHER_REQUEST": "This offline file does not answer this computer's current request. Please send the request that "
                     "this program shows now.",
    "FILE_EXPIRED": "This offline file expired on %s, and this computer's clock says %s. Please correct the clock, or "
                    "request a new file.",
    "CLOCK_BEHIND": "This offline file was made on %s, but this computer's clock says %s. Please correct the clock, "
                    "then import the file again.",
}


# ---- machine-code/ ----

def machine_codes():
    spellings = {"mac": "0a:1b:2c:3d:4e:5f", "hyphens": "0A-1B-2C-3D-4E-5F", "dots": "0a1b.2c3d.4e5f",
                 "none": "0A1B2C3D4E5F", "spaces": "0a 1b 2c 3d 4e 5f", "fours-hyphens": "0a1b-2c3d-4e5f",
                 "blanks": " 0a:1b:2c:3d:4e:5f\n", "mixed-case": "0a:1B:2c:3D:4e:5F"}
    for name, spelling in spellings.items():
        code_vector("mac-" + name, "A MAC address has one code in every spelling.", TOOL, spelling, MACHINE)
    guid, machine_id = "6f9619ff-8b86-d011-b42d-00c04fc964ff", "3d1219c7c4c5404aaa1f6d2a48adfda4"
    code_vector("guid", "A MachineGuid.", TOOL, guid)
    code_vector("guid-upper-case", "Its case counts.", TOOL, guid.upper())
    code_vector("guid-blanks", "White space at its ends does not.", TOOL, "\t%s \r\n" % guid, guid)
    code_vector("machine-id", "A machine-id.", TOOL, machine_id)
    code_vector("tool", "Another tool has another code.", "Tool_B", MACHINE)
    code_vector("non-ascii", "The texts are hashed as UTF-8.", "Pr\u00fcfer \u201e3\u201c", "Ger\u00e4t \U0001f600")
    for name, key in (("mixed-separators", "0a:1b-2c:3d-4e:5f"), ("pairs-and-fours", "0a:1b:2c3d:4e5f"),
                      ("13-digits", "0a1b2c3d4e5f6"), ("not-hex", "0g:1b:2c:3d:4e:5f"), ("threes", "0a1.b2c.3d4.e5f"),
                      ("sixes", "0a1b2c-3d4e5f"), ("single-digits", "a:1b:2c:3d:4e:5f"), ("short", "x")):
        code_vector("not-mac-" + name, "This is not a spelling of a MAC address.", TOOL, key)


def code_vector(name, about, tool, license_key, canonical=None):
    digest = hashlib.sha256(("%s\n%s" % (tool, canonical or license_key)).encode("utf-8")).digest()
    number = int.from_bytes(digest, "big") >> 226
    letters = "".join("ABCDEFGHJKLMNPQRSTUVWXYZ23456789"[number >> shift & 31] for shift in range(25, -5, -5))
    VECTORS["machine-code/" + name] = {"about": about, "tool_name": tool, "license_key": license_key,
                                       "expected": {"machine_code": letters[:3] + "-" + letters[3:]}}


# ---- state/: the file that our own clients share ----

def file_name(license_key=MACHINE, server=SERVER, tool=TOOL):
    about = json.dumps([server, tool], ensure_ascii=False, separators=(",", ":"))
    return "-".join(hashlib.sha256(text.encode("utf-8")).hexdigest()[:16] for text in (about, license_key)) + ".json"


def request_name():
    return file_name()[:-len("json")] + "request"


def state_files():
    fresh = token(claims(iat=NOW - DAY))
    one = state(fresh, NOW - DAY)

    def text(content):
        return {"license_key": MACHINE, "text": content, "file": file_name()}

    def reads(name, about, content, **more):
        vector("state/" + name, about, "VALID", "lease", [], states=[content], after=[started(one)], **more)

    reads("file-name", "The file's name: the start of two SHA-256 values.", dict(one, file=file_name()))
    for name, address in (("slash", SERVER + "/"), ("slashes", SERVER + "///"), ("blanks", " %s\n" % SERVER),
                          ("check", SERVER + "/api/check"), ("check-slash", " %s/api/check/ " % SERVER)):
        reads("address-" + name, "The same file belongs to the address %s." % json.dumps(address),
              dict(one, file=file_name()), server=address)
    tool = "Pr\u00fcfer \u201e3\u201c \"\\/\x7f\u2028\t\x01"
    signed = token(claims(iat=NOW - DAY, aud=tool))
    before = state(signed, NOW - DAY)
    vector("state/file-name-escapes", "JSON escapes only what it must: quotes, backslashes and control characters.",
           "VALID", "lease", [], states=[dict(before, file=file_name(tool=tool))], after=[started(before)], tool=tool)
    reads("text", "The file, byte for byte, as a client may write it.", text(json.dumps(one)))
    reads("any-order", "The members may have any order, and white space between them.",
          text(json.dumps({name: one[name] for name in sorted(one)}, indent=1)))
    reads("unknown-members", "Unknown members are ignored.", text(json.dumps(dict(one, version=2, more=[{}]))))

    other = "0a:1b:2c:3d:4e:60"
    for name, about, content in [
            ("not-json", "it is not JSON", "no such thing"),
            ("empty", "it is empty, as after a power cut", ""),
            ("cut-short", "it is cut short", json.dumps(one)[:-1]),
            ("array", "it is an array", json.dumps([one])),
            ("bare", "it is a bare token", fresh),
            ("old-format", "it is of version 1.1.0", json.dumps({"token": fresh, "highest_iat": NOW - DAY})),
            ("other-id", "it is the file of another ID, renamed", json.dumps(dict(one, license_key=other)))] + [
            ("without-" + member.replace("_", "-"), "there is no %s" % member,
             json.dumps({name: value for name, value in one.items() if name != member})) for member in one] + [
            ("%s-%s" % (member.replace("_", "-"), kind), "%s is %s" % (member, about),
             json.dumps(dict(one, **{member: value})))
            for member in ("good_iat", "mark", "allowance", "uptime")
            for kind, about, value in (("text", "a string", str(one[member])), ("true", "true", True),
                                       ("fraction", "a fraction", one[member] + 0.5), ("array", "an array", [NOW]))] + [
            ("token-number", "the token is a number", json.dumps(dict(one, token=7))),
            ("license-key-number", "license_key is a number", json.dumps(dict(one, license_key=7))),
            ("license-key-null", "license_key is null", json.dumps(dict(one, license_key=None))),
            ("mark-null", "mark is null", json.dumps(dict(one, mark=None))),
            ("allowance-null", "allowance is null", json.dumps(dict(one, allowance=None)))]:
        no_answer("state/" + name, "The stored file counts as absent: %s." % about, UNREACHABLE, [text(content)])
    damaged = text("no such thing")
    accepted("state/not-json-good", "The stored file is not JSON; a good answer replaces it.", token(),
             states=[damaged])
    accepted("state/not-json-refused", "The stored file is not JSON; a refusal replaces it.", token(claims("REVOKED")),
             "REVOKED", states=[damaged])


def write(folder):
    """Write the files, and remove what an earlier version wrote."""
    for name in {name.partition("/")[0] for name in VECTORS}:
        group = os.path.join(folder, name)
        os.makedirs(group, exist_ok=True)
        for file in os.listdir(group):
            if file.endswith(".json"):
                os.remove(os.path.join(group, file))
    for name, content in VECTORS.items():
        with open(os.path.join(folder, *name.split("/")) + ".json", "w", encoding="ascii", newline="\n") as file:
            file.write(json.dumps(content, indent=2, sort_keys=True) + "\n")


def main(folder):
    for group in (good_answers, refusals, no_answers, forged_tokens, damaged_tokens, other_checks, odd_claims, leases,
                  clocks, redirects, certificates, machine_ids, standbys, activations,
                  unknown_claims, editions, versions, offline, machine_codes, state_files):
        group()
    write(folder)
    print("%d vectors" % len(VECTORS))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
