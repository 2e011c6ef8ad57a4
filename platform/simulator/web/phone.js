// One handset in the proportions of its screen, playing a message as its SMIL says.

import { element } from "./dom.js";

const WIDEST = 205;
const TALLEST = 400;
const FEATURE_PHONE = 240;
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const FITS = { fill: "fill", slice: "cover" };

export function phone(message) {
  const [width, height] = message.screen;
  const feature = width <= FEATURE_PHONE;
  const scale = Math.min((feature ? 150 : WIDEST) / width, TALLEST / height);
  const slides = message.presentation.slides.map((slide) => slideElement(message, slide));
  const marks = slides.map(() => element("span"));
  const screen = element("div", { class: "screen", style: { "--w": width * scale, "--h": height * scale, "--letter": letter(width) } },
    element("div", { class: "layout", style: layoutBox(message.presentation, width * scale, height * scale) }, ...slides));
  const device = element("div", { class: feature ? "device feature" : "device", title: "Next slide", role: "button", tabindex: "0" },
    screen, element("div", { class: "progress" }, ...marks), feature ? keypad() : null);
  play(device, slides, marks, message.presentation.slides);
  return { device, screen };
}

// Old handsets show some 16 letters in a line, present ones some 32.
function letter(width) {
  return width <= FEATURE_PHONE ? 0.087 : width <= 540 ? 0.066 : 0.064;
}

function keypad() {
  return element("div", { class: "keys", "aria-hidden": "true" }, ...KEYS.map((key) => element("i", {}, key)));
}

// The layout as large as the screen allows, in its own proportions.
function layoutBox(presentation, width, height) {
  const own = [presentation.width || width, presentation.height || height];
  const scale = Math.min(width / own[0], height / own[1]);
  return { width: `${own[0] * scale}px`, height: `${own[1] * scale}px` };
}

function slideElement(message, slide) {
  const regions = new Map(message.presentation.regions.map((region) => [region.name, region]));
  const placed = slide.items.every((item) => regions.has(item.region));
  const made = element("div", { class: placed ? "slide" : "slide stack" });
  for (const item of slide.items) {
    const shown = itemElement(message, item, regions.get(item.region));
    made.append(placed ? element("div", { class: "region", style: box(regions.get(item.region)) }, shown) : shown);
  }
  return made;
}

function box(region) {
  const percent = (part) => `${part * 100}%`;
  return { left: percent(region.left), top: percent(region.top), width: percent(region.width), height: percent(region.height) };
}

function itemElement(message, item, region) {
  const source = `/messages/${encodeURIComponent(message.message_id)}/parts/${item.part}`;
  const name = message.parts[item.part].name;
  const fit = { "object-fit": FITS[region?.fit] ?? "contain" };
  if (item.mime_type === "text/plain") return words(source);
  switch (item.mime_type.split("/")[0]) {
    case "image": return element("img", { src: source, alt: name, style: fit, loading: "lazy" });
    case "video": return video(source, `${name} (${item.mime_type})`, fit);
    case "audio": return element("audio", { src: source, controls: "" });
  }
  return element("div", { class: "attachment" }, `${name} (${item.mime_type})`);
}

// Muted as a property: the attribute counts in markup alone, and no browser starts by itself what may sound.
function video(source, name, fit) {
  const made = element("video", { style: fit, autoplay: "", loop: "", playsinline: "" });
  made.muted = true;
  made.addEventListener("error", () => made.replaceWith(element("div", { class: "attachment" }, `${name}: this browser cannot play it`)));
  made.src = source;
  return made;
}

function words(source) {
  const made = element("div", { class: "words" });
  fetch(source).then((answer) => answer.text()).then((text) => { made.textContent = text; });
  return made;
}

// Slides follow each other by their durations, over and over; a click goes to the next one at once.
function play(device, slides, marks, timing) {
  let current = -1;
  let timer = 0;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const next = () => {
    clearTimeout(timer);
    current = (current + 1) % slides.length;
    slides.forEach((slide, index) => slide.classList.toggle("on", index === current));
    marks.forEach((mark, index) => { mark.className = index < current ? "done" : index === current ? "on" : ""; });
    marks[current].style.setProperty("--seconds", `${timing[current].seconds}s`);
    if (slides.length > 1 && !still) timer = setTimeout(next, timing[current].seconds * 1000);
  };
  if (slides.length) {
    device.addEventListener("click", next);
    device.addEventListener("keydown", (event) => { if (event.key === "Enter") next(); });
    next();
  }
}
