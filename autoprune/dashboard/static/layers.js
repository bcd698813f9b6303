// Keep ratios of all layers, each beside its share of the latency.

import { bar, h } from "./dom.js";
import { LEAST_SHARE, percent, restOf, shareColumns } from "./figures.js";

export function layersView() {
  const note = h("p", { class: "note" });
  const body = h("tbody");
  const head = h("tr");
  const place = h("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "Layers" },
    h("table", { class: "layers" }, h("caption", { class: "hidden" }, "Layers in network order"), h("thead", {}, head), body));
  const element = h("section", {}, h("h2", {}, "Layers"), note, place);
  let shown = "";

  function update(job) {
    const found = job.best?.layers ?? null;
    const shares = sharesOf(job);
    const wanted = JSON.stringify([found, shares.columns]);
    if (wanted === shown) return;
    shown = wanted;
    place.hidden = found === null;
    note.textContent = found === null
      ? "Keep ratios come with the first scored candidate."
      : `Of ${job.savings ? "the chosen schedule" : `trial ${job.best.trial}, the best so far`}. ${shares.says}`;
    const columns = ["Layer", "Channels", "Keep ratio", ...shares.columns.map(column => column.title)];
    head.replaceChildren(...columns.map(name => h("th", { scope: "col", class: name === "Channels" ? "channels" : null }, name)));
    body.replaceChildren(...Object.entries(found ?? {}).map(([name, layer]) => row(name, layer, shares)), ...others(found, shares));
  }
  return { element, update };
}

function sharesOf(job) {
  const columns = shareColumns(job.layer_shares, job.savings?.[0]?.layer_shares);
  const top = Math.max(...columns.flatMap(column => Object.values(column.shares)), 1e-9);
  const says = columns.length ? "Latency is each layer's share of its own network's time, by the table." : "";
  return { columns, top, says };
}

function row(name, layer, shares) {
  const [from, to] = layer.out_channels;
  const text = from === to ? `${from}` : `${from} → ${to}`;
  return h("tr", {},
    h("th", { scope: "row" }, h("code", {}, breakable(name)), h("span", { class: "under" }, layer.type.replace("_", " "))),
    h("td", { class: from === to ? "channels same" : "channels" }, text),
    h("td", {}, bar(layer.keep_ratio), h("span", { class: "figure" }, layer.keep_ratio.toFixed(2))),
    ...shares.columns.map(column => share(column.shares[name], shares.top, column.kind)));
}

// On narrow screens a name is broken behind its dots.
function breakable(name) {
  return name.split(/(?<=\.)/).flatMap((part, place) => place ? [h("wbr"), part] : [part]);
}

function share(value, top, kind) {
  if (value === undefined) return h("td", { class: "same" }, "–");
  return h("td", {}, bar(value / top, kind), h("span", { class: "figure" }, percent(value, 1)));
}

function others(layers, { columns, top }) {
  if (layers === null || !columns.length) return [];
  const sums = columns.map(column => restOf(column.shares, layers));
  if (Math.max(...sums) < LEAST_SHARE) return [];
  return [h("tr", {}, h("th", { scope: "row" }, "other operators"), h("td", { class: "channels same" }, "–"), h("td", { class: "same" }, "–"),
    ...sums.map((value, place) => share(value, top, columns[place].kind)))];
}
