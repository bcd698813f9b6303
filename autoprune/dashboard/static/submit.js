// A new job from a job file: written here, pasted, or picked.

import { ask, problemFrom, read } from "./api.js";
import { h, problemPanel, say } from "./dom.js";

const EXAMPLE = `model: autoprune:digits_cnn
data: digits
budget: 50%
searcher: solver
trials: 40
`;

export async function showSubmit(main, signal) {
  document.title = "New job · autoprune";
  const request = { text: "", key: "" };
  const text = h("textarea", { id: "file", rows: "14", spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-describedby": "file-note" });
  text.value = EXAMPLE;
  const picked = h("input", { type: "file", id: "pick", accept: ".yaml,.yml,.json,application/yaml,application/json", onchange: async event => {
    const [file] = event.target.files;
    if (file) text.value = await file.text();
    event.target.value = "";
  } });
  const said = h("div", { class: "said" });
  const button = h("button", { type: "submit", class: "primary" }, "Submit");
  const form = h("form", { onsubmit: async event => {
    event.preventDefault();
    button.disabled = true;
    said.replaceChildren(h("p", { class: "hint", role: "status" }, "The network is loaded and the budget is checked, which takes seconds…"));
    try {
      const { job } = await submit(text.value, request, signal);
      say(`Job ${job} is queued`);
      location.hash = `#/jobs/${job}`;
    } catch (error) {
      signal.throwIfAborted();
      said.replaceChildren(problemPanel(problemFrom(error, "Submit again: the same file makes one job.")));
    } finally {
      button.disabled = false;
    }
  } },
  h("label", { for: "file" }, "Job file"),
  h("p", { class: "note", id: "file-note" }, "YAML or JSON, as 'autoprune search' takes it. What is left out has its default."),
  text,
  h("div", { class: "actions" }, button, h("label", { class: "button", for: "pick" }, picked, "Pick a file")));
  const waiting = h("p", { class: "note" }, " ");
  const names = h("section", {}, h("h2", {}, "What may be named"), waiting);
  main.replaceChildren(h("h1", {}, "New job"), h("div", { class: "columns" }, h("section", {}, form), h("div", { class: "beside" }, said, names)));

  const [models, data] = await Promise.all(["models", "data"].map(what => read(`/v1/${what}`, { signal })));
  waiting.replaceWith(...listed("model", models.items), ...listed("data", data.items));
}

function listed(field, items) {
  return [h("h3", {}, h("code", {}, `${field}:`)), h("ul", { class: "codes" }, items.map(item => h("li", {}, h("code", {}, item.name))))];
}

// The same text goes with the same key, so that a lost answer and a second click make one job.
async function submit(text, request, signal) {
  if (text !== request.text || !request.key) Object.assign(request, { text, key: newKey() });
  const type = text.trimStart().startsWith("{") ? "application/json" : "application/yaml";
  const headers = { "Content-Type": type, "Idempotency-Key": request.key };
  return (await ask("/v1/jobs", { method: "POST", body: text, headers, signal })).json();
}

// crypto.randomUUID is there on HTTPS and localhost alone.
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, "0")).join("");
}
