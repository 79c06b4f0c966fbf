// Fedify as the other side of the benchmark: an inbox that verifies, and an author whose post goes to many inboxes.
//
// Environment:
//   ORIGIN  the origin that requests are signed for (their Host), whatever port this listens on
//   QUEUE   "1": deliveries go through an InProcessMessageQueue; else sendActivity() makes them itself
//
// One line of JSON, {"origin": where it listens}, goes to stdout when it is ready. It ends when its stdin closes.
//   GET  /control/cpu   {microseconds, taken}: CPU time of this process (all threads), activities its inbox listener got
//   POST /control/send  {inboxes: [url]}: sends one new Create(Note) to each; answers when sendActivity() has returned

import { randomUUID, webcrypto } from "node:crypto";
import { createServer } from "node:http";

import { createFederation, InProcessMessageQueue, MemoryKvStore } from "@fedify/fedify/federation";
import { Create, Note, Person, PUBLIC_COLLECTION } from "@fedify/vocab";
import { Temporal } from "@js-temporal/polyfill";
import { configure } from "@logtape/logtape";

const AUTHOR = "alice";
const TEXT = `<p>${"x".repeat(1200)}</p>`;

await configure({
  sinks: { stderr: (record) => process.stderr.write(`${record.level}: ${record.message.join("")}\n`) },
  loggers: [
    { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["stderr"] },
    { category: "fedify", lowestLevel: "warning", sinks: ["stderr"] },
  ],
});

const server = createServer((request, response) => {
  serve(request, response).catch((error) => {
    process.stderr.write(`${error?.stack ?? error}\n`);
    respond(response, 500, { error: String(error) });
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = `http://127.0.0.1:${server.address().port}`;
const origin = process.env.ORIGIN || address;

const federation = createFederation({
  kv: new MemoryKvStore(),
  origin,
  allowPrivateAddress: true,
  ...(process.env.QUEUE === "1" ? { queue: new InProcessMessageQueue() } : {}),
});
const rsa = { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" };
const keyPairs = [
  await webcrypto.subtle.generateKey(rsa, true, ["sign", "verify"]),
  await webcrypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]),
];
federation
  .setActorDispatcher("/users/{identifier}", async (ctx, identifier) => {
    if (identifier !== AUTHOR) return null;
    const keys = await ctx.getActorKeyPairs(identifier);
    return new Person({
      id: ctx.getActorUri(identifier),
      preferredUsername: identifier,
      inbox: ctx.getInboxUri(identifier),
      publicKey: keys[0].cryptographicKey,
      assertionMethods: keys.map((key) => key.multikey),
    });
  })
  .setKeyPairsDispatcher((_ctx, identifier) => (identifier === AUTHOR ? keyPairs : []));

let taken = 0;
federation
  .setInboxListeners("/users/{identifier}/inbox", "/inbox")
  .on(Create, () => {
    taken += 1;
  });

async function send({ inboxes }) {
  const ctx = federation.createContext(new URL(origin), undefined);
  const author = ctx.getActorUri(AUTHOR);
  const id = randomUUID();
  const about = { published: Temporal.Now.instant(), to: PUBLIC_COLLECTION, cc: new URL(`${author.href}/followers`) };
  const note = new Note({ id: new URL(`${origin}/notes/${id}`), attribution: author, content: TEXT, ...about });
  const create = new Create({ id: new URL(`${origin}/activities/${id}`), actor: author, object: note, ...about });
  const recipients = inboxes.map((inbox) => ({ id: new URL(inbox.replace(/\/inbox$/, "")), inboxId: new URL(inbox) }));
  await ctx.sendActivity({ identifier: AUTHOR }, recipients, create, { immediate: process.env.QUEUE !== "1" });
  return {};
}

function cpu() {
  const { user, system } = process.cpuUsage();
  return { microseconds: user + system, taken };
}

async function serve(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (request.url === "/control/cpu") return respond(response, 200, cpu());
  if (request.url === "/control/send") return respond(response, 200, await send(JSON.parse(body.toString())));
  const bodiless = request.method === "GET" || request.method === "HEAD";
  const asked = new Request(new URL(request.url, `http://${request.headers.host}`), {
    method: request.method,
    headers: request.headers,
    body: bodiless ? undefined : body,
  });
  const answer = await federation.fetch(asked, { contextData: undefined });
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.end(Buffer.from(await answer.arrayBuffer()));
}

function respond(response, status, document) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(document));
}

for (const event of ["end", "close", "error"]) process.stdin.on(event, () => process.exit(0));
process.stdin.resume();
process.stdout.write(`${JSON.stringify({ origin: address })}\n`);
