// OpenAI's JavaScript client against the API on its fake backend. Started by tests/api/clients.rs.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

// Imports look beside the file that has them; the client lies elsewhere.
const require = createRequire(join(process.env.LULL_OPENAI_NODE_MODULES, "client.js"));
const OpenAI = require("openai");
const { VERSION } = require("openai/version");

const URL = process.env.LULL_OPENAI_URL;
const clientOf = (apiKey, maxRetries = 0) => new OpenAI({ baseURL: `${URL}/v1`, apiKey, maxRetries, timeout: 30_000 });
const client = clientOf("lull_fake");
const messages = [
  { role: "developer", content: "Repeat." },
  { role: "user", content: "one two three" },
];
const chat = (more = {}) => client.chat.completions.create({ model: "fake/repeats", messages, ...more });

// Waits until the backend is not waited for by anyone.
async function untilClosed() {
  const answer = await fetch(`${URL}/until_closed`, { signal: AbortSignal.timeout(30_000) });
  assert.equal(await answer.text(), "closed");
}

async function raised(kind, call) {
  try {
    await call();
  } catch (error) {
    assert.equal(error.constructor, kind, `${error} was raised`);
    return error;
  }
  throw new Error(`${kind.name} was not raised`);
}

async function all(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const tests = {
  async chat() {
    const answer = await chat({ seed: 5, temperature: 0.5 });
    assert.equal(answer.choices[0].message.content, "one two three");
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.equal(answer.usage.prompt_tokens_details.cached_tokens, 2);
    assert.equal(answer.usage.total_tokens, 7);
    assert.deepEqual(answer.lull, { price: 10, seed: 5 });
    assert.match(answer._request_id, /^req_/);
  },

  async severalAnswersAndBounds() {
    const answer = await chat({ n: 2, max_tokens: 2 });
    assert.deepEqual(answer.choices.map((it) => it.message.content), ["one two ", "one two "]);
    assert.deepEqual(answer.choices.map((it) => it.finish_reason), ["length", "length"]);
    assert.equal((await chat({ stop: ["two"] })).choices[0].message.content, "one ");
    const [first] = (await chat({ logprobs: true })).choices[0].logprobs.content;
    assert.deepEqual([first.token, first.logprob], ["one ", -0.5]);
  },

  async drawnSeedsCanBeSentBack() {
    const { lull } = await chat();
    assert.ok(Number.isSafeInteger(lull.seed));
    assert.equal((await chat({ seed: lull.seed })).lull.seed, lull.seed);
  },

  async stream() {
    const chunks = await all(await chat({ stream: true, n: 2, stream_options: { include_usage: true } }));
    for (const index of [0, 1]) {
      const ofThis = chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.index === index);
      assert.equal(ofThis[0].delta.role, "assistant");
      assert.equal(ofThis.map((choice) => choice.delta.content ?? "").join(""), "one two three");
      assert.equal(ofThis.at(-1).finish_reason, "stop");
    }
    const last = chunks.at(-1);
    assert.deepEqual(last.choices, []);
    assert.deepEqual([last.usage.total_tokens, last.lull.price], [14, 20]);
    assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage === null));
  },

  async streamHelper() {
    const runner = client.chat.completions.stream({ model: "fake/repeats", messages });
    assert.equal(await runner.finalContent(), "one two three");
  },

  async completions() {
    const answer = await client.completions.create({ model: "fake/repeats", prompt: ["a b", "c d"], stop: "b" });
    assert.deepEqual(answer.choices.map((it) => it.text), ["a ", "c d"]);
    const chunks = await all(await client.completions.create({ model: "fake/repeats", prompt: [5, 6], stream: true }));
    assert.equal(chunks.map((chunk) => chunk.choices[0].text).join(""), "5 6");
  },

  async embeddings() {
    const answer = await client.embeddings.create({ model: "fake/embeds", input: ["a", "b b"] });
    assert.deepEqual([...answer.data[0].embedding], [0, 1, 0, 0, 0, 0, 0, 0]);
    assert.equal(answer.usage.prompt_tokens, 3);
    const same = await client.embeddings.create({ model: "fake/embeds", input: ["a", "b b"], encoding_format: "float" });
    assert.deepEqual(same.data[1].embedding, [...answer.data[1].embedding]);
  },

  async models() {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    assert.ok(ids.includes("fake/repeats"));
    assert.equal((await client.models.retrieve("fake/repeats")).lull.context_tokens, 4096);
  },

  async errorsAreTyped() {
    const error = await raised(OpenAI.BadRequestError, () => chat({ response_format: { type: "json_object" } }));
    assert.deepEqual([error.code, error.param], ["unsupported_parameter", "response_format"]);
    assert.equal((await raised(OpenAI.NotFoundError, () => chat({ model: "gpt-4" }))).code, "model_not_found");
    await raised(OpenAI.AuthenticationError, () => clientOf("lull_wrong").models.list());
    const busy = await raised(OpenAI.InternalServerError, () => chat({ model: "fake/busy" }));
    assert.deepEqual([busy.status, busy.headers.get("retry-after")], [503, "3"]);
    const long = [{ role: "user", content: "x".repeat(9_000_000) }];
    assert.equal((await raised(OpenAI.APIError, () => chat({ messages: long }))).status, 413);
  },

  async noMoneyIsNotTriedAgain() {
    const poor = clientOf("lull_fake_poor", 5);
    const error = await raised(OpenAI.RateLimitError, () =>
      poor.chat.completions.create({ model: "fake/repeats", messages }),
    );
    assert.deepEqual([error.code, error.headers.get("x-should-retry")], ["insufficient_quota", "false"]);
  },

  async rateLimits() {
    const ask = (of) => of.chat.completions.create({ model: "fake/repeats", messages, max_tokens: 2 });
    const few = clientOf("lull_fake_slow");
    const error = await raised(OpenAI.RateLimitError, async () => {
      for (let asked = 0; asked < 200; asked += 1) await ask(few);
    });
    assert.deepEqual([error.code, error.headers.get("retry-after")], ["rate_limit_exceeded", "1"]);
    // One that tries again does so when it was told to, and is answered.
    assert.equal((await ask(clientOf("lull_fake_slow", 1))).choices[0].message.content, "one two ");
  },

  async aStreamThatBreaks() {
    const read = [];
    const error = await raised(OpenAI.APIError, async () => {
      for await (const chunk of await chat({ stream: true, model: "fake/breaks" })) read.push(chunk);
    });
    assert.deepEqual(read.map((chunk) => chunk.choices[0].delta.content), ["", "one "]);
    assert.equal(error.code, "worker_lost");
  },

  async aStreamThatIsCancelled() {
    for await (const chunk of await chat({ stream: true, model: "fake/stalls" })) {
      if (chunk.choices[0].delta.content === "one ") break;
    }
    await untilClosed();
  },
};

for (const [name, test] of Object.entries(tests)) {
  await test();
  console.log("ok", name);
}
console.log("all of it holds, with openai", VERSION);
