// Runs a graph model with TensorFlow.js on its WebAssembly backend:
//   node tfjs_run.cjs MODEL.json INPUT OUTPUT
// INPUT holds one input's numbers (little-endian, of the model's type); OUTPUT gets those of its outputs, in order.
const fs = require("fs");
const path = require("path");
const tf = require("@tensorflow/tfjs-core");
const { GraphModel } = require("@tensorflow/tfjs-converter");
const wasm = require("@tensorflow/tfjs-backend-wasm");

async function main([file, inputFile, outputFile]) {
  wasm.setWasmPaths(path.dirname(require.resolve("@tensorflow/tfjs-backend-wasm")) + path.sep);
  await tf.setBackend("wasm");
  await tf.ready();
  const json = JSON.parse(fs.readFileSync(file));
  const shards = json.weightsManifest.flatMap((group) => group.paths);
  const data = Buffer.concat(shards.map((name) => fs.readFileSync(path.join(path.dirname(file), name))));
  const artifacts = {
    modelTopology: json.modelTopology,
    weightSpecs: json.weightsManifest.flatMap((group) => group.weights),
    weightData: data.buffer.slice(data.byteOffset, data.byteOffset + data.length),
    format: json.format,
    signature: json.signature,
  };
  const model = new GraphModel({ load: async () => artifacts });
  await model.load();
  const [input] = model.inputs;
  const bytes = fs.readFileSync(inputFile);
  const Numbers = input.dtype === "int32" ? Int32Array : Float32Array;
  const numbers = new Numbers(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const names = Object.values(json.signature.outputs).map((output) => output.name);
  const outputs = [].concat(model.execute(tf.tensor(numbers, input.shape, input.dtype), names));
  const written = await Promise.all(outputs.map((output) => output.data()));
  fs.writeFileSync(outputFile, Buffer.concat(written.map((values) => Buffer.from(Float32Array.from(values).buffer))));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
