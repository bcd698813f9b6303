// The list of jobs, looked up again every few seconds.

import { patiently, readPage, sleep } from "./api.js";
import { badge, bar, h, say, time } from "./dom.js";
import { ago, score } from "./format.js";

const STATES = ["all", "running", "queued", "paused", "finished", "failed", "cancelled"];
const COLUMNS = ["Job", "State", "Budget", "Progress", "Best trial", "Searcher", "Created"];
const EVERY_MS = 2500;
const PAGE = 25;

export async function showJobs(main, signal) {
  document.title = "Jobs · autoprune";
  const view = { state: "all", pages: 1, rows: new Map(), states: new Map() };
  const body = h("tbody");
  const table = h("table", { class: "jobs" },
    h("caption", { class: "hidden" }, "Jobs, newest first"),
    h("thead", {}, h("tr", {}, COLUMNS.map(name => h("th", { scope: "col" }, name)))), body);
  const empty = h("div", { class: "empty", hidden: true });
  const more = h("button", { type: "button", hidden: true, onclick: () => { view.pages += 1; look(); } }, "Older jobs");
  const filter = h("select", { id: "state", onchange: event => { view.state = event.target.value; view.pages = 1; look(); } },
    STATES.map(state => h("option", { value: state }, state === "all" ? "all states" : state)));
  main.replaceChildren(
    h("div", { class: "head" },
      h("h1", {}, "Jobs"),
      h("div", { class: "actions" },
        h("label", { for: "state", class: "hidden" }, "State"), filter,
        h("a", { class: "button primary", href: "#/new" }, "New job"))),
    h("section", { class: "list", "aria-busy": "true" }, table, empty),
    h("p", { class: "more" }, more));

  async function look() {
    const { state } = view;
    const { items, next } = await patiently(() => pagesOf(view, signal), signal);
    if (state !== view.state) return;
    fill(body, view, items);
    more.hidden = next === null;
    table.hidden = items.length === 0;
    empty.hidden = items.length > 0;
    if (items.length === 0) empty.replaceChildren(...emptiness(view.state));
    main.querySelector(".list")?.setAttribute("aria-busy", "false");
  }

  for (;;) {
    if (!document.hidden) await look();
    await sleep(EVERY_MS, signal);
  }
}

async function pagesOf({ state, pages }, signal) {
  const items = [];
  const asked = { limit: PAGE, ...(state === "all" ? {} : { state }) };
  let next = "";
  for (let page = 0; page < pages && next !== null; page += 1) {
    const found = await readPage("/v1/jobs", asked, next, signal);
    items.push(...found.items);
    next = found.next;
  }
  return { items, next };
}

// Rows stay the same elements, so that the keyboard's place in the list is not lost.
function fill(body, view, items) {
  const rows = items.map(job => {
    const row = view.rows.get(job.job) ?? newRow(job);
    view.rows.set(job.job, row);
    const before = view.states.get(job.job);
    if (before !== undefined && before !== job.state) say(`Job ${job.job} is ${job.state}`);
    view.states.set(job.job, job.state);
    update(row, job);
    return row;
  });
  if (rows.length !== body.children.length || rows.some((row, place) => body.children[place] !== row)) body.replaceChildren(...rows);
}

function newRow(job) {
  const cells = COLUMNS.map(name => h("td", { "data-label": name }));
  cells[0].append(
    h("a", { href: `#/jobs/${job.job}`, class: "strong" }, job.model ?? "own model"),
    h("span", { class: "under" }, h("code", {}, job.job), ` on ${job.data ?? "own data"}`));
  return h("tr", { "data-job": job.job }, cells);
}

function update(row, job) {
  const wanted = JSON.stringify([job, ago(job.created)]);
  if (row.dataset.shown === wanted) return;
  row.dataset.shown = wanted;
  const [, state, budget, progress, best, searcher, created] = row.children;
  state.replaceChildren(badge(job.state));
  budget.replaceChildren(job.budget.join(", ") || "–");
  progress.replaceChildren(
    h("span", { class: "progress" }, bar(job.trials === null ? 0 : job.trials_told / job.trials, job.state), `${job.trials_told} / ${job.trials ?? "–"}`),
    h("span", { class: "under" }, job.state === "running" ? `stage: ${job.stage}` : "trials"));
  best.replaceChildren(h("span", { class: "number" }, score(job.best_score)), h("span", { class: "under" }, `unpruned ${score(job.base_score)}`));
  searcher.replaceChildren(job.searcher ?? "–");
  created.replaceChildren(time(job.created));
}

function emptiness(state) {
  if (state !== "all") return [h("p", {}, `No job is ${state}.`)];
  return [
    h("img", { src: "/assets/icon.svg", alt: "", width: 48, height: 48 }),
    h("h2", {}, "No jobs yet"),
    h("p", { class: "note" }, "A job takes a trained network and a latency budget, and finds how many channels to keep in every layer."),
    h("p", {}, h("a", { class: "button primary", href: "#/new" }, "Submit the first one")),
    h("p", { class: "note" }, "or from a terminal:"),
    h("pre", {}, `autoprune search job.yaml --server ${location.origin}`),
  ];
}
