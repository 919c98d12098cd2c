// A drawing, brought to the size that the network sees, or a file.
import { bars, el, percent, post, warning } from "./common.js";

const SIDE = 280; // pixels of the drawing board, about
let board, seen, picture, pen, fit, inked;

export const classify = {
  title: "Classify a picture",
  setUp(form, model) {
    ({ picture } = model);
    [board, seen] = form.querySelectorAll("canvas");
    fit = form.fit;
    const cell = Math.max(1, Math.round(SIDE / Math.max(picture.width, picture.height)));
    [board.width, board.height] = [cell * picture.width, cell * picture.height];
    [seen.width, seen.height] = [picture.width, picture.height];
    pen = Math.max(1.3 * cell, SIDE / 14);
    form.querySelector("figcaption").textContent = `What the network sees: ${picture.width} × ${picture.height} pixels`;
    form.querySelector(".clear").onclick = () => { form.file.value = ""; clear(); };
    form.file.onchange = () => load(form.file.files[0]);
    fit.onchange = look;
    board.onpointerdown = start;
    board.onpointermove = move;
    clear();
  },
  read: () => seen.toDataURL("image/png").split(",")[1],
  async ask(name, file, out) {
    const { predictions: [answer] } = await post(name, "invocations", file);
    out.append(el("p", { class: "result" }, el("strong", {}, answer.label), ` ${percent(answer.probability)}`));
    out.append(...warning(answer), bars(answer.probabilities, { sorted: false }));
  },
};

const ground = () => (picture.bright ? "#fff" : "#000");

function clear() {
  const draw = board.getContext("2d", { willReadFrequently: true });
  draw.fillStyle = ground();
  draw.fillRect(0, 0, board.width, board.height);
  inked = null;
  look();
}

let last;

function place(event) {
  const box = board.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * board.width, ((event.clientY - box.top) / box.height) * board.height];
}

function start(event) {
  board.setPointerCapture(event.pointerId);
  last = place(event);
  stroke(last, last);
  event.preventDefault();
}

function move(event) {
  if (!(event.buttons & 1)) return;
  const now = place(event);
  stroke(last ?? now, now);
  last = now;
}

function stroke(from, to) {
  const draw = board.getContext("2d", { willReadFrequently: true });
  Object.assign(draw, { strokeStyle: picture.bright ? "#000" : "#fff", lineWidth: pen, lineCap: "round" });
  draw.beginPath();
  draw.moveTo(...from);
  draw.lineTo(to[0] + 0.01, to[1]);
  draw.stroke();
  for (const [x, y] of [from, to]) {
    const [left, top, right, bottom] = inked ?? [x, y, x, y];
    inked = [Math.min(left, x - pen / 2), Math.min(top, y - pen / 2), Math.max(right, x + pen / 2), Math.max(bottom, y + pen / 2)];
  }
  look();
}

async function load(file) {
  if (!file) return;
  const image = await createImageBitmap(file).catch(() => null);
  if (!image) return;
  clear();
  board.getContext("2d").drawImage(image, 0, 0, board.width, board.height);
  inked = null; // a photograph fills the frame as it is
  look();
}

// Brings the board to the network's size: each pixel is the mean of a square of the board.
function look() {
  const source = framed().getContext("2d", { willReadFrequently: true }).getImageData(0, 0, board.width, board.height).data;
  const { width, height } = seen;
  const cell = board.width / width;
  const target = seen.getContext("2d");
  const pixels = target.createImageData(width, height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const sums = [0, 0, 0];
      for (let v = y * cell; v < (y + 1) * cell; v += 1) {
        for (let u = x * cell; u < (x + 1) * cell; u += 1) {
          for (let c = 0; c < 3; c += 1) sums[c] += source[4 * (v * board.width + u) + c];
        }
      }
      sums.forEach((sum, c) => { pixels.data[4 * (y * width + x) + c] = sum / cell ** 2; });
      pixels.data[4 * (y * width + x) + 3] = 255;
    }
  }
  target.putImageData(pixels, 0, 0);
}

// The board, or a copy in which the drawing fills the frame and keeps its shape.
function framed() {
  if (!fit.checked || !inked) return board;
  const [left, top] = inked.map((edge) => Math.max(0, edge));
  const [right, bottom] = [Math.min(board.width, inked[2]), Math.min(board.height, inked[3])];
  const scale = Math.min(board.width / (right - left), board.height / (bottom - top));
  const [width, height] = [(right - left) * scale, (bottom - top) * scale];
  const copy = el("canvas", { width: board.width, height: board.height });
  const draw = copy.getContext("2d", { willReadFrequently: true });
  draw.fillStyle = ground();
  draw.fillRect(0, 0, board.width, board.height);
  draw.drawImage(board, left, top, right - left, bottom - top, (board.width - width) / 2, (board.height - height) / 2, width, height);
  return copy;
}
