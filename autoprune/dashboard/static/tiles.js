// Four figures that say how a job stands.

import { bar, h } from "./dom.js";
import { ms, percent, score } from "./format.js";

export function tilesView() {
  const tiles = ["Trials", "Best score so far", "Latency", "Validation accuracy"].map(name => {
    const value = h("dd", { class: "value" }, "–");
    const under = h("dd", { class: "under" }, " ");
    return { value, under, element: h("div", { class: "tile" }, h("dt", {}, name), value, under) };
  });
  const element = h("dl", { class: "tiles" }, tiles.map(tile => tile.element));
  function update(job) {
    [trialsOf, scoreOf, latencyOf, accuracyOf].forEach((show, place) => {
      const [value, under] = show(job);
      tiles[place].value.replaceChildren(value);
      tiles[place].under.replaceChildren(...[under].flat());
    });
    tiles[1].element.firstChild.textContent = job.savings ? "Score, finetuned longer" : "Best score so far";
    tiles[3].element.firstChild.textContent = accuracyTitle(job);
  }
  return { element, update };
}

function trialsOf(job) {
  const probes = job.probes?.count ? `${job.probes.count} probes beside` : job.trials_told === job.trials_planned ? "all scored" : "scored so far";
  return [`${job.trials_told} / ${job.trials_planned}`, [bar(job.trials_told / job.trials_planned, job.state), probes]];
}

function scoreOf(job) {
  return [score(job.best?.score), `unpruned ${score(job.base.score)}, ${job.metric.name}`];
}

function latencyOf(job) {
  const base = job.base.measured_latency_s;
  const measured = job.best?.measured_latency_s ?? null;
  const latency = measured ?? job.best?.predicted_latency_s ?? null;
  if (latency === null) return ["–", `unpruned ${ms(base)}`];
  const faster = h("strong", { class: "gain" }, `${(base / latency).toFixed(2)}× faster`);
  return [ms(latency), [faster, `${measured === null ? "predicted" : "measured"}, from ${ms(base)}`]];
}

// The final network's own figure, on the split that was kept back for it; until then the best trial's.
function accuracyOf(job) {
  const { split, after, before } = finalOf(job);
  const show = job.base.figure ? score : percent;
  if (split !== null) return [show(after), `unpruned ${show(before)}`];
  const [best, base] = job.base.figure
    ? [job.best?.figure, job.base.figure.value]
    : [job.best?.accuracy, job.base.accuracy];
  return [show(best), `unpruned ${show(base)}`];
}

function accuracyTitle(job) {
  return `${finalOf(job).split ?? "Validation"} ${job.base.figure?.name ?? "accuracy"}`;
}

// A task has a figure in place of the accuracy, whose splits then hold nothing.
function finalOf(job) {
  const { test, validation } = job.final?.figure ?? job.final?.accuracy ?? {};
  if (test?.after != null) return { split: "Test", ...test };
  return validation?.after != null ? { split: "Validation", ...validation } : { split: null };
}
