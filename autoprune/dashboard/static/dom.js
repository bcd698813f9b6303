// Elements from plain calls. Text is always text: nothing that a job holds is ever read as HTML.

import { ago, moment } from "./format.js";

export function h(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined));
  return element;
}

// A bar that is as long as a fraction says.
export function bar(fraction, kind = "") {
  const filled = h("i");
  filled.style.width = `${Math.max(0, Math.min(1, fraction)) * 100}%`;
  return h("span", { class: `meter ${kind}`, "aria-hidden": "true" }, filled);
}

export function badge(state) {
  return h("span", { class: `badge ${state}` }, state);
}

// How long ago a moment was; the moment itself under the pointer.
export function time(text) {
  return h("time", { datetime: text, title: moment(text) }, ago(text));
}

// What a screen reader is told, beside what changed on the screen.
export function say(text) {
  document.getElementById("said").textContent = text;
}

export function problemPanel(problem) {
  const { title, detail, errors } = problem.document;
  const fields = (errors ?? []).map(each => h("li", {}, h("code", {}, each.field), `: ${each.says}`));
  return h("div", { class: "problem", role: "alert" },
    h("strong", {}, title),
    fields.length ? h("ul", {}, fields) : h("p", {}, detail));
}
