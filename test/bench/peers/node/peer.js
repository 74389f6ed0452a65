// What the Node.js peers have in common; see internal/peer/peer.go for what a peer is.
import { readFileSync } from 'node:fs';

export const [host, port] = process.env.BENCH_ADDR.split(':');
export const items = Number(process.env.BENCH_ITEMS);
export const concurrency = Number(process.env.BENCH_CONCURRENCY);
export const connection = { host, port: Number(port) };

export function* payloads() {
  for (let i = 0; i < items; i++) yield String(i).padStart(16, '0');
}

// Calls each with at most 500 payloads at a time.
export async function inChunks(each) {
  const all = [...payloads()];
  for (let i = 0; i < all.length; i += 500) await each(all.slice(i, i + 500));
}

// counter answers a handler's body: it keeps the time from the first item to the last, and then calls done.
export function counter(done) {
  let n = 0;
  let started = 0;
  return () => {
    if (n === 0) started = performance.now();
    if (++n === items) done((performance.now() - started) / 1000);
  };
}

// report prints the result and ends the process, whatever the library still keeps open.
export function report(library, seconds) {
  const manifest = new URL(`../node_modules/${library}/package.json`, import.meta.url);
  const { version } = JSON.parse(readFileSync(manifest));
  process.stdout.write(JSON.stringify({ items, seconds, version }) + '\n', () => process.exit(0));
}
