// The page: a tab for each question that some trained model answers, and the answers of one model or two.
import { el, get, Trouble } from "./common.js";
import { classify } from "./classify.js";
import { forecast } from "./forecast.js";
import { generate } from "./generate.js";
import { predict, tag } from "./texts.js";

const TOOLS = { predict, generate, tag, forecast, classify };
const CELLS = { simple_rnn: "SimpleRNN", lstm: "LSTM", gru: "GRU", peephole_lstm: "peephole LSTM", coupled_lstm: "coupled LSTM" };
const tabs = document.getElementById("tabs");
const summary = document.getElementById("summary");

begin().catch((error) => { summary.textContent = error.message; summary.className = "error"; });

async function begin() {
  const { models, faults } = await get("models");
  const plural = models.length === 1 ? "model is" : "models are";
  summary.textContent = models.length ? `${models.length} ${plural} trained in this folder.` : "";
  summary.hidden = !models.length;
  for (const fault of faults) summary.after(el("p", { class: "error" }, fault));
  const synthetic = models.filter((model) => model.edition === "synthetic").length;
  if (synthetic) {
    const edition = document.getElementById("edition");
    const which = synthetic === models.length ? "These models were trained" : `${synthetic} of them were trained`;
    edition.textContent = `${which} on synthetic data: texts, series and pictures that a program invented. The answers show how a network works, not how good it can be.`;
    edition.hidden = false;
  }
  for (const [command, tool] of Object.entries(TOOLS)) {
    const own = models.filter((model) => model.command === command);
    if (own.length) panel(command, tool, own);
  }
  tabs.hidden = !tabs.children.length;
  const asked = document.getElementById(`tab-${location.hash.slice(1)}`);
  if (tabs.children.length) choose(asked ?? tabs.children[0]);
}

// Tabs

function panel(command, tool, models) {
  const section = document.getElementById(command);
  const tab = el("button", { type: "button", role: "tab", id: `tab-${command}`, "aria-controls": command }, tool.title);
  section.setAttribute("aria-labelledby", tab.id);
  tab.onclick = () => choose(tab);
  tabs.append(tab);
  wire(section, tool, models);
}

function choose(tab) {
  for (const each of tabs.children) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", chosen);
    each.tabIndex = chosen ? 0 : -1;
    document.getElementById(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
  tab.dispatchEvent(new Event("chosen"));
}

tabs.onkeydown = (event) => {
  const all = [...tabs.children];
  const now = all.indexOf(document.activeElement);
  const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: all.length - 1 }[event.key];
  if (now < 0 || to === undefined) return;
  const tab = all[(to + all.length) % all.length];
  tab.focus();
  choose(tab);
  event.preventDefault();
};

// Questions

function wire(section, tool, models) {
  const form = section.querySelector("form");
  const answers = section.querySelector(".answers");
  const one = el("select", { name: "model", id: `${section.id}-model` }, ...grouped(models, (model) => `Data set ${model.dataset}`));
  const other = el("select", { name: "other", id: `${section.id}-other` });
  const both = el("div", {}, el("label", { for: other.id }, "Compare with"), other);
  form.prepend(el("div", {}, el("label", { for: one.id }, "Model"), one), both);
  both.hidden = models.length < 2;
  const stop = section.querySelector(".stop");
  const described = new Map();
  let asking = new AbortController();

  const describe = async (name) => {
    if (!described.has(name)) described.set(name, await get(`models/${encodeURIComponent(name)}`));
    return described.get(name);
  };
  const failed = (error) => answers.replaceChildren(el("p", { class: "error", role: "alert" }, said(error)));
  const prepare = async () => {
    const chosen = models.find((model) => model.name === one.value);
    const rest = models.filter((model) => model !== chosen);
    const kept = other.value;
    const near = (model) => (model.dataset === chosen.dataset ? `The same data set, ${model.dataset}` : "Other data sets");
    rest.sort((a, b) => (b.dataset === chosen.dataset) - (a.dataset === chosen.dataset));
    other.replaceChildren(el("option", { value: "" }, "no other model"), ...grouped(rest, near));
    other.value = rest.some((model) => model.name === kept) ? kept : "";
    try {
      const model = await describe(chosen.name);
      if (one.value !== chosen.name) return; // another was chosen meanwhile
      tool.setUp(form, model);
      form.dataset.asks = chosen.name;
    } catch (error) {
      failed(error);
    }
  };
  let prepared = Promise.resolve();
  const set = () => { prepared = prepare(); };
  const ready = document.getElementById(section.getAttribute("aria-labelledby"));
  ready.addEventListener("chosen", set, { once: true });
  one.onchange = () => { answers.replaceChildren(); set(); };
  if (stop) stop.onclick = () => asking.abort();

  form.onsubmit = async (event) => {
    event.preventDefault();
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    await prepared;
    if (signal.aborted) return;
    const input = tool.read(form);
    const outs = [one.value, other.value].filter(Boolean).map((name) => card(models.find((model) => model.name === name)));
    answers.replaceChildren(...outs);
    answers.setAttribute("aria-busy", "true");
    if (stop) stop.disabled = false;
    await Promise.all(outs.map(async (out) => {
      try {
        const { name } = out.dataset;
        await tool.ask(name, input, out, signal, await describe(name));
      } catch (error) {
        if (error.name !== "AbortError") out.append(el("p", { class: "error", role: "alert" }, said(error)));
      }
    }));
    if (outs.length === 2 && !signal.aborted) tool.compare?.(...outs);
    if (asking.signal !== signal) return;
    answers.setAttribute("aria-busy", "false");
    if (stop) stop.disabled = true;
  };
}

function said(error) {
  if (!(error instanceof Trouble)) console.error(error);
  return error.message;
}

function grouped(models, group) {
  const groups = new Map();
  for (const model of models) {
    const label = group(model);
    if (!groups.has(label)) groups.set(label, el("optgroup", { label }));
    groups.get(label).append(el("option", { value: model.name }, `${model.name} (${network(model)})`));
  }
  return [...groups.values()];
}

const network = (model) => [CELLS[model.cell] ?? model.cell, model.units].filter(Boolean).join(" ");

function card(model) {
  const facts = [
    model.task, network(model),
    model.parameters && `${model.parameters.toLocaleString("en")} parameters`,
    model.protocol === "textbook" && "the textbook’s protocol",
    model.edition && `${model.edition} data`,
  ];
  return el("article", { "data-name": model.name, "aria-label": model.name }, el("h3", {}, model.name),
    el("p", { class: "meta" }, facts.filter(Boolean).join(" · ")));
}
