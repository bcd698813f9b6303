// The charts of a job as plotly figures in plain data, for the service's page and for files that stand alone. Imports nothing.
//
// about: what is drawn: { metric: { name, direction }, baseScore, chosen }; chosen is the index of a trial, or null.
// trials: as GET /v1/jobs/{id}/trials tells them; front: as /front does. Colours are names; themed.js fills them in.

// What is not known is a dash.
export const known = show => (value, ...more) => value === null || value === undefined ? "–" : show(value, ...more);
export const score = known(value => Number(value.toPrecision(4)).toString());
export const percent = known((value, digits = 2) => `${(value * 100).toFixed(digits)}%`);
export const ms = known(seconds => `${Number((seconds * 1e3).toPrecision(4))} ms`);

// A hover with more groups than this would leave the screen.
const MOST_GROUPS = 36;
const isScored = trial => trial.purpose !== "probe" && trial.score !== null;

export function scoreOverTrials(about, trials) {
  const scored = trials.filter(isScored);
  const index = trial => trial.index;
  const traces = [...byPurpose(scored, index, 0.75), bestSoFar(about, scored), ring(about, scored, index)];
  const figure = figureOf(traces, "trial", about, scored);
  figure.layout.xaxis.tickformat = "d";
  if (about.baseScore !== null && scored.length) markUnpruned(figure, about, scored[0].index);
  return figure;
}

export function scoreOverLatency(about, trials, front) {
  const scored = trials.filter(trial => isScored(trial) && trial.predicted_latency_s !== null);
  const x = trial => trial.predicted_latency_s * 1e3;
  const best = front.front.map(point => ({ ...point, index: point.trial }));
  const traces = [
    ...byPurpose(scored, x, 0.45),
    line("front", best.filter(point => point.start_from === null), x, "solid", "circle"),
    line("front, from accumulated weights", best.filter(point => point.start_from !== null), x, "dot", "circle-open"),
    landmark("unpruned", front.unpruned, "diamond", "soft"),
    landmark("chosen", front.chosen, "star", "strong"),
  ];
  const scores = [...scored, front.unpruned, front.chosen].filter(each => each !== null);
  const figure = figureOf(traces, "predicted latency (ms)", about, scores);
  if (front.limit_s !== null) markBudget(figure, front.limit_s * 1e3);
  return figure;
}

// Keep ratios of all layers over their shares of the latency; columns are those of shareColumns.
export function keepRatios(layers, columns) {
  const names = Object.keys(layers);
  const rest = columns.map(column => restOf(column.shares, layers));
  const others = Math.max(0, ...rest) >= LEAST_SHARE ? ["other operators"] : [];
  const bars = columns.map((column, place) => ({
    type: "bar", name: column.title, yaxis: "y2", marker: { color: column.color },
    x: [...names, ...others], y: [...names.map(name => column.shares[name] ?? null), ...others.map(() => rest[place])],
    hovertemplate: "%{x}<br>%{y:.1%} of the latency<extra>%{fullData.name}</extra>",
  }));
  const kept = {
    type: "bar", name: "Keep ratio", showlegend: false, marker: { color: "accent" },
    x: names, y: names.map(name => layers[name].keep_ratio), customdata: names.map(name => layers[name].out_channels),
    hovertemplate: "%{x}<br>%{customdata[0]} → %{customdata[1]} channels<br>keep ratio %{y:.2f}<extra></extra>",
  };
  const tallest = Math.max(0, ...bars.flatMap(each => each.y.map(Number)));
  const shared = { yaxis2: { title: title("share of latency"), domain: [0, 0.4], range: [0, 1.05 * tallest || 1], tickformat: ".0%", automargin: true }, bargap: 0.2, bargroupgap: 0.1 };
  return {
    data: [kept, ...bars],
    layout: {
      xaxis: { type: "category", tickangle: -90, tickfont: { size: 10 }, automargin: true, showgrid: false, ...(bars.length ? { anchor: "y2" } : {}) },
      yaxis: { title: title("keep ratio"), domain: [bars.length ? 0.55 : 0, 1], range: [0, 1.02], dtick: 0.25, tickformat: ".2f", automargin: true },
      // Between the two; a narrow page breaks it into two lines, and there is room for them.
      legend: { orientation: "h", x: 0, y: 0.41, yanchor: "bottom" },
      bargap: 0.3,
      ...(bars.length ? shared : {}),
    },
  };
}

// Shares of latency in columns: of the unpruned network, and once there is one, of the chosen schedule.
// A job of an earlier version may have the second alone, so each column says whose it is.
export function shareColumns(before, after) {
  return [
    { title: "Latency, unpruned", kind: "time", color: "muted", shares: before },
    { title: "Latency, pruned", kind: "pruned", color: "strong", shares: after },
  ].filter(column => column.shares);
}

// What runs between layers: additions, pooling, activations. Less than this is not shown.
export const LEAST_SHARE = 0.0005;
export function restOf(shares, layers) {
  return Object.entries(shares).filter(([name]) => !(name in layers)).reduce((sum, [, value]) => sum + value, 0);
}

const title = text => ({ text, font: { size: 12 }, standoff: 8 });

function figureOf(traces, xTitle, about, scored) {
  const better = about.metric.direction === "minimize" ? "lower" : "higher";
  const scores = [...scored.map(each => each.score), about.baseScore].filter(value => value !== null);
  // A few poor trials would press all others to the edge.
  const wide = scores.length > 0 && Math.min(...scores) > 0 && Math.max(...scores) > 20 * Math.min(...scores);
  return {
    data: traces.filter(trace => trace.x.length > 0),
    layout: {
      xaxis: { title: title(xTitle), automargin: true },
      yaxis: { title: title(`${about.metric.name} (${better} is better)`), automargin: true, ...(wide ? { type: "log", dtick: 1 } : {}) },
      legend: { orientation: "h", x: 0, y: 1.04, yanchor: "bottom" },
      hovermode: "closest",
      shapes: [],
      annotations: [],
    },
  };
}

function byPurpose(trials, x, opacity) {
  return [
    points("candidate", trials.filter(trial => trial.purpose === "candidate"), x, { color: "accent", opacity }),
    points("on the way", trials.filter(trial => trial.purpose !== "candidate"), x, { color: "muted", opacity }),
  ];
}

// Hollow where a trial began with another one's weights.
function points(name, trials, x, marker) {
  return {
    type: "scatter", mode: "markers", name,
    x: trials.map(x), y: trials.map(trial => trial.score),
    text: trials.map(hover), hovertemplate: "%{text}<extra></extra>",
    marker: { size: 8, symbol: trials.map(trial => (trial.start_from ?? null) === null ? "circle" : "circle-open"), ...marker },
  };
}

// Steps: at a latency between two trials the faster one's score can be had.
function line(name, trials, x, dash, symbol) {
  return {
    ...points(name, trials, x, { color: "strong", symbol }), mode: "lines+markers",
    line: { shape: "hv", width: 2, color: "strong", dash },
  };
}

function bestSoFar(about, scored) {
  const better = about.metric.direction === "minimize" ? Math.min : Math.max;
  const x = [], y = [];
  for (const trial of scored.filter(each => each.purpose === "candidate")) {
    x.push(trial.index);
    y.push(y.length ? better(y.at(-1), trial.score) : trial.score);
  }
  if (x.length && scored.at(-1).index > x.at(-1)) {
    x.push(scored.at(-1).index);
    y.push(y.at(-1));
  }
  return { type: "scatter", mode: "lines", name: "best so far", x, y, hoverinfo: "skip", line: { shape: "hv", width: 2.5, color: "strong" } };
}

// The chosen schedule is this trial's, or one made of it.
function ring(about, scored, x) {
  const found = scored.filter(trial => trial.index === about.chosen);
  return { type: "scatter", mode: "markers", name: "chosen", x: found.map(x), y: found.map(trial => trial.score), hoverinfo: "skip", marker: { color: "none", size: 15, line: { width: 2.5, color: "strong" } } };
}

function landmark(name, network, symbol, color) {
  const found = network === null || network.score === null ? [] : [network];
  return {
    type: "scatter", mode: "markers", name,
    x: found.map(each => each.latency_s * 1e3), y: found.map(each => each.score),
    text: found.map(each => [each.says, ...numbersOf(each.score, each.accuracy, each.latency_s)].join("<br>")),
    hovertemplate: "%{text}<extra></extra>",
    marker: { color, size: symbol === "star" ? 15 : 11, symbol },
  };
}

function hover(trial) {
  const words = [
    ...(trial.purpose === "candidate" ? [] : [trial.purpose]),
    ...((trial.start_from ?? null) === null ? [] : [`from the weights of trial ${trial.start_from}`]),
  ];
  const head = `trial ${trial.index}${words.length ? ` (${words.join(", ")})` : ""}`;
  return [head, ...numbersOf(trial.score, trial.accuracy, trial.predicted_latency_s), ...fractionOf(trial), ...widthsOf(trial.widths ?? {})].join("<br>");
}

function numbersOf(value, accuracy, latency) {
  return [`score ${score(value)}`, ...(accuracy === null ? [] : [`accuracy ${percent(accuracy)}`]), ms(latency)];
}

function fractionOf({ latency_fraction: fraction }) {
  return fraction === undefined ? [] : [`${percent(fraction)} of the unpruned network`];
}

function widthsOf(widths) {
  const groups = Object.keys(widths);
  const shown = groups.slice(0, MOST_GROUPS).map(group => `${group.replaceAll("<", "&lt;")} ${widths[group]}`);
  const lines = [];
  for (let place = 0; place < shown.length; place += 3) lines.push(shown.slice(place, place + 3).join(", "));
  return groups.length > shown.length ? [...lines, `and ${groups.length - shown.length} more groups`] : lines;
}

// The words stand on the side of the line where scores are rarely better.
function markUnpruned(figure, about, first) {
  const value = about.baseScore;
  const onAxis = figure.layout.yaxis.type === "log" ? Math.log10(value) : value;
  const yanchor = about.metric.direction === "minimize" ? "top" : "bottom";
  figure.layout.shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: value, y1: value, line: { color: "soft", width: 1.5, dash: "dot" } });
  figure.layout.annotations.push({ xref: "paper", x: 1, y: onAxis, xanchor: "right", yanchor, text: `unpruned ${score(value)}`, showarrow: false, font: { size: 12, color: "soft" } });
  // A shape alone does not widen an axis; a large point leaves room for the words.
  figure.data.push({ type: "scatter", mode: "markers", x: [first], y: [value], showlegend: false, hoverinfo: "skip", marker: { opacity: 0, size: 40 } });
}

function markBudget(figure, limit) {
  figure.layout.shapes.push({ type: "line", x0: limit, x1: limit, y0: 0, y1: 1, yref: "paper", line: { color: "warn", width: 1.5, dash: "dash" } });
  figure.layout.annotations.push({ x: limit, y: 0, yref: "paper", xanchor: "left", yanchor: "bottom", xshift: 4, text: `budget ${Number(limit.toPrecision(4))} ms`, showarrow: false, font: { size: 12, color: "warn" } });
}
