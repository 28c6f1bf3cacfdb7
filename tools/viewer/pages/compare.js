// compare.js - the formats side by side over a whole set, and every neuron behind the numbers.
import {
  ask, count, element, fail, link, meter, number, query, scoreCell, show, topBar,
} from "./app.js";

topBar("Compare");
const PAGE = 200;
const chosen = {
  set: "", measure: "scores", sort: "spread",
  ...Object.fromEntries(new URLSearchParams(location.search)),
};
const summary = element("div", { class: "card" });
const matrix = element("div", { class: "card" });
let from = 0;

const pm = (mean, error) =>
  (mean === null ? "–" : `${number(mean)}${error === null ? "" : ` ± ${number(error)}`}`);

function drawSummary(said) {
  const used = said.formats.map((format, f) => (format.used ? f : -1)).filter((f) => f >= 0);
  const top = (key) => Math.max(...used.map((f) => said.summary[f][key] ?? -Infinity));
  const best = { score: top("score"), adacs: top("adacs") };
  const mean = (of, key) => [
    element("td", { class: "wide" }, of[key] === null ? "" : meter(of[key], "full", key)),
    element("td", { class: `number${of[key] !== null && of[key] === best[key] ? " score" : ""}` },
      pm(of[key], of[`${key}_se`]))];
  summary.replaceChildren(
    element("h2", {}, chosen.set ? `Over the set ${chosen.set}` : "Over all sets"),
    element("div", { class: "scroll" }, element("table", { id: "summary" },
      element("thead", {}, element("tr", {},
        element("th", {}, "format"),
        element("th", {}, ""),
        element("th", { class: "number" }, "mean score ± SE"),
        element("th", { class: "number" }, "best at"),
        element("th", { class: "number" }, "scored"),
        element("th", {}, ""),
        element("th", { class: "number" }, "mean AdaCS ± SE"),
        element("th", { class: "number" }, "compared"))),
      element("tbody", {}, used.map((f) => {
        const of = said.summary[f];
        const [scoreBar, score] = mean(of, "score");
        const [adacsBar, adacs] = mean(of, "adacs");
        return element("tr", {},
          element("td", {}, said.formats[f].name),
          scoreBar,
          score,
          element("td", { class: "number" }, count(of.wins)),
          element("td", { class: "number soft" }, count(of.scored)),
          adacsBar,
          adacs,
          element("td", { class: "number soft" }, count(of.compared)));
      })))),
    element("p", { class: "soft small" },
      "Means over neurons, each the mean of its explainers and samples. " +
      "glia report has the tables to cite."));
}

function drawMatrix(said) {
  const used = said.formats.map((format, f) => (format.used ? f : -1)).filter((f) => f >= 0);
  const turn = (to, text, on) =>
    element("button", { disabled: !on, onclick: () => { from = to; load(); } }, text);
  const end = said.from + said.neurons.length;
  const several = !chosen.set && said.sets.length > 1;
  matrix.replaceChildren(
    element("h2", {}, "Neuron by neuron"),
    element("div", { class: "scroll" }, element("table", { id: "matrix" },
      element("thead", {}, element("tr", {},
        element("th", {}, "neuron"),
        several && element("th", {}, "set"),
        used.map((f) => element("th", { class: "number" }, said.formats[f].name)),
        element("th", { class: "number" }, "spread"))),
      element("tbody", {}, said.neurons.map((entry) => {
        const values = used.map((f) => entry[chosen.measure][f]);
        const most = Math.max(...values.map((value) => value ?? -Infinity));
        return element("tr", {},
          element("td", {}, element("a", { href: link(entry), dir: "auto" }, entry.id)),
          several && element("td", { class: "soft" }, entry.set),
          values.map((value) => scoreCell(value, value !== null && value === most)),
          element("td", { class: "number" }, number(entry.spread)));
      })))),
    element("div", { class: "pager" },
      turn(Math.max(0, from - PAGE), "Previous", from > 0),
      turn(end, "Next", end < said.matches),
      element("span", { class: "soft" }, `${count(end - said.from)} of ${count(said.matches)}`)));
}

function controls(said) {
  const choice = (label, name, options) => element("label", {}, label, element("select", {
    name, onchange: (event) => { chosen[name] = event.target.value; from = 0; load(); } },
    options.map(([value, text]) =>
      element("option", { value, selected: chosen[name] === value }, text))));
  return element("form", {
    class: "filter card", onsubmit: (event) => event.preventDefault(),
    "aria-label": "What is compared" },
    choice("set", "set", [["", "all"], ...said.sets.map((set) => [set, set])]),
    choice("measure", "measure", [["scores", "score"], ["adacs", "AdaCS"]]),
    choice("sort by", "sort", [
      ["spread", "spread between formats"], ["score", "best score"], ["adacs", "best AdaCS"],
      ["order", "order of the run"]]));
}

let first = true;
async function load() {
  try {
    history.replaceState(null, "", `?${query(chosen)}`);
    const descending = chosen.sort === "order" ? 0 : 1;
    const wanted = { set: chosen.set, sort: chosen.sort, descending, from, count: PAGE };
    const [compared, said] = await Promise.all([
      ask(`/api/compare?${query({ set: chosen.set })}`), ask(`/api/neurons?${query(wanted)}`)]);
    if (first)
      show(element("h1", {}, `Formats of ${compared.run}`), controls(compared), summary, matrix);
    first = false;
    drawSummary(compared);
    drawMatrix(said);
  } catch (error) {
    fail(error);
  }
}

load();
