// Settle a device's month from Node.js: npm `zeromq` and `@msgpack/msgpack`, and docs/protocol.md.
//
//   node settle.mjs ENDPOINT DEVICE_NO [KEY]
//
// ENDPOINT is ipc://PATH, or tcp://HOST:PORT with the key file of `taxctl pair` named by $TAXAGENT_KEY_FILE.
// Started again with the KEY that it printed, it finds its job and does nothing twice.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { decode, encode } from "@msgpack/msgpack";
import { Dealer } from "zeromq";

const MAGIC = Buffer.from("TCA1");

/** One connection. One call at a time; a call without an answer closes it, so that a late one is nobody's. */
class Client {
  constructor(endpoint, { connectMs = 2_000, timeoutMs = 90_000 } = {}) {
    const keys = endpoint.startsWith("tcp://") ? curveKeys(process.env.TAXAGENT_KEY_FILE) : {};
    Object.assign(this, { endpoint, connectMs, timeoutMs, keys, socket: null, refused: "" });
  }

  /** Returns the reply. Throws where nothing was sent (`sent` false) or no answer came (`sent` true). */
  async ask(op, args = {}, key = "") {
    const id = randomBytes(8).toString("hex");
    const request = { id, op, args, key, sent_at: Date.now(), ttl_ms: this.timeoutMs };
    let sent = false;
    try {
      this.socket ??= this.#connected();
      await this.socket.send([MAGIC, encode(request)]);
      sent = true;
      for (;;) {
        const frames = await this.socket.receive();
        const reply = decode(frames.at(-1));
        if (reply.id === id || reply.id === "") return reply;
      }
    } catch (error) {
      this.close();
      throw Object.assign(new Error(`${op}: ${this.refused || error.message}`), { sent });
    }
  }

  close() {
    this.socket?.close();
    this.socket = null;
  }

  #connected() {
    const socket = new Dealer({
      ...this.keys,
      immediate: true, // nothing waits for an agent that is not there
      linger: 0,
      sendTimeout: this.connectMs,
      receiveTimeout: this.timeoutMs,
    });
    this.refused = "";
    if (this.endpoint.startsWith("tcp://")) this.#watch(socket);
    socket.connect(this.endpoint);
    return socket;
  }

  /** A door that says no is silent: only the socket's own events tell, and at once. */
  #watch(socket) {
    const no = (why) => {
      this.refused ||= `not let in at ${this.endpoint}: ${why}`;
      socket.close(); // ends the send or the receive that waits
    };
    socket.events.on("handshake:error:auth", () => no("this key does not count"));
    socket.events.on("handshake:error:protocol", () => no("no agent, or it has another public key"));
    socket.events.on("handshake:error:other", () => no("no agent, or it has another public key"));
  }
}

/** The CURVE options of a key file (docs/protocol.md, Key files). */
function curveKeys(path) {
  const file = JSON.parse(readFileSync(path, "utf8"));
  if (file.format !== "taxagent-key/1") throw new Error(`${path} is no key file`);
  return { curveServerKey: file.server_key, curvePublicKey: file.public_key, curveSecretKey: file.secret_key };
}

/** The result; a refusal throws with the agent's words. Decide by code, outcome and retry, never by the text. */
function good(reply) {
  if (reply.status !== "error") return reply.result;
  const { code, message, remedy, outcome } = reply.error;
  throw Object.assign(new Error(`${code}\n${message}\n${remedy}`), { code, outcome });
}

/** The job of the key, once it has ended, or waits for somebody (the return, a person). */
async function settle(client, deviceNo, key) {
  let reply = await client.ask("job.get", { key });
  if (reply.error?.code === "KEY_UNKNOWN") {
    const request = { kind: "settle", device_no: deviceNo };
    const shown = good(await client.ask("prepare", request));
    console.log("will do:", ...shown.consequences); // show it to somebody who may say yes
    reply = await client.ask("submit", { ...request, token: shown.token }, key);
  }
  let { job } = good(reply);
  while (!job.ended && !["waiting", "needs_human"].includes(job.state)) {
    ({ job } = good(await client.ask("job.wait", { job_id: job.job_id, rev: job.rev, timeout_ms: 30_000 })));
  }
  return job;
}

const [endpoint, deviceNo, key = randomBytes(20).toString("hex")] = process.argv.slice(2);
const client = new Client(endpoint);
console.log("key", key); // keep it before anything is sent
try {
  const job = await settle(client, deviceNo, key);
  console.log("job", job.job_id, job.state, job.outcome);
  if (job.wait) console.log(`${job.wait.message}\n${job.wait.remedy}`);
  process.exitCode = job.state === "done" ? 0 : 30;
} catch (error) {
  console.error(error.message);
  process.exitCode = error.code && error.outcome !== "unknown" ? 11 : error.sent === false ? 69 : 20;
} finally {
  client.close();
}
