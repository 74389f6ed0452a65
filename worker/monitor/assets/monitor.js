// Keeps the page up to date. Whatever comes from a queue is put in as text, never as markup.
"use strict";

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const shownItem = 120; // characters of an item in a line
const samples = [];
const samplesKept = 600;
let before = ""; // where the next page of dead letters begins
let deadShown = -1; // number of dead items that the list was made for

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

function text(payload) {
  return payload.base64 ? "base64:" + payload.base64 : payload.text || "";
}

function short(s) {
  s = s.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, "·");
  if (s === "") return '""';
  return s.length > shownItem ? s.slice(0, shownItem) + "…" : s;
}

function show(run) {
  for (const name of ["ready", "leased", "delayed", "suspects", "done", "dead", "retried", "expired"]) {
    $(name).textContent = number.format(run[name]);
  }
  $("state").textContent = run.state;
  $("state").dataset.state = run.state;
  const part = (n) => (run.total ? (100 * n) / run.total : 0);
  $("bar-done").style.width = part(run.done) + "%";
  $("bar-dead").style.width = part(run.dead) + "%";
  $("bar-leased").style.width = part(run.leased) + "%";
  const percent = part(run.done + run.dead);
  $("progress").setAttribute("aria-valuenow", percent.toFixed(1));
  $("percent").textContent = percent.toFixed(1) + " %";
  document.title = percent.toFixed(0) + " % " + $("state").textContent + " – workqueue";
  const pace = [number.format(run.done) + " of " + number.format(run.total) + " done"];
  if (run.seconds) pace.push((run.finished ? "in " : "for ") + span(run.seconds));
  if (run.rate) pace.push(number.format(Math.round(run.rate * 10) / 10) + " a second");
  if (run.left !== null && run.state === "running") pace.push("about " + span(run.left) + " left");
  $("pace").textContent = pace.join(" · ");
  if (run.dead !== deadShown) {
    deadShown = run.dead;
    loadDead(false);
  }
}

function sample(at, count) {
  samples.push({ at, count });
  if (samples.length > samplesKept) samples.shift();
}

function draw() {
  const rates = [];
  for (let i = 1; i < samples.length; i++) {
    const seconds = (samples[i].at - samples[i - 1].at) / 1000;
    if (seconds > 0) rates.push(Math.max(0, samples[i].count - samples[i - 1].count) / seconds);
  }
  const top = Math.max(...rates, 1e-9);
  const x = (i) => 600 - (rates.length - 1 - i) * (600 / (samplesKept - 1));
  const points = rates.map((r, i) => x(i).toFixed(1) + " " + (78 - (r / top) * 74).toFixed(1));
  const chart = $("chart");
  chart.replaceChildren();
  if (points.length > 1) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", "M" + x(0).toFixed(1) + " 80 L" + points.join(" L") + " L600 80 Z");
    chart.append(path);
    $("chart-max").textContent = "at most " + number.format(Math.round(top));
  }
}

async function get(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

async function loadRunning() {
  const leases = await get("api/running");
  const now = Date.now();
  const rows = leases.map((lease) => {
    const row = element("tr");
    row.append(element("td", lease.worker), element("td", number.format(lease.open), "number"),
      element("td", span(Math.max(0, (now - Date.parse(lease.since)) / 1000))));
    const items = element("td");
    lease.items.slice(0, 3).forEach((item, i) => {
      if (i) items.append(", ");
      items.append(element("code", short(text(item.item))));
      if (item.attempts) items.append(" (attempt " + (item.attempts + 1) + ")");
    });
    if (lease.open > 3) items.append(" …");
    row.append(items);
    return row;
  });
  $("running").replaceChildren(...rows);
  $("running-none").hidden = rows.length > 0;
}

function letter(dead) {
  const li = element("li");
  const details = element("details");
  const summary = element("summary");
  summary.append(element("code", short(text(dead.item))), " ", element("span", dead.reason, "reason"));
  details.append(summary);
  // Made when it is opened: an item may be large.
  details.addEventListener("toggle", () => {
    if (!details.open || details.childElementCount > 1) return;
    const facts = ["item " + dead.id, "failed attempts: " + dead.attempts];
    if (dead.crashes) facts.push("workers that died on it: " + dead.crashes);
    if (dead.host) facts.push("last on " + dead.host + (dead.node ? " (" + dead.node + ")" : ""));
    if (dead.host && dead.started) facts.push(dead.started + ", for " + span(dead.seconds || 0));
    details.append(element("p", facts.join(" · "), "quiet"), element("pre", text(dead.item)));
    if (dead.output) details.append(element("div", "Its last output:", "quiet"), element("pre", dead.output));
    if (document.body.dataset.actions === "true") {
      const button = element("button", "Retry");
      button.addEventListener("click", () => act("retry", { keys: [dead.key] }));
      details.append(button);
    }
  });
  li.append(details);
  return li;
}

async function loadDead(more) {
  const query = new URLSearchParams({ match: $("match").value, before: more ? before : "" });
  const page = await get("api/dead?" + query);
  const items = page.dead.map(letter);
  if (more) $("letters").append(...items);
  else $("letters").replaceChildren(...items);
  before = page.next || "";
  $("more").hidden = !before;
  $("letters-none").hidden = $("letters").childElementCount > 0;
  $("letters-none").textContent = $("match").value ? "No dead item contains that." : "No item is dead.";
  const actions = document.body.dataset.actions === "true" && items.length > 0;
  $("retry-all").hidden = !actions;
  $("retry-shown").hidden = !actions || !$("match").value;
}

async function act(what, wish) {
  const response = await fetch("api/" + what, {
    method: "POST",
    headers: { Authorization: "Bearer " + $("token").value, "Content-Type": "application/json" },
    body: JSON.stringify(wish),
  });
  const answer = await response.text();
  $("said").textContent = response.ok ? what + ": done" + (what === "retry" ? ", " + JSON.parse(answer).items + " items" : "") : answer;
  deadShown = -1;
}

function listen() {
  const events = new EventSource("events");
  events.onmessage = (event) => {
    $("away").hidden = true;
    const run = JSON.parse(event.data);
    sample(Date.parse(run.now), run.done + run.dead);
    draw();
    show(run);
    loadRunning().catch(() => {});
  };
  events.addEventListener("away", () => { $("away").hidden = false; });
  events.onerror = () => { $("away").hidden = false; };
}

$("more").addEventListener("click", () => loadDead(true));
$("match").addEventListener("input", () => loadDead(false));
$("retry-all").addEventListener("click", () => act("retry", { all: true }));
$("retry-shown").addEventListener("click", () => act("retry", { match: $("match").value }));
$("pause").addEventListener("click", () => act("pause", {}));
$("resume").addEventListener("click", () => act("resume", {}));
$("actions").hidden = document.body.dataset.actions !== "true";

get("api/samples").then((old) => {
  old.forEach((s) => sample(Date.parse(s.at), s.done + s.dead));
  draw();
}).catch(() => {}).finally(listen);
get("api/counts").then(show).catch(() => {});
loadRunning().catch(() => {});
