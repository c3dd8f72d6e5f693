/**
 * Checks with a license server, when a program starts, whether this computer may run it.
 *
 * Ship this one file with your program (Node 18 or later, nothing to install; in Electron, in the main process) and
 * check before the main window opens:
 *
 *     import { LicenseClient } from "./license_client.mjs";
 *
 *     const PUBLIC_KEYS = ["...", "..."]; // from the vendor's dashboard: the current key and the next one
 *
 *     const client = new LicenseClient("https://example.com/licenseserver", { publicKeys: PUBLIC_KEYS });
 *     const license = await client.check("YourToolName");
 *     if (!license.valid) {
 *       console.error(license.message); // or a message box: the message is written for your customer
 *       process.exit(1);
 *     }
 *
 * Only an answer that the server signed for this check counts, and a good one is kept as a lease: until it expires, the
 * program can start without a network. Where CommonJS is needed, use `await import("./license_client.mjs")`.
 *
 * The machine ID is the one that license_client.py and LicenseClient.cs find on the same computer, with these limits:
 * - Windows: finding it runs powershell.exe, which takes a second or two. A start from a lease does not need that. If
 *   PowerShell is not allowed to run, the ID is the MachineGuid. A PCI adapter in a Thunderbolt or USB4 dock counts as
 *   built in unless its name says otherwise.
 * - Linux: the permanent address of an adapter whose driver alone knows it is not found.
 * The parts for Windows and macOS were tested with records of adapters, not on these systems. If you know a better ID,
 * pass it as `machineId`.
 *
 * Connections are direct: no proxy is used, whatever the system's settings are.
 */

import { execFile } from "node:child_process";
import crypto from "node:crypto";
import { constants, promises as fs } from "node:fs";
import http from "node:http";
import https from "node:https";
import os from "node:os";
import path from "node:path";

export const VERSION = "1.2.0";

// Messages for the customer; translate them freely. Only the server may call a license invalid: a customer who has
// paid must not read that because a cable is loose.
const NO_ANSWER =
  "The license server cannot be reached. There was no answer from {address} ({why}). " +
  "Please check the internet connection and the firewall, then try again.";
const NO_RESULT =
  "The license server cannot be reached. The answer from {address} is not a license result ({why}). " +
  "Please try again in a few minutes. If this does not help, contact the vendor of this program.";
const BAD_ADDRESS =
  'The license server cannot be reached. This program looks for it at "{address}", ' +
  "which is not a web address. Please contact the vendor of this program.";
const CLOCK_HINT =
  " This computer's date and time are earlier than when this program was started before. Please check them, and " +
  "connect this computer to the internet once.";
const BAD_KEYS =
  "The license cannot be checked: the public keys in this program cannot be used ({why}). " +
  "Please contact the vendor of this program.";
const BAD_TOOL_NAME =
  "The license cannot be checked: this program does not give its name. Please contact the vendor of this program.";
const NO_MACHINE_ID =
  "The license cannot be checked: this computer has no machine ID. Please turn on its " +
  "network adapter (cable or Wi-Fi) and try again, or contact the vendor of this program.";
const SLOW_MACHINE_ID =
  "The license cannot be checked: this computer's machine ID could not be found ({why}). " +
  "Please try again, or contact the vendor of this program.";

// Why an offline file is refused, by reason. If the server has refused, its words count, and its code is the reason.
const OFFLINE_FILE = {
  NO_OFFLINE_FILE: "This is not an offline file. Please import the answer to this computer's request as a whole.",
  BAD_SIGNATURE:
    "This offline file was changed, or is not from the vendor of this program. Please import it again exactly as you " +
    "received it.",
  OTHER_TOOL: "This offline file is for another program. Please import the one for this program.",
  OTHER_MACHINE: "This offline file is for another computer. Please request one for this computer.",
  OTHER_REQUEST:
    "This offline file does not answer this computer's current request. Please send the request that this program " +
    "shows now.",
  FILE_EXPIRED:
    "This offline file expired on {time}, and this computer's clock says {now}. Please correct the clock, or request a " +
    "new file.",
  CLOCK_BEHIND:
    "This offline file was made on {time}, but this computer's clock says {now}. Please correct the clock, then import " +
    "the file again.",
  NOT_STORED:
    "The offline file cannot be stored on this computer. Please make sure that the disk is neither full nor " +
    "write-protected, then import the file again.",
};

// The server's codes. Any other code is no verdict.
const GOOD_CODES = ["VALID", "IN_GRACE", "TRIAL"];
const REFUSALS = ["EXPIRED", "SUSPENDED", "REVOKED", "NOT_FOUND"];
// Why an activation code is refused. Any other reason is no answer.
const CODE_REASONS = [
  "BAD_CODE",
  "UNKNOWN_CODE",
  "WRONG_TOOL",
  "CODE_EXPIRED",
  "CODE_SUSPENDED",
  "CODE_REVOKED",
  "MACHINE_BLOCKED",
  "SEATS_IN_USE",
  "OTHER_CODE",
  "MOVES_USED",
  "OFFLINE_UNTIL",
  "TRY_LATER",
];

const DEFAULT_TIMEOUT = 5000;
const MAX_TIMEOUT = 3_600_000;
// The share of the timeout after which a check goes on without files that cannot be read, as on a dead network drive.
const FILES_SHARE = 0.25;
// How long files may take after the timeout.
const SAVE_TIMEOUT = 1000;
const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_KIDS = 32;
// Of a license, in characters.
const MAX_NAME = 50;
const MAX_DATA = 1024;
const MAX_DIGITS = 15; // of a number in a version; all of them are exact
const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];
// Node gives up on each address of a host but the last after this time; its default of 250 ms is too short for a
// satellite or a busy mobile network.
const CONNECT_ATTEMPT_MS = 1500;
const LAST_SECOND = 253402300799; // of the year 9999
/** How far setting the clock back can stretch one lease, in seconds. */
const CLOCK_ALLOWANCE = 24 * 3600;
// The minimum time between two background refreshes, and the maximum that an exiting program waits for one.
const REFRESH_PAUSE_MS = 60_000;
const REFRESH_EXIT_MS = 1000;

/**
 * @typedef {object} ClientOptions
 * @property {PublicKey | PublicKey[] | { keys: PublicKey[] }} publicKeys the server's public keys, at least the current
 *   one and the next. Never fetch them at run time: whoever can send you a key can also sign the answers.
 * @property {number} [timeout] milliseconds that a check may take, or with several addresses each of them, 5000 by
 *   default
 * @property {string} [cacheDir] the folder for leases, instead of the platform's usual one
 * @property {string} [version] the version of your program, shown to the vendor
 * @property {boolean} [trial] whether a machine without a license may start the tool's trial
 * @property {string | (() => string | Promise<string>)} [machineId] the machine ID, if you know a better one
 */

/** @typedef {string | Record<string, unknown>} PublicKey "x.y", PEM or a JWK */

/** @typedef {{ name?: string, email?: string }} Customer told to the vendor */

/**
 * @typedef {object} LicenseCheck
 * @property {boolean} valid whether this computer may run the tool
 * @property {"VALID" | "IN_GRACE" | "TRIAL" | "EXPIRED" | "SUSPENDED" | "REVOKED" | "NOT_FOUND" | "NO_ANSWER" |
 *   "REFUSED" | "REMOVED"} code the first three let it run; NO_ANSWER is not a refusal; the last two are about an
 *   activation code or an offline file
 * @property {string | null} reason why an activation code or an offline file was refused, such as SEATS_IN_USE
 * @property {string} message for the customer
 * @property {"server" | "lease" | "none"} source
 * @property {string | null} expires the expiration date as "2027-12-31"; null for a perpetual license or if not known
 * @property {number | null} daysLeft days until then by this computer's calendar, 0 on the expiration date and later
 * @property {string | null} machineId the machine ID that was checked
 * @property {() => string} diagnostic a text to copy into a mail to the vendor; it contains no secrets
 * @property {boolean} isTrial whether the tool may run because of a trial
 * @property {string | null} edition this and the next six are what the vendor has set, or null or empty
 * @property {string[]} features
 * @property {string | null} data
 * @property {string | null} updatesUntil the last day whose updates the license covers, as "2027-12-31"
 * @property {string | null} latestVersion of the tool, like the next two
 * @property {string | null} latestUrl
 * @property {string | null} minimumVersion
 * @property {(feature: string) => boolean} has whether the license is valid and has this feature
 * @property {(myVersion: string) => boolean} updateAvailable whether this version of your program is older than the
 *   latest one; `isOlder` says how versions are compared
 * @property {(myVersion: string) => boolean} isBelowMinimum whether it is older than the oldest one that the vendor
 *   still wants to run
 * @property {(buildDate: string | Date) => boolean} covers whether the license covers a version that was built on this
 *   day, such as "2027-12-31"; every one if it has no last day for updates
 */

/**
 * Checks licenses of this computer with a server; no method throws or rejects. Nothing of it keeps the process alive
 * for more than a second after a check; only a name server that does not answer can, because Node waits for it.
 */
export class LicenseClient {
  #servers;
  #keys;
  #keyProblem;
  #timeout;
  #folder;
  #version;
  #trial;
  #vendorsMachineId;
  /** @type {Promise<Machine> | null} */
  #machine = null;
  /** When a signed refusal came, by state file: it counts even if the disk cannot be written. */
  #refusedAt = new Map();
  #refreshedAt = new Map();

  /**
   * @param {string | string[]} serverUrl its address, or several: the next is asked only if there is no answer from the
   *   one before. Leases are stored under the first.
   * @param {ClientOptions} options
   */
  constructor(serverUrl, options) {
    const { publicKeys, timeout, cacheDir, version, trial, machineId } = Object(options);
    this.#servers = Array.isArray(serverUrl) && serverUrl.length > 0 ? [...serverUrl] : [serverUrl];
    [this.#keys, this.#keyProblem] = pin(publicKeys);
    // Without a usable limit, the program's start could hang forever.
    this.#timeout = typeof timeout === "number" && timeout > 0 && timeout <= MAX_TIMEOUT ? timeout : DEFAULT_TIMEOUT;
    this.#folder = typeof cacheDir === "string" && cacheDir ? cacheDir : attempt(cacheFolder, "");
    this.#version = version;
    this.#trial = trial === true;
    this.#vendorsMachineId = machineId;
    // Replaced by tests.
    this._now = () => Math.floor(Date.now() / 1000);
    this._uptime = () => Math.floor(os.uptime());
    this._nonce = () => crypto.randomBytes(24).toString("base64url");
    this._findMachine = findMachine;
    this._isVisible = isVisible;
    this._exchange = exchange;
    this._inBackground = inBackground;
  }

  /**
   * Whether this computer may run the tool. A lease answers in a few milliseconds and is
   * renewed in the background; `refresh` asks the server even then.
   * @param {string} toolName
   * @param {{ refresh?: boolean, customer?: Customer }} [options]
   * @returns {Promise<LicenseCheck>}
   */
  async check(toolName, options) {
    const run = this.#start(toolName, options?.customer);
    return this.#concluded(run, () => this.#check(run, Boolean(options?.refresh)));
  }

  /**
   * Lets this computer take a seat of the activation code that the customer has entered. The result is that of a check.
   * If the code is refused, its `code` is REFUSED, and it has a `reason`.
   * @param {string} toolName
   * @param {string} activationCode
   * @param {{ customer?: Customer }} [options]
   * @returns {Promise<LicenseCheck>}
   */
  async activate(toolName, activationCode, options) {
    const run = this.#start(toolName, options?.customer);
    return this.#concluded(run, () => this.#activate(run, activationCode));
  }

  /**
   * Gives the seat of this computer back, for another computer. The result is never valid: its `code` is REMOVED, or
   * else REFUSED, with a `reason`, or NO_ANSWER.
   * @param {string} toolName
   * @param {string} activationCode
   * @returns {Promise<LicenseCheck>}
   */
  async deactivate(toolName, activationCode) {
    const run = this.#start(toolName);
    return this.#concluded(run, () => this.#deactivate(run, activationCode));
  }

  /**
   * What a computer without a network asks the vendor: a text to copy, which stays the same until the answer to it is
   * imported. "" if there can be none: without public keys, a machine ID, or a folder to store it in.
   * @param {string} toolName
   * @returns {Promise<string>}
   */
  async offlineRequest(toolName) {
    const request = await this.#offlineRequest(toolName);
    return (request.match(/.{1,8}/g) ?? []).join(" ");
  }

  /**
   * The same as an address of the vendor's claim page, for a link or a QR code; or "".
   * @param {string} toolName
   * @returns {Promise<string>}
   */
  async offlineUrl(toolName) {
    const request = await this.#offlineRequest(toolName);
    return request && attempt(() => `${apiUrl(this.#servers[0], "/claim").href}?request=${request}`, "");
  }

  /**
   * Stores an offline file, which is the vendor's answer to the request: its content, or a text that contains it. The
   * result is that of a check. If the file is refused, its `code` is REFUSED, and it has a `reason`.
   * @param {string} toolName
   * @param {string} text
   * @returns {Promise<LicenseCheck>}
   */
  async importLease(toolName, text) {
    const run = this.#start(toolName);
    return this.#concluded(run, () => this.#import(run, text));
  }

  /** @returns {Promise<LicenseCheck>} */
  async #concluded(run, work) {
    try {
      const result = await keepingAwake(work());
      if (!result.valid) this.#forgetMachine(run);
      return result;
    } catch (error) {
      this.#forgetMachine(run);
      return this.#noAnswer(run, error);
    }
  }

  /**
   * The license key of this computer, "" if none is found; for a tool that was checked, the one that it keeps using.
   * @param {string} [toolName]
   */
  async machineId(toolName) {
    const run = this.#start(toolName ?? "");
    run.deadline = monotonic() + SEARCH_TIMEOUT + this.#timeout; // for a person, who can wait
    try {
      await keepingAwake(this.#identify(run));
    } catch {
      return "";
    }
    return run.remembered ?? run.machine?.preferred ?? "";
  }

  /**
   * A short code such as 7K4-PQ2, to read out on the telephone; the vendor's pages find the machine by it.
   * @param {string} toolName
   */
  async machineCode(toolName) {
    const id = await this.machineId(toolName);
    return id && machineCode(String(toolName), id);
  }

  // ---- One check ----

  /** @returns {Run} */
  #start(toolName, customer) {
    const deadline = monotonic() + this.#timeout;
    const unknown = { machineId: null, remembered: null, previous: null, machine: null, search: null };
    const about = { customer: customerOf(customer), isUnread: false, certificate: null, problems: [] };
    return { toolName, deadline, ...about, ...unknown };
  }

  async #prepare(run) {
    if (typeof run.toolName !== "string" || !run.toolName) throw new NoVerdict(BAD_TOOL_NAME);
    if (this.#keyProblem) throw new NoVerdict(BAD_KEYS, this.#keyProblem);
    await this.#identify(run);
  }

  async #check(run, refresh) {
    await this.#prepare(run);
    const lease = run.remembered ? await this.#leaseAtStart(run) : null;
    if (lease && !refresh) {
      this.#refreshIfDue(run, lease);
      return this.#result(run, lease, "lease");
    }
    try {
      const answer = await this.#firstAnswer(run, "/api/check", (url) => this.#ask(url, run));
      return this.#result(run, answer, "server");
    } catch (error) {
      const stillGood = await this.#leaseAfterwards(run);
      if (stillGood) return this.#result(run, stillGood, "lease", error);
      throw error;
    }
  }

  /** Finds the machine ID that this check uses, or the ones that it may use. */
  async #identify(run) {
    const states = await within(this.#filesDeadline(run), this.#store(run).readAll()).catch((error) => {
      run.isUnread = error instanceof TimeoutError;
      return [];
    });
    const good = states.filter((state) => state.good_iat !== null).sort((a, b) => b.good_iat - a.good_iat);
    // Finding every adapter is slow on Windows. The ID that was good last needs no search if it is in plain view.
    const newest = good[0]?.license_key;
    if (newest && !this.#vendorsMachineId && (await this.#isConfirmed(run, newest))) {
      run.machineId = run.remembered = newest;
      return;
    }
    run.machine = await this.#foundMachine(run);
    const present = idsOf(run.machine);
    run.remembered = good.find((state) => present.includes(state.license_key))?.license_key ?? null;
    run.previous = run.remembered ? null : (newest ?? null);
    run.machineId = run.remembered ?? run.machine.preferred;
  }

  /** Whether a quick look finds this ID; if the look is slow too, a search may find it first. */
  async #isConfirmed(run, id) {
    const look = within(run.deadline, this._isVisible(id)).catch(() => false);
    const looking = () => within(this.#filesDeadline(run), look);
    return looking().catch(() => {
      const isFound = (machine) => idsOf(machine).includes(id) || looking().catch(() => false);
      return Promise.race([look, this.#foundMachine(run).then(isFound, () => look)]);
    });
  }

  async #foundMachine(run) {
    // Kept in any case: after a timeout, the next check finds the search further on.
    this.#machine ??= this.#searchMachine();
    this.#machine.catch(() => (this.#machine = null));
    const search = this.#machine;
    const machine = await within(run.deadline, search).catch((error) => {
      throw error instanceof NoVerdict ? error : new NoVerdict(SLOW_MACHINE_ID, describe(error));
    });
    run.search = search;
    if (machine.preferred) return machine;
    this.#machine = null;
    throw new NoVerdict(NO_MACHINE_ID);
  }

  /** The customer may turn on an adapter and try again. A search that goes on is kept. */
  #forgetMachine(run) {
    if (run.search === this.#machine) this.#machine = null;
  }

  async #searchMachine() {
    const given = this.#vendorsMachineId;
    if (!given) return this._findMachine();
    const id = typeof given === "function" ? await given() : given;
    const text = typeof id === "string" ? id.trim() : "";
    return { present: [text], earlier: text, preferred: text };
  }

  /** The first answer to `ask(url)`. No answer from one address leaves the next the whole timeout. */
  async #firstAnswer(run, apiPath, ask) {
    for (const server of this.#servers) {
      if (run.problems.length > 0) run.deadline = monotonic() + this.#timeout;
      run.certificate = null;
      try {
        return await ask(apiUrl(server, apiPath));
      } catch (error) {
        run.problems.push({ server, error, certificate: run.certificate });
      }
    }
    const [first] = run.problems;
    run.certificate = first.certificate;
    throw first.error;
  }

  /** Asks with each machine ID in question until the server knows one. */
  async #ask(url, run) {
    const ids = run.remembered ? [run.remembered] : [...new Set([run.machine.earlier, run.machine.preferred])];
    let refusal = null;
    for (const id of ids) {
      run.machineId = id;
      const mayStartTrial = this.#trial && id === ids[ids.length - 1];
      const claims = await this.#question(url, run, mayStartTrial);
      if (GOOD_CODES.includes(claims.code)) return claims;
      if (refusal === null || refusal.code === "NOT_FOUND") refusal = claims;
    }
    run.machineId = refusal.sub;
    return refusal;
  }

  async #question(url, run, mayStartTrial) {
    const before = await this.#read(run, run.machineId);
    const askedAt = monotonic();
    const nonce = this._nonce();
    run.certificate = null;
    const question = {
      tool_name: run.toolName,
      license_key: run.machineId,
      nonce,
      kids: [...this.#keys.keys()].slice(0, MAX_KIDS),
      ...(run.previous !== null && { previous_license_key: run.previous }),
      ...(mayStartTrial && { trial: true }),
    };
    const answer = await within(run.deadline, this.#follow(url, question, run));
    const token = tokenOf(answer);
    const claims = verified(token, this.#keys, { aud: run.toolName, sub: run.machineId, nonce });
    await this.#save(run, token, claims, before, askedAt);
    return claims;
  }

  /** Sends the question, following redirects, which prove nothing: only the signature does. */
  async #follow(configured, question, run) {
    let url = configured;
    let wasSecure = url.protocol === "https:";
    let personal = { client: this.#clientInfo(), customer: run.customer };
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const reply = await this.#send(url, question, personal, run);
      if (!REDIRECTS.includes(reply.status)) return reply;
      url = redirectTarget(url, reply.location);
      if (url.protocol === "http:" && (wasSecure || url.hostname !== configured.hostname)) {
        throw forbiddenRedirect(url);
      }
      wasSecure ||= url.protocol === "https:";
      if (run.certificate || !isSamePlace(configured, url)) personal = {};
    }
    throw tooManyRedirects(url);
  }

  async #send(url, question, personal, run) {
    try {
      return await this._exchange(url, toJson({ ...question, ...personal }), true, run.deadline);
    } catch (error) {
      if (!error?.certificate) throw error;
      // The signature proves the answer, so a wrong clock or a missing root certificate locks out nobody.
      run.certificate = error;
      return this._exchange(url, toJson(question), false, run.deadline);
    }
  }

  #clientInfo() {
    const info = {
      version: this.#version,
      hostname: attempt(os.hostname, ""),
      user: attempt(() => os.userInfo().username, ""),
    };
    const known = Object.entries(info).filter(([, text]) => text);
    return Object.fromEntries(known.map(([name, text]) => [name, wellFormed(String(text).slice(0, 100))]));
  }

  // ---- Activation codes ----

  async #prepareForCode(run) {
    await this.#prepare(run);
    // No lease decides here, but this is a start like any other.
    if (run.remembered) await this.#leaseAtStart(run);
  }

  async #activate(run, activationCode) {
    await this.#prepareForCode(run);
    return this.#firstAnswer(run, "/api/activate", async (url) => {
      const before = await this.#read(run, run.machineId);
      const askedAt = monotonic();
      const nonce = this._nonce();
      const more = {
        nonce,
        kids: [...this.#keys.keys()].slice(0, MAX_KIDS),
        client: this.#clientInfo(),
        customer: run.customer,
      };
      const answer = await this.#sendCode(url, run, activationCode, more);
      const refusal = refusalIn(answer);
      if (refusal) return this.#aboutCode(run, "REFUSED", refusal);
      const token = tokenOf(answer);
      const claims = verified(token, this.#keys, { aud: run.toolName, sub: run.machineId, nonce });
      await this.#save(run, token, claims, before, askedAt);
      return this.#result(run, claims, "server");
    });
  }

  async #deactivate(run, activationCode) {
    await this.#prepareForCode(run);
    return this.#firstAnswer(run, "/api/deactivate", async (url) => {
      const answer = await this.#sendCode(url, run, activationCode, {});
      const refusal = refusalIn(answer);
      if (refusal) return this.#aboutCode(run, "REFUSED", refusal);
      const { status, message } = membersOf(answer);
      if (answer.status !== 200 || status !== "success") throw noResult(answer.status, "");
      await this.#eraseLease(run);
      return this.#aboutCode(run, "REMOVED", { message: textOf(message), reason: null });
    });
  }

  /**
   * Sends an activation code, which whoever reads it could use: only to this server, and never where its certificate
   * cannot be verified. One machine ID takes the seat: the one that was good last, or else the one that changes least.
   */
  async #sendCode(configured, run, activationCode, more) {
    const code = String(activationCode ?? "").slice(0, 255);
    const body = toJson({ tool_name: run.toolName, activation_code: code, license_key: run.machineId, ...more });
    let url = configured;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const reply = await within(run.deadline, this._exchange(url, body, true, run.deadline));
      if (!REDIRECTS.includes(reply.status)) return reply;
      url = redirectTarget(url, reply.location);
      if (url.protocol !== "https:" || !isSamePlace(configured, url)) throw forbiddenRedirect(url);
    }
    throw tooManyRedirects(url);
  }

  async #eraseLease(run) {
    const store = this.#store(run);
    this.#refusedAt.set(store.path(run.machineId), monotonic());
    const clock = { mark: this._now(), allowance: CLOCK_ALLOWANCE, uptime: this._uptime() };
    const erase = (current) => {
      return { license_key: run.machineId, token: null, good_iat: current?.good_iat ?? null, ...clock };
    };
    const erased = store.update(run.machineId, erase, { isDurable: true });
    await within(Math.max(run.deadline, monotonic() + SAVE_TIMEOUT), erased).catch(() => {});
  }

  /** @returns {LicenseCheck} */
  #aboutCode(run, code, { message, reason, source = "server" }) {
    return {
      valid: false,
      code,
      message,
      source,
      reason,
      expires: null,
      daysLeft: null,
      machineId: run.machineId,
      diagnostic: this.#diagnostic(run, reason ? `${code} (${reason})` : code, source),
      ...granted(code, {}),
    };
  }

  // ---- Machines that are never online ----

  /** In base64url, or "". */
  async #offlineRequest(toolName) {
    const run = this.#start(toolName);
    try {
      return await keepingAwake(this.#openRequest(run));
    } catch {
      this.#forgetMachine(run);
      return "";
    }
  }

  async #openRequest(run) {
    await this.#prepareForCode(run);
    const stored = this.#store(run).openRequest(run.machineId, this._nonce);
    const nonce = await within(Math.max(run.deadline, monotonic() + SAVE_TIMEOUT), stored);
    const kids = [...this.#keys.keys()].slice(0, MAX_KIDS);
    const request = { tool_name: run.toolName, license_key: run.machineId, nonce, kids };
    return nonce && toJson(request).toString("base64url");
  }

  /** @returns {Promise<LicenseCheck>} */
  async #import(run, text) {
    await this.#prepare(run);
    const state = run.remembered ? await this.#stateAtStart(run) : null;
    const refused = (reason, moment = 0, words = OFFLINE_FILE[reason]) => {
      const message = words.replace("{time}", utc(moment)).replace("{now}", utc(this._now()));
      return this.#aboutCode(run, "REFUSED", { message, reason, source: "none" });
    };
    const token = tokenIn(text);
    if (!token) return refused("NO_OFFLINE_FILE");
    const claims = attempt(() => verified(token, this.#keys, {}), null);
    if (!claims) return refused("BAD_SIGNATURE");
    const { aud, sub, nonce } = claims.all;
    if (aud !== run.toolName) return refused("OTHER_TOOL");
    if (!(await this.#isOfThisMachine(run, sub))) return refused("OTHER_MACHINE");
    run.machineId = sub;
    const isGood = GOOD_CODES.includes(claims.code);
    // A second time must not set the clock back.
    const lease = state?.token === token ? this.#lease(run, state).claims : null;
    if (lease) return this.#result(run, lease, "lease");
    if (isGood && claims.exp <= this._now()) return refused("FILE_EXPIRED", claims.exp);
    const store = this.#store(run);
    const [before, kept] = await within(run.deadline, Promise.all([store.read(sub), store.readRequest(sub)]));
    if (!kept || nonce !== kept) return refused("OTHER_REQUEST");
    if (!isGood) return refused(claims.code, 0, claims.message);
    if (claims.iat > this._now() + CLOCK_ALLOWANCE) return refused("CLOCK_BEHIND", claims.iat);
    await this.#save(run, token, claims, before, monotonic());
    const deadline = Math.max(run.deadline, monotonic() + SAVE_TIMEOUT);
    const stored = await within(deadline, store.read(sub)).catch(() => null);
    if (stored?.token !== token) return refused("NOT_STORED");
    await within(deadline, store.closeRequest(sub)).catch(() => {});
    return this.#result(run, claims, "lease");
  }

  async #isOfThisMachine(run, id) {
    if (id === run.remembered) return true;
    run.machine ??= await this.#foundMachine(run);
    return typeof id === "string" && idsOf(run.machine).includes(id);
  }

  // ---- The lease ----

  #store(run) {
    return new Store(this.#folder, this.#servers[0], run.toolName);
  }

  #filesDeadline(run) {
    return Math.min(run.deadline, monotonic() + this.#timeout * FILES_SHARE);
  }

  #read(run, id) {
    return within(this.#filesDeadline(run), this.#store(run).read(id)).catch(() => null);
  }

  /** The lease if there was no answer: it may have expired, been erased or become readable meanwhile. */
  async #leaseAfterwards(run) {
    run.deadline = Math.max(run.deadline, monotonic() + SAVE_TIMEOUT);
    if (run.isUnread) await this.#identify(run).catch(() => {});
    if (!run.remembered) return null;
    if (run.isUnread) return this.#leaseAtStart(run);
    const state = await within(run.deadline, this.#store(run).read(run.remembered)).catch(() => null);
    // Where the file cannot be written, it still has the lease that ended at the start.
    return this.#lease(run, moveClock(state, this._now(), this._uptime())).claims;
  }

  /** The claims of a lease that can be used now, after the clock has been compared with the stored time. */
  async #leaseAtStart(run) {
    return this.#lease(run, await this.#stateAtStart(run)).claims;
  }

  async #stateAtStart(run) {
    // The clocks are read after the file: an uptime before that of a process that was faster would look like a restart.
    const move = (state) => moveClock(state, this._now(), this._uptime());
    const moved = this.#store(run).update(run.remembered, move, {
      isDurable: false,
    });
    return within(this.#filesDeadline(run), moved).catch(() => null);
  }

  /** The claims of this state's lease if it can be used now, otherwise null; and a description of it. */
  #lease(run, state) {
    run.lease = "none";
    if (!state || state.token === null) {
      if (state?.allowance === 0) run.lease = "ended, because the clock was set back";
      return { claims: null };
    }
    let claims;
    try {
      claims = verified(state.token, this.#keys, { aud: run.toolName, sub: state.license_key });
    } catch (error) {
      run.lease = `rejected: ${describe(error)}`;
      return { claims: null };
    }
    const isRefused = this.#refusedAt.has(this.#store(run).path(state.license_key));
    const isWithdrawn = isRefused || !GOOD_CODES.includes(claims.code);
    const isOver = this._now() >= claims.exp;
    run.lease = isWithdrawn ? "withdrawn" : `until ${utc(claims.exp)}${isOver ? ", expired" : ""}`;
    return { claims: isWithdrawn || isOver ? null : claims };
  }

  /** Stores a good answer as the lease; a refusal erases the lease. */
  async #save(run, token, claims, before, askedAt) {
    const store = this.#store(run);
    const file = store.path(claims.sub);
    const isGood = GOOD_CODES.includes(claims.code);
    if (!isGood) this.#refusedAt.set(file, monotonic());
    else if (askedAt >= (this.#refusedAt.get(file) ?? 0)) this.#refusedAt.delete(file);
    const clock = { mark: claims.iat, allowance: CLOCK_ALLOWANCE, uptime: this._uptime() };
    const replace = (current) => {
      const goodIat = isGood ? claims.iat : ((current ?? before)?.good_iat ?? null);
      // Another process may have stored a newer answer meanwhile. A refusal always counts.
      if (isGood && hasNewerAnswer(current, before, claims.iat)) return current;
      return { license_key: claims.sub, token: isGood ? token : null, good_iat: goodIat, ...clock };
    };
    const saved = store.update(claims.sub, replace, { isDurable: true });
    // A slow disk must not turn an answer into a timeout.
    await within(Math.max(run.deadline, monotonic() + SAVE_TIMEOUT), saved).catch(() => {});
  }

  #refreshIfDue(run, lease) {
    const file = this.#store(run).path(run.machineId);
    const last = this.#refreshedAt.get(file) ?? -Infinity;
    if (lease.iat + lease.exp > 2 * this._now() || monotonic() - last < REFRESH_PAUSE_MS) return;
    this.#refreshedAt.set(file, monotonic());
    const refresh = { ...this.#start(run.toolName, run.customer), machineId: run.machineId };
    const ask = (url) => this.#question(url, refresh, this.#trial);
    this._inBackground(() => this.#firstAnswer(refresh, "/api/check", ask));
  }

  // ---- The result ----

  /** @returns {LicenseCheck} */
  #result(run, claims, source, error) {
    // Online, the server's clock decides what day it is: this computer's may be wrong.
    const now = source === "server" ? claims.iat : this._now();
    if (source === "server") run.lease = GOOD_CODES.includes(claims.code) ? `until ${utc(claims.exp)}` : "none";
    return {
      valid: GOOD_CODES.includes(claims.code),
      code: claims.code,
      message: claims.message,
      source,
      reason: null,
      expires: claims.expirationDate,
      daysLeft: daysLeft(claims.expirationDate, now),
      machineId: run.machineId,
      diagnostic: this.#diagnostic(run, claims.code, source, error),
      ...granted(claims.code, claims.all),
    };
  }

  /** @returns {LicenseCheck} */
  #noAnswer(run, error) {
    const { message, why } = explain(run.certificate ?? error);
    const address = displayAddress(this.#servers[0]);
    const hint = run.lease?.startsWith("ended") ? CLOCK_HINT : "";
    return {
      valid: false,
      code: "NO_ANSWER",
      message: message.replace("{address}", () => address).replace("{why}", () => why) + hint,
      source: "none",
      reason: null,
      expires: null,
      daysLeft: null,
      machineId: run.machineId,
      diagnostic: this.#diagnostic(run, "NO_ANSWER", "none", error),
      ...granted("NO_ANSWER", {}),
    };
  }

  /** A function, because the text is rarely needed. */
  #diagnostic(run, code, source, error) {
    const [id, clock, lease] = [run.machineId ?? "", this._now(), run.lease ?? "none"];
    const each = this.#servers.length > 1 ? run.problems.map(describeProblem).join("; ") : "";
    const lines = () => ({
      client: `license_client.mjs ${VERSION}, Node ${process.versions.node}, ${process.platform}`,
      tool: `${run.toolName} ${this.#version ?? ""}`,
      server: this.#servers.map(displayAddress).join(", "),
      "machine ID": `...${id.slice(-4)}`,
      "machine code": id && machineCode(run.toolName, id),
      code,
      source,
      keys: this.#keyProblem || [...this.#keys.keys()].join(", "),
      lease,
      clock: utc(clock),
      "no answer": each || (error ? describe(error) : "-"),
      ...(run.certificate && { certificate: describe(run.certificate) }),
      ...(run.previous !== null && { "machine ID changed": `from ${run.previous} to ${id}` }),
    });
    const text = () =>
      Object.entries(lines())
        .map(([name, value]) => `${name}: ${printable(value)}`)
        .join("\n");
    return () => attempt(text, "");
  }
}

/**
 * @typedef {object} Run what one check knows
 * @property {string} toolName
 * @property {number} deadline
 * @property {Customer | undefined} customer
 * @property {boolean} isUnread whether the stored files could not be read in time
 * @property {string | null} machineId the ID that is being checked
 * @property {string | null} remembered the ID that the server last found good
 * @property {string | null} previous that of another machine, or of this one before its hardware changed
 * @property {Machine | null} machine null as long as no search was needed
 * @property {Promise<Machine> | null} search the one that has ended in this check
 * @property {Error | null} certificate why a server could not be verified
 * @property {{ server: string, error: Error, certificate: Error | null }[]} problems of the servers without an answer
 * @property {string} [lease] a description
 */

// ---- Errors and their messages ----

/** No verdict was received; carries one of the messages above and the reason to insert into it. */
class NoVerdict extends Error {
  constructor(template, why = "") {
    super(why || template.split(":")[0]);
    this.template = template;
    this.why = why;
  }
}

class TimeoutError extends Error {
  code = "ETIMEDOUT";
  constructor() {
    super("no answer in time");
  }
}

const REASONS = {
  ETIMEDOUT: "no answer in time",
  ENOTFOUND: "the host name was not found",
  EAI_AGAIN: "the host name was not found",
  ECONNREFUSED: "the connection was refused",
};

const CERTIFICATE_REASONS = {
  date: "the certificate has expired or is not yet valid; is this computer's date right?",
  host: "the certificate is for another host name",
  issuer:
    "the certificate is not trusted; a virus scanner or a proxy inspects the connection, or a root certificate " +
    "is missing",
};

function explain(error) {
  if (error instanceof NoVerdict) return { message: error.template, why: error.why };
  if (error?.certificate) return { message: NO_ANSWER, why: CERTIFICATE_REASONS[error.certificate] };
  const code = codeOf(error);
  if (code.startsWith("HPE_")) return { message: NO_RESULT, why: "not an HTTP response" };
  if (/^EPROTO|SSL|TLS/.test(code)) return { message: NO_ANSWER, why: "no secure connection" };
  return { message: NO_ANSWER, why: REASONS[code] ?? "no connection" };
}

/** Of a host with several addresses, the error of the first one. */
function codeOf(error) {
  return String(error?.errors?.[0]?.code ?? error?.code ?? "");
}

/** For the vendor. */
function describe(error) {
  if (error instanceof NoVerdict) return error.message;
  return `${codeOf(error) || error?.name}: ${String(error?.message).slice(0, 200)}`;
}

function describeProblem({ server, error, certificate }) {
  const whys = certificate && certificate !== error ? [error, certificate] : [error];
  return `${displayAddress(server)}: ${whys.map(describe).join(", ")}`;
}

function displayAddress(serverUrl) {
  const text = typeof serverUrl === "string" ? serverUrl.trim() : typeof serverUrl;
  const shown = text
    .replace(/\/\/.*@/s, "//")
    .replace(/[?#].*/s, "")
    .slice(0, 200);
  // The word "invalid" is reserved for verdicts, but an address may contain it.
  return /invalid/i.test(shown) ? "its address" : shown;
}

function printable(text) {
  return String(text)
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, " ")
    .trim();
}

function utc(seconds) {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

// ---- Time limits ----

function monotonic() {
  return performance.now();
}

/** The promise's result, or a TimeoutError at the deadline; the work that goes on then is abandoned. */
async function within(deadline, promise) {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new TimeoutError()), Math.max(deadline - monotonic(), 0));
    timer.unref();
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** This file's connections, programs and timers do not keep the process alive; waiting for them must. */
async function keepingAwake(promise) {
  const awake = setInterval(() => {}, 1000);
  try {
    return await promise;
  } finally {
    clearInterval(awake);
  }
}

async function inBackground(work) {
  // A program that exits at once would otherwise never renew its lease.
  const awake = setTimeout(() => {}, REFRESH_EXIT_MS);
  await work().catch(() => {});
  clearTimeout(awake);
}

function attempt(work, fallback) {
  try {
    return work();
  } catch {
    return fallback;
  }
}

// ---- The request and the answer ----

function apiUrl(serverUrl, apiPath) {
  try {
    const url = webAddress(String(serverUrl).trim());
    url.pathname = `${withoutEnd(url.pathname)}${apiPath}`;
    url.search = "";
    return url;
  } catch {
    throw new NoVerdict(BAD_ADDRESS);
  }
}

/** Without slashes and a check's path at the end, which are often copied with the address. */
function withoutEnd(address) {
  return address
    .replace(/\/+$/, "")
    .replace(/\/api\/check$/, "")
    .replace(/\/+$/, "");
}

function forbiddenRedirect(url) {
  return new NoVerdict(NO_RESULT, `redirected to ${displayAddress(url.href)}, which is not allowed`);
}

function tooManyRedirects(url) {
  return new NoVerdict(NO_RESULT, `redirected more than ${MAX_REDIRECTS} times, last to ${displayAddress(url.href)}`);
}

function webAddress(text, base) {
  const url = new URL(text, base);
  const isUsable = ["http:", "https:"].includes(url.protocol) && url.hostname && !url.username && !url.password;
  if (!isUsable) throw new TypeError("not a web address");
  url.hash = "";
  return url;
}

/** What programs understand differently: `new URL` finds a host in them where others find a path. */
const ODD_LOCATION = /[\\\t]|^\s*(https?:(?!\/\/[^/])|\/{3})/i;

function redirectTarget(url, location) {
  try {
    const target = location && !ODD_LOCATION.test(location) ? webAddress(location, url) : null;
    if (target && target.port !== "0") return target;
  } catch {
    // The same as none.
  }
  throw new NoVerdict(NO_RESULT, `redirected to "${displayAddress(location ?? "")}", which is not a web address`);
}

/** Whether the host learns nothing about the customer that the configured one does not. */
function isSamePlace(configured, url) {
  const isUpgrade = effectivePort(configured) === "80" && effectivePort(url) === "443" && url.protocol === "https:";
  return url.hostname === configured.hostname && (isUpgrade || effectivePort(url) === effectivePort(configured));
}

function effectivePort(url) {
  return url.port || (url.protocol === "https:" ? "443" : "80");
}

const CERTIFICATE_ERRORS = {
  CERT_HAS_EXPIRED: "date",
  CERT_NOT_YET_VALID: "date",
  ERR_TLS_CERT_ALTNAME_INVALID: "host",
  HOSTNAME_MISMATCH: "host",
  CERT_CHAIN_TOO_LONG: "issuer",
  CERT_REJECTED: "issuer",
  CERT_REVOKED: "issuer",
  CERT_SIGNATURE_FAILURE: "issuer",
  CERT_UNTRUSTED: "issuer",
  DEPTH_ZERO_SELF_SIGNED_CERT: "issuer",
  INVALID_CA: "issuer",
  INVALID_PURPOSE: "issuer",
  PATH_LENGTH_EXCEEDED: "issuer",
  SELF_SIGNED_CERT_IN_CHAIN: "issuer",
  UNABLE_TO_GET_ISSUER_CERT: "issuer",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "issuer",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "issuer",
};

/**
 * One HTTP exchange. The error has a `certificate` if only that could not be verified.
 * @returns {Promise<{ status: number, location?: string, body: Buffer }>}
 */
function exchange(url, body, verify, deadline) {
  return new Promise((resolve, reject) => {
    const options = {
      method: "POST",
      agent: false, // the vendor's program may have changed the global one
      headers: {
        "Content-Type": "application/json",
        "Content-Length": body.length,
        "User-Agent": `license_client.mjs/${VERSION}`,
      },
      rejectUnauthorized: verify,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: CONNECT_ATTEMPT_MS,
    };
    const request = (url.protocol === "https:" ? https : http).request(url, options);
    const timer = setTimeout(() => request.destroy(new TimeoutError()), Math.max(deadline - monotonic(), 0)).unref();
    request.on("close", () => clearTimeout(timer));
    request.on("socket", (socket) => socket.unref());
    request.on("error", (error) => reject(Object.assign(error, { certificate: CERTIFICATE_ERRORS[error.code] })));
    request.on("response", (response) => {
      const { statusCode: status, headers } = response;
      if (REDIRECTS.includes(status)) {
        resolve({ status, location: headers.location, body: Buffer.alloc(0) });
        request.destroy();
        return;
      }
      readLimited(response)
        .then((body) => resolve({ status, body }), reject)
        .finally(() => request.destroy());
    });
    request.end(body);
  });
}

/** The body, or the beginning of one that is too long. */
async function readLimited(response) {
  const pieces = [];
  let size = 0;
  for await (const piece of response) {
    pieces.push(piece);
    size += piece.length;
    if (size > MAX_ANSWER_BYTES) break;
  }
  return Buffer.concat(pieces);
}

/** The token of an answer. The status and the other fields are not signed, so they are ignored. */
function tokenOf(answer) {
  const { token } = membersOf(answer);
  if (typeof token === "string") return token;
  throw noResult(answer.status, " without a signed answer");
}

/** The members of an answer, none if it is not JSON. */
function membersOf({ body }) {
  if (body.length > MAX_ANSWER_BYTES) throw new NoVerdict(NO_RESULT, "the answer is too long");
  return jsonObject(body, { ignoreBOM: false }) ?? {};
}

function noResult(status, details) {
  if (status === 407) return new NoVerdict(NO_ANSWER, "the network's proxy requires a sign-in");
  return new NoVerdict(NO_RESULT, `HTTP ${status}${details}`);
}

/** Why an activation code was refused, or null. It is not signed, so no lease is erased because of it. */
function refusalIn(answer) {
  const { status, reason, message, token } = membersOf(answer);
  const isRefusal = status === "error" && token === undefined && CODE_REASONS.includes(reason);
  return isRefusal ? { reason, message: textOf(message) } : null;
}

function textOf(value) {
  return typeof value === "string" ? wellFormed(value) : "";
}

/** What the vendor is told about the customer; undefined for nothing. */
function customerOf(given) {
  const known = ["name", "email"].filter((name) => typeof given?.[name] === "string" && given[name]);
  const cut = (name) => [name, wellFormed(given[name].slice(0, 100))];
  return known.length > 0 ? Object.fromEntries(known.map(cut)) : undefined;
}

function toJson(value) {
  return Buffer.from(JSON.stringify(value));
}

/** The JSON object in these bytes, or null. `ignoreBOM: false` is the decoder's name for skipping a byte order mark. */
function jsonObject(bytes, { ignoreBOM }) {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM }).decode(bytes));
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** Without halves of surrogate pairs, which are not Unicode text. */
function wellFormed(text) {
  return Buffer.from(text).toString();
}

// ---- The signed answer ----

/** The claims of a token, after its signature and, next, the expected claims have been verified. */
function verified(token, keys, expected) {
  const parts = token.split(".");
  const [header, payload, signature] = parts.map(fromBase64Url);
  if (parts.length !== 3 || !header || !payload || !signature) {
    throw new NoVerdict(NO_RESULT, "the signed answer is damaged");
  }
  const key = keys.get(kidOf(header));
  if (!key) throw new NoVerdict(NO_RESULT, "signed with a key that this program does not know");
  if (!isSignature(signature, token.slice(0, token.lastIndexOf(".")), key)) {
    throw new NoVerdict(NO_RESULT, "the signature is wrong");
  }
  const claims = jsonObject(payload, { ignoreBOM: true });
  if (!claims) throw new NoVerdict(NO_RESULT, "the signed answer is unreadable");
  for (const [name, value] of Object.entries(expected)) {
    if (claims[name] !== value) throw new NoVerdict(NO_RESULT, `the answer to another check: ${name}`);
  }
  const { code, http: status, iat, exp, message, expiration_date: date, sub } = claims;
  const isKnown = GOOD_CODES.includes(code) || REFUSALS.includes(code);
  if (!isKnown || ![status, iat, exp].every(isInteger) || exp <= iat) {
    throw new NoVerdict(NO_RESULT, "a signed answer that this program does not understand");
  }
  // These two are displayed and decide nothing.
  const expirationDate = parseDate(date) === null ? null : date;
  return { code, iat, exp, sub, message: textOf(message), expirationDate, all: claims };
}

/** The signed answer in a file or a text, which a mail may have wrapped and quoted; or "". */
function tokenIn(text) {
  const joined = String(text ?? "")
    .slice(0, 2 * MAX_ANSWER_BYTES)
    .replace(/[\s>\0\u200b\ufeff]/g, "");
  // Where the text also quotes the request, only the answer has a header.
  return /eyJhbGciOi[A-Za-z0-9_-]{1,200}[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]{86}/.exec(joined)?.[0] ?? "";
}

/** The key ID in a header that has exactly the members and the algorithm that the server uses. */
function kidOf(bytes) {
  const header = jsonObject(bytes, { ignoreBOM: true });
  const { alg, kid, typ, ...more } = header ?? {};
  if (alg !== "ES256" || typ !== "license+jwt" || typeof kid !== "string" || Object.keys(more).length) {
    throw new NoVerdict(NO_RESULT, "signed with another algorithm");
  }
  return kid;
}

function isSignature(signature, signed, key) {
  return (
    signature.length === 64 &&
    attempt(() => crypto.verify("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" }, signature), false)
  );
}

function isInteger(value) {
  return Number.isInteger(value) && value >= 0 && value <= LAST_SECOND;
}

/** Bytes, or null for anything but the canonical encoding: no padding (RFC 7515), and spare bits are zero. */
function fromBase64Url(text) {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : null;
}

/** Days since 1970 if it is a real date written as YYYY-MM-DD, otherwise null. */
function parseDate(text) {
  if (typeof text !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return null;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text) ? date.getTime() / 86_400_000 : null;
}

function daysLeft(expirationDate, now) {
  const last = parseDate(expirationDate);
  const local = new Date(now * 1000);
  const today = Date.UTC(local.getFullYear(), local.getMonth(), local.getDate()) / 86_400_000;
  return last === null ? null : Math.max(last - today, 0);
}

// ---- What a license grants ----

/** The members of a result that come from what the vendor has set. */
function granted(code, claims) {
  const features = namesOf(claims.features);
  const updatesUntil = parseDate(claims.updates_until) === null ? null : claims.updates_until;
  const latestVersion = shortText(claims.latest_version);
  const minimumVersion = shortText(claims.minimum_version);
  return {
    isTrial: code === "TRIAL",
    edition: shortText(claims.edition, MAX_NAME),
    features,
    data: shortText(claims.data, MAX_DATA),
    updatesUntil,
    latestVersion,
    latestUrl: webAddressOf(claims.latest_url),
    minimumVersion,
    has: (feature) => GOOD_CODES.includes(code) && features.includes(feature),
    updateAvailable: (myVersion) => isOlder(myVersion, latestVersion),
    isBelowMinimum: (myVersion) => isOlder(myVersion, minimumVersion),
    covers: (buildDate) => isCovered(buildDate, updatesUntil),
  };
}

/** The text, or null if it is something else, empty or too long. */
function shortText(value, limit = MAX_ANSWER_BYTES) {
  return typeof value === "string" && value && [...value].length <= limit ? wellFormed(value) : null;
}

function namesOf(value) {
  const names = Array.isArray(value) ? value.map((name) => shortText(name, MAX_NAME)) : [];
  return names.includes(null) ? [] : names;
}

/** Programs open it, so it must not be the name of a file or of another program. */
function webAddressOf(value) {
  const text = shortText(value);
  return text && /^https?:\/\/[^/]/.test(text) ? text : null;
}

function isCovered(buildDate, updatesUntil) {
  if (updatesUntil === null) return true;
  const isDate = buildDate instanceof Date && !Number.isNaN(buildDate.getTime());
  const built = parseDate(isDate ? buildDate.toISOString().slice(0, 10) : buildDate);
  return built !== null && built <= parseDate(updatesUntil);
}

/**
 * Versions are numbers, compared one after the other: 1.10 is newer than 1.9, and 2 is 2.0.0. What follows a hyphen
 * makes a pre-release, which is older: 2.0-beta2, 2.0-beta10, 2.0-rc1, 2.0. A leading "v", and "+" with what follows
 * it, are ignored. Any other text is neither older nor newer.
 */
function isOlder(version, than) {
  const [one, other] = [parseVersion(version), parseVersion(than)];
  return one !== null && other !== null && compare(one, other) < 0;
}

/** What versions are compared by, or null. */
function parseVersion(text) {
  const pattern = /^[ \t\r\n]*[vV]?([0-9]+(?:\.[0-9]+)*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]*)?[ \t\r\n]*$/;
  const [whole, numeric, preRelease] = (typeof text === "string" && pattern.exec(text)) || [];
  if (whole === undefined) return null;
  const words = (preRelease ?? "").toLowerCase().match(/[0-9]+|[a-z]+/g) ?? [];
  const numbers = numeric.split(".");
  const isNumber = (word) => /^[0-9]/.test(word);
  const isTooLong = (word) => isNumber(word) && word.length > MAX_DIGITS;
  if ([...numbers, ...words].some(isTooLong) || (preRelease && words.length === 0)) return null;
  while (numbers.length > 0 && Number(numbers[numbers.length - 1]) === 0) numbers.pop();
  return { numbers: numbers.map(Number), words: words.map((word) => (isNumber(word) ? Number(word) : word)) };
}

function compare(one, other) {
  const byNumbers = compareLists(one.numbers, other.numbers);
  const byRelease = Number(one.words.length === 0) - Number(other.words.length === 0);
  return byNumbers || byRelease || compareLists(one.words, other.words);
}

/** Item by item, a number before a word; what is longer comes later. */
function compareLists(one, other) {
  const at = one.findIndex((item, index) => item !== other[index]);
  if (at < 0 || at >= other.length) return one.length - other.length;
  const [left, right] = [one[at], other[at]];
  if (typeof left !== typeof right) return typeof left === "number" ? -1 : 1;
  return left < right ? -1 : 1;
}

// ---- Public keys ----

/** The keys by ID, and what is wrong with them, or "". */
function pin(publicKeys) {
  const given = Array.isArray(Object(publicKeys).keys) ? publicKeys.keys : publicKeys; // a JWK Set, from GET /api/keys
  const list = Array.isArray(given) ? given : [given].filter(Boolean);
  try {
    const keys = new Map(list.map(publicKey));
    return [keys, keys.size ? "" : "the list is empty"];
  } catch (error) {
    return [new Map(), error.message];
  }
}

/** The key's ID (the first 16 characters of its RFC 7638 thumbprint) and the key. */
function publicKey(given) {
  if (given?.d !== undefined) throw new Error("one of them is the private key, which must stay on the server");
  const { kty, crv, x, y } = attempt(() => asJwk(given), null) ?? {};
  if (kty !== "EC" || crv !== "P-256") throw new Error("one of them is not a public key for ES256");
  // In the order of RFC 7638. A point that is not on the curve is refused.
  const jwk = { crv, kty, x, y };
  const key = attempt(() => crypto.createPublicKey({ key: jwk, format: "jwk" }), null);
  const isWhole = [x, y].every((text) => typeof text === "string" && fromBase64Url(text)?.length === 32);
  if (!key || !isWhole) throw new Error("one of them was not copied correctly");
  return [sha256(JSON.stringify(jwk)).toString("base64url").slice(0, 16), key];
}

function asJwk(given) {
  if (typeof given !== "string") return given;
  if (given.includes("-----BEGIN PUBLIC KEY-----")) return crypto.createPublicKey(given).export({ format: "jwk" });
  const [x, y, ...more] = given.trim().split(".");
  return more.length ? {} : { kty: "EC", crv: "P-256", x, y };
}

function sha256(data) {
  return crypto.createHash("sha256").update(data).digest();
}

// ---- The stored state, which the Python, C# and C++ clients share ----

/**
 * @typedef {object} State
 * @property {string} license_key
 * @property {string | null} token the lease; null after a refusal
 * @property {number | null} good_iat when the server last found this ID good
 * @property {number} mark the time that a later start must not precede
 * @property {number} allowance seconds by which later starts may precede it in all
 * @property {number | null} uptime that of the system when the mark was set
 */

/** Compares the clock with the mark; a clock that is set back gains no more than the allowance. */
function moveClock(state, now, uptime) {
  if (!state || state.token === null) return state;
  // At least this much time has passed since then: all of the uptime if the computer was restarted.
  const isKnown = uptime !== null && state.uptime !== null;
  const elapsed = !isKnown ? 0 : uptime >= state.uptime ? uptime - state.uptime : uptime;
  const missing = Math.max(state.mark + elapsed - now, 0);
  if (missing === 1) return state; // two clocks, each rounded to seconds
  if (missing > state.allowance) return { ...state, token: null, allowance: 0, uptime };
  return { ...state, mark: now, allowance: state.allowance - missing, uptime };
}

/** Whether another process has stored, since `before`, an answer that is at least as new as `iat`. */
function hasNewerAnswer(current, before, iat) {
  if (!current || (current.token === before?.token && current.good_iat === before?.good_iat)) return false;
  return (current.token === null ? current.mark : current.good_iat) >= iat;
}

/** The state in these bytes, or null. A file that was renamed is another machine's. */
function stateIn(bytes, fileName) {
  const { license_key, token, good_iat, mark, allowance, uptime } = jsonObject(bytes, { ignoreBOM: true }) ?? {};
  const isState =
    typeof license_key === "string" &&
    fileName.endsWith(`-${shortHash(license_key)}.json`) &&
    (token === null || typeof token === "string") &&
    [good_iat, uptime].every((number) => number === null || isInteger(number)) &&
    [mark, allowance].every(isInteger);
  if (!isState) return null;
  return { license_key, token, good_iat, mark, allowance: Math.min(allowance, CLOCK_ALLOWANCE), uptime };
}

function cacheFolder() {
  if (process.platform === "win32") {
    return path.join(process.env.LOCALAPPDATA || path.join(os.homedir(), "AppData", "Local"), "license-client");
  }
  if (process.platform === "darwin") return path.join(os.homedir(), "Library", "Application Support", "license-client");
  const folder = process.env.XDG_STATE_HOME ?? "";
  return path.join(path.isAbsolute(folder) ? folder : path.join(os.homedir(), ".local", "state"), "license-client");
}

/** The states of one tool. An unreadable file counts as absent, and errors of writing are ignored. */
class Store {
  #folder;
  #prefix;

  constructor(folder, serverUrl, toolName) {
    this.#folder = folder;
    this.#prefix = shortHash(JSON.stringify([withoutEnd(String(serverUrl).trim()), toolName]));
  }

  path(id) {
    return path.join(this.#folder, `${this.#prefix}-${shortHash(id)}.json`);
  }

  /** @returns {Promise<State[]>} */
  async readAll() {
    const names = this.#folder ? await fs.readdir(this.#folder) : [];
    const ours = names.filter((name) => name.startsWith(`${this.#prefix}-`) && name.endsWith(".json"));
    const states = await Promise.all(ours.map((name) => readState(path.join(this.#folder, name))));
    return states.filter((state) => state !== null);
  }

  /** @returns {Promise<State | null>} */
  async read(id) {
    return this.#folder ? readState(this.path(id)) : null;
  }

  /** The nonce of the request that waits for an offline file, a new one if there is none; "" if it cannot be stored. */
  async openRequest(id, newNonce) {
    const lock = `${this.path(id)}.draft`;
    const isLocked = this.#folder && (await takeLock(this.#folder, lock).catch(() => false));
    if (!isLocked) return this.readRequest(id);
    try {
      const nonce = await this.readRequest(id);
      if (!nonce) await commit(this.#requestPath(id), { license_key: id, nonce: newNonce() }, true);
      return nonce || (await this.readRequest(id));
    } finally {
      await fs.rm(lock, { force: true }).catch(() => {});
    }
  }

  /** The nonce, or "". */
  async readRequest(id) {
    const bytes = this.#folder ? await readFile(this.#requestPath(id)) : null;
    const { license_key, nonce } = (bytes && jsonObject(bytes, { ignoreBOM: true })) ?? {};
    const isNonce = typeof nonce === "string" && /^[A-Za-z0-9_-]{16,64}$/.test(nonce);
    return isNonce && license_key === id ? nonce : "";
  }

  async closeRequest(id) {
    await fs.rm(this.#requestPath(id), { force: true });
  }

  #requestPath(id) {
    return this.path(id).replace(/json$/, "request");
  }

  /**
   * Replaces the state by what `change` makes of it, and returns that even if it cannot be stored. The draft is the
   * lock, because a file of this name can be created only once; it stays empty.
   */
  async update(id, change, { isDurable }) {
    const file = this.path(id);
    const lock = `${file}.draft`;
    const isLocked = await takeLock(this.#folder, lock).catch(() => false);
    try {
      const state = await this.read(id);
      const next = change(state);
      const isChanged = JSON.stringify(next) !== JSON.stringify(state);
      if (!isChanged) return next;
      const isStored = isLocked && (await commit(file, next, isDurable));
      if (!isStored && next.token === null) await erase(file, next);
      return next;
    } finally {
      if (isLocked) await fs.rm(lock, { force: true }).catch(() => {});
    }
  }
}

function shortHash(text) {
  return sha256(text).toString("hex").slice(0, 16);
}

/** @returns {Promise<State | null>} */
async function readState(file) {
  const bytes = await readFile(file);
  return bytes && stateIn(bytes, path.basename(file));
}

/** @returns {Promise<Buffer | null>} */
async function readFile(file) {
  try {
    // Without O_NONBLOCK, opening a pipe would wait for its writer.
    const handle = await retried(() => fs.open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)));
    try {
      const status = await handle.stat();
      if (!status.isFile() || status.size > 2 * MAX_ANSWER_BYTES) return null;
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch {
    return null;
  }
}

/** Node's own way to create parents as well never ends where the system says that they are missing but refuses them. */
async function makeFolder(folder) {
  const make = () => fs.mkdir(folder, { mode: 0o700 });
  try {
    await make().catch(async (error) => {
      if (error.code !== "ENOENT" || path.dirname(folder) === folder) throw error;
      await makeFolder(path.dirname(folder));
      await make();
    });
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
}

/** Waits for the lock, but not for ever: two writers at once do no harm, because each has its own file. */
async function takeLock(folder, lock) {
  const create = async () => (await fs.open(lock, "wx", 0o600)).close();
  await makeFolder(folder);
  const deadline = monotonic() + SAVE_TIMEOUT / 2;
  while (monotonic() < deadline) {
    try {
      await retried(create);
      return true;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      await pause(10);
    }
  }
  // The process that created it was killed, or is very slow.
  await fs.rm(lock, { force: true });
  await create();
  return true;
}

async function commit(file, state, isDurable) {
  const own = `${file}.${process.pid}.${crypto.randomBytes(4).toString("hex")}`;
  try {
    const handle = await fs.open(own, "wx", 0o600);
    try {
      await handle.writeFile(JSON.stringify(state));
      if (isDurable) await handle.sync();
    } finally {
      await handle.close();
    }
    // A start that was slow must not bring back a lease that was refused meanwhile.
    if (!isDurable && (await readState(file))?.token === null) throw new Error("refused");
    await retried(() => fs.rename(own, file));
    return true;
  } catch {
    await fs.rm(own, { force: true }).catch(() => {});
    return false;
  }
}

/** Overwrites the file in place: the folder cannot be written, or the disk is full. */
async function erase(file, state) {
  try {
    const handle = await fs.open(file, "r+");
    const content = Buffer.from(JSON.stringify(state));
    try {
      await handle.write(content, 0, content.length, 0);
      await handle.truncate(content.length);
    } finally {
      await handle.close();
    }
  } catch {
    await fs.rm(file, { force: true }).catch(() => {});
  }
}

/** On Windows, a file cannot be opened or replaced while another process replaces it. */
async function retried(work) {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!["EPERM", "EBUSY", "EACCES"].includes(error.code) || tries === 5) throw error;
      await pause(10);
    }
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// ---- The machine ID ----

/**
 * @typedef {object} Machine
 * @property {string[]} present every ID that is in the machine
 * @property {string} earlier what version 1.1.0 of the other clients chose
 * @property {string} preferred what survives changes of the hardware best
 */

/** @typedef {{ mac: string, rank: number, earlierRank?: number }} Adapter */

// How permanent an adapter is, best first. Whether it is connected does not matter, or the ID would change whenever
// Wi-Fi is turned off.
const [WIRED, WIRELESS, REMOVABLE, EMULATED, VIRTUAL] = [0, 1, 2, 3, 4];

const SEARCH_TIMEOUT = 20_000; // PowerShell on a PC that has just been turned on

// Vendors of virtual machines (VMware, Hyper-V, VirtualBox, Parallels, Xen) and of VPN adapters (Cisco, Fortinet,
// OpenVPN), some of which give every computer the same address.
const SOFTWARE_VENDORS =
  /^(00:05:69|00:0c:29|00:1c:14|00:50:56|00:03:ff|00:15:5d|08:00:27|00:1c:42|00:16:3e|00:05:9a|00:09:0f|00:ff)/;

// Of adapters whose maker forgot to give each its own address: network chips without one, and those of Realtek and
// Allwinner. `isPlaceholder` has the rest.
const PLACEHOLDERS = ["00:00:00:00:00:01", "00:e0:4c:00:00:01", "88:88:88:88:87:88"];

function idsOf({ earlier, preferred, present }) {
  return [earlier, preferred, ...present];
}

/** @returns {Promise<Machine>} */
async function findMachine() {
  const [findAdapters, findSystemId] = {
    win32: [windowsAdapters, windowsMachineGuid],
    darwin: [macosAdapters, macosPlatformUuid],
  }[process.platform] ?? [linuxAdapters, linuxMachineId];
  const [found, systemId, isGuest] = await Promise.all([findAdapters(), findSystemId(), isGuestSystem()]);
  const adapters = found.filter(({ mac }) => isUsable(mac));
  const real = adapters.filter(({ mac }) => !isPlaceholder(mac));
  return {
    present: [...new Set([...real.map(({ mac }) => mac), systemId])].filter(Boolean),
    earlier: chooseEarlier(
      adapters.filter(({ earlierRank }) => earlierRank !== undefined),
      systemId,
    ),
    preferred: choosePreferred(real, systemId, isGuest),
  };
}

function isUsable(mac) {
  const isMulticast = firstByte(mac) & 1;
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) && mac !== "00:00:00:00:00:00" && !isMulticast;
}

/** Whether many computers have this address. */
function isPlaceholder(mac) {
  const bytes = Buffer.from(mac.replace(/:/g, ""), "hex");
  // All bytes equal, or an example such as 00:11:22:33:44:55, 00:01:02:03:04:05 or 12:34:56:78:9a:bc.
  const steps = new Set([1, 2, 3, 4, 5].map((at) => (bytes[at] - bytes[at - 1]) & 255));
  return steps.size === 1 || mac.endsWith(":00:00:00") || PLACEHOLDERS.includes(mac); // no serial number
}

function isLocal(mac) {
  return Boolean(firstByte(mac) & 2);
}

function firstByte(mac) {
  return parseInt(mac.slice(0, 2), 16);
}

/**
 * The hardware address of the adapter that is hardest to remove, or else the operating system's ID. Software makes up
 * the addresses of virtual adapters and locally administered ones, and changes them.
 */
function choose(adapters, systemId) {
  const order = ({ mac, rank }) => `${Number(isLocal(mac))}${rank}${mac}`;
  const [best] = [...adapters].sort((a, b) => (order(a) < order(b) ? -1 : 1));
  return best && best.rank < VIRTUAL && !isLocal(best.mac) ? best.mac : systemId || (best?.mac ?? "");
}

/** What version 1.1.0 chose. */
function chooseEarlier(adapters, systemId) {
  const ranked = adapters.map(({ mac, earlierRank }) => ({
    mac,
    rank: SOFTWARE_VENDORS.test(mac) ? Math.max(earlierRank, EMULATED) : earlierRank,
  }));
  return choose(ranked, systemId);
}

function choosePreferred(adapters, systemId, isGuest) {
  if (isGuest && systemId) return systemId; // an address in a container or under WSL changes at any start
  const ranked = adapters.map(({ mac, rank }) => ({ mac, rank: SOFTWARE_VENDORS.test(mac) ? VIRTUAL : rank }));
  return choose(ranked, systemId);
}

/** Whether this ID is in the machine, as far as a quick look can tell. */
async function isVisible(id) {
  if (!isUsable(id)) return process.platform === "win32" && id === (await windowsMachineGuid());
  const connected = Object.values(os.networkInterfaces()).flat();
  if (connected.some((address) => address?.mac === id)) return true;
  if (process.platform !== "win32") return false;
  // It lists adapters without a cable too; its language does not matter for the addresses.
  const shown = await outputOf(windowsProgram("ipconfig.exe"), ["/all"]);
  return new RegExp(`\\b${id.replace(/:/g, "-")}\\s*$`, "im").test(shown);
}

/** What the program prints. Once nobody waits for it, it does not keep the vendor's program alive. */
function outputOf(program, args) {
  return new Promise((resolve, reject) => {
    const options = { windowsHide: true, maxBuffer: 1 << 20 };
    const child = execFile(program, args, options, (error, output) => {
      clearTimeout(timer);
      error ? reject(error) : resolve(output);
    });
    const timer = setTimeout(() => child.kill(), SEARCH_TIMEOUT).unref();
    for (const handle of [child, child.stdin, child.stdout, child.stderr]) handle?.unref?.();
    child.stdin?.on("error", () => {}).end();
  });
}

async function isGuestSystem() {
  if (process.platform !== "linux") return false;
  const release = await readText("/proc/sys/kernel/osrelease");
  const marks = await Promise.all(["/.dockerenv", "/run/.containerenv"].map((file) => fs.stat(file).catch(() => null)));
  return /microsoft/i.test(release) || marks.some(Boolean);
}

// ---- The machine ID: Windows ----

const VIRTUAL_NAMES = /virtu|vpn|\btap\b|\btun|wintun|wireguard|loopback|wan miniport|bluetooth|bridge|multiplexor/i;
const REMOVABLE_NAMES = /usb|remote ndis|\bncm\b|dock|thunderbolt|displaylink|surface ethernet|apple mobile/i;

// Numbers of MSFT_NetAdapter.
const [ETHERNET, WIFI] = [6, 71];
const DISABLED_STATE = 3;
const NOT_PRESENT_STATUS = 6;

const LIST_ADAPTERS =
  "Get-NetAdapter -IncludeHidden | Select-Object PermanentAddress, MacAddress, HardwareInterface, PnPDeviceID, " +
  "InterfaceType, InterfaceDescription, State, InterfaceOperationalStatus | ConvertTo-Json -Compress";

function windowsProgram(name) {
  return path.join(process.env.SystemRoot || "C:\\Windows", "System32", name);
}

async function windowsAdapters() {
  const program = windowsProgram("WindowsPowerShell\\v1.0\\powershell.exe");
  try {
    const output = await outputOf(program, ["-NoProfile", "-NonInteractive", "-Command", LIST_ADAPTERS]);
    return windowsAdaptersIn([JSON.parse(output)].flat());
  } catch (error) {
    if (error.killed) throw error; // slow today: another ID than tomorrow's would be worse than none
    return []; // not allowed here
  }
}

function windowsAdaptersIn(records) {
  const isDisabled = (record) => record.State === DISABLED_STATE;
  const isThere = (record) => isDisabled(record) || record.InterfaceOperationalStatus !== NOT_PRESENT_STATUS;
  const isLan = (record) => [ETHERNET, WIFI].includes(record.InterfaceType);
  return records
    .filter((record) => isLan(record) && isThere(record))
    .map((record) => ({
      mac: canonicalKey(
        /[1-9a-f]/i.test(record.PermanentAddress ?? "") ? record.PermanentAddress : (record.MacAddress ?? ""),
      ),
      rank: windowsRank(record),
      // Earlier versions did not see disabled adapters.
      ...(!isDisabled(record) && { earlierRank: windowsRankByName(record) }),
    }));
}

/** By the bus that the adapter is on, which the hardware knows better than its name does. */
function windowsRank(record) {
  const bus = String(record.PnPDeviceID ?? "")
    .split("\\")[0]
    .toUpperCase();
  if (!bus) return windowsRankByName(record);
  if (!record.HardwareInterface || ["ROOT", "SWD", "BTH", "VMBUS"].includes(bus) || bus.startsWith("{")) return VIRTUAL;
  const isDocked = /dock|thunderbolt|usb4/i.test(record.InterfaceDescription ?? "");
  if (["USB", "USB4", "PCMCIA"].includes(bus) || isDocked) return REMOVABLE;
  return record.InterfaceType === WIFI ? WIRELESS : WIRED;
}

function windowsRankByName({ InterfaceDescription, InterfaceType, HardwareInterface }) {
  const name = InterfaceDescription ?? "";
  if (!HardwareInterface || VIRTUAL_NAMES.test(name)) return VIRTUAL;
  return REMOVABLE_NAMES.test(name) ? REMOVABLE : InterfaceType === WIFI ? WIRELESS : WIRED;
}

async function windowsMachineGuid() {
  // A 32-bit program would otherwise see another part of the registry, which does not have this value.
  const args = ["query", "HKLM\\SOFTWARE\\Microsoft\\Cryptography", "/v", "MachineGuid", "/reg:64"];
  const output = await outputOf(windowsProgram("reg.exe"), args).catch(() => "");
  return /MachineGuid\s+REG_SZ\s+(\S+)/.exec(output)?.[1] ?? "";
}

// ---- The machine ID: Linux ----

async function linuxAdapters(root = "/sys/class/net") {
  const names = await fs.readdir(root).catch(() => []);
  const folders = names.map((name) => path.join(root, name));
  const adapters = await Promise.all(folders.map(linuxAdapter));
  return adapters.filter((adapter) => adapter !== null);
}

async function linuxAdapter(folder) {
  const ethernet = "1";
  if ((await readText(path.join(folder, "type"))) !== ethernet) return null;
  const current = (await readText(path.join(folder, "address"))).toLowerCase();
  const permanent = (await linuxPermanentAddress(folder)) || current;
  const device = await fs.realpath(path.join(folder, "device")).catch(() => "");
  const isReal = permanent !== current || (await readText(path.join(folder, "addr_assign_type"))) === "0";
  if (!isReal || !device || device.includes("/virtual/")) return { mac: current, rank: VIRTUAL, earlierRank: VIRTUAL };
  const builtIn = (await fs.stat(path.join(folder, "phy80211")).catch(() => null)) ? WIRELESS : WIRED;
  const earlierRank = device.includes("/usb") || (await isRemovable(device)) ? REMOVABLE : builtIn;
  return { mac: permanent, rank: (await isBehindRemovable(device)) ? REMOVABLE : earlierRank, earlierRank };
}

/** Members of a bond share one address, and Wi-Fi scans with random ones. */
async function linuxPermanentAddress(folder) {
  const files = ["bonding_slave/perm_hwaddr", "phy80211/macaddress"].map((file) => path.join(folder, file));
  const [bonded, wifi] = await Promise.all(files.map(readText));
  return (bonded || wifi).toLowerCase();
}

async function isRemovable(device) {
  return (await readText(path.join(device, "removable"))) === "removable";
}

/** A dock on Thunderbolt has a bridge that says so. */
async function isBehindRemovable(device) {
  const parent = path.dirname(device);
  return parent !== device && ((await isRemovable(parent)) || isBehindRemovable(parent));
}

async function linuxMachineId() {
  const found = await Promise.all(["/etc/machine-id", "/var/lib/dbus/machine-id"].map(readText));
  return found.find((text) => /^[0-9a-f]{32}$/.test(text)) ?? "";
}

async function readText(file) {
  return (await fs.readFile(file, "latin1").catch(() => "")).trim();
}

// ---- The machine ID: macOS ----

async function macosAdapters() {
  // en0 is built into every Mac. Unlike ifconfig, this has its real address, not the private one of a Wi-Fi network.
  const output = await outputOf("/usr/sbin/networksetup", ["-getmacaddress", "en0"]).catch(() => "");
  const mac = /(?:[0-9a-f]{2}:){5}[0-9a-f]{2}/i.exec(output)?.[0].toLowerCase();
  return mac ? [{ mac, rank: WIRED, earlierRank: WIRED }] : [];
}

async function macosPlatformUuid() {
  const output = await outputOf("/usr/sbin/ioreg", ["-rd1", "-c", "IOPlatformExpertDevice"]).catch(() => "");
  return /"IOPlatformUUID" = "([0-9A-F-]{36})"/.exec(output)?.[1] ?? "";
}

// ---- The machine code ----

const CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const MAC_SPELLINGS = [
  /^[0-9a-f]{2}([:\-. ])[0-9a-f]{2}(\1[0-9a-f]{2}){4}$/,
  /^[0-9a-f]{4}([:\-. ])[0-9a-f]{4}\1[0-9a-f]{4}$/,
  /^[0-9a-f]{12}$/,
];

function machineCode(toolName, licenseKey) {
  const number = sha256(`${toolName}\n${canonicalKey(licenseKey)}`).readUInt32BE() >>> 2;
  const letters = [25, 20, 15, 10, 5, 0].map((shift) => CODE_ALPHABET[(number >>> shift) & 31]).join("");
  return `${letters.slice(0, 3)}-${letters.slice(3)}`;
}

/** The one spelling of a MAC address; anything else without white space at its ends. */
function canonicalKey(licenseKey) {
  const text = licenseKey.trim();
  const lower = text.toLowerCase();
  if (!MAC_SPELLINGS.some((pattern) => pattern.test(lower))) return text;
  return lower
    .replace(/[^0-9a-f]/g, "")
    .match(/../g)
    .join(":");
}

/** For tests. */
export const internals = {
  chooseEarlier,
  choosePreferred,
  isOlder,
  isPlaceholder,
  linuxAdapters,
  machineCode,
  outputOf,
  stateIn,
  windowsAdaptersIn,
};
