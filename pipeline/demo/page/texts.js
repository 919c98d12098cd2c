// Classes of texts with the contribution of each word, and parts of speech.
import { bars, el, percent, post, warning } from "./common.js";

export const predict = {
  title: "Classify a text",
  setUp(form, model) {
    if (!form.text.value) form.text.value = model.example;
  },
  read: (form) => form.text.value,
  async ask(name, text, out) {
    const answer = await post(name, "words", text);
    out.append(el("p", { class: "result" }, el("strong", {}, answer.label), ` ${percent(answer.probability)}`));
    out.append(bars(answer.probabilities), ...warning(answer), words(answer));
    out.append(el("p", { class: "meta" }, `Blue words speak for “${answer.label}”, orange ones against it.`));
  },
};

const PALE = 0.1; // a contribution below it is never shown in the full colour

function words(answer) {
  const largest = Math.max(PALE, ...answer.parts.map((part) => Math.abs(part.contribution ?? 0)));
  const line = el("p", { class: "words" });
  for (const { text, contribution } of answer.parts) {
    if (contribution === undefined) {
      line.append(text);
      continue;
    }
    const sign = contribution < 0 ? "−" : "+";
    const word = el("span", { class: `word ${contribution < 0 ? "against" : "for"}` }, el("span", {}, text),
      el("small", {}, `${sign}${Math.abs(contribution).toFixed(2)}`));
    word.style.setProperty("--size", Math.abs(contribution) / largest);
    line.append(word);
  }
  return line;
}

export const tag = {
  title: "Tag words",
  setUp(form, model) {
    if (!form.text.value) form.text.value = model.example;
  },
  read: (form) => form.text.value,
  async ask(name, text, out) {
    const { predictions: [answer] } = await post(name, "invocations", text);
    const line = el("p", { class: "words tagged" });
    answer.words.forEach((word, i) => line.append(el("span", { class: "word" }, el("small", {}, answer.tags[i]), el("span", {}, word)), " "));
    out.append(...warning(answer), line);
  },
  // Marks the words whose tags differ.
  compare(one, other) {
    const [tags, others] = [one, other].map((out) => [...out.querySelectorAll(".word")]);
    if (tags.length !== others.length || !tags.length) return;
    let count = 0;
    tags.forEach((word, i) => {
      if (word.querySelector("small").textContent === others[i].querySelector("small").textContent) return;
      count += 1;
      for (const marked of [word, others[i]]) marked.classList.add("other");
    });
    other.append(el("p", { class: "meta" }, count ? `Underlined: ${count} of ${tags.length} tags differ.` : "The tags are the same."));
  },
};
