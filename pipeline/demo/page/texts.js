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

function words(answer) {
  const largest = Math.max(1e-9, ...answer.parts.map((part) => Math.abs(part.contribution ?? 0)));
  const line = el("p", { class: "words" });
  for (const { text, contribution } of answer.parts) {
    if (contribution === undefined) {
      line.append(text);
      continue;
    }
    const sign = contribution < 0 ? "−" : "+";
    const word = el("ruby", { class: contribution < 0 ? "against" : "for" }, text,
      el("rt", {}, `${sign}${Math.abs(contribution).toFixed(2)}`));
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
    answer.words.forEach((word, i) => line.append(el("ruby", {}, word, el("rt", {}, answer.tags[i])), " "));
    out.append(...warning(answer), line);
  },
  // Marks the words whose tags differ.
  compare(one, other) {
    const [tags, others] = [one, other].map((out) => [...out.querySelectorAll("ruby")]);
    if (tags.length !== others.length || !tags.length) return;
    let count = 0;
    tags.forEach((word, i) => {
      if (word.querySelector("rt").textContent === others[i].querySelector("rt").textContent) return;
      count += 1;
      for (const marked of [word, others[i]]) marked.classList.add("other");
    });
    other.append(el("p", { class: "meta" }, count ? `Underlined: ${count} of ${tags.length} tags differ.` : "The tags are the same."));
  },
};
