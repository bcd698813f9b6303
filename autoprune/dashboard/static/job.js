// The page of one job: read once, then again whenever the stream of its events says so.

import { patiently, read, sleep } from "./api.js";
import { Chart } from "./chart.js";
import { h, say } from "./dom.js";
import { scoreOverLatency, scoreOverTrials } from "./figures.js";
import { headView } from "./job_head.js";
import { layersView } from "./layers.js";
import { follow } from "./stream.js";
import { tilesView } from "./tiles.js";
import { Trials } from "./trial_store.js";
import { trialsView } from "./trials.js";

const PAUSE_MS = 400;
const LOOK_MS = 5000;
const ENDED = new Set(["finished", "failed", "cancelled"]);

export async function showJob(main, signal, id) {
  document.title = `Job ${id} · autoprune`;
  const path = `/v1/jobs/${id}`;
  const store = new Trials(id);
  const head = headView(id, () => refresh().catch(unlessAborted));
  const tiles = tilesView();
  const progress = chartSection("chart-progress", "Score over trials", "One point a trial; the line is the best candidate so far.", signal);
  const tradeoff = chartSection("chart-tradeoff", "Score against latency", "The line is the front, the dashed one the budget. A star is the chosen schedule at the score of its longer finetune.", signal);
  const layers = layersView();
  const trials = trialsView();
  // Shown whole once it is known, so that nothing moves.
  const whole = h("div", { hidden: true }, head.element, tiles.element,
    h("div", { class: "charts" }, progress.element, tradeoff.element), layers.element, trials.element);
  main.replaceChildren(whole);

  let state = null;
  async function load() {
    const [job, front] = await patiently(() => Promise.all([read(path, { signal }), read(`${path}/front`, { signal }), store.refresh(signal)]), signal);
    if (state !== null && state !== job.state) say(`Job ${id} is ${job.state}`);
    const restarted = ENDED.has(state) && !ENDED.has(job.state);
    state = job.state;
    const all = store.all;
    head.update(job);
    tiles.update(job);
    layers.update(job);
    trials.update(job, store);
    const about = { metric: job.metric, baseScore: job.base.score, chosen: job.savings ? job.best.trial : null };
    progress.update(scoreOverTrials(about, all), `Scores of ${job.trials_told} trials`);
    tradeoff.update(scoreOverLatency(about, all, front), `${front.front.length} trials on the front of score against latency`);
    whole.hidden = false;
    if (restarted) listen(job.last_event);
    return job;
  }

  // One after the other, so that nothing older is shown after something newer.
  let last = Promise.resolve();
  const refresh = () => (last = last.catch(() => {}).then(load));
  let due = null;
  function soon() {
    due ??= setTimeout(() => { due = null; refresh().catch(unlessAborted); }, PAUSE_MS);
  }
  function unlessAborted(error) {
    if (!signal.aborted) throw error;
  }
  function listen(seen) {
    follow(`${path}/events`, seen, soon, signal).catch(unlessAborted);
  }
  signal.addEventListener("abort", () => clearTimeout(due));
  // A worker that is lost leaves no event: its lease runs out.
  async function watchState() {
    for (;;) {
      await sleep(LOOK_MS, signal);
      if (document.hidden || ENDED.has(state)) continue;
      const job = await patiently(() => read(path, { signal }), signal);
      if (job.state !== state) await refresh();
    }
  }
  const job = await refresh();
  if (!ENDED.has(job.state)) listen(job.last_event);
  watchState().catch(unlessAborted);
}

function chartSection(id, title, note, signal) {
  const place = h("div", { class: "chart", id, role: "img", "aria-label": title });
  const none = h("p", { class: "none" }, "No trial has a score yet.");
  const chart = new Chart(place, signal);
  function update(figure, says) {
    const some = figure.data.some(trace => trace.hovertemplate !== undefined && trace.name !== "unpruned");
    none.hidden = some;
    place.setAttribute("aria-label", `${title}. ${says}`);
    if (some) chart.draw(figure);
  }
  const element = h("section", {}, h("h2", {}, title), h("p", { class: "note" }, note), h("div", { class: "drawn" }, place, none));
  return { element, update };
}
