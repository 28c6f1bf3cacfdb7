// app.js - what all pages share: elements from text alone, the top bar, requests, numbers, charts.

// element("p", {class: "soft"}, "text", child): strings become text nodes, never markup.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  fill(made, attributes, children);
  return made;
}

export function shape(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(made, attributes, children);
  return made;
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) made.style.setProperty(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      made.setAttribute(name, value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    made.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function show(...children) {
  document.getElementById("main").replaceChildren(...children.flat().filter(Boolean));
}

export function fail(error) {
  show(element("p", { class: "message", role: "alert" }, error.message || String(error)));
}

// JSON of this server; an error carries the server's own words.
export async function ask(path, options) {
  const answer = await fetch(path, options);
  let said;
  try {
    said = await answer.json();
  } catch {
    throw new Error(`The server answered with status ${answer.status}.`);
  }
  if (!answer.ok) throw new Error(said.error || `status ${answer.status}`);
  return said;
}

export function query(values) {
  const parts = Object.entries(values)
    .filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return new URLSearchParams(parts.map(([key, value]) => [key, String(value)])).toString();
}

export function link(entry) {
  const path = entry.kind === "neuron"
    ? `/neuron/${entry.layer}/${entry.neuron}`
    : `/${entry.kind}/${encodeURIComponent(entry.id)}`;
  return `${path}?${query({ set: entry.set })}`;
}

export async function goToGoodOne() {
  try {
    location.assign(link(await ask("/api/good")));
  } catch (error) {
    fail(error);
  }
}

export function topBar(current) {
  const pages = [["/", "Run"], ["/neurons", "Neurons"], ["/compare", "Compare"]];
  document.getElementById("top").replaceChildren(element("div", { class: "bar" },
    element("a", { class: "brand", href: "/" }, "glia"),
    element("nav", { "aria-label": "Pages" }, pages.map(([href, name]) =>
      element("a", { href, "aria-current": name === current ? "page" : null }, name))),
    element("div", { class: "right" },
      element("button", { id: "good", title: "g", onclick: goToGoodOne }, "A good one"))));
  onKeys({ g: goToGoodOne });
}

// Single keys, unless something is being typed.
export function onKeys(keys) {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=radio]), select, textarea");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key](event);
  });
}

// --- numbers ---
export const number = (value, decimals = 3) =>
  (value === null || value === undefined ? "–" : value.toFixed(decimals).replace("-", "−"));
export const count = (value) =>
  (value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en"));
export const dollars = (value, decimals = 4) =>
  (value === null || value === undefined ? "–" : `$${Number(value).toFixed(decimals)}`);

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "not known yet";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  const minutes = String(Math.floor((whole % 3600) / 60)).padStart(2, "0");
  return `${Math.floor(whole / 3600)} h ${minutes} min`;
}

export function meter(share, kind, label) {
  const percent = Math.max(0, Math.min(100, 100 * share));
  return element("div", {
    class: "meter", role: "progressbar", "aria-valuenow": Math.round(percent),
    "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": label },
    element("i", { class: kind || "", "--w": `${percent}%` }));
}

// A score as a cell whose ground says how high it is.
export function scoreCell(value, best) {
  return element("td", {
    class: `cell${best ? " best" : ""}`,
    "--a": value === null ? 0 : (Math.max(0, value) * 0.55).toFixed(3) },
    number(value));
}

// --- charts ---
const WIDTH = 560;
const HEIGHT = 150;

function nice(most) {
  const step = 10 ** Math.floor(Math.log10(most || 1));
  return [1, 2, 5, 10].map((k) => k * step).find((k) => k >= most) || 1;
}

const short = (value) =>
  (value >= 1e6 ? `${value / 1e6} M` : value >= 1e3 ? `${value / 1e3} k` : String(value));

export function lineChart(values, label, ends) {
  const most = nice(Math.max(...values, 1e-9));
  const x = (i) => 44 + (i * (WIDTH - 54)) / Math.max(1, values.length - 1);
  const y = (v) => HEIGHT - 22 - (v / most) * (HEIGHT - 36);
  const points = values.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).join(" ");
  return shape("svg", {
    class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
    "aria-label": `${label}, up to ${count(Math.max(...values))}` },
    [0, most / 2, most].map((v) => [
      shape("line", { class: "axis", x1: 44, x2: WIDTH - 10, y1: y(v), y2: y(v) }),
      shape("text", { x: 38, y: y(v) + 4, "text-anchor": "end" }, short(v))]),
    shape("polygon", {
      class: "area", points: `${x(0)},${y(0)} ${points} ${x(values.length - 1)},${y(0)}` }),
    shape("polyline", { class: "line", points }),
    shape("text", { x: 44, y: HEIGHT - 6 }, ends[0]),
    shape("text", { x: WIDTH - 10, y: HEIGHT - 6, "text-anchor": "end" }, ends[1]));
}

// Two histograms of one scale, side by side; shares on a logarithmic axis.
export function histogram(series, low, high, marks) {
  const bins = series[0].length;
  const floor = -4;
  const y = (share) =>
    HEIGHT - 22 - (share > 0 ? Math.max(0.02, 1 - Math.log10(share) / floor) : 0) * (HEIGHT - 36);
  const width = (WIDTH - 54) / bins;
  const x = (value) => 44 + ((value - low) / (high - low || 1)) * (WIDTH - 54);
  return shape("svg", {
    class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
    "aria-label": "histogram of activations" },
    [1, 0.1, 0.01, 0.001].map((share) => [
      shape("line", { class: "axis", x1: 44, x2: WIDTH - 10, y1: y(share), y2: y(share) }),
      shape("text", { x: 38, y: y(share) + 4, "text-anchor": "end" }, `${100 * share}%`)]),
    series.map((values, s) => values.map((share, i) => share > 0 && shape("rect", {
      class: s ? "bar-b" : "bar-a",
      x: (44 + i * width + (s * width) / 2 + 0.5).toFixed(1), y: y(share).toFixed(1),
      width: (width / 2 - 1).toFixed(1), height: (HEIGHT - 22 - y(share)).toFixed(1) },
      shape("title", {}, `${(100 * share).toFixed(2)} %`)))),
    marks.map(([value, name]) => value >= low && value <= high && [
      shape("line", { class: "mark", x1: x(value), x2: x(value), y1: 10, y2: HEIGHT - 22 }),
      shape("text", { x: x(value) + 3, y: 14 }, name)]),
    shape("text", { x: 44, y: HEIGHT - 6 }, number(low, 2)),
    shape("text", { x: 44 + (WIDTH - 54) / 2, y: HEIGHT - 6, "text-anchor": "middle" },
      "activation"),
    shape("text", { x: WIDTH - 10, y: HEIGHT - 6, "text-anchor": "end" }, number(high, 2)));
}
