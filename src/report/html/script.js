"use strict";
// Searches, filters, and has two kernels stand side by side; all of it is kept in the address.
const tools = document.getElementById("tools");
const field = (name) => tools.elements[name];
const names = ["q", "family", "at", "left", "right"];
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const entries = all(".entry");
// What a search looks at: names, summaries, documentation and changes, not every path of a trail.
const words = new Map(entries.map((entry) => [entry,
  `${entry.dataset.name} ` + all(":scope > tr > th, :scope > summary, .what, .why, .docs", entry)
    .map((part) => part.textContent.replace(/\u200b/g, "")).join(" ").toLowerCase()]));

function filter() {
  const wanted = field("q").value.toLowerCase().split(/\s+/).filter(Boolean);
  const [family, at] = [field("family").value, field("at").value];
  let count = 0;
  for (const entry of entries) {
    const shown = wanted.every((word) => words.get(entry).includes(word))
      && (!family || entry.dataset.family === family)
      && (!at || entry.dataset.at.split(" ").includes(at));
    entry.hidden = !shown;
    count += shown;
  }
  const filtered = wanted.length > 0 || family || at;
  for (const group of all(".group")) {
    group.hidden = !group.querySelector(".entry:not([hidden])");
    if (group.tagName === "DETAILS" && filtered) group.open = !group.hidden;
    const number = group.querySelector(":scope > h2 > span, :scope > summary > span");
    if (!number) continue;
    number.dataset.all ??= number.textContent;
    const left = group.querySelectorAll(".entry:not([hidden])").length;
    number.textContent = filtered ? `${left} of ${number.dataset.all}` : number.dataset.all;
  }
  tools.querySelector("output").textContent = filtered ? `${count} of ${entries.length}` : "";
}

// Who has a row: the left one, the right one or neither; nothing is said of what both have.
function compare(picture) {
  const [left, right] = [field("left").value, field("right").value];
  const both = left && right;
  const variants = new Map(picture.dataset.kernels.split(" ").map((pair) => pair.split(":")));
  const [from, to] = [variants.get(left), variants.get(right)];
  for (const row of all("[data-v]", picture)) {
    const own = row.dataset.v.split(" ");
    const [a, b] = [own.includes(from), own.includes(to)];
    row.dataset.side = !both || (a && b) ? "" : a ? "left" : b ? "right" : "none";
  }
  for (const lane of ["e", "m", "k"]) {
    for (const phase of all(`[data-${lane}]`, picture)) {
      const colours = phase.dataset[lane].split(" ").map((pair) => pair.split(":"))
        .filter(([variant]) => !both || variant === from || variant === to)
        .map(([, colour]) => `var(--c${colour})`);
      const own = colours.filter((colour, place) => colours.indexOf(colour) === place);
      const stops = own.map((colour, place) =>
        `${colour} ${place * 100 / own.length}% ${(place + 1) * 100 / own.length}%`);
      phase.style.setProperty(`--${lane}`, `linear-gradient(90deg,${stops.join()})`);
    }
  }
  for (const fold of all(".fold", picture)) {
    const differs = fold.querySelector('[data-side="left"], [data-side="right"]') !== null;
    if (both) fold.open = differs;
  }
}

const shown = (picture) => picture.closest("details:not([open])") === null;
function sides() {
  const both = field("left").value && field("right").value;
  document.body.classList.toggle("two", Boolean(both));
  for (const picture of all(".picture")) {
    picture.dataset.stale = "";
    if (shown(picture)) refresh(picture);
  }
}
function refresh(picture) {
  if (!("stale" in picture.dataset)) return;
  delete picture.dataset.stale;
  compare(picture);
}

function keep() {
  const query = new URLSearchParams();
  for (const name of names) if (field(name).value) query.set(name, field(name).value);
  const text = query.toString();
  history.replaceState(null, "", location.pathname + (text && `?${text}`) + location.hash);
}
function reveal() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (!target) return;
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  const own = target.querySelector(".more > details");
  if (own) own.open = true;
  target.scrollIntoView();
}

const query = new URLSearchParams(location.search);
for (const name of names) field(name).value = query.get(name) || "";
tools.hidden = false;
tools.addEventListener("submit", (event) => event.preventDefault());
tools.addEventListener("input", () => { filter(); sides(); keep(); });
document.addEventListener("toggle", (event) => {
  for (const picture of all(".picture", event.target)) if (shown(picture)) refresh(picture);
}, true);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-left]");
  if (!link) return;
  field("left").value = link.dataset.left;
  field("right").value = link.dataset.right;
  sides();
  keep();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input, select")) return;
  event.preventDefault();
  field("q").focus();
});
window.addEventListener("hashchange", reveal);
filter();
sides();
reveal();
