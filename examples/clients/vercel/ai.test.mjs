// The Vercel AI SDK against ainfera, through its Anthropic and its OpenAI provider: text, tools that it runs itself,
// thinking, objects, errors, and a caller who leaves. The environment is that of ../typescript:
//
//	AINFERA_BASE_URL=http://127.0.0.1:8080 AINFERA_KEY=ainfera_… AINFERA_MODEL=ainfera-inference npm test
//
// AINFERA_EXACT=0 is for real models: it leaves out what only simulated vendors do when they are told to.

import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { APICallError, Output, RetryError, generateObject, generateText, stepCountIs, streamText, tool } from 'ai';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';

globalThis.AI_SDK_LOG_WARNINGS = false; // such as that thinking without a signature is not sent back

const { AINFERA_BASE_URL, AINFERA_KEY, AINFERA_MODEL, AINFERA_EXACT } = process.env;
const missing = ['AINFERA_BASE_URL', 'AINFERA_KEY', 'AINFERA_MODEL'].filter((name) => !process.env[name]);
const skip = missing.length > 0 && `set ${missing.join(', ')} to run this`;
const simulated = skip || (AINFERA_EXACT === '0' && 'only simulated vendors fail on demand');

// watched is fetch, and keeps the text of every answer: what the SDK was given, to hold against what it made of it.
const answers = [];
async function watched(url, init) {
  const response = await fetch(url, init);
  const [kept, given] = response.body.tee();
  answers.push(new Response(kept).text().catch(() => ''));
  return new Response(given, { status: response.status, headers: response.headers });
}
const lastAnswer = () => answers[answers.length - 1];

const settings = { baseURL: `${AINFERA_BASE_URL}/v1`, apiKey: AINFERA_KEY, fetch: watched };
const anthropic = createAnthropic(settings);
const openai = createOpenAI(settings);

// providers are the two dialects. The OpenAI provider's default is the Responses API: .chat is /v1/chat/completions.
const providers = {
  anthropic: { model: (name) => anthropic(name), parallel: { anthropic: { disableParallelToolUse: true } } },
  openai: { model: (name) => openai.chat(name), parallel: { openai: { parallelToolCalls: false } } },
};

const tools = {
  get_weather: tool({
    description: 'The weather in a city today.',
    inputSchema: z.object({ city: z.string(), unit: z.enum(['celsius', 'fahrenheit']) }),
    execute: async ({ city, unit }) => {
      assert.equal(typeof city, 'string');
      assert.ok(['celsius', 'fahrenheit'].includes(unit));
      return { report: '17 degrees, light rain' };
    },
  }),
  get_time: tool({
    description: 'The local time in a city.',
    inputSchema: z.object({ city: z.string() }),
    execute: async () => ({ clock: '12 noon' }),
  }),
};

// drain reads a stream to its end and returns its parts by type. The SDK reports an event that it doesn't know as an
// error part, so that none of them is the proof that it knew all.
async function drain(stream) {
  const parts = {};
  for await (const part of stream.fullStream) {
    (parts[part.type] ??= []).push(part);
  }
  return parts;
}

const quiet = { maxRetries: 0, onError: () => {} }; // the parts say it

for (const [name, provider] of Object.entries(providers)) {
  const ask = (prompt, more = {}) => ({ model: provider.model(AINFERA_MODEL), maxOutputTokens: 4096, prompt, maxRetries: 0, ...more });

  // both makes the call both ways, and holds them to each other.
  async function both(params) {
    const whole = await generateText(params);
    const stream = streamText({ ...params, onError: quiet.onError });
    const parts = await drain(stream);
    assert.equal(parts.error, undefined, `the stream has an error: ${parts.error?.[0]?.error}`);
    assert.equal(await stream.finishReason, whole.finishReason);
    assert.equal((await stream.steps).length, whole.steps.length);
    if (!simulated) {
      // An object may come as a tool's input, and then its text is the JSON as it came or the SDK's own.
      if (!params.output) assert.equal(await stream.text, whole.text);
      assert.deepEqual((await stream.steps).flatMap(called), whole.steps.flatMap(called));
      const [got, want] = [await stream.totalUsage, whole.totalUsage];
      assert.equal(got.outputTokens, want.outputTokens);
      // Of tools the SDK says more when it streams: eager_input_streaming.
      if (!params.tools && !params.output) assert.equal(got.inputTokens, want.inputTokens);
    }
    assert.ok(whole.totalUsage.inputTokens > 0 && whole.totalUsage.outputTokens > 0, 'usage is reported');
    assert.deepEqual(whole.warnings ?? [], []);
    return { whole, parts, stream };
  }
  const called = (step) => step.toolCalls.map((c) => [c.toolName, c.input]);

  test(`${name}: text`, { skip }, async () => {
    const { whole, parts } = await both(ask('Say “hello, world” — with the quotes and an emoji 🧪.'));
    assert.equal(whole.finishReason, 'stop');
    assert.match(whole.text, /hello/i);
    assert.ok(whole.response.headers['x-ainfera-receipt-id']);
    assert.ok(parts['text-delta'].length > 1, 'it came in pieces');
  });

  test(`${name}: cut at the limit`, { skip }, async () => {
    const { whole } = await both(ask('Count from one to a hundred, in words.', { maxOutputTokens: 8 }));
    assert.equal(whole.finishReason, 'length');
  });

  test(`${name}: a tool that the SDK runs, and the answer`, { skip }, async () => {
    const { whole, parts } = await both(
      ask('Call get_weather for Paris, in celsius.', { tools, stopWhen: stepCountIs(3), providerOptions: provider.parallel }),
    );
    assert.deepEqual(whole.steps.map((s) => s.finishReason), ['tool-calls', 'stop']);
    assert.equal(whole.steps[0].toolResults[0].toolName, 'get_weather');
    assert.match(whole.text, /17/);
    assert.equal(parts['tool-result'].length, 1);
  });

  test(`${name}: two tools at once`, { skip }, async () => {
    const { whole } = await both(
      ask('Call both get_weather and get_time for Paris in celsius, in parallel.', { tools, stopWhen: stepCountIs(3) }),
    );
    assert.deepEqual(whole.steps[0].toolCalls.map((c) => c.toolName).sort(), ['get_time', 'get_weather']);
    assert.match(whole.text, /17[^]*12|12[^]*17/);
  });

  test(`${name}: a tool that is demanded`, { skip }, async () => {
    const { whole } = await both(ask('Good morning from Paris.', { tools, toolChoice: { type: 'tool', toolName: 'get_time' } }));
    assert.deepEqual(whole.toolCalls.map((c) => c.toolName), ['get_time']);
  });

  const city = z.object({ name: z.string(), inhabitants: z.number(), capital: z.boolean() });

  test(`${name}: an object`, { skip }, async () => {
    const { object } = await generateObject({ ...ask('Describe Paris.'), schema: city });
    assert.deepEqual(Object.keys(city.parse(object)).sort(), ['capital', 'inhabitants', 'name']);
    const { whole, stream } = await both(ask('Describe Paris.', { output: Output.object({ schema: city }) }));
    city.parse(whole.output);
    assert.deepEqual(Object.keys(await stream.output).sort(), ['capital', 'inhabitants', 'name']);
  });

  test(`${name}: refused`, { skip }, async () => {
    const refused = (status) => (err) => {
      assert.ok(APICallError.isInstance(err), `got ${err}`);
      assert.equal(err.statusCode, status);
      assert.ok(err.message.length > 0 && err.responseHeaders['request-id']);
      assert.equal(err.isRetryable, false);
      return true;
    };
    await assert.rejects(generateText({ ...ask('x'), model: provider.model('nobody') }), refused(404));
    const stream = streamText({ ...ask('x'), ...quiet, model: provider.model('nobody') });
    const parts = await drain(stream);
    refused(404)(parts.error[0].error);
    const strange = { ...settings, apiKey: 'ainfera_wrong' };
    const model = name === 'openai' ? createOpenAI(strange).chat(AINFERA_MODEL) : createAnthropic(strange)(AINFERA_MODEL);
    await assert.rejects(generateText({ ...ask('x'), model }), refused(401));
  });

  test(`${name}: an error in mid-stream`, { skip: simulated }, async () => {
    const stream = streamText({ ...ask('x [[sim chunks=9 size=20 error-after=3]]'), ...quiet });
    const parts = await drain(stream);
    assert.equal(parts['text-delta'].map((p) => p.text).join('').length, 60);
    assert.equal(parts.error.length, 1);
    assert.equal(await stream.finishReason, 'error');
  });

  test(`${name}: a caller who leaves in mid-stream`, { skip: simulated }, async () => {
    const controller = new AbortController();
    const stream = streamText({ ...ask('leaving [[sim chunks=9 size=200 silent-after=3]]'), ...quiet, abortSignal: controller.signal });
    const seen = new Set();
    for await (const part of stream.fullStream) {
      seen.add(part.type);
      if (part.type === 'text-delta') controller.abort();
    }
    assert.ok(seen.has('abort') && !seen.has('finish'), [...seen].join(' '));
  });

  test(`${name}: a vendor that is slow, and says so`, { skip: simulated }, async () => {
    const stream = streamText({ ...ask('x [[sim stop-for=200ms stop-after=1 heartbeat=20ms]]'), ...quiet });
    const parts = await drain(stream);
    assert.equal(parts.error, undefined);
    assert.equal(await stream.finishReason, 'stop');
    if (name === 'anthropic' && AINFERA_MODEL.endsWith('verbatim')) assert.match(await lastAnswer(), /event: ping/);
  });
}

test('anthropic: thinking, and thinking sent back with the result of a tool', { skip }, async () => {
  const params = {
    model: anthropic(AINFERA_MODEL),
    maxOutputTokens: 4096,
    maxRetries: 0,
    prompt: 'Think, then call get_weather for Paris in celsius.',
    tools: { get_weather: tools.get_weather },
    stopWhen: stepCountIs(3),
    providerOptions: { anthropic: { thinking: { type: 'enabled', budgetTokens: 1024 } } },
  };
  const whole = await generateText(params);
  assert.ok(whole.steps[0].reasoningText.length > 0);
  assert.match(whole.text, /17/);
  const stream = streamText({ ...params, ...quiet });
  const parts = await drain(stream);
  assert.equal(parts.error, undefined, `the stream has an error: ${parts.error?.[0]?.error}`);
  assert.ok(parts['reasoning-delta'].length > 0);
  assert.match(await stream.text, /17/);
});

test('anthropic: an object in the vendor’s own format', { skip }, async () => {
  const { output } = await generateText({
    model: anthropic(AINFERA_MODEL),
    maxOutputTokens: 4096,
    maxRetries: 0,
    prompt: 'Describe Paris.',
    output: Output.object({ schema: z.object({ name: z.string() }) }),
    providerOptions: { anthropic: { structuredOutputMode: 'outputFormat' } },
  });
  assert.equal(typeof output.name, 'string');
});

test('openai: reasoning is counted', { skip }, async () => {
  const { usage } = await generateText({
    model: openai.chat(AINFERA_MODEL),
    maxOutputTokens: 8192,
    maxRetries: 0,
    prompt: 'Why is the sky blue?',
    providerOptions: { openai: { reasoningEffort: 'low', forceReasoning: true } },
  });
  assert.ok(usage.outputTokenDetails.reasoningTokens > 0, JSON.stringify(usage));
});

// The last of all, since a vendor that asks for a pause gets it from everybody.
for (const [name, provider] of Object.entries(providers)) {
  test(`${name}: told when to try again, and it does`, { skip: simulated }, async () => {
    const before = answers.length;
    const params = { model: provider.model(AINFERA_MODEL), prompt: 'x [[sim status=429 retry-after=1]]', maxRetries: 1 };
    await assert.rejects(generateText(params), (err) => {
      assert.ok(RetryError.isInstance(err), `got ${err}`);
      assert.equal(err.errors.length, 2);
      for (const each of err.errors) {
        assert.ok(each.isRetryable && [429, 503].includes(each.statusCode), `got ${each.statusCode}`);
        assert.equal(each.responseHeaders['retry-after'], '1');
      }
      return true;
    });
    assert.equal(answers.length - before, 2);
  });
}
