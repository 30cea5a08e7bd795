// The official OpenAI SDK against ainfera's /v1/chat/completions, streamed and not. The environment is that of
// messages.test.mjs, with AINFERA_BASE_URL still without /v1.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';

const { AINFERA_BASE_URL, AINFERA_KEY, AINFERA_MODEL, AINFERA_EXACT } = process.env;
const missing = ['AINFERA_BASE_URL', 'AINFERA_KEY', 'AINFERA_MODEL'].filter((name) => !process.env[name]);
const skip = missing.length > 0 && `set ${missing.join(', ')} to run this`;
const exact = AINFERA_EXACT !== '0';

const client = skip ? undefined : new OpenAI({ baseURL: `${AINFERA_BASE_URL}/v1`, apiKey: AINFERA_KEY, maxRetries: 0 });

const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather in a city today.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};

const time = {
  type: 'function',
  function: {
    name: 'get_time',
    description: 'The local time in a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};

const ask = (content, more = {}) => ({ model: AINFERA_MODEL, max_tokens: 2048, messages: [{ role: 'user', content }], ...more });

// finish makes the call both ways, holds them to each other, and returns the choice that was not streamed, with the
// message that the SDK put together of the stream beside it.
async function finish(params) {
  const whole = await client.chat.completions.create(params);
  const streamed = await client.chat.completions.stream({ ...params, stream_options: { include_usage: true } }).finalChatCompletion();
  assert.equal(streamed.choices[0].finish_reason, whole.choices[0].finish_reason);
  assert.ok(whole.usage.prompt_tokens > 0 && streamed.usage.prompt_tokens > 0, 'usage is reported');
  const [got, want] = [streamed, whole].map((c) => said(c.choices[0].message));
  if (exact) {
    assert.deepEqual(got, want);
    assert.equal(streamed.usage.total_tokens, whole.usage.total_tokens);
  } else {
    assert.deepEqual(got.calls.map((c) => c.name), want.calls.map((c) => c.name));
  }
  return { ...whole.choices[0], streamed: streamed.choices[0].message };
}

const said = ({ content, tool_calls = [] }) => ({
  content: content || '',
  calls: tool_calls.map((c) => ({ id: c.id, name: c.function.name, arguments: JSON.parse(c.function.arguments) })),
});

test('chat: text', { skip }, async () => {
  const choice = await finish(ask('Say “hello, world” — with the quotes and an emoji 🧪.'));
  assert.equal(choice.finish_reason, 'stop');
  assert.match(choice.message.content, /hello/i);
});

test('chat: a tool, its result, and the answer', { skip }, async () => {
  const params = ask('Call get_weather for Paris.', { tools: [weather] });
  const { message, finish_reason } = await finish(params);
  assert.equal(finish_reason, 'tool_calls');
  const [call] = message.tool_calls;
  assert.equal(typeof JSON.parse(call.function.arguments).city, 'string');
  const messages = [...params.messages, message, { role: 'tool', tool_call_id: call.id, content: '17 degrees, light rain' }];
  assert.match((await finish({ ...params, messages })).message.content, /17/);
});

test('chat: two tools at once', { skip }, async () => {
  const params = ask('Call both get_weather and get_time for Paris, in parallel.', { tools: [weather, time] });
  const { streamed } = await finish(params);
  assert.deepEqual(streamed.tool_calls.map((c) => c.function.name).sort(), ['get_time', 'get_weather']);
  const results = streamed.tool_calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: `${c.function.name} says 12` }));
  const { message } = await finish({ ...params, messages: [...params.messages, streamed, ...results] });
  assert.match(message.content, /12/);
});

test('chat: a tool that is demanded', { skip }, async () => {
  const params = ask('Good morning from Paris.', { tools: [weather, time], tool_choice: { type: 'function', function: { name: 'get_time' } } });
  assert.deepEqual((await finish(params)).message.tool_calls.map((c) => c.function.name), ['get_time']);
});

// Thinking comes as reasoning_content. Where the model signs it, thinking_blocks holds it with the signature: the message
// is sent back as it is, and the model goes on from its own thinking.
test('chat: thinking, and thinking sent back', { skip }, async () => {
  const params = ask('Think, then call get_weather for Paris.', { max_tokens: 8192, tools: [weather], reasoning_effort: 'low' });
  const { message, streamed } = await finish(params);
  assert.ok(message.reasoning_content.length > 0);
  if (exact) assert.deepEqual(streamed.thinking_blocks, message.thinking_blocks);
  for (const said of [message, streamed]) {
    const messages = [...params.messages, said, { role: 'tool', tool_call_id: said.tool_calls[0].id, content: '17 degrees' }];
    assert.match((await finish({ ...params, messages })).message.content, /17/);
  }
});

test('chat: which call it was', { skip }, async () => {
  const completion = await client.chat.completions.create(ask('Hello'));
  for (const id of ['agent_id', 'inference_id', 'receipt_id', 'audit_url']) assert.ok(completion.ainfera[id], id);
});

test('chat: a caller who leaves', { skip }, async () => {
  const stream = await client.chat.completions.create(ask('Count from one to a hundred, in words.', { stream: true }));
  for await (const chunk of stream) {
    if (chunk.choices[0].delta.content) break; // which aborts the request
  }
  assert.ok(stream.controller.signal.aborted);
});

test('chat: a refused request', { skip }, async () => {
  for (const stream of [false, true]) {
    await assert.rejects(client.chat.completions.create({ ...ask('x'), messages: [], stream }), (err) => {
      assert.ok(err instanceof OpenAI.BadRequestError, `got ${err}`);
      assert.equal(err.type, 'invalid_request_error');
      assert.equal(err.code, 'invalid_request');
      return true;
    });
  }
  await assert.rejects(client.chat.completions.create({ ...ask('x'), model: 'nobody' }), OpenAI.NotFoundError);
});

test('chat: a wrong key', { skip }, async () => {
  const stranger = new OpenAI({ baseURL: `${AINFERA_BASE_URL}/v1`, apiKey: 'ainfera_wrong', maxRetries: 0 });
  await assert.rejects(stranger.chat.completions.create(ask('x')), OpenAI.AuthenticationError);
});
