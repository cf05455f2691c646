/* The scoreboard's filter: by paper, verdict and scale. Without JavaScript the whole table shows. */
"use strict";

(() => {
  const SCALES = ["quick", "real", "gpu", "paper"];
  const ANY = "";

  function start() {
    const boxes = [...document.querySelectorAll(".claims-table")];
    if (!boxes.length) return;
    const rows = boxes.flatMap(readBox);
    const fields = {
      paper: choice("paper", boxes.map(box => [paperOf(box), titleOf(box)])),
      verdict: choice("verdict", rows.flatMap(row => row.cells.map(cell => [cell.verdict, cell.verdict]))),
      scale: choice("scale", SCALES.filter(name => rows.some(row => row.cells.some(c => c.scale === name)))
        .map(name => [name, name])),
    };
    const form = document.createElement("form");
    form.className = "scoreboard-filter";
    form.setAttribute("aria-label", "Filter the claims");
    const count = document.createElement("output");
    const reset = Object.assign(document.createElement("button"), { type: "reset", textContent: "show all" });
    form.append(...Object.values(fields).map(field => field.label), reset, count);
    form.addEventListener("submit", event => event.preventDefault());
    form.addEventListener("change", () => apply(fields, rows, boxes, count));
    form.addEventListener("reset", () => setTimeout(() => apply(fields, rows, boxes, count)));
    paperSection(boxes[0]).before(form);
    const asked = new URLSearchParams(location.search);
    for (const [name, field] of Object.entries(fields)) {
      const wanted = asked.get(name) ?? ANY;
      if ([...field.select.options].some(option => option.value === wanted)) field.select.value = wanted;
    }
    apply(fields, rows, boxes, count);
  }

  const paperOf = box => [...box.classList].find(name => name.startsWith("paper-")).slice("paper-".length);

  function paperSection(box) {
    let section = box.closest("section");
    while (section.parentElement.parentElement.closest("section")) section = section.parentElement.closest("section");
    return section;
  }

  function titleOf(box) {
    const heading = paperSection(box).querySelector("h2").cloneNode(true);
    heading.querySelectorAll(".headerlink").forEach(link => link.remove());
    return heading.textContent.trim();
  }

  function readBox(box) {
    const scales = [...box.querySelectorAll("thead th")].map(head => head.textContent.split(",")[0].trim());
    return [...box.querySelectorAll("tbody tr")].map(element => ({
      element, box, paper: paperOf(box),
      cells: [...element.children].map((cell, place) => ({
        scale: scales[place], verdict: cell.querySelector('[class^="verdict-"]')?.textContent.trim(),
      })).filter(cell => cell.verdict && SCALES.includes(cell.scale)),
    }));
  }

  function choice(name, pairs) {
    const label = Object.assign(document.createElement("label"), { textContent: name + " " });
    const select = Object.assign(document.createElement("select"), { name });
    select.append(new Option("all", ANY));
    for (const [value, text] of new Map(pairs)) select.append(new Option(text, value));
    label.append(select);
    return { label, select };
  }

  function apply(fields, rows, boxes, count) {
    const wanted = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.select.value]));
    const fits = cell => (wanted.verdict === ANY || cell.verdict === wanted.verdict)
      && (wanted.scale === ANY || cell.scale === wanted.scale);
    for (const row of rows) {
      row.element.hidden = !((wanted.paper === ANY || row.paper === wanted.paper) && row.cells.some(fits));
    }
    for (const box of boxes) hideEmpty(box.closest("section"), box);
    for (const section of new Set(boxes.map(paperSection))) hideEmpty(section, section);
    const shown = rows.filter(row => !row.element.hidden).length;
    count.textContent = `${shown} of ${rows.length} claims`;
    remember(wanted);
  }

  function hideEmpty(section, within) {
    section.hidden = !within.querySelector("tbody tr:not([hidden])");
  }

  function remember(wanted) {
    const kept = Object.entries(wanted).filter(([, value]) => value !== ANY);
    const query = kept.length ? "?" + new URLSearchParams(kept) : "";
    if (query === location.search) return;
    try {
      history.replaceState(null, "", location.pathname + query + location.hash);
    } catch { /* some browsers refuse for files: the filter works, its address is not kept */ }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
