// run.js - how a run stands, live by server-sent events.
import {
  ask, count, dollars, duration, element, fail, lineChart, meter, number, show, topBar,
} from "./app.js";

topBar("Run");
const KINDS = {
  done: "good", running: "good", crashed: "bad", paused: "warn", interrupted: "warn",
};
const head = element("div", { class: "head" });
const facts = element("dl", { class: "facts" });
const stages = element("div");
const caps = element("div", { class: "caps" });
const rates = element("div", { class: "grid" });
const failures = element("div", { class: "card" });

function fact(name, value) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, value));
}

function drawHead(status) {
  head.replaceChildren(
    element("h1", {}, `Run ${status.run}`),
    element("span", { class: `badge ${KINDS[status.state] || ""}`, id: "state" }, status.state),
    ...(status.note ? [element("span", { class: "soft" }, status.note)] : []));
  document.title = `glia: ${status.run} (${status.state})`;
  const progress = status.progress;
  facts.replaceChildren(
    fact("started", status.started || "–"),
    fact("starts", status.starts),
    fact("attempts", count(status.attempts)),
    ...(status.live && progress ? [
      fact("requests/s", number(progress.requests_per_second, 1)),
      fact("tokens/min", count(progress.tokens_per_minute) +
        (progress.token_limit ? ` of ${count(progress.token_limit)}` : "")),
      element("div", { id: "eta" },
        element("dt", {}, "time left"), element("dd", {}, duration(progress.eta_s)))] : []),
    ...(status.live ? [fact("held by", status.holder)] : [fact("ended", status.ended || "–")]));
}

function drawStages(progress) {
  if (!progress) {
    stages.replaceChildren(element("p", { class: "soft" },
      "This run has not said anything of its progress yet."));
    return;
  }
  stages.replaceChildren(element("div", { class: "scroll" }, element("table", { id: "stages" },
    element("thead", {}, element("tr", {},
      element("th", {}, "stage"),
      element("th", {}, "progress"),
      ["done", "total", "failed"].map((name) => element("th", { class: "number" }, name)))),
    element("tbody", {}, Object.entries(progress.stages).map(([name, stage]) => {
      const all = stage.total || stage.done + stage.failed || 1;
      const whole = stage.total && stage.done === stage.total;
      const bar = meter(stage.done / all, whole ? "full" : "", `${name} done`);
      if (stage.failed)
        bar.append(element("i", { class: "failed", "--w": `${(100 * stage.failed) / all}%` }));
      return element("tr", {},
        element("td", {}, name),
        element("td", { class: "wide" }, bar),
        element("td", { class: "number" }, count(stage.done)),
        element("td", { class: "number" }, stage.total ? count(stage.total) : "–"),
        element("td", { class: `number${stage.failed ? " bad" : ""}` }, count(stage.failed)));
    })))));
}

function drawSpend(said) {
  const status = said.status;
  caps.replaceChildren(
    ...said.caps.flatMap((cap) => [
      element("span", {}, cap.name),
      meter(cap.cap_usd > 0 ? cap.used_usd / cap.cap_usd : 0,
        cap.used_usd > 0.9 * cap.cap_usd ? "failed" : "", `spent of the cap ${cap.name}`),
      element("span", { class: "number" },
        `${dollars(cap.used_usd)} of ${dollars(cap.cap_usd, 2)}`)]),
    element("span", {}),
    element("span", { class: "soft small" },
      `settled ${dollars(status.settled_usd)}, in doubt ${dollars(status.doubts_usd)}, ` +
      `reserved ${dollars(status.reserved_usd)}`),
    element("span", {}));
}

function drawFailures(rows) {
  const table = element("table", { id: "failures" },
    element("thead", {}, element("tr", {},
      ["stage", "class", "jobs", "tried again", "for example"].map((name) =>
        element("th", {}, name)))),
    element("tbody", {}, rows.map((row) => element("tr", {},
      element("td", {}, row.stage),
      element("td", {}, row.class),
      element("td", {}, count(row.jobs)),
      element("td", {}, row.retried),
      element("td", { class: "text small", dir: "auto" }, row.example)))));
  failures.replaceChildren(
    element("h2", {}, "Failures by class"),
    rows.length
      ? element("div", { class: "scroll" }, table)
      : element("p", { class: "soft" }, "None."));
}

function draw(said) {
  drawHead(said.status);
  drawStages(said.status.progress);
  drawSpend(said);
  drawFailures(said.status.failures);
}

const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 19);

async function drawRates() {
  const said = await ask("/api/rates");
  const ends = [`${clock(said.first_s)} UTC`, `${clock(said.first_s + 60 * said.width_s)} UTC`];
  const chart = (name, values) => element("div", { class: "card" },
    element("h2", {}, name),
    said.attempts
      ? lineChart(values, name, ends)
      : element("p", { class: "soft" }, "No attempt has ended yet."));
  rates.replaceChildren(
    chart("Requests per second", said.requests_per_second),
    chart("Tokens per minute", said.tokens_per_minute));
}

try {
  draw(await ask("/api/run"));
  show(head, facts,
    element("section", { class: "card" }, element("h2", {}, "Stages"), stages),
    element("section", { class: "card" }, element("h2", {}, "Spend against caps"), caps),
    rates, failures);
  await drawRates();
  let last = "";
  let ticks = 0;
  const events = new EventSource("/api/run/events");
  events.onmessage = (event) => {
    document.body.dataset.events = String(Number(document.body.dataset.events || 0) + 1);
    const said = JSON.parse(event.data);
    if (event.data !== last) draw(said);
    last = event.data;
    if (said.status.live && ++ticks % 3 === 0) drawRates().catch(() => {});
  };
} catch (error) {
  fail(error);
}
