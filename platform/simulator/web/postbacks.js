import { clock, element, follow, phoneNumber } from "./dom.js";

const MOST_SHOWN = 500;
const list = document.getElementById("postbacks");

function addEntry(entry) {
  increment("count");
  if (entry.status === 200) increment("count-accepted");
  document.getElementById("empty").hidden = true;
  list.prepend(element("li", {}, element("details", {}, summary(entry), content(entry))));
  if (list.children.length > MOST_SHOWN) list.lastElementChild.remove();
}

function increment(counter) {
  const count = document.getElementById(counter);
  count.textContent = Number(count.textContent) + 1;
}

// Returns a field in any dialect: status-details, STATUSDETAILS.
function field(entry, name) {
  return entry.fields[name] ?? entry.fields[name.replaceAll("-", "").toUpperCase()] ?? "";
}

function summary(entry) {
  const code = field(entry, "code");
  const extra = [field(entry, "sent-as"), field(entry, "status-details"), field(entry, "handset")].filter(Boolean).join(", ");
  return element("summary", {},
    element("time", { datetime: entry.at }, clock(entry.at)),
    element("span", { class: `badge ${code.startsWith("E") ? "bad" : "good"}` }, code || "?"),
    element("span", { class: "status" }, field(entry, "status") || "(no status)", element("small", {}, extra)),
    element("span", {}, entry.number ? phoneNumber(entry.number) : ""),
    element("span", { class: "mono" }, field(entry, "tracking-id")),
    element("span", { class: entry.status === 200 ? "answer" : "answer bad" }, `${entry.name}: ${entry.status ? `HTTP ${entry.status}` : "no response"}`));
}

function content(entry) {
  const headers = Object.entries(entry.headers).map(([name, value]) => `${name}: ${value}`).join("\n");
  return element("div", { class: "inside" },
    element("section", {}, element("h3", {}, "Headers"), element("pre", {}, headers)),
    element("section", {}, element("h3", {}, "Body"), element("pre", {}, entry.body)));
}

follow("postback", addEntry);
