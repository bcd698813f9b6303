// Questions to the API. The token goes in a header, never in an address or a cookie.

const KEPT = "autoprune-token";
let token = sessionStorage.getItem(KEPT) ?? "";
let asked = null;
let askForToken = async () => {};

export class Problem extends Error {
  constructor(document) {
    super(document.detail ?? document.title);
    this.document = document;
  }
}

// What is shown of an error: a refusal as it is; anything else as a server that does not answer.
export const problemFrom = (error, detail) =>
  error instanceof Problem ? error : new Problem({ title: "The server does not answer", detail });

export const hasToken = () => token !== "";

export function keepToken(text) {
  token = text;
  if (text) sessionStorage.setItem(KEPT, text);
  else sessionStorage.removeItem(KEPT);
}

// `ask(refused)` resolves when there is a new token; `refused` says that one was sent in vain.
export function installToken(ask) {
  askForToken = ask;
}

export async function ask(path, { headers = {}, ...options } = {}) {
  for (;;) {
    const sent = token;
    const own = sent ? { Authorization: `Bearer ${sent}` } : {};
    const response = await fetch(path, { ...options, headers: { ...headers, ...own }, credentials: "omit", cache: "no-store" });
    if (response.ok) return response;
    if (response.status !== 401) throw await problemOf(response);
    if (token === sent) {
      asked ??= askForToken(sent !== "").finally(() => { asked = null; });
      await asked;
    }
    options.signal?.throwIfAborted();
  }
}

export const read = async (path, options) => (await ask(path, options)).json();

// One page of a list; an empty cursor asks for the first one.
export function readPage(path, asked, cursor, signal) {
  return read(`${path}?${new URLSearchParams({ ...asked, ...(cursor ? { cursor } : {}) })}`, { signal });
}

async function problemOf(response) {
  const known = response.headers.get("content-type") === "application/problem+json";
  const text = `The server answered ${response.status}`;
  return new Problem(known ? await response.json() : { title: text, detail: text, status: response.status });
}

// Runs until it succeeds or is aborted; a server that is away is said on top of the page.
export async function patiently(work, signal) {
  const notice = document.getElementById("offline");
  for (let wait = 1000; ; wait = Math.min(wait * 1.6, 10000)) {
    try {
      const found = await work();
      notice.hidden = true;
      return found;
    } catch (error) {
      signal.throwIfAborted();
      const passing = !(error instanceof Problem) || error.document.status === 503;
      if (!passing) throw error;
      notice.hidden = false;
      await sleep(wait, signal);
    }
  }
}

export async function sleep(time, signal) {
  await new Promise(resolve => setTimeout(resolve, time));
  signal.throwIfAborted();
}
