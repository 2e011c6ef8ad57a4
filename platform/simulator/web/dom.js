// Builds elements from data, never from markup, so that received content is only ever shown as text.

export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") node.className = value;
    else if (key === "style") for (const [property, set] of Object.entries(value)) node.style.setProperty(property, set);
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function clock(at) {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}

export function bytes(count) {
  return count < 10240 ? `${count} bytes` : `${Math.round(count / 1024)} KB`;
}

export function phoneNumber(digits) {
  const national = /^1(\d{3})(\d{3})(\d{4})$/.exec(digits);
  return national ? `+1 ${national[1]} ${national[2]} ${national[3]}` : `+${digits}`;
}

// Calls `onEntry` with every log entry, existing and new, for as long as the page is open.
export async function follow(kind, onEntry) {
  for (let since = 0; ; ) {
    try {
      const response = await fetch(`/log?wait=20&kind=${kind}&since=${since}`);
      for (const entry of await response.json()) {
        since = entry.seq;
        onEntry(entry);
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}
