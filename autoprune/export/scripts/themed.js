// Figures name their colours; the theme of the moment says what they are. Imports nothing.

const NAMES = new Set(["accent", "strong", "muted", "soft", "warn"]);

// What Plotly.react takes behind the place; colour(name) is a colour of the theme.
export function themed({ data, layout }, colour) {
  const lines = { gridcolor: colour("line"), linecolor: colour("line"), tickcolor: colour("line"), zeroline: false };
  const font = { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("soft") };
  const axes = new Set(["xaxis", "yaxis", ...Object.keys(layout).filter(key => /^[xy]axis\d+$/.test(key))]);
  const whole = {
    margin: { l: 52, r: 10, t: 36, b: 44 },
    ...coloured(layout, colour), font, autosize: true,
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { ...font, color: colour("ink") } },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    ...Object.fromEntries([...axes].map(axis => [axis, { ...lines, ...coloured(layout[axis] ?? {}, colour) }])),
  };
  return [coloured(data, colour), whole, { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false }];
}

function coloured(value, colour) {
  if (Array.isArray(value)) return value.map(each => coloured(each, colour));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, held]) => {
    if (key !== "color") return [key, coloured(held, colour)];
    return [key, held === "none" ? "rgba(0,0,0,0)" : NAMES.has(held) ? colour(held) : held];
  }));
}
