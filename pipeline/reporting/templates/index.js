// Search, chips and sorted columns for the table of experiments. Without scripts the whole table is there.
(() => {
  const table = document.getElementById("experiments"), body = table.tBodies[0];
  const rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
  const search = document.getElementById("search"), controls = document.getElementById("controls");
  const text = (row, column) => row.cells[column].querySelector("a, span span").textContent; // without its note
  const chosen = new Map(); // column: texts of its pressed chips

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of rows) {
      const there = row.textContent.toLowerCase();
      const fits = words.every((word) => there.includes(word)) &&
        [...chosen].every(([column, texts]) => !texts.size || texts.has(text(row, column)));
      row.hidden = !fits;
      shown += fits;
    }
    document.getElementById("count").textContent = `${shown} of ${rows.length} experiments`;
  }

  function chips(head, column) {
    const counts = new Map();
    for (const row of rows) counts.set(text(row, column), (counts.get(text(row, column)) ?? 0) + 1);
    if (counts.size < 2) return;
    const group = document.createElement("div");
    group.className = "chips";
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", head.textContent);
    group.append(head.textContent);
    chosen.set(column, new Set());
    for (const [name, count] of [...counts].sort()) {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.textContent = `${name} ${count}`;
      chip.setAttribute("aria-pressed", "false");
      chip.addEventListener("click", () => {
        const pressed = chip.getAttribute("aria-pressed") === "false";
        chip.setAttribute("aria-pressed", String(pressed));
        chosen.get(column)[pressed ? "add" : "delete"](name);
        filter();
      });
      group.append(chip);
    }
    controls.append(group);
  }

  // A number if the column has them, else the text; rows without either come last in both directions.
  function key(row, column) {
    const cell = row.cells[column];
    if (cell.classList.contains("n")) return cell.dataset.order ? Number(cell.dataset.order) : null;
    return text(row, column);
  }

  function sort(head, column) {
    const ascending = head.getAttribute("aria-sort") !== "ascending", sign = ascending ? 1 : -1;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const keyed = rows.map((row) => [key(row, column), row]);
    keyed.sort(([a], [b]) => a === null || b === null ? (a === null) - (b === null) :
      sign * (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true })));
    body.append(...keyed.map(([, row]) => row));
  }

  heads.forEach((head, column) => {
    if ("chips" in head.dataset) chips(head, column);
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head, column));
  });
  search.addEventListener("input", filter);
  document.getElementById("all").addEventListener("click", () => {
    search.value = "";
    for (const texts of chosen.values()) texts.clear();
    for (const chip of controls.querySelectorAll("[aria-pressed]")) chip.setAttribute("aria-pressed", "false");
    filter();
  });
  controls.hidden = false;
  filter(); // a browser that goes back fills the search box again
})();
