// The page, which chooses and scales pictures; worker.js paints them.

const find = (id) => document.getElementById(id);
const status = find("status");
const canvas = find("result");

// As in `nstjax`, styles are scaled to a shorter side like the photo's, from
// LEAST_SIDE to LARGEST_STYLE_SIDE, in steps, so that photos of similar size share it.
const LEAST_SIDE = 32;
const LARGEST_STYLE_SIDE = 512;

const chosen = { photo: null, style: null };
let pictures = 0;
let painting = false;
let again = false;
let link = "";

const worker = new Worker("worker.js", { type: "module" });
worker.onerror = () => fail("This browser cannot run the painter.");

function paintInWorker(request) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) =>
      data.error ? reject(new Error(data.error)) : resolve(data);
    worker.postMessage(request);
  });
}

function fail(text) {
  status.textContent = text;
  status.classList.add("error");
}

function tell(text) {
  status.textContent = text;
  status.classList.remove("error");
}

/** The RGB pixels of a picture scaled by a factor, with sides of at least LEAST_SIDE. */
function pixelsOf(bitmap, scale) {
  scale = Math.max(scale, LEAST_SIDE / Math.min(bitmap.width, bitmap.height));
  const width = Math.round(bitmap.width * scale);
  const height = Math.round(bitmap.height * scale);
  const scaled = new OffscreenCanvas(width, height);
  const context = scaled.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white"; // behind transparent areas
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

async function paint() {
  if (painting) {
    again = true; // with the choices made by then
    return;
  }
  if (!chosen.photo || !chosen.style) return;
  painting = true;
  canvas.classList.add("busy");
  tell("Painting …");
  try {
    const { bitmap } = chosen.photo;
    const longest = Math.max(bitmap.width, bitmap.height);
    const photo = pixelsOf(bitmap, Number(find("side").value) / longest);
    const side = Math.min(photo.width, photo.height, LARGEST_STYLE_SIDE);
    const step = side >= 256 ? 32 : 8;
    const seen = step * Math.round(side / step);
    const shorter = Math.min(chosen.style.bitmap.width, chosen.style.bitmap.height);
    const begin = performance.now();
    const painted = await paintInWorker({
      method: find("method").value,
      photo,
      photoKey: `${chosen.photo.key} at ${photo.width} x ${photo.height}`,
      style: pixelsOf(chosen.style.bitmap, seen / shorter),
      styleKey: `${chosen.style.key} at ${seen}`,
      alpha: Number(find("strength").value) / 100,
    });
    canvas.width = painted.width;
    canvas.height = painted.height;
    canvas.getContext("2d").putImageData(painted.picture, 0, 0);
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    tell(`${painted.width} x ${painted.height} pixels in ${seconds} s`);
    await offerDownload();
  } catch (error) {
    fail(error.message);
  }
  canvas.classList.remove("busy");
  painting = false;
  if (again) {
    again = false;
    await paint();
  }
}

async function offerDownload() {
  const blob = await new Promise((resolve) => canvas.toBlob(resolve));
  URL.revokeObjectURL(link);
  link = URL.createObjectURL(blob);
  find("download").href = link;
  find("download").hidden = false;
}

async function choose(kind, source, button) {
  try {
    // Rotated according to the camera's orientation.
    const bitmap = await createImageBitmap(source);
    chosen[kind] = { bitmap, key: `${kind} ${(pictures += 1)}` };
  } catch {
    fail("The browser cannot read this file as a picture; choose another.");
    return;
  }
  for (const other of find(`${kind}s`).children) {
    other.setAttribute("aria-pressed", String(other === button));
  }
  await paint();
}

function offer(kind, name) {
  const button = document.createElement("button");
  const image = document.createElement("img");
  image.src = `examples/${name}.jpg`;
  image.alt = name;
  button.type = "button";
  button.title = name;
  button.append(image);
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", async () => {
    await image.decode();
    await choose(kind, image, button);
  });
  find(`${kind}s`).append(button);
  return button;
}

async function begin() {
  let contents;
  try {
    contents = await (await fetch("contents.json")).json();
  } catch {
    fail(
      "The networks are missing: make a folder that has them with 'python " +
        "tools/make_demo.py FOLDER', and serve it with 'python -m http.server'.",
    );
    return;
  }
  for (const method of contents.methods) find("method").add(new Option(method));
  const buttons = {};
  for (const kind of ["photo", "style"]) {
    buttons[kind] = contents[`${kind}s`].map((name) => offer(kind, name));
    find(`${kind}-file`).addEventListener("change", ({ target }) => {
      if (target.files.length) choose(kind, target.files[0], null);
    });
  }
  find("strength").addEventListener("input", ({ target }) => {
    find("strength-shown").textContent = `${target.value} %`;
    paint();
  });
  for (const id of ["side", "method"]) find(id).addEventListener("change", paint);
  find("controls").addEventListener("submit", (event) => event.preventDefault());
  buttons.photo[0].click();
  buttons.style[0].click();
}

begin();
