// A live ActivityPub peer: one Fedify server with one actor, bob, driven over a small JSON control API.
//
// Environment:
//   PORT         port on 127.0.0.1 (0, the default, takes any free one)
//   FIRST_KNOCK  the signature form of the first try at an unknown host:
//                "rfc9421" (default) or "draft-cavage-http-signatures-12"
//   CHALLENGE    "1" answers failed signatures with an Accept-Signature challenge; "nonce" also asks every
//                signature for a one-time nonce; anything else challenges nobody
//   LOG_LEVEL    Fedify's log on stderr: "debug", "info", "warning" (default), "error"
//
// One line of JSON, {"origin": "http://127.0.0.1:PORT"}, goes to stdout when the peer is ready. It stops on
// SIGTERM, on SIGINT and when its stdin closes, so it never outlives the process that started it.

import { randomUUID, webcrypto } from "node:crypto";
import { createServer } from "node:http";

import { createFederation, MemoryKvStore } from "@fedify/fedify/federation";
import { verifyObject, verifyRequestDetailed } from "@fedify/fedify/sig";
import {
  Accept,
  Announce,
  Block,
  Create,
  Delete,
  Endpoints,
  Flag,
  Follow,
  isActor,
  Like,
  Note,
  Object as ApObject,
  Person,
  PUBLIC_COLLECTION,
  Reject,
  Tombstone,
  Undo,
  Update,
} from "@fedify/vocab";
import { Temporal } from "@js-temporal/polyfill";
import { configure } from "@logtape/logtape";

const BOB = "bob";
const FIRST_KNOCKS = ["rfc9421", "draft-cavage-http-signatures-12"];
const MAX_BODY = 4 * 1024 * 1024;

/** What terms that bring no "@context" of their own mean: the gateway's own inline definitions. */
const TERMS_CONTEXT = {
  aiu: "https://w3id.org/fep/1e38#",
  contentUsage: "aiu:contentUsage",
  aiUsage: { "@id": "aiu:aiUsage", "@type": "@json" },
  xRobotsTag: "https://w3id.org/fep/5e53#xRobotsTag",
  SPC: "https://w3id.org/fep/5e53#SPC",
  toot: "http://joinmastodon.org/ns#",
  indexable: "toot:indexable",
};

const firstKnock = process.env.FIRST_KNOCK || FIRST_KNOCKS[0];
if (!FIRST_KNOCKS.includes(firstKnock)) {
  process.stderr.write(`FIRST_KNOCK must be one of ${FIRST_KNOCKS.join(", ")}, not ${firstKnock}\n`);
  process.exit(2);
}
const challenge = process.env.CHALLENGE ?? "";

await configure({
  sinks: {
    stderr(record) {
      const words = record.message.map((part) => (typeof part === "string" ? part : show(part))).join("");
      process.stderr.write(`${record.level} ${record.category.join(".")}: ${words}\n`);
    },
  },
  loggers: [
    { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["stderr"] },
    { category: "fedify", lowestLevel: process.env.LOG_LEVEL || "warning", sinks: ["stderr"] },
  ],
});

function show(value) {
  if (value instanceof Error) return value.stack ?? String(value);
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

function message(error) {
  if (!(error instanceof Error)) return String(error);
  return error.cause == null ? error.message : `${error.message}: ${message(error.cause)}`;
}

// ---------------------------------------------------------------------------------------------------------------
// State. Everything but the keys and the address is dropped by POST /control/reset.

function emptyState() {
  return {
    kv: new MemoryKvStore(), // remembered signature forms, cached keys, seen activity ids
    keys: new Map(), // key id -> public key, for our own look at incoming HTTP signatures
    log: [], // activities that reached an inbox listener
    errors: [], // what failed without anybody waiting for it
    followers: new Map(), // actor id -> recipient
    following: new Map(), // actor id -> {state, follow: Follow}
    notes: new Map(), // note uuid -> {note, terms, deleted}
    activities: new Map(), // activity path ("create/UUID") -> activity
    sent: new Map(), // "like OBJECT" or "announce OBJECT" -> activity, to undo it by its object
  };
}
let state = emptyState();

/** The key-value store handed to Fedify: always the current state's one. */
const kv = {
  get: (key) => state.kv.get(key),
  set: (key, value, options) => state.kv.set(key, value, options),
  delete: (key) => state.kv.delete(key),
  cas: (key, expected, value, options) => state.kv.cas(key, expected, value, options),
  list: (prefix) => state.kv.list(prefix),
};

function noteError(where, error, more = {}) {
  state.errors.push({ where, error: message(error), ...more });
  process.stderr.write(`error ${where}: ${show(error)}\n`);
}

// ---------------------------------------------------------------------------------------------------------------
// Terms that Fedify's typed objects cannot hold.

function merge(target, terms) {
  const { "@context": _, ...properties } = terms;
  Object.assign(target, properties);
}

function extendContext(document, terms) {
  if (!("@context" in document)) return;
  const mine = terms["@context"] ?? TERMS_CONTEXT;
  document["@context"] = [document["@context"], mine].flat();
}

/**
 * Makes a fresh typed object write `own` terms on itself and `nested` ones on its object, in whatever form it is
 * asked for and through every clone. Fedify signs what toJsonLd() gives it, so its proofs and signatures cover them.
 */
function withTerms(thing, own, nested = null) {
  if (own == null && nested == null) return thing;
  const toJsonLd = thing.toJsonLd.bind(thing);
  const clone = thing.clone.bind(thing);
  thing.clone = (...rest) => withTerms(clone(...rest), own, nested);
  thing.toJsonLd = async (options = {}) => {
    const given = await toJsonLd(options);
    if (options.format === "expand") return given;
    const document = structuredClone(given);
    if (own != null) {
      merge(document, own);
      extendContext(document, own);
    }
    if (nested != null && typeof document.object === "object") {
      merge(document.object, nested);
      extendContext(document.object, nested);
      if (own == null || own["@context"] !== nested["@context"]) extendContext(document, nested);
    }
    for (const proof of [document.proof ?? []].flat()) {
      if ("@context" in proof) proof["@context"] = document["@context"];
    }
    return document;
  };
  return thing;
}

// ---------------------------------------------------------------------------------------------------------------
// The federation. It is made once the port is known.

const server = createServer((request, response) => {
  serve(request, response).catch((error) => {
    noteError("http", error);
    if (!response.headersSent) answer(response, 500, { error: String(error), stack: error?.stack });
    else response.destroy();
  });
});
await new Promise((resolve, reject) => {
  server.once("error", reject);
  server.listen(Number(process.env.PORT || 0), "127.0.0.1", resolve);
});
const origin = `http://127.0.0.1:${server.address().port}`;

const federation = createFederation({
  kv,
  // No queue: a delivery is done, or has failed, when sendActivity() returns; an activity is in the log when its
  // sender has its 202.
  origin,
  allowPrivateAddress: true,
  firstKnock,
  userAgent: { software: "noai-gateway-fedify-peer/0.0.0", url: new URL(origin) },
  ...(challenge === "1" || challenge === "nonce"
    ? { inboxChallengePolicy: { enabled: true, requestNonce: challenge === "nonce" } }
    : {}),
});

const keyPairs = await Promise.all([
  webcrypto.subtle.generateKey(
    {
      name: "RSASSA-PKCS1-v1_5",
      modulusLength: 2048,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: "SHA-256",
    },
    true,
    ["sign", "verify"],
  ),
  webcrypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]),
]);

federation.setNodeInfoDispatcher("/nodeinfo/2.1", () => ({
  software: { name: "noai-gateway-fedify-peer", version: "0.0.0" },
  protocols: ["activitypub"],
  usage: { users: { total: 1 }, localPosts: state.notes.size, localComments: 0 },
}));

federation
  .setActorDispatcher("/users/{identifier}", async (ctx, identifier) => {
    if (identifier !== BOB) return null;
    const keys = await ctx.getActorKeyPairs(identifier);
    return new Person({
      id: ctx.getActorUri(identifier),
      preferredUsername: identifier,
      name: "Bob",
      summary: "A Fedify peer of the gateway's tests",
      url: ctx.getActorUri(identifier),
      manuallyApprovesFollowers: false,
      discoverable: true,
      published: started,
      inbox: ctx.getInboxUri(identifier),
      outbox: ctx.getOutboxUri(identifier),
      followers: ctx.getFollowersUri(identifier),
      following: ctx.getFollowingUri(identifier),
      endpoints: new Endpoints({ sharedInbox: ctx.getInboxUri() }),
      publicKey: keys[0].cryptographicKey,
      assertionMethods: keys.map((key) => key.multikey),
    });
  })
  .setKeyPairsDispatcher((_ctx, identifier) => (identifier === BOB ? keyPairs : []));
const started = Temporal.Now.instant();

federation
  .setOutboxDispatcher("/users/{identifier}/outbox", (_ctx, identifier) => {
    if (identifier !== BOB) return null;
    const kinds = [Create, Announce];
    const items = [...state.activities.values()].filter((activity) => kinds.some((kind) => activity instanceof kind));
    return { items: items.reverse() };
  })
  .setCounter((_ctx, identifier) => (identifier === BOB ? countOutbox() : null));
federation
  .setFollowersDispatcher("/users/{identifier}/followers", (_ctx, identifier) =>
    identifier === BOB ? { items: [...state.followers.values()] } : null
  )
  .setCounter((_ctx, identifier) => (identifier === BOB ? state.followers.size : null));
federation
  .setFollowingDispatcher("/users/{identifier}/following", (_ctx, identifier) =>
    identifier === BOB ? { items: acceptedFollowing() } : null
  )
  .setCounter((_ctx, identifier) => (identifier === BOB ? acceptedFollowing().length : null));

function countOutbox() {
  return [...state.activities.values()].filter((one) => one instanceof Create || one instanceof Announce).length;
}

function acceptedFollowing() {
  return [...state.following].filter(([, one]) => one.state === "accepted").map(([actor]) => new URL(actor));
}

federation.setObjectDispatcher(Note, "/notes/{id}", (_ctx, { id }) => {
  const held = state.notes.get(id);
  if (held == null || held.deleted) return null; // serve() answers 410 for deleted ones
  return withTerms(held.note.clone(), held.terms);
});
const OUTGOING = { Accept, Announce, Block, Create, Delete, Follow, Like, Undo, Update };
for (const [name, kind] of Object.entries(OUTGOING)) {
  const path = name.toLowerCase();
  federation.setObjectDispatcher(
    kind,
    `/activities/${path}/{id}`,
    (_ctx, { id }) => state.activities.get(`${path}/${id}`) ?? null,
  );
}

// ---------------------------------------------------------------------------------------------------------------
// The inbox.

const inbox = federation
  .setInboxListeners("/users/{identifier}/inbox", "/inbox")
  .setSharedKeyDispatcher(() => ({ identifier: BOB })) // authorized fetch: look senders up as bob
  .onError((_ctx, error) => noteError("inbox", error))
  .onUnverifiedActivity((ctx, activity, reason) => {
    noteError("signature", `not verified: ${reason.type}`, {
      type: activity.constructor.name,
      id: activity.id?.href ?? null,
      keyId: reason.keyId?.href ?? null,
      form: ctx.data.form ?? null,
    });
  });

const REACTIONS = {
  Accept: (_ctx, accept) => settleFollow(accept, "accepted"),
  Reject: (_ctx, reject) => settleFollow(reject, "rejected"),
  Announce: null,
  Block: (_ctx, block) => {
    if (block.objectId?.href !== bobUri().href || block.actorId == null) return;
    state.followers.delete(block.actorId.href);
    state.following.delete(block.actorId.href);
  },
  Create: null,
  Delete: null,
  Flag: null,
  Follow: acceptFollow,
  Like: null,
  Undo: undone,
  Update: null,
};
const INCOMING = { Accept, Announce, Block, Create, Delete, Flag, Follow, Like, Reject, Undo, Update };
for (const [type, kind] of Object.entries(INCOMING)) {
  inbox.on(kind, async (ctx, activity) => {
    state.log.push({
      type,
      id: activity.id?.href ?? null,
      json: await activity.toJsonLd({ contextLoader: ctx.contextLoader }),
      raw: ctx.data.raw ?? null,
      recipient: ctx.recipient,
      form: ctx.data.form ?? null,
      httpSignature: await checkHttpSignature(ctx),
      proofs: await checkProofs(ctx, kind),
    });
    await REACTIONS[type]?.(ctx, activity);
  });
}

/**
 * What the request's own HTTP signature is worth. Fedify does not look at it once an object proof or a linked-data
 * signature has verified, so a test of HTTP signatures needs this answer and not only the 202.
 */
async function checkHttpSignature(ctx) {
  if (ctx.data.request == null) return null;
  const keyCache = {
    get: async (id) => state.keys.get(id.href),
    set: async (id, key) => void (key == null ? state.keys.delete(id.href) : state.keys.set(id.href, key)),
  };
  try {
    const found = await verifyRequestDetailed(ctx.data.request.clone(), {
      documentLoader: await ctx.getDocumentLoader({ identifier: BOB }),
      contextLoader: ctx.contextLoader,
      keyCache,
    });
    if (found.verified) return { verified: true, keyId: found.key.id?.href ?? null, reason: null };
    return { verified: false, keyId: found.reason.keyId?.href ?? null, reason: found.reason.type };
  } catch (error) {
    return { verified: false, keyId: null, reason: String(error) };
  }
}

/**
 * Whether the object integrity proofs hold, judged apart from everything else: of the activity, and of the object in
 * it, which stands under the activity's context.
 */
async function checkProofs(ctx, kind) {
  const document = ctx.data.raw;
  if (document == null) return null;
  const options = {
    documentLoader: await ctx.getDocumentLoader({ identifier: BOB }),
    contextLoader: ctx.contextLoader,
  };
  const inner = document.object;
  const whole = typeof inner === "object" && inner?.proof != null;
  const holds = async (cls, json) => {
    try {
      return (await verifyObject(cls, json, options)) != null;
    } catch (error) {
      return String(error);
    }
  };
  return {
    activity: await holds(kind, document),
    object: whole ? await holds(ApObject, { "@context": document["@context"], ...inner }) : null,
  };
}

async function acceptFollow(ctx, follow) {
  if (follow.objectId?.href !== bobUri().href || follow.actorId == null) return;
  const follower = await follow.getActor({ ...ctx, suppressError: false });
  if (!isActor(follower) || follower.id == null || follower.inboxId == null) {
    throw new Error(`the follower ${follow.actorId.href} is no actor with an inbox`);
  }
  state.followers.set(follower.id.href, {
    id: follower.id,
    inboxId: follower.inboxId,
    endpoints: follower.endpoints,
  });
  // The Accept leaves after the Follow has its 202: as with a real server's queue, it never overtakes the answer.
  ctx.data.after.push(async () => {
    const own = controlContext();
    const accept = new Accept({ id: newId("accept"), actor: bobUri(), object: follow, to: follower.id });
    await deliver(own, follower, accept);
  });
}

function settleFollow(activity, verdict) {
  const actor = activity.actorId?.href;
  const held = state.following.get(actor);
  if (held == null) return;
  if (activity.objectId != null && activity.objectId.href !== held.follow.id.href) return;
  held.state = verdict;
}

async function undone(ctx, undo) {
  const actor = undo.actorId?.href;
  if (!state.followers.has(actor)) return;
  const object = await undo.getObject({ ...ctx, suppressError: true });
  if (object instanceof Follow && object.actorId?.href === actor) state.followers.delete(actor);
}

// ---------------------------------------------------------------------------------------------------------------
// Sending.

function controlContext() {
  return federation.createContext(new URL(origin), { after: [] });
}

function bobUri() {
  return new URL(`${origin}/users/${BOB}`);
}

function newId(kind) {
  return new URL(`${origin}/activities/${kind}/${randomUUID()}`);
}

/** Sends `activity` to the inbox of `recipient` and throws if it is not taken. */
async function deliver(ctx, recipient, activity) {
  state.activities.set(activity.id.pathname.replace("/activities/", ""), activity);
  await ctx.sendActivity({ identifier: BOB }, recipient, activity, { immediate: true });
  return activity.id.href;
}

/** A signed look-up that says why it failed. */
async function lookup(ctx, url) {
  const documentLoader = await ctx.getDocumentLoader({ identifier: BOB });
  const found = await ctx.lookupObject(url, { documentLoader });
  if (found != null) return found;
  if (/^https?:/.test(url)) {
    // lookupObject() hides the reason; the same steps by hand throw it.
    const remote = await documentLoader(url);
    const object = await ApObject.fromJsonLd(remote.document, {
      documentLoader,
      contextLoader: ctx.contextLoader,
      baseUrl: new URL(remote.documentUrl),
    });
    throw new Error(`refused the document at ${remote.documentUrl}: its id is ${object.id?.href ?? "missing"}`);
  }
  throw new Error(`nothing found at ${url}`);
}

async function lookupRecipient(ctx, url) {
  const found = await lookup(ctx, url);
  if (!isActor(found) || found.inboxId == null) throw new Error(`${url} is no actor with an inbox`);
  return found;
}

function need(body, ...names) {
  for (const name of names) {
    if (typeof body[name] !== "string" || body[name] === "") throw new Error(`the field ${name} is missing`);
  }
}

function heldNote(url) {
  const held = state.notes.get(url.replace(`${origin}/notes/`, ""));
  if (held == null) throw new Error(`${url} is no note of bob's`);
  return held;
}

function sentActivity(kind, body) {
  const key = `${kind} ${body.object}`;
  const found = state.sent.get(key);
  if (found == null) throw new Error(`bob has sent no ${kind} of ${body.object}`);
  return [key, found];
}

async function sendReaction(Kind, body) {
  need(body, "object", "to");
  const ctx = controlContext();
  const recipient = await lookupRecipient(ctx, body.to);
  const kind = Kind.name.toLowerCase();
  const audience = Kind === Announce
    ? { to: PUBLIC_COLLECTION, ccs: [recipient.id, ctx.getFollowersUri(BOB)], published: Temporal.Now.instant() }
    : { to: recipient.id };
  const activity = new Kind({ id: newId(kind), actor: bobUri(), object: new URL(body.object), ...audience });
  const id = await deliver(ctx, recipient, activity);
  state.sent.set(`${kind} ${body.object}`, activity);
  return { activity: id };
}

async function undoReaction(Kind, body) {
  need(body, "object", "to");
  const ctx = controlContext();
  const [key, earlier] = sentActivity(Kind.name.toLowerCase(), body);
  const recipient = await lookupRecipient(ctx, body.to);
  const audience = { tos: earlier.toIds, ccs: earlier.ccIds };
  const id = await deliver(
    ctx,
    recipient,
    new Undo({ id: newId("undo"), actor: bobUri(), object: earlier, ...audience }),
  );
  state.sent.delete(key);
  return { activity: id };
}

const CONTROLS = {
  "GET log": () => state.log,
  "GET errors": () => state.errors,
  "GET followers": () => [...state.followers.keys()],
  "GET following": () =>
    [...state.following].map(([actor, one]) => ({ actor, state: one.state, follow: one.follow.id.href })),

  "GET lookup": async (_body, query) => {
    const url = query.get("url");
    if (!url) throw new Error("the query parameter url is missing");
    const ctx = controlContext();
    return await (await lookup(ctx, url)).toJsonLd({ contextLoader: ctx.contextLoader });
  },

  "POST reset": () => {
    state = emptyState();
    return {};
  },

  "POST follow": async (body) => {
    need(body, "actor");
    const ctx = controlContext();
    const recipient = await lookupRecipient(ctx, body.actor);
    const follow = new Follow({ id: newId("follow"), actor: bobUri(), object: recipient.id, to: recipient.id });
    const before = state.following.get(recipient.id.href);
    state.following.set(recipient.id.href, { state: "pending", follow }); // the Accept may be faster than the answer
    try {
      return { activity: await deliver(ctx, recipient, follow) };
    } catch (error) {
      if (before == null) state.following.delete(recipient.id.href);
      else state.following.set(recipient.id.href, before);
      throw error;
    }
  },

  "POST undo-follow": async (body) => {
    need(body, "actor");
    const ctx = controlContext();
    const held = state.following.get(body.actor);
    if (held == null) throw new Error(`bob does not follow ${body.actor}`);
    const recipient = await lookupRecipient(ctx, body.actor);
    const undo = new Undo({ id: newId("undo"), actor: bobUri(), object: held.follow, to: recipient.id });
    const id = await deliver(ctx, recipient, undo);
    state.following.delete(body.actor);
    return { activity: id };
  },

  "POST create": async (body) => {
    need(body, "to", "content");
    const ctx = controlContext();
    const recipient = await lookupRecipient(ctx, body.to);
    const uuid = randomUUID();
    const now = Temporal.Now.instant();
    const audience = { to: PUBLIC_COLLECTION, cc: recipient.id };
    const note = new Note({
      id: new URL(`${origin}/notes/${uuid}`),
      attribution: bobUri(),
      content: body.content,
      published: now,
      url: new URL(`${origin}/notes/${uuid}`),
      ...audience,
    });
    const terms = body.terms ?? null;
    state.notes.set(uuid, { note, terms, deleted: null });
    const create = new Create({ id: newId("create"), actor: bobUri(), object: note, published: now, ...audience });
    const id = await deliver(ctx, recipient, withTerms(create, body.activityTerms ?? null, terms));
    return { note: note.id.href, activity: id };
  },

  "POST update": async (body) => {
    need(body, "note", "content", "to");
    const ctx = controlContext();
    const held = heldNote(body.note);
    if (held.deleted) throw new Error(`${body.note} was deleted`);
    const recipient = await lookupRecipient(ctx, body.to);
    const now = Temporal.Now.instant();
    held.note = held.note.clone({ content: body.content, updated: now });
    if ("terms" in body) held.terms = body.terms; // left out: as they were; null: none any more
    const update = new Update({
      id: newId("update"),
      actor: bobUri(),
      object: held.note,
      updated: now,
      to: PUBLIC_COLLECTION,
      cc: recipient.id,
    });
    const id = await deliver(ctx, recipient, withTerms(update, body.activityTerms ?? null, held.terms));
    return { note: body.note, activity: id };
  },

  "POST delete": async (body) => {
    need(body, "note", "to");
    const ctx = controlContext();
    const held = heldNote(body.note);
    const recipient = await lookupRecipient(ctx, body.to);
    held.deleted = new Tombstone({ id: held.note.id, deleted: Temporal.Now.instant() });
    const removal = new Delete({
      id: newId("delete"),
      actor: bobUri(),
      object: new Tombstone({ id: held.note.id }),
      to: PUBLIC_COLLECTION,
      cc: recipient.id,
    });
    return { note: body.note, activity: await deliver(ctx, recipient, removal) };
  },

  "POST announce": (body) => sendReaction(Announce, body),
  "POST undo-announce": (body) => undoReaction(Announce, body),
  "POST like": (body) => sendReaction(Like, body),
  "POST undo-like": (body) => undoReaction(Like, body),

  "POST block": async (body) => {
    need(body, "actor");
    const ctx = controlContext();
    const recipient = await lookupRecipient(ctx, body.actor);
    const block = new Block({ id: newId("block"), actor: bobUri(), object: recipient.id, to: recipient.id });
    const id = await deliver(ctx, recipient, block);
    state.followers.delete(recipient.id.href);
    state.following.delete(recipient.id.href);
    return { activity: id };
  },
};

// ---------------------------------------------------------------------------------------------------------------
// HTTP.

async function serve(request, response) {
  const url = new URL(request.url, `http://${request.headers.host ?? "127.0.0.1"}`);
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY) return answer(response, 413, { error: "too large" });
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);

  if (url.pathname.startsWith("/control/")) return await control(request.method, url, body, response);

  const gone = state.notes.get(url.pathname.replace("/notes/", ""))?.deleted;
  if (gone != null) {
    return answer(response, 410, await gone.toJsonLd(), "application/activity+json");
  }

  const headers = new Headers();
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    headers.append(request.rawHeaders[i], request.rawHeaders[i + 1]);
  }
  const bodiless = request.method === "GET" || request.method === "HEAD";
  const asked = new Request(url, { method: request.method, headers, body: bodiless ? undefined : body });
  const data = { after: [], request: bodiless ? null : asked.clone(), raw: null, form: null };
  if (headers.has("signature-input")) data.form = "rfc9421";
  else if (headers.has("signature")) data.form = "draft-cavage-http-signatures-12";
  try {
    if (!bodiless) data.raw = JSON.parse(body.toString("utf8"));
  } catch {
    // Fedify answers 400 itself.
  }

  const answered = await federation.fetch(asked, { contextData: data });
  response.once("close", () => {
    for (const step of data.after) step().catch((error) => noteError("accept", error, failure(error)));
  });
  response.writeHead(answered.status, Object.fromEntries(answered.headers));
  response.end(Buffer.from(await answered.arrayBuffer()));
}

async function control(method, url, body, response) {
  const run = CONTROLS[`${method} ${url.pathname.slice("/control/".length)}`];
  if (run == null) return answer(response, 404, { error: `no control ${method} ${url.pathname}` });
  try {
    const given = body.length > 0 ? JSON.parse(body.toString("utf8")) : {};
    answer(response, 200, await run(given, url.searchParams));
  } catch (error) {
    answer(response, 500, { error: message(error), stack: error?.stack ?? null, ...failure(error) });
  }
}

/** The peer's answer, when an error is about one. */
function failure(error) {
  if (error?.name === "SendActivityError" || typeof error?.statusCode === "number") {
    return { inbox: error.inbox?.href ?? null, status: error.statusCode, body: error.responseBody ?? null };
  }
  if (error?.response instanceof Response) return { status: error.response.status };
  return {};
}

function answer(response, status, document, type = "application/json") {
  const text = JSON.stringify(document);
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text) });
  response.end(text);
}

// ---------------------------------------------------------------------------------------------------------------
// Life.

function stop() {
  server.close();
  server.closeAllConnections();
  process.exit(0);
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
process.stdin.on("end", stop);
process.stdin.on("close", stop);
process.stdin.on("error", stop);
process.stdin.resume();

process.stdout.write(`${JSON.stringify({ origin })}\n`);
