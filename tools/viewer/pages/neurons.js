// neurons.js - the list: filter, sort, turn pages. What is chosen stands in the address.
import { ask, count, element, fail, link, number, query, scoreCell, show, topBar } from "./app.js";

topBar("Neurons");
const PAGE = 100;
const chosen = Object.fromEntries(new URLSearchParams(location.search));
const list = element("div", { class: "card" });
let names = null;

function control(label, input) {
  input.addEventListener("change", () => {
    chosen[input.name] = input.type === "checkbox" ? (input.checked ? "1" : "") : input.value;
    chosen.from = "";
    load();
  });
  return element("label", {}, label, input);
}

function choice(name, options) {
  const input = element("select", { name }, options.map(([value, text]) =>
    element("option", { value, selected: (chosen[name] || "") === value }, text)));
  return input;
}

function filters(said) {
  const used = said.formats.filter((format) => format.used).map((format) => format.name);
  const field = (name, type, step) =>
    element("input", { name, type, step, value: chosen[name] || "", autocomplete: "off" });
  return element("form", {
    class: "filter card", onsubmit: (event) => event.preventDefault(),
    "aria-label": "Filter and sort" },
    control("set", choice("set", [["", "all"], ...said.sets.map((set) => [set, set])])),
    control("id contains", field("text", "search")),
    control("layer", field("layer", "number", 1)),
    control("score from", field("least", "number", 0.05)),
    control("to", field("most", "number", 0.05)),
    control("sort by", choice("sort", [
      ["", "order of the run"], ["layer", "layer"], ["score", "score"],
      ["spread", "spread between formats"], ["adacs", "AdaCS"]])),
    control("of", choice("format", [["", "the best format"], ...used.map((name) => [name, name])])),
    control("descending", Object.assign(
      element("input", { name: "descending", type: "checkbox" }),
      { checked: chosen.descending === "1" })));
}

const highest = (values) => values.reduce(
  (most, value) => (value !== null && (most === null || value > most) ? value : most), null);

function row(entry, used) {
  const best = entry.best;
  return element("tr", {},
    element("td", {}, element("a", { href: link(entry), dir: "auto" }, entry.id)),
    element("td", { class: "soft" }, entry.set),
    used.map((f) => scoreCell(entry.scores[f], best !== null && entry.scores[f] === best)),
    element("td", { class: "number" }, number(entry.spread)),
    element("td", { class: "number" }, number(highest(entry.adacs))),
    (entry.measures || []).map((measure) =>
      element("td", { class: "number" }, number(highest(measure.values)))),
    element("td", { class: `number${entry.failed ? " bad" : " soft"}` },
      `${entry.explained} of ${entry.chains}${entry.failed ? `, ${entry.failed} failed` : ""}`));
}

function draw(said) {
  const used = said.formats.map((format, f) => (format.used ? f : -1)).filter((f) => f >= 0);
  const turn = (from, text, on) => element("button", {
    disabled: !on, onclick: () => { chosen.from = String(from); load(); } },
    text);
  const end = said.from + said.neurons.length;
  list.replaceChildren(
    element("p", { class: "soft", id: "matches", "aria-live": "polite" },
      `${count(said.matches)} of ${count(said.total)} neurons`,
      said.seen < said.total ? ` (reading the store: ${count(said.seen)} so far)` : ""),
    element("div", { class: "scroll" }, element("table", { id: "neurons" },
      element("thead", {}, element("tr", {},
        element("th", {}, "neuron"),
        element("th", {}, "set"),
        used.map((f) => element("th", { class: "number" }, said.formats[f].name)),
        element("th", { class: "number" }, "spread"),
        element("th", { class: "number" }, "AdaCS"),
        ((said.neurons[0] || {}).measures || []).map((measure) =>
          element("th", { class: "number" }, measure.label)),
        element("th", { class: "number" }, "explained"))),
      element("tbody", {}, said.neurons.map((entry) => row(entry, used))))),
    element("div", { class: "pager" },
      turn(Math.max(0, said.from - PAGE), "Previous", said.from > 0),
      turn(end, "Next", end < said.matches),
      element("span", { class: "soft" },
        said.matches ? `${count(said.from + 1)} to ${count(end)}` : "nothing fits")));
}

async function load() {
  const text = query(chosen);
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
  try {
    const said = await ask(`/api/neurons?${query({ ...chosen, count: PAGE })}`);
    if (!names) show(element("h1", {}, "Neurons"), filters(said), list);
    names = said.formats;
    draw(said);
    if (said.seen < said.total) setTimeout(load, 1500);
  } catch (error) {
    fail(error);
  }
}

load();
