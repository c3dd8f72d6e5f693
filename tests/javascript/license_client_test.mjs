// Tests `license_client.mjs` against real servers on loopback: `node --test tests/javascript/`.
//
// `tests/vectors/` covers tokens, redirects, the lease and its clock; these tests cover sockets, TLS, files, processes
// and the choice of the machine ID.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { promisify } from "node:util";

import { LicenseClient, internals } from "../../static/license_client.mjs";

const MODULE = new URL("../../static/license_client.mjs", import.meta.url).href;
const HARDWARE_CHANGES = new URL("../python/hardware_changes.json", import.meta.url);
const TOOL = "Tool_A";
const MACHINE = "0a:1b:2c:3d:4e:5f";
const DAY = 86_400;
const NOW = Math.floor(Date.now() / 1000);
/** For servers that never answer; a check may take this long and little more. */
const [SHORT_MS, MARGIN_MS] = [500, 5000];
/** With this timeout, what hangs takes longer than `QUICK_MS`, even on a busy computer. */
const [LONG_MS, QUICK_MS] = [60_000, 10_000];
const TIME_LIMIT = { timeout: 90_000 };

const ROOT = fs.mkdtempSync(path.join(os.tmpdir(), "license-client-"));
const { privateKey, publicKey } = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
const { x, y } = publicKey.export({ format: "jwk" });
const KEY = `${x}.${y}`;
const thumbprint = crypto.createHash("sha256").update(JSON.stringify({ crv: "P-256", kty: "EC", x, y }));
const KID = thumbprint.digest("base64url").slice(0, 16);

const servers = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections?.();
    server.close();
  }
  fs.rmSync(ROOT, { recursive: true, force: true });
});

function token(question, changes) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const { tool_name: aud, license_key: sub, nonce } = question;
  const claims = {
    aud,
    sub,
    nonce,
    code: "VALID",
    http: 200,
    message: "good",
    iat: NOW,
    exp: NOW + 7 * DAY,
    ...changes,
  };
  const signed = `${part({ alg: "ES256", kid: KID, typ: "license+jwt" })}.${part(claims)}`;
  const key = { key: privateKey, dsaEncoding: "ieee-p1363" };
  return `${signed}.${crypto.sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
}

const signed = (changes) => (question, response) => response.end(JSON.stringify({ token: token(question, changes) }));

async function listening(server) {
  servers.push(server);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

/** A web server that answers each question with `answer(question, response)`, and the questions that it got. */
async function serve(answer, certificate) {
  const questions = [];
  const handle = async (request, response) => {
    response.on("error", () => {});
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    questions.push(JSON.parse(Buffer.concat(pieces)));
    answer(questions.at(-1), response, request);
  };
  const server = certificate ? https.createServer(certificate, handle) : http.createServer(handle);
  server.on("tlsClientError", () => {});
  const port = await listening(server);
  return { url: `http${certificate ? "s" : ""}://127.0.0.1:${port}/licenseserver`, port, questions };
}

/** A server that does to each socket what `handle` does. */
async function serveRaw(handle) {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    handle(socket);
  });
  return `http://127.0.0.1:${await listening(server)}`;
}

const newFolder = () => fs.mkdtempSync(path.join(ROOT, "leases-"));

function client(url, options) {
  return new LicenseClient(url, { publicKeys: [KEY], cacheDir: newFolder(), machineId: MACHINE, ...options });
}

const stateFile = (folder) => {
  const [name, ...more] = fs.readdirSync(folder).filter((file) => file.endsWith(".json"));
  assert.deepEqual(more, []);
  return path.join(folder, name);
};

const state = (folder) => JSON.parse(fs.readFileSync(stateFile(folder)));

/** What the promise takes in milliseconds, after its result. */
async function timed(promise) {
  const start = performance.now();
  return [await promise, performance.now() - start];
}

async function assertNoAnswerInTime(url, words) {
  const [license, ms] = await timed(client(url, { timeout: SHORT_MS }).check(TOOL));
  assert.equal(license.code, "NO_ANSWER");
  assert.match(license.message, words);
  assert.doesNotMatch(license.message, /invalid/i);
  assert.ok(ms < SHORT_MS + MARGIN_MS, `${ms} ms`);
}

/** Runs the statements, which have `client` and `TOOL`, in a process of their own; its last line of output is JSON. */
async function program(url, folder, statements, env = {}) {
  const options = JSON.stringify({ publicKeys: [KEY], cacheDir: folder, machineId: MACHINE, timeout: LONG_MS });
  const code = `import { LicenseClient } from ${JSON.stringify(MODULE)};
    const client = new LicenseClient(${JSON.stringify(url)}, ${options}); const TOOL = "${TOOL}"; ${statements}`;
  const args = ["--input-type=module", "--eval", code];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...process.env, ...env },
    timeout: LONG_MS,
  });
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

const PRINT = "const license = await client.check(TOOL); console.log(JSON.stringify(license));";

describe("the request and the answer", { concurrency: true, ...TIME_LIMIT }, () => {
  it("asks with a new nonce and believes the signed answer alone", async () => {
    const server = await serve((question, response) => {
      response.writeHead(500);
      signed()(question, response);
    });
    const one = client(server.url, { version: "2.1", trial: true });
    for (let i = 0; i < 2; i++) assert.equal((await one.check(TOOL, { refresh: true })).code, "VALID");
    const [first, second] = server.questions;
    assert.notEqual(first.nonce, second.nonce);
    assert.match(first.nonce, /^[A-Za-z0-9_-]{32}$/);
    assert.deepEqual([first.kids, first.client.version, first.trial], [[KID], "2.1", true]);
  });

  for (const status of [301, 302, 303, 307, 308]) {
    it(`repeats the question after ${status}`, async () => {
      const target = await serve(signed());
      const server = await serve((_, response) =>
        response.writeHead(status, { Location: `${target.url}/api/check` }).end(),
      );
      const license = await client(server.url).check(TOOL);
      assert.equal(license.code, "VALID");
      const { client: personal, ...question } = server.questions[0];
      assert.ok(personal);
      assert.deepEqual(target.questions, [question]); // another port: nothing personal
    });
  }

  it("does not leave the host over http, and names the target", async () => {
    const target = await serve(signed());
    const elsewhere = target.url.replace("127.0.0.1", "localhost");
    const server = await serve((_, response) => response.writeHead(302, { Location: elsewhere }).end());
    const license = await client(server.url).check(TOOL);
    assert.equal(license.code, "NO_ANSWER");
    assert.ok(license.message.includes(`redirected to ${elsewhere}`), license.message);
    assert.deepEqual(target.questions, []);
  });

  for (const location of [
    "/\\localhost/",
    "https:///localhost/",
    "HTTPS:localhost",
    "///localhost/",
    "/\t/localhost/",
    "https://localhost:0/",
  ]) {
    it(`does not follow ${JSON.stringify(location)}`, async () => {
      const asked = [];
      const one = client(" http://127.0.0.1:1\u00a0");
      one._exchange = async (url) => {
        asked.push(url.href);
        return { status: 302, location, body: Buffer.alloc(0) };
      };
      assert.match((await one.check(TOOL)).message, /which is not a web address/);
      assert.deepEqual(asked, ["http://127.0.0.1:1/api/check"]);
    });
  }

  it("accepts a byte order mark", async () => {
    const server = await serve((question, response) => {
      response.write(Buffer.from([0xef, 0xbb, 0xbf]));
      signed()(question, response);
    });
    assert.equal((await client(server.url).check(TOOL)).code, "VALID");
  });

  for (const [size, code] of [
    [65_536, "VALID"],
    [65_537, "NO_ANSWER"],
  ]) {
    it(`concludes ${code} from ${size} bytes`, async () => {
      const server = await serve((question, response) =>
        response.end(JSON.stringify({ token: token(question) }).padEnd(size)),
      );
      assert.equal((await client(server.url).check(TOOL)).code, code);
    });
  }

  it("says that a proxy wants a sign-in", async () => {
    const server = await serve((_, response) => response.writeHead(407).end("<html>"));
    assert.match((await client(server.url).check(TOOL)).message, /the network's proxy requires a sign-in/);
  });

  it("says what keeps it from asking", async () => {
    const words = async (one, tool = TOOL) => (await one.check(tool)).message;
    assert.match(await words(client("http://127.0.0.1:1")), /connection was refused/);
    assert.match(await words(client("http://host.invalid")), /from its address \(the host name was not found\)/);
    assert.match(await words(client("ftp://host")), /"ftp:\/\/host", which is not a web address/);
    assert.match(await words(client(undefined)), /not a web address/);
    assert.match(await words(client("http://user:secret@host")), /"http:\/\/host", which is not a web address/);
    assert.match(await words(client("http://127.0.0.1:1"), ""), /does not give its name/);
    assert.match(await words(client("http://127.0.0.1:1", { machineId: () => "" })), /has no machine ID/);
    assert.match(
      await words(client("http://127.0.0.1:1", { machineId: () => Promise.reject(undefined) })),
      /could not be found/,
    );
    assert.match(await words(new LicenseClient("http://127.0.0.1:1")), /the list is empty/);
  });
});

describe("public keys", TIME_LIMIT, () => {
  const problem = async (publicKeys) => (await client("http://127.0.0.1:1", { publicKeys }).check(TOOL)).message;

  it("are x.y, PEM, JWK or a JWK Set", async () => {
    const jwk = { kty: "EC", crv: "P-256", x, y };
    const pem = publicKey.export({ format: "pem", type: "spki" });
    for (const keys of [KEY, ` ${KEY}\n`, [pem], [jwk], { keys: [{ ...jwk, kid: "other" }] }]) {
      assert.match(await problem(keys), /connection was refused/);
    }
  });

  it("are named if they are unusable", async () => {
    const copied = `${x}.${y.slice(1)}A`;
    const other = crypto
      .generateKeyPairSync("ec", { namedCurve: "P-384" })
      .publicKey.export({ format: "pem", type: "spki" });
    assert.match(await problem([KEY, privateKey.export({ format: "jwk" })]), /private key/);
    for (const key of [[copied], [`${KEY}=`], [`${x}.`]]) assert.match(await problem(key), /not copied correctly/);
    for (const key of [[other], [null], [5], ["a.b.c"], [{}]])
      assert.match(await problem(key), /not a public key for ES256/);
    for (const key of [[], null, "", {}]) assert.match(await problem(key), /cannot be used/);
  });
});

describe("time", { concurrency: true, ...TIME_LIMIT }, () => {
  const drip = (socket, start, piece) => {
    socket.write(start);
    const timer = setInterval(() => socket.write(piece), 20);
    socket.on("close", () => clearInterval(timer));
  };
  const HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
  const hostile = {
    "a silent server": () => {},
    "a dripping body": (socket) => drip(socket, HEAD, " "),
    "a dripping header": (socket) => drip(socket, "HTTP/1.1 200 OK\r\n", "a"),
    "endless interim answers": (socket) => drip(socket, "", "HTTP/1.1 100 Continue\r\n\r\n"),
    "an answer that stops": (socket) => socket.write(`${HEAD}{`),
  };
  for (const [name, handle] of Object.entries(hostile)) {
    it(`ends for ${name}`, async () => assertNoAnswerInTime(await serveRaw(handle), /no answer in time/));
  }

  it("ends for what is not HTTP", async () => {
    await assertNoAnswerInTime(await serveRaw((socket) => socket.end("SSH-2.0-OpenSSH\r\n")), /not an HTTP response/);
    await assertNoAnswerInTime(await serveRaw((socket) => socket.destroy()), /no connection/);
    const headers = "X: y\r\n".repeat(20_000);
    await assertNoAnswerInTime(
      await serveRaw((socket) => socket.end(`HTTP/1.1 200 OK\r\n${headers}`)),
      /not an HTTP response/,
    );
  });

  it("is shared by all hops", async () => {
    const silent = await serveRaw(() => {});
    const server = await serve((_, response) => response.writeHead(307, { Location: silent }).end());
    await assertNoAnswerInTime(server.url, /no answer in time/);
  });

  it("includes the vendor's machine ID", async () => {
    const one = client("http://127.0.0.1:1", { timeout: SHORT_MS, machineId: () => new Promise(() => {}) });
    const [license, ms] = await timed(one.check(TOOL));
    assert.match(license.message, /machine ID could not be found/);
    assert.ok(ms < SHORT_MS + MARGIN_MS, `${ms} ms`);
  });

  it("and memory are not spent on an answer of a gigabyte", async () => {
    const piece = Buffer.alloc(1 << 20, " ");
    const url = await serveRaw((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
      const pump = () => {
        while (!socket.destroyed && socket.write(piece));
      };
      socket.on("drain", pump);
      pump();
    });
    const print = `${PRINT} console.log(JSON.stringify([license.message, process.memoryUsage.rss()]));`;
    const [[message, rss], ms] = await timed(program(url, newFolder(), print));
    assert.match(message, /the answer is too long/);
    assert.ok(rss < 150 * 1024 * 1024, `${rss} bytes`);
    assert.ok(ms < QUICK_MS, `${ms} ms`);
  });
});

/** Certificates for 127.0.0.1 of a throw-away authority, by what is wrong with them. */
function certificates() {
  const folder = path.join(ROOT, "authority");
  fs.mkdirSync(folder);
  const openssl = (...args) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  fs.writeFileSync(path.join(folder, "index.txt"), "");
  fs.writeFileSync(
    path.join(folder, "ca.cnf"),
    `[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ncertificate=ca.pem\nprivate_key=ca.key
default_md=sha256\npolicy=any\nunique_subject=no\ncopy_extensions=copy\n[any]\ncommonName=supplied\n`,
  );
  fs.writeFileSync(path.join(folder, "serial"), "1000");
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test", "-days", "3650");
  const issue = (name, address, from, to) => {
    const names = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${address}`];
    openssl("req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, ...names);
    const dates = ["-startdate", from, "-enddate", to];
    openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-in", `${name}.csr`, "-out", `${name}.pem`, ...dates);
    const read = (ending) => fs.readFileSync(path.join(folder, `${name}.${ending}`));
    return { key: read("key"), cert: read("pem") };
  };
  const [past, longAgo, future, farFuture] = [
    "20200101000000Z",
    "20100101000000Z",
    "20450101000000Z",
    "20490101000000Z",
  ];
  return {
    authority: path.join(folder, "ca.pem"),
    good: issue("good", "IP:127.0.0.1", past, future),
    expired: issue("expired", "IP:127.0.0.1", longAgo, past),
    early: issue("early", "IP:127.0.0.1", future, farFuture),
    foreign: issue("foreign", "DNS:other.example", past, future),
  };
}

describe("TLS", { concurrency: true, ...TIME_LIMIT }, () => {
  const tls = certificates();
  const trusting = { NODE_EXTRA_CA_CERTS: tls.authority };

  it("that can be verified needs one question", async () => {
    const server = await serve(signed(), tls.good);
    assert.equal((await program(server.url, newFolder(), PRINT, trusting)).code, "VALID");
    assert.equal(server.questions.length, 1);
    assert.ok(server.questions[0].client);
  });

  const broken = [
    ["expired", tls.expired, trusting, /is this computer's date right/],
    ["early", tls.early, trusting, /is this computer's date right/],
    ["foreign", tls.foreign, trusting, /another host name/],
    ["unknown", tls.good, {}, /virus scanner or a proxy/],
  ];
  for (const [name, certificate, env, words] of broken) {
    it(`is not needed for a signed answer: ${name}`, async () => {
      const server = await serve(signed(), certificate);
      assert.equal((await program(server.url, newFolder(), PRINT, env)).code, "VALID");
      assert.equal(server.questions.length, 1); // the first attempt sent nothing
      assert.equal(server.questions[0].client, undefined);
    });

    it(`is named if there is no signed answer: ${name}`, async () => {
      const server = await serve((_, response) => response.end('{"status":"valid"}'), certificate);
      const license = await program(server.url, newFolder(), PRINT, env);
      assert.equal(license.code, "NO_ANSWER");
      assert.match(license.message, words);
    });
  }

  for (const [name, certificate, env] of broken) {
    it(`is needed for an activation code: ${name}`, async () => {
      const server = await serve(signed(), certificate);
      for (const action of ["activate", "deactivate"]) {
        const ask = PRINT.replace("check(TOOL)", `${action}(TOOL, "AAAA-AAAA-AAAA-AAAA")`);
        assert.equal((await program(server.url, newFolder(), ask, env)).code, "NO_ANSWER");
      }
      assert.equal(server.questions.length, 0);
    });
  }

  it("is not asked again after another error", async () => {
    const sockets = [];
    const url = await serveRaw((socket) => sockets.push(socket) && socket.end("HTTP/1.1 200 OK\r\n\r\n"));
    const license = await client(url.replace("http:", "https:")).check(TOOL);
    assert.match(license.message, /no secure connection/);
    assert.equal(sockets.length, 1);
  });

  it("may fail at each hop", async () => {
    const target = await serve(signed(), tls.good);
    const server = await serve((_, response) => response.writeHead(308, { Location: target.url }).end(), tls.good);
    assert.equal((await client(server.url).check(TOOL)).code, "VALID");
  });
});

describe("the lease", { concurrency: true, ...TIME_LIMIT }, () => {
  const HALF = { iat: NOW - 5 * DAY, exp: NOW + 2 * DAY };

  it("is readable by its user alone, and starts without a network", async () => {
    const folder = path.join(newFolder(), "new");
    const server = await serve(signed());
    assert.equal((await client(server.url, { cacheDir: folder }).check(TOOL)).source, "server");
    assert.deepEqual(fs.readdirSync(folder), [path.basename(stateFile(folder))]);
    if (process.platform !== "win32") {
      assert.equal(fs.statSync(folder).mode & 0o777, 0o700);
      assert.equal(fs.statSync(stateFile(folder)).mode & 0o777, 0o600);
    }
    const [license, ms] = await timed(client(server.url, { cacheDir: folder, timeout: LONG_MS }).check(TOOL));
    assert.equal(license.source, "lease");
    assert.ok(ms < QUICK_MS, `${ms} ms`);
    assert.equal(server.questions.length, 1);
  });

  it("is renewed even if the program ends at once", async () => {
    const folder = newFolder();
    const terms = [HALF, {}];
    const server = await serve((question, response) => signed(terms.shift())(question, response));
    assert.equal((await program(server.url, folder, PRINT)).source, "server");
    assert.equal((await program(server.url, folder, PRINT)).source, "lease");
    assert.equal(state(folder).good_iat, NOW);
  });

  it("is renewed by the next address if there is no answer from the first", async () => {
    const server = await serve(signed());
    const [urls, cacheDir] = [["http://127.0.0.1:1", server.url], newFolder()];
    assert.equal((await client(urls, { cacheDir }).check(TOOL)).source, "server");
    const later = client(urls, { cacheDir });
    later._now = () => NOW + 4 * DAY;
    const renewed = new Promise((resolve) => (later._inBackground = (renew) => resolve(renew())));
    assert.equal((await later.check(TOOL)).source, "lease");
    await renewed;
    assert.equal(server.questions.length, 2);
  });

  it("keeps no program alive that ends while a silent server is asked", async () => {
    const folder = newFolder();
    let answer = signed(HALF);
    const server = await serve((...args) => answer(...args));
    await program(server.url, folder, PRINT);
    answer = () => {};
    const [, ms] = await timed(program(server.url, folder, PRINT));
    assert.ok(ms < QUICK_MS, `${ms} ms`); // one second, and the start of Node
    assert.equal(server.questions.length, 2);
  });

  it("counts after a forced refresh that got no answer", async () => {
    const folder = newFolder();
    let answer = signed();
    const server = await serve((...args) => answer(...args));
    assert.equal((await client(server.url, { cacheDir: folder }).check(TOOL)).source, "server");
    answer = () => {};
    const license = await client(server.url, { cacheDir: folder, timeout: 2000 }).check(TOOL, { refresh: true });
    assert.deepEqual([license.code, license.source], ["VALID", "lease"]);
    assert.match(license.diagnostic(), /no answer: ETIMEDOUT/);
  });

  it("counts if the disk is slow and the server does not answer", async () => {
    const folder = newFolder();
    const server = await serve(signed());
    await client(server.url, { cacheDir: folder }).check(TOOL);
    servers.find((one) => one.address()?.port === server.port).close();
    const { readdir } = fs.promises;
    let isFirst = true;
    fs.promises.readdir = (...args) => {
      if (args[0] !== folder || !isFirst) return readdir(...args);
      isFirst = false;
      return new Promise(() => {});
    };
    const license = await client(server.url, { cacheDir: folder, timeout: 2000 }).check(TOOL);
    fs.promises.readdir = readdir;
    assert.deepEqual([license.code, license.source, isFirst], ["VALID", "lease", false]);
  });

  it("is erased by a refusal, also in a folder that cannot be written", async () => {
    const folder = newFolder();
    let code = "VALID";
    const server = await serve((question, response) => signed({ code })(question, response));
    const one = client(server.url, { cacheDir: folder });
    await one.check(TOOL);
    code = "REVOKED";
    fs.mkdirSync(`${stateFile(folder)}.draft`); // a draft that nobody can replace
    assert.equal((await one.check(TOOL, { refresh: true })).code, "REVOKED");
    assert.equal(state(folder).token, null);
  });

  it("survives a process that was killed while it wrote", async () => {
    const folder = newFolder();
    const server = await serve(signed());
    await client(server.url, { cacheDir: folder }).check(TOOL);
    const file = stateFile(folder);
    fs.writeFileSync(`${file}.draft`, "{");
    fs.rmSync(file);
    assert.equal((await client(server.url, { cacheDir: folder }).check(TOOL)).code, "VALID");
    assert.deepEqual(fs.readdirSync(folder), [path.basename(file)]);
  });

  it("ends where it cannot be written, if the clock is set back", async () => {
    const folder = newFolder();
    const server = await serve(signed());
    await client(server.url, { cacheDir: folder }).check(TOOL);
    const content = fs.readFileSync(stateFile(folder), "utf8");
    const { open, rm } = fs.promises;
    const refusing = (work, mayPass) => async (file, ...more) => {
      if (!String(file).startsWith(folder) || mayPass(...more)) return work(file, ...more);
      throw Object.assign(new Error("read-only"), { code: "EROFS" });
    };
    fs.promises.open = refusing(open, (flags) => typeof flags === "number");
    fs.promises.rm = refusing(rm, () => false);
    try {
      const one = client(server.url, { cacheDir: folder });
      one._now = () => NOW - 2 * DAY;
      one._exchange = () => Promise.reject(new Error("no network"));
      const license = await one.check(TOOL);
      assert.deepEqual([license.code, license.source], ["NO_ANSWER", "none"]);
      assert.match(license.message, /date and time are earlier/);
    } finally {
      Object.assign(fs.promises, { open, rm });
    }
    assert.equal(fs.readFileSync(stateFile(folder), "utf8"), content);
  });

  it("is not waited for where the file is a pipe or a folder", { skip: process.platform === "win32" }, async () => {
    const folder = newFolder();
    const server = await serve(signed());
    await client(server.url, { cacheDir: folder }).check(TOOL);
    const file = stateFile(folder);
    for (const make of [() => execFileSync("mkfifo", [file]), () => fs.mkdirSync(file)]) {
      fs.rmSync(file, { recursive: true });
      make();
      const [license, ms] = await timed(client(server.url, { cacheDir: folder, timeout: LONG_MS }).check(TOOL));
      assert.equal(license.source, "server");
      assert.ok(ms < QUICK_MS, `${ms} ms`);
    }
  });

  it("may be missing its folder", async () => {
    const server = await serve(signed());
    const file = path.join(newFolder(), "file");
    fs.writeFileSync(file, "");
    for (const cacheDir of [file, path.join(file, "below"), "\0", "/proc/none"]) {
      assert.equal((await client(server.url, { cacheDir }).check(TOOL)).code, "VALID");
    }
  });

  it("is written by many at once", async () => {
    const folder = newFolder();
    const server = await serve(signed());
    const many = "const all = []; for (let i = 0; i < 10; i++) all.push(client.check(TOOL, { refresh: true }));";
    const print = `${many} console.log(JSON.stringify((await Promise.all(all)).map(({ code }) => code)));`;
    const results = await Promise.all(Array.from({ length: 4 }, () => program(server.url, folder, print)));
    assert.deepEqual(new Set(results.flat()), new Set(["VALID"]));
    assert.deepEqual(fs.readdirSync(folder), [path.basename(stateFile(folder))]);
    assert.equal(state(folder).good_iat, NOW);
  });
});

describe("the lease, while the computer is busy", TIME_LIMIT, () => {
  it("survives many starts at once that find the lock of a killed process", async () => {
    const folder = newFolder();
    const server = await serve(signed());
    await client(server.url, { cacheDir: folder }).check(TOOL);
    const file = stateFile(folder);
    fs.writeFileSync(`${file}.draft`, "");
    const waiting = [];
    const gate = http.createServer((_, response) => {
      if (waiting.push(response) === 20) waiting.forEach((one) => one.setHeader("Connection", "close").end());
    });
    const wait = `await (await fetch("http://127.0.0.1:${await listening(gate)}")).text();`;
    const starts = Array.from({ length: 20 }, (_, i) =>
      program(server.url, folder, `client._now = () => ${NOW + 3600 + i * 60}; ${wait} ${PRINT}`),
    );
    const results = await Promise.all(starts);
    assert.deepEqual(new Set(results.map(({ source }) => source)), new Set(["lease"]));
    assert.equal(state(folder).good_iat, NOW);
    assert.deepEqual(fs.readdirSync(folder), [path.basename(file)]);
  });
});

describe("the machine ID", { concurrency: true, ...TIME_LIMIT }, () => {
  const WIRED = "d8:bb:c1:00:00:01";
  const WIFI = "3c:58:c2:00:00:02";
  const adapter = (mac, bus, name, more) => ({
    PermanentAddress: mac.replaceAll(":", "").toUpperCase(),
    MacAddress: mac.replaceAll(":", "-").toUpperCase(),
    HardwareInterface: true,
    PnPDeviceID: bus && `${bus}\\VEN_8086&DEV_15F3\\3&11583659&0&FE`,
    InterfaceType: 6,
    InterfaceDescription: name,
    State: 2,
    InterfaceOperationalStatus: 1,
    ...more,
  });
  const lan = adapter(WIRED, "PCI", "Intel(R) Ethernet Controller I225-V");
  const wifi = adapter(WIFI, "PCI", "Intel(R) Wi-Fi 6 AX201", { InterfaceType: 71 });
  const preferred = (...records) => internals.choosePreferred(internals.windowsAdaptersIn(records), "guid", false);
  const earlier = (...records) => {
    const seen = internals.windowsAdaptersIn(records).filter((found) => found.earlierRank !== undefined);
    return internals.chooseEarlier(seen, "guid");
  };

  it("is the address of the adapter that is hardest to remove", () => {
    assert.equal(preferred(wifi, lan), WIRED);
    assert.equal(preferred(wifi), WIFI);
    assert.equal(preferred(adapter("00:50:b6:00:00:03", "USB", "Ethernet Controller"), wifi), WIFI);
    assert.equal(preferred(adapter("00:50:b6:00:00:03", "USB", "Ethernet Controller")), "00:50:b6:00:00:03");
    assert.equal(preferred(adapter("00:50:b6:00:00:03", "BTH", "Bluetooth Device")), "guid");
    assert.equal(preferred(adapter("00:15:5d:00:00:03", "VMBUS", "Microsoft Hyper-V Network Adapter")), "guid");
    assert.equal(preferred(adapter("02:50:b6:00:00:03", "PCI", "Private Wi-Fi")), "guid");
  });

  it("is that of a disabled adapter, but not of one that is gone", () => {
    assert.equal(preferred(wifi, { ...lan, State: 3, InterfaceOperationalStatus: 6 }), WIRED);
    assert.equal(preferred(wifi, { ...lan, State: 1, InterfaceOperationalStatus: 6 }), WIFI);
    assert.equal(earlier(wifi, { ...lan, State: 3, InterfaceOperationalStatus: 6 }), WIFI);
  });

  it("was chosen by name in version 1.1.0", () => {
    const usb = adapter("00:50:b6:00:00:03", "USB", "Realtek Gigabit Controller");
    assert.equal(earlier(wifi, usb), "00:50:b6:00:00:03");
    assert.equal(preferred(wifi, { ...usb, PnPDeviceID: undefined }), "00:50:b6:00:00:03");
  });

  it("that was once good is still in the machine after any change of its adapters", () => {
    const { changes, system_id: systemId } = JSON.parse(fs.readFileSync(HARDWARE_CHANGES));
    const found = (records) =>
      internals.windowsAdaptersIn(
        records.map(({ address, permanent, instance, description, type, hardware }) =>
          adapter(permanent, "", description, {
            PnPDeviceID: instance,
            HardwareInterface: hardware,
            InterfaceType: type === "wifi" ? 71 : 6,
            State: address ? 2 : 3,
          }),
        ),
      );
    for (const { name, before, after: later } of changes) {
      const present = [...found(later).map(({ mac }) => mac), systemId];
      const adapters = found(before);
      const seen = adapters.filter(({ earlierRank }) => earlierRank !== undefined);
      const ids = [internals.choosePreferred(adapters, systemId, false), internals.chooseEarlier(seen, systemId)];
      for (const id of ids) assert.ok(present.includes(id), name);
    }
  });

  it("is no placeholder", () => {
    const shared = [
      "00:00:00:00:00:01",
      "00:11:22:33:44:55",
      "00:e0:4c:00:00:01",
      "88:88:88:88:87:88",
      "aa:aa:aa:aa:aa:aa",
      "00:01:02:03:04:05",
    ];
    for (const mac of [...shared, "0c:0c:29:00:00:00", "12:34:56:78:9a:bc"])
      assert.ok(internals.isPlaceholder(mac), mac);
    for (const mac of [WIRED, WIFI, "00:e0:4c:68:01:23"]) assert.ok(!internals.isPlaceholder(mac), mac);
  });

  it("is found in the files of Linux", async () => {
    const root = newFolder();
    const write = (name, files) => {
      for (const [file, text] of Object.entries(files)) {
        fs.mkdirSync(path.dirname(path.join(root, name, file)), { recursive: true });
        fs.writeFileSync(path.join(root, name, file), `${text}\n`);
      }
    };
    const shared = { type: 1, address: "D8:BB:C1:00:00:0F", addr_assign_type: 3, "device/vendor": "" };
    write("eth0", { ...shared, "bonding_slave/perm_hwaddr": WIRED });
    write("wlan0", { ...shared, "phy80211/macaddress": WIFI });
    write("eth1", { ...shared, address: "d8:bb:c1:00:00:03", addr_assign_type: 0, "device/removable": "removable" });
    write("bond0", { type: 1, address: WIRED, addr_assign_type: 3 });
    write("lo", { type: 772, address: "00:00:00:00:00:00", addr_assign_type: 0 });
    const found = await internals.linuxAdapters(root);
    const ranks = Object.fromEntries(found.map(({ mac, rank }) => [`${mac} ${rank}`, true]));
    assert.deepEqual(
      Object.keys(ranks).sort(),
      [`${WIFI} 1`, `${WIRED} 0`, `${WIRED} 4`, "d8:bb:c1:00:00:03 2"].sort(),
    );
    assert.equal(internals.choosePreferred(found, "id", false), WIRED);
    assert.equal(internals.choosePreferred(found, "id", true), "id");
  });

  it("is found on this computer, and shown to a person", async () => {
    const one = client("http://127.0.0.1:1", { machineId: undefined });
    const id = await one.machineId();
    assert.match(await one.machineCode(TOOL), id ? /^[A-Z2-9]{3}-[A-Z2-9]{3}$/ : /^$/);
    const license = await one.check(TOOL);
    assert.equal(license.machineId ?? "", id);
    assert.ok(license.diagnostic().includes(`machine ID: ${id && `...${id.slice(-4)}`}`), license.diagnostic());
  });

  it("needs no search if the one that was good last is in plain view", async () => {
    const server = await serve(signed());
    const cacheDir = newFolder();
    await client(server.url, { cacheDir }).check(TOOL);
    const one = client(server.url, { cacheDir, machineId: undefined });
    one._isVisible = async (id) => id === MACHINE;
    one._findMachine = () => assert.fail("searched");
    assert.equal((await one.check(TOOL)).source, "lease");
    assert.equal(await one.machineId(TOOL), MACHINE);
  });

  describe("is searched by other programs", { skip: process.platform === "win32" }, () => {
    const searching = async (program, argument, statements) => {
      const search = `client._findMachine = async () => {
        const [preferred] = (await internals.outputOf("${program}", ["${argument}"])).split("\\n");
        return { preferred, earlier: preferred, present: [] };
      };`;
      const code = `import { LicenseClient, internals } from ${JSON.stringify(MODULE)};
        const client = new LicenseClient("http://127.0.0.1:1", { publicKeys: "${KEY}", timeout: ${SHORT_MS} });
        ${search} ${statements}`;
      const args = ["--input-type=module", "--eval", code];
      return timed(promisify(execFile)(process.execPath, args, { timeout: LONG_MS }));
    };

    it("whose output is waited for", async () => {
      const [{ stdout }] = await searching("echo", MACHINE, "console.log(await client.machineId());");
      assert.equal(stdout, `${MACHINE}\n`);
    });

    it("that keep no process alive", async () => {
      const [{ stdout }, ms] = await searching("sleep", "20", 'console.log((await client.check("T")).message);');
      assert.match(stdout, /machine ID could not be found/);
      assert.ok(ms < QUICK_MS, `${ms} ms`);
    });
  });

  it("needs a look or a search that ends in time, whichever is first", async () => {
    const server = await serve(signed());
    const cacheDir = newFolder();
    await client(server.url, { cacheDir }).check(TOOL);
    const machine = { present: [MACHINE], earlier: MACHINE, preferred: MACHINE };
    // The search begins when the look has taken too long.
    for (const [look, search] of [
      [(searching) => searching.then(() => true), () => new Promise(() => {})],
      [() => new Promise(() => {}), async () => machine],
      [(searching) => searching.then(() => false), (looked) => looked.then(() => machine)],
    ]) {
      const one = client(server.url, { cacheDir, machineId: undefined, timeout: 1000 });
      let begin;
      const looked = look(new Promise((resolve) => (begin = resolve)));
      one._isVisible = () => looked;
      one._findMachine = () => {
        begin();
        return search(looked);
      };
      assert.equal((await one.check(TOOL)).source, "lease");
    }
  });

  it("is searched again after a check that was not good", async () => {
    const server = await serve((question, response) =>
      signed({ code: question.license_key === MACHINE ? "VALID" : "NOT_FOUND" })(question, response),
    );
    const found = ["d8:bb:c1:00:00:09", MACHINE];
    const one = client(server.url, { machineId: () => found.shift() });
    assert.equal((await one.check(TOOL)).code, "NOT_FOUND");
    assert.equal((await one.check(TOOL)).code, "VALID");
    assert.equal((await one.check(TOOL, { refresh: true })).code, "VALID");
  });

  it("that the search has not found in time is there for the next check", async () => {
    const server = await serve(signed());
    const one = client(server.url, { machineId: undefined, timeout: SHORT_MS });
    let found;
    one._findMachine = () => new Promise((resolve) => (found = resolve));
    assert.match((await one.check(TOOL)).message, /machine ID could not be found \(ETIMEDOUT/);
    found({ present: [MACHINE], earlier: MACHINE, preferred: MACHINE });
    assert.equal((await one.check(TOOL)).code, "VALID");
  });
});
