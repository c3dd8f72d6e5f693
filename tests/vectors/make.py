"""Writes the conformance vectors of the signed protocol: `python3 make.py [FOLDER]`, the same bytes each time.

It shares no code with any client, above all no arithmetic, so that both would have to be wrong in the
same way. Standard library only.
"""

import base64
import hashlib
import hmac
import json
import os
import sys

# ---- ECDSA over P-256 with SHA-256 and the deterministic nonces of RFC 6979, slow and plain ----

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


# TEST KEYS. Their private numbers are published here: nobody may ever use them for anything else.
CURRENT = Key(0x7e57000000000000000000000000000000000000000000000000000000000001)
NEXT = Key(0x7e57000000000000000000000000000000000000000000000000000000000002)
FOREIGN = Key(0x7e57000000000000000000000000000000000000000000000000000000000003)

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
    """A JWS of claims, of raw bytes, or of a text that is already encoded; `sign` writes (r, s)."""
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
        "conclude": {"valid": code in GOOD, "code": code, "source": source, "cache": after},
    }


def stored(signed, highest_iat=NOW):
    return {"token": signed, "highest_iat": highest_iat}


def heard(name, about, signed, code="VALID", iat=NOW, highest=None, reply=None, cache=None, **more):
    """The server is asked and believed."""
    kept = stored(signed if code in GOOD else None, iat if highest is None else highest)
    vector(name, about, code, "server", reply or answer(signed, code), cache, kept, **more)


def not_heard(name, about, reply, cache=None, after="as before", **more):
    """The server is asked; what comes is no answer, and there is no lease."""
    vector(name, about, "NO_ANSWER", "none", reply, cache, cache if after == "as before" else after, **more)


def rejected(name, about, signed, **more):
    """A token in a proper answer that must not be believed."""
    not_heard(name, about, answer(signed), **more)


def leased(name, about, signed, code="VALID", highest_iat=NOW, reply=None, asks=False, **more):
    """The lease decides."""
    cache = stored(signed, highest_iat)
    vector(name, about, code, "lease", reply, cache, cache, asks=asks, **more)


def good_answers():
    for code in GOOD:
        signed = token(claims(code))
        heard("good-" + code.lower().replace("_", "-"), "A signed %s is good and is kept as the lease." % code,
              signed, code)
    heard("good-rotated-key", "The next key signs: it is pinned, too.", token(key=NEXT))
    heard("good-one-of-one-key", "One pinned key is enough to verify.", token(), keys=(CURRENT,))
    heard("good-without-end", "A license without end has no expiration_date.", token(claims(expiration_date=None)))
    heard("good-unknown-claims", "Claims that the client does not know change nothing.",
          token(claims(jti="7", seats={"used": 1, "of": [3]})))
    heard("good-without-words", "message and expiration_date are shown and decide nothing.",
          token(claims(without=("message", "expiration_date"))))
    heard("good-non-ascii-message", "Words are UTF-8, escaped or not.",
          token(claims(message="Gültig bis Jahresende \u2013 danke! \U0001f600")))
    heard("good-escaped-message", "The same words, written with escapes.",
          token(json.dumps(claims(message="G\u00fcltig \U0001f600")).encode("ascii")))
    tool = "Pr\u00fcfer \u201e3\u201c"
    heard("good-non-ascii-tool", "The tool's name is compared as text, byte for byte.",
          token(claims(aud=tool)), tool=tool)
    heard("good-high-s", "ES256 allows an s in the upper half.",
          token(sign=lambda rs: pair((rs[0], max(rs[1], N - rs[1])))))
    heard("good-low-s", "And one in the lower half.", token(sign=lambda rs: pair((rs[0], min(rs[1], N - rs[1])))))
    signed = token()
    heard("good-status-500", "The HTTP status is not signed and is ignored.", signed, reply=answer(signed, status=500))
    heard("good-status-404", "Also where it looks like a refusal.", signed, reply=answer(signed, status=404))
    heard("good-content-type", "The content type is ignored.", signed, reply=answer(signed, kind="text/html"))
    heard("good-fields-differ", "The unsigned fields say REVOKED: only the token counts.", signed,
          reply=answer(signed, "REVOKED", status=200))
    body = {"status": 200, "content_type": "application/json", "body": compact({"token": signed}).decode("ascii")}
    heard("good-token-alone", "Nothing but the token is needed.", signed, reply=body)
    signed = token(claims(http=404))
    heard("good-http-claim-differs", "The code is the verdict; the claim http is not compared with anything.",
          signed, reply=answer(signed))
    heard("good-clock-far-ahead", "The PC's clock is a year ahead: iat and exp are not compared while online.",
          token(claims(iat=NOW - 365 * DAY)), iat=NOW - 365 * DAY)
    heard("good-clock-far-behind", "The PC's clock is ten years behind: the nonce proves freshness.",
          token(claims(iat=NOW + 3650 * DAY)), iat=NOW + 3650 * DAY)


def refusals():
    for code in ("EXPIRED", "SUSPENDED", "REVOKED", "NOT_FOUND"):
        heard("refused-" + code.lower().replace("_", "-"), "A signed %s is a refusal and leaves no lease." % code,
              token(claims(code)), code)
    signed = token(claims("REVOKED"), NEXT)
    heard("refused-rotated-key", "The next key may refuse, too.", signed, "REVOKED")
    signed = token(claims("REVOKED"))
    heard("refused-fields-differ", "The unsigned fields say valid: only the token counts.", signed, "REVOKED",
          reply=answer(signed, "VALID"))
    heard("refused-clock-far-ahead", "A refusal is a refusal whatever the PC's clock says.", signed, "REVOKED",
          now=NOW + 1000 * DAY)
    heard("refused-after-lease", "A refusal erases the lease that is over.", signed, "REVOKED",
          cache=stored(token(claims(iat=NOW - TERM)), NOW - TERM))
    heard("refused-despite-lease", "The program insists on asking: the refusal erases a lease that is still good.",
          signed, "REVOKED", cache=stored(token(claims(iat=NOW - DAY)), NOW - DAY), refresh=True)
    heard("refused-keeps-highest-iat", "The largest iat stays, also across a refusal.", signed, "REVOKED",
          cache=stored(None, NOW + HOUR), highest=NOW + HOUR)


def no_answers():
    not_heard("none-nobody", "Nobody answers: that is no refusal.", None)
    not_heard("none-html", "A Wi-Fi welcome page is no answer.", html(200, "Welcome"))
    not_heard("none-proxy-404", "A proxy's own 404 page is no refusal.", html(404, "404 Not Found"))
    not_heard("none-proxy-403", "Nor is its 403.", html(403, "403 Forbidden"))
    not_heard("none-proxy-502", "Nor is its 502.", html(502, "502 Bad Gateway"))
    not_heard("none-redirect", "A redirect is not followed.", html(301, "301 Moved Permanently"))
    not_heard("none-unsigned-valid", "The plain 200 of a fake server is no answer to a signed question.",
              {"status": 200, "content_type": "application/json",
               "body": '{"status":"valid","message":"License is active and valid."}'})
    not_heard("none-unsigned-refusal", "The plain 404 is none either.",
              {"status": 404, "content_type": "application/json",
               "body": '{"status":"invalid","message":"License key not found for this tool."}'})
    not_heard("none-unsigned-code", "A code without a token is no answer.", answer(None))
    not_heard("none-fault", "A fault of the server is no verdict.",
              {"status": 503, "content_type": "application/json",
               "body": '{"status":"error","message":"The database is locked."}'})
    for name, about, body in (
            ("empty", "An empty answer.", ""),
            ("array", "A JSON array.", "[%s]" % json.dumps(token())),
            ("text", "The token as bare text.", token()),
            ("cut-short", "An answer that ends in the middle.", answer(token())["body"][:-40]),
            ("token-null", "The token is null.", '{"token":null}'),
            ("token-object", "The token is an object.", '{"token":{"code":"VALID"}}'),
            ("token-empty", "The token is empty.", '{"token":""}'),
            ("token-array", "The token is in an array.", compact({"token": [token()]}).decode("ascii"))):
        not_heard("none-" + name, about, {"status": 200, "content_type": "application/json", "body": body})


def forged_tokens():
    rejected("forged-foreign-key", "Signed with a key of its own under the id of a pinned one.",
             token(key=FOREIGN, header=CURRENT.header))
    rejected("forged-unknown-kid", "Signed rightly with a key that is not pinned.", token(key=FOREIGN))
    rejected("forged-retired-kid", "A key that the program does not pin, though others do.", token(), keys=(NEXT,))
    rejected("forged-renamed-kid", "Signed with a pinned key, but under an unknown id.",
             token(header=dict(CURRENT.header, kid=FOREIGN.kid)))
    rejected("forged-other-pinned-key", "Signed with one pinned key under the id of the other.",
             token(key=NEXT, header=CURRENT.header))
    rejected("forged-none", "alg none, without a signature.",
             token(header=dict(CURRENT.header, alg="none"), sign=lambda rs: b""))
    rejected("forged-none-signed", "alg none, even with a right signature.",
             token(header=dict(CURRENT.header, alg="none")))
    rejected("forged-no-signature", "The signature is missing.", token(sign=lambda rs: b""))
    secret = compact(CURRENT.jwk)
    header = dict(CURRENT.header, alg="HS256")
    message = base64url(compact(header)) + "." + base64url(compact(claims()))
    rejected("forged-hs256", "alg HS256, with the public key as the secret.",
             message + "." + base64url(hmac.new(secret, message.encode("ascii"), "sha256").digest()))
    for name, about, changed in (
            ("alg-es384", "Another alg, though ES256 has signed.", {"alg": "ES384"}),
            ("alg-lower-case", "alg is compared byte for byte.", {"alg": "es256"}),
            ("alg-array", "alg is not a text.", {"alg": ["ES256"]}),
            ("typ-jwt", "Another typ: a token for something else.", {"typ": "JWT"}),
            ("kid-number", "kid is not a text.", {"kid": 1}),
            ("kid-array", "kid is an array.", {"kid": [CURRENT.kid]}),
            ("extra-header", "The header has exactly three members.", {"cty": "x"}),
            ("crit", "Nor is crit one of them.", {"crit": ["exp"]}),
            ("embedded-key", "A key inside the header is nobody's.", {"jwk": CURRENT.jwk})):
        rejected("forged-" + name, about, token(header=dict(CURRENT.header, **changed)))
    for name in ("alg", "kid", "typ"):
        header = {member: value for member, value in CURRENT.header.items() if member != name}
        rejected("forged-without-" + name, "The header has no %s." % name, token(header=header))
    rejected("forged-header-text", "The header is no object.", token(header=b'"ES256"'))
    rejected("forged-header-damaged", "The header is no JSON.", token(header=compact(CURRENT.header)[:-1]))
    rejected("forged-header-twice", "alg stands twice in the header.",
             token(header=b'{"alg":"none",' + compact(CURRENT.header)[1:]))
    altered = token(claims("REVOKED")).split(".")
    altered[1] = base64url(compact(claims()))
    rejected("forged-altered-code", "A signed refusal whose claims were replaced.", ".".join(altered))
    rejected("forged-flipped-bit", "One bit of the signature is flipped.",
             token(sign=lambda rs: pair((rs[0], rs[1] ^ 1))))
    rejected("forged-swapped", "s before r.", token(sign=lambda rs: pair(rs[::-1])))
    rejected("forged-r-zero", "r is zero.", token(sign=lambda rs: pair((0, rs[1]))))
    rejected("forged-s-zero", "s is zero.", token(sign=lambda rs: pair((rs[0], 0))))
    rejected("forged-both-zero", "Both are zero: the famous mistake.", token(sign=lambda rs: bytes(64)))
    rejected("forged-r-is-n", "r is the order of the curve.", token(sign=lambda rs: pair((N, rs[1]))))
    rejected("forged-s-is-n", "s is the order of the curve.", token(sign=lambda rs: pair((rs[0], N))))
    rejected("forged-all-ones", "r and s are far above it.", token(sign=lambda rs: b"\xff" * 64))
    rejected("forged-der", "A right signature in DER.", token(sign=der))
    rejected("forged-63-bytes", "One byte is missing.", token(sign=lambda rs: pair(rs)[:-1]))
    rejected("forged-65-bytes", "One byte too many.", token(sign=lambda rs: pair(rs) + b"\0"))
    rejected("forged-33-byte-numbers", "Both numbers with a leading zero.",
             token(sign=lambda rs: b"".join(b"\0" + big(number) for number in rs)))


def der(signature):
    numbers = b""
    for number in signature:
        data = number.to_bytes(number.bit_length() // 8 + 1, "big")
        numbers += bytes([2, len(data)]) + data
    return bytes([0x30, len(numbers)]) + numbers


def damaged_tokens():
    good = token()
    rejected("damaged-two-parts", "Only two parts.", good.rpartition(".")[0])
    rejected("damaged-four-parts", "A fourth part.", good + ".e30")
    rejected("damaged-fourth-empty", "A dot too many.", good + ".")
    rejected("damaged-truncated", "The end is missing.", good[:-10])
    rejected("damaged-newline", "A line break at the end.", good + "\n")
    rejected("damaged-space", "A space in front.", " " + good)
    rejected("damaged-prefix", "Bearer in front.", "Bearer " + good)
    rejected("damaged-inner-newline", "A line break in the middle.", good[:50] + "\n" + good[50:])
    rejected("damaged-signature-padded", "Base64url without padding, please: the signature.", good + "==")
    # Signed as they stand, so that only the encoding is wrong.
    text = base64url(compact(claims(x=padded(1))))
    rejected("damaged-payload-padded", "The same for the claims, signed with their padding.", token(text + "="))
    rejected("damaged-payload-spare-bits", "Bits that stand for nothing are not zero, signed like that.",
             token(text[:-1] + chr(ord(text[-1]) + 1)))
    rejected("damaged-signature-spare-bits", "The same in the signature: another text for the same bytes.",
             good[:-1] + chr(ord(good[-1]) + 1))
    text = base64.b64encode(compact(claims(x="\u00bf\u00bf\u00bf?>?>?>"))).rstrip(b"=").decode("ascii")
    assert "+" in text or "/" in text
    rejected("damaged-other-alphabet", "The alphabet of plain base64, signed like that.", token(text))
    rejected("damaged-non-ascii", "A letter that is not ASCII.", good[:-1] + "\u00e9")


def padded(spare):
    """A claim that makes the length of the claims leave `spare` characters of padding."""
    return next("x" * n for n in range(3) if -len(compact(claims(x="x" * n))) % 3 == spare)


def other_questions():
    rejected("other-nonce", "The answer to another question: a replay.", token(claims(nonce=NONCE[::-1])))
    rejected("other-nonce-case", "The nonce is compared byte for byte.", token(claims(nonce=NONCE.swapcase())))
    rejected("other-no-nonce", "No nonce at all.", token(claims(without=("nonce",))))
    rejected("other-nonce-null", "The nonce is null.", token(claims(nonce=None)))
    rejected("other-tool", "Another tool's license.", token(claims(aud="Tool_B")))
    rejected("other-tool-case", "The tool's name is compared byte for byte.", token(claims(aud="tool_a")))
    rejected("other-tool-array", "aud is a text here, not an array.", token(claims(aud=[TOOL])))
    rejected("other-no-tool", "No aud.", token(claims(without=("aud",))))
    rejected("other-machine", "Another machine's license.", token(claims(sub="0a:1b:2c:3d:4e:60")))
    rejected("other-machine-spelling", "The key comes back exactly as it was sent.",
             token(claims(sub="0A-1B-2C-3D-4E-5F")))
    rejected("other-no-machine", "No sub.", token(claims(without=("sub",))))


def odd_claims():
    rejected("odd-future-code", "A code of a later server is no answer, neither good nor a refusal.",
             token(claims("PAUSED")))
    rejected("odd-lower-case-code", "Codes are compared byte for byte.", token(dict(claims(), code="valid")))
    rejected("odd-no-answer-code", "NO_ANSWER is the client's own word.", token(dict(claims(), code="NO_ANSWER")))
    rejected("odd-code-true", "The code is true.", token(dict(claims(), code=True)))
    rejected("odd-code-array", "The code is an array.", token(dict(claims(), code=["VALID"])))
    for name in ("code", "http", "iat", "exp"):
        rejected("odd-without-" + name, "There is no %s." % name, token(claims(without=(name,))))
    for name in ("http", "iat", "exp"):
        number = claims()[name]
        raw = compact(dict(claims(), **{name: "@"})).decode("ascii")
        for kind, about, text in (
                ("text", "a text", '"%d"' % number), ("fraction", "written with a fraction", "%d.0" % number),
                ("true", "true", "true"), ("null", "null", "null")):
            rejected("odd-%s-%s" % (name, kind), "%s is %s, not an integer." % (name, about),
                     token(raw.replace('"@"', text).encode("ascii")))
    raw = compact(claims(exp="@")).decode("ascii")
    rejected("odd-exp-exponent", "exp is written with an exponent.", token(raw.replace('"@"', "2e9").encode("ascii")))
    rejected("odd-exp-enormous", "exp is no moment that exists.", token(claims(exp=10 ** 30)))
    rejected("odd-exp-is-iat", "exp is not after iat.", token(claims(exp=NOW)))
    rejected("odd-exp-before-iat", "exp is before iat.", token(claims(exp=NOW - 1)))
    rejected("odd-array", "The claims are an array.", token(b"[" + compact(claims()) + b"]"))
    rejected("odd-null", "The claims are null.", token(b"null"))
    rejected("odd-not-json", "The claims are no JSON.", token(compact(claims())[:-1]))
    rejected("odd-two-objects", "Something follows the claims.", token(compact(claims()) + b"{}"))
    rejected("odd-code-twice", "A claim stands twice: readers would differ.",
             token(b'{"code":"REVOKED",' + compact(claims())[1:]))
    rejected("odd-not-utf-8", "The claims are not UTF-8.",
             token(compact(claims(message="@")).replace(b"@", b"\xfc\xff")))
    rejected("odd-nan", "NaN is no JSON.", token(compact(claims(x="@")).replace(b'"@"', b"NaN")))


def leases():
    fresh = token(claims(iat=NOW - DAY))
    refusal = answer(token(claims("REVOKED")), "REVOKED")
    for code in GOOD:
        leased("lease-" + code.lower().replace("_", "-"), "A fresh lease decides; nobody has to answer.",
               token(claims(code, NOW - DAY)), code)
    leased("lease-does-not-ask", "A fresh lease delays no start: the server would refuse, but is not asked.", fresh,
           reply=refusal)
    leased("lease-rotated-key", "A lease of the other pinned key is as good.", token(claims(iat=NOW - DAY), NEXT))
    leased("lease-other-nonce", "A lease has the nonce of its own day.", token(claims(iat=NOW - DAY, nonce="x" * 16)))
    leased("lease-half", "Past half its life it still decides at once; it is refreshed in the background.",
           token(claims(iat=NOW - TERM // 2)))
    leased("lease-last-second", "It is good until the last second.", token(claims(iat=NOW - TERM + 1)))
    for name, about, seconds in (("at-exp", "At exp it is over.", 0), ("over", "After exp, too.", DAY)):
        iat = NOW - TERM - seconds
        not_heard("lease-" + name, about, None, stored(token(claims(iat=iat)), iat))
    old = stored(token(claims(iat=NOW - TERM)), NOW - TERM)
    not_heard("lease-over-html", "Over, and a proxy answers: no answer, and nothing is erased.",
              html(404, "404 Not Found"), old)
    not_heard("lease-over-forged", "Over, and a forged answer comes.",
              answer(token(key=FOREIGN, header=CURRENT.header)), old)
    heard("lease-renewed", "Over, and the server renews it.", token(), cache=old)
    heard("lease-first", "After a refusal a good answer is kept again.", token(), cache=stored(None, NOW - DAY))
    not_heard("lease-withdrawn", "After a refusal there is no lease.", None, stored(None, NOW - DAY))

    for name, about, signed in (
            ("other-machine", "Copied from another machine.", token(claims(iat=NOW - DAY, sub="0a:1b:2c:3d:4e:60"))),
            ("other-tool", "Copied from another tool.", token(claims(iat=NOW - DAY, aud="Tool_B"))),
            ("unknown-key", "Signed with a key that is not pinned.", token(claims(iat=NOW - DAY), FOREIGN)),
            ("foreign-key", "Signed with another key under the id of a pinned one.",
             token(claims(iat=NOW - DAY), FOREIGN, CURRENT.header)),
            ("none", "Without a signature.",
             token(claims(iat=NOW - DAY), header=dict(CURRENT.header, alg="none"), sign=lambda rs: b"")),
            ("refusal", "A signed refusal is no lease.", token(claims("REVOKED", NOW, exp=NOW + TERM))),
            ("future-code", "Nor is a code that the client does not know.", token(claims("PAUSED", exp=NOW + TERM))),
            ("truncated", "The end is missing.", fresh[:-1]),
            ("newline", "A line break was added.", fresh + "\n"),
            ("empty", "An empty text.", "")):
        not_heard("lease-" + name, "What is stored is verified again. " + about, None, stored(signed))
    longer = fresh.split(".")
    longer[1] = base64url(compact(claims(iat=NOW - DAY, exp=NOW + 1000 * DAY)))
    not_heard("lease-altered", "Its end was moved.", None, stored(".".join(longer)))
    heard("lease-altered-renewed", "It was altered; the server is asked and answers.", token(),
          cache=stored(".".join(longer)))

    leased("lease-clock-24-hours", "The clock stands exactly 24 hours before the largest iat: still used.",
           fresh, highest_iat=NOW + DAY)
    not_heard("lease-clock-behind", "One second more: not used.", None, stored(fresh, NOW + DAY + 1))
    iat = NOW + 20 * DAY
    not_heard("lease-clock-30-days-back", "Over, and the clock was turned back 30 days: that does not help.", None,
              stored(token(claims(iat=NOW + 5 * DAY)), iat), now=iat - 30 * DAY)
    leased("lease-from-tomorrow", "The lease itself is 24 hours ahead of the clock: still used.",
           token(claims(iat=NOW + DAY)), highest_iat=NOW + DAY)
    not_heard("lease-highest-iat-lowered", "The stored number was lowered: the lease's own iat counts, too.", None,
              stored(token(claims(iat=NOW + DAY + 1)), 0))
    heard("lease-clock-behind-online", "The clock is behind, but the server answers.", token(),
          cache=stored(fresh, NOW + 30 * DAY), highest=NOW + 30 * DAY)
    not_heard("lease-clock-far-ahead", "The clock is a year ahead: the lease is over.", None, stored(fresh),
              now=NOW + 365 * DAY)
    heard("lease-keeps-highest-iat", "The largest iat stays, also when a newer answer has a smaller one.", token(),
          cache=stored(None, NOW + HOUR), highest=NOW + HOUR)

    heard("lease-refresh", "The program insists on asking: a good answer replaces the lease.", token(),
          cache=stored(fresh, NOW - DAY), refresh=True)
    for name, about, reply in (
            ("nobody", "nobody answers", None), ("html", "a proxy answers", html(502, "502 Bad Gateway")),
            ("unsigned-refusal", "an unsigned refusal comes", answer(None, "REVOKED")),
            ("forged-refusal", "a forged refusal comes",
             answer(token(claims("REVOKED"), FOREIGN, CURRENT.header), "REVOKED")),
            ("replayed-refusal", "the refusal of another question comes",
             answer(token(claims("REVOKED", nonce=NONCE[::-1])), "REVOKED")),
            ("other-machine-refusal", "another machine's refusal comes",
             answer(token(claims("REVOKED", sub="0a:1b:2c:3d:4e:60")), "REVOKED")),
            ("future-code", "a code comes that the client does not know", answer(token(claims("PAUSED"))))):
        leased("lease-refresh-" + name, "The program insists on asking, %s: the lease stays and decides." % about,
               fresh, reply=reply, asks=True, refresh=True)


def damaged_caches():
    fresh = token(claims(iat=NOW - DAY))
    for name, about, text in (
            ("not-json", "The stored file is no JSON.", "no such thing"),
            ("empty", "It is empty, as after a power cut.", ""),
            ("cut-short", "It ends in the middle.", json.dumps(stored(fresh))[:-1]),
            ("array", "It is an array.", json.dumps([stored(fresh)])),
            ("bare", "It is the token and nothing else.", fresh),
            ("token-number", "The token is a number.", json.dumps(stored(7))),
            ("without-highest-iat", "There is no highest_iat.", json.dumps({"token": fresh})),
            ("highest-iat-text", "highest_iat is a text.", json.dumps(stored(fresh, str(NOW)))),
            ("highest-iat-true", "highest_iat is true.", json.dumps(stored(fresh, True))),
            ("highest-iat-fraction", "highest_iat is a fraction.", json.dumps(stored(fresh, NOW + 0.5)))):
        not_heard("cache-" + name, about + " Then nothing is stored.", None, {"text": text}, None)
    heard("cache-not-json-good", "The stored file is no JSON; the server answers and it is replaced.", token(),
          cache={"text": "no such thing"})
    heard("cache-not-json-refused", "The same with a refusal.", token(claims("REVOKED")), "REVOKED",
          cache={"text": "no such thing"})


def main(folder):
    for group in (good_answers, refusals, no_answers, forged_tokens, damaged_tokens, other_questions, odd_claims,
                  leases, damaged_caches):
        group()
    for name, content in VECTORS.items():
        with open(os.path.join(folder, name + ".json"), "w", encoding="ascii", newline="\n") as file:
            file.write(json.dumps(content, indent=2, sort_keys=True) + "\n")
    print("%d vectors" % len(VECTORS))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
