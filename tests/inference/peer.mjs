// llama.cpp as node-llama-cpp ships it, on the processor: goes on with a text greedily and tells how fast.
//
//     node peer.mjs MODEL THREADS TOKENS

import { getLlama } from 'node-llama-cpp';

const [, , file, threads, wanted] = process.argv;
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' });
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext({ contextSize: 2048, threads: Number(threads), batchSize: 512 });
const prompt = model.tokenize('The history of the steam engine begins', false);
if (model.tokens.bos != null) prompt.unshift(model.tokens.bos);
const tokens = [];
const began = performance.now();
let first;
for await (const token of context.getSequence().evaluate(prompt, { temperature: 0 })) {
  first ??= performance.now();
  tokens.push(token);
  if (tokens.length >= Number(wanted)) break;
}
const rate = (tokens.length - 1) / ((performance.now() - first) / 1000);
console.log(JSON.stringify({ prompt, tokens, text: model.detokenize(tokens), ttft_ms: first - began, tps: rate }));
process.exit(0);
