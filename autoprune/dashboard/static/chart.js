// Draws figures with plotly, whose script is loaded when the first chart is to be drawn.

import { themed } from "./themed.js";
import { colour, onTheme } from "./themes.js";

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
    await library.react(this.place, ...themed(figure, colour));
  }
}
