// Runs `static/license_client.mjs` on each vector of standard input, and prints the results.

import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";

import { LicenseClient, internals } from "../../static/license_client.mjs";

const hash = (text) => createHash("sha256").update(text).digest("hex").slice(0, 16);

function stateFile(vector, { file, license_key }) {
  const server = vector.server_url
    .trim()
    .replace(/\/+$/, "")
    .replace(/\/api\/check$/, "")
    .replace(/\/+$/, "");
  return file ?? `${hash(JSON.stringify([server, vector.tool_name]))}-${hash(license_key)}.json`;
}

function writeStates(vector, folder) {
  for (const state of vector.states) {
    const { file, text, ...members } = state;
    fs.writeFileSync(path.join(folder, stateFile(vector, state)), text ?? JSON.stringify(members));
  }
}

/** The readable files of this vector's server and tool. */
function readStates(vector, folder) {
  const prefix = stateFile(vector, { license_key: "" }).split("-")[0];
  const names = fs.readdirSync(folder).filter((name) => name.startsWith(prefix) && name.endsWith(".json"));
  const states = names.map((name) => internals.stateIn(fs.readFileSync(path.join(folder, name)), name));
  const key = (state) => state.license_key;
  return states.filter(Boolean).sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** What the client does in place of HTTP, recording it in `requests`. */
function exchangeOf(vector, requests) {
  const answers = [...vector.answers];
  return async (url, body, verify) => {
    const question = JSON.parse(body);
    requests.push({
      url: url.href,
      license_key: question.license_key,
      nonce: question.nonce ?? null,
      personal: "client" in question || "customer" in question,
      verified: verify,
      previous_license_key: question.previous_license_key ?? null,
      trial: question.trial ?? false,
      ...pick(question, ["activation_code", "customer"]),
    });
    const answer = answers.shift();
    if (!answer) throw Object.assign(new Error("unreachable"), { code: "ECONNREFUSED" });
    if (answer.tls) throw Object.assign(new Error("certificate"), { certificate: answer.tls });
    const content =
      answer.body_base64 !== undefined ? Buffer.from(answer.body_base64, "base64") : Buffer.from(answer.body);
    return { status: answer.status, location: answer.location, body: content };
  };
}

function pick(object, names) {
  return Object.fromEntries(names.filter((name) => name in object).map((name) => [name, object[name]]));
}

/** What the customer reads about an activation code; without an answer, only the beginning. */
function saidOf(vector, { code, reason, message }) {
  if (!vector.action) return {};
  const unreachable = "The license server cannot be reached";
  return { reason, message: code === "NO_ANSWER" && message.startsWith(unreachable) ? unreachable : message };
}

/** What the license grants, and the answers to the questions about it. */
function grantedOf({ asks }, result) {
  if (!asks) return {};
  const license = {
    is_trial: result.isTrial,
    edition: result.edition,
    features: result.features,
    data: result.data,
    updates_until: result.updatesUntil,
    latest_version: result.latestVersion,
    latest_url: result.latestUrl,
    minimum_version: result.minimumVersion,
    has: result.has(asks.has),
    update_available: result.updateAvailable(asks.version),
    is_below_minimum: result.isBelowMinimum(asks.version),
    covers: result.covers(asks.build_date),
  };
  return { license };
}

const requestFile = (vector, request) => request.file ?? stateFile(vector, request).replace(/json$/, "request");

function writeRequests(vector, folder) {
  for (const request of vector.offline_requests ?? []) {
    const { file, text, ...members } = request;
    fs.writeFileSync(path.join(folder, requestFile(vector, request)), text ?? JSON.stringify(members));
  }
}

/** The requests for offline files, without unreadable ones. */
function readRequests(vector, folder) {
  if (!vector.offline_requests) return {};
  const names = fs.readdirSync(folder).filter((name) => name.endsWith(".request"));
  const all = names.map((name) => JSON.parse(fs.readFileSync(path.join(folder, name))));
  const ours = all.map(({ license_key, nonce }) => ({ license_key, nonce }));
  return { offline_requests: ours.sort((a, b) => (a.license_key < b.license_key ? -1 : 1)) };
}

async function shown(client, { tool_name }) {
  const [first, again] = [await client.offlineRequest(tool_name), await client.offlineRequest(tool_name)];
  return { offline_request: first === again ? first : [first, again], offline_url: await client.offlineUrl(tool_name) };
}

function ask(client, { action, tool_name, activation_code, customer, refresh, text }) {
  if (action === "import_lease") return client.importLease(tool_name, text);
  if (action === "activate") return client.activate(tool_name, activation_code, { customer });
  if (action === "deactivate") return client.deactivate(tool_name, activation_code);
  return client.check(tool_name, { refresh });
}

async function check(vector, folder) {
  const requests = [];
  const nonces = [...vector.nonces];
  const servers = vector.standby_urls ? [vector.server_url, ...vector.standby_urls] : vector.server_url;
  const client = new LicenseClient(servers, {
    publicKeys: vector.keys,
    cacheDir: folder,
    version: "1.0",
    trial: vector.trial,
  });
  client._now = () => vector.now;
  client._uptime = () => vector.uptime;
  client._nonce = () => nonces.shift();
  client._findMachine = async () => vector.machine;
  client._isVisible = async () => false;
  client._exchange = exchangeOf(vector, requests);
  client._inBackground = () => {};
  writeStates(vector, folder);
  writeRequests(vector, folder);
  if (vector.action === "offline_request") {
    const about = await shown(client, vector);
    return { ...about, states: readStates(vector, folder), ...readRequests(vector, folder) };
  }
  const result = await ask(client, vector);
  const { valid, code, source, machineId } = result;
  const about = {
    valid,
    code,
    source,
    license_key: machineId,
    ...saidOf(vector, result),
    ...grantedOf(vector, result),
  };
  return { ...about, requests, states: readStates(vector, folder), ...readRequests(vector, folder) };
}

async function run(vector) {
  const { version, other } = vector;
  if (other !== undefined) {
    return { is_older: internals.isOlder(version, other), is_newer: internals.isOlder(other, version) };
  }
  if (!vector.keys) return { machine_code: internals.machineCode(vector.tool_name, vector.license_key) };
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "vectors-"));
  try {
    return await check(vector, folder);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line)))}\n`);
}
