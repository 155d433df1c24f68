import { existsSync, writeFileSync } from 'node:fs';
import { sandboxConfig } from '@gatewright/gateway';
import { GatewrightError } from '@gatewright/kernel';
import { stringify } from 'yaml';
import { type Command, EXIT, parse } from '../command.ts';
import { CONFIG_FILE } from '../configuration.ts';

const STARTER = `# Gatewright: who can answer, and how requests are routed to them.
# Check it with \`gatewright check\`; \`gatewright schema\` explains every setting. Changes are taken up while it runs.
version: 1

server:
  host: 127.0.0.1            # beyond loopback a key is required: export GATEWRIGHT_API_KEY=...
  port: 4180

storage:
  directory: .gatewright     # traces and feedback
  bodies: false              # true keeps the text of requests and answers too

experts:
  # Any OpenAI-compatible server: vLLM, Ollama, llama.cpp, LM Studio, OpenRouter, OpenAI ...
  - id: local
    provider: { use: openai, baseUrl: "http://127.0.0.1:11434/v1", model: llama3.2 }
    quality: 0.6             # your estimate of how often its answer is good enough, 0..1
    contextTokens: 8192

  - id: strong
    provider: { use: openai, baseUrl: "https://api.openai.com/v1", model: gpt-4o, apiKeyEnv: OPENAI_API_KEY }
    price: { inputUsdPerMTok: 2.5, outputUsdPerMTok: 10 }
    quality: 0.9
    contextTokens: 128000
    capabilities: [tools, json, vision, logprobs, samples]

modes:                       # a client asks for them as model: "gw/auto", "gw/safe" ...
  auto:
    summary: Best balance of quality, cost and latency; the next one answers if it fails.
    policy: { use: bestOf, weights: { quality: 1, cost: 0.3, latency: 0.1 } }
    composition: { use: fallback, attempts: 2 }
  safe:
    summary: The local one if it is there, else the strong one.
    policy: { use: static, order: [local, strong] }
    composition: { use: fallback }
`;

/** `gatewright init`: a configuration to begin with. */
export const init: Command = {
  name: 'init',
  summary: 'Write a gatewright.yaml to begin with.',
  help: `Usage: gatewright init [FILE] [--sandbox] [--force]

Writes an example configuration (default gatewright.yaml): two OpenAI-compatible endpoints and two modes, with comments.
Never overwrites a file unless --force is given.

  --sandbox   the configuration of the sandbox instead, to change and serve
  --force     overwrite

Example: gatewright init && gatewright check`,

  async run(argv, io) {
    const { values, positionals } = parse(
      'init',
      argv,
      {
        sandbox: { type: 'boolean', default: false },
        force: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
      { max: 1 },
    );
    const path = positionals[0] ?? CONFIG_FILE;
    if (existsSync(path) && !values.force) {
      throw new GatewrightError('GW_FILE_EXISTS', `${path} is there already.`, {
        fix: 'Choose another name, or overwrite it with --force.',
      });
    }
    writeFileSync(path, values.sandbox ? stringify(sandboxConfig(), { lineWidth: 120 }) : STARTER);
    if (values.json) io.print(JSON.stringify({ status: 'written', path }));
    else {
      io.print(`${path} is written.`);
      io.note('Next: edit it, then `gatewright check` and `gatewright serve`.');
    }
    return EXIT.ok;
  },
};
