// The top of a job's page: what it is, where it stands, and what can be done with it.

import { ask, problemFrom } from "./api.js";
import { badge, h, problemPanel, say, time } from "./dom.js";
import { ms } from "./format.js";

const STAGES = [["search", "Search"], ["race", "Race"], ["measure", "Measure"], ["finetune", "Finetune"], ["done", "Done"]];
const WISHES = { pause: ["queued", "running", "interrupted"], resume: ["paused", "cancelled", "failed", "interrupted"], cancel: ["queued", "running", "interrupted", "paused"] };
const DONE = { pause: "paused", resume: "queued", cancel: "cancelled" };

export function headView(id, refresh) {
  const title = h("h1", {}, `Job ${id}`);
  const badges = h("p", { class: "badges" });
  const facts = h("p", { class: "note facts" }, " ");
  const steps = h("ol", { class: "steps", "aria-label": "Stages" }, STAGES.map(([, name]) => h("li", {}, name)));
  const notice = h("div", {});
  const refusal = h("div", {});
  const buttons = Object.keys(WISHES).map(wish =>
    h("button", { type: "button", "data-wish": wish, hidden: true, onclick: () => attempt(() => wishFor(id, wish)) }, wish[0].toUpperCase() + wish.slice(1)));
  const bundle = h("button", { type: "button", class: "primary", id: "bundle", hidden: true, onclick: () => attempt(() => download(id)) }, "Download bundle");

  async function attempt(work) {
    const all = [...buttons, bundle];
    all.forEach(button => { button.disabled = true; });
    refusal.replaceChildren();
    try {
      await work();
    } catch (error) {
      refusal.replaceChildren(problemPanel(problemFrom(error, "Try again.")));
    } finally {
      all.forEach(button => { button.disabled = false; });
    }
    await refresh();
  }

  function update(job) {
    title.textContent = job.model ?? "Own model";
    badges.replaceChildren(badge(job.state), ...wished(job), h("span", { class: "badge plain" }, `budget ${limitOf(job)}`));
    facts.replaceChildren(`data ${job.data ?? "of their own"} · searcher ${job.searcher}, seed ${job.seed} · created `,
      time(job.created));
    const at = STAGES.findIndex(([name]) => name === job.stage);
    [...steps.children].forEach((step, place) => {
      step.className = job.stage === "done" || place < at ? "past" : place === at && job.state !== "queued" ? "now" : "";
      if (step.className === "now") step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
    for (const button of buttons) button.hidden = !WISHES[button.dataset.wish].includes(job.state) || job.desired_state === DONE[button.dataset.wish];
    bundle.hidden = !job.has_bundle;
    notice.replaceChildren(...noticesOf(job));
  }
  const element = h("div", {},
    h("p", { class: "crumbs" }, h("a", { href: "#/" }, "Jobs"), " / ", h("code", {}, id)),
    h("div", { class: "head" }, h("div", {}, title, badges), h("div", { class: "actions" }, buttons, bundle)),
    facts, steps, notice, refusal);
  return { element, update };
}

function limitOf(job) {
  const given = job.budget.given.join(", ");
  return job.budget.latency_s === undefined || job.budget.latency_s === null ? given : `${given} = ${ms(job.budget.latency_s)}`;
}

// The state that a job's driver was asked for and has not reached.
const awaited = ({ state, desired_state }) => desired_state !== state ? desired_state : null;

function wished(job) {
  const next = awaited(job);
  return next ? [h("span", { class: "badge plain" }, `will be ${next}`)] : [];
}

function noticesOf(job) {
  if (job.state === "failed") return [h("div", { class: "problem" }, h("strong", {}, "This job has failed"), h("p", {}, job.error ?? "The worker's log says more."))];
  if (job.state === "interrupted") return [h("p", { class: "hint" }, "This job was interrupted: ", ...goingOn(job))];
  if (job.state === "queued") return [h("p", { class: "hint" }, "Waiting for a worker: run ", h("code", {}, "autoprune worker"), " on the machine whose latency counts.")];
  if (job.state === "finished" && !job.has_bundle) return [h("p", { class: "hint" }, "No worker ran this job, so no bundle is stored: ", h("code", {}, `autoprune export ${job.job}`), " writes it on the server.")];
  return [];
}

function goingOn(job) {
  if (job.priority !== null) return ["its worker is gone, and another one takes it."];
  return ["its process is gone. ", h("code", {}, `autoprune resume ${job.job}`), " goes on with it, Resume leaves it to a worker."];
}

async function wishFor(id, wish) {
  const answer = await (await ask(`/v1/jobs/${id}:${wish}`, { method: "POST" })).json();
  const next = awaited(answer);
  say(next ? `Job ${id} will be ${next}` : `Job ${id} is ${answer.state}`);
}

// A link could send no token: the bundle is fetched, and then given to the browser as a file.
async function download(id) {
  const content = await (await ask(`/v1/jobs/${id}/export`)).blob();
  const address = URL.createObjectURL(content);
  h("a", { href: address, download: `autoprune-${id}.zip` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
  say("The bundle is downloaded");
}
