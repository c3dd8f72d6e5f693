"""Writes the conformance vectors of the signed protocol: `python3 make.py [FOLDER]`, the same bytes each time.

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

TOOL, MACHINE, NONCE = "Tool_A", "0a:1b:2c:3d:4e:5f", "c29tZS1ub25jZS1vZi10ZXN0cw"
NOW = 1800000000  # 2027-01-15 08:00:00 UTC
HOUR, DAY = 3600, 24 * 3600
TERM = 14 * DAY  # of a lease

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


def html(status, text):
    return {"status": status, "content_type": "text/html",
            "body": "<!doctype html><title>%s</title><h1>%s</h1>" % (text, text)}


# ---- The vectors ----

VECTORS = {}


def vector(name, about, code, source, reply, cache, after, now=NOW, refresh=False, asks=True, tool=TOOL,
           machine=MACHINE, keys=(CURRENT, NEXT)):
    assert name not in VECTORS, name
    VECTORS[name] = {
        "about": about,
        "keys": [key.pinned for key in keys],
        "tool_name": tool,
        "license_key": machine,
        "nonce": NONCE,
        "now": now,
        "cache": cache,
        "refresh": refresh,
        "answer": reply,
        "asks": asks,
        "expected": {"valid": code in GOOD, "code": code, "source": source, "cache": after},
    }


def stored(signed, highest_iat=NOW):
    return {"token": signed, "highest_iat": highest_iat}


def accepted(name, about, signed, code="VALID", iat=NOW, highest=None, reply=None, cache=None, **more):
    """The server is asked, and its answer is accepted."""
    kept = stored(signed if code in GOOD else None, iat if highest is None else highest)
    vector(name, about, code, "server", reply or answer(signed, code), cache, kept, **more)


def no_answer(name, about, reply, cache=None, after="unchanged", **more):
    """The server is asked, there is no acceptable answer, and there is no lease."""
    vector(name, about, "NO_ANSWER", "none", reply, cache, cache if after == "unchanged" else after, **more)


def rejected(name, about, signed, **more):
    """A well-formed answer with a token that must be rejected."""
    no_answer(name, about, answer(signed), **more)


def leased(name, about, signed, code="VALID", highest_iat=NOW, reply=None, asks=False, **more):
    """The lease decides."""
    cache = stored(signed, highest_iat)
    vector(name, about, code, "lease", reply, cache, cache, asks=asks, **more)


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
    body = {"status": 200, "content_type": "application/json", "body": compact({"token": signed}).decode("ascii")}
    accepted("good-token-alone", "Only the token is needed.", signed, reply=body)
    signed = token(claims(http=404))
    accepted("good-http-claim-differs", "The code is the verdict; the http claim is not compared with anything.",
             signed, reply=answer(signed))
    accepted("good-clock-far-ahead", "The PC's clock is a year ahead: iat and exp are not compared online.",
             token(claims(iat=NOW - 365 * DAY)), iat=NOW - 365 * DAY)
    accepted("good-clock-far-behind", "The PC's clock is ten years behind: the nonce proves freshness.",
             token(claims(iat=NOW + 3650 * DAY)), iat=NOW + 3650 * DAY)


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
    accepted("refused-after-lease", "A refusal erases an expired lease.", signed, "REVOKED",
             cache=stored(token(claims(iat=NOW - TERM)), NOW - TERM))
    accepted("refused-despite-lease", "A forced refresh: the refusal erases a lease that could still be used.",
             signed, "REVOKED", cache=stored(token(claims(iat=NOW - DAY)), NOW - DAY), refresh=True)
    accepted("refused-keeps-highest-iat", "A refusal does not lower highest_iat.", signed, "REVOKED",
             cache=stored(None, NOW + HOUR), highest=NOW + HOUR)


def no_answers():
    no_answer("none-unreachable", "The server is unreachable: that is not a refusal.", None)
    no_answer("none-html", "A Wi-Fi welcome page is not an answer.", html(200, "Welcome"))
    no_answer("none-proxy-404", "A proxy's own 404 page is not a refusal.", html(404, "404 Not Found"))
    no_answer("none-proxy-403", "Nor is its 403 page.", html(403, "403 Forbidden"))
    no_answer("none-proxy-502", "Nor is its 502 page.", html(502, "502 Bad Gateway"))
    no_answer("none-redirect", "A redirect is not followed.", html(301, "301 Moved Permanently"))
    no_answer("none-unsigned-valid", "A fake server's plain 200 does not answer a signed check.",
              {"status": 200, "content_type": "application/json",
               "body": '{"status":"valid","message":"License is active and valid."}'})
    no_answer("none-unsigned-refusal", "Nor does a plain 404.",
              {"status": 404, "content_type": "application/json",
               "body": '{"status":"invalid","message":"License key not found for this tool."}'})
    no_answer("none-unsigned-code", "A code without a token is not an answer.", answer(None))
    no_answer("none-fault", "A server error is not a verdict.",
              {"status": 503, "content_type": "application/json",
               "body": '{"status":"error","message":"The database is locked."}'})
    for name, about, body in (
            ("empty", "The answer is empty.", ""),
            ("array", "The answer is a JSON array.", "[%s]" % json.dumps(token())),
            ("text", "The answer is the bare token.", token()),
            ("cut-short", "The answer is cut short.", answer(token())["body"][:-40]),
            ("token-null", "The token is null.", '{"token":null}'),
            ("token-object", "The token is an object.", '{"token":{"code":"VALID"}}'),
            ("token-empty", "The token is empty.", '{"token":""}'),
            ("token-array", "The token is in an array.", compact({"token": [token()]}).decode("ascii"))):
        no_answer("none-" + name, about, {"status": 200, "content_type": "application/json", "body": body})


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
    rejected("forged-alg-twice", "The header has two alg members.",
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


def odd_claims():
    rejected("odd-future-code", "A code of a newer server is not an answer, neither good nor a refusal.",
             token(claims("PAUSED")))
    rejected("odd-lower-case-code", "Codes are compared byte for byte.", token(dict(claims(), code="valid")))
    rejected("odd-no-answer-code", "NO_ANSWER is the client's own code.", token(dict(claims(), code="NO_ANSWER")))
    rejected("odd-code-true", "The code is true.", token(dict(claims(), code=True)))
    rejected("odd-code-array", "The code is an array.", token(dict(claims(), code=["VALID"])))
    for name in ("code", "http", "iat", "exp"):
        rejected("odd-without-" + name, "There is no %s." % name, token(claims(without=(name,))))
    for name in ("http", "iat", "exp"):
        number = claims()[name]
        raw = compact(dict(claims(), **{name: "@"})).decode("ascii")
        for kind, about, text in (
                ("text", "a string", '"%d"' % number), ("fraction", "written with a fraction", "%d.0" % number),
                ("true", "true", "true"), ("null", "null", "null")):
            rejected("odd-%s-%s" % (name, kind), "%s is %s, not an integer." % (name, about),
                     token(raw.replace('"@"', text).encode("ascii")))
    raw = compact(claims(exp="@")).decode("ascii")
    rejected("odd-exp-exponent", "exp is written with an exponent.", token(raw.replace('"@"', "2e9").encode("ascii")))
    rejected("odd-exp-enormous", "exp is after the year 9999.", token(claims(exp=10 ** 30)))
    rejected("odd-exp-is-iat", "exp is not after iat.", token(claims(exp=NOW)))
    rejected("odd-exp-before-iat", "exp is before iat.", token(claims(exp=NOW - 1)))
    rejected("odd-array", "The claims are an array.", token(b"[" + compact(claims()) + b"]"))
    rejected("odd-null", "The claims are null.", token(b"null"))
    rejected("odd-not-json", "The claims are not JSON.", token(compact(claims())[:-1]))
    rejected("odd-two-objects", "A second object follows the claims.", token(compact(claims()) + b"{}"))
    rejected("odd-code-twice", "A claim appears twice: parsers would disagree.",
             token(b'{"code":"REVOKED",' + compact(claims())[1:]))
    rejected("odd-not-utf-8", "The claims are not UTF-8.",
             token(compact(claims(message="@")).replace(b"@", b"\xfc\xff")))
    rejected("odd-nan", "NaN is not JSON.", token(compact(claims(x="@")).replace(b'"@"', b"NaN")))


def leases():
    fresh = token(claims(iat=NOW - DAY))
    refusal = answer(token(claims("REVOKED")), "REVOKED")
    for code in GOOD:
        leased("lease-" + code.lower().replace("_", "-"), "A fresh lease decides without the server.",
               token(claims(code, NOW - DAY)), code)
    leased("lease-skips-server", "The server would refuse, but a fresh lease decides without asking it.", fresh,
           reply=refusal)
    leased("lease-rotated-key", "The lease may be signed with any pinned key.", token(claims(iat=NOW - DAY), NEXT))
    leased("lease-other-nonce", "The nonce of a lease is not compared.", token(claims(iat=NOW - DAY, nonce="x" * 16)))
    leased("lease-half", "Past half of its life it still decides at once; it is refreshed in the background.",
           token(claims(iat=NOW - TERM // 2)))
    leased("lease-last-second", "It is good until the last second.", token(claims(iat=NOW - TERM + 1)))
    for name, about, seconds in (("at-exp", "It expires at exp.", 0), ("expired", "It expired a day ago.", DAY)):
        iat = NOW - TERM - seconds
        no_answer("lease-" + name, about, None, stored(token(claims(iat=iat)), iat))
    old = stored(token(claims(iat=NOW - TERM)), NOW - TERM)
    no_answer("lease-expired-html", "It has expired, and a proxy answers: no answer, and nothing is erased.",
              html(404, "404 Not Found"), old)
    no_answer("lease-expired-forged", "It has expired, and the answer is forged.",
              answer(token(key=FOREIGN, header=CURRENT.header)), old)
    accepted("lease-renewed", "It has expired, and the server renews it.", token(), cache=old)
    accepted("lease-after-refusal", "After a refusal, a good answer is stored again.", token(),
             cache=stored(None, NOW - DAY))
    no_answer("lease-erased", "After a refusal there is no lease.", None, stored(None, NOW - DAY))

    for name, about, signed in (
            ("other-machine", "it was copied from another machine.",
             token(claims(iat=NOW - DAY, sub="0a:1b:2c:3d:4e:60"))),
            ("other-tool", "it was copied from another tool.", token(claims(iat=NOW - DAY, aud="Tool_B"))),
            ("unknown-key", "it is signed with a key that is not pinned.", token(claims(iat=NOW - DAY), FOREIGN)),
            ("foreign-key", "it is signed with a foreign key, but with the ID of a pinned one.",
             token(claims(iat=NOW - DAY), FOREIGN, CURRENT.header)),
            ("none", "it is not signed.",
             token(claims(iat=NOW - DAY), header=dict(CURRENT.header, alg="none"), sign=lambda rs: b"")),
            ("refusal", "it is a signed refusal.", token(claims("REVOKED", NOW, exp=NOW + TERM))),
            ("future-code", "it has a code that the client does not know.", token(claims("PAUSED", exp=NOW + TERM))),
            ("truncated", "its end is missing.", fresh[:-1]),
            ("newline", "a line break was added.", fresh + "\n"),
            ("empty", "it is empty.", "")):
        no_answer("lease-" + name, "The stored token is verified again: " + about, None, stored(signed))
    longer = fresh.split(".")
    longer[1] = base64url(compact(claims(iat=NOW - DAY, exp=NOW + 1000 * DAY)))
    no_answer("lease-altered", "Its exp was altered.", None, stored(".".join(longer)))
    accepted("lease-altered-renewed", "It was altered; the server is asked and answers.", token(),
             cache=stored(".".join(longer)))

    leased("lease-clock-24-hours", "The clock is exactly 24 hours before highest_iat: the lease is used.",
           fresh, highest_iat=NOW + DAY)
    no_answer("lease-clock-behind", "One second more: it is not used.", None, stored(fresh, NOW + DAY + 1))
    iat = NOW + 20 * DAY
    no_answer("lease-clock-30-days-back", "It has expired, and setting the clock back by 30 days does not help.", None,
              stored(token(claims(iat=NOW + 5 * DAY)), iat), now=iat - 30 * DAY)
    leased("lease-from-tomorrow", "The lease itself is 24 hours ahead of the clock: it is used.",
           token(claims(iat=NOW + DAY)), highest_iat=NOW + DAY)
    no_answer("lease-highest-iat-lowered", "highest_iat was lowered: the lease's own iat counts, too.", None,
              stored(token(claims(iat=NOW + DAY + 1)), 0))
    accepted("lease-clock-behind-online", "The clock is behind, but the server answers.", token(),
             cache=stored(fresh, NOW + 30 * DAY), highest=NOW + 30 * DAY)
    no_answer("lease-clock-far-ahead", "The clock is a year ahead: the lease has expired.", None, stored(fresh),
              now=NOW + 365 * DAY)
    accepted("lease-keeps-highest-iat", "A new answer with a smaller iat does not lower highest_iat.", token(),
             cache=stored(None, NOW + HOUR), highest=NOW + HOUR)

    accepted("lease-refresh", "A forced refresh: a good answer replaces the lease.", token(),
             cache=stored(fresh, NOW - DAY), refresh=True)
    for name, about, reply in (
            ("unreachable", "the server is unreachable", None),
            ("html", "a proxy answers", html(502, "502 Bad Gateway")),
            ("unsigned-refusal", "the answer is an unsigned refusal", answer(None, "REVOKED")),
            ("forged-refusal", "the answer is a forged refusal",
             answer(token(claims("REVOKED"), FOREIGN, CURRENT.header), "REVOKED")),
            ("replayed-refusal", "the answer is a replayed refusal",
             answer(token(claims("REVOKED", nonce=NONCE[::-1])), "REVOKED")),
            ("other-machine-refusal", "the answer is another machine's refusal",
             answer(token(claims("REVOKED", sub="0a:1b:2c:3d:4e:60")), "REVOKED")),
            ("future-code", "the answer has a code that the client does not know", answer(token(claims("PAUSED"))))):
        leased("lease-refresh-" + name, "A forced refresh, but %s: the lease stays and decides." % about,
               fresh, reply=reply, asks=True, refresh=True)


def damaged_caches():
    fresh = token(claims(iat=NOW - DAY))
    for name, about, text in (
            ("not-json", "it is not JSON", "no such thing"),
            ("empty", "it is empty, as after a power cut", ""),
            ("cut-short", "it is cut short", json.dumps(stored(fresh))[:-1]),
            ("array", "it is an array", json.dumps([stored(fresh)])),
            ("bare", "it is a bare token", fresh),
            ("token-number", "the token is a number", json.dumps(stored(7))),
            ("without-highest-iat", "there is no highest_iat", json.dumps({"token": fresh})),
            ("highest-iat-text", "highest_iat is a string", json.dumps(stored(fresh, str(NOW)))),
            ("highest-iat-true", "highest_iat is true", json.dumps(stored(fresh, True))),
            ("highest-iat-fraction", "highest_iat is a fraction", json.dumps(stored(fresh, NOW + 0.5)))):
        no_answer("cache-" + name, "The stored file counts as absent: %s." % about, None, {"text": text}, None)
    accepted("cache-not-json-good", "The stored file is not JSON; a good answer replaces it.", token(),
             cache={"text": "no such thing"})
    accepted("cache-not-json-refused", "The stored file is not JSON; a refusal replaces it.", token(claims("REVOKED")),
             "REVOKED", cache={"text": "no such thing"})


def main(folder):
    for group in (good_answers, refusals, no_answers, forged_tokens, damaged_tokens, other_checks, odd_claims,
                  leases, damaged_caches):
        group()
    for name, content in VECTORS.items():
        with open(os.path.join(folder, name + ".json"), "w", encoding="ascii", newline="\n") as file:
            file.write(json.dumps(content, indent=2, sort_keys=True) + "\n")
    print("%d vectors" % len(VECTORS))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
