import { bytes, clock, element, follow, phoneNumber } from "./dom.js";
import { phone } from "./phone.js";

const MOST_SHOWN = 60;
const GOOD = new Set(["retrieved"]);
const PENDING = new Set(["forwarded", "deferred", "indeterminate"]);
const onReport = new Map(); // message id -> callback for each of its reports

const wall = document.getElementById("wall");
const ddms = document.getElementById("ddms");
const failures = document.getElementById("failures");

function addEntry(entry) {
  if (entry.kind === "report") onReport.get(entry.message_id)?.(entry);
  if (entry.kind !== "submit" || entry.duplicate) return;
  if (!entry.message_id) show(failures, failure(entry), "count-failures");
  else if (entry.ddm) show(ddms, discovery(entry), "count-ddms");
  else show(wall, message(entry), "count-messages");
}

function show(list, node, counter) {
  const count = document.getElementById(counter);
  count.textContent = Number(count.textContent) + 1;
  if (list === wall) document.getElementById("empty").hidden = true;
  list.prepend(node);
  if (list.children.length > MOST_SHOWN) list.lastElementChild.remove();
}

function message(entry) {
  const { device, screen } = phone(entry);
  const status = badge("no report yet");
  onReport.set(entry.message_id, (report) => {
    mark(status, report.mm_status);
    if (tone(report.mm_status) === "bad") screen.append(verdict(report.mm_status, entry.rejected));
  });
  return element("article", { class: "message" }, device, element("div", { class: "facts" },
    element("h3", {}, entry.handset),
    element("p", { class: "subject" }, entry.subject || "(no subject)"),
    element("p", { class: "small" }, `${phoneNumber(entry.number)} from ${entry.sender} at ${clock(entry.at)}`),
    element("p", { class: "small" }, sizes(entry)),
    entry.behaviour === "00" ? null : element("p", { class: "small" }, entry.description),
    element("div", { class: "row" }, status, rawLink(entry))));
}

function sizes(entry) {
  const pictures = entry.parts.filter((part) => part.width).map((part) => `${part.width}×${part.height}`);
  const slides = entry.presentation.slides.length;
  return [bytes(entry.bytes), slides === 1 ? "1 slide" : `${slides} slides`, ...new Set(pictures)].join(", ");
}

function verdict(status, reason) {
  return element("div", { class: "verdict" }, element("b", {}, status), reason ?? "");
}

function discovery(entry) {
  const status = badge("no report yet");
  const text = element("p", {}, entry.subject);
  onReport.set(entry.message_id, (report) => {
    mark(status, report.mm_status);
    text.textContent = report.handset ? `names ${report.handset}` : "names no handset";
  });
  return element("li", {},
    element("div", { class: "head" }, element("b", {}, phoneNumber(entry.number)), status),
    text, element("p", {}, `${entry.handset} at ${clock(entry.at)} `, rawLink(entry)));
}

function failure(entry) {
  const text = entry.violation ?? entry.failure ?? entry.description ?? "";
  const status = badge(entry.failure ? "transport" : `status ${entry.status_code}`);
  status.classList.add("bad");
  return element("li", {},
    element("div", { class: "head" }, element("b", {}, entry.number ? phoneNumber(entry.number) : "no number"), status),
    element("p", {}, text), element("p", {}, `${clock(entry.at)} `, rawLink(entry)));
}

function badge(text) {
  return element("span", { class: "badge" }, text);
}

function mark(status, text) {
  status.textContent = text;
  status.className = `badge ${tone(text)}`;
}

function tone(status) {
  const known = status.toLowerCase();
  return GOOD.has(known) ? "good" : PENDING.has(known) ? "" : "bad";
}

function rawLink(entry) {
  return element("button", { class: "link", type: "button", onclick: () => openRaw(entry.seq) }, "raw MM7");
}

async function openRaw(seq) {
  const answer = await fetch(`/submits/${seq}/mm7`);
  const exchange = answer.ok ? await answer.json() : { request: "Not archived: never read, or too old.", answer: "" };
  document.getElementById("mm7-request").textContent = exchange.request;
  document.getElementById("mm7-answer").textContent = exchange.answer;
  document.getElementById("mm7").showModal();
}

async function fillNumbers() {
  const { handsets, behaviours } = await (await fetch("/numbers")).json();
  const row = (...cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell)));
  const sorted = (table) => Object.entries(table).sort(([one], [other]) => one.localeCompare(other));
  document.getElementById("handsets").append(...sorted(handsets).map(([digits, handset]) =>
    row(digits, handset.name, handset.identity, handset.screen.join("×"), handset.image_box.join("×"), bytes(handset.message_bytes))));
  document.getElementById("behaviours").append(...sorted(behaviours).map(([digits, description]) => row(digits, description)));
}

fillNumbers();
follow("", addEntry);
