// The button for light and dark, and the colours of the moment, for charts.

const ORDER = ["system", "light", "dark"];
const SIGNS = { system: "◐", light: "☀", dark: "☾" };
const WORDS = { system: "as the system says", light: "light", dark: "dark" };
const listeners = new Set();
const probe = document.createElement("span");

function show(button) {
  const { theme } = document.documentElement.dataset;
  button.textContent = SIGNS[theme];
  button.title = `Colours: ${WORDS[theme]}`;
  button.setAttribute("aria-label", button.title);
}

export function installThemes(button) {
  button.addEventListener("click", () => {
    const root = document.documentElement;
    root.dataset.theme = ORDER[(ORDER.indexOf(root.dataset.theme) + 1) % ORDER.length];
    localStorage.setItem("autoprune-theme", root.dataset.theme);
    show(button);
    listeners.forEach(tell => tell());
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => listeners.forEach(tell => tell()));
  probe.hidden = true;
  document.body.append(probe);
  show(button);
}

export function onTheme(tell, signal) {
  listeners.add(tell);
  signal.addEventListener("abort", () => listeners.delete(tell));
}

// A custom property's text is not its colour where it depends on the theme; an element's colour is.
export function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}
