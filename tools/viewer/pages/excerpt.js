// excerpt.js - heat-mapped excerpts: a token's ground is its real activation, the strip below it
// the simulated one.
import { element, number } from "./app.js";

const hex = (byte) => byte.toString(16).toUpperCase().padStart(2, "0");

// Controls, and what has no width or turns the direction of writing.
const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

// What a token shows: text as it is, but newlines, tabs, other controls and bytes that are no text
// made visible.
function visible(token) {
  if (typeof token !== "string")
    return [element("span", { class: "bytes", title: "part of a character" },
      token.map(hex).join(" "))];
  const parts = [];
  let plain = "";
  for (const character of token) {
    const code = character.codePointAt(0);
    if (!UNSEEN.test(character)) {
      plain += character;
      continue;
    }
    if (plain) parts.push(plain);
    plain = "";
    const shown = character === "\n" ? "↵"
      : character === "\t" ? "⇥"
      : code < 32 ? String.fromCodePoint(0x2400 + code)
      : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
    parts.push(element("span", { class: "odd" }, shown));
    if (character === "\n") parts.push(element("wbr"));
  }
  if (plain) parts.push(plain);
  return parts;
}

// record: {tokens, activations}; simulated: values 0..10 or null; most: activation of full heat.
export function excerpt(record, most, simulated, tags = []) {
  const tokens = record.tokens.map((token, i) => {
    const real = record.activations[i];
    const heat = most > 0 ? Math.max(0, real) / most : 0;
    const made = element("span", {
      class: simulated ? "token simulated" : "token", "--a": (heat * 0.85).toFixed(3) },
      visible(token));
    if (simulated) made.style.setProperty("--s", (simulated[i] / 10).toFixed(3));
    made.dataset.tip = `${number(real, 3)}  (${Math.min(10, Math.floor(10 * heat))} of 10)` +
      (simulated ? `, simulated ${number(simulated[i], 2)}` : "");
    return made;
  });
  return element("div", { class: "excerpt", tabindex: 0, role: "group", "aria-label": "excerpt" },
    tags.map((tag) => element("span", { class: "tag" }, tag)), tokens);
}

// One tip for the page; by keyboard: focus an excerpt, then the arrows go from token to token.
export function enableTips() {
  const tip = element("div", { id: "tip", role: "status", class: "hidden" });
  document.body.append(tip);
  const hide = () => tip.classList.add("hidden");
  const showAt = (token) => {
    const box = token.getBoundingClientRect();
    tip.textContent = token.dataset.tip;
    tip.classList.remove("hidden");
    tip.style.left =
      `${Math.max(4, Math.min(box.left, window.innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${box.top > 40 ? box.top - tip.offsetHeight - 6 : box.bottom + 6}px`;
  };
  document.addEventListener("mouseover", (event) => {
    const token = event.target.closest(".token");
    if (token) showAt(token);
    else hide();
  });
  let place = 0;
  document.addEventListener("focusin", (event) => {
    place = 0;
    if (!event.target.classList.contains("excerpt")) hide();
  });
  document.addEventListener("keydown", (event) => {
    const at = document.activeElement;
    if (!at || !at.classList.contains("excerpt")) return;
    if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const tokens = at.querySelectorAll(".token");
    const step = tip.classList.contains("hidden") ? 0 : event.key === "ArrowRight" ? 1 : -1;
    place = Math.max(0, Math.min(tokens.length - 1, place + step));
    showAt(tokens[place]);
  });
}
