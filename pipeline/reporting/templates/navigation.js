// The order of the report's pages, for their links to the previous and the next one. `index` writes it.
(() => {
  const pages = {{ pages | tojson }};
  const nav = document.querySelector("nav[data-page]");
  const here = pages.findIndex(([address]) => address === nav.dataset.page);
  if (here < 0) return;
  for (const [step, rel, words] of [[-1, "prev", "←"], [1, "next", "→"]]) {
    const page = pages[here + step];
    if (!page) continue;
    const link = document.createElement("a");
    link.rel = rel;
    link.href = nav.dataset.up + page[0];
    link.textContent = step < 0 ? `${words} ${page[1]}` : `${page[1]} ${words}`;
    link.setAttribute("aria-label", `${step < 0 ? "Previous" : "Next"} page: ${page[1]}`);
    nav.append(link);
  }
})();
