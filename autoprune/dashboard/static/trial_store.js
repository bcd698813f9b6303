// The trials of one job, page by page; only pages that can still change are read again.

import { readPage } from "./api.js";

const LIMIT = 250;
const MOST_PAGES = 20;

export class Trials {
  constructor(job) {
    this.job = job;
    this.pages = [];
    this.cut = false;
  }

  get all() {
    return this.pages.flatMap(page => page.items);
  }

  async refresh(signal) {
    const open = this.pages.findIndex(page => page.next === null || page.items.some(trial => trial.state !== "told"));
    const fresh = open < 0 ? [...this.pages] : this.pages.slice(0, open);
    let cursor = fresh.at(-1)?.next ?? "";
    while (cursor !== null && fresh.length < MOST_PAGES) {
      const page = await readPage(`/v1/jobs/${this.job}/trials`, { limit: LIMIT }, cursor, signal);
      fresh.push(page);
      cursor = page.next;
    }
    this.pages = fresh;
    this.cut = cursor !== null;
  }
}
