// Which page is shown, by the part of the address behind #.

import { Problem } from "./api.js";
import { h, problemPanel } from "./dom.js";
import { showJob } from "./job.js";
import { showJobs } from "./jobs.js";
import { showSubmit } from "./submit.js";
import { installThemes } from "./themes.js";
import { installTokenDialog } from "./token.js";

const PAGES = [
  [/^#\/jobs\/([0-9a-f]{8})$/, "jobs", showJob],
  [/^#\/new$/, "new", showSubmit],
  [/^(#\/?)?$/, "jobs", showJobs],
];
const main = document.getElementById("main");
let shown = null;

async function show() {
  const [match, name, page] = PAGES.map(([pattern, ...rest]) => [location.hash.match(pattern), ...rest]).find(each => each[0])
    ?? [[], "", showNothing];
  const first = shown === null;
  shown?.abort();
  shown = new AbortController();
  const { signal } = shown;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!first) {
    scrollTo(0, 0);
    main.focus();
  }
  try {
    await page(main, signal, ...match.slice(1));
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    main.replaceChildren(h("h1", {}, "This cannot be shown"), problemPanel(error), wayBack());
  }
}

function showNothing(place) {
  document.title = "Nothing here · autoprune";
  place.replaceChildren(h("h1", {}, "There is nothing here"), wayBack());
}

function wayBack() {
  return h("p", {}, h("a", { href: "#/" }, "To the jobs"));
}

document.getElementById("skip").addEventListener("click", event => {
  event.preventDefault();
  main.focus();
});
installThemes(document.getElementById("theme"));
installTokenDialog();
addEventListener("hashchange", show);
show();
