// neuron.js - one neuron: excerpts, histogram, explanations, and the messages behind them.
import {
  ask, count, dollars, element, fail, histogram, link, number, onKeys, query, show, topBar,
} from "./app.js";
import { enableTips, excerpt } from "./excerpt.js";

topBar("Neurons");
const BINS = 30;

// /neuron/L/N, /puzzle/NAME, /record/ID
function wanted() {
  const [kind, ...rest] = location.pathname.split("/").filter(Boolean);
  const set = new URLSearchParams(location.search).get("set");
  return kind === "neuron"
    ? { layer: rest[0], neuron: rest[1], set }
    : { id: decodeURIComponent(rest.join("/")), set };
}

function around(said) {
  const button = (entry, text, key) => entry
    ? element("a", { class: "button", href: link(entry), id: key, rel: key }, text)
    : element("span", { class: "button soft", "aria-disabled": "true" }, text);
  onKeys({
    ArrowLeft: () => said.previous && location.assign(link(said.previous)),
    ArrowRight: () => said.next && location.assign(link(said.next)),
  });
  return element("div", { class: "right" },
    button(said.previous, "← Previous", "prev"), button(said.next, "Next →", "next"));
}

// --- the messages sent and received, fetched when they are asked for ---

function exchange(chain, record, title) {
  const inside = element("div");
  let asked = false;
  return element("details", { ontoggle: async (event) => {
    if (!event.target.open || asked) return;
    asked = true;
    try {
      const said = await ask(`/api/exchange?${query({ chain, record })}`);
      inside.replaceChildren(...drawExchange(said));
    } catch (error) {
      inside.replaceChildren(element("p", { class: "soft" }, error.message));
    }
  } }, element("summary", {}, title), inside);
}

const turn = (name, text) => element("div", { class: "turn" },
  element("b", {}, name), element("pre", { dir: "auto" }, text));

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function drawExchange(said) {
  return [
    element("p", { class: "soft small" },
      `request ${said.request}`,
      said.model
        ? `, ${said.model} at ${said.endpoint}, ${said.answered}: ` +
          `${count(said.prompt_tokens)} + ${count(said.completion_tokens)} tokens, ` +
          `${dollars(said.cost_usd, 6)}`
        : ""),
    said.messages
      ? said.messages.map((message) => turn(message.role, message.content))
      : element("p", { class: "warn" }, `The messages cannot be shown: ${said.messages_missing}.`),
    said.answer
      ? turn(said.answer.length < said.answer_bytes / 2 ? "answer (its beginning)" : "answer",
          pretty(said.answer))
      : element("p", { class: "soft" }, said.answer_missing || "No answer is stored."),
  ].flat();
}

// --- explanations ---

function card(chain, choose, several) {
  const name = several
    ? `${chain.format}, ${chain.explainer}, sample ${chain.sample}`
    : chain.format;
  const simulated = chain.simulated && chain.simulated.some(Boolean);
  const score = chain.scored === "done" ? number(chain.score) : chain.scored;
  const made = element("article", { class: "explanation", "aria-label": name },
    element("div", { class: "head" },
      element("strong", {}, name),
      element("span", {}, "score ", element("span", { class: "score" }, score)),
      chain.compared !== "unwanted" && element("span", {}, "AdaCS ",
        element("span", { class: "score" },
          chain.compared === "done" ? number(chain.adacs) : chain.compared)),
      (chain.measures || []).filter((measure) => measure.state !== "unwanted").map((measure) =>
        element("span", {}, `${measure.label} `,
          element("span", { class: "score" },
            measure.state === "done" ? number(Object.values(measure.values)[0]) : measure.state))),
      element("div", { class: "right" },
        simulated && element("label", { class: "small" },
          element("input", { type: "radio", name: "shown", onchange: () => choose(chain, made) }),
          " show its simulation"))),
    chain.text === null
      ? element("p", { class: "soft" }, chain.explained)
      : element("p", { class: "said", dir: "auto" }, chain.text),
    chain.text !== null && element("p", { class: "soft small" },
      `${count(chain.prompt_tokens)} + ${count(chain.completion_tokens)} tokens, ` +
      `${dollars(chain.explain_usd, 6)} to explain, ` +
      `${dollars(chain.simulate_usd, 6)} to simulate`),
    chain.text !== null && exchange(chain.number, -1, "Messages of the explanation"),
    simulated && element("details", {},
      element("summary", {},
        `Messages of the simulations (${chain.simulated.filter(Boolean).length})`),
      element("div", { class: "inner" }, chain.simulated.map((values, i) =>
        values && exchange(chain.number, i, `simulation ${i + 1}`)))));
  return made;
}

// --- excerpts and histogram ---

function drawGroups(said, most, chain) {
  return said.groups.map((group) => element("section", { class: "card" },
    element("h2", {},
      `${group.name[0].toUpperCase()}${group.name.slice(1)} `,
      element("span", { class: "soft" }, `${group.records.length}`)),
    group.records.map((record) => {
      const scored = record.valid !== null;
      const values = chain && scored && chain.simulated ? chain.simulated[record.valid] : null;
      const tags = [record.shown ? "explained from" : null, scored ? "scored on" : null];
      return excerpt(record, most, values, tags.filter(Boolean));
    })));
}

function drawHistogram(said) {
  const firings = (group) => group.records.flatMap((record) => record.activations);
  const last = said.groups[said.groups.length - 1];
  const top = firings(said.groups[0]);
  const other = said.groups.length > 1 ? firings(last) : [];
  const all = top.concat(other);
  const low = all.reduce((a, b) => Math.min(a, b), 0);
  const high = all.reduce((a, b) => Math.max(a, b), 0);
  const share = (values) => {
    const bins = new Array(BINS).fill(0);
    const bin = (value) => Math.floor(((value - low) / (high - low || 1)) * BINS);
    for (const value of values) bins[Math.min(BINS - 1, bin(value))] += 1 / values.length;
    return bins;
  };
  const names = [said.groups[0].name, other.length ? last.name : null].filter(Boolean);
  const marks = said.threshold !== null ? [[said.threshold, "threshold"]] : [];
  const moments = [
    ["mean", said.mean], ["variance", said.variance], ["skewness", said.skewness],
    ["kurtosis", said.kurtosis],
  ];
  return element("section", { class: "card" },
    element("h2", {}, "Activations"),
    histogram([share(top), ...(other.length ? [share(other)] : [])], low, high, marks),
    element("div", { class: "legend" },
      names.map((name, i) => element("span", {},
        element("i", { class: i ? "b" : "a" }), `tokens of the excerpts "${name}"`)),
      element("span", {}, "share of tokens, logarithmic")),
    element("dl", { class: "facts small" },
      moments.filter(([, value]) => value !== null).map(([name, value]) =>
        element("div", {}, element("dt", {}, name), element("dd", {}, number(value)))),
      said.quantiles.length > 0 && element("div", {},
        element("dt", {}, "quantiles 0.5, 0.9, 0.99, 0.999"),
        element("dd", {}, said.quantiles.map((value) => number(value, 2)).join(", ")))));
}

function draw(said) {
  const entry = said.entry;
  const most = said.groups
    .flatMap((group) => group.records)
    .flatMap((record) => record.activations)
    .reduce((a, b) => Math.max(a, b), 0);
  const excerpts = element("div", { id: "excerpts" });
  const legend = element("div", { class: "legend" }, element("span", {},
    element("i", { class: "a" }), `real activation, full at ${number(most, 2)}`));
  const redraw = (chain) => excerpts.replaceChildren(...drawGroups(said, most, chain));
  const several =
    new Set(said.chains.map((chain) => `${chain.explainer} ${chain.sample}`)).size > 1;
  const cards = said.chains.map((chain) => card(chain, (of, made) => {
    cards.forEach((other) => other.classList.toggle("chosen", other === made));
    redraw(of);
  }, several));
  const best = said.chains.reduce(
    (a, b) => (b.score !== null && (a === null || b.score > a.score) ? b : a), null);
  const at = best ? said.chains.indexOf(best) : -1;
  const radio = at >= 0 && cards[at].querySelector("input[type=radio]");
  if (radio) {
    radio.checked = true;
    cards[at].classList.add("chosen");
    legend.append(element("span", {},
      element("i", { class: "b" }),
      "strip below: simulated from the chosen explanation, full at 10"));
  }
  redraw(radio ? best : null);
  document.title = `glia: ${entry.id}`;
  const total = said.chains.reduce(
    (sum, chain) => sum + (chain.explain_usd || 0) + (chain.simulate_usd || 0), 0);
  show(
    element("div", { class: "head" },
      element("h1", { dir: "auto" },
        entry.layer === null ? entry.id : `Layer ${entry.layer}, neuron ${entry.neuron}`),
      element("span", { class: "badge" }, entry.set),
      around(said)),
    element("dl", { class: "facts" },
      element("div", {}, element("dt", {}, "best score"), element("dd", {}, number(entry.best))),
      element("div", {}, element("dt", {}, "spread"), element("dd", {}, number(entry.spread))),
      element("div", {}, element("dt", {}, "cost"), element("dd", {}, dollars(total, 6))),
      element("div", {},
        element("dt", {}, "place in the run"), element("dd", {}, count(said.position)))),
    said.baseline !== null && element("section", { class: "card" },
      element("h2", {},
        entry.kind === "puzzle" ? "The truth" : "Baseline explanation",
        said.baseline_score !== null ? `, score ${number(said.baseline_score)}` : ""),
      element("p", { class: "said", dir: "auto" }, said.baseline)),
    element("section", { class: "card" }, element("h2", {}, "Explanations"), cards),
    legend,
    excerpts,
    drawHistogram(said),
    element("p", { class: "soft small" },
      element("kbd", {}, "←"), " ", element("kbd", {}, "→"), " neighbours, ",
      element("kbd", {}, "g"),
      " a good one; on an excerpt the arrows go from token to token"));
}

enableTips();
try {
  draw(await ask(`/api/neuron?${query(wanted())}`));
} catch (error) {
  fail(error);
}
