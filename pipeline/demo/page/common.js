// What the tools share: elements, requests, and bars.

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// The server's own sentence, or one for a server that does not answer.
export class Trouble extends Error {}

export async function get(path) {
  return json(await reach(path));
}

export async function post(name, question, input, params = {}, signal = undefined) {
  return json(await send(name, question, input, params, signal));
}

export async function send(name, question, input, params, signal) {
  return reach(`models/${encodeURIComponent(name)}/${question}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ inputs: [input], params }),
    signal,
  });
}

async function reach(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("The demo does not answer. Is `make demo` still running?");
  }
  if (response.ok) return response;
  let message = `The demo answered with the status ${response.status}.`;
  try {
    message = (await response.json()).message ?? message;
  } catch { /* no JSON: the status says it */ }
  throw new Trouble(message);
}

async function json(response) {
  return response.json();
}

export const percent = (share) => `${(100 * share).toFixed(1)} %`;

// Probabilities as bars, the likeliest first or in the model's order; at most `most` of them.
export function bars(probabilities, { sorted = true, most = 12 } = {}) {
  let rows = Object.entries(probabilities);
  if (sorted || rows.length > most) rows = rows.sort((a, b) => b[1] - a[1]).slice(0, most);
  const list = el("dl", { class: "bars" });
  for (const [label, share] of rows) {
    const bar = el("div", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--size", share);
    list.append(el("dt", {}, label), el("dd", {}, bar), el("dd", {}, percent(share)));
  }
  return list;
}

export function warning(answer) {
  return answer.warning ? [el("p", { class: "notice" }, `${answer.warning}.`)] : [];
}
