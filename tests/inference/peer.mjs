import {getLlama, LlamaCompletion, readGgufFileInfo} from "node-llama-cpp";
const [,, file, threads, max] = process.argv;
const llama = await getLlama({gpu: false, build: "never", logLevel: "error"});
const model = await llama.loadModel({modelPath: file});
const context = await model.createContext({contextSize: 2048, threads: Number(threads), batchSize: 512});
const sequence = context.getSequence();
const prompt = "The history of the steam engine begins";
const tokens = model.tokenize(prompt, false);
if (model.tokens.bos != null) tokens.unshift(model.tokens.bos);
const out = [];
const began = performance.now(); let first;
for await (const token of sequence.evaluate(tokens, {temperature: 0})) {
  first ??= performance.now();
  out.push(token); if (out.length >= Number(max)) break;
}
const end = performance.now();
console.log(JSON.stringify({prompt: tokens, tokens: out, text: model.detokenize(out), ttft_ms: first-began, tps: (out.length-1)/((end-first)/1000), cpu: llama.systemInfo}));
process.exit(0);
