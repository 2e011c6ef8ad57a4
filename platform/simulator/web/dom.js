// Elements are made from data, never from markup: what was received can only ever be text.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (key === "style") for (const [property, set] of Object.entries(value)) made.style.setProperty(property, set);
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
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

// Calls `take` with every entry of the log, old and new, as long as the page is open.
export async function follow(kind, take) {
  for (let since = 0; ; ) {
    try {
      const answer = await fetch(`/log?wait=20&kind=${kind}&since=${since}`);
      for (const entry of await answer.json()) {
        since = entry.seq;
        take(entry);
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}
