// Server-sent events over fetch: EventSource can send no header, so it could send no token.

import { ask, patiently, sleep } from "./api.js";

// Tells that there is an event, for each behind `last`, reconnecting as often as needed, until the job ends.
export async function follow(path, last, tell, signal) {
  for (;;) {
    const response = await patiently(() => ask(path, { signal, headers: { "Last-Event-ID": String(last) } }), signal);
    try {
      for await (const event of eventsOf(response.body)) {
        if (event.id !== undefined) last = Number(event.id);
        tell();
        if (event.event === "end") return;
      }
    } catch {
      signal.throwIfAborted();
    }
    await sleep(1000, signal);
  }
}

async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").filter(line => !line.startsWith(":")).map(fieldOf));
      if (fields.data !== undefined) yield fields;
    }
  }
}

function fieldOf(line) {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
}
