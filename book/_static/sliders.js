/* Figures with a slider. Each .scarce-slider holds a figure, which stays without JavaScript, and a table as JSON. */
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const HEIGHT = 320;
  const MARKS = ["circle", "square", "triangle", "diamond"];

  function start() {
    document.querySelectorAll(".scarce-slider").forEach((box, place) => {
      const data = JSON.parse(box.querySelector('script[type="application/json"]').textContent);
      for (const child of box.children) child.hidden = true;
      box.append(widget(data, `scarce-slider-${place}`));
    });
  }

  function widget(data, id) {
    const root = make("div", { class: "scarce-slider-live" });
    const label = make("label", { for: id }, data.slider.label + ": ");
    const value = make("output", { for: id });
    const range = make("input", { type: "range", id, min: 0, max: data.slider.stops.length - 1, step: 1 });
    range.value = data.slider.start;
    const plot = make("div", { class: "scarce-slider-plot" });
    const table = make("details", {}, make("summary", {}, "the numbers"), make("div", { class: "scarce-slider-table" }));
    const show = () => {
      const stop = Number(range.value);
      value.textContent = data.slider.stops[stop];
      range.setAttribute("aria-valuetext", String(data.slider.stops[stop]));
      plot.replaceChildren(draw(data, stop, Math.max(plot.clientWidth, 260)));
      table.lastChild.replaceChildren(numbers(data, stop));
    };
    root.append(make("div", { class: "scarce-slider-control" }, label, value, range), legend(data), plot, table);
    range.addEventListener("input", show);
    new ResizeObserver(show).observe(plot);
    return root;
  }

  function legend(data) {
    if (!data.x) return make("div");
    return make("ul", { class: "scarce-slider-legend" }, ...data.series.map((one, place) => {
      const sign = svg("svg", { width: 14, height: 14, viewBox: "-7 -7 14 14", "aria-hidden": "true" });
      sign.append(mark(place, 0, 0, one.colour));
      const name = data.by === "method" || data.by === "adversary" ? one.name : `${data.by} ${one.name}`;
      return make("li", {}, sign, " " + name);
    }));
  }

  function draw(data, stop, width) {
    const dots = !data.x;
    const margin = { top: 10, right: 12, bottom: 44, left: dots ? Math.min(150, width * 0.4) : 52 };
    const height = dots ? margin.top + margin.bottom + 30 * data.series.length : HEIGHT;
    const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img" });
    picture.setAttribute("aria-label", summary(data, stop));
    const right = width - margin.right, bottom = height - margin.bottom;
    const bend = data.y.log ? Math.log10 : value => value;
    const along = dots ? [margin.left, right] : [bottom, margin.top];
    const measure = value => scale(bend(data.y.low), bend(data.y.high), ...along)(bend(value));
    for (const tick of data.y.log ? powers(data.y.low, data.y.high) : ticks(data.y.low, data.y.high)) {
      const at = measure(tick);
      picture.append(dots ? line(at, margin.top, at, bottom, "grid") : line(margin.left, at, right, at, "grid"));
      picture.append(dots ? text(at, bottom + 16, tick, "middle") : text(margin.left - 6, at + 4, tick, "end"));
    }
    if (dots) drawDots(picture, data, stop, measure, margin, bottom, right);
    else drawLines(picture, data, stop, measure, margin, bottom, right);
    return picture;
  }

  function drawDots(picture, data, stop, measure, margin, bottom, right) {
    data.series.forEach((one, place) => {
      const y = margin.top + 30 * place + 15;
      picture.append(text(margin.left - 8, y + 4, one.name, "end", margin.left - 10));
      for (const [, middle, low, high] of one.frames[stop]) {
        picture.append(line(measure(low), y, measure(high), y, "interval", one.colour));
        picture.append(mark(place, measure(middle), y, one.colour));
      }
    });
    picture.append(text((margin.left + right) / 2, bottom + 36, data.y.label, "middle"));
  }

  function drawLines(picture, data, stop, measure, margin, bottom, right) {
    const values = data.x.values;
    // Settings that grow by factors (1, 4, 16) stand evenly on a logarithmic axis, those that grow by steps do not.
    const logarithmic = values[0] > 0 && values.at(-1) - values.at(-2) > 3 * (values[1] - values[0]);
    const bend = logarithmic ? Math.log : x => x;
    const across = x => scale(bend(values[0]), bend(values.at(-1)), margin.left + 8, right - 8)(bend(x));
    const every = Math.ceil(values.length / 6);
    values.filter((_, place) => place % every === 0).forEach(x => {
      picture.append(text(across(x), bottom + 16, x, "middle"));
    });
    data.series.forEach((one, place) => {
      const points = one.frames[stop];
      if (!points.length) return;
      const band = [...points.map(p => [across(p[0]), measure(p[3])]), ...points.map(p => [across(p[0]), measure(p[2])]).reverse()];
      picture.append(svg("polygon", { points: band.join(" "), fill: one.colour, "fill-opacity": 0.15 }));
      picture.append(path(points.map(p => [across(p[0]), measure(p[1])]), one.colour));
      const exact = points.filter(p => p[4] !== undefined && p[4] !== null);
      if (exact.length) picture.append(path(exact.map(p => [across(p[0]), measure(p[4])]), "#000", "5 4"));
      for (const p of points) picture.append(mark(place, across(p[0]), measure(p[1]), one.colour));
    });
    picture.append(text((margin.left + right) / 2, bottom + 36, data.x.label, "middle"));
    const name = text(0, 0, data.y.label, "middle");
    name.setAttribute("transform", `translate(13 ${(margin.top + bottom) / 2}) rotate(-90)`);
    picture.append(name);
  }

  function summary(data, stop) {
    const said = data.series.filter(one => one.frames[stop].length).map(one => `${one.name} ${one.frames[stop].at(-1)[1]}`);
    const where = data.x ? `${data.y.label} at the last ${data.x.label}` : data.y.label;
    return `${data.slider.label} ${data.slider.stops[stop]}. ${where}: ${said.join("; ")}.`;
  }

  function numbers(data, stop) {
    const heads = [data.by, ...(data.x ? [data.x.label] : []), "median", "low", "high"];
    const theory = data.series.some(one => one.frames[stop].some(point => point.length > 4));
    const rows = data.series.flatMap(one => one.frames[stop].map(([x, ...values]) => [one.name, ...(data.x ? [x] : []), ...values]));
    return make("table", { class: "table" },
      make("caption", {}, `${data.y.label}, ${data.slider.label} ${data.slider.stops[stop]}`),
      make("thead", {}, make("tr", {}, ...[...heads, ...(theory ? ["theory"] : [])].map(head => make("th", { scope: "col" }, head)))),
      make("tbody", {}, ...rows.map(row => make("tr", {}, ...row.map(cell => make("td", {}, String(cell ?? "")))))));
  }

  const scale = (low, high, from, to) => value => from + (to - from) * (high > low ? (value - low) / (high - low) : 0.5);

  function ticks(low, high) {
    const rough = (high - low) / 4 || 1, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map(factor => factor * power).find(candidate => candidate >= rough);
    const found = [];
    for (let at = Math.ceil(low / step); at * step <= high + 1e-9; at += 1) found.push(Number((at * step).toPrecision(6)));
    return found;
  }

  function powers(low, high) {
    const found = [];
    for (let at = Math.ceil(Math.log10(low)); at <= Math.log10(high); at += 1) found.push(Number((10 ** at).toPrecision(6)));
    return found;
  }

  function mark(place, x, y, colour) {
    const kind = MARKS[place % MARKS.length], fill = place < MARKS.length ? colour : "#fff";
    const shape = {
      circle: () => svg("circle", { r: 4 }),
      square: () => svg("rect", { x: -3.6, y: -3.6, width: 7.2, height: 7.2 }),
      triangle: () => svg("path", { d: "M0 -4.6 L4.4 3.6 L-4.4 3.6 Z" }),
      diamond: () => svg("path", { d: "M0 -5 L4.6 0 L0 5 L-4.6 0 Z" }),
    }[kind]();
    for (const [name, value] of Object.entries({ fill, stroke: colour, "stroke-width": 1.5 })) shape.setAttribute(name, value);
    shape.setAttribute("transform", `translate(${x} ${y})`);
    return shape;
  }

  function path(points, colour, dashes) {
    const drawn = svg("polyline", { points: points.join(" "), fill: "none", stroke: colour, "stroke-width": dashes ? 1.2 : 1.8 });
    if (dashes) drawn.setAttribute("stroke-dasharray", dashes);
    return drawn;
  }

  function line(x1, y1, x2, y2, kind, colour) {
    const style = kind === "grid" ? { stroke: "#e3e3e3", "stroke-width": 0.8 } : { stroke: colour, "stroke-width": 2 };
    return svg("line", { x1, y1, x2, y2, ...style });
  }

  function text(x, y, words, anchor, room) {
    const shown = svg("text", { x, y, "text-anchor": anchor, "font-size": 12, fill: "#1a1a1a" });
    const most = room ? Math.floor(room / 6) : Infinity;
    shown.textContent = String(words).length > most ? String(words).slice(0, most - 1) + "\u2026" : words;
    return shown;
  }

  function svg(name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  function make(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
