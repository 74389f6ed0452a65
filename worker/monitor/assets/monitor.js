// Keeps the page up to date. Whatever comes from a queue is put in as text, never as markup.
"use strict";

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const shownItem = 160; // characters of an item in a line
const recordsShown = 50;
const failureKinds = 500; // in the table at most
const samplesKept = 600;
const columns = 150; // of the chart at most

const samples = []; // the course of the run; the older, the fewer
let queue = new URLSearchParams(location.search).get("queue"); // null until the monitor has named the run
let run = null; // the latest snapshot
let lostSince = null;

function element(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

// span returns how long something took, as report.Duration does.
function span(seconds) {
  if (seconds < 0.0005) return "<1 ms";
  if (seconds < 0.9995) return Math.round(1000 * seconds) + " ms";
  if (seconds < 10) return seconds.toFixed(1) + " s";
  if (seconds < 120) return Math.round(seconds) + " s";
  if (seconds < 7200) return Math.round(seconds / 60) + " min";
  return (seconds / 3600).toFixed(1) + " h";
}

function size(bytes) {
  if (bytes < 10240) return number.format(bytes) + " bytes";
  return bytes < 10485760 ? number.format(Math.round(bytes / 1024)) + " KiB" : number.format(Math.round(bytes / 1048576)) + " MiB";
}

function rate(r) {
  return r < 10 ? small.format(r) : number.format(Math.round(r));
}

function perSecond(r) {
  return rate(r) + (rate(r) === "1" ? " item per second" : " items per second");
}

// counted returns a number with the noun, or noun and verb, that agrees with it.
function counted(n, one, many) {
  return number.format(n) + " " + (n === 1 ? one : many);
}

const timeOfDay = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short" });
const date = new Intl.DateTimeFormat("sv"); // as in ISO 8601

// moment is a time element: the time of day where the reader is, with its zone, and with the date if it is not today. Its title is in UTC,
// as the verbs and logs have it.
function moment(time) {
  const at = new Date(time);
  const day = date.format(at);
  const e = element("time", (day === date.format(new Date()) ? "" : day + " ") + timeOfDay.format(at));
  e.dateTime = at.toISOString();
  e.title = e.dateTime.slice(0, 19).replace("T", " ") + " UTC";
  return e;
}

// timed returns what the monitor has written at a time as parts for put, with a time element for each time of day in UTC.
function timed(text, now) {
  return text.split(/((?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d UTC)/).map((part, i) => {
    if (i % 2 === 0) return part;
    const today = new Date(now).toISOString().slice(0, 10);
    let at = Date.parse((part.length > 12 ? part : today + " " + part).replace(" UTC", "Z").replace(" ", "T"));
    if (part.length === 12 && at - now > 43200000) at -= 86400000; // the monitor leaves out the date within half a day
    if (part.length === 12 && now - at > 43200000) at += 86400000;
    return Number.isNaN(at) ? part : moment(at);
  });
}

// put shows parts, which are texts and elements. Those that read as before stay, so that a title that is shown does not go.
function put(e, parts) {
  parts.forEach((part, i) => {
    const old = e.childNodes[i];
    if (!old) e.append(part);
    else if (old.nodeName !== (part.nodeName || "#text") || old.textContent !== (part.textContent ?? part)) old.replaceWith(part);
  });
  while (e.childNodes.length > parts.length) e.lastChild.remove();
}

// plain shows characters that could hide or reorder others, and drops a terminal's colours.
function plain(s) {
  return s.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "")
    .replace(/\r\n?/g, "\n")
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (c) => "‹" + c.charCodeAt(0).toString(16) + "›");
}

function decode(base64) {
  return new TextDecoder().decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
}

function text(record) {
  return plain(record.item_encoding ? decode(record.item) : record.item);
}

function line(record) {
  const s = text(record).replace(/\s+/g, " ");
  if (s === "") return '""';
  return s.length > shownItem ? s.slice(0, shownItem) + "…" : s;
}

// podName is a pod's name, and nothing that a shell would understand.
const podName = /^[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?$/;

// logLine returns the command that prints a pod's log, or nothing if the name is no pod's.
function logLine(pod, since) {
  if (!podName.test(pod || "")) return "";
  return "kubectl logs " + pod + (since ? " --since-time=" + new Date(since).toISOString() : "");
}

// copyButton copies a text, or selects it where the browser does not let a page copy.
function copyButton(text, label) {
  const button = element("button", "Copy", "small");
  button.type = "button";
  button.title = text;
  button.setAttribute("aria-label", label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch (error) {
      button.textContent = text;
      getSelection().selectAllChildren(button);
    }
  });
  return button;
}

// arrange gives an element these children. Those that stay are not taken out, so that the focus, what is open and how far it is scrolled
// stay, too.
function arrange(parent, wanted) {
  const stay = new Set(wanted);
  for (const child of [...parent.children]) if (!stay.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const child of wanted) {
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
}

// fill brings a table up to date. Rows that stay are kept with their buttons and links, so that the focus stays too.
function fill(body, rows) {
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  const known = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  const wanted = rows.map((row) => {
    const kept = known.get(row.dataset.key);
    if (!kept) return row;
    [...row.cells].forEach((cell, i) => {
      const old = kept.cells[i];
      if (!old.querySelector("button") && old.textContent !== cell.textContent) old.replaceChildren(...cell.childNodes);
    });
    return kept;
  });
  arrange(body, wanted);
  if (focused && document.activeElement !== focused) (focused.isConnected ? focused : body.closest(".scroll")).focus();
}

function link(path, params) {
  const query = new URLSearchParams(queue === null ? {} : { queue });
  for (const [name, value] of Object.entries(params || {})) if (value) query.set(name, value);
  return path + "?" + query;
}

async function get(path, params, signal) {
  const response = await fetch(link(path, params), { signal });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

// ---- progress

function show(now) {
  run = now;
  if (queue !== run.queue) {
    queue = run.queue;
    links();
  }
  for (const count of document.querySelectorAll(".counts dd")) {
    count.textContent = number.format(run[count.id]);
    count.parentElement.classList.toggle("zero", run[count.id] === 0);
  }
  $("queue").textContent = run.queue;
  state(run.state);
  put($("summary"), timed(run.summary, Date.parse(run.now)));
  $("clock").replaceWith(Object.assign(moment(run.now), { id: "clock" }));
  let from = 0;
  for (const bar of $("progress").children) {
    const part = run.total ? (100 * run[bar.dataset.state]) / run.total : 0;
    bar.setAttribute("x", from + "%");
    bar.setAttribute("width", part + "%");
    from += part;
  }
  const percent = run.done_percent.toFixed(1) + " %";
  const ended = run.ended_percent.toFixed(1);
  $("progress").setAttribute("aria-valuenow", ended);
  $("percent").textContent = percent;
  $("ended").textContent = "done" + (run.cancelled && run.done ? " of what was not cancelled" : "") +
    (run.ended_percent === run.done_percent ? "" : ", " + ended + " % ended");
  document.title = (run.finished ? run.state : percent) + " – " + run.queue; // how it ended, since a share that stands still looks like a run that hangs
  icon(run.ended_percent);
  const pace = [];
  const add = (...parts) => pace.push(...(pace.length ? [" · "] : []), ...parts);
  if (run.started) add("started ", moment(run.started));
  if (run.finished) add(run.state === "stopped" ? "stopped " : "finished ", moment(run.finished), " · took " + span(run.seconds));
  else if (run.started) add("for " + span(run.seconds));
  if (run.rate && run.leased) add(perSecond(run.rate) + " lately");
  if (run.finished && run.average) add(perSecond(run.average) + " on average");
  if (run.left !== null && run.leased && run.state === "running") add("ends about ", moment(Date.parse(run.now) + 1000 * run.left));
  put($("pace"), pace);
  const attempts = ["dead items allowed: " + number.format(run.max_dead)];
  if (run.failed) attempts.push("failed attempts that are retried: " + number.format(run.failed));
  if (run.snoozed) attempts.push("snoozed: " + number.format(run.snoozed));
  if (run.expired) attempts.push("expired leases: " + number.format(run.expired));
  if (run.results_dropped) attempts.push("results dropped: " + number.format(run.results_dropped));
  $("attempts").textContent = attempts.join(" · ");
  $("actions").hidden = !run.actions;
  $("resume").hidden = run.state !== "paused";
  $("pause").hidden = !$("resume").hidden;
  $("pause").classList.toggle("unseen", !run.pausable); // it keeps its place
  document.body.classList.remove("blank");
}

function state(name) {
  if ($("state").textContent !== name) $("state").textContent = name; // it is read aloud
  $("state").dataset.state = name;
}

// icon draws the progress as a ring in the tab.
function icon(percent) {
  const colour = getComputedStyle($("state")).backgroundColor;
  const ring = (c, part) => `<circle cx="8" cy="8" r="6" fill="none" stroke="${c}" stroke-width="4" pathLength="100" ` +
    `stroke-dasharray="${part.toFixed(0)} 100" transform="rotate(-90 8 8)"/>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${ring("#9995", 100)}${ring(colour, percent)}</svg>`;
  const href = "data:image/svg+xml," + encodeURIComponent(svg);
  if ($("icon").href !== href) $("icon").href = href;
}

function lost(what) {
  if (!lostSince) lostSince = Date.now();
  put($("alert"), [what + " since ", moment(lostSince), ". " +
    (run ? "The page shows the run as it was then, and continues by itself." : "The page continues by itself.")]);
  $("alert").hidden = false;
  document.body.classList.add("stale");
  state("unreachable");
}

function found() {
  lostSince = null;
  $("alert").hidden = true;
  document.body.classList.remove("stale");
}

// ---- chart

function sample(s) {
  const one = { at: Date.parse(s.at), done: s.done, dead: s.dead + s.revived };
  const last = samples[samples.length - 1];
  if (last && (one.at <= last.at || (run && run.finished && one.done === last.done && one.dead === last.dead))) return;
  if (samples.length >= samplesKept) samples.splice(missedLeast(one.at), 1);
  samples.push(one);
}

// missedLeast returns the sample whose neighbours are closest for its age, as in sampler.go.
function missedLeast(now) {
  const worth = (i) => (samples[i + 1].at - samples[i - 1].at) / (now - samples[i].at + 120000);
  let drop = 1;
  for (let i = 2; i < samples.length - 1; i++) if (worth(i) < worth(drop)) drop = i;
  return drop;
}

// rates returns how many items of a kind ended per second in each of n equal intervals.
function rates(kind, n) {
  const from = samples[0].at;
  const step = (samples[samples.length - 1].at - from) / n;
  let i = 0;
  const countAt = (t) => {
    while (i < samples.length - 2 && samples[i + 1].at < t) i++;
    const a = samples[i], b = samples[i + 1];
    return a[kind] + ((b[kind] - a[kind]) * (Math.min(t, b.at) - a.at)) / (b.at - a.at);
  };
  let before = samples[0][kind];
  return Array.from({ length: n }, (_, k) => {
    const now = countAt(from + (k + 1) * step);
    const r = Math.max(0, now - before) / (step / 1000);
    before = now;
    return r;
  });
}

function draw() {
  if (run && run.finished && !$("chart").firstChild) $("chart-top").textContent = "not on record";
  if (samples.length < 3) return;
  const from = samples[0].at, to = samples[samples.length - 1].at;
  const n = Math.max(2, Math.min(columns, Math.floor((to - from) / 1000)));
  const done = rates("done", n), dead = rates("dead", n);
  const top = Math.max(...done.map((r, i) => r + dead[i]));
  if (!(top > 0)) return;
  const x = (i) => ((600 * i) / n).toFixed(1);
  const y = (r) => (100 - (94 * r) / top).toFixed(1);
  const area = (className, lower, upper) => {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const up = upper.map((r, i) => `L${x(i)} ${y(r)} L${x(i + 1)} ${y(r)}`).join(" ");
    const down = lower.map((r, i) => `L${x(i + 1)} ${y(r)} L${x(i)} ${y(r)}`).reverse().join(" ");
    path.setAttribute("d", `M0 ${y(lower[0])} ${up} ${down} Z`);
    path.setAttribute("class", className);
    return path;
  };
  $("chart").replaceChildren(area("done", done.map(() => 0), done), area("dead", done, done.map((r, i) => r + dead[i])));
  $("chart-top").textContent = rate(top) + " per second";
  put($("chart-from"), [moment(from)]);
  put($("chart-to"), [moment(to)]);
}

// ---- workers

async function loadWorkers() {
  const all = await get("api/workers");
  const now = run ? Date.parse(run.now) : Date.now();
  const rows = all.workers.map((worker) => {
    const row = element("tr");
    row.dataset.key = worker.worker;
    const cell = (text, className) => row.appendChild(element("td", text, className));
    const pod = cell(plain(worker.pod) + " ");
    pod.title = plain(worker.worker);
    const log = logLine(worker.pod);
    if (log) pod.append(copyButton(log, "Copy the command for the log of " + worker.pod));
    const age = (time) => span(Math.max(0, (now - Date.parse(time)) / 1000));
    cell(plain(worker.node || "–"));
    cell(age(worker.started), "number");
    cell(number.format(worker.leased), "number");
    const item = cell("", "item");
    if (worker.item) item.append(element("code", line(worker.item)), " for " + age(worker.item.since) + (worker.item.attempt > 1 ? " (attempt " + worker.item.attempt + ")" : ""));
    else item.append("–");
    cell(number.format(worker.done), "number");
    cell(number.format(worker.dead), "number");
    cell(worker.rate ? rate(worker.rate) : "–", "number");
    const last = worker.last_error;
    cell(last ? "" : "–", "item").append(...(last ? [moment(last.at), " item " + plain(last.item_id) + ": " + plain(last.reason)] : []));
    return row;
  });
  fill($("workers-rows"), rows);
  $("workers").hidden = rows.length === 0;
  $("workers-none").hidden = rows.length > 0;
  const { attempts, p50, p95, max } = all.latency;
  const latency = [];
  if (rows.length && all.running !== undefined) latency.push(counted(all.running, "item runs", "items run"));
  if (attempts === 1) latency.push("the latest attempt took " + span(max));
  else if (attempts) latency.push("the latest " + number.format(attempts) + " attempts took: p50 " + span(p50) + ", p95 " + span(p95) + ", longest " + span(max));
  else latency.push(run && run.attempts ? "how long attempts took is not on record" : "no attempt has ended yet");
  if (all.more) latency.push("more workers or leases are there than are read");
  $("latency").textContent = latency.join(" · ");
  fill($("settings-rows"), all.settings.map((setting) => {
    const row = element("tr");
    row.dataset.key = setting.name;
    const name = element("th", plain(setting.name));
    name.scope = "row";
    const value = element("td");
    value.append(element("code", plain(setting.value)));
    row.append(name, value);
    return row;
  }));
}

// ---- runs

async function loadRuns() {
  const all = await get("api/runs");
  fill($("runs-rows"), all.map((one) => {
    const row = element("tr");
    row.dataset.key = one.queue;
    const to = element("a", one.queue);
    to.href = "?" + new URLSearchParams({ queue: one.queue });
    if (one.queue === queue) to.setAttribute("aria-current", "page");
    row.append(element("td"), element("td", one.state), element("td", one.started ? "" : "–"),
      element("td", one.started ? span(one.seconds) : "–", "number"), element("td", number.format(one.total), "number"),
      element("td", number.format(one.done), "number"), element("td", number.format(one.dead), "number"));
    row.firstChild.append(to);
    if (one.started) row.cells[2].append(moment(one.started));
    return row;
  }));
}

// ---- records: dead letters and results, a page at a time

const fingerprints = { dead: () => run.dead + " " + run.revived, results: () => String(run.done) };

class Records {
  constructor(kind) {
    this.kind = kind;
    this.failure = ""; // only this group is shown
    this.pages = [""]; // where each page starts, up to the one shown
    this.next = "";
    this.shown = null; // fingerprint of what the list was made from
    this.open = new Set(); // keys of the records that are open
    this.part("match").addEventListener("input", () => { clearTimeout(this.typing); this.typing = setTimeout(() => this.first(), 250); });
    this.part("older").addEventListener("click", () => { this.pages.push(this.next); this.load(); });
    this.part("newer").addEventListener("click", () => { this.pages.pop(); this.load(); });
    this.part("fresh").addEventListener("click", () => this.first());
  }

  part(name) { return $(this.kind + "-" + name); }

  get filter() { return { match: this.part("match").value, failure: this.failure }; }

  get filtered() { return Boolean(this.filter.match || this.failure); }

  first() {
    this.pages = [""];
    return this.load();
  }

  // load fills the page that pages ends with. One request searches only a part of the records: it asks again until the
  // page is full.
  async load() {
    if (this.loading) this.loading.abort();
    const mine = (this.loading = new AbortController());
    this.shown = run && fingerprints[this.kind]();
    links();
    const records = [];
    let read = 0;
    let before = this.pages[this.pages.length - 1];
    do {
      let page;
      try {
        page = await get("api/" + this.kind, { ...this.filter, before, limit: recordsShown - records.length }, mine.signal);
      } catch (error) {
        if (!mine.signal.aborted) this.shown = null; // try again with the next snapshot
        return;
      }
      if (mine !== this.loading) return;
      records.push(...page.records);
      read += page.read;
      before = page.next || "";
      this.say(records, read, before);
    } while (before && records.length < recordsShown);
    this.next = before;
    const used = [...this.part("list").children].filter((li) => li.querySelector("details[open]") || li.contains(document.activeElement));
    const known = new Map(used.map((li) => [li.dataset.key, li]));
    arrange(this.part("list"), records.map((record) => known.get(this.key(record)) || this.row(record)));
    this.part("fresh").classList.add("unseen");
    this.part("newer").disabled = this.pages.length === 1;
    this.part("older").disabled = !this.next;
    if (this.kind === "dead") {
      $("retry-all").classList.toggle("unseen", !run || !run.actions || records.length === 0);
      $("retry-all").textContent = this.filtered ? "Retry all of these…" : "Retry all…";
      $("dead-clear").classList.toggle("unseen", !this.failure);
    }
  }

  say(records, read, more) {
    const searching = more && records.length < recordsShown;
    this.part("status").textContent = searching ? "Searching: " + number.format(read) + " read, " + number.format(records.length) + " found …"
      : records.length === 0 ? (this.filtered ? "None matches." : "None.")
        : "Page " + this.pages.length + ", the latest first" + (this.failure ? ", only “" + plain(this.failure) + "”" : "") + ".";
  }

  // freshen shows new records at once, but takes nothing away from somebody who reads.
  freshen() {
    if (this.shown === fingerprints[this.kind]()) return;
    if (this.pages.length > 1 || this.part("list").querySelector("details[open]") || this.part("list").contains(document.activeElement)) {
      this.part("fresh").classList.remove("unseen");
    } else {
      this.load();
    }
  }

  // key names a record among those of all runs.
  key(record) { return record.key + " " + queue; }

  row(record) {
    const li = element("li");
    const key = (li.dataset.key = this.key(record));
    const details = element("details");
    const summary = element("summary");
    summary.append(element("code", line(record)));
    if (record.reason) summary.append(element("span", plain(record.reason), "reason"));
    if (record.started) summary.append(moment(record.started));
    details.append(summary);
    details.addEventListener("toggle", () => {
      if (details.open && details.childElementCount === 1) details.append(this.inside(record));
      if (details.open) this.open.add(key);
      else this.open.delete(key);
    });
    details.open = this.open.has(key);
    li.append(details);
    return li;
  }

  inside(record) {
    const all = element("div", undefined, "record");
    const facts = element("dl", undefined, "facts");
    const fact = (name, value) => {
      const one = element("div");
      one.append(element("dt", name), element("dd"));
      one.lastChild.append(value.nodeName ? value : plain(String(value)));
      facts.append(one);
    };
    const part = (title, content, note) => all.append(element("h3", note ? title + ": " + note : title), element("pre", content));
    all.append(facts);
    fact("ID", record.id);
    if (record.exit_code) fact("exit code", record.exit_code);
    if (record.attempt) fact("attempt", record.attempt);
    if (record.crashes) fact("crashes", record.crashes);
    if (record.host) fact("pod", record.host + (record.node ? ", node " + record.node : ""));
    if (record.started) fact("started", moment(record.started));
    if (record.started) fact("took", span(record.seconds || 0));
    if (record.output) part(this.kind === "dead" ? "The last lines of its output" : "Output", plain(record.output_encoding ? decode(record.output) : record.output), record.truncated ? "cut" : "");
    const item = text(record);
    if (item !== line(record)) {
      const notes = [];
      if (record.item_encoding) notes.push("not UTF-8; what is not text is shown as \ufffd");
      if (record.item_bytes) notes.push("the first part of " + size(record.item_bytes));
      part("Item", item, notes.join("; "));
    }
    const tools = element("div", undefined, "tools");
    if (record.item_bytes || record.truncated) {
      const whole = element("a", "Whole record as JSON");
      whole.href = link("api/" + this.kind + "/" + encodeURIComponent(record.key));
      whole.target = "_blank";
      whole.rel = "noopener";
      tools.append(whole);
    }
    const log = logLine(record.host, record.started);
    if (log) tools.append(element("code", log), copyButton(log, "Copy the command for the log of " + record.host));
    if (this.kind === "dead" && run && run.actions) {
      const button = element("button", "Retry…");
      button.type = "button";
      button.setAttribute("aria-label", "Retry " + line(record));
      button.addEventListener("click", () => retry({ keys: [record.key] }, "this item"));
      tools.append(button);
    }
    if (tools.childElementCount) all.append(tools);
    return all;
  }
}

const dead = new Records("dead");
const results = new Records("results");

function links() {
  for (const records of [dead, results]) {
    for (const format of ["jsonl", "csv"]) {
      const a = records.part(format);
      a.href = link("download/" + records.kind + "." + format, records.filter);
      a.setAttribute("aria-label", "Download " + (records.filtered ? "these " : "all ") + (records.kind === "dead" ? "dead items" : "results") + " as " + format.toUpperCase());
    }
  }
}

// ---- failures: dead items in groups that failed alike

let counting = null;
let failuresShown = null;
let allCounted = false; // somebody asked for all, not only the latest

async function loadFailures() {
  if (counting) counting.abort();
  const mine = (counting = new AbortController());
  failuresShown = fingerprints.dead();
  const groups = new Map();
  let others = 0;
  let read = 0;
  let before = "";
  do {
    let page;
    try {
      page = await get("api/failures", { before }, mine.signal);
    } catch (error) {
      if (counting === mine) counting = failuresShown = null; // try again with the next snapshot
      return;
    }
    if (mine !== counting) return;
    for (const group of page.failures) {
      const known = groups.get(group.failure);
      if (known) known.count += group.count;
      else if (groups.size < failureKinds) groups.set(group.failure, group);
      else others += group.count;
    }
    others += page.others;
    read += page.read;
    before = page.next || "";
    if (before && allCounted) $("failures-status").textContent = "Counting: " + number.format(read) + " …";
  } while (before && allCounted);
  counting = null;
  const rows = [...groups.values()].sort((a, b) => b.count - a.count).map(failureRow);
  fill($("failures-rows"), rows);
  $("failures-status").textContent = read === 0 ? "No item is dead." : "Kinds of failure of " +
    (read === 1 ? (before ? "the latest" : "the only") + " dead item" : (before ? "the latest " : "all ") + number.format(read) + " dead items") +
    (others ? "; " + counted(others, "is of another kind", "are of other kinds") : "") + ".";
  $("failures-all").classList.toggle("unseen", !before);
}

function failureRow(group) {
  const row = element("tr");
  row.dataset.key = group.failure;
  row.append(element("td", number.format(group.count), "number"), element("td", plain(group.failure), "reason"), element("td"));
  const button = (name, does) => {
    const b = element("button", name, "small");
    b.type = "button";
    b.setAttribute("aria-label", name + " " + plain(group.failure));
    b.addEventListener("click", does);
    row.lastChild.append(b, " ");
  };
  button("Show", () => { dead.failure = group.failure; $("dead-match").value = ""; dead.first(); });
  if (run.actions) button("Retry…", () => retry({ failure: group.failure }, "all dead items of the kind “" + plain(group.failure) + "”"));
  return row;
}

// ---- actions

let carryOut = null; // what the dialog asks about

function ask(title, text, yes, does) {
  $("confirm-title").textContent = title;
  $("confirm-text").textContent = text;
  $("confirm-yes").textContent = yes;
  $("confirm-yes").hidden = $("confirm-who").hidden = false;
  $("confirm-no").textContent = "Cancel";
  say("");
  carryOut = does;
  $("confirm").showModal();
  ($("token").value ? $("confirm-yes") : $("token")).focus();
}

function say(what, wrong) {
  $("confirm-status").textContent = what;
  $("confirm-status").classList.toggle("wrong", Boolean(wrong));
}

async function post(action, request) {
  const response = await fetch(link("api/" + action), {
    method: "POST",
    headers: { Authorization: "Bearer " + $("token").value, "Content-Type": "application/json" },
    body: JSON.stringify(request),
  });
  if (response.status === 401) throw new Error("The token is wrong.");
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

$("confirm-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if ($("confirm-yes").hidden || $("confirm-yes").disabled) return;
  if (!$("token").value) {
    say("The token is missing.", true);
    $("token").focus();
    return;
  }
  $("confirm-yes").disabled = true;
  try {
    say(await carryOut());
    $("confirm-yes").hidden = $("confirm-who").hidden = true;
    $("confirm-no").textContent = "Close";
    $("confirm-no").focus();
  } catch (error) {
    say(error instanceof TypeError ? "The monitor cannot be reached." : error.message, true);
    $("token").focus();
  } finally {
    $("confirm-yes").disabled = false;
  }
});

function retry(request, which) {
  ask("Retry " + which + "?", "They go back into the queue with no failed attempts on record, and their dead letters are removed. " +
    "This cannot be undone. To keep them from running for now, pause the run first.", "Retry", async () => {
    let items = 0;
    let before = "";
    do { // one request looks at a part of the dead letters only
      const response = await post("retry", { ...request, before });
      items += response.items;
      before = response.next || "";
      if (before) say(number.format(items) + " so far …");
    } while (before);
    dead.first();
    failuresShown = null;
    return counted(items, "item is", "items are") + " back in the queue." +
      (run.finished ? " The run had finished: if its workers are gone, start some." : "");
  });
}

$("pause").addEventListener("click", () => ask("Pause the run?", "Workers start nothing new. Items that are running continue. Undo it with Resume.", "Pause", async () => {
  await post("pause", {});
  return "Paused. Undo it with Resume.";
}));
$("resume").addEventListener("click", () => ask("Resume the run?", "Workers start items again. Undo it with Pause.", "Resume", async () => {
  await post("resume", {});
  return "Resumed. Undo it with Pause.";
}));
$("confirm-no").addEventListener("click", () => $("confirm").close());
$("retry-all").addEventListener("click", () => {
  const { match, failure } = dead.filter;
  retry(dead.filtered ? { match, failure } : { all: true }, dead.filtered ? "all dead items that match" : run.dead === 1 ? "the only dead item" : "all " + number.format(run.dead) + " dead items");
});
$("dead-clear").addEventListener("click", () => { dead.failure = ""; dead.first(); });
$("failures-all").addEventListener("click", () => { allCounted = true; loadFailures(); });

// ---- live

function refresh() {
  draw();
  dead.freshen();
  if (!counting && failuresShown !== fingerprints.dead()) loadFailures();
  if ($("results-card").open) results.freshen();
  if ($("runs-card").open) loadRuns().catch(() => {});
  loadWorkers().catch(() => {});
}

function listen() {
  get("api/samples").then((old) => { old.forEach(sample); draw(); }).catch(() => {});
  const events = new EventSource(link("events"));
  let heard = Date.now();
  events.onmessage = (event) => {
    heard = Date.now();
    found();
    show(JSON.parse(event.data));
    sample({ at: run.now, done: run.done, dead: run.dead, revived: run.revived });
    if (!document.hidden) refresh();
  };
  events.addEventListener("unreachable", () => { heard = Date.now(); lost("Redis has been unreachable"); });
  events.onerror = () => lost("No connection to the monitor");
  // A proxy may refuse for good what would come back, or keep a dead connection open.
  const watch = setInterval(() => {
    if (events.readyState !== EventSource.CLOSED && Date.now() - heard < 15000) return;
    lost("No connection to the monitor");
    events.close();
    clearInterval(watch);
    listen();
  }, 3000);
}

$("results-card").addEventListener("toggle", () => { if ($("results-card").open && run) results.freshen(); });
$("runs-card").addEventListener("toggle", () => { if ($("runs-card").open) loadRuns().catch(() => {}); });
get("api/counts").then((now) => { show(now); listen(); }, (error) => {
  if (!error.message.startsWith("queue:")) return listen();
  $("alert").textContent = error.message; // it will not become one
  $("alert").hidden = false;
});
