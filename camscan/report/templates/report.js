"use strict";
document.documentElement.classList.add("js");
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.textContent = "";
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.key ?? row.cells[column].textContent.trim();
      const rows = Array.from(body.rows);
      rows.sort((a, b) => key(a).localeCompare(key(b), "en", { numeric: true, sensitivity: "base" }) * (up ? 1 : -1));
      body.append(...rows);
    });
  });
}
for (const input of document.querySelectorAll("input[data-filters]")) {
  const table = document.getElementById(input.dataset.filters);
  const count = document.getElementById(input.dataset.filters + "-count");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) shown += 1;
    }
    count.textContent = words.length ? shown + " of " + table.tBodies[0].rows.length + " rows" : "";
  });
}
const open = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const box = target && target.closest("details");
  if (box) { box.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", open);
open();
for (const button of document.querySelectorAll("button[data-details]")) {
  button.addEventListener("click", () => {
    document.querySelectorAll("details").forEach((d) => { d.open = button.dataset.details === "open"; });
  });
}
addEventListener("beforeprint", () => document.querySelectorAll("details.concern, details.path").forEach((d) => { d.open = true; }));
