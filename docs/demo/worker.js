// The painter: runs the exported networks with onnxruntime-web, off the page's thread.
//
// A photo is encoded once, a style measured once; another strength runs the decoder
// alone.

const here = new URL(".", import.meta.url);
let runtime;
const sessions = new Map();
// By method: what the encoders gave for the last photo and the last style.
const kept = new Map();

async function loadRuntime() {
  try {
    runtime ??= await import(new URL("runtime/ort.wasm.min.mjs", here));
  } catch {
    throw new Error("The folder runtime/ with onnxruntime-web is missing.");
  }
  runtime.env.wasm.wasmPaths = new URL("runtime/", here).href;
  // Several threads need a server that isolates the page, which few do.
  if (!self.crossOriginIsolated) runtime.env.wasm.numThreads = 1;
  return runtime;
}

async function session(method, name) {
  const { InferenceSession } = await loadRuntime();
  const path = new URL(`models/${method}/${name}.onnx`, here).href;
  if (!sessions.has(path)) {
    sessions.set(path, await InferenceSession.create(path));
  }
  return sessions.get(path);
}

/** RGBA bytes to RGB in [0, 1], [1, height, width, 3]. */
function toTensor({ data, width, height }) {
  const values = new Float32Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    values[to++] = data[from] / 255;
    values[to++] = data[from + 1] / 255;
    values[to++] = data[from + 2] / 255;
  }
  return new runtime.Tensor("float32", values, [1, height, width, 3]);
}

/** The upper left part of a painted picture, as RGBA bytes. */
function toPicture({ data, dims }, width, height) {
  const picture = new ImageData(width, height);
  let to = 0;
  for (let row = 0; row < height; row += 1) {
    let from = row * dims[2] * 3;
    for (let column = 0; column < width; column += 1) {
      for (let channel = 0; channel < 3; channel += 1) {
        picture.data[to++] = Math.round(255 * data[from++]);
      }
      picture.data[to++] = 255;
    }
  }
  return picture;
}

async function paint({ method, photo, photoKey, style, styleKey, alpha }) {
  const [encoder, styleEncoder, decoder] = await Promise.all(
    ["encoder", "style_encoder", "decoder"].map((name) => session(method, name)),
  );
  const mine = kept.get(method) ?? {};
  kept.set(method, mine);
  if (mine.photoKey !== photoKey) {
    mine.features = await encoder.run({ content: toTensor(photo) });
    mine.photoKey = photoKey;
  }
  if (mine.styleKey !== styleKey) {
    mine.statistics = await styleEncoder.run({ style: toTensor(style) });
    mine.styleKey = styleKey;
  }
  const { painted } = await decoder.run({
    ...mine.features,
    ...mine.statistics,
    alpha: new runtime.Tensor("float32", [alpha], [1]),
  });
  const { width, height } = photo;
  return { picture: toPicture(painted, width, height), width, height };
}

self.onmessage = async ({ data }) => {
  try {
    self.postMessage(await paint(data));
  } catch (error) {
    self.postMessage({ error: String(error.message ?? error) });
  }
};
