// A handset in the proportions of its screen, playing a message according to its SMIL.

import { element } from "./dom.js";

const MAX_WIDTH = 205;
const MAX_HEIGHT = 400;
const FEATURE_PHONE_WIDTH = 240;
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const FITS = { fill: "fill", slice: "cover" };

export function phone(message) {
  const [width, height] = message.screen;
  const isFeaturePhone = width <= FEATURE_PHONE_WIDTH;
  const scale = Math.min((isFeaturePhone ? 150 : MAX_WIDTH) / width, MAX_HEIGHT / height);
  const slides = message.presentation.slides.map((slide) => slideElement(message, slide));
  const marks = slides.map(() => element("span"));
  const screen = element("div", { class: "screen", style: { "--w": width * scale, "--h": height * scale, "--letter": letterSize(width) } },
    element("div", { class: "layout", style: layoutBox(message.presentation, width * scale, height * scale) }, ...slides));
  const device = element("div", { class: isFeaturePhone ? "device feature" : "device", title: "Next slide", role: "button", tabindex: "0" },
    screen, element("div", { class: "progress" }, ...marks), isFeaturePhone ? keypad() : null);
  play(device, slides, marks, message.presentation.slides);
  return { device, screen };
}

// Letter size relative to the screen width: old handsets show about 16 letters per line, current ones about 32.
function letterSize(width) {
  return width <= FEATURE_PHONE_WIDTH ? 0.087 : width <= 540 ? 0.066 : 0.064;
}

function keypad() {
  return element("div", { class: "keys", "aria-hidden": "true" }, ...KEYS.map((key) => element("i", {}, key)));
}

// Scales the layout to the screen, keeping its proportions.
function layoutBox(presentation, width, height) {
  const own = [presentation.width || width, presentation.height || height];
  const scale = Math.min(width / own[0], height / own[1]);
  return { width: `${own[0] * scale}px`, height: `${own[1] * scale}px` };
}

function slideElement(message, slide) {
  const regions = new Map(message.presentation.regions.map((region) => [region.name, region]));
  const placed = slide.items.every((item) => regions.has(item.region));
  const node = element("div", { class: placed ? "slide" : "slide stack" });
  for (const item of slide.items) {
    const shown = itemElement(message, item, regions.get(item.region));
    node.append(placed ? element("div", { class: "region", style: box(regions.get(item.region)) }, shown) : shown);
  }
  return node;
}

function box(region) {
  const percent = (part) => `${part * 100}%`;
  return { left: percent(region.left), top: percent(region.top), width: percent(region.width), height: percent(region.height) };
}

function itemElement(message, item, region) {
  const source = `/messages/${encodeURIComponent(message.message_id)}/parts/${item.part}`;
  const name = message.parts[item.part].name;
  const fit = { "object-fit": FITS[region?.fit] ?? "contain" };
  if (item.mime_type === "text/plain") return textElement(source);
  switch (item.mime_type.split("/")[0]) {
    case "image": return element("img", { src: source, alt: name, style: fit, loading: "lazy" });
    case "video": return video(source, `${name} (${item.mime_type})`, fit);
    case "audio": return element("audio", { src: source, controls: "" });
  }
  return element("div", { class: "attachment" }, `${name} (${item.mime_type})`);
}

// Sets `muted` as a property: the attribute has no effect outside markup, and browsers autoplay only muted video.
function video(source, name, fit) {
  const node = element("video", { style: fit, autoplay: "", loop: "", playsinline: "" });
  node.muted = true;
  node.addEventListener("error", () => node.replaceWith(element("div", { class: "attachment" }, `${name}: this browser cannot play it`)));
  node.src = source;
  return node;
}

function textElement(source) {
  const node = element("div", { class: "words" });
  fetch(source).then((response) => response.text()).then((text) => { node.textContent = text; });
  return node;
}

// Plays the slides in a loop, each for its duration; a click skips to the next one.
function play(device, slides, marks, timing) {
  let current = -1;
  let timer = 0;
  const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const next = () => {
    clearTimeout(timer);
    current = (current + 1) % slides.length;
    slides.forEach((slide, index) => slide.classList.toggle("on", index === current));
    marks.forEach((mark, index) => { mark.className = index < current ? "done" : index === current ? "on" : ""; });
    marks[current].style.setProperty("--seconds", `${timing[current].seconds}s`);
    if (slides.length > 1 && !reducedMotion) timer = setTimeout(next, timing[current].seconds * 1000);
  };
  if (slides.length) {
    device.addEventListener("click", next);
    device.addEventListener("keydown", (event) => { if (event.key === "Enter") next(); });
    next();
  }
}
