// Streams one answer of each model that its arguments name, through both providers of the Vercel AI SDK, and prints what
// the SDK made of it, a line of JSON each. host/recordings_vercel_test.go runs it against recorded traffic.

import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { streamText } from 'ai';

globalThis.AI_SDK_LOG_WARNINGS = false;

const { AINFERA_BASE_URL, AINFERA_KEY } = process.env;
const settings = { baseURL: `${AINFERA_BASE_URL}/v1`, apiKey: AINFERA_KEY };
const anthropic = createAnthropic(settings);
const openai = createOpenAI(settings);

for (const model of process.argv.slice(2)) {
  for (const [provider, made] of [['anthropic', anthropic(model)], ['openai', openai.chat(model)]]) {
    const said = { model, provider, text: '', thinking: '', calls: [], errors: [] };
    const stream = streamText({ model: made, maxOutputTokens: 900, maxRetries: 0, prompt: 'hi', onError: () => {} });
    for await (const part of stream.fullStream) {
      switch (part.type) {
        case 'text-delta':
          said.text += part.text;
          break;
        case 'reasoning-delta':
          said.thinking += part.text;
          break;
        case 'tool-call':
          // Nobody offered the tools that the recordings call, so the SDK calls the call invalid, and has it all the same.
          if (!part.providerExecuted) said.calls.push({ name: part.toolName, input: part.input });
          break;
        case 'error':
          said.errors.push(String(part.error?.message ?? JSON.stringify(part.error)));
      }
    }
    console.log(JSON.stringify(said));
  }
}
