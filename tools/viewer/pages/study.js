// study.js - rating explanations: one neuron a page, each answer kept by the server before the
// next page.
import { ask, element, fail, meter, onKeys, show } from "./app.js";
import { enableTips, excerpt } from "./excerpt.js";

document.getElementById("top").replaceChildren(element("div", { class: "bar" },
  element("span", { class: "brand" }, "Rating explanations"),
  element("span", { class: "right soft", id: "progress" })));
const code = location.pathname.split("/")[2];
const base = `/api/study/${encodeURIComponent(code || "")}`;
let page = null; // what the server said of the page shown
let current = 0; // explanation that keys act on
let sending = false;

function askForCode() {
  const input = element("input", {
    name: "code", required: true, autocomplete: "off", "aria-label": "your code", maxlength: 64,
  });
  show(element("form", { class: "card study", onsubmit: (event) => {
    event.preventDefault();
    location.assign(`/study/${encodeURIComponent(input.value.trim())}`);
  } },
    element("h1", {}, "Your code"),
    element("p", {}, "You were given a code with the invitation."),
    input,
    " ",
    element("button", { class: "primary" }, "Begin")));
  input.focus();
}

const cards = () => [...document.querySelectorAll(".explanation")];
const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`);

function answer() {
  const ratings = {};
  for (const { name } of page.explanations) {
    const pick = chosen(`rate-${name}`);
    if (pick) ratings[name] = Number(pick.value);
  }
  const best = chosen("best");
  return { ratings, best: best ? best.value : null };
}

function check() {
  const said = answer();
  const missing = page.explanations.length - Object.keys(said.ratings).length;
  const whole = missing === 0 && said.best !== null;
  document.getElementById("send").disabled = !whole || sending;
  document.getElementById("hint").textContent = whole
    ? ""
    : `${missing} still to rate${said.best === null ? "; choose the best one" : ""}`;
  return whole;
}

function moveTo(index) {
  current = Math.max(0, Math.min(page.explanations.length - 1, index));
  cards().forEach((card, i) => card.classList.toggle("current", i === current));
  cards()[current].scrollIntoView({ block: "nearest" });
}

function card({ name, text }, index) {
  const radio = (group, value, shown, label) => element("label", { class: "pick" },
    element("input", {
      type: "radio", name: group, value, "aria-label": label,
      onchange: () => { moveTo(index); check(); } }),
    element("span", {}, shown));
  return element("article", { class: "explanation", "aria-label": `Explanation ${index + 1}` },
    element("p", { class: "said", dir: "auto" }, text),
    element("div", { class: "rate" },
      element("fieldset", {},
        element("legend", {}, "How well does it fit?"),
        [1, 2, 3, 4, 5].map((k) => radio(`rate-${name}`, k, k, `${k} of 5`))),
      radio("best", name, "best of all", "best of all")));
}

function draw(said) {
  page = said;
  current = 0;
  document.getElementById("progress").textContent = `${said.done} of ${said.count} done`;
  show(element("div", { class: "study" },
    meter(said.done / said.count, "full", "pages done"),
    element("h1", { id: "page" }, `Page ${said.page} of ${said.count}`),
    element("p", {},
      "These excerpts make one neuron of a language model fire; the stronger a token's colour, " +
      "the more. Rate how well each explanation says what the neuron reacts to, " +
      "from 1 (not at all) to 5 (perfectly), and choose the best one."),
    element("section", { class: "card", "aria-label": "Excerpts" },
      said.excerpts.map((record) => excerpt(record, said.most, null))),
    said.explanations.map(card),
    element("div", { class: "sticky" },
      said.page > 1 &&
        element("button", { id: "back", onclick: () => load(said.page - 1) }, "Back"),
      element("button", { id: "send", class: "primary", disabled: true, onclick: send },
        "Save and go on"),
      element("span", { id: "hint", class: "soft", role: "status" })),
    element("p", { class: "soft small" },
      element("kbd", {}, "1"), "–", element("kbd", {}, "5"), " rate, ",
      element("kbd", {}, "↑"), " ", element("kbd", {}, "↓"), " move, ",
      element("kbd", {}, "b"), " best, ",
      element("kbd", {}, "Enter"), " save and go on")));
  if (said.answer) {
    for (const input of document.querySelectorAll(".rate input")) {
      if (input.name === "best") input.checked = input.value === said.answer.best;
      else input.checked = Number(input.value) === said.answer.ratings[input.name.slice(5)];
    }
  }
  moveTo(0);
  check();
  window.scrollTo(0, 0);
}

async function load(number) {
  try {
    const progress = number ? null : await ask(base);
    const at = number || progress.next;
    if (!at) {
      document.getElementById("progress").textContent =
        `${progress.done} of ${progress.count} done`;
      page = null;
      show(element("div", { class: "message", id: "finished" },
        element("h1", {}, "All done. Thank you!"),
        element("p", {}, "You can close this page. ",
          element("button", { onclick: () => load(progress.count) },
            "Look at the last page again"))));
      return;
    }
    draw(await ask(`${base}/${at}`));
  } catch (error) {
    fail(error);
  }
}

async function send() {
  if (!page || sending || !check()) return;
  sending = true;
  check();
  try {
    const next = await ask(`${base}/${page.page}`, {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify(answer()),
    });
    const after = page.page + 1;
    sending = false;
    await load(page.answer && after <= next.count ? after : undefined);
  } catch (error) {
    sending = false;
    check();
    document.getElementById("hint").textContent = `Not saved: ${error.message} Try again.`;
  }
}

function pick(selector) {
  const input = cards()[current].querySelector(selector);
  input.checked = true;
  check();
}

const rate = (k) => () => {
  if (!page) return;
  pick(`input[name^="rate-"][value="${k}"]`);
  moveTo(current + 1);
};

if (code) {
  enableTips();
  onKeys({
    1: rate(1), 2: rate(2), 3: rate(3), 4: rate(4), 5: rate(5),
    b: () => page && pick('input[name="best"]'),
    ArrowDown: () => page && moveTo(current + 1), ArrowUp: () => page && moveTo(current - 1),
    Enter: send,
  });
  load();
} else {
  askForCode();
}
