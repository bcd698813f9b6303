// The charts as plotly figures in plain data; colours are names that chart.js fills in.

import { ms, percent, score } from "./format.js";

export function scoreOverTrials(job, trials) {
  const scored = trials.filter(trial => trial.purpose !== "probe" && trial.score !== null);
  const candidates = scored.filter(trial => trial.purpose === "candidate");
  const index = trial => trial.index;
  const traces = [
    points("candidate", candidates, index, "accent"),
    points("on the way", scored.filter(trial => trial.purpose === "step"), index, "muted"),
    bestSoFar(job, candidates, scored.at(-1)?.index),
  ];
  const figure = figureOf(traces, "trial", job, scored);
  figure.layout.xaxis.tickformat = "d";
  if (job.base.score !== null && scored.length) markUnpruned(figure, job, scored[0].index);
  return figure;
}

export function scoreOverLatency(job, trials, front) {
  const scored = trials.filter(trial => trial.purpose !== "probe" && trial.score !== null && trial.predicted_latency_s !== null);
  const x = trial => trial.predicted_latency_s * 1e3;
  const best = front.front.map(point => ({ ...point, index: point.trial }));
  const own = best.filter(point => point.start_from === null);
  const traces = [
    points("trial", scored, x, "accent", 0.45),
    line("front", own, x, "solid", "circle"),
    line("front, from accumulated weights", best.filter(point => point.start_from !== null), x, "dot", "circle-open"),
    landmark("unpruned", front.unpruned, "diamond", "soft"),
    landmark("chosen", front.chosen, "star", "strong"),
  ];
  const scores = [...scored, front.unpruned, front.chosen].filter(each => each !== null);
  const figure = figureOf(traces, "predicted latency (ms)", job, scores);
  if (front.limit_s !== null) markBudget(figure, front.limit_s * 1e3);
  return figure;
}

function figureOf(traces, xTitle, job, scored) {
  const better = job.metric.direction === "minimize" ? "lower" : "higher";
  const title = text => ({ text, font: { size: 12 }, standoff: 8 });
  const scores = [...scored.map(each => each.score), job.base.score].filter(value => value !== null);
  // A few poor trials would press all others to the edge.
  const wide = scores.length > 0 && Math.min(...scores) > 0 && Math.max(...scores) > 20 * Math.min(...scores);
  return {
    data: traces.filter(trace => trace.x.length > 0),
    layout: {
      xaxis: { title: title(xTitle), automargin: true },
      yaxis: { title: title(`${job.metric.name} (${better} is better)`), automargin: true, ...(wide ? { type: "log", dtick: 1 } : {}) },
      legend: { orientation: "h", x: 0, y: 1.04, yanchor: "bottom" },
      hovermode: "closest",
      shapes: [],
      annotations: [],
    },
  };
}

function points(name, trials, x, color, opacity = 0.75) {
  return {
    type: "scatter", mode: "markers", name,
    x: trials.map(x), y: trials.map(trial => trial.score),
    text: trials.map(hover), hovertemplate: "%{text}<extra></extra>",
    marker: { color, size: 8, opacity },
  };
}

function line(name, trials, x, dash, symbol) {
  return {
    ...points(name, trials, x, "strong", 1), mode: "lines+markers",
    line: { shape: "hv", width: 2, color: "strong", dash },
    marker: { color: "strong", size: 8, symbol },
  };
}

function bestSoFar(job, candidates, last) {
  const better = job.metric.direction === "minimize" ? Math.min : Math.max;
  const x = [], y = [];
  for (const trial of candidates) {
    x.push(trial.index);
    y.push(y.length ? better(y.at(-1), trial.score) : trial.score);
  }
  if (x.length && last > x.at(-1)) {
    x.push(last);
    y.push(y.at(-1));
  }
  return { type: "scatter", mode: "lines", name: "best so far", x, y, hoverinfo: "skip", line: { shape: "hv", width: 2.5, color: "strong" } };
}

function landmark(name, network, symbol, color) {
  const found = network === null || network.score === null ? [] : [network];
  return {
    type: "scatter", mode: "markers", name,
    x: found.map(each => each.latency_s * 1e3), y: found.map(each => each.score),
    text: found.map(each => [each.says, ...figuresOf(each.score, each.accuracy, each.latency_s)].join("<br>")),
    hovertemplate: "%{text}<extra></extra>",
    marker: { color, size: symbol === "star" ? 15 : 11, symbol },
  };
}

function hover(trial) {
  const of = trial.purpose === "candidate" ? "" : ` (${trial.purpose})`;
  return [`trial ${trial.index}${of}`, ...figuresOf(trial.score, trial.accuracy, trial.predicted_latency_s)].join("<br>");
}

function figuresOf(value, accuracy, latency) {
  return [`score ${score(value)}`, ...(accuracy === null ? [] : [`accuracy ${percent(accuracy)}`]), ms(latency)];
}

// The words stand on the side of the line where scores are rarely better.
function markUnpruned(figure, job, first) {
  const value = job.base.score;
  const onAxis = figure.layout.yaxis.type === "log" ? Math.log10(value) : value;
  const yanchor = job.metric.direction === "minimize" ? "top" : "bottom";
  figure.layout.shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: value, y1: value, line: { color: "soft", width: 1.5, dash: "dot" } });
  figure.layout.annotations.push({ xref: "paper", x: 1, y: onAxis, xanchor: "right", yanchor, text: `unpruned ${score(value)}`, showarrow: false, font: { size: 12, color: "soft" } });
  // A shape alone does not widen an axis; a large point leaves room for the words.
  figure.data.push({ type: "scatter", mode: "markers", x: [first], y: [value], showlegend: false, hoverinfo: "skip", marker: { opacity: 0, size: 40 } });
}

function markBudget(figure, limit) {
  figure.layout.shapes.push({ type: "line", x0: limit, x1: limit, y0: 0, y1: 1, yref: "paper", line: { color: "warn", width: 1.5, dash: "dash" } });
  figure.layout.annotations.push({ x: limit, y: 0, yref: "paper", xanchor: "left", yanchor: "bottom", xshift: 4, text: `budget ${Number(limit.toPrecision(4))} ms`, showarrow: false, font: { size: 12, color: "warn" } });
}
