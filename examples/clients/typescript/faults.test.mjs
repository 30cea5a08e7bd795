// What the official SDKs make of a call that goes wrong: an error in mid-stream, a caller who leaves, an answer that says
// when to try again. The environment is that of messages.test.mjs, and the vendors are simulated ones, which fail when
// the prompt says so.

import Anthropic from '@anthropic-ai/sdk';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';

const { AINFERA_BASE_URL, AINFERA_KEY, AINFERA_MODEL, AINFERA_EXACT } = process.env;
const missing = ['AINFERA_BASE_URL', 'AINFERA_KEY', 'AINFERA_MODEL'].filter((name) => !process.env[name]);
const skip = missing.length > 0 ? `set ${missing.join(', ')} to run this` : AINFERA_EXACT === '0' && 'only simulated vendors fail on demand';

// sent counts what the SDKs send, their retries too.
let sent = 0;
const counting = (url, init) => (sent++, fetch(url, init));

const anthropic = skip ? undefined : new Anthropic({ baseURL: AINFERA_BASE_URL, apiKey: AINFERA_KEY, maxRetries: 0, fetch: counting });
const openai = skip ? undefined : new OpenAI({ baseURL: `${AINFERA_BASE_URL}/v1`, apiKey: AINFERA_KEY, maxRetries: 0, fetch: counting });

const ask = (content, more = {}) => ({ model: AINFERA_MODEL, max_tokens: 4096, messages: [{ role: 'user', content }], ...more });

// Three pieces of twenty bytes come, and then the vendor's error.
const breaking = 'x [[sim chunks=9 size=20 error-after=3]]';

test('an error in mid-stream', { skip }, async () => {
  let text = '';
  const stream = await anthropic.messages.create(ask(breaking, { stream: true }));
  await assert.rejects(
    async () => {
      for await (const event of stream) {
        if (event.type === 'content_block_delta') text += event.delta.text;
      }
    },
    (err) => {
      assert.ok(err instanceof Anthropic.APIError, `got ${err}`);
      assert.equal(err.error.type, 'error');
      assert.ok(err.error.error.type && err.error.error.message && err.error.request_id, JSON.stringify(err.error));
      return true;
    },
  );
  assert.equal(text.length, 60);
  await assert.rejects(anthropic.messages.stream(ask(breaking)).finalMessage(), Anthropic.APIError);
});

test('chat: an error in mid-stream', { skip }, async () => {
  let text = '';
  const stream = await openai.chat.completions.create(ask(breaking, { stream: true }));
  await assert.rejects(
    async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    },
    (err) => {
      assert.ok(err instanceof OpenAI.APIError, `got ${err}`);
      assert.equal(err.code, 'provider_failed');
      assert.ok(err.type && err.message);
      return true;
    },
  );
  assert.equal(text.length, 60);
  await assert.rejects(openai.chat.completions.stream(ask(breaking)).finalChatCompletion(), OpenAI.APIError);
});

// The vendor says three things and then nothing: only the caller can end this.
const endless = 'x [[sim chunks=9 size=200 silent-after=3]]';

test('a caller who leaves in mid-stream', { skip }, async () => {
  const stream = anthropic.messages.stream(ask(endless));
  let pieces = 0;
  stream.on('text', () => ++pieces === 3 && stream.abort());
  await assert.rejects(stream.finalMessage(), Anthropic.APIUserAbortError);
  assert.equal(pieces, 3);
});

test('chat: a caller who leaves in mid-stream', { skip }, async () => {
  const stream = await openai.chat.completions.create(ask(endless, { stream: true }));
  let pieces = 0;
  for await (const chunk of stream) {
    if (chunk.choices[0].delta.content && ++pieces === 3) break; // which aborts the request
  }
  assert.ok(stream.controller.signal.aborted);
});

test('refused for good: x-should-retry is false, and nobody tries again', { skip }, async () => {
  // An idempotency key that another body has used is a 409, which both SDKs would otherwise send twice more.
  const headers = { 'idempotency-key': `faults-${process.pid}-${AINFERA_MODEL}` };
  await anthropic.messages.create(ask('first'), { headers });
  for (const call of [
    () => anthropic.messages.create(ask('second'), { headers, maxRetries: 2 }),
    () => anthropic.messages.create(ask('second', { stream: true }), { headers, maxRetries: 2 }),
  ]) {
    sent = 0;
    await assert.rejects(call, (err) => {
      assert.ok(err instanceof Anthropic.ConflictError, `got ${err}`);
      assert.equal(err.headers.get('x-should-retry'), 'false');
      assert.equal(err.type, 'invalid_request_error');
      return true;
    });
    assert.equal(sent, 1);
  }
  const chat = { 'idempotency-key': `${headers['idempotency-key']}-chat` };
  await openai.chat.completions.create(ask('first'), { headers: chat });
  sent = 0;
  await assert.rejects(openai.chat.completions.create(ask('second'), { headers: chat, maxRetries: 2 }), (err) => {
    assert.ok(err instanceof OpenAI.ConflictError, `got ${err}`);
    assert.equal(err.code, 'idempotency_conflict');
    return true;
  });
  assert.equal(sent, 1);
});

// The last, since a vendor that asks for a pause gets it from everybody.
test('told when to try again, and it does', { skip }, async () => {
  const limited = ask('x [[sim status=429 retry-after=1]]');
  for (const [SDK, call] of [
    [Anthropic, () => anthropic.messages.create(limited, { maxRetries: 1 })],
    [OpenAI, () => openai.chat.completions.create(limited, { maxRetries: 1 })],
  ]) {
    sent = 0;
    const begun = performance.now();
    await assert.rejects(call, (err) => {
      assert.ok(err instanceof SDK.APIError, `got ${err}`);
      assert.ok([429, 503].includes(err.status), `got ${err.status}`);
      assert.equal(err.headers.get('retry-after'), '1');
      return true;
    });
    assert.equal(sent, 2);
    assert.ok(performance.now() - begun >= 990, 'it waited the second'); // timers may be a little early
  }
});
