// Keeps the page up to date. Whatever comes from a queue is put in as text, never as markup.
"use strict";

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const actionsOn = document.body.dataset.actions === "true";
const shownItem = 160; // characters of an item in a line
const samplesKept = 600;
const columns = 150; // of the chart at most

const samples = []; // how far the run was, over time; the older, the fewer
let run = null; // the latest snapshot
let awaySince = null;

function element(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

function span(seconds) {
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
  return number.format(r < 10 ? Math.round(r * 100) / 100 : Math.round(r));
}

// clock is a time of day, with the day if that is another.
function clock(time) {
  const t = new Date(time);
  const today = t.toDateString() === new Date().toDateString();
  return (today ? "" : t.toLocaleDateString([], { month: "short", day: "numeric" }) + " ") + t.toLocaleTimeString([], { hour12: false });
}

// plain makes every character visible that could hide or turn round others, and leaves out a terminal's colours.
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

// ---- how far the run is

function show(now) {
  run = now;
  for (const name of ["ready", "leased", "delayed", "suspects", "done", "dead", "failed", "expired", "total"]) {
    $(name).textContent = number.format(run[name]);
    $(name).parentElement.classList.toggle("zero", run[name] === 0);
  }
  $("failed").parentElement.hidden = run.failed + run.expired === 0;
  state(run.state);
  $("says").textContent = run.says;
  $("clock").textContent = clock(run.now);
  const part = (n) => (run.total ? (100 * n) / run.total : 0);
  const bar = (name, from, n) => {
    $(name).setAttribute("x", part(from) + "%");
    $(name).setAttribute("width", part(n) + "%");
  };
  bar("bar-done", 0, run.done);
  bar("bar-dead", run.done, run.dead);
  bar("bar-leased", run.done + run.dead, run.leased);
  const over = run.done + run.dead;
  const percent = (over < run.total ? Math.min(part(over), 99.9) : part(over)).toFixed(1);
  $("progress").setAttribute("aria-valuenow", percent);
  $("percent").textContent = percent + " %";
  document.title = percent + " % – " + $("queue").textContent;
  icon(part(over));
  const pace = [];
  if (run.started) pace.push("began " + clock(run.started));
  if (run.finished) pace.push("ended " + clock(run.finished), "took " + span(run.seconds));
  else if (run.started) pace.push("for " + span(run.seconds));
  if (run.rate && run.leased) pace.push(rate(run.rate) + " items a second lately");
  if (run.finished && run.seconds) pace.push(rate(over / run.seconds) + " items a second on average");
  if (run.left !== null && run.leased && run.state === "running") pace.push("ends about " + clock(Date.parse(run.now) + 1000 * run.left));
  $("pace").textContent = pace.join(" · ");
  $("pause").hidden = run.state === "paused";
  $("pause").disabled = run.state === "gone" || Boolean(run.finished);
  $("resume").hidden = run.state !== "paused";
}

function state(name) {
  if ($("state").textContent !== name) $("state").textContent = name; // it is read aloud
  $("state").dataset.state = name;
}

// icon is the progress as a ring, for those who look at the tab only.
function icon(percent) {
  const colour = getComputedStyle($("state")).backgroundColor;
  const ring = (c, part) => `<circle cx="8" cy="8" r="6" fill="none" stroke="${c}" stroke-width="4" pathLength="100" ` +
    `stroke-dasharray="${part.toFixed(0)} 100" transform="rotate(-90 8 8)"/>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${ring("#9995", 100)}${ring(colour, percent)}</svg>`;
  const href = "data:image/svg+xml," + encodeURIComponent(svg);
  if ($("icon").href !== href) $("icon").href = href;
}

function away(what) {
  if (!awaySince) awaySince = Date.now();
  $("away").textContent = what + " since " + clock(awaySince) + ". " +
    (run ? "This is how the run was then; the page goes on by itself." : "The page goes on by itself when it does.");
  $("away").hidden = false;
  document.body.classList.add("stale");
  document.body.classList.toggle("blank", run === null); // what was never read is not 0
  state("away");
}

function back() {
  awaySince = null;
  $("away").hidden = true;
  document.body.classList.remove("stale");
}

// ---- the chart

function sample(s) {
  const one = { at: Date.parse(s.at), done: s.done, dead: s.dead + s.revived };
  const last = samples[samples.length - 1];
  if (last && (one.at <= last.at || (run && run.finished && one.done === last.done && one.dead === last.dead))) return;
  if (samples.length >= samplesKept) samples.splice(missedLeast(one.at), 1);
  samples.push(one);
}

// missedLeast is the sample with the closest neighbours for its age, as in sampler.go.
function missedLeast(now) {
  const worth = (i) => (samples[i + 1].at - samples[i - 1].at) / (now - samples[i].at + 120000);
  let drop = 1;
  for (let i = 2; i < samples.length - 1; i++) if (worth(i) < worth(drop)) drop = i;
  return drop;
}

// rates is how many items a second ended in each of n equal times, of the one kind.
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
  $("chart-top").textContent = rate(top) + " a second";
  $("chart-from").textContent = clock(from);
  $("chart-to").textContent = clock(to);
}

// ---- what runs

async function get(path, signal) {
  const response = await fetch(path, { signal });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

async function loadRunning() {
  const leases = run && run.leased === 0 ? [] : await get("api/running");
  leases.sort((a, b) => Date.parse(a.since) - Date.parse(b.since));
  const now = run ? Date.parse(run.now) : Date.now();
  const rows = leases.map((lease) => {
    const row = element("tr");
    row.append(element("td", plain(lease.worker)), element("td", span(Math.max(0, (now - Date.parse(lease.since)) / 1000)), "number"),
      element("td", number.format(lease.open), "number"));
    const items = element("td");
    lease.items.forEach((item, i) => {
      if (i) items.append(", ");
      items.append(element("code", line(item)));
      if (item.attempts) items.append(" (attempt " + (item.attempts + 1) + ")");
    });
    if (lease.open > lease.items.length) items.append(" …");
    row.append(items);
    return row;
  });
  $("running").replaceChildren(...rows);
  $("running-none").hidden = rows.length > 0;
  $("running-table").hidden = rows.length === 0;
}

// ---- dead letters, a page of them at a time

let pages = [""]; // where each page begins, up to the one that is shown
let next = "";
let deadShown = null; // what the list was made for
let loading = null;

function letter(dead) {
  const li = element("li");
  const details = element("details");
  const summary = element("summary");
  summary.append(element("code", line(dead)), element("span", plain(dead.reason || ""), "reason"));
  if (dead.started) summary.append(element("time", clock(dead.started)));
  details.append(summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(inside(dead));
  });
  li.append(details);
  return li;
}

function inside(dead) {
  const all = element("div", undefined, "letter");
  const facts = element("dl", undefined, "facts");
  const fact = (name, value) => {
    const one = element("div");
    one.append(element("dt", name), element("dd", plain(String(value))));
    facts.append(one);
  };
  const part = (title, content, note) => all.append(element("h3", note ? title + ": " + note : title), element("pre", content));
  all.append(facts);
  fact("id", dead.id);
  if (dead.exit_code) fact("exit code", dead.exit_code);
  fact("failed attempts", dead.attempt || 0);
  if (dead.crashes) fact("workers that died on it", dead.crashes);
  if (dead.host) fact("last on", dead.host + (dead.node ? ", node " + dead.node : ""));
  if (dead.started) fact("began", clock(dead.started));
  if (dead.started) fact("took", span(dead.seconds || 0));
  if (dead.output) part("Its last output", plain(dead.output_encoding ? decode(dead.output) : dead.output), dead.truncated ? "there was more" : "");
  const item = text(dead);
  if (item !== line(dead)) {
    const notes = [];
    if (dead.item_encoding) notes.push("not UTF-8, what is no text is shown as \ufffd");
    if (dead.item_bytes) notes.push("the beginning of " + size(dead.item_bytes));
    part("The item", item, notes.join("; "));
  }
  if (dead.item_bytes) {
    const link = element("a", "All of it, as JSON");
    link.href = "api/dead/" + encodeURIComponent(dead.key);
    link.target = "_blank";
    link.rel = "noopener";
    all.append(link, " ");
  }
  if (actionsOn) {
    const button = element("button", "Retry");
    button.type = "button";
    button.setAttribute("aria-label", "Retry " + line(dead));
    button.addEventListener("click", () => act("retry", { keys: [dead.key] }, button));
    all.append(button);
  }
  return all;
}

// loadDead shows the page that pages ends with.
async function loadDead() {
  if (loading) loading.abort();
  const mine = (loading = new AbortController());
  const match = $("match").value;
  const query = new URLSearchParams({ match, before: pages[pages.length - 1] });
  deadShown = run && fingerprint();
  let page;
  try {
    page = await get("api/dead?" + query, mine.signal);
  } catch (error) {
    if (!mine.signal.aborted) deadShown = null; // try again with the next snapshot
    return;
  }
  if (mine !== loading) return;
  next = page.next || "";
  $("letters").replaceChildren(...page.dead.map(letter));
  $("fresh").hidden = true;
  $("letters-none").hidden = page.dead.length > 0;
  $("letters-none").textContent = match ? "None contains that." : "None.";
  $("newer").hidden = pages.length === 1;
  $("older").hidden = !next;
  $("pages").hidden = pages.length === 1 && !next;
  $("page").textContent = "page " + pages.length + ", the latest first";
  $("retry-all").hidden = !actionsOn || page.dead.length === 0;
  if (!sureUntil) unsure();
}

const fingerprint = () => run.dead + " " + run.revived;

// freshen shows new dead items at once, but takes nothing away from somebody who reads.
function freshen() {
  if (deadShown === fingerprint()) return;
  if (pages.length > 1 || $("letters").querySelector("details[open]")) {
    $("fresh").hidden = false;
  } else {
    loadDead();
  }
}

function first() {
  pages = [""];
  return loadDead();
}

// ---- actions

function say(what, wrong) {
  $("said").textContent = what;
  $("said").classList.toggle("wrong", Boolean(wrong));
}

async function act(what, wish, button) {
  if (!$("token").value) {
    say("The token is missing: type it in here.", true);
    $("token").focus();
    return;
  }
  button.disabled = true;
  try {
    const response = await fetch("api/" + what, {
      method: "POST",
      headers: { Authorization: "Bearer " + $("token").value, "Content-Type": "application/json" },
      body: JSON.stringify(wish),
    });
    if (response.status === 401) {
      say("That is not the token.", true);
      $("token").focus();
    } else if (!response.ok) {
      say(await response.text(), true);
    } else if (what === "retry") {
      const over = run && run.finished;
      const items = (await response.json()).items;
      say(number.format(items) + (items === 1 ? " item is" : " items are") + " back in the queue." +
        (over ? " The run was over: if its workers are gone, start some." : ""));
      await first();
    } else {
      say(what === "pause" ? "Paused: nothing is begun until somebody resumes." : "Resumed.");
    }
  } catch (error) {
    say("The monitor cannot be reached.", true);
  } finally {
    button.disabled = false;
  }
}

// retryAll asks once more before it does what cannot be undone.
let sureUntil = null;
function retryAll() {
  const match = $("match").value;
  if (sureUntil) {
    unsure();
    act("retry", match ? { match } : { all: true }, $("retry-all"));
    return;
  }
  sureUntil = setTimeout(unsure, 5000);
  $("retry-all").textContent = match ? "Really retry all that contain this?" : "Really retry all " + number.format(run ? run.dead : 0) + "?";
  $("retry-all").classList.add("sure");
}

function unsure() {
  clearTimeout(sureUntil);
  sureUntil = null;
  $("retry-all").textContent = $("match").value ? "Retry all that contain this" : "Retry all";
  $("retry-all").classList.remove("sure");
}

// ---- live

function listen() {
  get("api/samples").then((old) => { old.forEach(sample); draw(); }).catch(() => {});
  const events = new EventSource("events");
  let heard = Date.now();
  events.onmessage = (event) => {
    heard = Date.now();
    back();
    show(JSON.parse(event.data));
    sample({ at: run.now, done: run.done, dead: run.dead, revived: run.revived });
    if (document.hidden) return;
    draw();
    freshen();
    loadRunning().catch(() => {});
  };
  events.addEventListener("away", () => { heard = Date.now(); away("Redis has not answered"); });
  events.onerror = () => away("No connection to the monitor");
  // A proxy may refuse for good what would come back, or keep open what is dead.
  const watch = setInterval(() => {
    if (events.readyState !== EventSource.CLOSED && Date.now() - heard < 15000) return;
    away("No connection to the monitor");
    events.close();
    clearInterval(watch);
    listen();
  }, 3000);
}

let typed = null;
$("match").addEventListener("input", () => { unsure(); clearTimeout(typed); typed = setTimeout(first, 250); });
$("older").addEventListener("click", () => { pages.push(next); loadDead(); });
$("newer").addEventListener("click", () => { pages.pop(); loadDead(); });
$("fresh").addEventListener("click", first);
$("retry-all").addEventListener("click", retryAll);
$("pause").addEventListener("click", () => act("pause", {}, $("pause")));
$("resume").addEventListener("click", () => act("resume", {}, $("resume")));
$("who").addEventListener("submit", (event) => event.preventDefault());
$("actions").hidden = !actionsOn;
get("api/counts").then(show).catch(() => {});
listen();
