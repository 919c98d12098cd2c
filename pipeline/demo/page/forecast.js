// Forecasts with their band, as a chart.
import { el, post, warning } from "./common.js";

const [NARROWEST, WIDEST, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [280, 760, 300, 64, 12, 12, 34]; // pixels
const PAST = 3; // times as many steps before the forecast as in it
const MARGIN = 16; // of a card
const FEWEST = 60;

export const forecast = {
  title: "Forecast a series",
  setUp(form, model) {
    const { columns, latest, start } = model.series;
    const known = Object.values(latest);
    form.steps.disabled = !("steps" in model.options);
    form.querySelector(".steps").hidden = form.steps.disabled;
    form.querySelector(".start").hidden = !start;
    const fill = form.querySelector(".fill");
    fill.hidden = !known.length;
    fill.onclick = () => {
      form.numbers.value = known[0].map((_, i) => columns.map((name) => latest[name][i]).join(" ")).join("\n");
      form.start.value = start ?? "";
    };
    const each = columns.length > 1 ? `, in each line one of ${columns.join(", ")}` : "";
    const least = known.length ? ` This model needs at least ${known[0].length.toLocaleString("en")}${columns.length > 1 ? " lines" : ""}.` : "";
    form.querySelector(".hint").textContent = `separated by spaces, commas or new lines${each}.${least}`;
    const own = form.querySelector(".own");
    for (const choice of form.from) choice.onchange = () => { own.hidden = form.from.value !== "own"; };
  },
  read: (form) => ({
    own: form.from.value === "own" ? form.numbers.value : null,
    start: form.querySelector(".start").hidden ? "" : form.start.value.trim(),
    steps: form.steps.valueAsNumber,
  }),
  async ask(name, { own, start, steps }, out, signal, model) {
    const options = "steps" in model.options ? { steps } : {};
    let past = model.series.latest;
    let answer;
    if (own === null) {
      ({ predictions: [answer] } = await post(name, "invocations", {}, options));
      delete answer.warning; // that no values were given
    } else {
      answer = await post(name, "numbers", own, start ? { ...options, start } : options);
      past = answer.given;
    }
    const before = past.values ?? Object.values(past)[0] ?? [];
    out.append(...warning(answer), key(answer, before), chart(name, before, answer, out.clientWidth), table(answer));
  },
};

function key(answer, before) {
  const parts = [];
  if (before.length) parts.push(el("span", { class: "past" }, "given"));
  parts.push(el("span", { class: "ahead" }, "forecast"));
  if (answer.lower) parts.push(el("span", { class: "band" }, `${Math.round(100 * answer.level)} % interval`));
  return el("p", { class: "key" }, ...parts);
}

function svg(tag, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

function chart(name, all, answer, room) {
  const width = Math.max(NARROWEST, Math.min(WIDEST, room - 2 * MARGIN));
  const steps = answer.values.length;
  const past = all.slice(-Math.max(FEWEST, PAST * steps));
  const every = [...past, ...answer.values, ...(answer.lower ?? []), ...(answer.upper ?? [])];
  const ticks = nice(Math.min(...every), Math.max(...every));
  const [low, high] = [ticks[0], ticks.at(-1)];
  const x = (step) => LEFT + ((step + past.length) / Math.max(1, past.length + steps)) * (width - LEFT - RIGHT);
  const y = (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const line = (values, first) => values.map((v, i) => `${x(first + i).toFixed(1)},${y(v).toFixed(1)}`);
  const title = `Forecast of ${name}: ${steps} step${steps > 1 ? "s" : ""}, from ${short(answer.values[0])} to ${short(answer.values.at(-1))} ${answer.unit ?? ""}`;
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": title });
  for (const tick of ticks) {
    drawing.append(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
      svg("text", { x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, short(tick)));
  }
  drawing.append(svg("line", { class: "grid", x1: x(0), x2: x(0), y1: TOP, y2: HEIGHT - BOTTOM }));
  const now = past.length ? past.slice(-1) : [];
  if (answer.lower) {
    const band = [...line([...now, ...answer.upper], 1 - now.length), ...line([...now, ...answer.lower], 1 - now.length).reverse()];
    drawing.append(svg("polygon", { class: "band", points: band.join(" ") }));
  }
  if (past.length) drawing.append(svg("polyline", { class: "past", points: line(past, 1 - past.length).join(" ") }));
  drawing.append(svg("polyline", { class: "ahead", points: line([...now, ...answer.values], 1 - now.length).join(" ") }));
  if (steps === 1) drawing.append(svg("circle", { class: "point", cx: x(1), cy: y(answer.values[0]), r: 4 }));
  drawing.append(svg("text", { x: x(0), y: HEIGHT - 14, "text-anchor": past.length ? "end" : "start" }, "now"));
  if (steps > 1) drawing.append(svg("text", { x: width - RIGHT, y: HEIGHT - 14, "text-anchor": "end" }, `+${steps} steps`));
  if (answer.unit) drawing.append(svg("text", { x: LEFT - 8, y: HEIGHT - 14, "text-anchor": "end" }, answer.unit));
  return drawing;
}

const short = (value) => Number(value.toPrecision(6)).toLocaleString("en", { maximumSignificantDigits: 6 });

// Round values from below the lowest to above the highest, about five.
function nice(low, high) {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = [1, 2, 5, 10].map((k) => k * power).find((size) => span / size <= 5);
  const first = Math.floor(low / step);
  const last = Math.max(first + 1, Math.ceil(high / step));
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

function table(answer) {
  const names = ["values", "lower", "upper"].filter((name) => answer[name]);
  const head = el("tr", {}, ...["step", ...names.map((name) => (name === "values" ? "forecast" : name))].map((name) => el("th", { scope: "col" }, name)));
  const rows = answer.values.map((_, i) => el("tr", {}, el("th", { scope: "row" }, `${i + 1}`), ...names.map((name) => el("td", {}, short(answer[name][i])))));
  return el("details", {}, el("summary", {}, "The numbers"),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The forecast in numbers" },
      el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows))));
}
