// Draws figures with plotly, whose script is loaded when the first chart is to be drawn.

import { colour, onTheme } from "./themes.js";

const NAMES = new Set(["accent", "strong", "muted", "soft", "warn"]);
let loading = null;

function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/assets/plotly.js";
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => { loading = null; reject(new Error("plotly.js cannot be loaded")); };
    document.head.append(script);
  });
  return loading;
}

function coloured(value) {
  if (Array.isArray(value)) return value.map(coloured);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, held]) =>
    [key, key === "color" && NAMES.has(held) ? colour(held) : coloured(held)]));
}

// A chart in `place`, drawn again when its figure or the theme changes.
export class Chart {
  constructor(place, signal) {
    this.place = place;
    this.figure = null;
    onTheme(() => this.figure && this.draw(this.figure), signal);
    signal.addEventListener("abort", () => window.Plotly?.purge(place));
  }

  async draw(figure) {
    this.figure = figure;
    const library = await plotly();
    if (!this.place.isConnected || this.figure !== figure) return;
    const { data, layout } = coloured(figure);
    const lines = { gridcolor: colour("line"), linecolor: colour("line"), tickcolor: colour("line"), zeroline: false };
    const font = { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("soft") };
    await library.react(this.place, data, {
      margin: { l: 52, r: 10, t: 36, b: 44 },
      ...layout, font, autosize: true,
      hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { ...font, color: colour("ink") } },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      xaxis: { ...lines, ...layout.xaxis }, yaxis: { ...lines, ...layout.yaxis },
    }, { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false });
  }
}
