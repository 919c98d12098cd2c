// Text, shown while it is written.
import { el, send, Trouble, warning } from "./common.js";

const still = matchMedia("(prefers-reduced-motion: reduce)");

export const generate = {
  title: "Write text",
  setUp(form, model) {
    if (!form.prompt.value) form.prompt.value = model.example;
    for (const slider of form.querySelectorAll("[type=range]")) {
      const value = slider.closest("label").querySelector(".value");
      slider.oninput = () => { value.textContent = slider.value; };
      slider.oninput();
    }
  },
  read: (form) => ({
    prompt: form.prompt.value,
    pace: Number(form.pace.value),
    options: Object.fromEntries(["length", "temperature", "top_p", "seed"].map((key) => [key, form[key].valueAsNumber])),
  }),
  async ask(name, { prompt, pace, options }, out, signal) {
    const text = el("span", { class: "text" });
    const status = el("p", { class: "meta", role: "status" }, "Writing …");
    out.append(el("pre", { tabindex: "0", "aria-label": `Text of ${name}` }, el("span", { class: "prompt" }, prompt), text), status);
    const began = performance.now();
    const shown = paced(text, still.matches ? 0 : pace, signal);
    try {
      const response = await send(name, "stream", prompt, options, signal);
      let last = {};
      for await (const part of lines(response)) {
        if (part.error) throw new Trouble(part.error);
        last = { ...last, ...part };
        shown.add(part.text ?? "");
      }
      const seconds = ((performance.now() - began) / 1000).toFixed(2);
      await shown.end();
      status.textContent = `${[...text.textContent].length} characters; the network took ${seconds} s.`;
      out.append(...warning(last));
    } catch (error) {
      if (error.name !== "AbortError") {
        status.remove();
        throw error;
      }
      status.textContent = `Stopped after ${[...text.textContent].length} characters.`;
    }
  },
};

async function* lines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

// Shows at most `pace` characters a second; 0: all that are there.
function paced(target, pace, signal) {
  let waiting = [];
  let due = 0;
  let before = performance.now();
  let finished = false;
  const done = new Promise((resolve, reject) => {
    const stop = () => reject(new DOMException("stopped", "AbortError"));
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    const step = (now) => {
      if (signal.aborted) return;
      due = pace ? Math.min(waiting.length, due + (Math.max(0, now - before) / 1000) * pace) : waiting.length;
      before = now;
      const count = Math.floor(due);
      target.append(waiting.splice(0, count).join(""));
      due -= count;
      if (finished && !waiting.length) resolve();
      else requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  });
  done.catch(() => {});
  return { add: (text) => { waiting = waiting.concat([...text]); }, end: () => { finished = true; return done; } };
}
