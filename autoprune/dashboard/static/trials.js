// The table of trials: sorted by its columns, in pages.

import { h } from "./dom.js";
import { ms, percent, score, seconds } from "./format.js";

const COLUMNS = [
  ["index", "Trial", trial => trial.index],
  ["purpose", "Kind", trial => trial.purpose],
  ["score", "Score", trial => score(trial.score)],
  ["accuracy", "Accuracy", trial => percent(trial.accuracy)],
  ["predicted_latency_s", "Latency", trial => ms(trial.predicted_latency_s)],
  ["seconds", "Took", trial => seconds(trial.seconds)],
];
const ROWS = 20;

// A task has no accuracy: its own metric stands in that column.
function columnsOf(job) {
  const name = job.base.figure?.name;
  if (!name) return COLUMNS;
  return COLUMNS.map(column => column[0] === "accuracy" ? ["figure", name, trial => score(trial.figure)] : column);
}

export function trialsView() {
  const view = { job: null, columns: COLUMNS, trials: [], cut: false, by: "index", down: true, page: 0, probes: false };
  const body = h("tbody");
  const heads = COLUMNS.map(([key, name]) => h("th", { scope: "col", "data-key": key },
    h("button", { type: "button", onclick: event => { sortBy(view, event.currentTarget.parentElement.dataset.key); show(); } }, name)));
  const place = h("span", { class: "note", "aria-live": "polite" });
  const turn = step => () => { view.page += step; show(); };
  const back = h("button", { type: "button", onclick: turn(-1) }, "Previous");
  const on = h("button", { type: "button", onclick: turn(1) }, "Next");
  const probes = h("input", { type: "checkbox", id: "probes", onchange: event => { view.probes = event.target.checked; view.page = 0; show(); } });
  const note = h("p", { class: "note" });
  const pager = h("div", { class: "pages" }, back, place, on);
  const element = h("section", {},
    h("div", { class: "split" }, h("h2", {}, "Trials"), h("label", { class: "check", for: "probes" }, probes, "with probes")),
    note,
    h("div", { class: "scroll trials" }, h("table", {}, h("caption", { class: "hidden" }, "Trials"), h("thead", {}, h("tr", {}, heads)), body)),
    pager);

  function show() {
    const rows = sorted(view);
    const pages = Math.max(1, Math.ceil(rows.length / ROWS));
    view.page = Math.min(Math.max(view.page, 0), pages - 1);
    body.replaceChildren(...rows.slice(view.page * ROWS, (view.page + 1) * ROWS).map(trial => row(trial, view)));
    for (const head of heads) {
      if (head.dataset.key === view.by) head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    place.textContent = rows.length === 0 ? "none yet" : pages > 1 ? `page ${view.page + 1} of ${pages}` : "";
    back.hidden = on.hidden = pages === 1;
    back.disabled = view.page === 0;
    on.disabled = view.page >= pages - 1;
    note.hidden = !view.cut;
    note.textContent = `The first ${view.trials.length} trials; 'autoprune trials' prints all.`;
  }

  function update(job, store) {
    Object.assign(view, { job, columns: columnsOf(job), trials: store.all, cut: store.cut });
    view.columns.forEach(([key, name], place) => {
      heads[place].dataset.key = key;
      heads[place].firstChild.textContent = name;
    });
    probes.parentElement.hidden = !view.trials.some(trial => trial.purpose === "probe");
    show();
  }
  return { element, update };
}

function sortBy(view, key) {
  view.down = view.by === key ? !view.down : key === "index";
  view.by = key;
  view.page = 0;
}

function sorted({ trials, by, down, probes }) {
  const shown = trials.filter(trial => probes || trial.purpose !== "probe");
  const order = down ? -1 : 1;
  // What has no value comes last, whichever way the others go.
  return shown.sort((a, b) => {
    if (a[by] === null || b[by] === null) return (a[by] === null) - (b[by] === null);
    return a[by] === b[by] ? a.index - b.index : order * (a[by] < b[by] ? -1 : 1);
  });
}

function row(trial, { job, columns }) {
  const isBest = job.best?.trial === trial.index;
  const cells = columns.map(([, name, show]) => h("td", { "data-label": name }, show(trial)));
  if (isBest) cells[0].append(h("span", { class: "mark" }, job.savings ? "chosen" : "best"));
  if (trial.score === null && trial.error === null) cells[2].replaceChildren(h("span", { class: "same" }, "running"));
  if (trial.error !== null) cells[2].replaceChildren(h("span", { class: "wrong", title: trial.error }, "failed"));
  return h("tr", isBest ? { class: "best" } : {}, cells);
}
